"""Debate in words, and what it is compared with: consultancy, critique, propaganda, the judge alone.

Rule of this room: one protocol a file; what debates are put together from is in `parts.py`.
"""
