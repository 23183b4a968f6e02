"""Estimates from counts, with intervals: a share, a mean, and how a count grows with n. Evidence, and no proof.
Rule: closed formulas, numbers in and numbers out; what needs resampling is in `experiments/statistics`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import linear_regression, pstdev, stdev
from typing import Literal

from pydantic import BaseModel, ConfigDict

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


_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
        2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)  # fmt: skip
"""Two-sided 95 % quantiles of Student's t with 1, 2, … 30 degrees of freedom."""


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean of independent values, and its 95 % interval by Student's t, which takes them for normal: mean, low, high. UsageError with
    fewer than two."""
    if len(values) < 2:
        raise UsageError(f"an interval of a mean needs two values or more; there are {len(values)}")
    middle = math.fsum(values) / len(values)
    half = _T95[min(len(values) - 1, len(_T95)) - 1] * stdev(values, middle) / math.sqrt(len(values))
    return middle, middle - half, middle + half


class Growth(BaseModel):
    """A fit of counts against n by least squares on logarithms: "polynomial", count ≈ c · n^rate, or "exponential", count ≈
    c · rate^n. low, high: the 95 % interval of the rate under the fit's own model, which small n may well break. residual:
    the standard deviation left, in natural logarithms."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["polynomial", "exponential"]
    rate: float
    low: float
    high: float
    residual: float
    points: int

    def __str__(self) -> str:
        if self.kind == "polynomial":
            return f"n^{self.rate:.2f} [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.rate:.3f}^n [{self.low:.3f}, {self.high:.3f}]"


def polynomial_growth(sizes: Sequence[int], counts: Sequence[int | float]) -> Growth:
    """The degree k of counts ≈ c · n^k. Raises UsageError with fewer than 3 sizes, or counts or sizes below 1."""
    rate, half, residual = _line(math.log, sizes, counts)
    return Growth(kind="polynomial", rate=rate, low=rate - half, high=rate + half, residual=residual, points=len(sizes))


def exponential_growth(sizes: Sequence[int], counts: Sequence[int | float]) -> Growth:
    """The rate r of counts ≈ c · r^n. Raises like `polynomial_growth`."""
    slope, half, residual = _line(float, sizes, counts)
    # Infinite where no float is that large.
    low, rate, high = (math.exp(x) if x < 709 else math.inf for x in (slope - half, slope, slope + half))
    return Growth(kind="exponential", rate=rate, low=low, high=high, residual=residual, points=len(sizes))


def growth(sizes: Sequence[int], counts: Sequence[int | float]) -> Growth:
    """The better of the two fits."""
    fits = polynomial_growth(sizes, counts), exponential_growth(sizes, counts)
    return min(fits, key=lambda fit: fit.residual)


def _line(scale: Callable[[float], float], sizes: Sequence[int], counts: Sequence[float]) -> tuple[float, float, float]:
    """Slope of the logarithms, half of its 95 % interval, and the standard deviation of what is left."""
    if len(sizes) != len(counts) or len(set(sizes)) < 3:
        raise UsageError(f"a fit needs counts at three sizes or more; there are {len(counts)} at {sorted(set(sizes))}")
    if not all(1 <= number < math.inf for number in (*sizes, *counts)):
        raise UsageError("a fit on logarithms needs sizes and counts of at least 1, none of them infinite")
    xs, ys, free = [*map(scale, sizes)], [*map(math.log, counts)], len(sizes) - 2
    slope, intercept = linear_regression(xs, ys)
    left = math.fsum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    residual = math.sqrt(left / free)
    quantile = _T95[min(free, len(_T95)) - 1]  # beyond 30 degrees a little too wide, and never too narrow
    return slope, quantile * residual / (pstdev(xs) * math.sqrt(len(xs))), residual
