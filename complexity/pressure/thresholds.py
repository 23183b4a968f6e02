"""Threshold models, whose rare events can be counted or bounded without a single draw; and adversaries as lower bounds.
Rule: x_i = 1 independently with probability p_i, and the event is sum w_i x_i >= tau. Counting takes whole weights and
thresholds, the Chernoff bound any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from moot.complexity.pressure.divergences import kl
from moot.complexity.pressure.kinds import Bound
from moot.protocols.engine.errors import UsageError

T = TypeVar("T", bound=Hashable)
Number = TypeVar("Number", int, float)

MOST_SUMS = 1_000_000
"""The most different sums that counting keeps apart."""
STEEPEST = 800.0
"""The steepest tilt, in nats for the least weight: beyond it nothing changes in a float."""


class Chernoff(Bound):
    """A Chernoff bound, with what one needs to push it down.

    log_upper: its logarithm, which also says something where `upper` is less than a float can be. tilt: the t at which it
    is least, of at least 0. tilted: of each x_i, its probability under the distribution tilted by t. gradient: of each
    weight, d log_upper / d w_i = t times that.
    """

    log_upper: float
    tilt: float
    tilted: tuple[float, ...]
    gradient: tuple[float, ...]


def count(weights: Sequence[int], tau: int) -> int:
    """How many x in {0, 1}^n there are with sum w_i x_i >= tau. Raises UsageError on weights that are not whole, and where they have
    more than `MOST_SUMS` different sums."""
    return sum(many for total, many in _sums(weights, tau, [(1, 1)] * len(weights), 1).items() if total >= tau)


def exact_tail(weights: Sequence[int], tau: int, chances: Sequence[float]) -> Bound:
    """P(sum w_i x_i >= tau), by dynamic programming over the sums: exact, but for the rounding of sums of positive terms, and the
    least float where it is less than any.

    chances: p_i = P(x_i = 1). Raises UsageError as `count`, on a chance outside [0, 1], and unless there is one for each weight.
    """
    _check(weights, chances)
    sums = _sums(weights, tau, [(1.0 - p, float(p)) for p in chances], 1.0)
    tail = [share for total, share in sums.items() if total >= tau]
    p = min(1.0, max(math.fsum(tail), math.ulp(0.0))) if tail else 0.0
    return Bound(kind="exact", estimate=p, lower=p, upper=p, route="counting")


def chernoff(weights: Sequence[float], tau: float, chances: Sequence[float]) -> Chernoff:
    """An upper bound on P(sum w_i x_i >= tau) that cannot fail: the least over t >= 0 of E[exp(t (sum w_i x_i - tau))] (Chernoff
    1952); 1 where tau is no more than the mean, 0 where no x reaches it, by more than rounding. Rounded up. Raises UsageError on
    weights and a tau that have no finite sum, on a chance outside [0, 1], and unless there is a chance for each weight."""
    _check(weights, chances)
    try:
        size = sum(abs(float(number)) for number in (tau, *weights))
    except OverflowError:
        size = math.inf
    if not math.isfinite(size):
        raise UsageError(
            f"a threshold model with tau = {tau!r:.60} and weights {list(weights)!r:.200}: give finite numbers, of a finite sum"
        )
    pairs = [(float(weight), float(p)) for weight, p in zip(weights, chances, strict=True)]
    # What is certain about x moves the threshold and is tilted by nothing.
    free = [weight for weight, p in pairs if weight and 0 < p < 1]
    fixed = [weight for weight, p in pairs if p == 1]
    reach = math.fsum([*(weight for weight in free if weight > 0), *fixed])
    if tau > reach + 1e-12 * size:
        never = tuple(float(p == 1 or (weight > 0 and p > 0)) for weight, p in pairs)
        return _chernoff(-math.inf, math.inf, never, (0.0,) * len(pairs))
    # No steeper either than that all shifts have a finite sum: the bound holds at any tilt.
    steepest = min(
        STEEPEST / min((abs(weight) for weight in free), default=1.0), 1e307 / size if size else 1e307, 1e307
    )
    t = _steepness(pairs, tau, steepest)
    terms = [-t * tau, *(_log_moment(t * weight, p) for weight, p in pairs)]
    log = math.fsum(terms)
    log = min(0.0, log + 1e-15 * (1 + t * size))
    tilted = tuple(_tilted(t * weight, p) for weight, p in pairs)
    return _chernoff(log, t, tilted, tuple(t * q for q in tilted))


def gibbs_lower(adversary: Mapping[T, float], base: Mapping[T, float], risk: Callable[[T], float]) -> Bound:
    """A lower bound on the probability that a failure is drawn from `base`, from whatever distribution an adversary proposes:
    log P >= E[log risk] - KL(adversary || base), the mean being the adversary's (Gibbs). Equal where the adversary is the base, reweighted
    by risk. risk: how probably an outcome is a failure. No draws, so no delta; rounded down. Raises UsageError where either is no
    distribution, and on a risk outside [0, 1]."""
    cost, mean = kl(adversary, base), 0.0
    for outcome, share in adversary.items():
        if share > 0:
            chance = risk(outcome)
            if not 0 <= chance <= 1:
                raise UsageError(f"the risk of {outcome!r} is {chance!r}; it must lie in [0, 1]")
            mean += share * math.log(chance) if chance else -math.inf
    # Shares that sum to a little less than 1 would leave out a little of what the adversary pays.
    log = mean - cost - 1e-9 * (1 + abs(mean) + cost) if mean > -math.inf and cost < math.inf else -math.inf
    return Bound(
        kind="lower only", lower=max(0.0, math.nextafter(math.exp(log), -1.0)), route="Gibbs variational bound"
    )


def _chernoff(log: float, t: float, tilted: tuple[float, ...], gradient: tuple[float, ...]) -> Chernoff:
    # A bound less than any float is not therefore 0, and one of few digits is rounded up.
    upper = min(1.0, math.nextafter(math.exp(log), 1.0)) if log > -math.inf else 0.0
    return Chernoff(
        kind="valid bound", upper=upper, route="Chernoff", log_upper=log, tilt=t, tilted=tilted, gradient=gradient
    )


def _steepness(pairs: Sequence[tuple[float, float]], tau: float, most: float) -> float:
    """The t in [0, most] at which the tilted mean is tau: there the bound, convex in t, is least."""

    def short(t: float) -> bool:
        return math.fsum(weight * _tilted(t * weight, p) for weight, p in pairs) < tau

    if not short(0.0):
        return 0.0
    low, high = 0.0, min(most, 1.0 / max((abs(weight) for weight, _ in pairs if weight), default=1.0))
    while high < most and short(high):
        low, high = high, 2 * high
    high = min(high, most)
    for _ in range(200):
        if (middle := (low + high) / 2) in (low, high):
            break
        low, high = (middle, high) if short(middle) else (low, middle)
    return high


def _tilted(shift: float, p: float) -> float:
    """The probability of 1 where its odds are exp(shift) times those of p."""
    if p in (0, 1):
        return float(p)
    if shift > 0:
        return p / (p + (1 - p) * math.exp(-shift))
    return p * (grown := math.exp(shift)) / (1 - p + p * grown)


def _log_moment(shift: float, p: float) -> float:
    """log(1 - p + p exp(shift)), in the form that loses no digits."""
    if p in (0, 1):
        return shift * p
    if shift > 30:
        return shift + math.log(p + (1 - p) * math.exp(-shift))
    if shift < 0 and p > 0.5:
        return math.log(1 - p + p * math.exp(shift))
    return math.log1p(p * math.expm1(shift))


def _sums(weights: Sequence[int], tau: int, factors: Sequence[tuple[Number, Number]], one: Number) -> dict[int, Number]:
    """What each sum comes to, x_i = 0 and x_i = 1 counting so much each."""
    for name, number in (("tau", tau), *(("a weight", weight) for weight in weights)):
        if isinstance(number, bool) or not isinstance(number, int):
            raise UsageError(f"{name} is {number!r}; counting takes whole numbers (the Chernoff bound takes any)")
    sums: dict[int, Number] = {0: one}
    for weight, (off, on) in zip(weights, factors, strict=True):
        grown: dict[int, Number] = {}
        for total, share in sums.items():
            for after, factor in ((total, off), (total + weight, on)):
                if factor:  # a sum that no x comes to is not there
                    grown[after] = grown.get(after, 0) + share * factor
        if len(grown) > MOST_SUMS:
            raise UsageError(f"the weights have more than {MOST_SUMS} different sums: too many to count; take chernoff")
        sums = grown
    return sums


def _check(weights: Sequence[float], chances: Sequence[float]) -> None:
    if len(weights) != len(chances):
        raise UsageError(f"{len(weights)} weights and {len(chances)} chances: give one chance for each weight")
    for index, p in enumerate(chances):
        if not 0 <= p <= 1:
            raise UsageError(f"chance {index} is {p!r}; it must lie in [0, 1]")
