"""How a count grows with n: a fitted polynomial degree or exponential rate, with an interval. Evidence, and no proof.
Rule: numbers in, a fit out; no play and no protocol."""

import math
from collections.abc import Callable, Sequence
from statistics import linear_regression, pstdev
from typing import Literal

from pydantic import BaseModel, ConfigDict

from moot.protocols.engine.errors import UsageError

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
        2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)  # fmt: skip
"""Two-sided 95 % quantiles of Student's t with 1, 2, … 30 degrees of freedom."""


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
