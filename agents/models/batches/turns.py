"""Which plays run inside a batch, and which of them can move: whether all that they wait for has been gathered.
Rule: it counts, and knows neither calls nor providers; a play or a turn outside of a batch costs one look at a variable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from moot.protocols.engine.errors import AgentError

if TYPE_CHECKING:
    from moot.agents.models.apis.api import API
    from moot.agents.models.batches.forms import Place
    from moot.agents.models.http.transport import Answer

T = TypeVar("T")


class Unanswered(AgentError):
    """A gathered call that got no answer. again: whether to gather it once more; worked: whether it may have been worked on;
    batch: the id of the batch that it was in, "" for none."""

    def __init__(self, message: str, *, again: bool = False, worked: bool = False, batch: str = "") -> None:
        super().__init__(message)
        self.again, self.worked, self.batch = again, worked, batch


@dataclass(eq=False, slots=True)
class Play:
    """A play that runs. name: of its transcript; turns: those that are awaited."""

    name: str
    turns: set[Turn] = field(default_factory=set)

    @property
    def moving(self) -> bool:
        """Whether it can go on before a gathered call is answered."""
        return not self.turns or not all(turn.stands for turn in self.turns)


@dataclass(eq=False, slots=True)
class Turn:
    """An answer of a seat that is awaited. stands: how many of its calls wait for others. outer: the turn in which the play is
    played, where an agent plays one."""

    outer: Turn | None
    stands: int = 0


class Gathering(ABC):
    """What calls are gathered in, as the plays and the endpoints see it."""

    def __init__(self) -> None:
        self.plays: set[Play] = set()
        self.changes = 0  # counts up with each play or turn that begins or ends

    @abstractmethod
    async def answer(
        self, place: Place, api: API, body: Mapping[str, Any], step: str, seed: int,
        waiting: Callable[[], AbstractContextManager[Any]],
    ) -> tuple[str, Answer]:  # fmt: skip
        """The id of the batch that answered, and its answer, once it is there."""


_batch: ContextVar[Gathering | None] = ContextVar("moot_batch", default=None)
_play: ContextVar[Play | None] = ContextVar("moot_batch_play", default=None)
_turn: ContextVar[Turn | None] = ContextVar("moot_batch_turn", default=None)


def in_force() -> Gathering | None:
    """The batch that this runs inside."""
    return _batch.get()


@contextmanager
def gathering(batch: Gathering) -> Iterator[None]:
    """Gather the calls of what runs inside."""
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)


def play_name() -> str:
    """The name of the play that this runs in; "" where there is none, or it is not recorded."""
    play = _play.get()
    return "" if play is None else play.name


@contextmanager
def playing(out: Path | str | None) -> Iterator[None]:
    """A play runs inside. out: where it is recorded."""
    if (batch := _batch.get()) is None:
        yield
        return
    play = Play("" if out is None else Path(out).name)
    batch.plays.add(play)
    batch.changes += 1
    token = _play.set(play)
    try:
        yield
    finally:
        _play.reset(token)
        batch.plays.discard(play)
        batch.changes += 1


def turned(reply: Awaitable[T]) -> Awaitable[T]:
    """An answer of a seat, to be awaited as a turn of the play that this runs in."""
    batch, play = _batch.get(), _play.get()
    return reply if batch is None or play is None else _gathered(reply, batch, play)


async def _gathered(reply: Awaitable[T], batch: Gathering, play: Play) -> T:
    turn = Turn(_turn.get())
    play.turns.add(turn)
    token = _turn.set(turn)
    try:
        return await reply
    finally:
        _turn.reset(token)
        play.turns.discard(turn)
        batch.changes += 1


class Standing:
    """The turn that this runs in stands, with those around it, until `end` is called."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        turn = _turn.get()
        while turn is not None:
            turn.stands += 1
            self._turns.append(turn)
            turn = turn.outer

    def end(self) -> None:
        while self._turns:
            self._turns.pop().stands -= 1


@contextmanager
def standing(waiting: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Wait inside for what other plays give back: neither the seat's time runs nor can its play move."""
    stands = Standing()
    try:
        with waiting():
            yield
    finally:
        stands.end()
