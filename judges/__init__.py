"""Who can decide: models, panels, programs, and the bound that wraps any of them.

Rule of this room: judges are agents; nothing here writes a debater's prompt.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
