"""Pages in a browser: looking into plays, and judging as a person.

Rule of this room: it shows what the parts below found and decides nothing of a play. What others wrote is text on every page, never
markup; and nothing is fetched from elsewhere. The servers need the extra `moot[web]`.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
