"""How long `import moot` and `moot --help` take, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.timing import Row


def _milliseconds(*arguments: str, repeats: int = 7) -> float:
    least = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        least = min(least, time.perf_counter() - begun)
    return least * 1000


def rows() -> Iterator[Row]:
    empty = _milliseconds("-c", "pass")
    detail = f"an empty Python process takes {empty:.0f} ms of it"
    yield Row("import moot", _milliseconds("-c", "import moot"), 250, "ms", detail)
    yield Row("moot --help", _milliseconds("-m", "moot", "--help"), 600, "ms", detail)
