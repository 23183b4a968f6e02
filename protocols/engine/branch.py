"""Where a play stands: its branches, and the asks that wait for a move."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from moot.protocols.engine.budget import Account
from moot.protocols.engine.floor import AskEffect
from moot.protocols.engine.view import Log, Said

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol


class Branch:
    """A coroutine being stepped: where it stands, what has been said to it, what it may spend."""

    __slots__ = ("coro", "prefix", "next", "last", "heads", "added", "accounts", "parent", "index", "results", "left",
                 "children", "play")  # fmt: skip

    def __init__(self, coro: Coroutine[Any, Any, Any], prefix: str, heads: dict[str | None, Log]) -> None:
        self.coro = coro
        self.prefix = prefix
        self.next = 0
        self.last = ""
        self.heads = heads
        self.added: list[tuple[Said, bytes, tuple[str, ...] | None]] = []
        self.accounts: dict[str, Account] | None = None
        self.parent: Branch | None = None
        self.index = 0
        self.results: list[Any] = []
        self.left = 0
        self.children: list[Branch] = []
        self.play: str | None = None

    def step(self) -> str:
        step = f"{self.prefix}{self.next}"
        self.next += 1
        return step

    def say(self, entry: Said, payload: bytes, to: tuple[str, ...] | None) -> None:
        heads = self.heads
        if to is None and len(heads) == 1:
            heads[None] = Log(heads[None], entry, payload)
        elif to is None:
            for audience, head in heads.items():
                heads[audience] = Log(head, entry, payload)
        else:
            for seat in dict.fromkeys(to):
                heads[seat] = Log(heads.get(seat, heads[None]), entry, payload)
        if self.parent is not None and self.play is None:
            self.added.append((entry, payload, to))


class Open:
    """An ask that waits for its move."""

    __slots__ = ("branch", "ask", "digest", "attempt", "problem")

    def __init__(self, branch: Branch, ask: AskEffect, digest: str) -> None:
        self.branch, self.ask, self.digest = branch, ask, digest
        self.attempt = 0
        self.problem: str | None = None


def line_of(error: BaseException, protocol: Protocol) -> str:
    """Where in the protocol's own file an error came from (or the innermost line, if it never was there)."""
    own, place, last = type(protocol).play.__code__.co_filename, None, ""
    trace = error.__traceback__
    while trace is not None:
        last = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        if trace.tb_frame.f_code.co_filename == own:
            place = last
        trace = trace.tb_next
    return place or last
