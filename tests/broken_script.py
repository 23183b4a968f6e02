"""Two protocols as a script may define them; what runs it is not run where it is only read."""

from broken_elsewhere import GoesThroughASet, SortsASet


class Broken(GoesThroughASet):
    """Asks in the order of a set."""


class Kept(SortsASet):
    """Does not."""


if __name__ == "__main__":
    raise SystemExit("this was run")
