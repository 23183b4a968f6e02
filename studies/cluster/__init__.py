"""The cells of a study in other processes, of this machine or of a Ray cluster.

Rule of this room: the owner of a study keeps all that is kept (folder, index, cap, limiters, order of cells); a worker plays what it
is given, and hands on each line as it is recorded. So a worker that is lost costs the calls that it had in flight, and no more.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)
