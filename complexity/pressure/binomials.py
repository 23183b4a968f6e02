"""Binomial probabilities with a small relative error in either tail, for as many trials as anybody draws.
Rule: sums of positive terms only, outward from where the tail begins; nothing here is the difference of two large logarithms.

Single probabilities by Loader 2000 (Fast and accurate computation of binomial probabilities).
"""

from __future__ import annotations

import math
from functools import lru_cache

NEGLIGIBLE = 1e-17
"""The least share of a sum that is still added to it."""


def deviance(a: float, b: float) -> float:
    """a log(a / b) - a + b, of at least 0 and without cancellation where a and b are close; inf for b = 0 < a."""
    if a == 0 or b == 0:
        return b if a == 0 else math.inf
    apart = a - b
    if abs(apart) >= 0.1 * (a + b):
        ratio = a / b
        return a * (math.log(ratio) if ratio < math.inf else math.log(a) - math.log(b)) - apart
    relative = apart / (a + b)
    total, term, odd = apart * relative, 2 * a * relative, 1
    while True:
        term *= relative * relative
        odd += 2
        if (more := total + term / odd) == total:
            return total
        total = more


def mass(count: int, n: int, p: float) -> float:
    """The probability that exactly `count` of n independent trials of probability p succeed."""
    if p in (0, 1):
        return float(count == n * p)
    if count in (0, n):
        return math.exp(n * (math.log1p(-p) if count == 0 else math.log(p)))
    lost = deviance(count, n * p) + deviance(n - count, n * (1 - p))
    log = _remainder(n) - _remainder(count) - _remainder(n - count) - lost
    return math.exp(log) * math.sqrt(n / (2 * math.pi * count * (n - count)))


def at_most(count: int, n: int, p: float) -> float:
    """The probability that no more than `count` of n trials succeed."""
    if count < 0 or count >= n:
        return float(count >= n)
    if count > n * p:
        return 1 - at_least(count + 1, n, p)
    total = term = mass(count, n, p)
    while count > 0 and term > NEGLIGIBLE * total:
        term *= count * (1 - p) / ((n - count + 1) * p)
        total += term
        count -= 1
    return min(1.0, total)


def at_least(count: int, n: int, p: float) -> float:
    """The probability that `count` or more of n trials succeed."""
    if count <= 0 or count > n:
        return float(count <= 0)
    if count <= n * p:
        return 1 - at_most(count - 1, n, p)
    total = term = mass(count, n, p)
    while count < n and term > NEGLIGIBLE * total:
        term *= (n - count) * p / ((count + 1) * (1 - p))
        total += term
        count += 1
    return min(1.0, total)


def best_share(p: float, n: int, k: int) -> float:
    """E[min(k, Bin(n, p))] / k: of the best k of n draws, the expected share that lies in the upper share p of their law."""
    return min(1.0, n * p * at_most(k - 1, n - 1, p) / k + at_least(k + 1, n, p))


@lru_cache(maxsize=4096)
def _remainder(n: int) -> float:
    """log n! less Stirling's formula for it."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n
