"""From a recording into a live play: resume, fork and rejudge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moot.complexity.play import path_of
from moot.play.driver import Driver, Seats, _seated, arun, bounds_of, check_seats, in_loop, now
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.transcripts.events import VERSION, EventLog, chain_of
from moot.transcripts.replay import Recording, Replay
from moot.transcripts.store import Writer, repair
from moot.transcripts.transcript import Transcript


async def aresume(path: Path | str, seats: Seats, *, protocol: Protocol | None = None) -> Transcript:
    """Take up an unfinished transcript where it broke off; no call that was completed is made again.

    A torn last line is cut off first. A play that ended in Errored is taken up at the step that failed.
    Raises UsageError when it has ended otherwise or is of an older version (a file holds one version; fork it),
    ReplayDivergence when the protocol no longer does what was recorded.
    """
    path = Path(path)
    if path.suffix == ".zst":
        raise UsageError(f"{path} is sealed, so it has ended; fork it instead")
    if not path.exists():
        raise UsageError(f"there is no transcript {path}")
    writer = Writer(path, append=True)
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
        seated = {seat: _seated(agent) for seat, agent in seats.items()}
        check_seats(game.roles, seated, game.protocol.name)
        chain, count = b"", 0
        for line in transcript.lines():
            count += 1
            chain = chain_of(line)
        log = EventLog(writer, chain, count)
        log.event("resumed", {"events": count, "cut": cut}, {"at": now()})
        for body in replay.unwritten:
            log.line(body)
        game.recorder = log
        await Driver(game, seated, log).run()
    finally:
        writer.close()
    return Transcript(path=path)


async def afork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None
) -> Transcript:
    """Play the recording up to step `at`, then go on live with `seats`, into a new transcript.

    Steps that come before `at` in the order of paths are taken from the recording. Raises TranscriptError when no move
    was recorded at `at`.
    """
    recording = Recording(transcript, before=at, protocol=protocol)
    seated = {seat: _seated(agent) for seat, agent in seats.items()}
    bounds = {**transcript.bounds, **bounds_of(seated, transcript.question)}
    return await arun(
        protocol or transcript.protocol, transcript.sample, seated, seed=transcript.seed, out=out, recording=recording,
        bounds=bounds, parent=_parent(transcript, at),
    )  # fmt: skip


async def arejudge(
    transcript: Transcript,
    judge: Any,
    *,
    seats: Seats | None = None,
    out: Path | str | None = None,
    stale: bool = False,
    protocol: Protocol | None = None,
) -> Transcript:
    """The same play before another judge (the overseer of amplification): every step of its seat is asked again, all else
    is as recorded.

    When what the judge says is shown to the others (questions, feedback), their recorded answers may answer something
    that was not asked this time. That raises ReplayDivergence, unless live `seats` are given for them, or `stale` is
    true: then the recorded answer is used all the same and marked "stale" in the log.
    """
    protocol = protocol or transcript.protocol
    roles: Mapping[str, str] = protocol.roles(transcript.question)
    judges = frozenset(seat for seat, role in roles.items() if role == protocol.judge)
    if not judges:
        raise UsageError(
            f"{transcript.name}: protocol {protocol.name} has no judge to replace; its roles: {dict(roles)}"
        )
    seated = {**{s: _seated(a) for s, a in (seats or {}).items()}, **dict.fromkeys(judges, _seated(judge))}
    kept = {seat: limits for seat, limits in transcript.bounds.items() if seat not in judges}
    return await arun(
        protocol, transcript.sample, seated, seed=transcript.seed, out=out, recording=Recording(transcript, without=judges, protocol=protocol),
        bounds={**kept, **bounds_of(seated, transcript.question)}, stale=stale, parent=_parent(transcript, "judge"),
    )  # fmt: skip


def _parent(transcript: Transcript, at: str) -> dict[str, Any]:
    parent = {"digest": transcript.digest, "at": at, "seats": transcript.seats}
    return parent if transcript.path is None else {**parent, "path": str(transcript.path)}


def resume(path: Path | str, seats: Seats, *, backend: str = "asyncio", **options: Any) -> Transcript:
    """`aresume`, from ordinary code or a notebook cell."""
    result: Transcript = in_loop(lambda: aresume(path, seats, **options), backend)
    return result


def fork(transcript: Transcript, at: str, seats: Seats, *, backend: str = "asyncio", **options: Any) -> Transcript:
    """`afork`, from ordinary code or a notebook cell."""
    result: Transcript = in_loop(lambda: afork(transcript, at, seats, **options), backend)
    return result


def rejudge(transcript: Transcript, judge: Any, *, backend: str = "asyncio", **options: Any) -> Transcript:
    """`arejudge`, from ordinary code or a notebook cell."""
    result: Transcript = in_loop(lambda: arejudge(transcript, judge, **options), backend)
    return result
