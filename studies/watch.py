"""Watching plays as they go: a wrapper around agents that tells when they are asked and when they answer, a line for each
answer of one play, a live table of many, a bar in a notebook, or plain lines where there is neither.

Rule of this file: it looks on, and changes nothing of what is played or recorded.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from html import escape
from typing import Any

from moot.agents.base import act_of, close_all, describe, start_all
from moot.agents.identity import Identity, identity
from moot.agents.people.terminal import Table, drawn, is_terminal, show
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.protocols.text import flat

EVERY = 0.25
"""Seconds between two drawings in a notebook."""
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
        show(
            f"  {request.step:<8} {request.seat:<8} {seconds:6.1f} s  {one_line(str(content), 80)}",
            error=True,
            line=True,
        )

    return told


class Board:
    """Which plays are under way and how the others ended. Told by the plays; drawn by `board`."""

    def __init__(self, total: int, live: bool, every: float = 0.0) -> None:
        """every: seconds between two plain lines, which then say how far all of it is; 0: a line for each play."""
        self.total, self.live, self.begun, self.every = total, live, time.perf_counter(), every
        self._told = self.begun
        self.counts: Counter[str] = Counter()
        self.kept = 0  # of those, how many had ended before
        self.cost: Callable[[], float] | None = None  # what was spent, where it is known
        self.under_way: dict[str, tuple[float, int, str]] = {}
        self.drawn: Callable[[], None] = lambda: None  # draws it anew, where nothing else does

    def watch(self, name: str) -> Told:
        """What tells this board about one play."""
        self.under_way[name] = (time.perf_counter(), 0, "")

        def told(what: str, request: Any, reply: Any) -> None:
            begun, moves, _ = self.under_way.get(name, (time.perf_counter(), 0, ""))
            after = what == "answered"
            self.under_way[name] = (begun, moves + after, f"{'after ' * after}{request.seat} at step {request.step}")
            self.drawn()

        return told

    def ended(self, name: str, outcome: str, problem: str | None) -> None:
        self.under_way.pop(name, None)
        self.counts[outcome] += 1
        self.drawn()
        if self.live:
            return
        if self.every:
            now = time.perf_counter()
            if now - self._told < self.every and self.counts.total() < self.total:
                return
            self._told = now
            show(self.head(), error=True, line=True)
        else:
            note = f": {' '.join(problem.split())[:200]}" if problem else ""
            show(f"[{self.counts.total()}/{self.total}] {outcome}  {name}{note}", error=True, line=True)

    def head(self) -> str:
        """How far all of it is, in a line."""
        done = self.counts.total()
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        seconds = time.perf_counter() - self.begun
        left = f", about {seconds / (done - self.kept) * (self.total - done):.0f} s left" if done > self.kept else ""
        paid = "" if self.cost is None or not (cost := self.cost()) else f", {cost:.4g} spent"
        return f"{done} of {self.total} plays ended{' (' + counts + ')' if counts else ''}, {seconds:.0f} s{left}{paid}"

    def table(self) -> Table:
        """What is drawn."""
        head = self.head()
        now = time.perf_counter()
        rows = [[name, str(moves), f"{now - begun:.1f}", doing]
                for name, (begun, moves, doing) in list(self.under_way.items())[:20]]  # fmt: skip
        if len(self.under_way) > 20:
            rows.append([f"and {len(self.under_way) - 20} more", "", "", ""])
        return Table(head, ("play", ">moves", ">seconds", "now"), rows)


@contextmanager
def board(total: int, every: float = 0.0) -> Iterator[Board]:
    """A board, drawn on stderr while the block runs where that is a terminal, and as one updating display in a notebook; plain
    lines elsewhere."""
    terminal = is_terminal(error=True)
    display = None if terminal else notebook()
    shown = Board(total, live=terminal or display is not None, every=every)
    with drawn(shown.table) if terminal else nullcontext() if display is None else pane(shown, display):
        yield shown


def notebook() -> Any | None:
    """IPython's module of displays, where its kernel runs this process (Jupyter, Colab); None elsewhere. Imports nothing."""
    asked = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = asked() if callable(asked) else None
    if not any(each.__name__ == "ZMQInteractiveShell" for each in type(shell).__mro__):
        return None
    return sys.modules.get("IPython.display")


@contextmanager
def pane(shown: Board, display: Any) -> Iterator[None]:
    """One display in a notebook, updated in its place while the block runs, EVERY seconds at most. One that fails is given up, and the plays
    go on. (`display(…, display_id=)` and `update_display`: IPython, "Updatable Displays"; `raw=True` takes what is shown by type.)
    """
    name, last = f"moot-{id(shown)}-{shown.begun}", 0.0

    def draw(final: bool = False) -> None:
        nonlocal last
        now = time.perf_counter()
        if last and now - last < EVERY and not final:
            return
        show_it = display.update_display if last else display.display
        last = now
        try:
            show_it(bundle(shown), display_id=name, raw=True)
        except Exception:  # whatever a front end does
            shown.drawn = lambda: None

    shown.drawn = draw
    draw()
    try:
        yield
    finally:
        if shown.drawn is draw:
            draw(final=True)
        shown.drawn = lambda: None


def bundle(shown: Board) -> dict[str, str]:
    """A board as a notebook takes it, by type: a bar, how far all of it is, and what is under way."""
    title, heads, rows = shown.table()
    lines = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(flat(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    head = "".join(f"<th style='text-align:left'>{escape(each.removeprefix('>'))}</th>" for each in heads)
    bar = f"<progress style='width:30em' value='{shown.counts.total()}' max='{shown.total}'></progress>"
    table = f"<table><tr>{head}</tr>{lines}</table>" if rows else ""
    return {"text/plain": flat(title), "text/html": f"<div>{bar}<br>{escape(flat(title))}{table}</div>"}
