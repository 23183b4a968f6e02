"""Double consultancy: a consultant for each answer, none of whom knows what the others say, and one judge.
Rule: one protocol; what several debates share is in `parts.py`.

Arnesen, Rein and Michael 2024 (arXiv 2409.16636). In their code the speeches of two separate consultancies are put one
after the other into one transcript, which the judge of a debate reads: what debate adds to it is that debaters hear
each other. `judged="apart"` is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Speeches, Turn
from moot.protocols.debate.slots import Slot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum


class DoubleConsultancy(Protocol):
    """A consultant per choice argues for it in `rounds` speeches, and is shown nothing but its own.

    judged: "together", the judge reads first all of one, then all of the next, and decides once; "apart", it decides in
    every consultancy without knowing of the others, and the verdict is the mean of its beliefs. limit, quote_limit, quotes,
    slots: of each speech, as in Debate. judge_source, scoring: as in Debate.

    The judge reads all that is said. Judged together, consultants who do not hear each other are one simultaneous round, in
    however many speeches: S2P (Russell and Sundaram 1998; Canetti 1996). Judged apart, each is a consultancy: NP. Payoffs are zero-sum: each consultant gets its answer's score less the mean.
    """

    name: ClassVar[str] = "double-consultancy"
    players: ClassVar[tuple[str, ...]] = ("consultant", "judge")
    complexity_class: ClassVar[str | None] = "S2P"
    symmetric: ClassVar[bool] = True
    zero_sum: ClassVar[bool] = True

    rounds: Annotated[int, Field(ge=0)] = 2
    limit: Limit | None = None
    quote_limit: Limit | None = None
    judged: Literal["together", "apart"] = "together"
    judge_source: Source = "none"
    scoring: ScoringRule = ScoringRule()
    quotes: Quoting = "free"
    slots: tuple[Slot, ...] = ()

    def roles(self, question: Question) -> dict[str, str]:
        seats = Debate(rounds=0).roles(question)
        self.speech().fits(self, question)
        return {seat: "consultant" if role == "debater" else role for seat, role in seats.items()}

    async def play(self, floor: Floor, question: Question) -> Decided:
        seats = floor.seats("consultant")
        beliefs = await floor.parallel(
            *(self.consult(floor, seat, choice) for choice, seat in enumerate(seats)),
            seats=[(seat, "judge") if self.judged == "apart" else seat for seat in seats],
        )
        if self.judged == "together":
            verdict = await self.verdict(floor)
        else:
            columns = zip(*(belief.probabilities for belief in beliefs), strict=True)
            verdict = Verdict(probabilities=tuple(math.fsum(column) / len(beliefs) for column in columns))
        return Decided(verdict, payoffs=zero_sum(self.scoring, verdict.probabilities, seats), step=floor.step)

    async def consult(self, floor: Floor, seat: str, choice: int) -> Verdict | None:
        """One consultancy, in a branch of its own: nothing of the others is in what it is shown."""
        speech, turn = self.speech(), Turn(round=0, rounds=self.rounds)
        for turn.round in range(1, self.rounds + 1):
            await speech.hold(floor, {seat: choice}, turn)
        return await self.verdict(floor) if self.judged == "apart" else None

    def speech(self) -> Speeches:
        """One turn of a consultant."""
        return Speeches(limit=self.limit, quote_limit=self.quote_limit, quotes=self.quotes, slots=self.slots)

    async def verdict(self, floor: Floor) -> Verdict:
        """The judge's belief by what was said in this branch, or after it in all of them."""
        return await floor.ask("judge", Verdict, view=floor.said("judge", source=self.judge_source), task="verdict")

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        return {
            seat: choice for choice, (seat, role) in enumerate(self.roles(question).items()) if role == "consultant"
        }

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {seat: self.judge_source if role == "judge" else "all" for seat, role in self.roles(question).items()}

    def decides(self, question: Question) -> str | None:
        if self.rounds == 0:
            return "P"
        return self.complexity_class if self.judged == "together" else "NP"

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, len(question.choices))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        seats = self.roles(question)
        return dict.fromkeys(seats, self.rounds * (len(self.slots) or 1)) | {
            "judge": len(seats) - 1 if self.judged == "apart" else 1
        }
