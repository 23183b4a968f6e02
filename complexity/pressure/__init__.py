"""Optimisation pressure: how far a policy was pushed from an anchor that is known to be safe, and what that certifies.

Rule of this room: numbers, finite policies and recorded events; no agent is asked and no model is known. What is certified is
kept apart from what is estimated, and each figure says which it is (`kinds.py`).
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
