"""Exact probabilities: of an oracle's bits, and of the answers of computations that ask it.

Rule of this file: nothing is drawn here; the tasks are in `noisy_oracle.py`, their programs in `programs.py`."""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.games.computations import Computation

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
    value = _fraction(text)
    if value is None:
        raise UsageError(f"{text!r} is no probability; write a fraction such as 2/3")
    return float(value)


def exact(made: Computation, x: Any, chance: Callable[[str], Fraction]) -> Fraction:
    """The exact probability that a computation answers True: the sum over all bits that its queries can have.
    UsageError when it makes more than ENUMERATED queries."""
    if made.queries(x) > ENUMERATED:
        most = f"up to {made.queries(x)} queries; the bits of at most {ENUMERATED} are summed over"
        raise UsageError(f"computation {made.name} makes {most}")
    total = Fraction(0)
    open_paths: list[tuple[tuple[bool, ...], Fraction]] = [((), Fraction(1))]
    while open_paths:
        bits, weight = open_paths.pop()
        outcome = after(made, x, bits)
        if isinstance(outcome, bool):
            total += weight * outcome
            continue
        p = chance(outcome)
        open_paths += [((*bits, bit), weight * part) for bit, part in ((True, p), (False, 1 - p)) if part]
    return total


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
