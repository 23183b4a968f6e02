"""Every benchmark, as a table of ratios measured in this run: python -m benchmarks.run [--markdown] [FAMILY …]"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.timing import Row

FAMILIES = (
    "startup",
    "offline",
    "replaying",
    "importing",
    "files.trees",
    "solving",
    "amplifying",
    "dag",
    "doubly",
    "training",
    "mnist",
    "files.sets",
    "studies.cells",
    "pages",
    "calls",
    "files.record",
    "studies.cluster",
)


def main(wanted: list[str]) -> int:
    page = "--markdown" in wanted
    wanted = [each for each in wanted if each != "--markdown"]
    unknown = set(wanted) - set(FAMILIES)
    if unknown:
        print(f"no benchmark is called {sorted(unknown)[0]!r}; there are {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 150, stderr=page)
    found: list[Row] = []
    if page:
        print("\n".join(HEAD), flush=True)
    for family in wanted or FAMILIES:
        console.print(f"[dim]{family} …[/dim]")
        for row in import_module(f"benchmarks.{family}").rows():
            found.append(row)
            if page:
                print(markdown(row), flush=True)
    if not page:
        console.print(drawn(found))
    return 0 if all(row.holds for row in found) else 1


def drawn(rows: Sequence[Row]) -> Table:
    """The table of a terminal."""
    title = f"moot on Python {platform.python_version()}"
    table = Table("what", "measured", "lowest to highest", "goal: at most", "", "how", title=title)
    for row in rows:
        mark = "[green]holds[/green]" if row.holds else "[red]missed[/red]"
        measured, goal = f"{row.measured:.2f} {row.unit}", f"{row.limit:g} {row.unit}"
        table.add_row(escape(row.name), measured, row.spread, goal, mark, escape(row.detail))
    return table


HEAD = ("| what | measured | lowest to highest | goal: at most | how |", "|---|---|---|---|---|")


def markdown(row: Row) -> str:
    """A row as a line of Markdown; what misses its goal is bold."""
    measured = f"{row.measured:.2f} {row.unit}"
    shown = measured if row.holds else f"**{measured}**"
    return f"| {row.name} | {shown} | {row.spread} | {row.limit:g} {row.unit} | {row.detail} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
