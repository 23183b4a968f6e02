"""Binomial numbers: drawn exactly from a stream of uniform ones, and their probabilities.
Rule: numbers from a given stream, and probabilities; what is counted by them is not known here."""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from random import Random

from moot.protocols.engine.errors import UsageError

MOST = 10**12
"""The most trials: beyond it logarithms of factorials are too coarse to draw by."""
INVERTED = 10.0
"""Up to this mean one number is drawn by inversion; above it by rejection."""


def binomial(random: Random, n: int, p: float) -> int:
    """How many of n independent trials of probability p succeed, drawn with `random`. By inversion where n min(p, 1 -
    p) is small, otherwise by transformed rejection with squeeze, BTRS (Hörmann 1993, The generation of binomial random
    variates), in constant time. UsageError unless n is 0 to MOST and p lies in [0, 1]."""
    return _drawer(n, p)(random.random)


@lru_cache(maxsize=4096)
def _drawer(n: int, p: float) -> Callable[[Callable[[], float]], int]:
    """Draws from Bin(n, p), its constants worked out once."""
    _check(n, p)
    if n == 0 or p in (0.0, 1.0):
        return lambda uniform: n if p == 1.0 else 0
    small = min(p, 1 - p)
    draw = _inversion(n, small) if n * small < INVERTED else _rejection(n, small)
    return draw if small == p else lambda uniform: n - draw(uniform)


def _inversion(n: int, p: float) -> Callable[[Callable[[], float]], int]:
    odds, none = p / (1 - p), (1 - p) ** n

    def draw(uniform: Callable[[], float]) -> int:
        while True:
            left, mass = uniform(), none
            for count in range(n + 1):
                if left < mass:
                    return count
                left -= mass
                mass *= odds * (n - count) / (count + 1)
            # Rounding left a sliver of the unit interval over: draw again.

    return draw


def _rejection(n: int, p: float) -> Callable[[Callable[[], float]], int]:
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    inside = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    log_odds, mode = math.log(p / (1 - p)), math.floor((n + 1) * p)
    height = math.lgamma(mode + 1) + math.lgamma(n - mode + 1)
    floor, log, lgamma = math.floor, math.log, math.lgamma

    def draw(uniform: Callable[[], float]) -> int:
        while True:
            v = uniform()
            u = uniform() - 0.5
            near = 0.5 - abs(u)
            if near <= 0:
                continue
            count = floor((2 * a / near + b) * u + centre)
            if near >= 0.07 and v <= inside:
                return count
            if v == 0 or not 0 <= count <= n:
                continue
            bound = height - lgamma(count + 1) - lgamma(n - count + 1) + (count - mode) * log_odds
            if log(v * alpha / (a / (near * near) + b)) <= bound:
                return count

    return draw


class Distribution:
    """The probabilities of Bin(n, p) where they are not negligible (within 12 standard deviations, and 40, of the
    mean). low: the least count that is held; mass[i]: the probability of low + i. What is left out is below 1e-20."""

    def __init__(self, n: int, p: float) -> None:
        reach = 12 * math.sqrt(n * p * (1 - p)) + 40
        self.n, self.p = n, p
        self.low = max(0, math.floor(n * p - reach))
        high = min(n, math.ceil(n * p + reach))
        mass = [_mass(n, count, p) for count in range(self.low, high + 1)]
        total = math.fsum(mass)  # 1 but for the rounding of logarithms of large factorials
        self.mass = [each / total for each in mass]
        self._below = [0.0, *accumulate(self.mass)]

    def between(self, low: float, high: float) -> float:
        """The probability that low < count < high."""
        first = min(max(math.floor(low) + 1 - self.low, 0), len(self.mass))
        last = min(max(math.ceil(high) - self.low, first), len(self.mass))
        return min(1.0, self._below[last] - self._below[first])


@lru_cache(maxsize=512)
def distribution(n: int, p: float) -> Distribution:
    """The distribution of Bin(n, p). UsageError as in `binomial`."""
    _check(n, p)
    return Distribution(n, p)


def _check(n: int, p: float) -> None:
    if not (0 <= n <= MOST and 0 <= p <= 1):
        raise UsageError(f"binomial: {n} trials of probability {p}; give n from 0 to {MOST} and p in [0, 1]")


def near(n: int, p: float, claim: float, within: float) -> float:
    """The probability that the mean of n trials of probability p lies nearer than `within` to `claim`."""
    return distribution(n, p).between((claim - within) * n, (claim + within) * n)


def _mass(n: int, count: int, p: float) -> float:
    if p in (0.0, 1.0):
        return float(count == (n if p else 0))
    log = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    return math.exp(log + count * math.log(p) + (n - count) * math.log1p(-p))
