"""Transcripts, trees and ledgers as text and HTML.

Rule of this room: it reads a play by its structure (`complexity/play.py`) and writes strings; every text of others goes through
`protocols/text.py`.
"""
