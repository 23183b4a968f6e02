"""From a recording into a live play: resume and fork, from ordinary code and from async code; rejudge is in `rejudging.py`.

Rule of this file: what was said is taken from the recording and never asked for again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any

from moot.agents.base import describe
from moot.agents.identity import fingerprints
from moot.agents.models.batches.turns import playing
from moot.agents.money.bill import bill_of, charged
from moot.agents.money.cap import Cap, in_force, pricing
from moot.complexity.play import path_of
from moot.play.driver import Driver, now
from moot.play.recorded import play
from moot.play.rejudging import draws_of, flipped, judged_again, parent_of, roles_of
from moot.play.run import Backend, in_loop
from moot.play.seats import Seats, bounds_of, seated
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.transcripts.events import VERSION, EventLog, chain_of
from moot.transcripts.replay import Recording, Replay
from moot.transcripts.store import Fsync, Writer, repair
from moot.transcripts.transcript import Transcript


async def aresume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended",
    max_cost: float | None = None, parent: Path | None = None,
) -> Transcript:  # fmt: skip
    """Take up an unfinished transcript where it broke off; no step whose move is recorded is asked again.

    seats: seat or role to agent, as for `arun`. protocol: the one to run, when it cannot be found by its recorded name.
    fsync: as for `arun`. max_cost: likewise, of the whole play: what it cost until now, by its record, counts. A torn last
    line is cut off first. A play that ended in Errored is taken up at the step that failed.
    A rejudgement is one still: what the others said comes from the play that it was derived from, and they are not asked.
    parent: where that play's file is, if not where it was.
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
        again = judged_again(transcript, replay, parent)
        agents = seated(game.roles, seats, game.protocol.name, some=transcript.parent is not None)
        if again is not None:  # whoever was not asked live then is not asked now
            agents = {seat: agent for seat, agent in agents.items() if seat in transcript.seats}
            if (transcript.parent or {}).get("flip") is True:
                judges = [seat for seat, role in game.roles.items() if role == game.protocol.judge]
                agents |= flipped(agents, judges)
        if max_cost is None:
            cap = in_force()
        else:
            cap = Cap(max_cost, charged(bill_of(transcript.events(), pricing(agents)), str(path)))
        if cap is not None:
            cap.check(agents, cap.left)
        count, line = 0, b""
        for count, line in enumerate(transcript.lines(), 1):  # noqa: B007 - the last
            pass
        noted = _noted(transcript, game.open)
        log = EventLog(writer, chain_of(line), count, transcript.started["meta"].get("at"))
        log.event("resumed", {"events": count, "cut": cut}, {
            "at": now(), "seats": {seat: describe(agent) for seat, agent in agents.items()},
            "identities": fingerprints(agents), **({} if cap is None else cap.recorded),
        })  # fmt: skip
        for body in replay.unwritten:
            log.line(body)
        game.recorder = log
        with nullcontext() if max_cost is None or cap is None else cap, playing(path):
            stale = (transcript.parent or {}).get("stale") is True
            await Driver(game, agents, log, again, stale, draws_of(transcript), noted).run()
    finally:
        writer.close()
    return Transcript(path=path)


async def afork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None,
    fsync: Fsync = "ended", seed: int | None = None,
) -> Transcript:  # fmt: skip
    """Play the recording up to step `at`, then go on live with `seats`, into a new transcript.

    Steps that come before `at` in the order of paths are taken from the recording. seats: seat or role to agent, of those
    that are asked from there on; nobody else is needed. seed: of what they draw, by default that of the recorded play, so
    that equal forks are equal; another number is another draw. Coins fall as they do in the recorded play. Raises UsageError when nothing was said at `at`, or a live step
    has nobody to answer it.
    """
    protocol, roles = roles_of(transcript, protocol)
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
        bounds={**transcript.bounds, **bounds_of(agents, transcript.question)}, parent=parent_of(transcript, at, seed), fsync=fsync,
        draws=draws_of(transcript, seed),
    )  # fmt: skip


_WHERE = ("step", "meta", "chain")  # copies are not told the step that they are asked at, nor anybody the clock


def _noted(transcript: Transcript, steps: Container[str]) -> dict[str, list[dict[str, Any]]]:
    """By step, what was noted at those steps of calls of tools, which are not made again, and of what people did and looked at
    (with the `turn`, the attempt at the request), who go on from there."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in transcript.events():
        if event["event"] in ("called", "acted", "read") and "turn" in event and event["step"] in steps:
            found.setdefault(event["step"], []).append({key: each for key, each in event.items() if key not in _WHERE})
    return found


def _near(steps: Iterable[str], at: str) -> list[str]:
    """Up to six steps around `at`, in the order of paths; the first ones where it is no path at all."""
    ordered = sorted(steps, key=path_of)
    try:
        place = bisect_left(ordered, path_of(at), key=path_of)
    except ValueError:
        place = 0
    return ordered[max(0, place - 3) : place + 3]


def resume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended", max_cost: float | None = None,
    parent: Path | None = None, backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`aresume`, from ordinary code or a notebook cell."""
    return in_loop(
        lambda: aresume(path, seats, protocol=protocol, fsync=fsync, max_cost=max_cost, parent=parent), backend
    )


def fork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None,
    fsync: Fsync = "ended", seed: int | None = None, backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`afork`, from ordinary code or a notebook cell."""
    return in_loop(lambda: afork(transcript, at, seats, out=out, protocol=protocol, fsync=fsync, seed=seed), backend)
