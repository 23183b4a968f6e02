"""A drawing as SVG.
Rule: one element, the same text for the same drawing; every text is escaped, and nothing in it acts or is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from moot.protocols.text import one_line
from moot.studies.report.drawing import Dot, Drawing, Line, Piece, Place


def svg(drawing: Drawing) -> str:
    """The element, on a white ground, so that it can be read wherever it is shown."""
    width, height = _number(drawing.width), _number(drawing.height)
    parts = "".join(_element(piece) for piece in drawing.pieces)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12"><title>{_clean(drawing.title)}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{parts}</svg>'
    )


def _element(piece: Piece) -> str:
    if isinstance(piece, Line):
        if piece.filled:
            return f'<polygon points="{_points(piece.places)}" fill="{piece.colour}"/>'
        more = ' stroke-dasharray="5 4"' if piece.dashed else ""
        more += ' stroke-opacity="0.3"' if piece.faint else ""
        wide = f' stroke-width="{_number(piece.width)}"'
        return f'<polyline points="{_points(piece.places)}" fill="none" stroke="{piece.colour}"{wide}{more}/>'
    x, y = map(_number, piece.at)
    if isinstance(piece, Dot):
        tip = f"<title>{_clean(piece.tip)}</title>" if piece.tip else ""
        if piece.shape == "circle":
            return f'<circle cx="{x}" cy="{y}" r="5" fill="{piece.colour}">{tip}</circle>'
        return f'<polygon points="{_points(piece.outline())}" fill="{piece.colour}">{tip}</polygon>'
    turn = f' transform="rotate(-90 {x} {y})"' if piece.turned else ""
    size = "" if piece.size == 12 else f' font-size="{_number(piece.size)}"'
    return f'<text x="{x}" y="{y}" text-anchor="{piece.anchor}" fill="{piece.colour}"{size}{turn}>{_clean(piece.text)}</text>'


def _points(places: Iterable[Place]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in places)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _clean(text: str) -> str:
    return escape(one_line(text))
