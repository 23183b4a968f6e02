"""Transcripts, trees and ledgers as text and HTML."""
