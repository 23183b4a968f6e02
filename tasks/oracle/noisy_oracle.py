"""Computations with a noisy oracle, as questions: is the answer True with probability at least 2/3, or at most 1/3?

They are what doubly-efficient debate is played on (Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125). The
oracle is a table of exact probabilities, so that the probability of the answer can be computed exactly."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import comb
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.protocols.games.computations import Computation, computation_named
from moot.tasks.base import Task

PLAYED = "doubly-efficient"
ENUMERATED = 16
"""Computations of at most so many queries are summed over all their bits."""


class OracleTask(Task):
    """Does a computation with a noisy oracle answer True with probability at least 2/3 (yes), or at most 1/3 (no)?
    The data names the computation and its input, and holds the oracle: from each query to the probability of a 1, as an
    exact fraction in a text."""

    complexity_class: ClassVar[str] = "P"
    reads: ClassVar[str] = "3"
    source: ClassVar[str] = "Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125"
    computed: ClassVar[str]

    @abstractmethod
    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        """Probabilities by query, of an instance with this answer."""

    def rounded(self, size: int) -> int:
        """The n of an instance that was asked for at `size`."""
        return size

    def size(self, data: Any, size: int) -> int:
        return int(data["input"]["n"])

    def data(self, size: int, random: Random) -> dict[str, Any]:
        n = self.rounded(size)
        return {
            "computation": self.computed,
            "input": {"n": n},
            "oracle": self.oracle(n, random.random() < 0.5, random),
        }

    def ask(self, data: Any, random: Random) -> str:
        return "likely()"

    def probability(self, data: Any) -> Fraction:
        """The exact probability that the computation answers True. UsageError where it cannot be computed."""
        return exact(computation_named(data["computation"]), data["input"], lambda query: chance(data, query))

    def truth(self, data: Any, text: str) -> str:
        if text != "likely()":
            raise UsageError(f"{text!r} is no question about a computation with an oracle; write likely()")
        likely = self.probability(data)
        if Fraction(1, 3) < likely < Fraction(2, 3):
            raise UsageError(
                f"the answer is True with probability {likely}; only 2/3 and more, or 1/3 and less, is an answer"
            )
        return "yes" if likely >= Fraction(2, 3) else "no"

    def wrong(self, data: Any, text: str, random: Random) -> str:
        return "no" if self.truth(data, text) == "yes" else "yes"

    def programs(self) -> dict[str, Callable[[], Any]]:
        from moot.tasks.oracle.programs import Aborting, Honest, Shifting, Vera

        mine: dict[str, Callable[[], Any]] = {each.name: each for each in (Honest, Shifting, Aborting, Vera)}
        return {**super().programs(), **mine}

    def cast(self, protocol: str) -> dict[str, str]:
        return {"debater": "honest", "judge": "vera"} if protocol == PLAYED else super().cast(protocol)

    def options(self, protocol: str, question: Question) -> dict[str, Any]:
        return {} if protocol == PLAYED else super().options(protocol, question)


def _about(what: str) -> str:
    return (
        f"The data names a computation, its input, and the oracle: for each query the probability that the bit is 1. {what} "
        "likely() asks whether the computation's answer is True with probability at least 2/3; if not, it is at most 1/3. "
        "The answer is yes or no."
    )


class OracleChain(OracleTask):
    """A chain of n bits, of which the last is the answer, with probability 2/3 or 1/3: K = 1."""

    name: ClassVar[str] = "oracle-chain"
    computed: ClassVar[str] = "chain"
    largest: ClassVar[int] = 100_000
    about: ClassVar[str] = _about("chain asks for bit(0) to bit(n-1), and its answer is the last of them.")

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        table = {f"bit({step})": f"{random.randint(1, 7)}/8" for step in range(n - 1)}
        return {**table, f"bit({n - 1})": "2/3" if true else "1/3"}

    def probability(self, data: Any) -> Fraction:
        return chance(data, f"bit({data['input']['n'] - 1})")

    def bound(self, protocol: str) -> str:
        return "106000 + 1" if protocol == PLAYED else super().bound(protocol)


class OracleWalk(OracleTask):
    """A walk of n steps, n odd, each up with one and the same probability: does it end above where it began?
    K^2 is at most n, so that the judge's queries are linear in n. The probabilities are 1/2 plus or minus a few 64ths,
    the least for which the answer is sure enough, or up to three more."""

    name: ClassVar[str] = "oracle-walk"
    computed: ClassVar[str] = "walk"
    largest: ClassVar[int] = 999
    about: ClassVar[str] = _about(
        "walk goes up or down by up(0), up(1), …; its answer is whether it ends above the start."
    )

    def rounded(self, size: int) -> int:
        return size | 1

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        least = next(step for step in range(1, 33) if above(n, Fraction(32 + step, 64)) >= Fraction(2, 3))
        up = Fraction(32 + min(32, least + random.randint(0, 3)) * (1 if true else -1), 64)
        return {f"up({step})": str(up) for step in range(n)}

    def probability(self, data: Any) -> Fraction:
        n = data["input"]["n"]
        ups = {chance(data, f"up({step})") for step in range(n)}
        if len(ups) != 1:
            raise UsageError("a walk needs one probability for all its steps: its Lipschitz constant rests on that")
        return above(n, ups.pop())

    def bound(self, protocol: str) -> str:
        return "106000*n + 1" if protocol == PLAYED else super().bound(protocol)


class OracleSort(OracleTask):
    """Insertion sort of n items, 2 to 6, by comparisons that are right with probability 99/100: does item 0 come first?
    K is the number of comparisons, n (n - 1) / 2 at most."""

    name: ClassVar[str] = "oracle-sort"
    computed: ClassVar[str] = "sorting"
    largest: ClassVar[int] = 6
    about: ClassVar[str] = _about(
        "sorting inserts items 0 to n-1 by the comparisons less(i,j), i being the later item; its answer is whether item 0 "
        "ends up first."
    )

    def rounded(self, size: int) -> int:
        return max(2, size)

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        ranks = random.sample(range(1, n), n - 1)
        ranks.insert(0, 0)
        if not true:
            other = random.randrange(1, n)
            ranks[0], ranks[other] = ranks[other], ranks[0]
        pairs = ((i, j) for i in range(n) for j in range(i))
        return {f"less({i},{j})": "99/100" if ranks[i] < ranks[j] else "1/100" for i, j in pairs}

    def bound(self, protocol: str) -> str:
        return "26500*n^4 + 1" if protocol == PLAYED else super().bound(protocol)


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
        raise UsageError(
            f"computation {made.name} makes up to {made.queries(x)} queries; the bits of at most {ENUMERATED} are summed over"
        )
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
