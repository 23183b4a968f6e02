"""Statistics of plays, the class table with its witnesses, published results measured again, and models in every seat.

Rule of this room: nobody below imports it. Every number it prints is computed when it is asked for.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
