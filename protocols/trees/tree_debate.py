"""Argument trees in free form: claims under the question or any claim, by either debater, in any order.

It expresses what people save elsewhere: trees with several claims under one (dc-debates, 2026), and turns that make
several claims and cite others (LLM Debate Benchmark of Mazur, 2026).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.debate.parts import limits
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum
from moot.protocols.trees.moves import RELATIONS, Assertion, Reaction, stated

ROOT = "q"


class TreeDebate(Protocol):
    """Each turn a debater responds to the question or to a claim, and puts claims of its own under it; a judge decides.

    turns: who has the turn, a seat's letter after the other. most: claims in one turn. limit: of a claim. cites:
    how many earlier claims a claim may cite. judge_source: whether the judge sees the source. The judge reads the whole
    tree, and no class is claimed. Raises UsageError on a question without two choices.
    """

    name: ClassVar[str] = "tree-debate"
    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True

    turns: Annotated[str, Field(pattern=r"^[ab]*$")] = "abab"
    most: Annotated[int, Field(ge=1, le=16)] = 16
    limit: Limit | None = None
    cites: Annotated[int, Field(ge=0)] = 16
    judge_source: Source = "metered"
    scoring: ScoringRule = ScoringRule(rule="brier")

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError(f"a tree debate needs 2 choices; {question.text!r} has {len(question.choices)}")
        return {"a": "debater", "b": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        claims: dict[str, None] = {}  # the steps of all claims, in order
        for seat in self.turns:
            reaction = await floor.ask(
                seat, Reaction, view=floor.said(source="all"), check=_at(claims, self.most), task="react",
                answer="ab".index(seat), one_of={"to": [ROOT, *claims]}, below={"claims": self.most + 1},
            )  # fmt: skip
            above = "" if reaction.to == ROOT else reaction.to
            for _ in range(reaction.claims):
                cited: dict[str, Any] = {"one_of": {"cites": [*claims]}} if claims and self.cites else {}
                await floor.ask(
                    seat, Assertion, view=floor.said(source="all"), under=reaction.to,
                    relation=RELATIONS[reaction.label], task="claim", answer="ab".index(seat),
                    check=stated(claims, self.cites, self.limit, above, reaction.label),
                    claim=reaction.to, label=reaction.label, most={"cites": min(self.cites, len(claims))},
                    **limits(self.limit, None), **cited,
                )  # fmt: skip
                claims[floor.step] = None
        view = floor.said(source=self.judge_source)
        verdict = await floor.ask("judge", Verdict, view=view, task="verdict")
        payoffs = zero_sum(self.scoring, verdict.probabilities, ("a", "b"))
        return Decided(verdict, payoffs=payoffs, step=floor.step)

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, 2)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        each = 1 + self.most
        return {"a": each * self.turns.count("a"), "b": each * self.turns.count("b"), "judge": 1}


def _at(claims: dict[str, None], most: int) -> Callable[[Reaction], Reaction]:
    """The check of a reaction: it is to the question, or to a claim that was made."""

    def check(move: Reaction) -> Reaction:
        if move.to != ROOT and move.to not in claims:
            raise Illegal(f"there is no claim {move.to!r} to react to; there are {', '.join([ROOT, *claims])}")
        if move.claims > most:
            raise Illegal(f"at most {most} claims may be made in one turn, not {move.claims}")
        return move

    return check
