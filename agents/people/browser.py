"""A person at a browser, in any seat: a mailbox of turns, which whoever shows them to the person takes and answers.

Rule of this file: requests in, moves out. Nothing is shown here, and no server is known.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import anyio
from pydantic import Field

from moot.agents.kinds import AgentKind
from moot.protocols.engine.errors import AgentError, BudgetExceeded, TranscriptError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

Away = Literal["stops", "runs"]
"""What a person's clock does while no page of theirs is open."""
TICK = 0.5
"""Seconds between two looks at a person's own clock, where their time is bounded."""


class Turn:
    """One request that waits for a person.

    id: unguessable, another for every turn, and for every attempt at one. request: what is asked, and all that may be shown. problem: why the
    answer before was not accepted. It is answered once: whoever comes second is told so. noted: what the person did on it before the
    play broke off, where it was taken up again. seconds: how long a page was open on it, then too, as far as that was noted
    (`before`). failure: why it takes no answer any more: what the person did could not be recorded, or the seat cannot be asked within its budget.
    """

    def __init__(self, request: Request, away: Away, changed: Callable[[], None]) -> None:
        self.id, self.request, self.away = secrets.token_urlsafe(12), request, away
        self.problem = request.problem
        self.reply: Any = None
        self.closed: str | None = None
        self.failure: Exception | None = None
        self._changed = changed
        self.noted = [event for event in request.noted if event.get("turn") == request.attempt]
        self.before = max(
            (_number(each.get("seconds")) for each in self.noted if each["event"] == "acted"), default=0.0
        )
        self._active, self._since = 0.0, None if away == "stops" else time.monotonic()
        self.present = away == "runs"

    @property
    def waiting(self) -> bool:
        """Whether it still waits for its answer."""
        return self.closed is None

    @property
    def seconds(self) -> float:
        since = 0.0 if self._since is None else time.monotonic() - self._since
        return self.before + self._active + since

    def answer(self, move: Any) -> bool:
        """Give the move, a Move or its JSON form; False where it was answered, or closed, before. It is on the record, with its move,
        before this returns: where the play breaks off now, it is not asked for again."""
        if self.closed is not None:
            return False
        told = move.model_dump(mode="json") if isinstance(move, Move) else move if isinstance(move, dict) else None
        self.note("answered", reads=self.request.budget.reads, **({} if told is None else {"move": told}))
        self.reply, self.closed = move, "answered"
        self._changed()
        return True

    def close(self, why: str) -> None:
        """No answer is taken any more: "over" (the play has ended, or time is up)."""
        if self.closed is None:
            self.closed = why
            self._changed()

    def exhaust(self, problem: BudgetExceeded) -> None:
        """The seat cannot even be asked within its budget: the play ends in Exhausted, as it would for a model."""
        if self.closed is None:
            self.failure = problem
            self.close("over")

    def attend(self, present: bool) -> None:
        """A page is open on this turn, or none is any more."""
        if self.away == "runs" or present == self.present or self.closed is not None:
            return
        if present:
            self._since = time.monotonic()
        elif self._since is not None:
            self._active, self._since = self._active + time.monotonic() - self._since, None
        self.present = present
        self.note("back" if present else "away")
        self._changed()

    def note(self, action: str, **more: Any) -> None:
        """Record what the person did, as an event `acted` of the play, with its time and the seconds so far. Raises TranscriptError where it
        cannot be written: the play breaks off then, to be taken up again."""
        if self.closed is None:
            told = {"action": action, "turn": self.request.attempt, "seconds": round(self.seconds, 3)}
            try:
                self.request.note({"event": "acted", **told, **more})
            except TranscriptError as failure:
                self.failure = failure
                self.close("over")
                raise


class Browser:
    """An agent for a person who is served by somebody else: `moot judge serve`, or a program of yours.

        desk = moot.Browser("Ann")
        async with anyio.create_task_group() as group:
            group.start_soon(moot.arun, protocol, sample, {**seats, "judge": desk})
            turn = await desk.next()
            turn.answer(moot.Verdict(probabilities=(0.3, 0.7)))

    name: whom it is; by it they are told apart in records, and in a study. away: whether the clock of a bounded seat stops while no page is open
    (`Turn.attend`). One mailbox may serve several plays at a time.
    """

    def __init__(self, name: str | None = None, away: Away = "stops") -> None:
        if name is not None and (not isinstance(name, str) or not name.strip()):
            raise UsageError(f"the name of a person is {name!r}; it must be a text that is not empty")
        if away not in ("stops", "runs"):
            raise UsageError(f'away is {away!r}; it is "stops" or "runs"')
        self.name = name
        self.away: Away = away
        self.turns: dict[str, Turn] = {}
        self.served = False
        self._untaken: list[Turn] = []
        self._event: anyio.Event | None = None

    def describe(self) -> dict[str, Any]:
        """What is recorded: that it is a person at a browser, and the name given."""
        return {"agent": "browser", "name": self.name}

    def identity(self) -> dict[str, Any]:
        """A person counts by name."""
        return {"agent": "browser", "name": self.name}

    async def act(self, request: Request) -> Move:
        """Put the request into the mailbox and wait for its answer. Raises AgentError where nobody serves the mailbox, BudgetExceeded
        when the person's own time is over."""
        if not self.served:
            raise AgentError(
                f"step {request.step}: {request.seat} is a person at a browser, and nobody serves them: use `moot judge serve`, "
                "or take turns from `Browser.next()`"
            )
        left = request.budget.left("seconds")
        turn = Turn(request, self.away, self._change)
        request.budget.took(turn.before)
        if (given := _given(turn)) is not None:
            return given
        self.turns[turn.id] = turn
        self._untaken.append(turn)
        try:
            self._change()
            await self._wait(turn, left)
        finally:
            self.turns.pop(turn.id, None)
            if turn in self._untaken:
                self._untaken.remove(turn)
            turn.close("over")
        if turn.failure is not None:
            raise turn.failure
        reply: Move = turn.reply
        return reply

    async def _wait(self, turn: Turn, left: float | None) -> None:
        while turn.waiting:
            if left is not None and turn.seconds >= left:
                raise BudgetExceeded("seconds", round(turn.seconds, 3), left)
            if turn.present:
                await self._changed(None if left is None else min(TICK, left - turn.seconds))
            else:
                with turn.request.budget.waiting():
                    await self._changed(None)

    async def next(self) -> Turn:
        """The turn that has waited longest and was not taken yet, once there is one."""
        self.served = True
        while not self._untaken:
            await self._changed(None)
        return self._untaken.pop(0)

    def serve(self) -> None:
        """Say that somebody looks after this mailbox, who reads `turns`."""
        self.served = True

    def _change(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def _changed(self, within: float | None) -> None:
        """Wait for a change of any turn, `within` so many seconds."""
        event = self._event = self._event or anyio.Event()
        with anyio.move_on_after(within):
            await event.wait()


def _given(turn: Turn) -> Move | None:
    """What was answered to this very attempt before the play broke off, once what was read for it is paid again; None where nothing was."""
    for event in turn.noted:
        if event["event"] == "acted" and event.get("action") == "answered" and "move" in event:
            turn.request.view.repay(event.get("reads", 0))
            given: Move = event["move"]
            return given
    return None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else 0.0


class BrowserKind(AgentKind):
    """A person at a browser, whom `moot judge serve` serves."""

    name: ClassVar[str] = "browser"
    form: ClassVar[str | None] = "browser or browser:NAME"
    called: str | None = Field(default=None, alias="name")
    away: Away = "stops"

    def make(self) -> Browser:
        return Browser(self.called, self.away)
