"""What travels between a mock server and its client: answers, how faults leave their bytes, and who has gone.

Rule: bytes and ASGI messages; what an answer says stands in `server`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import anyio

from moot.testing.server.faults import Fault

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class CutOff(Exception):
    """Ends an answer in the middle of its body; the server then closes the connection."""


@dataclass(slots=True)
class Answer:
    """An HTTP answer. cut: it ends, with its connection, in the middle of the body."""

    status: int
    content: bytes
    headers: dict[str, str]
    cut: bool = False


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


def failure(fault: Fault) -> Answer:
    said = {"message": fault.message, "type": fault.type, "param": fault.param, "code": fault.code}
    return json_answer({"error": said}, fault.status, fault.headers())


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


async def send_answer(answer: Answer, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.content)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    content = answer.content[: len(answer.content) // 2] if answer.cut else answer.content
    await send({"type": "http.response.body", "body": content, "more_body": answer.cut})
    if answer.cut:
        raise CutOff("the answer ends in the middle of its body, as scripted")
