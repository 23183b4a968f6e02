"""A drawing as PDF, by matplotlib, whose fonts and encodings are its own (the extra `plot`).
Rule: the same bytes for the same drawing and version of matplotlib; texts are texts, never formulas."""

from __future__ import annotations

import io
import warnings
from typing import Any

from moot.protocols.text import one_line
from moot.studies.report.drawing import Drawing, Line, Piece, Text
from moot.tasks.extras import needed

_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def pdf(drawing: Drawing) -> bytes:
    """A file of one page, as large as the drawing. UsageError without matplotlib."""
    figures = needed("figures as PDF need", "matplotlib.figure", "plot")
    from matplotlib import rc_context

    with rc_context({"pdf.fonttype": 42, "font.family": ["DejaVu Sans"]}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of characters that the font has not
        figure = figures.Figure(figsize=(drawing.width / 72, drawing.height / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
        axes.axis("off")
        for order, piece in enumerate(drawing.pieces):
            _put(axes, piece, order)
        made = io.BytesIO()
        # No date: https://matplotlib.org/stable/api/backend_pdf_api.html, PdfFile, infoDict
        figure.savefig(made, format="pdf", metadata={"Title": one_line(drawing.title), "CreationDate": None})
    return made.getvalue()


def _put(axes: Any, piece: Piece, order: int) -> None:
    if isinstance(piece, Line):
        x, y = zip(*piece.places, strict=True)
        if piece.filled:
            axes.fill(x, y, color=piece.colour, linewidth=0, zorder=order)
        else:
            style, alpha = "--" if piece.dashed else "-", 0.3 if piece.faint else None
            axes.plot(x, y, style, color=piece.colour, linewidth=piece.width, alpha=alpha, zorder=order)
    elif isinstance(piece, Text):
        axes.text(
            *piece.at, one_line(piece.text), ha=_ANCHORS[piece.anchor], va="baseline", color=piece.colour, zorder=order,
            fontsize=piece.size * 0.88, rotation=90 if piece.turned else 0, rotation_mode="anchor", parse_math=False,
        )  # fmt: skip
    elif piece.shape == "circle":
        axes.plot(*piece.at, "o", color=piece.colour, markersize=10, markeredgewidth=0, zorder=order)
    else:
        axes.fill(*zip(*piece.outline(), strict=True), color=piece.colour, linewidth=0, zorder=order)
