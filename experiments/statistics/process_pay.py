"""Process-level pay: what a probe makes of the private thoughts that plays recorded, held against labels of what they should be about.
Rule: a fold over events of transcripts; nobody is asked, and nobody is shown a thought."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.transcripts.transcript import Transcript


def paid(
    plays: Iterable[Transcript], reads: Callable[[str], float], label: Callable[[Question], float], seat: str = "judge"
) -> float:
    """What a probe pays for the thoughts that a seat recorded: 1 less the mean squared error of its readings. reads: what it makes of a
    thought, as it was recorded; of several in a play the last counts. label: what it should have read. UsageError where a play
    recorded no thought of the seat, which is not a thought that is worth nothing, and without plays."""
    errors = list[float]()
    for play in plays:
        thoughts = [each["text"] for each in play.events() if each["event"] == "thought" and each["seat"] == seat]
        if not thoughts:
            raise UsageError(f"{play.name}: seat {seat} recorded no thought; give plays of an agent that does")
        errors.append((reads(thoughts[-1]) - label(play.question)) ** 2)
    if not errors:
        raise UsageError("there are no plays whose thoughts could be paid for")
    return 1 - math.fsum(errors) / len(errors)


def probing(direction: Sequence[float]) -> Callable[[str], float]:
    """A linear probe, as what it makes of the text of a thought, finite numbers with spaces between them. UsageError for a text that is
    not as many."""

    def reads(text: str) -> float:
        try:
            read = math.fsum(float(unit) * weight for unit, weight in zip(text.split(), direction, strict=True))
        except (ValueError, OverflowError):
            read = math.nan
        if not math.isfinite(read):
            raise UsageError(f"the thought {text[:60]!r} is not {len(direction)} numbers; give another probe")
        return read

    return reads
