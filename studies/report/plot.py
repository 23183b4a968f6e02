"""Plots as drawings: points with intervals over numbers, by linear or logarithmic axes, and bars of named things.
Rule: numbers and names in, a drawing out, the same for the same numbers; no text stands on another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moot.protocols.text import one_line
from moot.studies.report import drawing
from moot.studies.report.drawing import COLOURS, FAINT, INK, PALE, Dot, Drawing, Line, Piece, Place, Text, extent, short

WIDTH, HEIGHT = 640.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 20.0, 40.0, 52.0
ROW = 24.0
"""Of a bar."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point at (x, y) with an interval of either, if there is one. name: written beside it; series: which colour it has."""

    x: float
    y: float
    y_low: float | None = None
    y_high: float | None = None
    x_low: float | None = None
    x_high: float | None = None
    name: str = ""
    series: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """low to high, linear or logarithmic (then low > 0), with its label."""

    label: str
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, 0 to 1 along the axis, cut off at its ends."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        return min(max((at - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Values to mark, with what is written there."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for parts in ((1,), (1, 2, 5)):
                found = [part * 10.0**p for p in powers for part in parts if self.low <= part * 10.0**p <= self.high]
                if len(found) > 2:
                    break
            few = found[:: math.ceil(len(found) / 7)]
            return [(each, f"{each:g}") for each in few]
        step = 10 ** math.floor(math.log10(self.high - self.low))
        step *= next((part for part in (0.1, 0.2, 0.5, 1, 2) if (self.high - self.low) / (step * part) <= 6), 2)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(i * step, f"{i * step:.6g}") for i in range(first, last + 1)]


def around(label: str, values: Sequence[float], log: bool = False, zero: bool = True) -> Axis:
    """An axis that holds the values. log: where all of them are above 0. zero: whether a linear one begins there."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if log and low > 0:
        return Axis(label, low / 1.5, high * 1.5, log=True)
    low = min(low, 0.0) if zero else low
    room = (high - low) * 0.08 or 1.0
    return Axis(label, low if zero and low == 0 else low - room, high + room)


def plot(
    title: str, x: Axis, y: Axis, marks: Sequence[Mark], *, line: Sequence[Place] = (), series: Sequence[str] = (),
    joined: bool = False, faint: Sequence[tuple[int, Sequence[Place]]] = (), limits: Sequence[tuple[float, int]] = (),
    apart: bool = False, width: float = WIDTH,
) -> Drawing:  # fmt: skip
    """The plot. line: places of a dashed line behind the marks. series: names of the series, in a key below; joined: whether
    the marks of a series are joined; faint: a series and a line of it behind the marks. limits: values of x, each with a series
    of which it is a bound, as dashed lines. apart: series stand beside each other by a little, where marks would hide others."""
    height = HEIGHT
    pieces: list[Piece] = [Text((LEFT, 22), short(one_line(title), width - LEFT - RIGHT, 14), size=14)]
    middle = max((mark.series for mark in marks), default=0) / 2

    def of_mark(px: float, py: float, of: int) -> Place:
        across, down = at(px, py)
        return across + (3 * (of - middle) if apart else 0), down

    def at(px: float, py: float) -> Place:
        return LEFT + x.place(px) * (width - LEFT - RIGHT), height - BOTTOM - y.place(py) * (height - TOP - BOTTOM)

    for value, told in y.ticks():
        _, down = at(x.low, value)
        pieces += (
            Line(((LEFT, down), (width - RIGHT, down)), PALE),
            Text((LEFT - 8, down + 4), short(told, LEFT - 26), "end"),
        )
    taken = -math.inf
    for value, told in x.ticks():
        across, half = at(value, y.low)[0], extent(told) / 2
        pieces.append(Line(((across, height - BOTTOM), (across, height - BOTTOM + 5)), FAINT))
        if across - half > taken + 4:
            pieces.append(Text((across, height - BOTTOM + 18), told, "middle"))
            taken = across + half
    pieces += (
        Line(((LEFT, TOP), (LEFT, height - BOTTOM), (width - RIGHT, height - BOTTOM)), FAINT),
        Text(((LEFT + width - RIGHT) / 2, height - 14), short(one_line(x.label), width - LEFT - RIGHT), "middle"),
        Text((16, (TOP + height - BOTTOM) / 2), short(one_line(y.label), height - TOP - BOTTOM), "middle", turned=True),
    )
    if line:
        pieces.append(Line(tuple(at(*place) for place in line), FAINT, dashed=True))
    for of, places in faint:
        pieces.append(Line(tuple(at(*place) for place in places), colour(of), faint=True))
    for value, of in limits:
        across = at(value, y.low)[0]
        pieces.append(Line(((across, TOP), (across, height - BOTTOM)), colour(of), 1.3, dashed=True))
    dots: list[Piece] = []
    for of in sorted({mark.series for mark in marks}):
        own = [mark for mark in marks if mark.series == of]
        if joined and len(own) > 1:
            pieces.append(Line(tuple(of_mark(mark.x, mark.y, of) for mark in own), colour(of), 1.8))
        for mark in own:
            pieces += _intervals(mark, of_mark)
            dots.append(Dot(of_mark(mark.x, mark.y, of), colour(of), shape(of), mark.name))
    names, below = _named(marks, at, width)
    key = [*((name, of) for of, name in enumerate(series)), *((text, None) for text in below)]
    rows, height = _laid(key, width, height)
    return Drawing(one_line(title), width, height, (*pieces, *dots, *names, *rows))


def bars(title: str, axis: Axis, held: Sequence[tuple[str, float, float | None, float | None]], points: bool = False) -> Drawing:  # fmt: skip
    """Named values from above to below, each with its interval: as bars from 0 or, of points, as dots. However many there are."""
    left = min(max((extent(one_line(name)) for name, *_ in held), default=0) + 16, 280.0)
    bottom = TOP + ROW * len(held)
    pieces: list[Piece] = [Text((12, 22), short(one_line(title), WIDTH - 32, 14), size=14)]

    def at(value: float) -> float:
        return left + axis.place(value) * (WIDTH - left - RIGHT)

    taken = -math.inf
    for value, told in axis.ticks():
        across, half = at(value), extent(told) / 2
        pieces.append(Line(((across, TOP), (across, bottom + 4)), PALE))
        if across - half > taken + 4:
            pieces.append(Text((across, bottom + 18), told, "middle"))
            taken = across + half
    for row, (name, value, low, high) in enumerate(held):
        middle = TOP + ROW * (row + 0.5)
        pieces.append(Text((left - 8, middle + 4), short(one_line(name), left - 16), "end"))
        start, end = sorted((at(0), at(value)))
        if not points:
            pieces.append(drawing.box(start, middle - 8, max(end - start, 1), 16, COLOURS[5]))
        if low is not None and high is not None:
            wide = COLOURS[0] if points else INK
            pieces.append(Line(((at(low), middle), (at(high), middle)), wide, 2 if points else 1.3))
        if points:
            pieces.append(Dot((at(value), middle), COLOURS[0], tip=f"{one_line(name)}: {value:.4g}"))
    pieces += (
        Line(((left, TOP), (left, bottom)), FAINT),
        Text(((left + WIDTH - RIGHT) / 2, bottom + 36), axis.label, "middle"),
    )
    return Drawing(one_line(title), WIDTH, bottom + 48, tuple(pieces))


def colour(series: int) -> str:
    """The colour of a series."""
    return COLOURS[series % len(COLOURS)]


def shape(series: int) -> drawing.Shape:
    """The shape of its marks, so that colour is not all that tells it from others."""
    return drawing.SHAPES[(series + series // len(COLOURS)) % len(drawing.SHAPES)]


# -- what is drawn around marks ----------------------------------------------------------------------------------------

Box = tuple[float, float, float, float]


def _intervals(mark: Mark, at: Callable[[float, float, int], Place]) -> list[Piece]:
    found: list[Piece] = []
    of = mark.series
    if mark.y_low is not None and mark.y_high is not None:
        found.append(Line((at(mark.x, mark.y_low, of), at(mark.x, mark.y_high, of)), colour(of), 2))
    if mark.x_low is not None and mark.x_high is not None:
        found.append(Line((at(mark.x_low, mark.y, of), at(mark.x_high, mark.y, of)), colour(of), 2))
    return found


def _named(marks: Sequence[Mark], at: Callable[[float, float], Place], width: float) -> tuple[list[Piece], list[str]]:
    """The names of marks beside them, where each finds room; or else numbers, and what these stand for. Marks in one place
    are named together."""
    places: dict[tuple[int, int], list[Mark]] = {}
    for mark in marks:
        if mark.name:
            x, y = at(mark.x, mark.y)
            places.setdefault((round(x / 8), round(y / 8)), []).append(mark)
    spots = [at(group[0].x, group[0].y) for group in places.values()]
    dots: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in (at(mark.x, mark.y) for mark in marks)]
    texts = [", ".join(one_line(mark.name) for mark in group) for group in places.values()]
    found = _fitted(spots, texts, dots, width)
    if None not in found:
        return [each for each in found if each], []
    order = {id(mark): number for number, mark in enumerate((m for group in places.values() for m in group), 1)}
    numbers = [
        "–".join(dict.fromkeys(str(order[id(mark)]) for mark in (group[0], group[-1]))) for group in places.values()
    ]
    told = [f"{order[id(mark)]}  {one_line(mark.name)}" for group in places.values() for mark in group]
    return [each for each in _fitted(spots, numbers, dots, width) if each], told


def _fitted(spots: Sequence[Place], texts: Sequence[str], dots: Sequence[Box], width: float) -> list[Text | None]:
    """A text beside each spot that is on no dot and no other text; None where there is no room."""
    taken, found = [*dots], list[Text | None]()
    for (x, y), text in zip(spots, texts, strict=True):
        wide = extent(text)
        for dx, dy in ((9, -8), (9, 17), (-9 - wide, -8), (-9 - wide, 17), (10, 4), (-10 - wide, 4), (-wide / 2, -12), (-wide / 2, 22), (9, -22), (9, 31), (9, -36), (9, 45)):  # fmt: skip
            left, base = x + dx, y + dy
            own = (left, base - 10, left + wide, base + 2)
            inside = left >= LEFT and own[2] <= width - 2 and own[1] >= TOP - 8 and own[3] <= HEIGHT - BOTTOM
            if inside and not any(_meet(own, other) for other in taken):
                taken.append(own)
                found.append(Text((left, base), text))
                break
        else:
            found.append(None)
    return found


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _laid(entries: Sequence[tuple[str, int | None]], width: float, top: float) -> tuple[list[Piece], float]:
    """A key in rows below a plot, and how high it is with it. Of a series its mark stands before the name."""
    pieces: list[Piece] = []
    across, down = 16.0, top + 6
    for name, of in entries:
        before = 0 if of is None else 14
        text = short(one_line(name), width - 32 - before)
        wide = before + extent(text) + 18
        if across > 16 and across + wide > width:
            across, down = 16.0, down + 20
        if of is not None:
            pieces.append(Dot((across + 5, down - 4), colour(of), shape(of)))
        pieces.append(Text((across + before, down), text))
        across += wide
    return pieces, down + 12 if entries else top
