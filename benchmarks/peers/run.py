"""moot beside other frameworks, as a table: make bench-peers (python -m benchmarks.peers.run [PEER …] in its environment)

CPU time of equal work, side by side in turn; each ratio is moot's share, so less is better.
"""

from __future__ import annotations

import platform
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

PEERS = {
    "inspect": ("inspect_ai", "benchmarks.peers.inspect_debate"),
    "pettingzoo": ("pettingzoo", "benchmarks.peers.pettingzoo_debate"),
    "openspiel": ("pyspiel", "benchmarks.peers.openspiel_tqbf"),
}


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(PEERS):
        print(f"no peer is called {sorted(unknown)[0]!r}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 170)
    python = platform.python_version()
    table = Table("what", "moot ÷ peer", "lowest to highest", "at most", "", "how", title=f"moot on Python {python}")
    missed = 0
    for peer in wanted or PEERS:
        package, benchmark = PEERS[peer]
        console.print(f"[dim]{peer} …[/dim]")
        try:
            import_module(package)
        except ImportError as error:
            table.add_row(peer, "", "", "", "[yellow]left out[/yellow]", f"not installed for Python {python}: {error}")
            continue
        for row in import_module(benchmark).rows():
            missed += not row.holds
            mark = "[green]holds[/green]" if row.holds else "[red]missed[/red]"
            low, high = row.spread
            table.add_row(
                row.name, f"{row.measured:.3f}", f"{low:.3f} to {high:.3f}", f"{row.limit:.3g}", mark, row.detail
            )
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
