"""What the games about a yes-or-no question share: who claims which answer, and what winning pays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum


class ClaimGame(Protocol):
    """A debate between the claimant of the first of `claims` and its opponent, on data that `fit` accepts.

    Seat a defends choice 0 and seat b choice 1; whoever defends `claims[0]` is the claimant.
    """

    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    complexity_class: ClassVar[str | None] = "PSPACE"
    zero_sum: ClassVar[bool] = True
    claims: ClassVar[tuple[str, str]] = ("yes", "no")

    scoring: ScoringRule = ScoringRule(rule="brier")

    def fit(self, question: Question) -> str | None:
        """What is wrong with the question's data; None when nothing is."""
        raise UsageError(f"{type(self).__name__} does not say what data it takes: define fit(question)")

    def roles(self, question: Question) -> dict[str, str]:
        if sorted(question.choices) != sorted(self.claims):
            raise UsageError(f"{self.name} needs the choices {' and '.join(self.claims)}, not {question.choices}")
        if (problem := self.fit(question)) is not None:
            raise UsageError(f"{self.name}: question {question.text!r}: {problem}")
        return {"a": "debater", "b": "debater", "judge": "judge"}

    def stances(self, question: Question) -> dict[str, int]:
        return {"a": 0, "b": 1}

    def sides(self, question: Question) -> tuple[str, str]:
        """The seat of the claimant, and that of its opponent."""
        return ("a", "b") if question.choices[0] == self.claims[0] else ("b", "a")

    def decided(self, floor: Floor, verdict: Verdict) -> Decided:
        """What the judge's verdict, given in this step, pays."""
        return Decided(verdict, payoffs=self._pay(verdict.probabilities), step=floor.step)

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, 2)

    def _pay(self, probabilities: tuple[float, ...]) -> dict[str, float]:
        scoring: Any = self.scoring  # frozen, and so hashable
        return dict(_paid(scoring, probabilities))


@lru_cache(maxsize=1024)
def _paid(scoring: ScoringRule, probabilities: tuple[float, ...]) -> dict[str, float]:
    return zero_sum(scoring, probabilities, ("a", "b"))


def square(matrix: object) -> bool:
    """Whether this is a matrix of 0 and 1 with as many rows as columns, at least one."""
    return (
        isinstance(matrix, list)
        and bool(matrix)
        and all(isinstance(row, list) and len(row) == len(matrix) and all(x in (0, 1) for x in row) for row in matrix)
    )
