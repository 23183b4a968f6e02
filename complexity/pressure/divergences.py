"""How far one policy is from another, and what an event's probability can then come to at worst.
Rule: closed forms, as exact as a float is, and the inverse of one by bisection, which is rounded up and never down.

The binary-KL inverse is the data-processing inequality turned round, and is attained by `policies.tilt`; the bounds of selections
from n draws are by majorization (docs/pressure.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from moot.complexity.pressure.binomials import deviance
from moot.complexity.pressure.policies import policy, quantilized_density
from moot.protocols.engine.errors import UsageError

T = TypeVar("T", bound=Hashable)
_LARGEST = 1e308


def kl(of: Mapping[T, float], base: Mapping[T, float]) -> float:
    """The Kullback-Leibler divergence of a finite policy from a base, in nats; inf where the base rules out what it may do.
    Raises UsageError where either is no distribution."""
    of, base = policy(of), policy(base)
    # Each outcome's term is at least 0, so that policies which hardly differ are not told apart by rounding alone.
    return math.fsum(deviance(of.get(outcome, 0.0), base.get(outcome, 0.0)) for outcome in of | base)


def greatest_ratio(of: Mapping[T, float], base: Mapping[T, float]) -> float:
    """The most by which a policy makes an outcome more probable than its base; inf where the base rules it out. Raises
    UsageError where either is no distribution."""
    of, base = policy(of), policy(base)
    return max(share / base[outcome] if base.get(outcome) else math.inf for outcome, share in of.items() if share > 0)


def binary_kl(q: float, p: float) -> float:
    """The KL divergence, in nats, of a coin that falls with probability q from one of probability p. Raises UsageError
    unless both lie in [0, 1]."""
    if not (0 <= q <= 1 and 0 <= p <= 1):
        raise UsageError(f"coins of probability {q!r} and {p!r}: give both in [0, 1]")
    return deviance(q, p) + deviance(1 - q, 1 - p)


def kl_inverse(p: float, budget: float) -> float:
    """The most that an event of probability p can have under any policy within so many nats of KL from the base; rounded up. Raises
    UsageError for a p outside [0, 1], or a budget below 0."""
    if not 0 <= p <= 1 or not budget >= 0:
        raise UsageError(
            f"an event of probability {p!r} within {budget!r} nats: give p in [0, 1] and a KL of at least 0"
        )
    if p in (0, 1):
        return p if budget < math.inf or p else 1.0
    if budget >= -math.log(p):
        return 1.0
    low, high = p, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        if binary_kl(middle, p) <= budget:
            low = middle
        else:
            high = middle
    return min(1.0, high * (1 + 1e-12))


def any_of(p: float, draws: float) -> float:
    """How probably at least one of so many independent draws lies in an event of probability p: 1 - (1 - p)^draws. What any rule that
    picks one of them can make of the event is at most this. Raises UsageError for a p outside [0, 1], or draws below 0."""
    if not 0 <= p <= 1 or not draws >= 0:
        raise UsageError(f"{draws!r} draws and an event of probability {p!r}: give p in [0, 1] and at least 0 draws")
    if p in (0, 1) or draws == 0:
        return float(p if draws else 0)
    # More draws than a float counts are taken for more than any number.
    return -math.expm1((draws if draws < _LARGEST else math.inf) * math.log1p(-p))


def selection_kl(draws: int, ratio: float | None = None) -> float:
    """The most nats of KL from the base of whatever rule picks one of n independent draws, log n - (n - 1) / n, which the
    best of n attains on a base without atoms (Beirami et al. 2024, arXiv 2401.01879). ratio: where no outcome becomes more
    probable than so many times, log ratio, if that is less. Raises UsageError where either is below 1."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise UsageError(f"a selection from {draws!r} draws; give a whole number of at least 1")
    if ratio is not None and not ratio >= 1:
        raise UsageError(
            f"a greatest ratio of {ratio!r}: two policies cannot differ and both stay below 1; give at least 1"
        )
    most = math.log(draws) - (draws - 1) / draws
    return most if ratio is None else min(most, math.log(ratio))


def quantilized_kl(n: int, k: int) -> float:
    """The KL, in nats and to 1e-9, of one of the best k of n draws, each as probably, from a base without atoms. With atoms it is
    no more than that. For k = 1 it is `selection_kl(n)`, and always at most log(n / k). Raises UsageError unless 1 <= k <= n."""

    def term(above: float) -> float:
        ratio = quantilized_density(n, k, above)
        return ratio * math.log(ratio) if ratio > 0 else 0.0

    # The density falls from n / k to nothing about there.
    return max(0.0, _integral(term, 0, k / n) + (_integral(term, k / n, 1) if k < n else 0.0))


def _integral(of: Callable[[float], float], low: float, high: float) -> float:
    """By Simpson's rule, halved until halving changes nothing."""

    def simpson(low: float, high: float, left: float, centre: float, right: float) -> float:
        return (high - low) / 6 * (left + 4 * centre + right)

    def refined(low: float, high: float, left: float, centre: float, right: float, whole: float, depth: int) -> float:
        middle = (low + high) / 2
        first, second = of((low + middle) / 2), of((middle + high) / 2)
        halves = simpson(low, middle, left, first, centre), simpson(middle, high, centre, second, right)
        if depth == 0 or (depth < 36 and abs(sum(halves) - whole) < 1e-11):
            return sum(halves) + (sum(halves) - whole) / 15
        return refined(low, middle, left, first, centre, halves[0], depth - 1) + refined(
            middle, high, centre, second, right, halves[1], depth - 1
        )

    ends = of(low), of((low + high) / 2), of(high)
    return refined(low, high, *ends, simpson(low, high, *ends), 40)
