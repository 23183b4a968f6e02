"""Questions about a source that only some roles may read."""
