"""The driver: the only code that awaits the world. It runs the calls of one game's agents and records what they say.

Rule of this file: it knows no protocol, format or kind of agent by name; what needs no waiting is the engine's.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from moot.agents.base import act_of, close_all, describe, start_all
from moot.agents.identity import fingerprints, protocol_fingerprint
from moot.protocols.engine import __version__
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import BudgetExceeded, MootError, ReplayDivergence, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.view import Request
from moot.transcripts.events import FORMAT, PLAYED, VERSION, EventLog
from moot.transcripts.store import Writer
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import sealed

if TYPE_CHECKING:
    from moot.transcripts.replay import Recording

_Begun = tuple[str, Request, Awaitable[Any]]  # a step whose agent was called, and its reply, which is awaited


class Driver:
    """Runs one game to its end. `recording` answers the steps that it holds; the rest goes to the agents in `seats`."""

    def __init__(
        self, game: Game, seats: Mapping[str, Any], log: EventLog, recording: Recording | None = None, stale: bool = False,
    ) -> None:  # fmt: skip
        self.game, self.log, self.recording, self.stale = game, log, recording, stale
        self.agents = seats.values()
        self.acts = {seat: act_of(agent) for seat, agent in seats.items()}
        self.failure: MootError | None = None
        self._asked: set[str] = set()
        self._count = 0

    async def run(self) -> None:
        """Drive until the outcome, between the agents' `start()` and `close()`. What is cancelled is recorded as such."""
        game = self.game
        try:
            await start_all(self.agents)
            game.start()
            while game.outcome is None:
                await self._round()
        except MootError:
            raise
        except BaseException:
            if game.outcome is None:
                self.log.event("cancelled", {"steps": list(game.open)}, {"at": now()})
            raise
        finally:
            game.close()
            with anyio.CancelScope(shield=True):
                await close_all(self.agents)

    async def _round(self) -> None:
        """Serve what is open: agents that answer at once first, then all that must be awaited, together."""
        game = self.game
        self._count += 1
        if self._count % 256 == 0:
            await anyio.lowlevel.checkpoint()
        waiting: list[_Begun] = []
        try:
            for step in list(game.open):
                if game.outcome is None and (begun := self._begin(step)) is not None:
                    waiting.append(begun)
        except MootError:
            _drop(waiting)
            raise
        if game.outcome is not None:
            _drop(waiting)
        elif len(waiting) == len(game.open) == 1:
            await self._finish(*waiting[0])
        elif waiting:
            async with anyio.create_task_group() as group:
                for begun in waiting:
                    group.start_soon(self._branch, begun, group)
            if self.failure is not None:
                raise self.failure

    async def _branch(self, begun: _Begun, group: Any) -> None:
        """One step of several in flight; what opens once it is answered joins the group."""
        try:
            await self._finish(*begun)
            for step in list(self.game.open):
                if step not in self._asked and self.game.outcome is None and (more := self._begin(step)) is not None:
                    group.start_soon(self._branch, more, group)
        except MootError as error:
            self.failure = error
            group.cancel_scope.cancel()
        if self.game.outcome is not None:
            group.cancel_scope.cancel()

    def _begin(self, step: str) -> _Begun | None:
        """Call the agent. A reply that is there at once is answered at once (again, when it was illegal)."""
        game = self.game
        while step in game.open:
            if self.recording is not None and self._again(step):
                continue
            request = game.request(step, self._note(step))
            act = self.acts.get(request.seat)
            if act is None:
                path = getattr(self.log.write, "path", None)
                kept = f", and {path} holds the {self.log.count} events until then" if path is not None else ""
                raise UsageError(
                    f"step {step}: nobody sits at {request.seat!r} ({request.role}) to answer what is not in the "
                    f"recording{kept}; seat somebody at {request.seat!r}"
                )
            account = game.account(step)
            begun = time.perf_counter() if account is not None else 0.0
            try:
                if account is not None:
                    account.check("calls", 1)
                reply = act(request)
            except Exception as error:
                self._failed(step, error, request)
                return None
            if not isinstance(reply, Move) and inspect.isawaitable(reply):
                self._asked.add(step)
                self.log.event("asked", {"step": step, "seat": request.seat, "request": request.digest}, {"at": now()})
                return step, request, reply
            spent = None
            if account is not None and account.left("seconds") is not None:
                spent = {"seconds": time.perf_counter() - begun}
            game.answer(step, reply, reads=request.budget.reads, spent=spent, meta={"spent": spent} if spent else None)
        return None

    async def _finish(self, step: str, request: Request, reply: Awaitable[Any]) -> None:
        """Await the reply and answer the step; ask again while the move is illegal and the seat has not forfeited."""
        game = self.game
        while True:
            account = game.account(step) if step in game.open else None
            left = account.left("seconds") if account is not None else None
            begun = time.perf_counter()
            try:
                move = await (reply if left is None else _within(reply, left))
            except Exception as error:
                if game.outcome is None:
                    self._failed(step, error, request)
                return
            finally:
                self._asked.discard(step)
            if game.outcome is not None:
                return
            seconds = time.perf_counter() - begun
            spent: dict[str, float] = dict(request.budget.spent) if account is not None else {}
            if left is not None:
                spent["seconds"] = min(seconds, float(left))
            meta: dict[str, Any] = {"seconds": round(seconds, 6), **({"spent": spent} if spent else {})}
            if game.answer(step, move, reads=request.budget.reads, spent=spent, meta=meta) or step not in game.open:
                return
            again = self._begin(step)
            if again is None:
                return
            step, request, reply = again

    def _failed(self, step: str, error: Exception, request: Request) -> None:
        """End the play: the seat is exhausted, or it failed."""
        if isinstance(error, BudgetExceeded):
            self.game.exhaust(step, error, request.budget.reads)
        else:
            self.game.fail(step, cause(error, request), request.budget.reads)

    def _again(self, step: str) -> bool:
        """Answer a step from the recording. False when it does not hold it, and the agents must."""
        assert self.recording is not None
        recorded = self.recording.next(step)
        if recorded is None:
            return False
        waiting = self.game.open[step]
        meta: dict[str, Any] = {"recorded": True}
        if recorded.request != waiting.digest:
            if waiting.ask.seat in self.acts:
                self.recording.answers.pop(step, None)
                return False
            if not self.stale:
                raise ReplayDivergence(step, "request", recorded.request, waiting.digest)
            meta["stale"] = True
        if recorded.spent:
            meta["spent"] = dict(recorded.spent)
        self.game.answer(step, recorded.reply, reads=recorded.reads, spent=recorded.spent, meta=meta)
        return True

    def _note(self, step: str) -> Callable[[dict[str, Any]], None]:
        seat = self.game.open[step].ask.seat

        def note(event: dict[str, Any]) -> None:
            fields = dict(event)
            name = str(fields.pop("event", "attempted"))
            if name in PLAYED or name == "resumed":
                raise UsageError(f"seat {seat} notes an event {name!r}, which the play itself records; rename it")
            self.log.event(name, {"step": step, "seat": seat, **fields}, {"at": now()})

        return note


async def _within(reply: Awaitable[Any], left: float) -> Any:
    """The reply, if it comes within `left` seconds. Raises BudgetExceeded otherwise."""
    begun = time.perf_counter()
    with anyio.move_on_after(left):
        return await reply
    raise BudgetExceeded("seconds", math.ceil((time.perf_counter() - begun) * 1000) / 1000, left)


def _drop(waiting: list[_Begun]) -> None:
    for _, _, reply in waiting:
        if inspect.iscoroutine(reply):
            reply.close()


def cause(error: BaseException, request: Request) -> str:
    """An agent's failure in one line: what, and where in its code."""
    if isinstance(error, MootError):
        return str(error)
    last = [*walk_tb(error.__traceback__)][-1:]
    place = "".join(f" ({Path(frame.f_code.co_filename).name}:{line})" for frame, line in last)
    return f"seat {request.seat} failed: {type(error).__name__}: {error}{place}"


def now() -> str:
    """The clock, as it is recorded."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def play(
    protocol: Protocol, sample: Sample, seats: Mapping[str, Any], *, seed: int, out: Path | str | None,
    bounds: Mapping[str, Mapping[str, int | float]], recording: Recording | None = None, stale: bool = False,
    parent: Mapping[str, Any] | None = None,
) -> Transcript:  # fmt: skip
    """Play a game to its end, with what `recording` holds and live agents for the rest, and return the transcript."""
    question = sample.question
    lines: list[bytes] = []
    writer = Writer(recordable(out)) if out is not None else None
    log = EventLog(writer or lines.append)
    try:
        game = Game(protocol, question, seed=seed, bounds=bounds, recorder=log)
        described = {seat: describe(agent) for seat, agent in seats.items()}
        meta: dict[str, Any] = {"moot": __version__, "at": now(), "seats": described}
        if writer is not None:  # what no file holds is not looked for later; as the agents are before the first call
            meta |= {"identities": fingerprints(seats), "protocol_identity": protocol_fingerprint(protocol)}
        meta |= ({"parent": dict(parent)} if parent else {}) | sealed(sample)
        if sample.task is not None:
            meta["task"] = sample.task
        log.event("started", header(protocol, question, seed, bounds), meta)
        await Driver(game, seats, log, recording, stale).run()
    finally:
        if writer is not None:
            writer.close()
    return Transcript(path=out) if out is not None else Transcript(lines)


def header(
    protocol: Protocol, question: Question, seed: int = 0, limits: Mapping[str, Mapping[str, int | float]] | None = None
) -> dict[str, Any]:
    """What the `started` event of a play says, apart from its meta."""
    fields: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "protocol": record_of(protocol),
        "question": question.model_dump(mode="json", exclude_defaults=True), "seed": seed,
        "roles": protocol.roles(question),
    }  # fmt: skip
    if limits:
        fields["bounds"] = dict(limits)
    if (nodes := protocol.full_tree_size(question)) is not None:
        fields["full_tree_size"] = nodes
    return fields


def recordable(out: Path | str) -> Path:
    """Where a play is to be recorded, as a path. Raises UsageError on what can be no transcript."""
    if not isinstance(out, (str, PathLike)):
        raise UsageError(f"out is {out!r}; it must be the path of a transcript to write")
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the transcript in it: {path / 'd.jsonl'}")
    if path.suffix == ".zst":
        raise UsageError(f"{path}: a play is recorded as .jsonl; seal it once it has ended: moot seal")
    return path
