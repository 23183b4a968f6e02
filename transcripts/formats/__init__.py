"""Importers: files that others saved, as transcripts. One format a file.

Rule of this room: what another system recorded is history; it is read, checked and kept, never invented.
"""
