"""What a second worker gains, of processes and of a Ray cluster of this machine, and what handing a cell to a worker costs.

python -m benchmarks.studies.cluster
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import moot
from benchmarks.timing import Row

CELLS, SECONDS = 160, 0.05


class Busy:
    """Takes so many seconds of a processor for a move."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def act(self, request: moot.Request) -> moot.Move:
        until = time.process_time() + self.seconds
        while time.process_time() < until:
            pass
        return moot.Verdict(probabilities=(0.7, 0.3))


def study(count: int, seconds: float) -> Any:
    questions = [moot.Question(f"Who is {i}?", ("yes", "no")) for i in range(count)]
    return moot.Study("busy", questions, protocols={"qa": moot.DirectQA()}, seats={"judge": Busy(seconds)})


def taken(count: int, seconds: float, **given: Any) -> float:
    """Seconds that the second half of the plays took, by when their files were written: by then all workers have started."""
    with tempfile.TemporaryDirectory() as folder:
        made = study(count, seconds)
        made.run(folder, **given)
        ends = sorted(os.stat(path).st_mtime for path in Path(folder).glob("cells/*/*.jsonl"))
        return ends[-1] - ends[len(ends) // 2]


def rows() -> Iterator[Row]:
    here = min(taken(300, 0.0) for _ in range(3))
    there = min(taken(300, 0.0, executor="processes", workers=1) for _ in range(3))
    detail = f"of 300 cells that take no time: {2000 * here / 300:.2f} ms each here, {2000 * there / 300:.2f} ms with one worker"
    yield Row("cluster: a cell that a worker plays", there / here, 3.0, "x", detail)
    for executor in ("processes", "ray"):
        if executor == "ray" and find_spec("ray") is None:
            print("cluster: ray was not measured: it is not installed (moot[ray])", file=sys.stderr)
            continue
        one, two = (
            min(taken(CELLS, SECONDS, executor=executor, workers=count) for _ in range(1 if executor == "ray" else 2))
            for count in (1, 2)
        )
        detail = f"half of {CELLS} cells of {SECONDS} s: {one:.2f} s with one worker, {two:.2f} s with two: {one / two:.2f} times as fast"
        yield Row(f"cluster: {executor}, 2 workers for 1", two / one, 0.75, "x", detail)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.measured:.2f} {row.unit} (at most {row.limit:g}); {row.detail}")
