"""Requests and in-process endpoints for the tests of agents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.base import known_protocols
from moot.protocols.engine.budget import Account, Budget, Meter
from moot.protocols.engine.moves import Move, Speech
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import Entry, Log, Shown, View

QUESTION = Question("Who sank the fleet?", choices=("a storm", "the admiral"), passage="A storm rose. Nine ships sank.")
Answerer = Callable[[dict[str, Any], int], Any]


def log_of(*entries: tuple[str, Move]) -> Log:
    log = Log(None, None)
    for i, (seat, move) in enumerate(entries):
        log = Log(log, Entry(f"0.{i}", seat, move), repr(move).encode("utf-8", "backslashreplace"))
    return log


class Checked(Account):
    """An account that asks a function whether so much may be spent."""

    __slots__ = ("ask",)

    def __init__(self, ask: Callable[[str, int], None]) -> None:
        super().__init__({})
        self.ask, self.most = ask, -1.0  # whatever is read may be too much

    def check(self, measure: str, amount: int | float) -> None:
        self.ask(measure, int(amount))


def request_for(
    *kinds: type[Move],
    log: Log | None = None,
    question: Question = QUESTION,
    seat: str = "a",
    role: str = "debater",
    notes: list[dict[str, Any]] | None = None,
    heard: list[dict[str, Any]] | None = None,
    left: Callable[[str, int], None] | None = None,
    seed: int = 7,
    source: Any = "all",
    **brief: Any,
) -> Request:
    meter = Meter(None if left is None else Checked(left))
    view = Shown(View(question, log or Log(None, None), source), meter)

    def listener(event: dict[str, Any]) -> None:
        kept = heard if event["event"] in ("answered", "thought") else notes
        if kept is not None:
            kept.append(event)

    return Request(
        "0.9",
        seat,
        role,
        kinds or (Speech,),
        view,
        cast(Brief, brief),
        "digest",
        seed,
        budget=Budget(meter),
        note=listener,
    )


def completion(text: str | None, finish: str = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    if usage is None:
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}}
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


class Mock:
    """An endpoint inside the process. `answer(body, i)` gives the i-th response: a JSON value, a Response, or what a
    model says as a string. `bodies` holds what was asked."""

    def __init__(self, answer: Answerer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

        async def chat(http: HttpRequest) -> Response:
            body = json.loads(await http.body())
            self.bodies.append(body)
            self.headers.append(dict(http.headers))
            given = answer(body, len(self.bodies) - 1)
            if hasattr(given, "__await__"):
                given = await given
            if isinstance(given, Response):
                return given
            value = completion(given) if isinstance(given, str) else given
            return Response(json.dumps(value), media_type="application/json")

        self.app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app))


def refusal(status: int, message: str = "no", **headers: str) -> Response:
    body = json.dumps({"error": {"message": message}})
    return Response(body, status_code=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def built_in_kinds() -> list[type[Move]]:
    """Every kind of move that moot's own protocols have."""

    def below(kind: type[Move]) -> Iterator[type[Move]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    known_protocols()
    found = {kind for kind in below(Move) if kind.__module__.startswith("moot.") and ".tools." not in kind.__module__}
    return sorted((kind for kind in found if not kind.model_fields["kind"].is_required()), key=kind_name)
