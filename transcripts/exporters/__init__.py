"""Exporters: what a transcript can be written as.
Rule of this room: each form in one file, and none of them changes or plays anything."""
