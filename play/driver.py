"""The driver: the only code that awaits the world. It seats agents, runs their calls, and records what they say."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from moot.agents.base import act_of, close_all, describe, start_all
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import BudgetExceeded, MootError, ReplayDivergence, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.version import __version__
from moot.protocols.engine.view import Request
from moot.transcripts.events import FORMAT, PLAYED, VERSION, EventLog
from moot.transcripts.store import Writer
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import sealed

if TYPE_CHECKING:
    from moot.transcripts.replay import Recording

Seats = Mapping[str, Any]


class Driver:
    """Runs one game to its end. `recording` answers the steps that it holds; the rest goes to the agents in `seats`."""

    def __init__(
        self, game: Game, seats: Seats, log: EventLog, recording: Recording | None = None, stale: bool = False
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
        for step in list(game.open):
            if game.outcome is not None:
                break
            begun = self._begin(step)
            if begun is not None:
                waiting.append(begun)
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
                raise UsageError(f"step {step}: nobody sits at {request.seat!r} to answer what is not in the recording")
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


def bounds_of(seats: Seats, question: Question) -> dict[str, dict[str, int | float]]:
    """What the bounded seats may spend on this question: their polynomials at its size."""
    bounds = {}
    for seat, agent in seats.items():
        bound = getattr(agent, "bound", None)
        if bound:
            limits = bound.limits(question.size) if hasattr(bound, "limits") else dict(bound)
            unknown = set(limits) - set(MEASURES)
            if unknown:
                raise UsageError(
                    f"seat {seat}: no measure is called {sorted(unknown)[0]!r}; there are {', '.join(MEASURES)}"
                )
            bounds[seat] = limits
    return bounds


def check_seats(roles: Mapping[str, str], seats: Seats, name: str) -> None:
    """Raise UsageError when a seat has nobody, or somebody has no seat."""
    wanted = ", ".join(f"{seat} ({role})" for seat, role in roles.items())
    for seat in seats:
        if seat not in roles:
            raise UsageError(f"{name} has no seat {seat!r}; its seats: {wanted}")
    for seat in roles:
        if seat not in seats:
            raise UsageError(f"{name}: nobody sits at {seat!r}; its seats: {wanted}")


async def arun(
    protocol: Protocol,
    sample: Sample | Question,
    seats: Seats,
    *,
    seed: int = 0,
    out: Path | str | None = None,
    recording: Recording | None = None,
    stale: bool = False,
    bounds: Mapping[str, Mapping[str, int | float]] | None = None,
    parent: Mapping[str, Any] | None = None,
) -> Transcript:
    """Play a protocol on a question with agents in its seats, and return the transcript.

    seats: seat name to agent (an object with `act(request)`, or a function of a request; sync or async).
    seed: decides every coin. out: a file to record to as it happens; without one the transcript stays in memory.
    bounds: limits per seat, instead of those that the seated agents carry.
    Raises UsageError on bad seats, questions or files, ProtocolError when the protocol itself is wrong. A failing agent
    raises nothing: the outcome is then Errored, Forfeited or Exhausted.
    """
    if isinstance(sample, Question):
        sample = Sample(sample)
    elif not isinstance(sample, Sample):
        raise UsageError(f"moot plays a Question or a Sample, not {type(sample).__name__}")
    seats = {seat: _seated(agent) for seat, agent in seats.items()}
    question = sample.question
    roles = protocol.roles(question)
    if recording is None:
        check_seats(roles, seats, protocol.name)
    limits = bounds_of(seats, question) if bounds is None else {seat: dict(of) for seat, of in bounds.items()}
    lines: list[bytes] = []
    writer = Writer(out) if out is not None else None
    log = EventLog(writer or lines.append)
    try:
        game = Game(protocol, question, seed=seed, bounds=limits, recorder=log)
        fields = header(protocol, question, seed, limits)
        meta: dict[str, Any] = {
            "moot": __version__,
            "at": now(),
            "seats": {seat: describe(agent) for seat, agent in seats.items()},
        }
        if parent:
            meta["parent"] = dict(parent)
        meta |= sealed(sample)
        if sample.task is not None:
            meta["task"] = sample.task
        log.event("started", fields, meta)
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


def _seated(agent: Any) -> Any:
    if isinstance(agent, str):
        from moot.agents.spec import agent_from

        return agent_from(agent)
    act_of(agent)  # before anything is written
    return agent


def in_loop(call: Callable[[], Coroutine[Any, Any, Any]], backend: str = "asyncio") -> Any:
    """Run an async call from ordinary code; inside a running loop (a notebook) in a thread of its own."""
    import sniffio

    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return anyio.run(call, backend=backend)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: anyio.run(call, backend=backend)).result()


def run(protocol: Protocol, sample: Sample | Question, seats: Seats, **options: Any) -> Transcript:
    """`arun`, from ordinary code or a notebook cell. Takes what `arun` takes, and `backend="asyncio"|"trio"`."""
    backend = options.pop("backend", "asyncio")
    result: Transcript = in_loop(lambda: arun(protocol, sample, seats, **options), backend)
    return result
