"""Recursive debate: a claim, the main objection to it, the main objection to that, and so on down one path of a tree.
Rule: one protocol; its claims, and how they are checked, are in `moves.py`.

The form in which people wrote such trees by hand (dc-debates, 2026), after the recursion of Irving, Christiano and
Amodei 2018 (arXiv 1805.00899): each debater knows answers to all that could be objected, and one path of it is ever
said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.checks import TwoSided, checked, need_passage, told, unseen
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.scoring import ScoringRule
from moot.protocols.trees.moves import RELATIONS, Assertion, Response, stated


class RecursiveDebate(TwoSided):
    """a claims the first answer; b says yes, or objects; a says yes to the main objection, or objects to that; and so
    on.

    Each response is a label: "yes", "yes but" (it leaves out something of weight), "secondary objection" or "main
    objection". All but "yes" are followed by a claim of its own under the one that is responded to. Only the main
    objection is answered in turn; what is said on the side is a leaf of the tree. A "yes" ends the line.

    The judge reads one path: the first claim, the main objections below it, and the yes at its end if there is one; at
    most depth + 1 statements of the tree of main objections that could have been made. It may look at the data.

    Of a line that was cut at its depth nothing is claimed. Of one that ended before, `deep-enough` is assumed: whoever would
    lose at the last level, to a lie that nobody may answer, loses nothing by a yes to an earlier one.

    depth: main objections in a row. objections: to one claim, the main one included. limit: of a claim. cites: how many
    earlier claims a claim may cite, by their steps. judge_source: whether the judge sees the source. quotes: what a claim
    must quote ("free", "required", "verified"); check_quotes: whether quotes in claims are verified. Raises UsageError on a
    question without two choices, or without the passage that must be quoted.
    """

    name: ClassVar[str] = "recursive-debate"
    complexity_class: ClassVar[str | None] = "PSPACE"
    assumes: ClassVar[tuple[str, ...]] = (*TwoSided.assumes, "deep-enough")
    dynamics: ClassVar[str] = "sequential"
    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    depth: Annotated[int, Field(ge=0)] = 4
    objections: Annotated[int, Field(ge=1)] = 2
    limit: Limit | None = None
    cites: Annotated[int, Field(ge=0)] = 4
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
        said: list[str] = []  # the steps of all claims, in order
        speaker, rival = "a", "b"
        claim = await self._claim(floor, speaker, None, "", said)
        line = [claim]
        for _ in range(self.depth):
            answer = await self._respond(floor, rival, claim.step, said)
            line.append(answer)
            if isinstance(answer.move, Response):  # agreement
                break
            claim, speaker, rival = answer, rival, speaker
        view = floor.only(question.text, *line, choices=question.choices, source=self.judge_source)
        return await self.judged(floor, view)

    async def _respond(self, floor: Floor, seat: str, to: str, said: list[str]) -> Entry:
        """The seat's main objection to a claim, or its yes, after what it says on the side."""
        left = self.objections
        while True:
            labels = ["yes", "main objection", *(["secondary objection", "yes but"] if left > 1 else [])]
            response = await floor.ask(
                seat, Response, view=floor.said(source="all"), check=checked({"label": labels}, to=to), task="respond",
                claim=to, answer="ab".index(seat), one_of={"label": labels},
            )  # fmt: skip
            if response.label == "yes":
                return Entry(floor.step, seat, response)
            objection = await self._claim(floor, seat, to, response.label, said)
            if response.label == "main objection":
                return objection
            left -= 1

    async def _claim(self, floor: Floor, seat: str, to: str | None, label: str, said: list[str]) -> Entry:
        where: dict[str, Any] = {} if to is None else {"claim": to, "label": label}
        if said and self.cites:
            where["one_of"] = {"cites": [*said]}
        rules = (said, self.cites, self.limit, to or "", label, floor.question.passage, self.quotes)
        move = await floor.ask(
            seat, Assertion, view=floor.said(source="all"), under=to, relation=RELATIONS[label],
            check=stated(*rules, False, self.check_quotes), last=stated(*rules, True, self.check_quotes),
            task="claim", answer="ab".index(seat), most={"cites": min(self.cites, len(said))},
            **told(self.limit, quotes=self.quotes), **where,
        )  # fmt: skip
        said.append(floor.step)
        return Entry(floor.step, seat, move)

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        if not any(move["kind"] == "response" and move["label"] == "yes" for move in moves):
            return f"the line was cut at depth {self.depth}: its last claim could not be objected to"
        return unseen(self.judge, self.judge_source, question)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        turns = 2 * self.objections  # a label and a claim each
        return {"a": 1 + turns * (self.depth // 2), "b": turns * -(-self.depth // 2), "judge": 1}
