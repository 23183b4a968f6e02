"""Watching plays as they go: a wrapper around agents that tells when they are asked and when they answer, a line for each
answer of one play, a live table of many, or plain lines where there is no terminal.

Rule of this file: it looks on, and changes nothing of what is played or recorded.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from moot.agents.base import act_of, close_all, describe, start_all
from moot.agents.identity import Identity, identity
from moot.agents.people.terminal import Table, drawn, is_terminal
from moot.cli.frame import say
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

Told = Callable[[str, Request, Any], None]


class Watched:
    """An agent that tells `told("asked" | "answered", request, reply)`. It answers, and describes itself, as before.

    known: its identity before its first answer in any play, for agents that change as they answer.
    """

    def __init__(self, agent: Any, told: Told, known: Identity | None = None) -> None:
        self._agent, self._told, self._act, self._known = agent, told, act_of(agent), known
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

    def identity(self) -> Identity | None:
        return self._known or identity(self._agent)

    async def start(self) -> None:
        await start_all([self._agent])

    async def close(self) -> None:
        await close_all([self._agent])


def narrator(blind: bool = False) -> Told:
    """Tells on stderr who has said what, a line each; nothing when stderr is not a terminal.

    blind: tell who has spoken, and not what: whoever sits at the terminal is to be shown that by the protocol alone.
    """
    if not is_terminal(error=True):
        return lambda what, request, reply: None
    from moot.protocols.text import one_line

    begun: dict[str, float] = {}

    def told(what: str, request: Request, reply: Any) -> None:
        if what == "asked":
            begun[request.step] = time.perf_counter()
            return
        seconds = time.perf_counter() - begun.pop(request.step, time.perf_counter())
        content = "" if blind else reply.as_public().in_words() if isinstance(reply, Move) else str(reply)
        say(f"  {request.step:<8} {request.seat:<8} {seconds:6.1f} s  {one_line(str(content), 80)}")

    return told


class Board:
    """Which plays are under way and how the others ended. Told by the plays; drawn by `board`."""

    def __init__(self, total: int, live: bool) -> None:
        self.total, self.live, self.begun = total, live, time.perf_counter()
        self.counts: Counter[str] = Counter()
        self.under_way: dict[str, tuple[float, int, str]] = {}

    def watch(self, name: str) -> Told:
        """What tells this board about one play."""
        self.under_way[name] = (time.perf_counter(), 0, "")

        def told(what: str, request: Any, reply: Any) -> None:
            begun, moves, _ = self.under_way.get(name, (time.perf_counter(), 0, ""))
            after = what == "answered"
            self.under_way[name] = (begun, moves + after, f"{'after ' * after}{request.seat} at step {request.step}")

        return told

    def ended(self, name: str, outcome: str, problem: str | None) -> None:
        self.under_way.pop(name, None)
        self.counts[outcome] += 1
        if not self.live:
            note = f": {' '.join(problem.split())[:200]}" if problem else ""
            say(f"[{self.counts.total()}/{self.total}] {outcome}  {name}{note}")

    def table(self) -> Table:
        """What is drawn."""
        done = self.counts.total()
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        seconds = time.perf_counter() - self.begun
        left = f", about {seconds / done * (self.total - done):.0f} s left" if done else ""
        head = f"{done} of {self.total} plays ended{' (' + counts + ')' if counts else ''}, {seconds:.0f} s{left}"
        now = time.perf_counter()
        rows = [[name, str(moves), f"{now - begun:.1f}", doing]
                for name, (begun, moves, doing) in list(self.under_way.items())[:20]]  # fmt: skip
        if len(self.under_way) > 20:
            rows.append([f"and {len(self.under_way) - 20} more", "", "", ""])
        return Table(head, ("play", ">moves", ">seconds", "now"), rows)


@contextmanager
def board(total: int) -> Iterator[Board]:
    """A board, drawn on stderr while the block runs."""
    shown = Board(total, live=is_terminal(error=True))
    with drawn(shown.table) if shown.live else nullcontext():
        yield shown
