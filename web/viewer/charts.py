"""Charts of one play: what the judge believed, how a price moved, what was read of a budget.

Rule of this file: numbers in, drawings out, each of a bounded number of places; what is unknown is not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from moot.studies.report.drawing import Drawing
from moot.studies.report.plot import Axis, Mark, around, plot

PLACES = 300
"""The most places of a line: of more, some are left out, evenly, and never the last."""
LINES = 10


def beliefs(title: str, label: str, found: Sequence[tuple[str, Sequence[float]]], choices: Sequence[str]) -> Drawing | None:  # fmt: skip
    """A line for each choice (the first `LINES` of them) by the order of these beliefs, each with its name; None where there are fewer than two."""
    if len(found) < 2:
        return None
    kept = _few(len(found))
    marks = [
        Mark(at, found[at][1][choice], name="", series=choice)
        for choice in range(min(LINES, len(choices)))
        for at in kept
        if choice < len(found[at][1])
    ]
    x = Axis(label, -0.2, len(found) - 0.8)
    return plot(title, x, Axis("probability", 0.0, 1.0), marks, series=tuple(choices[:LINES]), joined=True)


def spending(title: str, label: str, spent: Sequence[int | float | None], limit: int | float | None) -> Drawing | None:
    """What was spent by then at each of the play's scenes, with the limit as a dashed line; None where that never changes."""
    known = [(at, value) for at, value in enumerate(spent) if value is not None]
    changes = [each for place, each in enumerate(known) if place == 0 or known[place - 1][1] != each[1]]
    if len(changes) < 2:
        return None
    marks = [Mark(at, value) for at, value in (changes[place] for place in _few(len(changes)))]
    x = around("scene", [0, max(1, len(spent) - 1)])
    values = [value for _, value in changes] + ([] if limit is None else [limit])
    line = () if limit is None else ((x.low, limit), (x.high, limit))
    return plot(title, x, around(label, values), marks, line=line, joined=True)


def _few(count: int) -> list[int]:
    """Places of so many, evenly, with the first and the last."""
    if count <= PLACES:
        return list(range(count))
    return sorted({round(at * (count - 1) / (PLACES - 1)) for at in range(PLACES)})
