"""A recorded play led along its protocol once more, for what events do not hold: briefs, and what the judge had before it.

Rule of this file: it compares nothing and judges nothing; where the protocol is not installed, or has changed since, less is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from moot.protocols.engine.errors import MootError
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import View
from moot.transcripts.display.scenes import led
from moot.transcripts.transcript import Transcript


@dataclass(slots=True)
class Walk:
    """put: by step, the brief and the question as shown. judged: the steps of what stood in the judge's view when it moved last; None
    where that cannot be known. whole: whether the whole record could be led along."""

    put: dict[str, tuple[Mapping[str, Any], Question]] = field(default_factory=dict)
    judged: frozenset[str] | None = None
    whole: bool = False


def walked(transcript: Transcript, judge: str | None) -> Walk:
    """Lead the play along as far as that goes. judge: the seat whose last view is kept."""
    found, last, left = (
        Walk(),
        list[View](),
        sum(each["event"] in ("moved", "rejected") for each in transcript.events()),
    )
    for event, ask, taken in led(transcript):
        found.put.setdefault(event["step"], (ask.brief, ask.view.question))
        if event["seat"] == judge and event["event"] == "moved":
            last[:] = [ask.view]
        left -= taken
    found.whole = not left
    if last and found.whole and transcript.outcome is not None:
        with suppress(MootError):
            found.judged = frozenset(entry.step for entry in last[0])
    return found
