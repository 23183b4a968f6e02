"""Markets, adversaries and judges that the tests of market making share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import moot
from moot.protocols.market.moves import Price, Statement

YES_NO = moot.Question("Is it so?", ("yes", "no"), size=8)
Act = Callable[[moot.Request], moot.Move]


def even(p: float) -> tuple[float, float]:
    return (p, 1 - p)


def said(request: moot.Request) -> list[str]:
    return [entry.move.text for entry in request.view if isinstance(entry.move, Statement)]


def script(*texts: str) -> Act:
    """An adversary that says these texts in turn."""
    return lambda request: Statement(text=texts[len(said(request))])


def predicts(rule: Callable[[list[str]], float]) -> tuple[Act, Act]:
    """A judge that believes "yes" by a rule of what was said, and a market that says what it would say now."""
    return (
        lambda request: Price(probabilities=even(rule(said(request)))),
        lambda request: moot.Verdict(probabilities=even(rule(said(request)))),
    )


def always(p: float) -> Callable[[list[str]], float]:
    return lambda texts: p


def decided(transcript: moot.Transcript) -> moot.Decided:
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
    return transcript.outcome


def seats_of(task: Any, name: str, **others: Any) -> dict[str, Any]:
    programs = task.programs()
    return {**{role: programs[program]() for role, program in task.cast(name).items()}, **others}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def logits(texts: Sequence[str]) -> float:
    return sigmoid(sum(map(float, texts)))
