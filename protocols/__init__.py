"""Protocols: the engine, what several families share, and one folder for each family.

Rule of this room: pure scripts and their moves. No I/O, no prompts, no clock, no provider.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
