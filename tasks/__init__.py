"""Questions with known answers, and programs that play protocols about them.

Rule of this room: what a task is, and what all tasks share, stands here; a task is one file in the room of its subject.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
