"""The debate about a quantified Boolean formula, which makes debate as strong as PSPACE.
Rule: one game and its move; formulas are drawn, read and decided in `tasks/logic`.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899): deciding such a formula is a game in which the one who says that it
is true sets the existential variables, and the other the universal ones. The judge looks at one assignment only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, Literal

from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.values.frozen import remade
from moot.protocols.games.claims import ClaimGame


class Assign(Move, argues=True, filled=("variable",), fixed_reading=1):
    """The value of the variable whose turn it is. The protocol writes its number into `variable`, whatever was there."""

    kind: Literal["assign"] = "assign"
    value: bool
    variable: int = 0

    def in_words(self) -> str:
        return f"x{self.variable} = {'true' if self.value else 'false'}"

    def prompt_body(self) -> str:
        return self.in_words()


class QBFDebate(ClaimGame):
    """Is the quantified formula true? The claimant of "true" sets the existential variables, its opponent the others.

    question.data is {"prefix": [["a", [1]], ["e", [2, 3]], …], "clauses": [[1, -2, 3], …]}, with literals as in DIMACS:
    variables count from 1 and every one in a clause is quantified once. The prefix is read from the left. The judge
    reads the n values, then clauses up to the first that is false: at most n + m reads, of a tree of 2^(n+1) − 1
    positions. Under optimal play the true answer wins.
    """

    name: ClassVar[str] = "qbf-debate"
    dynamics: ClassVar[str] = "sequential"
    claims: ClassVar[tuple[str, str]] = ("true", "false")

    def fit(self, question: Question) -> str | None:
        try:
            return _problem(variables(question.data), question.data["clauses"])  # type: ignore[index, call-overload]
        except (TypeError, KeyError, ValueError, IndexError, AttributeError):
            return 'data is no formula; give {"prefix": [["a", [1]], ["e", [2]]], "clauses": [[1, -2]]}'

    async def play(self, floor: Floor, question: Question) -> Decided:
        return await self.onward(floor, question, ())

    async def onward(self, floor: Floor, question: Question, moves: Sequence[Move]) -> Decided:
        exists, forall = self.sides(question)
        under = floor.step if moves else None
        for quantifier, variable in variables(question.data)[len(moves) :]:
            seat, relation = (exists, "supports") if quantifier == "e" else (forall, "attacks")
            await floor.ask(
                seat, Assign, view=floor.said(source="all"), check=_sets(variable), under=under, relation=relation,
                task="assign", details={"quantifier": quantifier, "variable": variable},
            )  # fmt: skip
            under = floor.step
        return await self.judged(floor, floor.said(source="metered"))

    def full_tree_size(self, question: Question) -> int | None:
        return (2 << len(variables(question.data))) - 1

    def most_moves(self, question: Question) -> dict[str, int] | None:
        exists, forall = self.sides(question)
        by = [quantifier for quantifier, _ in variables(question.data)]
        return {exists: by.count("e"), forall: by.count("a"), "judge": 1}


def variables(data: Any) -> list[tuple[str, int]]:
    """The quantified variables of a formula from the outside in: ("a" or "e", number)."""
    return [(quantifier, variable) for quantifier, block in data["prefix"] for variable in block]


@cache
def _sets(variable: int) -> Callable[[Assign], Assign]:
    """The check of an assignment: it is about this variable."""
    filled = {"variable": variable}
    return lambda move: remade(move, filled)


def _problem(prefix: list[tuple[str, int]], clauses: Any) -> str | None:
    bound = [variable for _, variable in prefix]
    if not all(type(x) is int and x > 0 for x in bound) or len(set(bound)) < len(bound):
        return "its prefix must hold variables, numbers from 1 on, each once"
    if not all(quantifier in ("a", "e") for quantifier, _ in prefix):
        return 'its quantifiers must be "a" (for all) and "e" (there is)'
    for clause in clauses:
        for literal in clause:
            if type(literal) is not int or abs(literal) not in bound:
                return f"literal {literal!r} of clause {clause} is of no variable in its prefix"
    return None
