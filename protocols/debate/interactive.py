"""Debate with somebody who asks: the judge itself, or a cross-examiner in its stead.
Rule: debate with somebody else asking, and nothing more; the script is that of `debate.py`.

The judge who asks: Michael et al. 2023 (arXiv 2311.08702). The cross-examiner in a seat of its own, who asks before every
round but the first: the code of Khan et al. 2024 (arXiv 2402.06782).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Part, Questions, Turn
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source


class ExaminerQuestions(Questions):
    """The questions of an examiner, which are charged to it."""

    asker: ClassVar[str] = "examiner"


class InteractiveDebate(Debate):
    """Debate in which somebody asks a question between rounds, of one debater or of all. Parameters as in Debate.

    examiner: False, the judge asks; True, a seat "examiner" does, who reads what the judge reads, and the judge does
    nothing but decide. Each question is a query, charged to whoever asks.
    """

    name: ClassVar[str] = "interactive-debate"
    players: ClassVar[tuple[str, ...]] = ("debater", "examiner", "judge")

    questions: bool = True
    examiner: bool = False

    def roles(self, question: Question) -> dict[str, str]:
        roles = super().roles(question)
        if not self.judged and not self.examiner:
            raise UsageError(f"{self.name}: judged=False leaves nobody to ask: examiner=True")
        if not self.has(Questions):
            raise UsageError("without a Questions part nobody would ask: leave questions at true")
        return {**roles, "examiner": "examiner"} if self.examiner else roles

    def sees(self, question: Question) -> dict[str, Source]:
        return {**super().sees(question), "examiner": "none"} if self.examiner else super().sees(question)

    def parts(self) -> Iterator[tuple[Part, Turn]]:
        """Every part in order, the questions being those of whoever asks."""
        for part, turn in super().parts():
            if self.examiner and isinstance(part, Questions):
                part = ExaminerQuestions(limit=part.limit)
            yield part, turn

    def most_moves(self, question: Question) -> dict[str, int] | None:
        counts = super().most_moves(question)
        if counts is None or not self.examiner:
            return counts
        asked = sum(isinstance(part, ExaminerQuestions) for part, _ in self.parts())
        return {**counts, "judge": counts["judge"] - asked, "examiner": asked}
