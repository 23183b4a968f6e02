"""Accounting: polynomials, what a play spent, how large its tree grew, and what its verdict is worth.

Rule of this room: folds over recorded events, and local rules run directly. Exact search is in `search`.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
