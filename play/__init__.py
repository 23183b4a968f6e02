"""Driving a play: seating agents, running, resuming, forking, judging again.

Rule of this room: the only code that awaits the world.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
