"""Exact probabilities of stochastic doubly-efficient debates: against a given strategy, and against the best one.

The game is small where the computation is: every history of bits is looked at once, and means of samples are summed
over their binomial distribution. Nothing is drawn."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from moot.protocols.games.computations import Computation
from moot.protocols.games.doubly_efficient import Constants
from moot.tasks.arithmetic.binomial import distribution, near
from moot.tasks.oracle.computations import after

Bits = tuple[bool, ...]
Claims = Callable[[Bits, float], Iterable[tuple[float, float]]]
"""From the bits so far and the oracle's probability to what Alice may state, each with the probability that she does."""
Accepts = Callable[[Bits, float, float], float]
"""From the bits so far, the oracle's probability and what Alice states to the probability that Bob accepts it."""
Position = tuple[Bits, float, float, float]
"""The bits so far, the oracle's probability, and Alice's chances after a 1 and after a 0."""


class ExactDebate:
    """One debate whose probabilities are computed. key: histories with equal keys are equal positions, or equal answers
    (for a chain: the number of bits, and the last one)."""

    def __init__(
        self, made: Computation, x: Any, chance: Callable[[str], Fraction], rules: Constants,
        key: Callable[[Bits], Hashable] = lambda bits: bits,
    ) -> None:  # fmt: skip
        self.made, self.x, self.chance, self.rules, self.key = made, x, chance, rules, key

    def honest_claims(self, bits: Bits, p: float) -> Iterable[tuple[float, float]]:
        """What honest Alice states: a mean of her samples."""
        drawn = distribution(self.rules.alice, p)
        return ((count / drawn.n, mass) for count, mass in enumerate(drawn.mass, drawn.low))

    def honest_accepts(self, bits: Bits, p: float, claim: float) -> float:
        """How often honest Bob accepts."""
        return near(self.rules.bob, p, claim, self.rules.bob_within)

    def tested(self, p: float, claim: float) -> float:
        """How often the judge finds for Alice."""
        return near(self.rules.judge, p, claim, self.rules.judge_within)

    def wins(self, claims: Claims | None = None, accepts: Accepts | None = None) -> float:
        """The probability that Alice wins, with these strategies; those that are None are honest."""
        claims, accepts = claims or self.honest_claims, accepts or self.honest_accepts

        def here(at: Position) -> float:
            bits, p, up, down = at
            total = 0.0
            for claim, mass in claims(bits, p):
                accepted = accepts(bits, p, claim)
                total += mass * accepted * (claim * up + (1 - claim) * down)
                total += mass * (1 - accepted) * self.tested(p, claim) if accepted < 1 else 0.0
            return total

        return self._value(here)

    def against_best_bob(self) -> float:
        """The probability that honest Alice wins against the Bob who does best of all, knowing every probability."""

        def here(at: Position) -> float:
            bits, p, up, down = at
            return sum(
                mass * min(claim * up + (1 - claim) * down, self.tested(p, claim))
                for claim, mass in self.honest_claims(bits, p)
            )

        return self._value(here)

    def best_alice(self, shifts: Sequence[float]) -> float:
        """The probability that Alice wins against honest Bob when at every position she states what does best of 0, 1, and
        the oracle's probability moved by one of `shifts`."""

        def here(at: Position) -> float:
            bits, p, up, down = at
            best = 0.0
            for claim in {0.0, 1.0, *(min(1.0, max(0.0, p + shift)) for shift in shifts)}:
                accepted = self.honest_accepts(bits, p, claim)
                value = accepted * (claim * up + (1 - claim) * down)
                best = max(best, value + (1 - accepted) * self.tested(p, claim))
            return best

        return self._value(here)

    def _value(self, here: Callable[[Position], float]) -> float:
        known: dict[Hashable, float] = {}

        def value(bits: Bits) -> float:
            name = self.key(bits)
            if name not in known:
                asked = after(self.made, self.x, bits)
                if isinstance(asked, bool):
                    known[name] = float(asked)
                else:
                    up, down = value((*bits, True)), value((*bits, False))
                    known[name] = here((bits, float(self.chance(asked)), up, down))
            return known[name]

        return value(())
