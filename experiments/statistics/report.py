"""What a reproduction found, beside what was published."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """One figure: what was measured, its interval, and the figure it is held against.

    measured, published: numbers, or texts where the figure is none. measured is None when unknown, published where
    nothing was. low, high: the interval of `measured`. count: how many plays or questions it is of, those that were
    decided; undecided: the others, which are in no figure. holds: whether it is as published (None: nothing is claimed
    of it). note: what to know when reading it."""

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
        """The report as a table, with columns only for what some row has. width: columns to fit into: names are wrapped, and
        a row's note goes below it."""
        from textwrap import wrap

        from moot.transcripts.display.show import table

        width = width or 100
        columns = [("measured", [shown(row.measured) for row in self.rows])]
        if any(row.low is not None for row in self.rows):
            columns.append(("interval", [_interval(row) for row in self.rows]))
        if any(row.published is not None for row in self.rows):
            columns.append(("published", ["" if row.published is None else shown(row.published) for row in self.rows]))
        if any(row.count is not None for row in self.rows):
            columns.append(("of", [_of(row) for row in self.rows]))
        if any(row.holds is not None for row in self.rows):
            columns.append(("holds", ["" if row.holds is None else "yes" if row.holds else "NO" for row in self.rows]))
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
        head = [f"{self.title} ({self.source})", *([settings] if settings else []), ""]
        for note in self.notes:
            lines += wrap(note, width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join(head + lines)


def shown(value: float | int | str | None) -> str:
    """A figure as it is printed: numbers to six significant digits, whole numbers in full, "unknown" for None."""
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else value


def _interval(row: Row) -> str:
    return "" if row.low is None or row.high is None else f"{shown(row.low)} to {shown(row.high)}"


def _of(row: Row) -> str:
    count = "" if row.count is None else f"{row.count:,}"
    return f"{count} (+{row.undecided:,} undecided)" if row.undecided else count
