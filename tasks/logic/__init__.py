"""Questions about formulas, and the files that hold them."""
