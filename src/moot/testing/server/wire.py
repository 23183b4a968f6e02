"""What travels between a mock server and its client: answers, how faults leave their bytes, and who has gone.

Rule: bytes and ASGI messages; what an answer says stands in `server`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from moot.testing.server import speaking
from moot.testing.server.faults import Fault

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class CutOff(Exception):
    """Ends an answer in the middle of its body; the server then closes the connection."""


@dataclass(slots=True)
class Answer:
    """An HTTP answer. cut: it ends, with its connection, in the middle of the body. events: what a stream sends one by one,
    with so many seconds before each; silent: no more comes after them."""

    status: int
    content: bytes
    headers: dict[str, str]
    cut: bool = False
    events: Sequence[bytes] | None = None
    seconds: float = 0.0
    silent: bool = False


def common_prefix(one: bytes, two: bytes) -> int:
    """The length of the longest common prefix."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


async def gone(receive: Receive, seconds: float | None = None) -> bool:
    """Wait until the client is gone (True), or for so many seconds (False)."""
    with anyio.move_on_after(seconds):
        while (await receive())["type"] != "http.disconnect":
            pass
        return True
    return False


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(content).encode(), {"content-type": "application/json", **(headers or {})})


def failure(fault: Fault, api: str = "chat") -> Answer:
    content = speaking.failure(api, fault) if fault.content is None else fault.content
    return json_answer(content, fault.status, fault.headers())


def spoilt(answer: Answer, fault: Fault) -> Answer:
    """The answer, as the fault leaves its bytes."""
    answer.cut = fault.kind == "cut_off"
    if fault.kind == "garbage":
        type, content = {
            "json": ("application/json", answer.content[: len(answer.content) // 2]),
            "bytes": ("application/json", b"\xff\xfe\x00\x9f" * 50),
            "type": ("text/plain; charset=utf-8", answer.content),
            "html": ("text/html; charset=utf-8", b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"),
        }[fault.form]
        answer.headers["content-type"], answer.content = type, content
    return answer


def stream(events: Sequence[bytes], fault: Fault, error: bytes) -> Answer:
    """The answer that is a stream of events, as a fault leaves it. error: the event that tells of one."""
    answer = Answer(200, b"", {"content-type": "text/event-stream; charset=utf-8"}, events=events)
    half = events[: max(1, len(events) // 2)]
    if fault.kind == "inside":
        answer.events = [*half, error]
    elif fault.kind in ("stall", "cut_off"):
        answer.silent, answer.cut, answer.events = fault.kind == "stall", fault.kind == "cut_off", half
        if answer.cut:
            answer.events = [*half, events[len(half)][:-5]]
    elif fault.kind == "garbage":
        answer.events = [*half, b"data: {'no': json}\n\n", *events[len(half) :]]
    answer.seconds = fault.seconds if fault.kind == "trickle" else 0.0
    return answer


async def send_events(answer: Answer, send: Send, receive: Receive) -> None:
    """Send a stream of events. Stops when the client is gone."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for event in answer.events or ():
        if answer.seconds and await gone(receive, answer.seconds):
            return
        await send({"type": "http.response.body", "body": event, "more_body": True})
    if answer.silent:
        await gone(receive)
        return
    if answer.cut:
        raise CutOff("the stream ends in the middle of an event, as scripted")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_answer(answer: Answer, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.content)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    content = answer.content[: len(answer.content) // 2] if answer.cut else answer.content
    await send({"type": "http.response.body", "body": content, "more_body": answer.cut})
    if answer.cut:
        raise CutOff("the answer ends in the middle of its body, as scripted")
