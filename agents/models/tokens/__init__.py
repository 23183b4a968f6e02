"""Tokens and their log-probabilities: those that a model sampled, as they are recorded, and those that it is given, as it scores them.

Rule of this room: what endpoints say of single tokens is read here; what it is worth is `complexity/pressure/sampled.py`'s.
"""
