"""Studies: a grid of plays, run, interrupted, taken up again, judged again, and turned into numbers.

Rule of this room: which plays there are is data (`design.py`); how one is had stands in `cells.py`, many in `running.py`.
What a study knows lies in its folder, and nothing else is kept.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
