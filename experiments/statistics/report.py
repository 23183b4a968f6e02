"""What a reproduction found, beside what was published.
Rule: figures and their layout; nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from textwrap import wrap
from typing import Any

from pydantic import BaseModel, ConfigDict

from moot.complexity.estimates import Z95, wilson
from moot.transcripts.display.show import table


class Row(BaseModel):
    """One figure: what was measured (None when unknown), its interval, and the published figure that it is held against.
    count: how many decided plays or questions it is of; undecided: the others, which are in no figure. holds: whether it
    is as published (None: nothing is claimed of it). note: what to know when reading it."""

    model_config = ConfigDict(frozen=True)
    name: str
    measured: float | int | str | None
    low: float | None = None
    high: float | None = None
    published: float | int | str | None = None
    count: int | None = None
    undecided: int = 0
    holds: bool | None = None
    note: str = ""

    @classmethod
    def share(cls, name: str, successes: float, trials: int, z: float = Z95, **more: Any) -> Row:
        """A share of trials with Wilson's interval, unknown without trials. Where trials count for something between 0 and
        1, a share varies at most as one of noughts and ones does, so that the interval holds at least what it promises."""
        if not trials:
            return cls(name=name, measured=None, count=0, **more)
        low, high = wilson(floor(successes), trials, z)[0], wilson(ceil(successes), trials, z)[1]
        return cls(name=name, measured=successes / trials, low=low, high=high, count=trials, **more)

    @classmethod
    def equal(cls, name: str, measured: float, published: float, within: float = 0.0, **more: Any) -> Row:
        """A figure that holds where it is the published one."""
        holds = abs(measured - published) <= within
        return cls(name=name, measured=measured, published=published, holds=holds, **more)


class Report(BaseModel):
    """A reproduction: its title, what it reproduces (paper, year), its rows, and what to know about all of them.
    settings: the parameters and seeds with which anybody gets the same rows."""

    model_config = ConfigDict(frozen=True)
    title: str
    source: str
    rows: tuple[Row, ...]
    settings: dict[str, Any] = {}
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no row says otherwise than what was published."""
        return all(row.holds is not False for row in self.rows)

    def text(self, width: int | None = None) -> str:
        """The report as a table, with columns for what some row has. width: to fit into: names are wrapped, notes go below."""
        width = width or 100
        columns = [("measured", [shown(row.measured) for row in self.rows])]
        for head, has, show in _COLUMNS:
            if any(getattr(row, has) is not None for row in self.rows):
                columns.append((head, [show(row) for row in self.rows]))
        taken = sum(2 + max(len(head), *map(len, cells), 0) for head, cells in columns) if self.rows else 0
        room = max(24, width - taken)
        cells, notes = [["figure", *(head for head, _ in columns)]], dict[int, str]()
        for index, row in enumerate(self.rows):
            first, *more = wrap(row.name, room, subsequent_indent="  ", break_on_hyphens=False) or [""]
            cells.append([first, *(column[index] for _, column in columns)])
            cells += [[line, *("" for _ in columns)] for line in more]
            if row.note:
                notes[len(cells)] = row.note
        lines = table(cells)
        wide = len(lines[1])
        for place, note in sorted(notes.items(), reverse=True):
            if wide + 2 + max(map(len, notes.values())) <= width:  # all of them fit beside the table
                lines[place] = f"{lines[place]:{wide}}  {note}"
            else:
                lines[place + 1 : place + 1] = wrap(note, width, initial_indent="    ", subsequent_indent="    ")
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        begin = [f"{self.title} ({self.source})", *([settings] if settings else []), ""]
        for note in self.notes:
            lines += wrap(note, width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join(begin + lines)


def shown(value: float | int | str | None) -> str:
    """A figure as it is printed: numbers to six significant digits, whole numbers in full, "unknown" for None."""
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else value


def _of(row: Row) -> str:
    count = "" if row.count is None else f"{row.count:,}"
    return f"{count} (+{row.undecided:,} undecided)" if row.undecided else count


_COLUMNS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("interval", "low", lambda row: "" if row.low is None else f"{shown(row.low)} to {shown(row.high)}"),
    ("published", "published", lambda row: "" if row.published is None else shown(row.published)),
    ("of", "count", _of),
    ("holds", "holds", lambda row: "" if row.holds is None else "yes" if row.holds else "NO"),
)
"""The other columns, each with what a row must have for it to be there."""
