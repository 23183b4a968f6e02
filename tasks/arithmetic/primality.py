"""Primality in two decompositions: by intervals of possible divisors, which obfuscates, and by bases, which is stable.
Rule: the tasks; claims are in `primality_claims.py`, who debates them in `primality_programs.py`.

Barnes and Christiano 2020 (Debate update: obfuscated arguments problem) give the first as the example of an argument
with one false part that nobody can find. The second is the strong probable prime test (Miller 1976; Rabin 1980)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isqrt
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.question import Question
from moot.tasks.arithmetic.primality_claims import NO, PRIME, WIDTH, YES, PrimeFamily, drawn, span
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover, Searcher
from moot.tasks.arithmetic.primes import is_prime, passes_to
from moot.tasks.base import Task
from moot.tasks.family import entries, whole
from moot.tasks.programs.play import Options, Play, listed

_PASSES = re.compile(r"passes\((\d+)\)")


def debated(bound: str, options: Options) -> dict[str, Play]:
    """The two debates that a prover holds about such claims."""
    judged = {"prover": "prover", "judge": "claim-judge"}
    return {
        "prover-estimator": Play({**judged, "estimator": "estimator"}, bound, options),
        "decomposition-debate": Play({**judged, "opponent": "searcher"}, bound, options),
    }


def _by_intervals(question: Question) -> dict[str, Any]:
    """As many rounds as leave a single divisor."""
    cells, rounds = isqrt(2**question.size) - 1, 1
    while WIDTH ** (rounds + 1) < cells:
        rounds += 1
    return {"rounds": rounds, "width": WIDTH, "source": "metered"}


class PrimeTask(PrimeFamily, Task):
    """A task about prime numbers, with the programs that debate it."""

    def programs(self) -> dict[str, Callable[[], Any]]:
        mine: dict[str, Callable[[], Any]] = {
            "prover": lambda: Prover(self), "lying-prover": lambda: Prover(self, lies=True),
            "obfuscator": lambda: Prover(self, lies=True, knows=False), "estimator": lambda: Estimator(self),
            "searcher": lambda: Searcher(self), "guesser": lambda: Searcher(self, divisions=0),
            "claim-judge": lambda: ClaimJudge(self),
        }  # fmt: skip
        return {**super().programs(), **mine}


class Primality(PrimeTask):
    """Is n prime? It is when no number from 2 to its square root divides it, interval by interval, each split in four.
    Size: the bits of n. Data: the number, and its remainders by 2, 3, …, ⌊√n⌋; to look at one is a trial division."""

    name: ClassVar[str] = "primality"
    about: ClassVar[str] = (
        "prime(221) asks whether 221 is prime, and free(5,7) whether none of the numbers 5, 6, 7 divides the number in the data; "
        "the answer is yes or no. A number is prime when none from 2 to its square root, rounded down, divides it. "
        "remainders[i] in the data is the remainder by i + 2: looking at it is one trial division."
    )
    reads: ClassVar[str] = "6"
    source: ClassVar[str] = "Barnes and Christiano 2020, Debate update: obfuscated arguments problem"
    largest = 28
    plays = debated("2*n + 12", _by_intervals)

    def about_number(self, n: int) -> dict[str, Any]:
        return {"n": n, "remainders": [n % divisor for divisor in range(2, isqrt(n) + 1)]}

    def count(self, data: Any) -> int:
        if entries(data["remainders"]) != isqrt(whole(data["n"])) - 1:
            raise ValueError(f"a remainder by each number from 2 to the root of {data['n']} is wanted")
        return super().count(data)

    def truth(self, data: Any, text: str) -> str:
        low, high = span(text)
        if text.startswith("prime") and text != f"prime({data['n']})" or high > len(data["remainders"]) + 1:
            raise UsageError(f"{text!r} is no question about {data['n']}")
        return NO if any(data["n"] % divisor == 0 for divisor in range(low, high + 1)) else YES

    def split(self, text: str, look: Look, width: int) -> tuple[str, ...]:
        low, high = span(text)
        if low == high and text.startswith("free"):
            return ()
        count = min(width, high - low + 1)
        edges = [low + (high - low + 1) * part // count for part in range(count + 1)]
        return tuple(f"free({a},{b - 1})" for a, b in zip(edges, edges[1:], strict=False))

    def join(self, text: str, answers: Mapping[str, str], look: Look) -> str | None:
        low, high = span(text)
        try:
            parts = sorted(map(span, answers))
        except (UsageError, ValueError):
            return None
        for a, b in parts:
            if not a <= low <= b:
                return None
            low = b + 1
        return None if low <= high else NO if NO in answers.values() else YES

    def alike(self, parts: int) -> Callable[[int], str]:
        return lambda noes: NO if noes else YES

    def cell(self, text: str, look: Look) -> str:
        low, high = span(text)
        # From above, so that an interval which goes beyond the data is found out at once.
        return NO if any(look("remainders", divisor - 2) == 0 for divisor in range(high, low - 1, -1)) else YES

    def questions(self, data: Any) -> Iterator[str]:
        high = len(data["remainders"]) + 1
        if high > 300:
            raise UsageError(f"task primality: the intervals up to {high} are too many to list")
        yield f"prime({data['n']})"
        yield from (f"free({low},{top})" for low in range(2, high + 1) for top in range(low, high + 1))


class PrimalityByBases(PrimeTask):
    """Is n prime? It is when it passes the strong probable prime test to most of nine bases: a prime passes to every one, an
    odd product to at most a quarter of all (Rabin 1980), and in the instances made to less than half of the nine. Size:
    the bits of n. Data: the number, the bases, and 1 or 0 for each: to look at one is a modular exponentiation."""

    name: ClassVar[str] = "primality-by-bases"
    about: ClassVar[str] = (
        "prime(221) asks whether 221 is prime, and passes(3) whether the number in the data passes the strong probable prime "
        "test to base 3; the answer is yes or no. It is prime when it passes to most of the bases in the data. passes[i] in "
        "the data is 1 when it passes to the base bases[i], else 0."
    )
    reads: ClassVar[str] = "30"
    source: ClassVar[str] = "Rabin 1980, Probabilistic algorithm for testing primality"
    smallest, largest = 1, 32
    bases = 9
    plays = debated("60", {"rounds": 1, "width": bases, "source": "metered"})

    def about_number(self, n: int, bases: Sequence[int] = ()) -> dict[str, Any]:
        chosen = list(bases) or Random(n).sample(range(2, min(n - 1, 10**6)), min(self.bases, n - 3))
        passes = [int(passes_to(n, base)) for base in chosen]
        if n % 2 == 0 or (2 * sum(passes) > len(passes)) != is_prime(n):
            raise UsageError(f"{n} is even, or the bases {chosen} do not tell whether it is prime; give others")
        return {"n": n, "bases": chosen, "passes": passes}

    def data(self, size: int, random: Random) -> dict[str, Any]:
        while True:
            n = drawn(max(size, 6), random)
            try:
                return self.about_number(n, random.sample(range(2, n - 1), self.bases))
            except UsageError:
                continue

    def truth(self, data: Any, text: str) -> str:
        if text == f"prime({data['n']})":
            return YES if is_prime(data["n"]) else NO
        found = _PASSES.fullmatch(text)
        if found is None or int(found[1]) not in data["bases"]:
            raise UsageError(f"{text!r} is no question about {data['n']} and its bases")
        return YES if passes_to(data["n"], int(found[1])) else NO

    def split(self, text: str, look: Look, width: int) -> tuple[str, ...]:
        if _PASSES.fullmatch(text):
            return ()
        if PRIME.fullmatch(text) is None:
            raise UsageError(f"{text!r} is no question about a number; write prime(221) or passes(3)")
        return tuple(f"passes({base})" for base in listed(look, "bases"))

    def join(self, text: str, answers: Mapping[str, str], look: Look) -> str | None:
        if sorted(answers) != sorted(self.split(text, look, 0)) or not answers:
            return None
        return self.alike(len(answers))(list(answers.values()).count(NO))

    def alike(self, parts: int) -> Callable[[int], str]:
        return lambda noes: NO if 2 * noes >= parts else YES

    def cell(self, text: str, look: Look) -> str:
        found = _PASSES.fullmatch(text)
        if found is None:
            answers = {part: self.cell(part, look) for part in self.split(text, look, 0)}
            return self.join(text, answers, look) or UNKNOWN
        place = next((i for i, base in enumerate(listed(look, "bases")) if base == int(found[1])), None)
        if place is None:
            raise UsageError(f"{text!r}: {found[1]} is none of the bases")
        return YES if look("passes", place) else NO

    def questions(self, data: Any) -> Iterator[str]:
        yield f"prime({data['n']})"
        yield from (f"passes({base})" for base in data["bases"])
