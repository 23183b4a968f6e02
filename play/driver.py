"""The driver: the only code that awaits the world. It runs the calls of one game's agents and records what they say.

Rule of this file: it knows no protocol, format or kind of agent by name; what needs no waiting is the engine's.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from pydantic import ValidationError

from moot.agents.base import act_of, close_all, start_all
from moot.agents.failing import cancelled, contained, interrupts, passes, take_back
from moot.agents.models.batches.turns import turned
from moot.agents.money.cap import stoppable
from moot.agents.people.terminal import warn
from moot.agents.prompts.values import UnreadableAnswer
from moot.play.clock import Clock
from moot.play.note import record_note, showing
from moot.protocols.engine.budget import Meter
from moot.protocols.engine.errors import (
    BudgetExceeded,
    CostError,
    MootError,
    ReplayDivergence,
    UsageError,
    said,
)
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Errored
from moot.protocols.engine.replies import printable
from moot.protocols.engine.steps import seed_of
from moot.transcripts.events import EventLog

if TYPE_CHECKING:
    from moot.transcripts.replay import Recording

_Begun = tuple[str, Meter, float, Awaitable[Any]]  # a step, its call's meter and time, and the reply that is awaited
_SHARE = 0.02  # seconds that agents which never wait may keep the loop


class Driver:
    """Runs one game to its end. `recording` answers the steps that it holds; the rest goes to the agents in `seats`. noted: by
    step, what was noted there before a play broke off. Whatever an agent throws, of whatever class, is a failure at its step. Two things are not: a cancellation from outside,
    after which the play can be resumed, and KeyboardInterrupt, which is taken for Ctrl-C wherever it is raised."""

    def __init__(
        self, game: Game, seats: Mapping[str, Any], log: EventLog, recording: Recording | None = None, stale: bool = False,
        draws: int | None = None, noted: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:  # fmt: skip
        self.game, self.log, self.recording, self.stale, self.draws = game, log, recording, stale, draws
        self.noted = noted or {}
        self.agents: dict[int, tuple[str, Any]] = {}  # each once, with the first of its seats
        for seat, agent in seats.items():
            self.agents.setdefault(id(agent), (seat, agent))
        self.started: list[tuple[str, Any]] = []
        self.acts = {seat: act_of(agent) for seat, agent in seats.items()}
        self.failure: BaseException | None = None
        self._asked: dict[str, Awaitable[Any]] = {}  # the replies under way, by step
        self._texts: dict[str, None] = {}  # hashes of what was recorded of prompts
        self._due = 0.0

    async def run(self) -> None:
        """Drive until the outcome, between the agents' `start()` and `close()`. What is cancelled is recorded as such; so is
        a play of which a call does not fit under a cap, and it returns without an outcome."""
        with stoppable():
            await self._driven()

    async def _driven(self) -> None:
        game = self.game
        game.start()
        try:
            await self._start()
            while game.outcome is None:
                await self._round()
        except MootError:
            raise
        except BaseException:
            if game.outcome is None:
                self.log.event("cancelled", {"steps": list(game.open)}, {"at": now()})
            raise
        finally:
            try:
                game.close()
            finally:
                await self._close()

    async def _start(self) -> None:
        """Start the agents. Where one fails, that is the outcome; a UsageError is raised, as nobody has moved yet."""
        for seat, agent in self.agents.values():
            self.started.append((seat, agent))
            try:
                await start_all([agent])
            except UsageError:
                raise
            except Exception as error:
                return self.game.end(Errored(step="", cause=printable(cause(error, seat, "failed to start"))))

    async def _close(self) -> None:
        """Close every agent that was started. One that fails is warned of: it changes nothing of what was said."""
        stopped: BaseException | None = None
        with anyio.CancelScope(shield=True):
            for seat, agent in self.started:
                try:
                    await close_all([agent])
                except Exception as error:
                    warn(f"{cause(error, seat, 'failed to close')}; the play is kept")
                except BaseException as error:
                    stopped = error
        if stopped is not None:
            raise stopped

    async def _round(self) -> None:
        """Serve what is open: agents that answer at once, until one does not; then all that must be awaited, together.
        Each is awaited in a task that is started for it, so that a cancellation which its own libraries cause ends there.
        """
        game = self.game
        waiting: list[_Begun] = []
        try:
            while game.outcome is None and not waiting:
                if time.perf_counter() > self._due:
                    await anyio.lowlevel.checkpoint()
                    self._due = time.perf_counter() + _SHARE
                for step in tuple(game.open):
                    if game.outcome is None and (begun := self._begin(step)) is not None:
                        waiting.append(begun)
                        del begun
            if game.outcome is None and waiting:
                async with anyio.create_task_group() as group:
                    while waiting:  # here nothing of these calls is kept while those after them are awaited
                        group.start_soon(self._branch, waiting.pop(0), group)
        finally:
            _drop(self._asked)
        if self.failure is not None:
            raise self.failure

    async def _branch(self, begun: _Begun, group: Any) -> None:
        """One step of several in flight; what opens once it is answered joins the group."""
        try:
            await self._finish(*begun)
            opened = [step for step in self.game.open if step not in self._asked]
            for step in opened if opened and not cancelled() else ():
                if self.game.outcome is None and (more := self._begin(step)) is not None:
                    group.start_soon(self._branch, more, group)
        except BaseException as error:
            if passes(error):
                raise
            self.failure = self.failure or error
            group.cancel_scope.cancel()
        if self.game.outcome is not None and self._asked:  # replies under way, which nobody needs any more
            group.cancel_scope.cancel()

    def _begin(self, step: str) -> _Begun | None:
        """Call the agent. A reply that is there at once is answered at once (again, when it was illegal)."""
        game = self.game
        while step in game.open:
            if self.recording is not None and self._again(step):
                continue
            waiting = game.open[step]
            seat = waiting.ask.seat
            request = game.request(step, self._noting(step, seat))
            if self.noted:
                request.noted = self.noted.get(step, ())
            if self.draws is not None:
                request.seed = seed_of(self.draws, step)
            meter, act, account = waiting.meter or game.meter(step), self.acts.get(seat), waiting.branch.account(seat)
            if act is None:
                path = getattr(self.log.write, "path", None)
                kept = f", and {path} holds the {self.log.count} events until then" if path is not None else ""
                raise UsageError(
                    f"step {step}: nobody sits at {seat!r} ({request.role}) to answer what is not in the "
                    f"recording{kept}; seat somebody at {seat!r}"
                )
            if not waiting.attempt:
                showing(game, step, self.log)
            begun = time.perf_counter()
            try:
                if account is not None:
                    account.check("calls", 1)
                reply = act(request)
                awaited = reply if not isinstance(reply, Move) and inspect.isawaitable(reply) else None
            except BaseException as error:
                if interrupts(error):
                    raise contained(error) from None
                self._failed(step, error, seat, meter)
                return None
            taken = time.perf_counter() - begun
            if awaited is not None:
                self._asked[step] = awaited
                self.log.event("asked", {"step": step, "seat": seat}, {"at": now()})
                return step, meter, taken, awaited
            spent: dict[str, int | float] = dict(meter.spent) if account is not None else {}
            if account is not None and account.left("seconds") is not None:
                spent["seconds"] = taken
            game.answer(step, reply, reads=meter.reads, spent=spent, meta={"spent": spent} if spent else None)
        return None

    async def _finish(self, step: str, meter: Meter, taken: float, reply: Awaitable[Any]) -> None:
        """Await the reply and answer the step; ask again while the move is illegal and the seat has not forfeited."""
        game = self.game
        while True:
            account = game.account(step) if step in game.open else None
            left = account.left("seconds") if account is not None else None
            seat = game.open[step].ask.seat if step in game.open else ""
            clock = meter.clock = Clock(taken)
            try:
                move = await turned(reply if left is None else _within(reply, left, clock))
            except BaseException as error:
                if cancelled():  # from outside, whatever the agent has made of it
                    if passes(error):
                        raise
                    while cancelled():  # asked again, an agent that fails at once would fail for ever
                        await anyio.lowlevel.checkpoint()
                if interrupts(error):
                    raise contained(error) from None
                if game.outcome is None:
                    self._failed(step, error, seat, meter)
                return
            finally:
                self._asked.pop(step, None)
                await take_back()
            if game.outcome is not None:
                return
            seconds = clock.seconds
            spent: dict[str, int | float] = dict(meter.spent) if account is not None else {}
            if left is not None:
                spent["seconds"] = seconds
            meta: dict[str, Any] = {"seconds": round(seconds, 6), **({"spent": spent} if spent else {})}
            if clock.waited:
                meta["waited"] = round(clock.waited, 6)
            if game.answer(step, move, reads=meter.reads, spent=spent, meta=meta) or step not in game.open:
                return
            again = self._begin(step)
            if again is None:
                return
            step, meter, taken, reply = again

    def _noting(self, step: str, seat: str) -> Callable[[dict[str, Any]], None]:
        """The `note` of a request: it holds nothing of the play, and no seat can put another's name in it."""
        roles, record, texts = self.game.roles, self.log.event, self._texts
        return lambda event: record_note(event, step, seat, roles, record, now, texts)

    def _failed(self, step: str, error: BaseException, seat: str, meter: Meter) -> None:
        """End the play: the seat is exhausted, what it said cannot be read, or it failed."""
        reads = meter.reads
        if isinstance(error, CostError):
            raise error
        if isinstance(error, BudgetExceeded):
            try:
                return self.game.exhaust(step, error, reads)
            except (AttributeError, ValidationError):
                pass  # made by the agent, of something else than a measure and numbers
        if isinstance(error, UnreadableAnswer):
            return self.game.unreadable(step, said(error), reads)
        self.game.fail(step, cause(error, seat), reads)

    def _again(self, step: str) -> bool:
        """Answer a step from the recording. False when it does not hold it, and the agents must."""
        assert self.recording is not None
        recorded = self.recording.next(step)
        if recorded is None:
            return False
        waiting = self.game.open[step]
        meta: dict[str, Any] = {"recorded": True}
        if recorded.request != waiting.digest:
            whole = self.recording.whole
            if not recorded.answers(waiting.ask) if whole else waiting.ask.seat in self.acts:
                self.recording.answers.pop(step, None)
                return False
            if not (self.stale or whole):
                raise ReplayDivergence(step, "request", recorded.request, waiting.digest)
            meta["stale"] = True
        if recorded.spent:
            meta["spent"] = dict(recorded.spent)
        said = recorded.reply
        self.game.answer(step, said, reads=recorded.reads, spent=recorded.spent, meta=meta, history=recorded.history)
        return True


async def _within(reply: Awaitable[Any], left: float, clock: Clock) -> Any:
    """The reply, if it comes within `left` seconds of the seat's own time. Raises BudgetExceeded otherwise, whatever it
    makes of being stopped."""
    with anyio.CancelScope(deadline=anyio.current_time() + left - clock.before) as scope:
        clock.scope = scope
        try:
            return await reply
        except Exception:
            if not scope.cancel_called:
                raise
    raise BudgetExceeded("seconds", math.ceil(clock.seconds * 1000) / 1000, left)


def _drop(replies: dict[str, Awaitable[Any]]) -> None:
    """Let go of replies that nobody awaits any more."""
    for reply in replies.values():
        if inspect.iscoroutine(reply):
            reply.close()
        elif isinstance(reply, asyncio.Future):
            reply.cancel()
    replies.clear()


def cause(error: BaseException, seat: str, what: str = "failed") -> str:
    """An agent's failure in one line: what, and where in its code."""
    if isinstance(error, MootError):
        return said(error)
    last = [*walk_tb(error.__traceback__)][-1:]
    place = "".join(f" ({Path(frame.f_code.co_filename).name}:{line})" for frame, line in last)
    return f"seat {seat} {what}: " + f"{type(error).__name__}: {said(error)}".removesuffix(": ") + place


def now() -> str:
    """The clock, as it is recorded."""
    global _second
    second, ms = divmod(time.time_ns() // 1_000_000, 1000)
    known, text = _second
    if known != second:
        text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
        _second = second, text
    return f"{text}.{ms:03d}+00:00"


_second = (-1, "")  # that was told last, in words: to write a date takes three times the rest
