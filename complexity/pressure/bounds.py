"""Bounds from samples on a probability or a mean, and what no sampling can do better than.
Rule: pure arithmetic on numbers that were drawn; each function returns a `Bound` that says what it is worth. Normal and Beta
intervals are not here: on rare events they hold far less often than they say.

A bound with both sides fails on each, taken alone, with probability at most delta.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from numbers import Real
from typing import TypeVar

from moot.complexity.pressure.binomials import at_least, at_most
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.policies import probability
from moot.protocols.engine.errors import UsageError

T = TypeVar("T", bound=Hashable)

STAKE = 0.75
"""The most of its capital that a bet from above may lose. At no hit the bound is near log(1 / delta) / (STAKE draws)."""
FRACTIONS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""The fractions of its capital that a bet from below stakes, in equal parts; fixed before anything is drawn."""
SLACK = 1e-9
"""What rounding may come to in a logarithm of capital."""
ROUNDING = 1e-12
"""What rounding may come to, as a share: of a tail, of the probability at which it is delta or of its complement, of a mean and its reach."""


def enumerated(base: Mapping[T, float], event: Callable[[T], bool]) -> Bound:
    """The probability of an event where every outcome is listed: exact. Raises UsageError where `base` is no distribution."""
    p = probability(base, event)
    return Bound(kind="exact", estimate=p, lower=p, upper=p, route="enumeration")


def clopper_pearson(hits: int, draws: int, delta: float) -> Bound:
    """Exact bounds on the probability of an event that `hits` of so many independent draws showed, one-sided each (Clopper
    and Pearson 1934): `upper` alone fails with probability at most delta, and so does `lower` alone. At 0 hits `upper` is
    1 - delta^(1 / draws). Raises UsageError unless 0 <= hits <= draws, draws >= 1 and 0 < delta < 1."""
    level(delta)
    if _whole(hits, "hits", 0) > _whole(draws, "draws", 1):
        raise UsageError(f"{hits} hits in {draws} draws; give no more hits than draws")
    lower, upper, sure = 0.0, 1.0, delta * (1 - ROUNDING)
    if hits < draws:
        high = _crossing(lambda p: at_most(hits, draws, p) > sure)[1]
        upper = min(1.0, math.nextafter(high + ROUNDING * high * (1 - high), 1))
    if hits:
        low = _crossing(lambda p: at_least(hits, draws, p) <= sure)[0]
        lower = max(0.0, math.nextafter(low - ROUNDING * low * (1 - low), 0))
    return Bound(
        kind="valid bound", estimate=hits / draws, lower=lower, upper=upper, delta=delta, route="Clopper-Pearson",
        assumes=("independent-draws", "draws-fixed-beforehand"),
    )  # fmt: skip


def betting_upper(values: Iterable[float], delta: float, most: float) -> Bound:
    """An upper bound on the mean that independent values in [0, most] all have, by betting that it is less (Waudby-Smith and Ramdas
    2024, Estimating means of bounded random variables by betting; predictable plug-in stakes, at most `STAKE`).

    values: in the order in which they were drawn; sorted ones would let the bets see ahead, and so would strata with means of
    their own, one behind the other. With weights from a mixture that
    draws from the anchor itself with probability m, `most` is 1 / m. Raises UsageError on no values, on one outside
    [0, most], and unless 0 < delta < 1.
    """
    shares = _shares(values, delta, most)
    # Bets that the mean of what is missing to `most` is more than m.
    missing = [1 - share for share in shares]
    stakes, needed = _stakes(missing, delta), math.log(1 / delta) + SLACK

    def refuted(mean: float) -> bool:
        capital, cap = 0.0, STAKE / mean
        for value, stake in zip(missing, stakes, strict=True):
            capital += math.log1p(min(stake, cap) * (value - mean))
            if capital >= needed:
                return True
        return False

    low, _ = _crossing(refuted, steps=50)
    return Bound(
        kind="valid bound", estimate=_mean(shares) * most, upper=_above(1 - low, most), delta=delta, route="betting",
        assumes=("independent-draws", "draws-fixed-beforehand"),
    )  # fmt: skip


def _stakes(values: Sequence[float], delta: float) -> list[float]:
    """For each value what to stake on it, from those before it alone."""
    stakes, total, squares = [], 0.5, 0.25
    for index, value in enumerate(values, 1):
        stakes.append(math.sqrt(2 * math.log(1 / delta) * index / (len(values) * squares)))
        total += value
        squares += (value - total / (index + 1)) ** 2
    return stakes


def betting_lower(values: Iterable[float], delta: float) -> Bound:
    """A lower bound on the mean that independent values of at least 0 all have, however large they may be: the capital of a gambler who
    stakes `FRACTIONS` of it on each seldom grows to 1 / delta, at whatever draw one stops (Ville 1939). Says nothing from
    above: a value too rare to be drawn may be of any size. Raises UsageError on no values, on one below 0 or not finite, and
    unless 0 < delta < 1."""
    drawn = _values(values, delta)
    most = max(drawn) or 1.0  # of which all else is a share, as sums of what is large are no floats
    counted = Counter(value / most for value in drawn)
    mean = math.fsum(many * share for share, many in counted.items()) / len(drawn)
    needed = math.log(len(FRACTIONS) / delta) + SLACK

    def refuted(m: float) -> bool:
        logs = [
            math.fsum(many * math.log1p(part * (share / m - 1)) for share, many in counted.items())
            for part in FRACTIONS
        ]
        top = max(logs)
        return top == math.inf or top + math.log(math.fsum(math.exp(log - top) for log in logs)) >= needed

    low = _crossing(refuted, mean, steps=60)[0] if mean else 0.0
    return Bound(
        kind="lower only", estimate=mean * most, lower=_below(low, most), delta=delta, route="betting",
        assumes=("independent-draws",),
    )  # fmt: skip


def importance(weights: Iterable[float], hits: Iterable[bool], delta: float) -> Bound:
    """A lower bound on the anchor's probability of an event, from draws of another policy.

    weights: of each draw, its probability under the anchor over that under the policy which it was drawn from, both
    normalised. hits: whether it lies in the event. What that policy never draws is not seen, so that from above this says
    nothing, and the estimate may be far too low with every sign of precision. Raises UsageError as `betting_lower`, and
    where there are not as many hits as weights.
    """
    given, seen = tuple(weights), tuple(hits)
    if len(given) != len(seen) or any(hit not in (False, True) for hit in seen):
        raise UsageError(f"{len(given)} weights and {len(seen)} hits: give a weight, and True or False, for each draw")
    _values(given, delta)
    found = betting_lower([weight if hit else 0.0 for weight, hit in zip(given, seen, strict=True)], delta)
    lower = min(1.0, found.lower or 0.0)
    return found.model_copy(
        update={"lower": lower, "route": "importance sampling", "assumes": (*found.assumes, "right-weights")}
    )


def empirical_bernstein(values: Iterable[float], delta: float, most: float) -> Bound:
    """Bounds on the mean of independent values in [0, most] by their variance, one-sided each (Maurer and Pontil 2009,
    Empirical Bernstein bounds, theorem 4). Valid and wide: at no hit 7 most log(2 / delta) / (3 (draws - 1)). Raises UsageError as
    `betting_upper`, and on fewer than two values."""
    shares = _shares(values, delta, most)
    if (n := len(shares)) < 2:
        raise UsageError("a variance takes two values and more; there is 1")
    mean, log = _mean(shares), math.log(2 / delta)
    variance = math.fsum((share - mean) ** 2 for share in shares) / (n - 1)
    reach = math.sqrt(2 * variance * log / n) + 7 * log / (3 * (n - 1))
    return _around(mean, reach, most, delta, "empirical Bernstein")


def hoeffding(values: Iterable[float], delta: float, most: float) -> Bound:
    """Bounds on the mean of independent values in [0, most] by their range alone, one-sided each (Hoeffding 1963). Valid, and
    for rare events of little use. Raises UsageError as `betting_upper`."""
    shares = _shares(values, delta, most)
    return _around(_mean(shares), math.sqrt(math.log(1 / delta) / (2 * len(shares))), most, delta, "Hoeffding")


def black_box_floor(draws: int, delta: float, mixture: float = 1.0) -> float:
    """What no upper bound from so many draws of an opaque event can lie below whatever is drawn, if it is to hold for every event with
    probability 1 - delta: 1 - delta^(1 / draws), which `clopper_pearson` attains. mixture: where only this share of the draws
    comes from the anchor itself, and the others may miss the event altogether: the same over `mixture`. Raises UsageError
    unless draws is a whole number of at least 1, 0 < delta < 1 and 0 < mixture <= 1."""
    level(delta)
    _whole(draws, "draws", 1)
    if not 0 < mixture <= 1:
        raise UsageError(f"the anchor's share of a mixture is {mixture!r}; it must lie in (0, 1]")
    return min(1.0, -math.expm1(math.log(delta) / draws) / mixture)


def _around(mean: float, reach: float, most: float, delta: float, route: str) -> Bound:
    """What lies within `reach` of a mean; both are shares of the most that a value can be."""
    rounding = ROUNDING * (mean + reach)
    return Bound(
        kind="valid bound", estimate=mean * most, lower=_below(mean - reach - rounding, most),
        upper=_above(mean + reach + rounding, most), delta=delta, route=route,
        assumes=("independent-draws", "draws-fixed-beforehand"),
    )  # fmt: skip


def _above(share: float, most: float) -> float:
    """A share of the most that a value can be, and no less."""
    return min(most, math.nextafter(share * most, math.inf))


def _below(share: float, most: float) -> float:
    """A share of the most that a value can be, and no more."""
    return max(0.0, math.nextafter(share * most, -math.inf))


def _mean(shares: Sequence[float]) -> float:
    return math.fsum(shares) / len(shares)


def _crossing(holds: Callable[[float], bool], high: float = 1.0, steps: int = 2000) -> tuple[float, float]:
    """Where something that holds from 0 up to a point stops to: neighbours between which it lies, after `steps` halvings at most."""
    low = 0.0
    for _ in range(steps):
        if (middle := (low + high) / 2) in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def level(delta: float) -> None:
    """Raises UsageError on what is no delta."""
    if isinstance(delta, bool) or not isinstance(delta, Real) or not 0 < delta < 1:
        raise UsageError(f"delta is {delta!r}; it is how probably the bound may fail, between 0 and 1, such as 0.05")


def _whole(number: int, name: str, least: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= 1e300:
        raise UsageError(
            f"{name} is {number!r:.60}; it must be a whole number of at least {least}, and no more than 1e300"
        )
    return number


def _shares(values: Iterable[float], delta: float, most: float) -> list[float]:
    """Values as shares of the most that one can be: neither sums nor squares of these leave the floats."""
    return [value / most for value in _values(values, delta, most)]


def _values(values: Iterable[float], delta: float, most: float | None = None) -> tuple[float, ...]:
    """The values, after they, their range and delta were looked at."""
    level(delta)
    if most is not None and not 0 < most < math.inf:
        raise UsageError(f"the most that a value can be is {most!r}; it must be a finite number above 0")
    drawn = tuple(values)
    if not drawn:
        raise UsageError("there are no values: a bound takes one draw and more")
    for index, value in enumerate(drawn):
        if not isinstance(value, Real) or not 0 <= value < math.inf or (most is not None and value > most):
            reach = "on" if most is None else f"to {most}"
            raise UsageError(f"value {index} is {value!r}; it must be a finite number from 0 {reach}")
    return drawn
