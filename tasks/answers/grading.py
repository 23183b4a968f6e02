"""What the sealed truth makes of a play, whether its question has choices or seats wrote the answers.
Rule: it opens the truth of one play; no figure over many is computed here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moot.protocols.engine.outcomes import Decided
from moot.tasks.answers.checkers import grade_of

if TYPE_CHECKING:
    from moot.transcripts.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Graded:
    """What came of a play. None is unknown, and never 0.

    answer: the text that stands by the verdict. grade: of that, from 0 to 1, where the question has no choices. proposed, grades: the answers that
    seats wrote, and their grades. truth: the index that the verdict should have chosen; correct: whether it did (None for a tie,
    and where nobody knows).
    """

    answer: str | None = None
    grade: float | None = None
    proposed: tuple[str, ...] = ()
    grades: tuple[float, ...] | None = None
    truth: int | None = None
    correct: bool | None = None


def graded(transcript: Transcript, *, allow: Collection[str] = ()) -> Graded:
    """The answer of a play, graded by the checker that its truth is sealed with. allow: as in `grade_of`.

    Opens the truth, and raises as `unseal` does (SealedElsewhere where its file is not here); UsageError where the checker may
    not run, or fails. A play that was not decided has no answer; the answers that were written in it are graded all the same.
    """
    protocol, question, sample, outcome = (
        transcript.protocol,
        transcript.question,
        transcript.sample,
        transcript.outcome,
    )
    verdict = outcome.verdict if isinstance(outcome, Decided) else None
    choice = None if verdict is None else verdict.choice
    if question.choices:
        truth = sample.unseal()
        known = choice is not None and truth is not None
        return Graded(
            None if choice is None else question.choices[choice],
            truth=truth,
            correct=choice == truth if known else None,
        )
    steps = list(transcript.steps())
    proposed = protocol.proposed(steps)
    answer = None if verdict is None else protocol.standing(steps, verdict)
    key = sample.unseal_answer()
    if key is None:
        return Graded(answer, None, proposed)
    right, checker = key
    unique = {
        text: grade_of(text, right, checker, allow=allow)
        for text in dict.fromkeys((*proposed, *filter(None, [answer])))
    }
    grades = tuple(unique[text] for text in proposed)
    truth = protocol.right(grades) if grades and verdict is not None else None
    known = choice is not None and truth is not None
    return Graded(
        answer, None if answer is None else unique[answer], proposed, grades, truth, choice == truth if known else None
    )
