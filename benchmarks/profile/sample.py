"""Where a benchmark's time goes, by sampling: python -m benchmarks.profile.sample FAMILY [MOST]

Rule: it interrupts the rows of one family every few milliseconds and counts which function runs. Unlike cProfile it does
not make small functions look dearer than they are. A function in C is counted for the Python function that called it, or for
the next one that is entered.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from benchmarks.run import FAMILIES

EVERY = 0.003  # seconds


class Samples:
    """Counts of the functions that ran when the timer struck: at the top of the stack, and anywhere on it."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.cumulative: Counter[str] = Counter()
        self.count = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        stack = []
        while frame is not None and frame.f_code is not main.__code__:
            stack.append(f"{Path(frame.f_code.co_filename).name}: {frame.f_code.co_qualname}")
            frame = frame.f_back
        self.own.update(stack[:1])
        self.cumulative.update(set(stack))


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in FAMILIES:
        print(f"python -m benchmarks.profile.sample FAMILY [MOST]; families are {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    most = int(arguments[1]) if len(arguments) > 1 else 30
    samples = Samples()
    signal.signal(signal.SIGALRM, samples)
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    rows = list(import_module(f"benchmarks.{arguments[0]}").rows())
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # one more may be on its way
    console = Console(width=140)
    for row in rows:
        console.print(f"{row.name}: {row.measured:.2f} {row.unit}, {row.detail}", markup=False, soft_wrap=True)
    for title, counts in (("by itself", samples.own), ("with what it calls", samples.cumulative)):
        table = Table("share", "function", title=f"{title}, of {samples.count} samples")
        for name, found in counts.most_common(most):
            table.add_row(f"{found / samples.count:.1%}", name)
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
