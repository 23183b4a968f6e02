"""From a recording into a live play: resume, fork and rejudge, from ordinary code and from async code.

Rule of this file: what was said is taken from the recording and never asked for again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from moot.agents.base import describe
from moot.agents.identity import fingerprints
from moot.agents.spec import seatable
from moot.complexity.play import path_of
from moot.play.driver import Driver, now, play
from moot.play.run import Backend, checked, in_loop
from moot.play.seats import Seats, bounds_of, seated
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.transcripts.events import VERSION, EventLog, chain_of
from moot.transcripts.replay import Recording, Replay
from moot.transcripts.store import Fsync, Writer, repair
from moot.transcripts.transcript import Transcript


async def aresume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended"
) -> Transcript:
    """Take up an unfinished transcript where it broke off; no step whose move is recorded is asked again.

    seats: seat or role to agent, as for `arun`. protocol: the one to run, when it cannot be found by its recorded name.
    fsync: as for `arun`. A torn last line is cut off first. A play that ended in Errored is taken up at the step that failed.
    Raises UsageError when it has ended otherwise or is of an older version (a file holds one version; fork it),
    ReplayDivergence when the protocol no longer does what was recorded.
    """
    if not isinstance(path, (str, PathLike)):
        raise UsageError(f"resume takes the path of a transcript, not {path!r}")
    path = Path(path)
    if path.suffix == ".zst":
        raise UsageError(f"{path} is sealed, so it has ended; fork it instead")
    if not path.exists():
        raise UsageError(f"there is no transcript {path}")
    writer = Writer(path, append=True, fsync=fsync)
    try:
        transcript = Transcript(path=path)
        if transcript.version != VERSION:
            last = max((step.step for step in transcript.steps()), key=path_of, default="")
            instead = f"moot fork {path} --at {last} -o FILE" if last else "play it again: nobody has moved yet"
            raise UsageError(
                f"{path} is in version {transcript.version} of the format, and no file holds two; instead: {instead}"
            )
        cut = repair(path)
        replay = Replay(transcript, protocol, reopen=True)
        game = replay.game
        if game.outcome is not None and not replay.unwritten:
            raise UsageError(f"{path} has ended ({game.outcome.kind}); to go another way from a step: moot.fork")
        agents = seated(game.roles, seats, game.protocol.name)
        count, line = 0, b""
        for count, line in enumerate(transcript.lines(), 1):  # noqa: B007 - the last
            pass
        log = EventLog(writer, chain_of(line), count)
        log.event("resumed", {"events": count, "cut": cut}, {
            "at": now(), "seats": {seat: describe(agent) for seat, agent in agents.items()},
            "identities": fingerprints(agents),
        })  # fmt: skip
        for body in replay.unwritten:
            log.line(body)
        game.recorder = log
        await Driver(game, agents, log).run()
    finally:
        writer.close()
    return Transcript(path=path)


async def afork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None,
    fsync: Fsync = "ended",
) -> Transcript:  # fmt: skip
    """Play the recording up to step `at`, then go on live with `seats`, into a new transcript.

    Steps that come before `at` in the order of paths are taken from the recording. seats: seat or role to agent, of those
    that are asked from there on; nobody else is needed. Raises UsageError when nothing was said at `at`, or a live step
    has nobody to answer it.
    """
    protocol, roles = _roles(transcript, protocol)
    said = {event["step"] for event in transcript.events(kept=False) if event["event"] in ("moved", "rejected")}
    if not isinstance(at, str):
        raise UsageError(f"at is {at!r}; it must be a step, which is a text such as '0' or '1.0.0'")
    if at not in said:
        raise UsageError(
            f"{transcript.name}: no move was recorded at step {at!r}; the nearest: {', '.join(_near(said, at)) or 'none'}"
        )
    agents = seated(roles, seats, protocol.name, some=True)
    return await play(
        protocol, transcript.sample, agents, seed=transcript.seed, out=out, recording=Recording(transcript, before=at, protocol=protocol),
        bounds={**transcript.bounds, **bounds_of(agents, transcript.question)}, parent=_parent(transcript, at), fsync=fsync,
    )  # fmt: skip


async def arejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, fsync: Fsync = "ended",
) -> Transcript:  # fmt: skip
    """The same play before another judge (the overseer of amplification): every step of its seat is asked again, all else
    is as recorded.

    When what the judge says is shown to the others (questions, feedback), their recorded answers may answer something
    that was not asked this time. That raises ReplayDivergence, unless live `seats` are given for them, or `stale` is
    true: then the recorded answer is used all the same and marked "stale" in the log.
    """
    protocol, roles = _roles(transcript, protocol)
    judges = frozenset(seat for seat, role in roles.items() if role == protocol.judge)
    if not judges:
        raise UsageError(f"{transcript.name}: protocol {protocol.name} has no judge to replace; its roles: {roles}")
    others = seated(roles, {} if seats is None else seats, protocol.name, some=True)
    agents = {**others, **dict.fromkeys(judges, seatable(judge))}
    kept = {seat: limits for seat, limits in transcript.bounds.items() if seat not in judges}
    return await play(
        protocol, transcript.sample, agents, seed=transcript.seed, out=out,
        recording=Recording(transcript, without=judges, protocol=protocol), stale=stale,
        bounds={**kept, **bounds_of(agents, transcript.question)}, parent=_parent(transcript, "judge"), fsync=fsync,
    )  # fmt: skip


def _near(steps: Iterable[str], at: str) -> list[str]:
    """Up to six steps around `at`, in the order of paths; the first ones where it is no path at all."""
    ordered = sorted(steps, key=path_of)
    try:
        place = bisect_left(ordered, path_of(at), key=path_of)
    except ValueError:
        place = 0
    return ordered[max(0, place - 3) : place + 3]


def _roles(transcript: Transcript, protocol: Protocol | None) -> tuple[Protocol, Mapping[str, str]]:
    """The protocol to play a transcript by, its own unless given, and the roles of its seats."""
    if not isinstance(transcript, Transcript):
        raise UsageError(f"this takes a transcript, moot.load(PATH), not {transcript!r}")
    protocol = checked(protocol or transcript.protocol)
    return protocol, protocol.roles(transcript.question)


def _parent(transcript: Transcript, at: str) -> dict[str, Any]:
    path = {} if transcript.path is None else {"path": str(transcript.path)}
    return {"digest": transcript.digest, "at": at, "seats": transcript.seats, **path}


def resume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended",
    backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`aresume`, from ordinary code or a notebook cell."""
    return in_loop(lambda: aresume(path, seats, protocol=protocol, fsync=fsync), backend)


def fork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None,
    fsync: Fsync = "ended", backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`afork`, from ordinary code or a notebook cell."""
    return in_loop(lambda: afork(transcript, at, seats, out=out, protocol=protocol, fsync=fsync), backend)


def rejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, fsync: Fsync = "ended", backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`arejudge`, from ordinary code or a notebook cell."""
    return in_loop(
        lambda: arejudge(transcript, judge, seats=seats, out=out, stale=stale, protocol=protocol, fsync=fsync), backend
    )
