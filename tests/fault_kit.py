"""Sequences of faults against one play, and the one invariant that it is held to: every play ends decided or says why,
every completed call is made once, what was recorded is whole, and the ledger is what the endpoint counted.

Rule: sequences are run and judged here; what an endpoint does is in `fault_world.py`, what is drawn in the tests.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import anyio
from fault_world import TIMEOUT, URL, Fault, World, in_no_time

import moot
from moot.agents.base import Wrapper, act_of, reply_of
from moot.agents.models.lm import LM
from moot.protocols.engine.moves import Ask
from moot.transcripts import store

MOST_ACTS = 500  # calls of the agents in one session; more are a circle
QUESTION = moot.Question(
    "Who sank the fleet?", ("a storm", "the admiral"), passage="A storm sank it, the admiral said."
)


# -- what a sequence is --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slip:
    """What an agent does instead of answering, or after its answer came (`late`); from then on always, if it is lasting."""

    name: str
    late: bool = False
    lasting: bool = False


Disk = Literal["no room", "i/o error", "short", "no cut", "no sync"]


@dataclass(frozen=True)
class Full:
    """What happens to writes: at the write `number` only a share of the line fits, and then nothing for `lasting` writes.
    no cut: and what was written of the line cannot be taken back. no sync: the disk fails at the end."""

    name: Disk
    number: int
    share: float
    lasting: int


@dataclass(frozen=True)
class Stop:
    """An interruption, at the `number`-th time that something happened. A kill leaves the file as it was then, with a
    share of the line that was being written."""

    name: Literal["kill", "cancel", "task cancel"]
    at: Literal["write", "arrived", "answered", "asked"]
    number: int
    share: float


@dataclass(frozen=True)
class Session:
    """One run of the process: begins the play, or takes it up again."""

    network: tuple[Fault | None, ...] = ()
    slips: tuple[Slip | None, ...] = ()
    disk: Full | None = None
    stop: Stop | None = None
    backend: Literal["asyncio", "trio"] = "asyncio"


@dataclass(frozen=True)
class Cast:
    """A protocol with who sits where. models: seats whose tokens an endpoint counts."""

    name: str
    protocol: moot.Protocol
    seats: Callable[[Callable[[], Any], Callable[[Any], Any]], Mapping[str, Any]]
    bounded: str = ""
    models: frozenset[str] = frozenset()


# -- agents that slip ----------------------------------------------------------------------------------------------


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Base(BaseException):
    pass


RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("no"), "OSError": lambda: OSError(errno.ENOENT, "gone"), "SystemExit": lambda: SystemExit(3),
    "CancelledError": lambda: asyncio.CancelledError("let out"), "GeneratorExit": GeneratorExit, "BaseException": lambda: Base("odd"),
    "group": lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")]), "wordless": Wordless, "StopIteration": StopIteration,
    "surrogate": lambda: ValueError("half \ud800 a letter"), "TimeoutError": TimeoutError, "RecursionError": RecursionError,
    "unreadable": lambda: moot.UnreadableAnswer("what it said could not be read", "mumble"),
}  # fmt: skip
RETURNED: dict[str, Any] = {
    "None": None, "text": "a text", "number": 7, "object": object(), "wrong kind": Ask(to="a", text="What?"),
    "surrogates": {"kind": "speech", "text": "half \ud800"}, "NaN": {"kind": "verdict", "probabilities": [float("nan"), 1]}, "empty": {},
}  # fmt: skip
SLIPS = (*RAISED, *RETURNED, "waits")


class Marked(LM):
    """Says in each request which step and seat it is for."""

    def placement(self, request: moot.Request) -> dict[str, Any]:
        mark = {"step": request.step, "seat": request.seat, "tags": self.structured == "tags"}
        return {**super().placement(request), "metadata": mark}


class Shaky(Wrapper):
    """An agent whose calls slip as the session says."""

    identity = "shaky"

    def __init__(self, agent: Any, run: Run) -> None:
        self.agent, self.run = agent, run
        self.held = (agent,)
        self.bound = getattr(agent, "bound", None)

    def describe(self) -> dict[str, Any]:
        return {"agent": "shaky"}

    async def act(self, request: moot.Request) -> Any:
        slip = self.run.asked(request)
        if slip is None or slip.late:
            reply = await reply_of(act_of(self.agent), request)
        if slip is None:
            return reply
        self.run.slipped(slip)
        if slip.name == "waits":
            await anyio.sleep(100)
            return reply if slip.late else await reply_of(act_of(self.agent), request)
        if slip.name in RETURNED:
            return RETURNED[slip.name]
        raise RAISED[slip.name]()


# -- one run of the process ----------------------------------------------------------------------------------------


class Broken(AssertionError):
    """The invariant does not hold."""


@dataclass
class Run:
    """One session while it runs: what was asked, written and interrupted."""

    world: World
    session: Session
    path: Path
    steps: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    scope: anyio.CancelScope | None = None
    task: asyncio.Task[Any] | None = None
    stopped: bool = False
    left: tuple[bytes | None, int, int, list[bool]] | None = None
    circle: bool = False
    result: Any = None
    lost_writes: int = 0
    torn: bool = False
    writes: int = 0

    def asked(self, request: moot.Request) -> Slip | None:
        self.steps.append(request.step)
        if len(self.steps) > MOST_ACTS:
            self.circle = True
            self.cancel()
        self.happened("asked")
        slips, number = self.session.slips, len(self.steps) - 1
        lasting = next((slip for slip in slips[:number] if slip is not None and slip.lasting), None)
        return lasting or (slips[number] if number < len(slips) else None)

    def slipped(self, slip: Slip) -> None:
        self.met[f"agent: {slip.name}"] += 1

    def happened(self, what: str) -> None:
        stop = self.session.stop
        self.seen[what] += 1
        if stop is not None and stop.at == what and self.seen[what] == stop.number and what != "write":
            self.interrupt(stop)

    def interrupt(self, stop: Stop, torn: bytes = b"") -> None:
        self.met[f"{stop.name} at {stop.at}"] += 1
        self.stopped = True
        if stop.name == "kill":
            kept = self.path.read_bytes() if self.path.exists() else None
            served = self.world.served
            self.left = (
                None if kept is None else kept + torn,
                len(served),
                self.world.refused,
                [each.whole for each in served],
            )
        self.cancel()

    def cancel(self) -> None:
        if self.session.stop is not None and self.session.stop.name == "task cancel" and self.task is not None:
            self.task.cancel()
        elif self.scope is not None:
            self.scope.cancel()


class _System:
    """The system's calls on a transcript, on a disk that has its faults."""

    def __init__(self, run: Run) -> None:
        self.run, self.file = run, -1

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, *mode: int) -> int:
        file = os.open(path, flags, *mode)
        if flags & os.O_APPEND:
            self.file = file
        return file

    def write(self, file: int, data: bytes) -> int:
        run, full, stop = self.run, self.run.session.disk, self.run.session.stop
        run.writes += 1
        if stop is not None and stop.at == "write" and run.writes == stop.number:
            run.interrupt(stop, bytes(data[: int(stop.share * len(data))]))
        if full is None or full.name == "no sync" or not full.number <= run.writes < full.number + 1 + full.lasting:
            return os.write(file, data)
        run.met[f"disk: {full.name}"] += 1
        part = data[: int(full.share * (len(data) - 1))]
        if full.name == "short":
            return os.write(file, part or data[:1])
        if run.writes == full.number and full.name != "i/o error" and part:
            return os.write(file, part)
        run.lost_writes += 1
        raise OSError(errno.EIO if full.name == "i/o error" else errno.ENOSPC, full.name)

    def ftruncate(self, file: int, size: int) -> None:
        full = self.run.session.disk
        if full is not None and full.name == "no cut":
            self.run.torn = True
            raise OSError(errno.EIO, "no cut")
        os.ftruncate(file, size)

    def fsync(self, file: int) -> None:
        full = self.run.session.disk
        if full is not None and full.name == "no sync" and file == self.file:
            self.run.met["disk: no sync"] += 1
            self.run.lost_writes += 1
            raise OSError(errno.EIO, "no sync")


def run_session(world: World, cast: Cast, session: Session, path: Path, seed: int, again: bool) -> tuple[Run, Any]:
    """One session; gives the run and what came of it: a transcript, the error that moot raised, or None when cancelled."""
    run = Run(world, session, path)
    world.faults, world.turn, world.happened = session.network, 0, run.happened
    world.met = run.met

    def model(**options: Any) -> Any:
        return Marked("mock", base_url=URL, http_client=world.client(), timeout=TIMEOUT, prices=(1, 1), **options)

    seats = cast.seats(model, lambda agent: Shaky(agent, run))

    async def whole() -> None:
        if session.backend == "asyncio":
            run.task = asyncio.current_task()
        with anyio.CancelScope() as run.scope:
            try:
                with anyio.fail_after(1e8):
                    call = (
                        moot.aresume(path, seats)
                        if again
                        else moot.arun(cast.protocol, QUESTION, seats, seed=seed, out=path)
                    )
                    run.result = await call
            except moot.MootError as error:
                run.result = error

    with mock.patch.object(store, "os", _System(run)):
        try:
            in_no_time(whole, session.backend)
        except asyncio.CancelledError:  # a task that was cancelled ends so, be the play decided or not
            if not (run.stopped and session.stop is not None and session.stop.name == "task cancel"):
                raise
        result = run.result
    if run.left is not None:  # killed: nothing that came later has happened
        content, count, world.refused, wholes = run.left
        del world.served[count:]
        for served, was in zip(world.served, wholes, strict=True):
            served.whole = was
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
        result = None
    return run, result
