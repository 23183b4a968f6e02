"""Means, and intervals of a share that was measured.
Rule: closed formulas of counts and numbers; what needs resampling is in `experiments/statistics`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from moot.protocols.engine.errors import UsageError

Z95 = 1.959963984540054
"""How many standard errors an interval of 95 % reaches to either side."""


def wilson(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a probability (Wilson 1927), 95 % by default. UsageError without trials."""
    if trials < 1 or not 0 <= successes <= trials:
        raise UsageError(f"a Wilson interval needs trials, and 0 to that many successes; not {successes} of {trials}")
    share, squared = successes / trials, z * z
    middle = (share + squared / (2 * trials)) / (1 + squared / trials)
    half = z / (1 + squared / trials) * math.sqrt(share * (1 - share) / trials + squared / (4 * trials * trials))
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None
