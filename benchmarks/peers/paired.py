"""Two sides that do the same work in turn, and the ratio of what they took in each pair: its median, lowest and highest."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

PAIRS = 7


@dataclass(frozen=True)
class Paired:
    """A line of the table: moot's share of what the peer takes, pair by pair, of which less is better; at most `limit`."""

    name: str
    ratios: tuple[float, ...]
    limit: float
    detail: str

    @property
    def measured(self) -> float:
        return median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.ratios), max(self.ratios)

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def paired(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    limit: float,
    detail: Callable[[float, float], str],
) -> Paired:
    """Run both sides in turn, PAIRS times, and compare their CPU seconds. detail: in words, from the median of each side."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(PAIRS):
        for side, seconds in zip((ours, theirs), taken, strict=True):
            gc.collect()
            begun = time.process_time()
            side()
            seconds.append(time.process_time() - begun)
    ratios = tuple(mine / other for mine, other in zip(*taken, strict=True))
    return Paired(name, ratios, limit, detail(median(taken[0]), median(taken[1])))
