"""Debates as games with a theorem."""
