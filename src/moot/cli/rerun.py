"""`moot resume`, `fork`, `rejudge`: from a recording into a live play.

Rule of this file: what is taken from the recording and what is asked again is decided in `moot.play.rerun`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from moot.cli.frame import Bounds, Config, Fsync, Json, Out, Seats, TranscriptPath, opened, report, runnable
from moot.cli.plan import bounds_from, placed, read_config, seats_of
from moot.cli.running import interruptible, watched
from moot.protocols.engine.errors import UsageError

At = Annotated[str, typer.Option("--at", metavar="STEP", help="The first step that is played anew (moot show names them).")]  # fmt: skip
Judge = Annotated[str, typer.Option(
    "--judge", metavar="AGENT", help="The other judge: local, openai:MODEL, python:module:name.")]  # fmt: skip
Stale = Annotated[bool, typer.Option(
    "--stale", help="Keep recorded answers to what the judge said, though it may now say something else.")]  # fmt: skip


def resume(
    path: TranscriptPath, seat: Seats = None, bound: Bounds = None, config: Config = None,
    fsync: Fsync = "ended", json: Json = False,
) -> None:  # fmt: skip
    """Take up an unfinished transcript where it broke off; no step whose move is recorded is asked again.

    The budgets stay those that were recorded.
    """
    from moot.play.rerun import resume as resume_now
    from moot.transcripts.index import ended_at
    from moot.transcripts.transcript import Transcript

    if bound:
        raise UsageError("moot resume keeps the recorded budgets; to play on under others: moot fork")
    if path.is_file() and path.suffix != ".zst":
        if (ended := ended_at(path)) not in (None, "errored"):
            raise UsageError(f"{path} has ended ({ended}); to go another way from a step: moot fork")
        agents, named = _agents(runnable(Transcript(path=path), "resume").started, seat, None, config)
    else:
        agents, named = {}, {}  # there is nothing to resume, which is said below
    with interruptible(path, named):
        report(resume_now(path, agents, fsync=fsync), json)


def fork(
    path: TranscriptPath, at: At, out: Out, seat: Seats = None, bound: Bounds = None, config: Config = None,
    fsync: Fsync = "ended", json: Json = False,
) -> None:  # fmt: skip
    """Play a recording up to a step, then go on live with other agents, into a new transcript.

    Only the seats that are asked from there on need somebody.
    """
    from moot.play.rerun import fork as fork_now

    transcript = runnable(opened(path), "fork")
    agents, named = _agents(transcript.started, seat, bound, config, some=True)
    with interruptible(out, named):
        report(fork_now(transcript, at, agents, out=out, fsync=fsync), json)


def rejudge(
    path: TranscriptPath, judge: Judge, out: Out, seat: Seats = None, bound: Bounds = None, config: Config = None,
    stale: Stale = False, fsync: Fsync = "ended", json: Json = False,
) -> None:  # fmt: skip
    """The same play before another judge, into a new transcript; all that the others said is as recorded."""
    from moot.play.rerun import rejudge as rejudge_now

    transcript = runnable(opened(path), "rejudge")
    roles: dict[str, str] = transcript.started["roles"]
    judges = [name for name, role in roles.items() if role == transcript.protocol.judge]
    if not judges:
        raise UsageError(f"{path}: protocol {transcript.started['protocol']['name']} has no judge to replace")
    typed = [pair for pair in seat or () if pair.partition("=")[0] not in judges]
    typed += [f"{name}={judge}" for name in judges]
    agents, named = _agents(transcript.started, typed, bound, config, some=True)
    others = {name: agent for name, agent in agents.items() if name not in judges}
    with interruptible(out, named):
        report(rejudge_now(transcript, agents[judges[0]], out=out, seats=others, stale=stale, fsync=fsync), json)


def _agents(
    started: Mapping[str, Any], seat: list[str] | None, bound: list[str] | None, config: Path | None, some: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Agents by seat for a recorded play, watched, and what was typed for each."""
    settings = read_config(config)
    named, bounds = placed(
        started["roles"], seats_of(seat or (), settings), bounds_from(bound or (), settings),
        started["protocol"]["name"], some,
    )  # fmt: skip
    return watched(named, bounds, settings.get("agents", {})), named
