"""Watching plays as they go: a wrapper around agents that tells when they are asked and when they answer."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from moot.agents.base import act_of, close_all, describe, start_all
from moot.protocols.engine.view import Request

Told = Callable[[str, Request, Any], None]


class Watched:
    """An agent that tells `told("asked" | "answered", request, reply)`. It answers, and describes itself, as before."""

    def __init__(self, agent: Any, told: Told) -> None:
        self._agent, self._told, self._act = agent, told, act_of(agent)
        self.bound = getattr(agent, "bound", None)

    def act(self, request: Request) -> Any:
        self._told("asked", request, None)
        reply = self._act(request)
        if inspect.isawaitable(reply):
            return self._awaited(request, reply)
        self._told("answered", request, reply)
        return reply

    async def _awaited(self, request: Request, reply: Awaitable[Any]) -> Any:
        move = await reply
        self._told("answered", request, move)
        return move

    def describe(self) -> dict[str, Any]:
        return describe(self._agent)

    async def start(self) -> None:
        await start_all([self._agent])

    async def close(self) -> None:
        await close_all([self._agent])


def narrator() -> Told:
    """Tells on stderr who has said what, a line each; nothing when stderr is not a terminal."""
    if not sys.stderr.isatty():
        return lambda what, request, reply: None
    from moot.cli.frame import say
    from moot.protocols.text import one_line

    begun: dict[str, float] = {}

    def told(what: str, request: Request, reply: Any) -> None:
        if what == "asked":
            begun[request.step] = time.perf_counter()
            return
        seconds = time.perf_counter() - begun.pop(request.step, time.perf_counter())
        content = reply.content() if hasattr(reply, "content") else str(reply)
        say(f"  {request.step:<8} {request.seat:<8} {seconds:6.1f} s  {one_line(str(content), 80)}")

    return told
