"""Events, their store, and everything that is folded from them."""
