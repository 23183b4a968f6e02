"""Fair comparisons on a noisy machine: the sides take turns, and what counts is the median of the pairs, with their spread."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median

most = sys.maxsize
"""Turns of each side at most. `compare` sets it low: it repeats whole runs."""
FEWEST = 3
"""Rounds that have a spread to speak of."""
SLIGHT = 0.01
"""A difference of so much is none, however small the spread is: bytes may be counted with no spread at all."""


class Turns(float):
    """The least of the seconds that a side took, over its turns. Divided by those of the other side it is a `Ratio`."""

    def __new__(cls, seconds: Sequence[float]) -> Turns:
        made = super().__new__(cls, min(seconds))
        made.seconds = tuple(seconds)
        return made

    seconds: tuple[float, ...]

    def __truediv__(self, other: float) -> float:
        if not isinstance(other, Turns) or not len(other.seconds) == len(self.seconds) >= FEWEST:
            return float(self) / float(other)  # no pairs, or so few that one which was cold would count for half
        return Ratio([mine / its for mine, its in zip(self.seconds, other.seconds, strict=True)])


class Ratio(float):
    """The median of the ratios of paired turns. low, high: the least and the greatest of them."""

    def __new__(cls, pairs: Sequence[float]) -> Ratio:
        made = super().__new__(cls, median(pairs))
        made.low, made.high = min(pairs), max(pairs)
        return made

    low: float
    high: float

    def __truediv__(self, other: float) -> Ratio:
        return Ratio([self.low / other, float(self) / other, self.high / other])


@dataclass(frozen=True)
class Row:
    """One line of the table: a measured ratio (or number), of which less is better, and the most that it may be: its goal. The
    name is of this row alone and the same in every run."""

    name: str
    measured: float
    limit: float
    unit: str
    detail: str

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit

    @property
    def spread(self) -> str:
        """The least and the greatest of the pairs that a ratio is the median of."""
        return f"{self.measured.low:.2f} to {self.measured.high:.2f}" if isinstance(self.measured, Ratio) else ""


def best(*sides: Callable[[], object], repeats: int = 5) -> list[Turns]:
    """The CPU seconds that each side took, over so many turns, or `most`."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(min(repeats, most)):
        for side, seconds in zip(sides, taken, strict=True):
            gc.collect()
            begun = time.process_time()
            side()
            seconds.append(time.process_time() - begun)
    return [Turns(seconds) for seconds in taken]


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
