"""How long `import moot` and `moot --help` take over bare Python, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from benchmarks.timing import Row

RUNS = {"bare": ("-c", "pass"), "import": ("-c", "import moot"), "help": ("-m", "moot", "--help")}


def _milliseconds(arguments: tuple[str, ...]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def rows() -> Iterator[Row]:
    """Medians of nine runs of each, one after the other in turn, so that what else the machine does falls on all alike."""
    taken: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(9):
        for name, arguments in RUNS.items():
            taken[name].append(_milliseconds(arguments))
    bare, imported, helped = (median(taken[name]) for name in RUNS)
    yield Row("import moot, over bare Python", imported - bare, 40, "ms", f"bare Python takes {bare:.0f} ms")
    yield Row("moot --help", helped, 200, "ms", f"{helped - bare:.0f} ms over bare Python")
