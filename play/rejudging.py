"""Judging a recorded play again: before another judge, with the choices in the other order, by another procedure.

Rule of this file: whoever is not asked anew is taken from the recording, and whoever is asked anew never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from moot.agents.spec import seatable
from moot.judges.looks import Flipped
from moot.play.recorded import play
from moot.play.run import Backend, checked, in_loop
from moot.play.seats import Seats, bounds_of, seated
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Negotiate, Part, Speaking
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError, near
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.replay import Recording, Replay, asked
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript


async def arejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, procedure: Sequence[Part] | None = None, fsync: Fsync = "ended",
    seed: int | None = None, upto: int | None = None, live: Iterable[str] = (), flip: bool = False,
) -> Transcript:  # fmt: skip
    """The same play before another judge (the overseer of amplification): every step of its seat is asked again, all else
    is as recorded.

    When what the judge says is shown to the others (questions, feedback), their recorded answers may answer something
    that was not asked this time. That raises ReplayDivergence, unless live `seats` are given for them, or `stale` is
    true: then the recorded answer is used all the same and marked "stale" in the log.

    flip: the judge, whatever it is asked, is shown the choices in the reversed order (`Flipped`), and its words are recorded
    in that of the question. procedure: in a debate or consultancy, the parts of judging that are held once all is said, in place
    of those recorded: what stands in `closing` behind the last part in which debaters speak; () is the verdict alone. The seats that
    such parts name are live. protocol: what is played instead of the recorded protocol: the same as far as
    debaters are told, where they are to be taken from the recording. A debate of other `closing` is another procedure.

    seed: of what the judge draws, by default that of the recorded play; seeds 0 to 19 are twenty different judgements.
    Coins fall as they do in the recorded play. upto: in a debate or consultancy, the judge decides after that many rounds,
    0 and up, and nobody else notices: all that was said until then is as recorded, the first judge's questions and
    feedback among it. The new play is one of so many rounds, in which what the others said is marked "stale", as they were
    told of more. Raises UsageError where there were fewer rounds, or none that can be counted.

    live: those of `seats`, or roles of theirs, that are asked anew at every step; whoever sits in another is asked only where the
    recording does not hold what was asked. Raises UsageError where nobody was given for one, and together with `upto`.
    """
    given = protocol
    protocol = judged_by(transcript, protocol, procedure, upto)
    roles = protocol.roles(transcript.question)
    judges = frozenset(seat for seat, role in roles.items() if role == protocol.judge)
    if not judges:
        raise UsageError(f"{transcript.name}: protocol {protocol.name} has no judge to replace; its roles: {roles}")
    others = seated(roles, {} if seats is None else seats, protocol.name, some=True)
    agents = others | _judges(judges, roles, judge, others, seats or {})
    held = _held(transcript, protocol)
    anew = _live(live, roles, others, upto) | _helpers(held, roles, judges, others)
    if given is not None and upto is None and not stale:
        _same(transcript, protocol, frozenset(roles) - judges - others.keys())
    kept = {seat: limits for seat, limits in transcript.bounds.items() if seat not in judges and seat in roles}
    recording = _recording(transcript, given if held is None else None, judges, anew, upto, protocol)
    if flip:
        agents |= flipped(agents, judges)
    return await play(
        protocol, transcript.sample, agents, seed=transcript.seed, out=out, recording=recording, stale=stale,
        bounds={**kept, **bounds_of(agents, transcript.question)},
        parent=parent_of(transcript, "judge", seed, upto=upto, stale=stale or None, live=sorted(anew) or None, flip=flip or None),
        fsync=fsync, draws=draws_of(transcript, seed),
    )  # fmt: skip


class Belief(NamedTuple):
    """What a judge believed after so many rounds: a probability for each choice, None where the play was not decided, and the
    play in which it said so."""

    rounds: int
    probabilities: tuple[float, ...] | None
    transcript: Transcript


async def abeliefs(transcript: Transcript, judge: Any, *, seed: int | None = None, flip: bool = False) -> list[Belief]:
    """What a judge believes of a recorded debate or consultancy after 0, 1, … rounds, all of them included, each asked
    anew; nobody else is asked anything, or could have noticed. seed, flip, and what is raised: as for `arejudge(…, upto=…)`."""
    protocol, _ = roles_of(transcript, None)
    found = []
    for rounds in range(_rounds(transcript.name, protocol) + 1):
        play = await arejudge(transcript, judge, seed=seed, upto=rounds, flip=flip)
        outcome = play.outcome
        probabilities = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
        found.append(Belief(rounds, probabilities, play))
    return found


def flipped(agents: Mapping[str, Any], judges: Iterable[str]) -> dict[str, Any]:
    """The judges among these agents, each shown the choices in the reversed order."""
    return {seat: Flipped(agents[seat]) for seat in judges if seat in agents}


def judged_again(transcript: Transcript, replay: Replay, path: Path | None = None) -> Recording | None:
    """What is still to be taken from the play that a rejudgement was derived from: nothing where its file is gone or another;
    None for a play that is no rejudgement. path: where its file is now, if not where it was."""
    parent = transcript.parent or {}
    if parent.get("at") != "judge":
        return None
    source = Transcript(path=path or Path(str(parent.get("path"))))
    judges = frozenset(seat for seat, role in replay.game.roles.items() if role == replay.protocol.judge)
    with suppress(MootError):
        if source.digest == parent.get("digest"):
            live = parent.get("live")
            anew = frozenset(seat for seat in replay.game.roles if isinstance(live, list) and seat in live)
            found = _recording(source, None, judges, anew, parent.get("upto"), replay.protocol)
            for step, waiting in replay.game.open.items():
                for _ in range(waiting.attempt):
                    found.next(step)
            return found
    return Recording(transcript, without=frozenset(replay.game.roles))


def roles_of(transcript: Transcript, protocol: Protocol | None) -> tuple[Protocol, Mapping[str, str]]:
    """The protocol to play a transcript by, its own unless given, and the roles of its seats."""
    if not isinstance(transcript, Transcript):
        raise UsageError(f"this takes a transcript, moot.load(PATH), not {transcript!r}")
    protocol = checked(protocol or transcript.protocol)
    return protocol, protocol.roles(transcript.question)


def draws_of(transcript: Transcript, seed: int | None = None) -> int:
    """The seed of live requests: as given, or that of the recorded play, which may be derived itself."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise UsageError(f"seed is {seed!r}; it must be a whole number")
    kept = (transcript.parent or {}).get("seed") if seed is None else seed
    return kept if type(kept) is int else transcript.seed


def parent_of(transcript: Transcript, at: str, seed: int | None, **more: Any) -> dict[str, Any]:
    """What a derived play records of the one that it comes from. more: how it differs; what is None is left out."""
    path = {} if transcript.path is None else {"path": str(transcript.path)}
    draws = draws_of(transcript, seed)
    told = {"seed": draws if draws != transcript.seed else None, **more}
    told = {name: value for name, value in told.items() if value is not None}
    return {"digest": transcript.digest, "at": at, "seats": transcript.seats, **path, **told}


# -- what is played ------------------------------------------------------------------------------------------------------


def judged_by(
    transcript: Transcript, protocol: Protocol | None = None, procedure: Sequence[Part] | None = None, upto: int | None = None
) -> Protocol:  # fmt: skip
    """The protocol of the new play: the recorded one unless given, with its judge, and, where they are given, so many rounds and
    another procedure of judging. Raises as `arejudge`."""
    protocol, _ = roles_of(transcript, protocol)
    return with_procedure(transcript.name, protocol, procedure, upto)


def with_procedure(
    name: str, protocol: Protocol, procedure: Sequence[Part] | None = None, upto: int | None = None
) -> Protocol:
    """A protocol with its judge, and, where they are given, with so many rounds and another procedure of judging. name: of what is
    judged, for messages. Raises UsageError where it has not so many rounds or cannot be judged by parts, and on parts in
    which debaters speak."""
    if upto is not None:
        protocol = _shortened(name, protocol, upto)
    if not isinstance(protocol, Debate):
        if procedure is None:
            return protocol
        raise UsageError(f"{name}: {protocol.name} has no parts to judge by; a debate or a consultancy has")
    changes: dict[str, Any] = {} if protocol.judged else {"judged": True}
    if procedure is not None:
        if isinstance(procedure, Part) or not all(isinstance(part, Part) for part in procedure):
            raise UsageError(f"procedure is {procedure!r}; it is a tuple of parts, such as (moot.Deliberation(),)")
        if odd := [part for part in procedure if isinstance(part, (Speaking, Negotiate))]:
            raise UsageError(
                f"procedure: in {type(odd[0]).__name__} debaters speak, of whom nothing more was recorded; it holds what judges do"
            )
        changes["closing"] = (*_spoken(protocol), *procedure)
    return type(protocol).model_validate({**dict(protocol), **changes}) if changes else protocol


def _spoken(protocol: Debate) -> tuple[Part, ...]:
    """The parts of `closing` up to the last in which debaters speak."""
    places = [place for place, part in enumerate(protocol.closing, 1) if isinstance(part, (Speaking, Negotiate))]
    return protocol.closing[: max(places, default=0)]


def _held(transcript: Transcript, protocol: Protocol) -> tuple[Part, ...] | None:
    """The parts of another procedure than the recorded one; None where it is the same, or no debate's."""
    try:
        recorded = transcript.protocol
    except UsageError:  # it is not installed: what is given stands for it
        return None
    if not (isinstance(protocol, Debate) and isinstance(recorded, Debate)) or protocol.closing == recorded.closing:
        return None
    return protocol.closing[len(_spoken(protocol)) :] or None


def _helpers(
    held: Sequence[Part] | None, roles: Mapping[str, str], judges: frozenset[str], others: Mapping[str, Any]
) -> frozenset[str]:
    """The seats besides the judges' that another procedure asks: they are live. UsageError where nobody sits there."""
    named = {seat for part in held or () for seat in part.seats} - judges
    if missing := sorted(named - others.keys()):
        raise UsageError(
            f"the procedure asks {missing[0]!r} ({roles[missing[0]]}), and nobody was given who answers there: "
            f"seats={{{missing[0]!r}: …}}"
        )
    return frozenset(named)


def _judges(
    judges: frozenset[str], roles: Mapping[str, str], judge: Any, others: Mapping[str, Any], seats: Seats
) -> dict[str, Any]:
    """Who judges: `judge`, and in the seats of further judges whoever was given for just that seat."""
    first, *more = (seat for seat in roles if seat in judges)
    sitting = seatable(judge)
    return {first: sitting, **{seat: others[seat] if seat in seats else sitting for seat in more}}


def _same(transcript: Transcript, protocol: Protocol, kept: frozenset[str]) -> None:
    """Raise UsageError where seats are to be taken from the recording of a debate that asked them something else."""
    record = transcript.started["protocol"]
    if record.get("name") != protocol.name or not isinstance(protocol, Debate) or not kept:
        return
    one, two = dict(transcript.protocol), dict(protocol)
    two["closing"] = two["closing"][: len(_spoken(protocol))]
    one["closing"] = one["closing"][: len(_spoken(transcript.protocol))]  # type: ignore[arg-type]
    for name in one:
        if one[name] != two[name] and name not in ("judged", "judge_source", "scoring"):
            raise UsageError(
                f"{transcript.name} was recorded with {name}={one[name]!r}, and is to be judged with {name}={two[name]!r}: what "
                f"{min(kept)} said there answers something else; seat somebody there, or take it all the same by stale=True"
            )


def _rounds(name: str, protocol: Protocol) -> int:
    """How many rounds were held of a recorded debate. Raises UsageError where they cannot be counted."""
    if not isinstance(protocol, Debate):
        raise UsageError(f"{name}: {protocol.name} has no rounds to stop after; a debate has")
    if protocol.rounds is None:
        raise UsageError(f"{name}: how many rounds it has was left open; say up to which: upto=")
    return protocol.rounds


def _shortened(name: str, protocol: Protocol, upto: int) -> Protocol:
    """The same debate with so many rounds, and nothing after them."""
    if isinstance(upto, bool) or not isinstance(upto, int) or upto < 0:
        raise UsageError(f"upto is {upto!r}; it must be a number of rounds, 0 or more")
    most = None if isinstance(protocol, Debate) and protocol.rounds is None else _rounds(name, protocol)
    if most is not None and upto > most:
        raise UsageError(f"{name}: upto is {upto}; there were {most} rounds")
    return type(protocol).model_validate({**dict(protocol), "rounds": upto, "closing": ()})


# -- what is taken from the recording ------------------------------------------------------------------------------------


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


def _recording(
    transcript: Transcript, protocol: Protocol | None, judges: frozenset[str], anew: frozenset[str], upto: int | None,
    played: Protocol,
) -> Recording:  # fmt: skip
    """What a rejudgement takes from the play. protocol: as for `Recording`. played: the one of the new play."""
    if upto is None:
        return Recording(transcript, without=judges | anew, protocol=protocol)
    but = _last_verdict(transcript, judges)
    whole = Recording(transcript, but=but, protocol=protocol, whole=True)
    begins = _said_until(transcript, type(played).model_validate({**dict(played), "closing": ()}), whole)
    return Recording(transcript, before=begins, but=but, without=anew, protocol=protocol, whole=True)


def _said_until(transcript: Transcript, protocol: Protocol, recording: Recording) -> str | None:
    """The step at which a debate of so many rounds comes to its verdict, or the procedure begins; None where it has none. What the
    judge said at that step of the longer debate, of its feedback perhaps, is no verdict."""
    game = Game(protocol, asked(transcript.started), seed=transcript.seed, lean=True).start()
    try:
        while game.outcome is None:
            for step, waiting in list(game.open.items()):
                recorded = recording.next(step)
                if waiting.ask.brief.get("task") == "verdict" or recorded is None or not recorded.answers(waiting.ask):
                    return step
                game.answer(step, recorded.reply, history=recorded.history)
        return None
    finally:
        game.close()


def _last_verdict(transcript: Transcript, judges: frozenset[str]) -> frozenset[str]:
    """The step of the verdict by which a judge ended the play; of one that ended otherwise, nothing that judges said did."""
    said = [step.step for step in transcript.steps() if step.seat in judges and step.move["kind"] == "verdict"]
    outcome = transcript.outcome  # whose step is "" where an older recording does not say it
    ended = isinstance(outcome, Decided) and outcome.step in ("", *said[-1:])
    return frozenset(said[-1:]) if ended else frozenset()


def rejudge(
    transcript: Transcript, judge: Any, *, seats: Seats | None = None, out: Path | str | None = None, stale: bool = False,
    protocol: Protocol | None = None, procedure: Sequence[Part] | None = None, fsync: Fsync = "ended",
    seed: int | None = None, upto: int | None = None, live: Iterable[str] = (), flip: bool = False,
    backend: Backend = "asyncio",
) -> Transcript:  # fmt: skip
    """`arejudge`, from ordinary code or a notebook cell."""
    given: dict[str, Any] = {"seats": seats, "out": out, "stale": stale, "protocol": protocol, "procedure": procedure}
    return in_loop(
        lambda: arejudge(transcript, judge, seed=seed, upto=upto, live=live, flip=flip, fsync=fsync, **given), backend
    )


def beliefs(
    transcript: Transcript, judge: Any, *, seed: int | None = None, flip: bool = False, backend: Backend = "asyncio"
) -> list[Belief]:
    """`abeliefs`, from ordinary code or a notebook cell."""
    return in_loop(lambda: abeliefs(transcript, judge, seed=seed, flip=flip), backend)
