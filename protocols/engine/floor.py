"""The floor: the only thing a protocol may await. It hands each request to whatever drives the play.

Rule of this file: it checks what a script asks for and makes effects of it; carrying them out is the game's part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import CoroutineType, UnionType
from typing import Any, ClassVar, TypeVar, Unpack
from typing import Protocol as Structural

from pydantic import JsonValue

from moot.protocols.engine.budget import MEASURES, PER_CALL
from moot.protocols.engine.errors import Illegal, ProtocolError, near
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, reworded
from moot.protocols.engine.replies import written
from moot.protocols.engine.request import Brief, Facts
from moot.protocols.engine.steps import (
    PROTOCOL,
    AskEffect,
    Branch,
    ChargeEffect,
    CoinEffect,
    FlipEffect,
    ParallelEffect,
    PlayEffect,
    TellEffect,
    drop,
)
from moot.protocols.engine.values.frozen import UNCHANGING, frozen
from moot.protocols.engine.view import NOTHING, Entry, Log, Source, View

M = TypeVar("M", bound=Move)


class Stage(Structural):
    """What a floor needs of the game that it belongs to: its protocol, and the branch that is being stepped."""

    protocol: Any
    current: Branch | None


class Script(Structural):
    """What can be played inside a play, by structure: a Protocol."""

    name: ClassVar[str]

    def roles(self, question: Question) -> dict[str, str]: ...

    def play(self, floor: Any, question: Question) -> Coroutine[Any, Any, Any]: ...


class Floor:
    """One play's floor. Every method that is awaited is one step (or, for `parallel` and `play`, a branch of steps)."""

    __slots__ = ("_game", "question", "_roles", "_outer", "_open", "_protocol", "_facts")

    def __init__(
        self, game: Stage, protocol: Script, question: Question, roles: Mapping[str, str], outer: Mapping[str, str]
    ) -> None:
        self._game, self.question, self._open = game, question, question.without_source()
        self._roles, self._outer, self._protocol = dict(roles), dict(outer), protocol
        self._facts: Facts | None = None

    def facts(self, view: View) -> Facts:
        """What the protocol declares of this play. view: what the reader is shown; who answers a part of the play's question is
        not told the whole of it."""
        if self._facts is None:
            outer = self._outer
            names = {outer.get(seat, seat): seat for seat in self._roles}
            seats = {outer.get(seat, seat): role for seat, role in self._roles.items()}
            full = self.question
            has = {"passage": full.passage is not None, "data": full.data is not None, "images": bool(full.images)}
            source = tuple(name for name, there in has.items() if there)
            protocol: Any = self._protocol
            settled, declared = protocol.defended(full, {}), protocol.sees(full)
            told = map(frozen, (seats, names, settled, declared))  # every seat is given the same ones
            self._facts = Facts(protocol, self._open, source, *told)
        facts, text = self._facts, view._question.text
        if text == self.question.text:
            return facts
        return replace(facts, question=reworded(facts.question, text, facts.question.choices))

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
        heads = (self._game.current or self._branch).heads
        log = heads[None]
        if to is not None and len(heads) > 1:
            log = heads.get(self._outer.get(to, to), log)
        return View(self.question, log, source, self._open)

    def entry(self, seat: str, move: Move) -> Entry:
        """What a seat said in the latest step, as a statement: for a view of somebody who is shown it though it was not said."""
        return Entry(self.step, self._outer.get(seat, seat), move)

    def only(
        self, text: str, *entries: Entry, choices: tuple[str, ...] = (), source: Source = "none", log: Log = NOTHING,
        data: JsonValue = None,
    ) -> View:  # fmt: skip
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
            full = full.model_copy(update={"data": frozen(data)})
        return View(full, log, source, question)

    def ask(
        self, seat: str, kind: type[M] | UnionType, *, view: View | None = None, check: Callable[[M], Move] | None = None,
        keep: Callable[[Any], None] | None = None, say: bool = True, to: tuple[str, ...] | None = None, under: str | None = None, relation: str = "supports",
        repairs: int = 1, last: Callable[[M], Move] | None = None, **brief: Unpack[Brief],
    ) -> Awaitable[M]:  # fmt: skip
        """Ask `seat` for a move of `kind` (a Move class, or a union of them) and put it on the record.

        view: what the seat sees; by default all that was said to it, without the source. check: returns the move to
        put on the record, or raises Illegal, after which the seat is asked again, `repairs` times, and then forfeits. It
        changes nothing: it is called more often than moves are made. last: the check of the last attempt, where that is another
        one (what is too long is cut rather than lost). keep: what the script keeps of a move, as it was given;
        called once, when it has been accepted.
        say: whether the move joins the statements; to: who may be shown it, these seats and its author, and no other.
        under, relation: its place in the argument tree, the step it answers and how. None: the question for a move that
        `argues`, and for any other no place in the tree.
        The rest is the brief, which tells the seat about its turn: the keys of `Brief`, and whatever else in `details`.
        Raises TypeError on any other keyword.
        """
        if not _KEYS.issuperset(brief):
            wrong = next(key for key in brief if key not in _KEYS)
            raise TypeError(f"floor.ask has no keyword {wrong!r}{near(wrong, _KEYWORDS)}; yours go into details={{…}}")
        roles = self._roles
        if seat not in roles:
            raise ProtocolError(f"the protocol asked seat {seat!r}; its seats are {', '.join(roles)}")
        outer = self._outer[seat] if self._outer else seat
        if repairs > (declares := self._game.protocol).most_repairs:
            declared = f"{declares.name} declares most_repairs = {declares.most_repairs}"
            raise ProtocolError(
                f"seat {seat!r} may try again {repairs} times, and {declared}; declare as many as there may be"
            )
        if view is None:
            view = self.said(seat)
        kinds = _kinds(kind if isinstance(kind, type) else getattr(kind, "__args__", kind))
        if to is not None:
            to = tuple(self._outer.get(other, other) for other in (*to, seat)) if self._outer else (*to, seat)
        first = last if last is not None and not repairs else check
        branch: Any = self._game.current
        if branch and branch.parent and not UNCHANGING.issuperset(map(type, brief.values())):
            brief = frozen(brief)  # a branch beside this one may change its lists before somebody reads it
        return AskEffect(outer, kinds, view, brief, first, say, to, under, relation, repairs, keep, last, self)

    def parallel(
        self, *branches: Awaitable[Any], seats: Sequence[str | Iterable[str]] | None = None
    ) -> Awaitable[tuple[Any, ...]]:
        """Run branches (coroutines that await this floor) at the same time, blind to each other; results in their order.

        seats: of each branch, the seats that it asks or charges (one as a text, several as a tuple). What a bounded seat has
        left is dealt out in equal shares to the branches that name it. None: to all branches, as any may ask any seat, unless
        each branch is a `floor.ask`.
        Raises ProtocolError when they are not one for each branch, and where a branch then asks another seat.
        """
        try:
            return ParallelEffect(branches, self._asking(branches, seats))
        except ProtocolError:
            drop(branches)
            raise

    def _asking(
        self, branches: Sequence[Awaitable[Any]], seats: Sequence[str | Iterable[str]] | None
    ) -> list[frozenset[str] | None] | None:
        """The seats that each branch may ask; None where nothing is said of them."""
        if seats is None:
            asks = [branch for branch in branches if isinstance(branch, AskEffect)]
            return [frozenset((ask.seat,)) for ask in asks] if len(asks) == len(branches) else None
        if isinstance(seats, str) or len(seats) != len(branches):
            raise ProtocolError(
                f"floor.parallel has {len(branches)} branches, and seats={seats!r}: give seats for each branch"
            )
        named: dict[str | tuple[str, ...], frozenset[str] | None] = {}
        among = [each if isinstance(each, str) else tuple(each) for each in seats]
        for each in among:
            if each not in named:
                own = (each,) if isinstance(each, str) else each
                if unknown := [seat for seat in own if seat not in self._roles]:
                    raise ProtocolError(
                        f"floor.parallel(seats=…) names seat {unknown[0]!r}; the seats are {', '.join(self._roles)}"
                    )
                named[each] = frozenset(self._outer.get(seat, seat) for seat in own)
        return [named[each] for each in among]

    def flip(self, probability: float = 0.5) -> Awaitable[bool]:
        """A public coin: True with the given probability."""
        if not 0 <= probability <= 1:
            raise ProtocolError(f"flip({probability}): a probability lies in [0, 1]")
        return CoinEffect((1 - probability, probability))

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
            raise ProtocolError(f"charge({seat!r}, {measure!r}, {amount}): a charge gives no budget back")
        await ChargeEffect(self._outer.get(seat, seat), measure, amount)

    async def tell(self, move: Move, *, to: tuple[str, ...] | None = None) -> None:
        """Words of the protocol itself, as a statement by "protocol": that a question was turned down, a placebo. to: who may be
        shown them, these seats and no other; None: everybody. They stand in no argument tree, and reading them costs what
        reading the move costs. Raises ProtocolError where there is no such seat, or a seat is called "protocol", and for what
        cannot be written down."""
        if not isinstance(move, Move):
            raise ProtocolError(f"floor.tell({move!r}): give a Move, for instance Speech(text=…)")
        if to is not None and (unknown := [seat for seat in to if seat not in self._roles]):
            raise ProtocolError(f"floor.tell(to=…) names seat {unknown[0]!r}; the seats are {', '.join(self._roles)}")
        if PROTOCOL in (*self._roles, *self._outer.values()):
            raise ProtocolError(
                f"a seat is called {PROTOCOL!r}, so that nobody could tell it from the protocol: rename it"
            )
        try:
            written(move)
        except (UnicodeError, Illegal) as error:
            raise ProtocolError(f"floor.tell: this {type(move).__name__} cannot be written down: {error}") from None
        await TellEffect(move, None if to is None else tuple(self._outer.get(seat, seat) for seat in to))

    async def play(self, protocol: Script, question: Question, seats: Mapping[str, str] | None = None) -> Decided:
        """Play another protocol inside this one. `seats` maps its seats to ours (the same names when None, or left out).

        Returns its decision, its payoffs those of our seats; when it ends otherwise (forfeit, exhaustion, error), so does
        this play.
        """
        outer, ours = self._outer, seats or {}
        mapped = {seat: ours.get(seat, seat) for seat in protocol.roles(question)}
        if missing := [seat for seat in mapped.values() if seat not in self._roles]:
            raise ProtocolError(f"{protocol.name} inside another needs seat {missing[0]!r} of {', '.join(self._roles)}")
        within = {inner: outer.get(seat, seat) for inner, seat in mapped.items()}
        decided: Decided = await PlayEffect(protocol, question, within)
        paid: dict[str, float] = {}
        for inner, amount in decided.payoffs.items():
            paid[mapped[inner]] = paid.get(mapped[inner], 0.0) + amount
        return decided if paid == decided.payoffs else decided.model_copy(update={"payoffs": paid})


_KEYS = frozenset(Brief.__annotations__)
_KEYWORDS = (*Brief.__annotations__, "view", "check", "keep", "say", "to", "under", "relation", "repairs", "last")


@cache
def _kinds(asked: Any) -> tuple[type[Move], ...]:
    """The move classes that were asked for, in the script's order: unions are equal in any order, and requests are not.
    Raises ProtocolError when there is anything else among them."""
    kinds = asked if isinstance(asked, tuple) else (asked,)
    for each in kinds:
        if not (isinstance(each, type) and issubclass(each, Move)):
            raise ProtocolError(f"asked for {each!r}; a kind is a subclass of Move, or a union of them")
    return kinds


def as_coroutine(branch: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """A branch of `parallel` as a coroutine that can be stepped."""
    if type(branch) is CoroutineType or isinstance(branch, Coroutine):
        return branch

    async def wrapped() -> Any:
        return await branch

    return wrapped()
