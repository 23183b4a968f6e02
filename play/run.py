"""`run` and `arun`: a play from its beginning, from ordinary code and from async code.

Rule of this file: what a caller gives is checked here, before anything is written or called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio
import anyio.lowlevel
from anyio.from_thread import start_blocking_portal

from moot.agents.money.cap import Cap
from moot.play.recorded import play
from moot.play.seats import Seats, bounds_of, seated
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript

Backend = Literal["asyncio", "trio"]
Bounds = Mapping[str, Mapping[str, int | float]]
T = TypeVar("T")


async def arun(
    protocol: Protocol, sample: Sample | Question, seats: Seats, *, seed: int = 0, out: Path | str | None = None,
    bounds: Bounds | None = None, fsync: Fsync = "ended", max_cost: float | None = None,
) -> Transcript:  # fmt: skip
    """Play a protocol on a question with agents in its seats, and return the transcript.

    seats: seat or role to agent: an object with `act(request)`, a function of a request, sync or async, or the text that
    the command line would take ("local", "openai:MODEL"). A role seats its agent at every seat of that role that is not
    named itself. seed: decides every coin. out: a file to record to as it happens, with the truth in one beside it; without
    one the transcript stays in memory. bounds: limits per seat, instead of those that the seated agents carry. fsync: what a file
    survives a loss of power with, "ended": all of it once the play has ended; "event": every event. max_cost: the most that
    its model calls may cost, in the currency of their prices (`moot.Cap`); a play stops, without an outcome, before the call
    that might exceed it, and can be resumed under a higher one.

    Raises UsageError on bad arguments, questions or files, ProtocolError when the protocol itself is wrong. A failing
    agent raises nothing, whatever it throws: the outcome is then Errored, Unreadable, Forfeited or Exhausted. Cancelled from
    outside, or stopped by Ctrl-C (which an agent's KeyboardInterrupt is taken for), a play can be resumed.
    """
    protocol, sample = checked(protocol), Sample(sample) if isinstance(sample, Question) else sample
    if not isinstance(sample, Sample):
        raise UsageError(f"moot plays a Question or a Sample, not {sample!r}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"seed is {seed!r}; it must be a whole number")
    question = sample.question
    agents = seated(protocol.roles(question), seats, protocol.name)
    limits = bounds_of(agents, question) if bounds is None else {seat: dict(of) for seat, of in bounds.items()}
    with nullcontext() if max_cost is None else Cap(max_cost):
        return await play(protocol, sample, agents, seed=seed, out=out, bounds=limits, fsync=fsync)


def run(
    protocol: Protocol, sample: Sample | Question, seats: Seats, *, seed: int = 0, out: Path | str | None = None,
    bounds: Bounds | None = None, fsync: Fsync = "ended", max_cost: float | None = None, backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`arun`, from ordinary code or a notebook cell. backend: the event loop that the agents' calls run in."""
    return in_loop(
        lambda: arun(protocol, sample, seats, seed=seed, out=out, bounds=bounds, fsync=fsync, max_cost=max_cost),
        backend,
    )


def checked(protocol: Protocol) -> Protocol:
    """A protocol. Raises UsageError on anything else, a class that was not called among it."""
    if isinstance(protocol, type) and issubclass(protocol, Protocol):
        raise UsageError(f"{protocol.__name__} is a class; give a protocol, with its parameters: {protocol.__name__}()")
    if not isinstance(protocol, Protocol):
        raise UsageError(f"moot plays a Protocol, such as moot.Debate(), not {protocol!r}")
    return protocol


def in_loop(call: Callable[[], Coroutine[Any, Any, T]], backend: Backend = "asyncio") -> T:
    """Run an async call from ordinary code; inside a running loop (a notebook) in a thread of its own. What moot raises
    comes out alone, without what was being handled."""
    if backend not in ("asyncio", "trio"):
        raise UsageError(f"backend is {backend!r}; it can be 'asyncio' or 'trio'")
    if backend == "trio" and find_spec("trio") is None:
        raise UsageError("backend is 'trio', which is not installed: pip install trio")
    try:
        if not _inside():
            return anyio.run(call, backend=backend)
        with start_blocking_portal(backend) as portal:  # which Ctrl-C here cancels
            found: T = portal.call(call)
            return found
    except MootError as error:
        raise error from None


def _inside() -> bool:
    """Whether an event loop runs in this thread: asyncio's, be it in a callback, or trio's."""
    for running in (asyncio.get_running_loop, anyio.lowlevel.current_token):
        with suppress(RuntimeError):
            running()
            return True
    return False
