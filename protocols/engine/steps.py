"""The steps of a play: what a script yields to the engine, where each branch stands, who is told, and what a coin shows.

Rule of this file: plain records without behaviour of their own. `floor.py` makes the effects, `game.py` carries them out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from hashlib import blake2b
from typing import Any
from typing import Protocol as Structural

from moot.protocols.engine.budget import Account
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Brief, Log, Said, View


class Effect:
    """What a protocol yields to the engine when it awaits its floor."""

    __slots__ = ()

    def __await__(self) -> Generator[Effect, Any, Any]:
        return (yield self)


class AskEffect(Effect):
    __slots__ = ("seat", "kinds", "view", "brief", "check", "say", "to", "under", "relation", "repairs")

    def __init__(
        self,
        seat: str,
        kinds: tuple[type[Move], ...],
        view: View,
        brief: Brief,
        check: Callable[[Any], Move] | None,
        say: bool,
        to: tuple[str, ...] | None,
        under: str | None,
        relation: str,
        repairs: int,
    ) -> None:
        self.seat, self.kinds, self.view, self.brief, self.check = seat, kinds, view, brief, check
        self.say, self.to, self.under, self.relation, self.repairs = say, to, under, relation, repairs


class ParallelEffect(Effect):
    __slots__ = ("branches",)

    def __init__(self, branches: tuple[Awaitable[Any], ...]) -> None:
        self.branches = branches


class FlipEffect(Effect):
    __slots__ = ("weights",)

    def __init__(self, weights: tuple[float, ...] | None) -> None:
        self.weights = weights


class ChargeEffect(Effect):
    __slots__ = ("seat", "measure", "amount")

    def __init__(self, seat: str, measure: str, amount: int) -> None:
        self.seat, self.measure, self.amount = seat, measure, amount


class PlayEffect(Effect):
    """A play inside another. seats: where each of its seats sits in the outermost play. step: where it began there."""

    __slots__ = ("protocol", "question", "seats", "step")

    def __init__(self, protocol: Any, question: Question, seats: Mapping[str, str]) -> None:
        self.protocol, self.question, self.seats, self.step = protocol, question, seats, ""


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
        self.play: PlayEffect | None = None

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


class Waiting:
    """An ask that waits for its move."""

    __slots__ = ("branch", "ask", "digest", "attempt", "problem")

    def __init__(self, branch: Branch, ask: AskEffect, digest: str) -> None:
        self.branch, self.ask, self.digest = branch, ask, digest
        self.attempt = 0
        self.problem: str | None = None


class Recorder(Structural):
    """Who is told what happens. `moved` is apart because it is the hot path."""

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None,
    ) -> None: ...  # fmt: skip

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None: ...


def seed_of(seed: int, step: str) -> int:
    """The number that belongs to a step: the same in every run with this seed."""
    return int.from_bytes(blake2b(f"{seed}/{step}".encode(), digest_size=6).digest(), "big")


def drawn(seed: int, step: str, weights: tuple[float, ...] | None) -> int | float:
    """The value of a coin: an index in proportion to the weights, or a number in [0, 1) when there are none."""
    fraction = int.from_bytes(blake2b(f"{seed}:{step}".encode(), digest_size=8).digest(), "big") >> 11
    value = fraction / (1 << 53)
    if weights is None:
        return value
    mark, total = value * sum(weights), 0.0
    for index, weight in enumerate(weights):
        total += weight
        if mark < total:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
