"""Computations with a noisy oracle whose Lipschitz constants are known, and the exact probabilities of their answers.

Rule of this file: nothing is drawn here; the tasks and their programs are in `noisy_oracle.py`."""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.games.computations import Ask, Computation, computation


def count_of(x: Any, least: int = 1) -> int:
    """The n of an input {"n": n}. UsageError when it is no whole number of at least `least`."""
    n = x.get("n") if isinstance(x, dict) else None
    if type(n) is not int or n < least:
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
    """The steepest slope of Pr(Bin(n, r) > n / 2) in r, for odd n: K of the walk about an oracle with one probability for
    every step, as no oracle within e of it moves the answer more than one that moves every step by e. K^2 is at most n."""
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


ENUMERATED = 16
"""Computations of at most so many queries are summed over all their bits."""


def chance(data: Any, query: str) -> Fraction:
    """The exact probability that the oracle in the data answers a query with 1. UsageError when it has none."""
    text = data["oracle"].get(query)
    value = _fraction(text) if isinstance(text, str) else None
    if value is None:
        raise UsageError(f"the oracle has no probability for {query!r}: {text!r}")
    return value


@lru_cache(maxsize=4096)
def _fraction(text: str) -> Fraction | None:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return value if 0 <= value <= 1 else None


@lru_cache(maxsize=4096)
def number_of(text: str) -> float:
    """A probability of the data as a number. UsageError when it is none."""
    if (value := _fraction(text)) is None:
        raise UsageError(f"{text!r} is no probability; write a fraction such as 2/3")
    return float(value)


def exact(made: Computation, x: Any, chance: Callable[[str], Fraction]) -> Fraction:
    """The exact probability that a computation answers True: the sum over all bits that its queries can have.
    UsageError when it makes more than ENUMERATED queries."""
    if made.queries(x) > ENUMERATED:
        most = f"up to {made.queries(x)} queries; the bits of at most {ENUMERATED} are summed over"
        raise UsageError(f"computation {made.name} makes {most}")

    def value(bits: tuple[bool, ...]) -> Fraction:
        outcome = after(made, x, bits)
        if isinstance(outcome, bool):
            return Fraction(outcome)
        p = chance(outcome)
        return sum((part * value((*bits, bit)) for bit, part in ((True, p), (False, 1 - p)) if part), Fraction(0))

    return value(())


def after(made: Computation, x: Any, bits: tuple[bool, ...]) -> str | bool:
    """Where a computation stands after these bits: its next query, or its answer."""
    running = made.run(x)
    try:
        asked = next(running)
        for bit in bits:
            asked = running.send(bit)
        return asked
    except StopIteration as stop:
        return bool(stop.value)
    finally:
        running.close()


@lru_cache(maxsize=1024)
def above(n: int, up: Fraction) -> Fraction:
    """The probability that a walk of n steps, n odd, each up with probability `up`, ends above where it began; exact."""
    a, b = up.numerator, up.denominator
    ways = sum(comb(n, ups) * a**ups * (b - a) ** (n - ups) for ups in range(n // 2 + 1, n + 1))
    return Fraction(ways, b**n)
