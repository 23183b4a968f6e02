"""Fair comparisons on a noisy machine: the two sides take turns, and the best of each is what counts."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from statistics import median

most = sys.maxsize
"""Turns of each side at most. `compare` sets it low: it repeats whole runs."""
FEWEST = 3
"""Rounds that have a spread to speak of."""
SLIGHT = 0.01
"""A difference of so much is none, however small the spread is: bytes may be counted with no spread at all."""


@dataclass(frozen=True)
class Row:
    """One line of the table: a measured ratio (or number), of which less is better, and the most that it may be. The name is
    of this row alone and the same in every run."""

    name: str
    measured: float
    limit: float
    unit: str
    detail: str

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def best(*sides: Callable[[], object], repeats: int = 5) -> list[float]:
    """The least CPU seconds that each side took, over so many turns, or `most`."""
    least = [float("inf")] * len(sides)
    for _ in range(min(repeats, most)):
        for index, side in enumerate(sides):
            gc.collect()
            begun = time.process_time()
            side()
            least[index] = min(least[index], time.process_time() - begun)
    return least


@dataclass
class Pairs:
    """What a row measured in each round. verdict: worse or better where the median of the ratios new/base is further from 1
    than the highest ratio is from the lowest, and than SLIGHT."""

    unit: str
    base: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)

    @property
    def spread(self) -> tuple[float, float, float]:
        """The lowest ratio, their median, and the highest."""
        ratios = list(map(ratio, self.base, self.new))
        return min(ratios), median(ratios), max(ratios)

    @property
    def verdict(self) -> str:
        low, middle, high = self.spread
        if abs(middle - 1) <= max(high - low, SLIGHT):  # never, where all are infinite: inf - inf is no number
            return "within its spread"
        if len(self.new) < FEWEST:
            return "too few rounds to tell"
        return "worse beyond its spread" if middle > 1 else "better beyond its spread"


def ratio(base: float, new: float) -> float:
    """new/base. Below 0 is only the noise of a difference, and counts as 0; nothing against nothing is 1."""
    base, new = max(base, 0.0), max(new, 0.0)
    return 1.0 if base == new else new / base if base else inf
