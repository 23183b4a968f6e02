"""Finite policies, exactly: what drawing many and keeping the best, quantilizing, conditioning and tilting make of one.
Rule: outcomes with their probabilities in, the same out; how far two policies are apart is in `divergences.py`.

Best of n and its ties as in `BestOf`; quantilizers by Taylor 2016 (Quantilizers: a safer alternative to maximizers). Outcomes
that the base gives probability 0 are never scored and stay out. However rare an outcome is, its ratio to the base is right to
1e-12 of the greatest ratio that there can be; but for the class at a quantilizer's boundary, whose part is a difference and right to
1e-16. One of the best k of n has no digits for what it hardly ever is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import accumulate, groupby
from numbers import Real
from typing import TypeVar, cast

from moot.complexity.pressure.binomials import at_most, best_share
from moot.protocols.engine.errors import UsageError

T = TypeVar("T", bound=Hashable)

DUST = 1e-12
"""The least part of a quantilizer's share that is told from rounding."""


def policy(shares: Mapping[T, float] | Iterable[tuple[T, float]]) -> dict[T, float]:
    """Outcomes with their probabilities, those of equal outcomes added. Raises UsageError where they are no distribution: below 0,
    not finite, or not of sum 1 within 1e-9."""
    found: dict[T, float] = {}
    pairs = shares.items() if isinstance(shares, Mapping) else shares
    for outcome, share in cast("Iterable[tuple[T, float]]", pairs):
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1 + 1e-9:
            raise UsageError(f"a policy gives {outcome!r} the probability {share!r}; it must lie in [0, 1]")
        found[outcome] = found.get(outcome, 0.0) + share
    if abs((total := math.fsum(found.values())) - 1) > 1e-9:
        raise UsageError(f"the probabilities of a policy sum to {total!r}; they must sum to 1")
    return found


def probability(of: Mapping[T, float], event: Callable[[T], bool]) -> float:
    """How probable it is that an outcome lies in an event."""
    return min(1.0, math.fsum(share for outcome, share in policy(of).items() if share > 0 and event(outcome)))


def best_of(base: Mapping[T, float], n: int, score: Callable[[T], float]) -> dict[T, float]:
    """The law of the best of n independent draws; equal scores share in proportion to the base, as the first drawn is taken.
    Raises UsageError where n is below 1."""
    _whole(n, "n")

    def mass(above: float, share: float, rest: float) -> float:
        """No draw lies above, and not all of them below."""
        return rest**n * (-math.expm1(n * math.log1p(-share / rest)) if share < rest else 1.0)

    return _picked(base, score, mass)


def quantilize(base: Mapping[T, float], q: float, score: Callable[[T], float]) -> dict[T, float]:
    """The q-quantilizer: the base within its top share q by score; the class of scores at the boundary shares what is left of
    it in proportion to the base. Its probabilities are at most the base's over q. Raises UsageError for q outside (0, 1]."""
    if not 0 < q <= 1:
        raise UsageError(f"a quantilizer keeps a share q in (0, 1] of its base, not {q!r}")

    def mass(above: float, share: float, rest: float) -> float:
        left = q - above
        return min(share, left) / q if left > DUST * q else 0.0

    return _picked(base, score, mass)


def quantilized(base: Mapping[T, float], n: int, k: int, score: Callable[[T], float]) -> dict[T, float]:
    """The law of one of the best k of n independent draws, each of these as probably as the others: what `moot.Quantilized`
    plays. Its probabilities are at most n / k times the base's. Raises UsageError unless 1 <= k <= n."""
    _best(n, k)

    def mass(above: float, share: float, rest: float) -> float:
        if n * share > 3e-3 * math.sqrt(k):
            return max(0.0, best_share(min(1.0, above + share), n, k) - best_share(above, n, k))
        # So narrow a class would be lost in that difference. Simpson's rule is exact here to 13 digits.
        sides = [quantilized_density(n, k, min(1.0, above + step * share)) for step in (0, 0.5, 1)]
        return share * (sides[0] + 4 * sides[1] + sides[2]) / 6

    return _picked(base, score, mass)


def quantilized_density(n: int, k: int, above: float) -> float:
    """How many times more probable than a base without atoms one of the best k of n draws is, where a share `above` of the
    base is better: n / k times P(Bin(n - 1, above) < k), so n / k at the top. Raises UsageError unless 1 <= k <= n and
    `above` lies in [0, 1]."""
    _best(n, k)
    if not 0 <= above <= 1:
        raise UsageError(f"a share of the base is {above!r}; it must lie in [0, 1]")
    return n / k * at_most(k - 1, n - 1, above)


def condition(base: Mapping[T, float], event: Callable[[T], bool]) -> dict[T, float]:
    """The base, given an event. Raises UsageError where that has probability 0."""
    kept = {outcome: share for outcome, share in policy(base).items() if share > 0 and event(outcome)}
    if not (total := math.fsum(kept.values())):
        raise UsageError("a policy cannot be conditioned on an event of probability 0")
    return {outcome: share / total for outcome, share in kept.items()}


def tilt(base: Mapping[T, float], event: Callable[[T], bool], to: float) -> dict[T, float]:
    """The base, changed as little as possible so that an event has the probability `to`: in and outside of it, as the base has
    it. Of all policies that give it so much, this one has the least KL from the base (Csiszár 1975). Raises UsageError where
    the base rules that out."""
    shares = {outcome: share for outcome, share in policy(base).items() if share > 0}
    inside = {outcome for outcome in shares if event(outcome)}
    # Both sums, and not one less the other: where the event is all there is, rounding would leave something outside.
    p = math.fsum(share for outcome, share in shares.items() if outcome in inside)
    other = math.fsum(share for outcome, share in shares.items() if outcome not in inside)
    if not 0 <= to <= 1 or (to > 0 and not p) or (to < 1 and not other):
        raise UsageError(f"an event of probability {p!r} cannot be given the probability {to!r}")
    return {
        outcome: share / p * to if outcome in inside else share / other * (1 - to) for outcome, share in shares.items()
    }


def _picked(
    base: Mapping[T, float], score: Callable[[T], float], mass: Callable[[float, float, float], float]
) -> dict[T, float]:
    """The law that gives each class of equal scores `mass` of where it lies in the base, counted from the top: the share
    above it, its own, and its own with all below; within a class in proportion to the base."""
    scored = [(score(outcome), outcome, share) for outcome, share in policy(base).items() if share > 0]
    for value, outcome, _ in scored:
        if not isinstance(value, Real) or value != value:
            raise UsageError(f"the score of {outcome!r} is {value!r}, which is neither better nor worse than another")
    ordered = sorted(scored, key=lambda each: each[0], reverse=True)
    classes = [list(group) for _, group in groupby(ordered, key=lambda each: each[0])]
    shares = [math.fsum(own for _, _, own in members) for members in classes]
    # From either end, so that what is rare keeps its digits wherever it lies.
    above = accumulate(shares, initial=0.0)
    rest = list(accumulate(reversed(shares)))[::-1]
    found: dict[T, float] = {}
    for members, share, better, left in zip(classes, shares, above, rest, strict=False):
        given = mass(min(1.0, better), share, min(1.0, left))
        found |= {outcome: own / share * given for _, outcome, own in members}
    return found


def _best(n: int, k: int) -> None:
    if _whole(n, "n") < _whole(k, "k"):
        raise UsageError(f"the best k of n draws: k is {k!r}, and n is {n!r}")


def _whole(number: int, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 1e300:
        raise UsageError(f"{name} is {number!r:.60}; it must be a whole number of at least 1, and no more than 1e300")
    return number
