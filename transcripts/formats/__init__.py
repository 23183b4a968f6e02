"""Importers: files that others saved, as transcripts."""
