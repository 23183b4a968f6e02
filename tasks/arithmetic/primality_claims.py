"""Questions about a number's being prime, and what two ways of taking them apart have in common.

Rule of this file: claims and how they rest on each other; the two ways are in `primality.py`."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from math import isqrt
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.question import Sample
from moot.protocols.trees.stability import Rests
from moot.tasks.arithmetic.primes import is_prime
from moot.tasks.family import Family, whole

YES, NO = "yes", "no"
WIDTH = 4
PRIME, FREE = re.compile(r"prime\((\d+)\)"), re.compile(r"free\((\d+),(\d+)\)")


class PrimeFamily(Family):
    """Is n prime? Half of the instances are prime, the others the product of two primes.
    What both decompositions share. `split` says which parts a question has, `join` what follows from their answers."""

    complexity_class: ClassVar[str] = "P"
    smallest = 4
    counted = "bits of the number"
    bases: ClassVar[int] = 0
    """How many bases a number is tested to; 0 where its possible divisors are taken by intervals."""

    @abstractmethod
    def split(self, text: str, look: Look, width: int) -> tuple[str, ...]:
        """The questions that a question's answer follows from, at most `width` where their number is free; () for none."""

    @abstractmethod
    def join(self, text: str, answers: Mapping[str, str], look: Look) -> str | None:
        """What the answers to parts say of a question; None when the parts do not settle it."""

    @abstractmethod
    def cell(self, text: str, look: Look) -> str:
        """The answer to a question by looking at the data, without asking any other."""

    def count(self, data: Any) -> int:
        return whole(data["n"]).bit_length()

    def ask(self, data: Any, random: Random) -> str:
        return f"prime({data['n']})"

    def rule(self, text: str, look: Look) -> Rule:
        parts = self.split(text, look, WIDTH)
        if not parts:
            return self.cell(text, look)
        answers = yield parts
        if not set(answers) <= {YES, NO}:
            return UNKNOWN
        return self.join(text, dict(zip(parts, answers, strict=True)), look) or UNKNOWN

    def rests(self, data: Any, text: str, rounds: int = 1, width: int = WIDTH) -> Iterator[Rests]:
        """The claims of an honest debate that are taken apart, each with how it rests on its parts: all true answers."""
        look, todo = looker(data), [(text, rounds)]
        for question, left in todo:
            if parts := self.split(question, look, width):
                yield self._rests(data, question, parts)
                todo += [(part, left - 1) for part in parts if left > 1]

    def _rests(self, data: Any, question: str, parts: tuple[str, ...]) -> Rests:
        true, alike = self.truth(data, question), self.alike(len(parts))
        answers = [self.truth(data, part) for part in parts]

        def fold(state: tuple[int, int], holds: bool) -> tuple[int, int]:
            place, noes = state
            return place + 1, noes + ((answers[place] == NO) == holds)

        return Rests(question, (True,) * len(parts), (0, 0), fold, lambda state: alike(state[1]) == true)

    @abstractmethod
    def alike(self, parts: int) -> Callable[[int], str]:
        """The answer to a question as it follows from how many of its parts are answered "no"."""

    def of(self, n: int, **more: Any) -> Sample:
        """The question about a number of your own. UsageError when it is below 5, or too large for its data to be listed."""
        if n < 5 or n.bit_length() > self.largest:
            raise UsageError(f"task {self.name} takes numbers from 5 to 2^{self.largest} - 1, not {n}")
        data = self.about_number(n, **more)
        text = f"prime({n})"
        first = self.truth(data, text) == self.either[0]  # the choices in one order, which says nothing of the number
        return self.pose(data, text, Random(n), true_first=first, id=f"{self.name}-{n}")

    @abstractmethod
    def about_number(self, n: int) -> dict[str, Any]:
        """The data of an instance about n."""

    def data(self, size: int, random: Random) -> dict[str, Any]:
        return self.about_number(drawn(size, random))


def span(text: str) -> tuple[int, int]:
    """The interval of possible divisors that a question is about. UsageError when it is about none."""
    if found := PRIME.fullmatch(text):
        low, high = 2, isqrt(int(found[1]))
    elif found := FREE.fullmatch(text):
        low, high = int(found[1]), int(found[2])
    else:
        raise UsageError(f"{text!r} is no question about a number; write prime(221) or free(5,7)")
    if not 2 <= low <= high:
        raise UsageError(f"{text!r}: an interval is from a number of at least 2 to one that is not smaller")
    return low, high


def opposite(answer: str) -> str:
    """The other of yes and no."""
    return NO if answer == YES else YES


def drawn(size: int, random: Random) -> int:
    """A number of `size` bits, at least 4: a prime, or a product of two whose smaller one lies anywhere up to the root."""
    least, prime = 2 ** (size - 1), random.random() < 0.5
    while True:
        if prime:
            n = random.randrange(least | 1, 2 * least, 2)
            if is_prime(n):
                return n
            continue
        factor = random.randint(3, isqrt(2 * least))
        other = random.randint(max(factor, least // factor), max(factor, 2 * least // factor))
        if least <= factor * other < 2 * least and is_prime(factor) and is_prime(other):
            return factor * other
