"""Who can decide, and the bound that wraps them all."""
