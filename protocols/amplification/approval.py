"""Approval: a model answers, and an amplified overseer says whether it approves, with or without seeing the answer.
Rule: one protocol and its moves; what is learned from approval is in `training/oversight.py`.

In approval-based amplification the overseer sees the model's answer, which can sway it; in imitative amplification it does
not (Christiano 2014, Approval-directed agents; the difference is discussed for the overseer of Learning the prior).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.amplification.amplification import Reply, Subquestions, Text, bounded
from moot.protocols.checks import checked, fill, need_choices, unseen
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Brief
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.engine.view import Entry, Source
from moot.protocols.quotes import quoted


class Claim(Move, argues=True, fixed_cells=1, quoting=("answer", "text")):
    """A model's answer to the question, and what it says for it."""

    kind: Literal["claim"] = "claim"
    answer: Text
    text: Annotated[str, Field(max_length=20_000)] = ""
    quotes: Quotes = ()

    def content(self) -> str:
        return f"{self.answer}\n{self.text}" if self.text else self.answer


class Approve(Move, argues=True, fixed_cells=1, read_as="approved"):
    """The overseer takes the answer that it was shown."""

    kind: Literal["approve"] = "approve"


class Approval(Protocol):
    """The seat "model" claims an answer; the seat "overseer", which may ask an earlier model sub-questions first, decides.

    seen=True: the overseer is shown the claim, and approves it or answers itself. seen=False: it answers itself, and is
    shown nothing that depends on the claim. Either way the claim is approved if it is the overseer's answer, and the
    model is paid 1 for approval, else 0. turns: calls of the overseer, the last of which must decide. width: sub-questions
    asked at a time. source: how the overseer sees the data; models see all of it, unless that is "none". check_quotes: whether
    quotes in the claim are verified.

    frozen: sub-questions go to the seat "earlier", a model that was trained before and is not trained by this play; who
    seats an agent for the role "model" seats it at both. An overseer that approves what it works out by asking about
    smaller questions reaches EXP (Hubinger 2020) by induction: where the earlier model is right on those, a claim is
    approved just where it is true. frozen=False: they go to the model itself. Being paid for approval, its best play is then
    to answer them so that its claim is approved, true or not.
    """

    name: ClassVar[str] = "approval"
    players: ClassVar[tuple[str, ...]] = ("model", "overseer")
    judge: ClassVar[str] = "overseer"
    measure: ClassVar[str] = "reads_per_call"
    complexity_class: ClassVar[str | None] = "EXP"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "model-right-below")
    unnamed: ClassVar[Mapping[str, Any]] = {"frozen": False, "check_quotes": False}

    seen: bool = True
    turns: Annotated[int, Field(ge=1)] = 8
    width: Annotated[int, Field(ge=1)] = 16
    source: Source = "metered"
    frozen: bool = True
    check_quotes: bool = True

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        return {"model": "model", "overseer": "overseer", **({"earlier": "model"} if self.frozen else {})}

    async def play(self, floor: Floor, question: Question) -> Decided:
        choices = question.choices

        def among(move: Move) -> Move:
            bounded(move, choices, self.width)
            if self.check_quotes and isinstance(move, Claim):
                return quoted(move, question.passage)
            return fill(move, of=question.text) if isinstance(move, Reply | Subquestions) else move

        one_of = {"answer": [*choices, UNKNOWN]}
        claim: Claim = await floor.ask(
            "model", Claim, view=floor.only(question.text, choices=choices, source=self.known()), check=among,
            say=False, to=("overseer",) if self.seen else (), task="claim", one_of=one_of,
        )  # fmt: skip
        shown = [Entry(floor.step, "model", claim)] if self.seen else []
        under = floor.step if self.seen else None
        decides: Any = Approve | Reply if self.seen else Reply
        asks: Any = Approve | Reply | Subquestions if self.seen else Subquestions | Reply
        for left in reversed(range(self.turns)):
            brief: Brief = {"task": "oversee", "one_of": one_of}
            if left:
                brief["most"] = {"questions": self.width}
            said = await floor.ask(
                "overseer", asks if left else decides,
                view=floor.only(question.text, *shown, choices=choices, source=self.source), check=among,
                say=False, to=("overseer",), under=under, relation="answers", **brief,
            )  # fmt: skip
            if not isinstance(said, Subquestions):
                return self.decided(claim, said, choices, floor.step)
            step = floor.step
            shown.append(Entry(step, "overseer", said))
            parts = (self.part(floor, text, step) for text in said.questions)
            shown += await floor.parallel(*parts, seats=[self.answering] * len(said.questions))
        raise AssertionError("the last turn asks for no sub-questions")

    def decided(self, claim: Claim, said: Approve | Reply, choices: tuple[str, ...], step: str) -> Decided:
        """The decision: all belief on the overseer's answer, or even shares for none; and whether the claim is approved."""
        answer = claim.answer if isinstance(said, Approve) else said.answer
        known = answer in choices
        shares = [float(choice == answer) if known else 1 / len(choices) for choice in choices]
        approved = isinstance(said, Approve) or (known and answer == claim.answer)
        return Decided(Verdict(probabilities=tuple(shares), text=answer), {"model": float(approved)}, step=step)

    def known(self) -> Source:
        """How the model sees the data."""
        return "none" if self.source == "none" else "all"

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {
            seat: self.source if role == "overseer" else self.known() for seat, role in self.roles(question).items()
        }

    @property
    def answering(self) -> str:
        """The seat that answers sub-questions."""
        return "earlier" if self.frozen else "model"

    async def part(self, floor: Floor, text: str, under: str) -> Entry:
        """A model's answer to a sub-question. It sees neither the claim nor the other sub-questions."""
        seat = self.answering
        move: Reply = await floor.ask(
            seat, Reply, view=floor.only(text, source=self.known()), check=checked(of=text), say=False,
            to=("overseer",), under=under, relation="answers", task="amplify",
        )  # fmt: skip
        return Entry(floor.step, seat, move)

    def decides(self, question: Question) -> str | None:
        """An overseer that may ask nothing decides alone: P."""
        return "P" if self.turns == 1 else self.complexity_class

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        if self.frozen or self.turns == 1:
            return unseen(self.judge, self.source, question)
        return "the model that is paid for its claim answers the sub-questions too, and may fit them to it: frozen=True"

    def utility_bound(self, question: Question) -> float:
        return 1.0

    def most_moves(self, question: Question) -> dict[str, int] | None:
        parts = self.width * (self.turns - 1)
        models = {"model": 1, "earlier": parts} if self.frozen else {"model": 1 + parts}
        return {**models, "overseer": self.turns}
