"""N coins, shown one at a time: what random evidence does to a market price that nobody misleads.
Rule: the task and its exact prices, as fractions; markets that learn them are in `training/calibration.py`.

Shah's counterexample to market making (comments on Hubinger 2020, AI safety via market making). The market M is told
nothing false and predicts the judge's final belief as well as can be; each coin still moves it, so that an adversary
earns something at every step, and the first price is not the truth."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.tasks.base import Task
from moot.tasks.family import entries


class Coins(Task):
    """Do heads make a strict majority of N coins? The judge's prior: independent, fair coins. A tie is a no."""

    name: ClassVar[str] = "coins"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a list of coins, 1 for heads and 0 for tails. majority(n) asks whether more than half of the n coins "
        "show heads. The answer is yes or no."
    )
    reads: ClassVar[str] = "n"
    source: ClassVar[str] = "Shah 2020, comment on Hubinger 2020, AI safety via market making"

    def data(self, size: int, random: Random) -> list[int]:
        return [random.randint(0, 1) for _ in range(size)]

    def count(self, data: Any) -> int:
        return entries(data)

    def ask(self, data: Any, random: Random) -> str:
        return f"majority({len(data)})"

    def truth(self, data: Any, text: str) -> str:
        if text != f"majority({len(data)})":
            raise UsageError(f"{text!r} is no question about these {len(data)} coins; write majority({len(data)})")
        return "yes" if 2 * sum(data) > len(data) else "no"


def belief(seen: Sequence[int], n: int) -> Fraction:
    """The probability that heads are a strict majority of n coins, given those seen (1 heads, 0 tails) and that the
    others are independent and fair; exact. UsageError when more than n are seen, or one is neither 1 nor 0."""
    if len(seen) > n or not set(seen) <= {0, 1}:
        raise UsageError(f"belief: {len(seen)} coins are seen of {n}; each is 1 or 0, and they are at most all")
    return _belief(sum(seen), len(seen), n)


def price(n: int, heads: int, t: int, seen: Sequence[int] = ()) -> Fraction:
    """The price of a market that knows there are `heads` heads: what the judge is expected to believe after t coins,
    drawn at random without repetition, of which `seen` are the first. For seen = () that is the average of `belief`
    over the hypergeometric distribution. UsageError when the numbers do not fit together."""
    _check(n, heads, t)
    up = sum(seen)
    if len(seen) > t or not set(seen) <= {0, 1} or up > heads or len(seen) - up > n - heads:
        raise UsageError(f"price: coins {list(seen)} cannot be the first of {t} from {n} coins with {heads} heads")
    return _price(n, heads, t, up, len(seen))


def earnings(n: int, heads: int, t: int) -> list[Fraction]:
    """What an adversary that shows coins at random is expected to earn at each of t steps, |next price - price|, from a
    market that knows how many heads there are and that it does so; exact. UsageError as in `price`."""
    _check(n, heads, t)
    ups = ([_drawn(n, heads, at, up) * _moved(n, heads, t, up, at) for up in range(at + 1)] for at in range(t))
    return [sum(moves, Fraction(0)) for moves in ups]


def _check(n: int, heads: int, t: int) -> None:
    if not (0 <= heads <= n and 0 <= t <= n):
        raise UsageError(f"there are no {n} coins with {heads} heads of which {t} are shown")


def _belief(up: int, seen: int, n: int) -> Fraction:
    left = n - seen
    return Fraction(sum(comb(left, more) for more in range(left + 1) if 2 * (up + more) > n), 2**left)


def _drawn(n: int, heads: int, seen: int, up: int) -> Fraction:
    """The probability of `up` heads among `seen` coins drawn without repetition."""
    return Fraction(comb(heads, up) * comb(n - heads, seen - up), comb(n, seen))


@lru_cache(maxsize=4096)
def _price(n: int, heads: int, t: int, up: int, seen: int) -> Fraction:
    left = (n - seen, heads - up, t - seen)
    return sum((_drawn(*left, more) * _belief(up + more, t, n) for more in range(t - seen + 1)), Fraction(0))


def _moved(n: int, heads: int, t: int, up: int, seen: int) -> Fraction:
    """The expected move of the price when one more coin is shown after `up` heads among `seen`."""
    if up > heads or seen - up > n - heads:
        return Fraction(0)  # never drawn
    now, total = _price(n, heads, t, up, seen), Fraction(0)
    for more, left in ((1, heads - up), (0, n - heads - seen + up)):
        if left:
            total += Fraction(left, n - seen) * abs(_price(n, heads, t, up + more, seen + 1) - now)
    return total
