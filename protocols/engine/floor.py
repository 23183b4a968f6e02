"""The floor: the only thing a protocol may await. It hands each request to whatever drives the play."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import JsonValue

from moot.protocols.engine.budget import MEASURES, PER_CALL
from moot.protocols.engine.errors import ProtocolError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, reworded
from moot.protocols.engine.view import NOTHING, Entry, Log, Source, View

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.branch import Branch
    from moot.protocols.engine.game import Game

M = TypeVar("M", bound=Move)


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
        brief: dict[str, Any],
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
    __slots__ = ("protocol", "question", "seats")

    def __init__(self, protocol: Protocol, question: Question, seats: Mapping[str, str] | None) -> None:
        self.protocol, self.question, self.seats = protocol, question, seats


class Floor:
    """One play's floor. Every method that is awaited is one step (or, for `parallel` and `play`, a branch of steps)."""

    __slots__ = ("_game", "question", "_roles", "_outer", "_open")

    def __init__(self, game: Game, question: Question, roles: Mapping[str, str], outer: Mapping[str, str]) -> None:
        self._game = game
        self.question = question
        self._roles = dict(roles)
        self._outer = dict(outer)
        self._open = question.without_source()

    def seats(self, role: str) -> tuple[str, ...]:
        """The seats that hold `role`, in the protocol's order."""
        return tuple(seat for seat, held in self._roles.items() if held == role)

    @property
    def step(self) -> str:
        """The path of the latest step of this branch; what `under` of a later ask may name."""
        return (self._game.current or self._branch).last

    @property
    def _branch(self) -> Branch:
        branch = self._game.current
        if branch is None:
            raise ProtocolError("the floor was used outside the play that it belongs to")
        return branch

    def said(self, to: str | None = None, source: Source = "none") -> View:
        """The statements so far, oldest first: the public ones, and with `to` those that only this seat may see as well.

        source: "none" shows the bare question; "all" the passage and data with it; "metered" lets the reader look at
        single cells of it, each charged. Statements of branches that run at the same time are never in it.
        """
        branch = self._game.current or self._branch
        heads = branch.heads
        log = heads[None]
        if to is not None and len(heads) > 1:
            log = heads.get(self._outer.get(to, to), log)
        return View(self.question, log, source, self._open)

    def only(
        self,
        text: str,
        *entries: Entry,
        choices: tuple[str, ...] = (),
        source: Source = "none",
        log: Log = NOTHING,
        data: JsonValue = None,
    ) -> View:
        """A view of another question about the same data, with none but these statements, oldest first.

        text, choices: of that question. log: statements chained before, to which entries are added. The declared size
        stays, and so does what everybody knows. data: with source="metered", what may be looked at in place of the
        question's data: made of that and of statements which the reader is not to be shown whole.
        """
        shown = self.question if source == "all" else self._open
        question = reworded(shown, text, choices)
        for entry in entries:
            log = log.then(entry)
        full = question if source == "all" else self.question
        if data is not None:
            if source != "metered":
                raise ProtocolError(f'floor.only(data=…) is for looking at: give source="metered", not {source!r}')
            full = full.model_copy(update={"data": data})
        return View(full, log, source, question)

    def ask(
        self,
        seat: str,
        kind: type[M] | Any,
        *,
        view: View | None = None,
        check: Callable[[M], Move] | None = None,
        say: bool = True,
        to: tuple[str, ...] | None = None,
        under: str | None = None,
        relation: str = "supports",
        repairs: int = 1,
        **brief: Any,
    ) -> Awaitable[M]:
        """Ask `seat` for a move of `kind` (a Move class, or a union of them) and put it on the record.

        view: what the seat sees; by default all that was said to it, without the source. check: returns the move to
        put on the record, or raises Illegal, after which the seat is asked again, `repairs` times, and then forfeits.
        say: whether the move joins the statements; to: who may be shown it, these seats and its author, and no other.
        under, relation: its
        place in the argument tree, the step it answers (the question itself when None) and how. Everything else is the
        brief: JSON values that tell the seat about its turn.
        """
        roles = self._roles
        if seat not in roles:
            raise ProtocolError(f"the protocol asked seat {seat!r}; its seats are {', '.join(roles)}")
        outer = self._outer[seat] if self._outer else seat
        if view is None:
            view = self.said(seat)
        kinds = _KINDS.get(kind) or _kinds(kind)
        if to is not None:
            to = tuple(self._outer.get(other, other) for other in (*to, seat)) if self._outer else (*to, seat)
        return AskEffect(outer, kinds, view, brief, check, say, to, under, relation, repairs)

    def parallel(self, *branches: Awaitable[Any]) -> Awaitable[tuple[Any, ...]]:
        """Run branches (coroutines that await this floor) at the same time, blind to each other; results in their order."""
        return ParallelEffect(branches)

    async def flip(self, probability: float = 0.5) -> bool:
        """A public coin: True with the given probability."""
        if not 0 <= probability <= 1:
            raise ProtocolError(f"flip({probability}): a probability lies in [0, 1]")
        return await FlipEffect((1 - probability, probability)) == 1  # type: ignore[no-any-return]

    async def draw(self, *weights: float) -> int:
        """An index, drawn in proportion to finitely many weights."""
        if not weights or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
            raise ProtocolError(f"draw{weights}: give weights of at least 0 with a positive, finite sum")
        return await FlipEffect(weights)  # type: ignore[no-any-return]

    async def uniform(self) -> float:
        """A number drawn evenly from [0, 1)."""
        return await FlipEffect(None)  # type: ignore[no-any-return]

    async def charge(self, seat: str, measure: str, amount: int = 1) -> None:
        """Charge a seat's budget (for instance one query of the judge). Over the limit the play ends in Exhausted."""
        if seat not in self._roles:
            raise ProtocolError(f"the protocol charged seat {seat!r}; its seats are {', '.join(self._roles)}")
        if measure not in MEASURES:
            raise ProtocolError(f"the protocol charged {measure!r}; measures are {', '.join(MEASURES)}")
        if measure in PER_CALL.values():
            raise ProtocolError(f"charge({seat!r}, {measure!r}): {measure} counts what is read in a call; charge reads")
        if amount < 0:
            raise ProtocolError(
                f"charge({seat!r}, {measure!r}, {amount}): a charge is at least 0; nothing gives budget back"
            )
        await ChargeEffect(self._outer.get(seat, seat), measure, amount)

    async def play(self, protocol: Protocol, question: Question, seats: Mapping[str, str] | None = None) -> Decided:
        """Play another protocol inside this one. `seats` maps its seats to ours (the same names when None).

        Returns its decision; when it ends otherwise (forfeit, exhaustion, error), so does this play.
        """
        return await PlayEffect(protocol, question, self._mapped(seats))  # type: ignore[no-any-return]

    def _mapped(self, seats: Mapping[str, str] | None) -> dict[str, str] | None:
        if seats is None:
            return dict(self._outer) or None
        return {inner: self._outer.get(ours, ours) for inner, ours in seats.items()}


_KINDS: dict[Any, tuple[type[Move], ...]] = {}


def _kinds(kind: Any) -> tuple[type[Move], ...]:
    """The move classes behind a class or a union of classes. Raises ProtocolError when there is anything else in it."""
    kinds = get_args(kind) or (kind,)
    for each in kinds:
        if not (isinstance(each, type) and issubclass(each, Move)):
            raise ProtocolError(f"asked for {kind!r}; a kind is a subclass of Move, or a union of them")
    _KINDS[kind] = kinds
    return kinds


def as_coroutine(branch: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """A branch of `parallel` as a coroutine that can be stepped."""
    if isinstance(branch, Coroutine):
        return branch

    async def wrapped() -> Any:
        return await branch

    return wrapped()
