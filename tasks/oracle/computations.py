"""Computations with a noisy oracle whose Lipschitz constants are known."""

from fractions import Fraction
from math import comb
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.games.computations import Ask, computation


def count_of(x: Any, least: int = 1) -> int:
    """The n of an input {"n": n}. UsageError when it is no whole number of at least `least`."""
    n = x.get("n") if isinstance(x, dict) else None
    if not isinstance(n, int) or isinstance(n, bool) or n < least:
        raise UsageError(f"the input must be {{'n': a whole number of at least {least}}}, not {x!r}")
    return n


@computation(worst=count_of, lipschitz=lambda x: 1.0)
async def chain(ask: Ask, x: Any) -> bool:
    """n bits, of which the last is the answer: K = 1, whatever the oracle."""
    bit = False
    for step in range(count_of(x)):
        bit = await ask(f"bit({step})")
    return bit


def _odd(x: Any) -> int:
    n = count_of(x)
    if n % 2 == 0:
        raise UsageError(f"a walk of {n} steps can end where it began; give an odd number of steps")
    return n


def walk_constant(n: int) -> float:
    """The steepest slope of Pr(Bin(n, r) > n / 2) in r, for odd n: K of the walk about an oracle that has one probability
    for every step. Its answer only rises with each probability, so of all oracles within e of that one those which move
    every step by e the same way move the answer most. K^2 is at most n."""
    return float(Fraction(n * comb(n - 1, n // 2), 1 << (n - 1)))


@computation(worst=_odd, lipschitz=lambda x: walk_constant(_odd(x)))
async def walk(ask: Ask, x: Any) -> bool:
    """A walk of n steps, one up or one down, n odd: does it end above where it began? It stops when that is settled."""
    n, ups, downs = _odd(x), 0, 0
    while ups <= n // 2 and downs <= n // 2:
        if await ask(f"up({ups + downs})"):
            ups += 1
        else:
            downs += 1
    return ups > n // 2


@computation(worst=lambda x: count_of(x, 2) * (count_of(x, 2) - 1) // 2)
async def sorting(ask: Ask, x: Any) -> bool:
    """Insertion sort of n items by noisy comparisons: does item 0 come first? K is the number of comparisons, at most."""
    order = [0]
    for item in range(1, count_of(x, 2)):
        place = len(order)
        while place and await ask(f"less({item},{order[place - 1]})"):
            place -= 1
        order.insert(place, item)
    return order[0] == 0
