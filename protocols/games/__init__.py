"""Debates as games with a theorem: who claims what, what the judge reads, which class is reached.

Rule of this room: one protocol a file, with its source; the problem is in the question's data.
"""
