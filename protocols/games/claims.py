"""What the games about a yes-or-no question share: who claims which answer, and what winning pays.
Rule: what holds in every such game; nothing of any one problem."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from moot.protocols.checks import TwoSided
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.scoring import ScoringRule


class ClaimGame(TwoSided):
    """A debate between the claimant of the first of `claims` and its opponent, on data that `fit` accepts.

    Seat a defends choice 0 and seat b choice 1; whoever defends `claims[0]` is the claimant.
    """

    complexity_class: ClassVar[str | None] = "PSPACE"
    claims: ClassVar[tuple[str, str]] = ("yes", "no")

    scoring: ScoringRule = ScoringRule(rule="brier")

    def fit(self, question: Question) -> str | None:
        """What is wrong with the question's data; None when nothing is. It may as well be raised as UsageError."""
        raise UsageError(f"{type(self).__name__} does not say what data it takes: define fit(question)")

    def roles(self, question: Question) -> dict[str, str]:
        if sorted(question.choices) != sorted(self.claims):
            raise UsageError(f"{self.name} needs the choices {' and '.join(self.claims)}, not {question.choices}")
        try:
            problem = self.fit(question)
        except UsageError as error:
            problem = str(error)
        if problem is not None:
            raise UsageError(f"{self.name}: question {question.text!r}: {problem}")
        return super().roles(question)

    def stances(self, question: Question) -> dict[str, int]:
        return {"a": 0, "b": 1}

    def sees(self, question: Question) -> dict[str, Source]:
        return {"a": "all", "b": "all", "judge": "metered"}

    def sides(self, question: Question) -> tuple[str, str]:
        """The seat of the claimant, and that of its opponent."""
        return ("a", "b") if question.choices[0] == self.claims[0] else ("b", "a")

    def sure(self, question: Question, claimed: bool, text: str) -> Verdict:
        """The verdict for the claimant, or for its opponent."""
        return Verdict.sure(int(claimed != (question.choices[0] == self.claims[0])), text=text)


def named(parameter: str | None, value: Any, data: Any, kind: str) -> tuple[str, Any]:
    """A name and an input: the parameters, or where there is none what the question's data says. UsageError when neither
    does."""
    if parameter is not None:
        return parameter, value
    if not isinstance(data, dict) or not isinstance(data.get(kind), str):
        raise UsageError(f'name the {kind}: its parameter, or data {{"{kind}": NAME, "input": …}}')
    return data[kind], data.get("input")


def graph_problem(data: Any, *ends: str) -> str | None:
    """What is wrong with a graph, {"edges": [[0, 1, …], …]}, a square matrix of 0 and 1, in which these name vertices."""
    if not isinstance(data, dict) or not {*ends, "edges"} <= set(data) or not square(data["edges"]):
        example = dict(zip(ends, (0, 1), strict=False)) | {"edges": [[0, 1], [0, 0]]}
        return f"data is no graph with {' and '.join(ends)}; give {json.dumps(example)}"
    count = len(data["edges"])
    outside = [data[end] for end in ends if data[end] not in range(count)]
    return f"there is no vertex {outside[0]!r} among {count}" if outside else None


def square(matrix: object) -> bool:
    """Whether this is a matrix of 0 and 1 with as many rows as columns, at least one."""
    rows = matrix if isinstance(matrix, list) else []
    right = (isinstance(row, list) and len(row) == len(rows) and all(x in (0, 1) for x in row) for row in rows)
    return bool(rows) and all(right)
