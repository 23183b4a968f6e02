"""Pictures of reproductions: an empty one, and a file of it.
Rule: what several reproductions draw with; what is drawn is in theirs. Needs matplotlib (the extra `plot`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import needed

DARK, MIDDLE, LIGHT, RULE = "#1b3a5c", "#d95f02", "#7fa8c9", "0.55"
"""Colours of lines that differ in grey as well, and of what they are held against."""


def panels(titles: tuple[str, ...], width: float = 13.0, height: float = 4.3) -> tuple[Any, tuple[Any, ...]]:
    """A figure, and its axes side by side, one for each title. UsageError without matplotlib."""
    figure = needed("a picture needs", "matplotlib.figure", "plot").Figure(
        figsize=(width, height), layout="constrained"
    )
    needed("a picture needs", "matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    found = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, title in zip(found, titles, strict=True):
        axes.set_title(title, fontsize=10.5, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, tuple(found)


def written(figure: Any, folder: Path | str, name: str) -> str:
    """Write a figure as a PNG into a folder, which is made where there is none, and return the note that says where. UsageError where
    it cannot be written."""
    path = Path(folder) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise UsageError(f"{path}: the picture cannot be written: {error.strerror or error}") from None
    return f"picture: {path}"
