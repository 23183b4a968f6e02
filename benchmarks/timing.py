"""Fair comparisons on a noisy machine: the two sides take turns, and the best of each is what counts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: a measured ratio (or number) and the most that it may be."""

    name: str
    measured: float
    limit: float
    unit: str
    detail: str

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def best(*sides: Callable[[], object], repeats: int = 5) -> list[float]:
    """The least CPU seconds that each side took, over `repeats` turns."""
    least = [float("inf")] * len(sides)
    for _ in range(repeats):
        for index, side in enumerate(sides):
            gc.collect()
            begun = time.process_time()
            side()
            least[index] = min(least[index], time.process_time() - begun)
    return least
