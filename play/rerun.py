"""From a recording into a live play: resume, fork and rejudge, from ordinary code and from async code.

Rule of this file: what was said is taken from the recording and never asked for again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping
from contextlib import nullcontext, suppress
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from moot.agents.base import describe
from moot.agents.identity import fingerprints
from moot.agents.money.bill import bill_of, charged
from moot.agents.money.cap import Cap, in_force, pricing
from moot.agents.spec import seatable
from moot.complexity.play import path_of
from moot.play.driver import Driver, now, play
from moot.play.run import Backend, checked, in_loop
from moot.play.seats import Seats, bounds_of, seated
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError, near
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.events import VERSION, EventLog, chain_of
from moot.transcripts.replay import Recording, Replay
from moot.transcripts.store import Fsync, Writer, repair
from moot.transcripts.transcript import Transcript


async def aresume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended",
    max_cost: float | None = None,
) -> Transcript:  # fmt: skip
    """Take up an unfinished transcript where it broke off; no step whose move is recorded is asked again.

    seats: seat or role to agent, as for `arun`. protocol: the one to run, when it cannot be found by its recorded name.
    fsync: as for `arun`. max_cost: likewise, of the whole play: what it cost until now, by its record, counts. A torn last
    line is cut off first. A play that ended in Errored is taken up at the step that failed.
    A rejudgement is one still: what the others said comes from the play that it was derived from, and they are not asked.
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
        again = _judged_again(transcript, replay)
        agents = seated(game.roles, seats, game.protocol.name, some=transcript.parent is not None)
        if again is not None:  # whoever was not asked live then is not asked now
            agents = {seat: agent for seat, agent in agents.items() if seat in transcript.seats}
        if max_cost is None:
            cap = in_force()
        else:
            cap = Cap(max_cost, charged(bill_of(transcript.events(), pricing(agents)), str(path)))
        if cap is not None:
            cap.check(agents, cap.left)
        count, line = 0, b""
        for count, line in enumerate(transcript.lines(), 1):  # noqa: B007 - the last
            pass
        called = _called(transcript, game.open)
        log = EventLog(writer, chain_of(line), count)
        log.event("resumed", {"events": count, "cut": cut}, {
            "at": now(), "seats": {seat: describe(agent) for seat, agent in agents.items()},
            "identities": fingerprints(agents), **({} if cap is None else {"cap": cap.most}),
        })  # fmt: skip
        for body in replay.unwritten:
            log.line(body)
        game.recorder = log
        with nullcontext() if max_cost is None or cap is None else cap:
            stale = (transcript.parent or {}).get("stale") is True
            await Driver(game, agents, log, again, stale, _draws(transcript), called).run()
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
        bounds={**transcript.bounds, **bounds_of(agents, transcript.question)}, parent=_parent(transcript, at, seed), fsync=fsync,
        draws=_draws(transcript, seed),
    )  # fmt: skip


async def arejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, fsync: Fsync = "ended", seed: int | None = None, upto: int | None = None,
    live: Iterable[str] = (),
) -> Transcript:  # fmt: skip
    """The same play before another judge (the overseer of amplification): every step of its seat is asked again, all else
    is as recorded.

    When what the judge says is shown to the others (questions, feedback), their recorded answers may answer something
    that was not asked this time. That raises ReplayDivergence, unless live `seats` are given for them, or `stale` is
    true: then the recorded answer is used all the same and marked "stale" in the log.

    seed: of what the judge draws, by default that of the recorded play; seeds 0 to 19 are twenty different judgements.
    Coins fall as they do in the recorded play. upto: in a debate or consultancy, the judge decides after that many rounds,
    0 and up, and nobody else notices: all that was said until then is as recorded, the first judge's questions and
    feedback among it. The new play is one of so many rounds, in which what the others said is marked "stale", as they were
    told of more. Raises UsageError where there were fewer rounds, or none that can be counted.

    live: those of `seats`, or roles of theirs, that are asked anew at every step; whoever sits in another is asked only where the
    recording does not hold what was asked. Raises UsageError where nobody was given for one, and together with `upto`.
    """
    protocol, roles = _roles(transcript, protocol)
    judges = frozenset(seat for seat, role in roles.items() if role == protocol.judge)
    if not judges:
        raise UsageError(f"{transcript.name}: protocol {protocol.name} has no judge to replace; its roles: {roles}")
    others = seated(roles, {} if seats is None else seats, protocol.name, some=True)
    agents = {**others, **dict.fromkeys(judges, seatable(judge))}
    kept = {seat: limits for seat, limits in transcript.bounds.items() if seat not in judges}
    anew = _live(live, roles, others, upto)
    recording = _recording(transcript, protocol, judges | anew, upto)
    protocol = protocol if upto is None else _shortened(transcript, protocol, upto)
    return await play(
        protocol, transcript.sample, agents, seed=transcript.seed, out=out, recording=recording, stale=stale,
        bounds={**kept, **bounds_of(agents, transcript.question)}, parent=_parent(transcript, "judge", seed, upto, stale, anew),
        fsync=fsync, draws=_draws(transcript, seed),
    )  # fmt: skip


class Belief(NamedTuple):
    """What a judge believed after so many rounds: a probability for each choice, None where the play was not decided, and the
    play in which it said so."""

    rounds: int
    probabilities: tuple[float, ...] | None
    transcript: Transcript


async def abeliefs(transcript: Transcript, judge: Any, *, seed: int | None = None) -> list[Belief]:
    """What a judge believes of a recorded debate or consultancy after 0, 1, … rounds, all of them included, each asked
    anew; nobody else is asked anything, or could have noticed. seed, and what is raised: as for `arejudge(…, upto=…)`."""
    protocol, _ = _roles(transcript, None)
    found = []
    for rounds in range(_rounds(transcript, protocol) + 1):
        play = await arejudge(transcript, judge, seed=seed, upto=rounds)
        outcome = play.outcome
        probabilities = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
        found.append(Belief(rounds, probabilities, play))
    return found


_WHERE = ("step", "meta", "chain")  # copies are not told the step that they are asked at, nor anybody the clock


def _called(transcript: Transcript, steps: Container[str]) -> dict[str, list[dict[str, Any]]]:
    """By step, the calls of tools that were recorded at those steps: what was answered there is not asked for again."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in transcript.events():
        if event["event"] == "called" and event["step"] in steps:
            found.setdefault(event["step"], []).append({key: each for key, each in event.items() if key not in _WHERE})
    return found


def _live(live: Iterable[str], roles: Mapping[str, str], seats: Mapping[str, Any], upto: int | None) -> frozenset[str]:
    """The seats that are asked anew."""
    named = [live] if isinstance(live, str) else list(live)
    anew = frozenset(seat for seat, role in roles.items() if {seat, role} & {*named})
    if upto is not None and named:
        raise UsageError(
            "a judgement after some of the rounds takes all else from the recording: live seats have no place"
        )
    for name in named:
        if name not in (*roles, *roles.values()):
            raise UsageError(f"live: there is no seat or role {name!r}{near(name, [*roles, *roles.values()])}")
    if missing := sorted(anew - {*seats}):
        raise UsageError(f"live: nobody was given who answers at {missing[0]!r}: seats={{{missing[0]!r}: …}}")
    return anew


def _rounds(transcript: Transcript, protocol: Protocol) -> int:
    """How many rounds were held of a recorded debate. Raises UsageError where they cannot be counted."""
    if not isinstance(protocol, Debate):
        raise UsageError(f"{transcript.name}: {protocol.name} has no rounds to stop after; a debate has")
    if protocol.rounds is None:
        raise UsageError(f"{transcript.name}: how many rounds it has was left open; say up to which: upto=")
    return protocol.rounds


def _shortened(transcript: Transcript, protocol: Protocol, upto: int) -> Protocol:
    """The same debate with so many rounds, and nothing after them."""
    if isinstance(upto, bool) or not isinstance(upto, int) or upto < 0:
        raise UsageError(f"upto is {upto!r}; it must be a number of rounds, 0 or more")
    most = None if isinstance(protocol, Debate) and protocol.rounds is None else _rounds(transcript, protocol)
    if most is not None and upto > most:
        raise UsageError(f"{transcript.name}: upto is {upto}; there were {most} rounds")
    return type(protocol).model_validate({**dict(protocol), "rounds": upto, "closing": ()})


def _last_verdict(transcript: Transcript, judges: frozenset[str]) -> frozenset[str]:
    said = [step.step for step in transcript.steps() if step.seat in judges and step.move["kind"] == "verdict"]
    return frozenset(said[-1:])


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


def _draws(transcript: Transcript, seed: int | None = None) -> int:
    """The seed of live requests: as given, or that of the recorded play, which may be derived itself."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise UsageError(f"seed is {seed!r}; it must be a whole number")
    kept = (transcript.parent or {}).get("seed") if seed is None else seed
    return kept if type(kept) is int else transcript.seed


def _judged_again(transcript: Transcript, replay: Replay) -> Recording | None:
    """What is still to be taken from the play that a rejudgement was derived from: nothing where its file is gone or another;
    None for a play that is no rejudgement."""
    parent = transcript.parent or {}
    if parent.get("at") != "judge":
        return None
    source = Transcript(path=Path(str(parent.get("path"))))
    judges = frozenset(seat for seat, role in replay.game.roles.items() if role == replay.protocol.judge)
    with suppress(MootError):
        if source.digest == parent.get("digest"):
            live = parent.get("live")
            anew = {seat for seat in replay.game.roles if isinstance(live, list) and seat in live}
            found = _recording(source, None, judges | anew, parent.get("upto"))
            for step, waiting in replay.game.open.items():
                for _ in range(waiting.attempt):
                    found.next(step)
            return found
    return Recording(transcript, without=frozenset(replay.game.roles))


def _recording(
    transcript: Transcript, protocol: Protocol | None, judges: frozenset[str], upto: int | None
) -> Recording:
    """What a rejudgement takes from the play."""
    if upto is None:
        return Recording(transcript, without=judges, protocol=protocol)
    return Recording(transcript, but=_last_verdict(transcript, judges), protocol=protocol, whole=True)


def _parent(
    transcript: Transcript,
    at: str,
    seed: int | None,
    upto: int | None = None,
    stale: bool = False,
    live: Iterable[str] = (),
) -> dict[str, Any]:
    path = {} if transcript.path is None else {"path": str(transcript.path)}
    draws = _draws(transcript, seed)
    more = {
        "seed": draws if draws != transcript.seed else None,
        "upto": upto,
        "stale": stale or None,
        "live": sorted(live) or None,
    }
    told = {name: value for name, value in more.items() if value is not None}
    return {"digest": transcript.digest, "at": at, "seats": transcript.seats, **path, **told}


def resume(
    path: Path | str, seats: Seats, *, protocol: Protocol | None = None, fsync: Fsync = "ended", max_cost: float | None = None,
    backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`aresume`, from ordinary code or a notebook cell."""
    return in_loop(lambda: aresume(path, seats, protocol=protocol, fsync=fsync, max_cost=max_cost), backend)


def fork(
    transcript: Transcript, at: str, seats: Seats, *, out: Path | str | None = None, protocol: Protocol | None = None,
    fsync: Fsync = "ended", seed: int | None = None, backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`afork`, from ordinary code or a notebook cell."""
    return in_loop(lambda: afork(transcript, at, seats, out=out, protocol=protocol, fsync=fsync, seed=seed), backend)


def rejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, fsync: Fsync = "ended", seed: int | None = None, upto: int | None = None,
    live: Iterable[str] = (), backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`arejudge`, from ordinary code or a notebook cell."""
    given: dict[str, Any] = {"seats": seats, "out": out, "stale": stale, "protocol": protocol, "fsync": fsync}
    return in_loop(lambda: arejudge(transcript, judge, seed=seed, upto=upto, live=live, **given), backend)


def beliefs(
    transcript: Transcript, judge: Any, *, seed: int | None = None, backend: Backend = "asyncio"
) -> list[Belief]:
    """`abeliefs`, from ordinary code or a notebook cell."""
    return in_loop(lambda: abeliefs(transcript, judge, seed=seed), backend)
