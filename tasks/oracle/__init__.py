"""Questions about computations with an oracle."""
