"""Every benchmark, as a table of ratios measured in this run: python -m benchmarks.run [FAMILY …]"""

from __future__ import annotations

import platform
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

FAMILIES = (
    "startup",
    "offline",
    "replaying",
    "importing",
    "solving",
    "amplifying",
    "dag",
    "doubly",
    "training",
    "mnist",
    "studies.cells",
    "calls",
    "studies.cluster",
)


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(FAMILIES)
    if unknown:
        print(f"no benchmark is called {sorted(unknown)[0]!r}; there are {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table("what", "measured", "at most", "", "how", title=f"moot on Python {platform.python_version()}")
    missed = 0
    for family in wanted or FAMILIES:
        console.print(f"[dim]{family} …[/dim]")
        for row in import_module(f"benchmarks.{family}").rows():
            missed += not row.holds
            mark = "[green]holds[/green]" if row.holds else "[red]missed[/red]"
            table.add_row(row.name, f"{row.measured:.2f} {row.unit}", f"{row.limit:g} {row.unit}", mark, row.detail)
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
