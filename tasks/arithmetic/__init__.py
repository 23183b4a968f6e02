"""Questions about numbers and sequences."""
