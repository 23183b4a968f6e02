"""Exporters: what a transcript can be written as, each in one file. None of them changes or plays anything."""
