"""Deterministic agents and a few protocols that several test files share."""

from __future__ import annotations

from typing import Any

import anyio

import moot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import Question

QUESTION = moot.Question(
    "Who sank the fleet?", ("a storm", "the admiral"), passage="A storm sank it, the admiral said."
)
FAIR = moot.Verdict(probabilities=(0.75, 0.25), text="so it seems")


def speak(request: moot.Request) -> moot.Move:
    """A speech, or whatever else is asked for, that follows from the step alone."""
    if moot.Verdict in request.kinds:
        return FAIR
    return moot.testing.puppet(request)


class Slow:
    """The same, after a moment whose length follows from the step."""

    def __init__(self, most: float = 0.004) -> None:
        self.most, self.calls = most, list[str]()

    async def act(self, request: moot.Request) -> moot.Move:
        self.calls.append(request.step)
        await anyio.sleep(self.most * (request.seed % 7) / 7)
        return speak(request)


def everywhere(protocol: Protocol, agent: Any, question: Question = QUESTION, **others: Any) -> dict[str, Any]:
    """`agent` in every seat, and others where they are named."""
    return {**dict.fromkeys(protocol.roles(question), agent), **others}


class Scripted(Protocol):
    """Plays what a test gives it: `Scripted.script` is an async function of the floor. Never recorded by value."""

    most_repairs = 3

    def roles(self, question: Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        result = await SCRIPT[0](floor)
        return result if isinstance(result, moot.Decided) else moot.Decided(await floor.ask("judge", moot.Verdict))


SCRIPT: list[Any] = [None]


def scripted(script: Any) -> Scripted:
    """A protocol that plays `script(floor)` and then asks the judge."""
    SCRIPT[0] = script
    return Scripted()
