"""The driver: the only code that awaits the world. It runs the calls of one game's agents and records what they say.

Rule of this file: no protocol, format or kind of agent is known here by name; whatever can be decided without waiting is
the engine's.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
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


class Driver:
    """Runs one game to its end. `recording` answers the steps that it holds; the rest goes to the agents in `seats`."""

    def __init__(
        self,
        game: Game,
        seats: Mapping[str, Any],
        log: EventLog,
        recording: Recording | None = None,
        stale: bool = False,
    ) -> None:
        self.game, self.log, self.recording, self.stale = game, log, recording, stale
        self.agents = dict(seats)
        self.acts = {seat: act_of(agent) for seat, agent in seats.items()}
        self.failure: MootError | None = None
        self._asked: set[str] = set()
        self._count = 0

    async def run(self) -> None:
        """Drive until the outcome, between the agents' `start()` and `close()`. On cancellation what is open is recorded
        as cancelled, and the exception goes on."""
        game, agents = self.game, self.agents.values()
        try:
            await start_all(agents)
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
                await close_all(agents)

    async def _round(self) -> None:
        """Serve what is open: agents that answer at once first, then all that must be awaited, together."""
        game = self.game
        self._count += 1
        if self._count % 256 == 0:
            await anyio.lowlevel.checkpoint()
        waiting: list[tuple[str, Request, Awaitable[Any]]] = []
        try:
            for step in list(game.open):
                if game.outcome is not None:
                    break
                begun = self._begin(step)
                if begun is not None:
                    waiting.append(begun)
        except MootError:
            _drop(waiting)
            raise
        if game.outcome is not None or not waiting:
            _drop(waiting)
            return
        if len(waiting) == 1 and len(game.open) == 1:
            await self._finish(*waiting[0])
            return
        async with anyio.create_task_group() as group:
            for begun in waiting:
                group.start_soon(self._branch, begun, group)
        if self.failure is not None:
            raise self.failure

    async def _branch(self, begun: tuple[str, Request, Awaitable[Any]] | None, group: Any) -> None:
        """One step of several in flight; what opens once it is answered joins the group."""
        try:
            assert begun is not None
            await self._finish(*begun)
            for step in list(self.game.open):
                if step not in self._asked and self.game.outcome is None and (more := self._begin(step)) is not None:
                    group.start_soon(self._branch, more, group)
        except MootError as error:
            self.failure = error
            group.cancel_scope.cancel()
        if self.game.outcome is not None:
            group.cancel_scope.cancel()

    def _begin(self, step: str) -> tuple[str, Request, Awaitable[Any]] | None:
        """Call the agent. A reply that is there at once is answered at once (again, when it was illegal)."""
        game = self.game
        while step in game.open:
            if self.recording is not None and self._again(step):
                continue
            request = game.request(step, self._note(step))
            act = self.acts.get(request.seat)
            if act is None:
                raise UsageError(self._vacant(step, request))
            account = game.account(step)
            if account is not None:
                try:
                    account.check("calls", 1)
                except BudgetExceeded as error:
                    game.exhaust(step, error)
                    return None
            begun = time.perf_counter() if account is not None else 0.0
            try:
                reply = act(request)
            except BudgetExceeded as error:
                game.exhaust(step, error, request.budget.reads)
                return None
            except Exception as error:
                game.fail(step, cause(error, request), request.budget.reads)
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
            except BudgetExceeded as error:
                if game.outcome is None:
                    game.exhaust(step, error, request.budget.reads)
                return
            except Exception as error:
                if game.outcome is None:
                    game.fail(step, cause(error, request), request.budget.reads)
                return
            finally:
                self._asked.discard(step)
            if game.outcome is not None:
                return
            seconds = time.perf_counter() - begun
            spent: dict[str, float] = dict(request.budget.spent) if account is not None else {}
            if left is not None:
                spent["seconds"] = min(seconds, float(left))
            meta: dict[str, Any] = {"seconds": round(seconds, 6)}
            if spent:
                meta["spent"] = spent
            if game.answer(step, move, reads=request.budget.reads, spent=spent, meta=meta) or step not in game.open:
                return
            again = self._begin(step)
            if again is None:
                return
            step, request, reply = again

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

    def _vacant(self, step: str, request: Request) -> str:
        """That a live step has nobody to answer it, with what there is until then."""
        path = getattr(self.log.write, "path", None)
        kept = f", and {path} holds the {self.log.count} events until then" if path is not None else ""
        return (
            f"step {step}: nobody sits at {request.seat!r} ({request.role}) to answer what is not in the recording{kept}; "
            f"seat somebody at {request.seat!r}"
        )

    def _note(self, step: str) -> Callable[[dict[str, Any]], None]:
        seat = self.game.open[step].ask.seat

        def note(event: dict[str, Any]) -> None:
            fields = dict(event)
            name = str(fields.pop("event", "attempted"))
            if name in PLAYED or name == "resumed":
                raise UsageError(
                    f"seat {seat} notes an event {name!r}, which the play itself records; give it another name"
                )
            self.log.event(name, {"step": step, "seat": seat, **fields}, {"at": now()})

        return note


async def _within(reply: Awaitable[Any], left: float) -> Any:
    """The reply, if it comes within `left` seconds. Raises BudgetExceeded otherwise."""
    begun = time.perf_counter()
    with anyio.move_on_after(left):
        return await reply
    raise BudgetExceeded("seconds", math.ceil((time.perf_counter() - begun) * 1000) / 1000, left)


def _drop(waiting: list[tuple[str, Request, Awaitable[Any]]]) -> None:
    for _, _, reply in waiting:
        if inspect.iscoroutine(reply):
            reply.close()


def cause(error: BaseException, request: Request) -> str:
    """An agent's failure in one line: what, and where in its code."""
    if isinstance(error, MootError):
        return str(error)
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"seat {request.seat} failed: {type(error).__name__}: {error}{place}"


def now() -> str:
    """The clock, as it is recorded."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def play(
    protocol: Protocol,
    sample: Sample,
    seats: Mapping[str, Any],
    *,
    seed: int,
    out: Path | str | None,
    bounds: Mapping[str, Mapping[str, int | float]],
    recording: Recording | None = None,
    stale: bool = False,
    parent: Mapping[str, Any] | None = None,
) -> Transcript:
    """Play a game to its end, with what `recording` holds and live agents for the rest, and return the transcript.

    What `out` records of identities is what the agents are before the first call.
    """
    question = sample.question
    lines: list[bytes] = []
    writer = Writer(recordable(out)) if out is not None else None
    log = EventLog(writer or lines.append)
    try:
        game = Game(protocol, question, seed=seed, bounds=bounds, recorder=log)
        meta: dict[str, Any] = {"moot": __version__, "at": now()}
        meta["seats"] = {seat: describe(agent) for seat, agent in seats.items()}
        if writer is not None:  # what no file holds is not looked for later
            meta["identities"] = fingerprints(seats)
            meta["protocol_identity"] = protocol_fingerprint(protocol)
        if parent:
            meta["parent"] = dict(parent)
        meta |= sealed(sample)
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
