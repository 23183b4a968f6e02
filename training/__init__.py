"""Learners, and the loops that train them through protocols.

Rule of this room: nobody below imports it. Its libraries come with the extra `learn`.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
