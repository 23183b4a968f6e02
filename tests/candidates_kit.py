"""Agents that draw numbers, judges that like high ones, and what is noted of the choice."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import anyio.lowlevel
from agent_kit import request_for

import moot
from moot.protocols.engine.moves import Speech, Verdict

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. Nine ships sank.")
Request = moot.Request


def draws(request: Request) -> Speech:
    """A number of the step's own seed."""
    return Speech(text=str(Random(request.seed).randint(0, 99)))


async def draws_later(request: Request) -> dict[str, Any]:
    await anyio.lowlevel.checkpoint()
    return {"kind": "speech", "text": draws(request).text}


def number(request: Request, move: Any) -> float:
    return int(move.text)


def likes_numbers(request: Request) -> Verdict:
    """Believes the last speaker by as much as its number says."""
    p = int(request.view[-1].move.content()) / 100
    return Verdict(probabilities=(p, 1 - p))


def chose(notes: list[dict[str, Any]], event: str = "chose") -> dict[str, Any]:
    (found,) = [note for note in notes if note["event"] == event]
    return found


def act(agent: Any, **fields: Any) -> tuple[Any, list[dict[str, Any]]]:
    notes: list[dict[str, Any]] = []
    fields = {"task": "speech", "answer": 0, **fields}
    return anyio.run(agent.act, request_for(Speech, notes=notes, **fields)), notes


def debate(a: Any, **options: Any) -> moot.Transcript:
    seats = {"a": a, "b": draws, "judge": lambda r: Verdict(probabilities=(0.5, 0.5))}
    return moot.run(moot.Debate(), QUESTION, seats, **options)


def even(request: Request) -> Verdict:
    return Verdict(probabilities=(0.5, 0.5))
