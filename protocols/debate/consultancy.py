"""Consultancy, open consultancy, and the judge alone: what debate is compared with.
Rule: the baselines without an opponent; several consultants at once are in `double_consultancy.py`.

Michael et al. 2023 (arXiv 2311.08702), Kenton et al. 2024 (arXiv 2407.04622).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.checks import choose, need_choices
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Speaking
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.scoring import ScoringRule


class Consultancy(Debate):
    """One consultant argues for one answer to a judge who does not see the source. Parameters as in Debate.

    answer: the index of the choice that the consultant is given. The judge reads everything that is said: NP.
    Nobody is paid against anybody, so there are no payoffs.
    """

    name: ClassVar[str] = "consultancy"
    players: ClassVar[tuple[str, ...]] = ("consultant", "judge")
    complexity_class: ClassVar[str | None] = "NP"
    dynamics: ClassVar[str] = "sequential"
    symmetric: ClassVar[bool] = False
    zero_sum: ClassVar[bool] = False

    answer: Annotated[int, Field(ge=0)] = 0

    def roles(self, question: Question) -> dict[str, str]:
        super().roles(question)
        need_choices(self, question, self.answer)
        return self.seated({"consultant": "consultant"})

    def payoffs(self, verdict: Verdict, answers: dict[str, int]) -> dict[str, float]:
        return {}

    def utility_bound(self, question: Question) -> None:
        return None

    def decides(self, question: Question) -> str | None:
        """However often the one consultant speaks, it is one prover whom nobody answers: NP; P where it may not speak."""
        if self.unclaimed:
            return None
        held = (*self.opening, *(() if self.rounds == 0 else self.repeated()), *self.closing)
        return "NP" if any(isinstance(part, Speaking) and part.public for part in held) else "P"

    async def answers(self, floor: Floor, question: Question) -> dict[str, int]:
        return {"consultant": self.answer}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> dict[str, int]:
        return {"consultant": self.answer}


class OpenConsultancy(Consultancy):
    """The consultant chooses the answer it argues for (Kenton et al. 2024)."""

    name: ClassVar[str] = "open-consultancy"
    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    @classmethod
    def unnamed_in(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return cls.unnamed

    async def answers(self, floor: Floor, question: Question) -> dict[str, int]:
        return {"consultant": await choose(floor, "consultant", check_quotes=self.check_quotes)}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> dict[str, int]:
        return dict(chosen)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        counts = super().most_moves(question)
        return None if counts is None else {**counts, "consultant": counts["consultant"] + 1}


class DirectQA(Protocol):
    """The judge alone, without the source or (source=True) with it: what the judge can do by itself. Nobody is paid."""

    name: ClassVar[str] = "direct-qa"
    players: ClassVar[tuple[str, ...]] = ("judge",)
    complexity_class: ClassVar[str | None] = "P"
    assumes: ClassVar[tuple[str, ...]] = ("right-judge", "polynomial-judge")
    dynamics: ClassVar[str] = "sequential"

    source: bool = False
    scoring: ScoringRule = ScoringRule()

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        return {"judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        view = floor.said(source="all" if self.source else "none")
        return Decided(await floor.ask("judge", Verdict, view=view, task="verdict"), step=floor.step)

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"judge": "all" if self.source else "none"}

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"judge": 1}
