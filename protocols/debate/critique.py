"""Critique: one agent argues for an answer, a critic points out what is wrong with it, and the judge decides.
Rule: one protocol; how speeches are made and limited is in `parts.py`.

Critiques as help for those who evaluate: Saunders, Yeh, Wu, Bills, Ouyang, Ward and Leike 2022 (arXiv 2206.05802). The
critic defends no answer of its own, which is what sets it apart from a debater.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.checks import choose, need_choices
from moot.protocols.debate.parts import Speeches, Turn
from moot.protocols.debate.slots import Slot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.metadata import level
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum


class Critique(Protocol):
    """The consultant argues, the critic, who sees the source too, criticises, and with `reply` the consultant replies.

    answer: the index of the choice that the consultant is given; None lets it choose, in public. reply: whether it may
    reply to the critique. limit, quote_limit, quotes, slots: of each of these turns. judge_source, scoring, check_quotes:
    as in Debate.

    Payoffs are zero-sum: the consultant gets the score of its answer less the mean over the answers, the critic what it
    loses. The judge reads all. A game of two moves, one side's and then the other's, is the second level of the polynomial
    hierarchy (Irving, Christiano and Amodei 2018); with the reply it is the third.
    """

    name: ClassVar[str] = "critique"
    players: ClassVar[tuple[str, ...]] = ("consultant", "critic", "judge")
    complexity_class: ClassVar[str | None] = "Sigma2P"
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True

    answer: Annotated[int, Field(ge=0)] | None = 0
    reply: bool = False
    limit: Limit | None = None
    quote_limit: Limit | None = None
    judge_source: Source = "none"
    scoring: ScoringRule = ScoringRule()
    quotes: Quoting = "free"
    slots: tuple[Slot, ...] = ()
    check_quotes: bool = True

    @classmethod
    def unnamed_in(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Only speeches were looked through for quotes once: records of a consultant without a choice mean nothing by this."""
        return {"check_quotes": False} if params.get("answer", 0) is None else {}

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question, self.answer)
        self.speech().fits(self, question)
        return {"consultant": "consultant", "critic": "critic", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        answer = (
            self.answer
            if self.answer is not None
            else await choose(floor, "consultant", check_quotes=self.check_quotes)
        )
        argument = self.speech()
        turn = Turn(round=1, rounds=1 + self.reply)
        await argument.hold(floor, {"consultant": answer}, turn)
        said = turn.last["consultant"]
        await argument.turn(floor, "critic", turn, {"against": answer}, said, "attacks", "critique")
        if self.reply:
            turn.round, turn.last["consultant"] = 2, turn.last["critic"]
            await argument.hold(floor, {"consultant": answer}, turn)
        verdict = await floor.ask("judge", Verdict, view=floor.said("judge", source=self.judge_source), task="verdict")
        return Decided(verdict, payoffs=self.payoffs(verdict, answer), step=floor.step)

    def payoffs(self, verdict: Verdict, answer: int) -> dict[str, float]:
        """What consultant and critic are paid for the verdict on this answer."""
        places = [str(choice) for choice in range(len(verdict.probabilities))]
        earned = zero_sum(self.scoring, verdict.probabilities, places)[str(answer)]
        return {"consultant": earned, "critic": -earned}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        return chosen if self.answer is None else {"consultant": self.answer}

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"consultant": "all", "critic": "all", "judge": self.judge_source}

    def decides(self, question: Question) -> str | None:
        return level(2 + self.reply)

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, len(question.choices))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        each = len(self.slots) or 1
        return {"consultant": each * (1 + self.reply) + (self.answer is None), "critic": each, "judge": 1}

    def speech(self) -> Speeches:
        """One turn of either."""
        return Speeches(limit=self.limit, quote_limit=self.quote_limit, quotes=self.quotes, slots=self.slots)
