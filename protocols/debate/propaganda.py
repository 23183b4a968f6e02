"""Propaganda: one agent gives one argument for one answer, and the judge decides.
Rule: one protocol; how speeches are made and limited is in `parts.py`.

Pallavi Sudhir, Kaunismaa and Panickssery 2025 (arXiv 2504.03731). It is consultancy of a single speech.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from moot.protocols.checks import need_choices
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
from moot.protocols.scoring import ScoringRule


class Propaganda(Protocol):
    """The consultant argues once for the answer that it is given; nobody answers it, and the judge asks nothing.

    answer: the index of that choice. limit, quote_limit, quotes, slots: of the speech, as in Debate. judge_source: whether the judge sees the source
    ("none", "metered" cell by cell, "all"). scoring: of the judge's reward. The judge reads all that is said: NP. There
    are no payoffs, as in consultancy.
    """

    name: ClassVar[str] = "propaganda"
    players: ClassVar[tuple[str, ...]] = ("consultant", "judge")
    complexity_class: ClassVar[str | None] = "NP"
    dynamics: ClassVar[str] = "sequential"

    answer: Annotated[int, Field(ge=0)] = 0
    limit: Limit | None = None
    quote_limit: Limit | None = None
    judge_source: Source = "none"
    scoring: ScoringRule = ScoringRule()
    quotes: Quoting = "free"
    slots: tuple[Slot, ...] = ()

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question, self.answer)
        self.speech().fits(self, question)
        return {"consultant": "consultant", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        await self.speech().hold(floor, {"consultant": self.answer}, Turn(round=1, rounds=1))
        view = floor.said("judge", source=self.judge_source)
        return Decided(await floor.ask("judge", Verdict, view=view, task="verdict"), step=floor.step)

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        return {"consultant": self.answer}

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"consultant": "all", "judge": self.judge_source}

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"consultant": len(self.slots) or 1, "judge": 1}

    def speech(self) -> Speeches:
        """The one part of the play."""
        return Speeches(limit=self.limit, quote_limit=self.quote_limit, quotes=self.quotes, slots=self.slots)
