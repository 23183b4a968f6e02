"""Questions about Boolean circuits, and the files that hold them."""
