"""The steps of a play: what a script yields to the engine, where each branch stands, who is told, and what a coin shows.

Rule of this file: plain records without behaviour of their own. `floor.py` makes the effects, `game.py` carries them out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import Any
from typing import Protocol as Structural

from moot.protocols.engine.budget import Account, Meter
from moot.protocols.engine.errors import BudgetExceeded
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Exhausted
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Brief
from moot.protocols.engine.view import Log, Said, View

PROTOCOL = "protocol"
"""Who says what a protocol tells."""


class Effect:
    """What a protocol yields to the engine when it awaits its floor."""

    __slots__ = ()

    def __await__(self) -> Generator[Effect, Any, Any]:
        return (yield self)


class Declaring(Structural):
    """Who knows what the protocol that asks declares of its play: a floor."""

    def facts(self, view: View) -> Any: ...


@dataclass(slots=True, eq=False)
class AskEffect(Effect):
    seat: str
    kinds: tuple[type[Move], ...]
    view: View
    brief: Brief
    check: Callable[[Any], Move] | None
    say: bool
    to: tuple[str, ...] | None
    under: str | None
    relation: str
    repairs: int
    keep: Callable[[Any], None] | None = None
    last: Callable[[Any], Move] | None = None
    floor: Declaring | None = None


@dataclass(slots=True, eq=False)
class ParallelEffect(Effect):
    branches: tuple[Awaitable[Any], ...]
    seats: list[frozenset[str] | None] | None = None


@dataclass(slots=True, eq=False)
class FlipEffect(Effect):
    weights: tuple[float, ...] | None


@dataclass(slots=True, eq=False)
class CoinEffect(FlipEffect):
    """A draw of two, of which the second is heads: True."""

    def __await__(self) -> Generator[Effect, Any, bool]:
        return (yield self) == 1  # type: ignore[no-any-return]


@dataclass(slots=True, eq=False)
class ChargeEffect(Effect):
    seat: str
    measure: str
    amount: int


@dataclass(slots=True, eq=False)
class TellEffect(Effect):
    """Words of the protocol itself. to: who may be shown them; None for all."""

    move: Move
    to: tuple[str, ...] | None


@dataclass(slots=True, eq=False)
class PlayEffect(Effect):
    """A play inside another. seats: where each of its seats sits in the outermost play. step: where it began there."""

    protocol: Any
    question: Question
    seats: Mapping[str, str]
    step: str = ""


@dataclass(slots=True, eq=False)
class Branch:
    """A coroutine being stepped: where it stands, what has been said to it, what it may spend. seats: those that it may ask
    and charge; None for all. parted: the awaitables of the `parallel` that it waits for. added: of a branch of one, what was said in it,
    for its parent."""

    coro: Coroutine[Any, Any, Any]
    prefix: str
    heads: dict[str | None, Log]
    next: int = 0
    last: str = ""
    added: list[tuple[Said, bytes, tuple[str, ...] | None]] | None = None
    accounts: dict[str, Account] | None = None
    parent: Branch | None = None
    index: int = 0
    results: Any = None
    left: int = 0
    children: Sequence[Branch] = ()
    parted: tuple[Awaitable[Any], ...] = ()
    play: PlayEffect | None = None
    seats: frozenset[str] | None = None

    def account(self, seat: str) -> Account | None:
        """What a seat may spend in this branch; None without a bound."""
        return self.accounts.get(seat) if self.accounts else None

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
        if self.added is not None:
            self.added.append((entry, payload, to))


@dataclass(slots=True, eq=False)
class Waiting:
    """An ask that waits for its move."""

    branch: Branch
    ask: AskEffect
    digest: str
    attempt: int = 0
    problem: str | None = None
    rejected: Any = None
    meter: Meter | None = None

    def refused(self, rule: str, reply: Any) -> bool:
        """Count an attempt, a reply which broke this rule. Whether that was the last; before the last, its own check takes over."""
        self.attempt, self.problem, self.rejected = self.attempt + 1, rule, reply
        if self.attempt == self.ask.repairs and self.ask.last is not None:
            self.ask.check = self.ask.last
        return self.attempt > self.ask.repairs

    def used(self, meter: Meter | None) -> None:
        """Close the meter of the request that was made of it last, where a bound rests on it; the next has another."""
        if self.meter is not None and self.meter.account is not None:
            self.meter.close()
        self.meter = meter


def drop(branches: Iterable[Awaitable[Any]]) -> None:
    """Close the coroutines of a `parallel` that were never begun and will not be, those of one inside another as well: Python
    takes one that is just let go for a forgotten await, and warns."""
    for each in branches:
        if isinstance(each, ParallelEffect):
            drop(each.branches)
        elif iscoroutine(each) and getcoroutinestate(each) == CORO_CREATED:
            each.close()


def misplaced(branch: Branch, effect: AskEffect | ChargeEffect, taken: Collection[str] | None) -> str | None:
    """What is wrong with the seat that a branch asks or charges, or with the step that it puts a move under. taken: the steps
    at which something was said; None where nobody keeps them."""
    if branch.seats is not None and effect.seat not in branch.seats:
        return f"asks or charges seat {effect.seat!r} in a branch that does not name it: floor.parallel(seats=…)"
    under = effect.under if isinstance(effect, AskEffect) else None
    if under is not None and taken is not None and under not in taken:
        return f'puts a move under step {under!r}, at which nothing was said; the question is "q"'
    return None


class Recorder(Structural):
    """Who is told what happens. `moved` is apart because it is the hot path."""

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None, remark: str | None = None,
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


def exhausted(seat: str, error: BudgetExceeded, step: str) -> Exhausted:
    """The end of a play in which a seat would have crossed a limit at `step`."""
    return Exhausted(seat=seat, measure=error.measure, used=error.used, limit=error.limit, step=step)
