"""A game that can be taken back to its beginning and led along moves that it has accepted before, at little cost.

A protocol is a coroutine, and coroutines cannot be copied. Whoever wants to try another move runs the play again up to
there. A move that was accepted once need not be read, checked and hashed again for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moot.protocols.engine import Game
from moot.protocols.errors import BudgetExceeded, ProtocolError
from moot.protocols.floor import AskEffect
from moot.protocols.moves import Move
from moot.protocols.replies import typed, written
from moot.protocols.view import Log, Request


class Taken:
    """A move that was accepted at `step`, for every play that comes to the same position again."""

    __slots__ = ("step", "seat", "move", "payload", "reads", "link")

    def __init__(self, step: str, seat: str, move: Move, payload: bytes, reads: int = 0) -> None:
        self.step, self.seat, self.move, self.payload, self.reads = step, seat, move, payload, reads
        self.link: Log | None = None


class Retraced(Game):
    """A game without a recorder that can be restarted. A request's digest is made when the request is."""

    def restart(self) -> None:
        """Take the play back to its beginning. The chance and the bounds are those of before."""
        self.close()
        self.outcome = None
        self._begin()
        self._run()

    def vet(self, step: str, reply: Any) -> tuple[Move, bytes]:
        """The move as it would go on the record at `step`, and its JSON; changes nothing. Raises Illegal."""
        ask = self.open[step].ask
        given = typed(reply, ask.kinds)
        move = given if ask.check is None else ask.check(given)
        return move, written(move)

    def repeat(self, taken: Taken) -> None:
        """Give the open step `taken.step` a move that `vet` passed in this position. Spending is charged as in `answer`.

        Raises ProtocolError when the step is not open: the protocol, led along the same moves, went another way.
        """
        step = taken.step
        waiting = self.open.get(step)
        if waiting is None:
            raise ProtocolError(
                f"protocol {self.protocol.name}, led along the same moves again, did not come to step {step}: it is no "
                "pure script"
            )
        ask, branch = waiting.ask, waiting.branch
        if branch.accounts and (account := branch.accounts.get(ask.seat)) is not None:
            try:
                account.spend("calls", 1)
                account.spend("reads", taken.reads)
            except BudgetExceeded as error:
                self.exhaust(step, error)
                return
        del self.open[step]
        branch.last = step
        if ask.say:
            heads, link = branch.heads, taken.link
            if link is not None and link.before is heads[None] and len(heads) == 1 and branch.parent is None:
                heads[None] = link
            else:
                branch.say((step, ask.seat, taken.move), taken.payload + ask.seat.encode(), ask.to)
                if ask.to is None:
                    taken.link = heads[None]
        self._ready.append((branch, taken.move))
        self._run()

    def request(self, step: str, note: Callable[[dict[str, Any]], None] | None = None) -> Request:
        waiting = self.open[step]
        if not waiting.digest:
            waiting.digest = Game._digest(self, waiting.ask)
        return super().request(step, note)

    def _digest(self, ask: AskEffect) -> str:
        return ""
