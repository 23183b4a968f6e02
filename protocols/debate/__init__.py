"""Debate and what it is compared with."""
