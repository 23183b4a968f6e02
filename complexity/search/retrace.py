"""A game that can be taken back to its beginning and led along moves that it has accepted before, at little cost.
Rule: it leads one game along given moves; which moves are worth trying is decided in `solve.py`.

A protocol is a coroutine, and coroutines cannot be copied: whoever wants to try another move runs the play again up to
there. A move that was accepted once need not be read, checked and hashed again for that, as a check changes nothing; nor
need the play stop at it: the script's floor hands it over as soon as it is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, NamedTuple

from moot.protocols.engine.budget import Account
from moot.protocols.engine.errors import BudgetExceeded, ProtocolError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Outcome
from moot.protocols.engine.replies import accepted, written
from moot.protocols.engine.steps import AskEffect, Branch
from moot.protocols.engine.values.frozen import UNCHANGING, remade
from moot.protocols.engine.view import Log, View

KEPT = 4096
"""The most listed moves of which is kept what became of them, each at its step."""


@dataclass(slots=True, eq=False)
class Taken:
    """A move that was accepted at `step`, for every play that comes to the same position again.

    given: the move as its seat gave it. shown: as others may see it, and payload: that as JSON. reads: what the seat read for
    it. rejected: the replies that it gave before and what it read for them. drawn: whether the seat could have drawn another.
    link: the statement that it makes where all are public. bars: whether a play that goes on after it must make it again.
    """

    step: str
    seat: str
    given: Move
    move: Move
    shown: Move
    payload: bytes
    reads: int
    drawn: bool
    link: Log | None
    bars: bool
    rejected: Sequence[tuple[Any, int]] = ()


class _Vetted(NamedTuple):
    """What became of a listed move at a step. reply: the move, held so that no other has its id. given: a copy that no agent is
    shown. values: those of the move that the check made of it, all plain."""

    reply: Any
    kinds: tuple[type[Move], ...]
    given: Move
    kind: type[Move]
    values: tuple[Any, ...]
    payload: bytes
    link: Log | None

    def again(self, ask: AskEffect) -> tuple[Move, Move, bytes] | None:
        """As `accepted` returns it, where the check makes the same of it here: the same values, not equal ones. Raises Illegal."""
        if ask.kinds is not self.kinds:
            return None
        given = self.given
        move = given if ask.check is None else ask.check(given)
        if move is given:
            given = move = remade(given, {})
        same = type(move) is self.kind and all(map(is_, move.__dict__.values(), self.values))
        return (given, move, self.payload) if same else None


class Retraced(Game):
    """A game without a recorder that can be restarted. The hash of a request is made when the request is."""

    _floor: _Leading
    _plain: Floor

    def _begin(self, floor: Floor | None = None) -> None:
        if not hasattr(self, "_floor"):
            self._known: dict[tuple[str, int], _Vetted] = {}
            self._plain = Floor(self, self.protocol, self.question, self.roles, {})
            self._floor = _Leading(self, self.protocol, self.question, self.roles, {})
            self._floor.led, self._tells = [], self.protocol.tells("onward")
        super()._begin(self._floor)

    def restart(self, taken: Sequence[Taken] = ()) -> None:
        """Take the play back to its beginning, and lead it along moves that it has accepted. Chance and bounds are those
        of before. Raises ProtocolError as `repeat` does."""
        self.close()
        self.outcome = None
        if taken and self._tells and (onward := self._onward(taken)) is not None:
            self.accounts = {seat: Account(limits) for seat, limits in self._bounds.items()}
            onward.accounts = self.accounts or None
            self._begun(onward)
            return self._run()
        led = self._floor.led = list(reversed(taken))
        self._begin()
        self._run()
        while led:
            self.repeat(led.pop())

    def _onward(self, taken: Sequence[Taken]) -> Branch | None:
        """The branch in which the play goes on after these moves, where its protocol can tell that from them: all of its first
        moves, public, of seats without a bound, and no verdict."""
        last, link, count = taken[-1].step, taken[-1].link, len(taken)
        if link is None or link.length != count or last != str(count - 1):
            return None
        moves = []
        for each in taken:
            if each.bars or each.rejected:
                return None
            moves.append(each.move)
        script = self.protocol.onward(self._plain, self.question, moves)
        return None if script is None else Branch(script, "", {None: link}, next=count, last=last)

    def vet(self, step: str, reply: Any, reads: int = 0, drawn: bool = False, listed: bool = False) -> Taken:
        """The reply as the move that it would be at `step`; changes nothing. listed: it stands in a list that is kept, and no
        agent can reach it. Raises Illegal, and ProtocolError as `repeat` does."""
        waiting = self.open.get(step)
        if waiting is None:
            self.close()
            raise self.impure(step)
        ask, branch, seat, link = waiting.ask, waiting.branch, waiting.ask.seat, None
        key, known, again = (step, id(reply)), None, None
        if listed and (known := self._known.get(key)) is not None:
            again = known.again(ask)
        given, move, payload = again or accepted(reply, ask)[:3]
        shown = move
        if move.private_fields:
            shown = move.as_public()
            payload = payload if again else written(shown)
        if ask.say and ask.to is None and branch.parent is None and len(branch.heads) == 1:
            link = Log(branch.heads[None], (step, seat, shown), payload)
            link.costs = known.link.costs if again and known and known.link else None
        if listed and not again and UNCHANGING.issuperset(map(type, values := tuple(move.__dict__.values()))):
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = _Vetted(reply, ask.kinds, remade(given, {}), type(move), values, payload, link)
        bars = seat in self._bounds or isinstance(move, Verdict)
        return Taken(step, seat, given, move, shown, payload, reads, drawn, link, bars)

    def repeat(self, taken: Taken) -> None:
        """Give the open step `taken.step` a move that `vet` passed in this position. Spending is charged as in `answer`.

        Raises ProtocolError when the step is not open: the protocol, led along the same moves, went another way.
        """
        step = taken.step
        for reply, reads in taken.rejected:
            self.answer(step, reply, reads=reads)
        waiting = self.open.get(step)
        if waiting is None or waiting.ask.seat != taken.seat:
            self.close()
            raise self.impure(step)
        ask, branch = waiting.ask, waiting.branch
        if (account := branch.account(ask.seat)) is not None:
            try:
                account.answered(taken.reads)
            except BudgetExceeded as error:
                return self.exhaust(step, error)
        del self.open[step]
        if ask.keep is not None:
            ask.keep(taken.given)
        branch.last = step
        if ask.say:
            _say(branch, taken, ask.to)
        self._ready.append((branch, taken.move))
        self._run()

    def played(self, taken: Sequence[Taken], chance: Callable[[str, Any], int]) -> Outcome | None:
        """How another play, by all the rules of a game, ends with the moves as their seats gave them; None where it does not."""
        game = Game(self.protocol, self.question, seed=self.seed, bounds=self._bounds, chance=chance)
        try:
            game.start()
            for each in taken:
                for reply, reads in (*each.rejected, (each.given, each.reads)):
                    if each.step in game.open:
                        game.answer(each.step, reply, reads=reads)
            return game.outcome
        finally:
            game.close()

    def impure(self, step: str) -> ProtocolError:
        return ProtocolError(
            f"protocol {self.protocol.name}, led along the same moves again, did not come to step {step}: it is no pure script"
        )


class _Leading(Floor):
    """The floor of a play that is led along moves. led: those that are left, the last one first."""

    __slots__ = ("led",)
    led: list[Taken]

    def ask(self, seat: str, kind: Any, **more: Any) -> Awaitable[Any]:
        branch: Any = self._game.current
        if not self.led or branch is None or branch.parent is not None:
            return Floor.ask(self, seat, kind, **more)
        return _Led(self, seat, kind, more, branch.heads)

    def parallel(self, *branches: Awaitable[Any], seats: Any = None) -> Awaitable[tuple[Any, ...]]:
        made = [each.effect() if type(each) is _Led else each for each in branches]
        return Floor.parallel(self, *made, seats=seats)

    def effect(self, led: _Led) -> AskEffect:
        more = led.more
        if more.get("view") is None:
            more = {**more, "view": View(self.question, led.log, "none", self._open)}
        return Floor.ask(self, led.seat, led.kind, **more)  # type: ignore[return-value]


class _Led:
    """An ask while a play is led along: what `repeat` does, at once, where the script that goes through the whole play awaits
    it, and an ask like any other of a seat that pays. log: what its seat is shown, of what had been said when it was made."""

    __slots__ = ("floor", "seat", "kind", "more", "log")

    def __init__(
        self, floor: _Leading, seat: str, kind: Any, more: dict[str, Any], heads: Mapping[str | None, Log]
    ) -> None:
        self.floor, self.seat, self.kind, self.more = floor, seat, kind, more
        self.log = heads[None] if len(heads) == 1 else heads.get(seat, heads[None])

    def effect(self) -> AskEffect:
        return self.floor.effect(self)

    def __await__(self) -> Generator[AskEffect, Any, Any]:
        floor, seat, more = self.floor, self.seat, self.more
        if led := floor.led:
            game: Any = floor._game
            branch, taken = game.current, led[-1]
            plain = branch.parent is None and not taken.rejected and more.get("to") is None
            if plain and branch.account(seat) is None:
                if branch.step() != taken.step or seat != taken.seat:
                    raise game.impure(taken.step)
                led.pop()
                if (keep := more.get("keep")) is not None:
                    keep(taken.given)
                branch.last = taken.step
                if more.get("say", True):
                    _say(branch, taken, None)
                return taken.move
        return (yield self.effect())


def _say(branch: Branch, taken: Taken, to: tuple[str, ...] | None) -> None:
    """Put a repeated move among the statements: by the link that was made for it, where the same was said before it."""
    heads, link = branch.heads, taken.link
    if link is not None and link.before is heads[None] and len(heads) == 1 and branch.parent is None:
        heads[None] = link
    else:
        branch.say((taken.step, taken.seat, taken.shown), taken.payload, to)
        taken.link = heads[None] if to is None else None
