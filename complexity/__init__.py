"""Accounting: polynomials, what a play spent, how large its tree grew, and what its verdict is worth.

Rule of this room: folds over recorded events, and local rules run directly. Exact search is in `search`.
"""
