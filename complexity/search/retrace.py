"""A game that can be taken back to its beginning and led along moves that it has accepted before, at little cost.
Rule: it leads one game along given moves; which moves are worth trying is decided in `solve.py`.

A protocol is a coroutine, and coroutines cannot be copied: whoever wants to try another move runs the play again up to
there. A move that was accepted once need not be read, checked and hashed again for that, as a check changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moot.protocols.engine.errors import BudgetExceeded, ProtocolError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.replies import accepted
from moot.protocols.engine.steps import AskEffect, Branch, Waiting
from moot.protocols.engine.view import Log


@dataclass(slots=True, eq=False)
class Taken:
    """A move that was accepted at `step`, for every play that comes to the same position again.

    given: the move as its seat gave it. reads: what the seat read for it. rejected: the replies that it gave before and
    what it read for them. drawn: whether the seat could have drawn another.
    """

    step: str
    seat: str
    given: Move
    move: Move
    payload: bytes
    reads: int = 0
    rejected: Sequence[tuple[Any, int]] = ()
    drawn: bool = False
    link: Log | None = None


class Retraced(Game):
    """A game without a recorder that can be restarted. The hash of a request is made when the request is."""

    @property
    def bounds(self) -> Mapping[str, Mapping[str, int | float]]:
        return self._bounds

    def restart(self, taken: Sequence[Taken] = ()) -> None:
        """Take the play back to its beginning, and lead it along moves that it has accepted. Chance and bounds are those
        of before. Raises ProtocolError as `repeat` does."""
        self.close()
        self.outcome = None
        self._begin()
        self._run()
        done, last = 0, len(taken) - 1
        while done <= last:
            if done < last and len(self.open) == 1:
                done = self._straight(taken, done)
            self.repeat(taken[done])
            done += 1

    def vet(self, step: str, reply: Any, reads: int = 0, drawn: bool = False) -> Taken:
        """The reply as the move that it would be at `step`; changes nothing. Raises Illegal."""
        ask = self.open[step].ask
        return Taken(step, ask.seat, *accepted(reply, ask)[:3], reads, drawn=drawn)

    def repeat(self, taken: Taken) -> None:
        """Give the open step `taken.step` a move that `vet` passed in this position. Spending is charged as in `answer`.

        Raises ProtocolError when the step is not open: the protocol, led along the same moves, went another way.
        """
        step = taken.step
        for reply, reads in taken.rejected:
            self.answer(step, reply, reads=reads)
        waiting = self.open.get(step)
        if waiting is None:
            raise self._impure(step)
        ask, branch = waiting.ask, waiting.branch
        if (account := branch.account(ask.seat)) is not None:
            try:
                account.charge("calls", 1)
                account.charge("reads", taken.reads)
            except BudgetExceeded as error:
                return self.exhaust(step, error)
        del self.open[step]
        if ask.keep is not None:
            ask.keep(taken.given)
        _say(branch, ask, taken)
        self._ready.append((branch, taken.move))
        self._run()

    def _straight(self, taken: Sequence[Taken], done: int) -> int:
        """What `repeat` does, from `done` up to the last but one of `taken`, as long as one ask follows another in one
        branch: nobody looks at the steps in between, so they are not opened. Returns how many were repeated."""
        ((step, waiting),) = self.open.items()
        branch, ask, last = waiting.branch, waiting.ask, len(taken) - 1
        self.open.clear()
        self.current = branch
        while done < last:
            each = taken[done]
            if each.step != step:
                raise self._impure(each.step)
            if each.rejected or branch.account(ask.seat) is not None:
                break
            if ask.keep is not None:
                ask.keep(each.given)
            _say(branch, ask, each)
            try:
                effect = branch.coro.send(each.move)
            except StopIteration as stop:
                self._finished(branch, stop.value)
                self._run()
                return done + 1
            except Exception as error:
                self.close()
                raise self._impure(taken[done + 1].step) from error
            done += 1
            if type(effect) is not AskEffect:
                self._carry_out(branch, effect)
                self._run()
                return done
            ask, step = effect, branch.step()
        self.current = None
        self.open[step] = Waiting(branch, ask, "")
        return done

    def _impure(self, step: str) -> ProtocolError:
        self.close()
        return ProtocolError(
            f"protocol {self.protocol.name}, led along the same moves again, did not come to step {step}: it is no pure script"
        )


def _say(branch: Branch, ask: AskEffect, taken: Taken) -> None:
    """Put a repeated move among the statements: by the link that was made for it, where the same was said before it."""
    branch.last = taken.step
    if ask.say:
        heads, link = branch.heads, taken.link
        if link is not None and link.before is heads[None] and len(heads) == 1 and branch.parent is None:
            heads[None] = link
        else:
            branch.say((taken.step, ask.seat, taken.move), taken.payload, ask.to)
            taken.link = heads[None] if ask.to is None else None
