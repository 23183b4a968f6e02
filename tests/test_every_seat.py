"""A scripted model behind a socket plays every seat of every protocol, and each of its plays is decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

import moot
from moot.protocols.engine.base import Protocol, known_protocols, protocol_named
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.tasks.base import known_tasks
from moot.testing.prompts import DATA, TEXTS
from moot.testing.server.replies import default_reply
from moot.testing.server.server import MockOpenAI

SHIPPED = sorted(name for name, made in known_protocols().items() if made.__module__.startswith("moot.protocols."))
PARAMS: dict[str, dict[str, Any]] = {"amplify": {"depth": 1, "turns": 2}, "amplify-strong": {"depth": 1, "turns": 2}}
"""Where the task's own parameters are for programs that know when to stop."""
NEVER = {"approval": {"earlier"}, "doubly-efficient-deterministic": {"judge"}, "doubly-efficient-witness": {"judge"}}
"""Seats that are not asked in every play: nobody else's questions were left open, and nobody said that a step was wrong."""


def staged(name: str) -> tuple[Protocol, Question]:
    """A protocol as a task's programs play it, and a small question."""
    for task in known_tasks().values():
        sample = task.sample(4)
        if task.cast(name) and sample.question.passage is None:
            needed = {**task.options(name, sample.question), **PARAMS.get(name, {})}
            return protocol_named(name, needed), sample.question
    return known_protocols()[name](), DATA.get(name, TEXTS)


class Scripted:
    """Replies that are legal where those by the schema alone would not be."""

    def __init__(self) -> None:
        image: Any = DATA["pixel-debate"].data["image"]  # type: ignore[index, call-overload]
        places = [(row, column) for row, line in enumerate(image) for column, value in enumerate(line) if value]
        self.pixels = cycle(places)

    def __call__(self, body: dict[str, Any]) -> str:
        made = json.loads(default_reply(body))
        move = made.get("move", made)
        kind = move["kind"]
        if kind == "pixel":
            move["row"], move["column"] = next(self.pixels)
        elif kind in ("examination", "fault", "accept") and '"accept"' in json.dumps(body.get("response_format")):
            made["move"] = {"kind": "accept"}
        elif kind == "look":
            raise AssertionError("the first kind of a turn is the protocol's own")
        return json.dumps(made)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with MockOpenAI(Scripted()).serve() as url:
        yield url


@pytest.mark.parametrize("name", SHIPPED)
def test_every_seat_of_every_protocol_is_played_over_http(name: str, endpoint: str) -> None:
    protocol, question = staged(name)
    model = moot.LM("mock", base_url=endpoint)
    wanted, asked = set(protocol.roles(question)) - NEVER.get(name, set()), set[str]()
    for seed in range(1, 9):  # whom a play asks is drawn by the mock, and not in each of them everybody
        play = moot.run(protocol, question, dict.fromkeys(protocol.roles(question), model), seed=seed)
        assert isinstance(play.outcome, Decided), play.outcome
        asked |= {event["seat"] for event in play.events() if event["event"] == "attempted"}
        if asked >= wanted:
            return
    raise AssertionError(f"{wanted - asked} was never asked")
