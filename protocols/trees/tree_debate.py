"""Argument trees in free form: claims under the question or any claim, by either debater, in any order.
Rule: one protocol; its claims, and how they are checked, are in `moves.py`.

It expresses what people save elsewhere: trees with several claims under one (dc-debates, 2026), and turns that make
several claims and cite others (LLM Debate Benchmark of Mazur, 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.checks import TwoSided, checked, need_passage, told
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.scoring import ScoringRule
from moot.protocols.trees.moves import RELATIONS, Assertion, Reaction, stated

ROOT = "q"


class TreeDebate(TwoSided):
    """Each turn a debater responds to the question or to a claim, and puts claims of its own under it; a judge decides.

    turns: who has the turn, a seat's letter after the other. most: claims in one turn. limit: of a claim. cites:
    how many earlier claims a claim may cite. judge_source: whether the judge sees the source. quotes: what a claim must
    quote ("free", "required", "verified"); check_quotes: whether quotes in claims are verified. The judge reads the whole
    tree, and no class is claimed. Raises UsageError on a question without two choices, or without the passage that must be
    quoted.
    """

    name: ClassVar[str] = "tree-debate"
    dynamics: ClassVar[str] = "sequential"
    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    turns: Annotated[str, Field(pattern=r"^[ab]*$")] = "abab"
    most: Annotated[int, Field(ge=1, le=16)] = 16
    limit: Limit | None = None
    cites: Annotated[int, Field(ge=0)] = 16
    judge_source: Source = "metered"
    scoring: ScoringRule = ScoringRule(rule="brier")
    quotes: Quoting = "free"
    check_quotes: bool = True

    def roles(self, question: Question) -> dict[str, str]:
        need_passage(self, question, self.quotes)
        return super().roles(question)

    def sees(self, question: Question) -> dict[str, Source]:
        return {"a": "all", "b": "all", "judge": self.judge_source}

    async def play(self, floor: Floor, question: Question) -> Decided:
        claims: dict[str, None] = {}  # the steps of all claims, in order

        def check(move: Reaction) -> Reaction:
            if move.claims > self.most:
                raise Illegal(f"at most {self.most} claims may be made in one turn, not {move.claims}")
            return checked({"to": [ROOT, *claims]})(move)

        for seat in self.turns:
            reaction = await floor.ask(
                seat, Reaction, view=floor.said(source="all"), check=check, task="react", answer="ab".index(seat),
                one_of={"to": [ROOT, *claims]}, below={"claims": self.most + 1},
            )  # fmt: skip
            above = "" if reaction.to == ROOT else reaction.to
            for _ in range(reaction.claims):
                cited: dict[str, Any] = {"one_of": {"cites": [*claims]}} if claims and self.cites else {}
                rules = (claims, self.cites, self.limit, above, reaction.label, question.passage, self.quotes)
                await floor.ask(
                    seat, Assertion, view=floor.said(source="all"), under=reaction.to,
                    relation=RELATIONS[reaction.label], task="claim", answer="ab".index(seat),
                    check=stated(*rules, False, self.check_quotes), last=stated(*rules, True, self.check_quotes),
                    claim=reaction.to, label=reaction.label, most={"cites": min(self.cites, len(claims))},
                    **told(self.limit, quotes=self.quotes), **cited,
                )  # fmt: skip
                claims[floor.step] = None
        return await self.judged(floor, floor.said(source=self.judge_source))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        each = 1 + self.most
        return {"a": each * self.turns.count("a"), "b": each * self.turns.count("b"), "judge": 1}
