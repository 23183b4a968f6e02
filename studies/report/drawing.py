"""Drawings as plain shapes: lines, boxes, dots and texts, which `svg.py` and `pdf.py` write down.
Rule: no figure is known here; lengths are in points, y goes down, and every text is on one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from unicodedata import east_asian_width

INK, FAINT, PALE = "#222222", "#767676", "#e4e4e4"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by readers who are colour-blind: Okabe and Ito 2008, Color Universal Design (jfly.uni-koeln.de/color)."""

Shape = Literal["circle", "square", "diamond", "triangle"]
SHAPES: tuple[Shape, ...] = ("circle", "square", "diamond", "triangle")
Anchor = Literal["start", "middle", "end"]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through places. filled: the area that it encloses, in the same colour, and no line."""

    places: tuple[Place, ...]
    colour: str = INK
    width: float = 1.0
    dashed: bool = False
    filled: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark around a place. tip: what is told of it."""

    at: Place
    colour: str
    shape: Shape = "circle"
    tip: str = ""

    def outline(self) -> tuple[Place, ...]:
        """The corners of a dot that is no circle."""
        (x, y), r = self.at, 5.0
        if self.shape == "square":
            return (x - 4.4, y - 4.4), (x + 4.4, y - 4.4), (x + 4.4, y + 4.4), (x - 4.4, y + 4.4)
        if self.shape == "diamond":
            return (x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)
        return (x, y - r - 0.5), (x + r + 0.5, y + r - 0.5), (x - r - 0.5, y + r - 0.5)


@dataclass(frozen=True, slots=True)
class Text:
    """A text whose base line is at a place. turned: read from below upwards."""

    at: Place
    text: str
    anchor: Anchor = "start"
    colour: str = INK
    size: float = 12.0
    turned: bool = False


Piece = Line | Dot | Text


@dataclass(frozen=True, slots=True)
class Drawing:
    """title: what it shows, for who cannot see it."""

    title: str
    width: float
    height: float
    pieces: tuple[Piece, ...]


def beside(title: str, drawings: Sequence[Drawing]) -> Drawing:
    """Several drawings as one, from left to right."""
    pieces: list[Piece] = []
    across = 0.0
    for each in drawings:
        pieces += (_moved(piece, across) for piece in each.pieces)
        across += each.width
    return Drawing(title, across, max(each.height for each in drawings), tuple(pieces))


def _moved(piece: Piece, across: float) -> Piece:
    if isinstance(piece, Line):
        return replace(piece, places=tuple((x + across, y) for x, y in piece.places))
    return replace(piece, at=(piece.at[0] + across, piece.at[1]))


def box(x: float, y: float, width: float, height: float, colour: str) -> Line:
    """A filled rectangle."""
    return Line(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), colour, filled=True)


def extent(text: str, size: float = 12.0) -> float:
    """About how long a text is, rather too much than too little: no font is asked."""
    return size * sum(1.0 if east_asian_width(each) in "WF" or each in "mwMW@%—…" else 0.58 for each in text)


def short(text: str, room: float, size: float = 12.0) -> str:
    """As much of a text as there is room for."""
    if extent(text, size) <= room:
        return text
    while text and extent(text + "…", size) > room:
        text = text[:-1]
    return text + "…"
