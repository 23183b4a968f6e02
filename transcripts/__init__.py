"""The event log: what is recorded of a play, kept in files, folded, verified and replayed.

Rule of this room: nothing here runs an agent. Everything offered is computed from the events.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
