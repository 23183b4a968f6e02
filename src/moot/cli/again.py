"""`moot resume`, `fork`, `rejudge`: from a recording into a live play."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from moot.cli.frame import Bounds, Config, Interrupted, Json, Out, Seats, TranscriptPath, opened, report
from moot.cli.plan import bounds_from, read_config, seated, seats_of
from moot.protocols.engine.errors import UsageError

At = Annotated[
    str, typer.Option("--at", metavar="STEP", help="The first step that is played anew (moot show names them).")
]
Judge = Annotated[
    str, typer.Option("--judge", metavar="AGENT", help="The other judge: local, openai:MODEL, python:module:name.")
]
Stale = Annotated[
    bool,
    typer.Option("--stale", help="Keep recorded answers to what the judge said, though it may now say something else."),
]


def _agents(
    seat: list[str] | None, bound: list[str] | None, config: Path | None
) -> tuple[dict[str, Any], dict[str, str]]:
    from moot.cli.watch import Watched, narrator

    settings, told = read_config(config), narrator()
    named = seats_of(seat or (), settings)
    agents = seated(named, bounds_from(bound or (), settings), settings.get("agents", {}))
    return {name: Watched(agent, told) for name, agent in agents.items()}, named


def resume(
    path: TranscriptPath, seat: Seats = None, bound: Bounds = None, config: Config = None, json: Json = False
) -> None:
    """Take up an unfinished transcript where it broke off; no call that was completed is made again.

    The budgets stay those that were recorded.
    """
    from moot.cli.running import kept
    from moot.play.rerun import resume as resume_now
    from moot.transcripts.index import ended_at

    if bound:
        raise UsageError("moot resume keeps the recorded budgets; to play on under others: moot fork")
    if path.is_file() and path.suffix != ".zst" and ended_at(path) not in (None, "errored"):
        raise UsageError(f"{path} has ended ({ended_at(path)}); to go another way from a step: moot fork")
    agents, named = _agents(seat, None, config)
    try:
        report(resume_now(path, agents), json)
    except KeyboardInterrupt:
        raise Interrupted(kept(path, named)) from None


def fork(
    path: TranscriptPath,
    at: At,
    out: Out,
    seat: Seats = None,
    bound: Bounds = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Play a recording up to a step, then go on live with other agents, into a new transcript."""
    from moot.cli.running import kept
    from moot.play.driver import check_seats
    from moot.play.rerun import fork as fork_now

    transcript = opened(path)
    agents, named = _agents(seat, bound, config)
    check_seats(transcript.started["roles"], agents, transcript.started["protocol"]["name"])
    try:
        report(fork_now(transcript, at, agents, out=out), json)
    except KeyboardInterrupt:
        raise Interrupted(kept(out, named)) from None


def rejudge(
    path: TranscriptPath,
    judge: Judge,
    out: Out,
    seat: Seats = None,
    bound: Bounds = None,
    config: Config = None,
    stale: Stale = False,
    json: Json = False,
) -> None:
    """The same play before another judge, into a new transcript; all that the others said is as recorded."""
    from moot.cli.running import kept
    from moot.play.rerun import rejudge as rejudge_now

    transcript = opened(path)
    roles: dict[str, str] = transcript.started["roles"]
    judges = [name for name, role in roles.items() if role == transcript.protocol.judge]
    typed = [pair for pair in seat or () if pair.partition("=")[0] not in judges]
    agents, named = _agents([*typed, *(f"{name}={judge}" for name in judges)], bound, config)
    others = {name: agent for name, agent in agents.items() if name not in judges}
    if unknown := next((name for name in others if name not in roles), None):
        raise UsageError(f"{path}: there is no seat {unknown!r}; its seats: {', '.join(roles)}")
    if not judges:
        raise UsageError(f"{path}: protocol {transcript.started['protocol']['name']} has no judge to replace")
    try:
        report(rejudge_now(transcript, agents[judges[0]], out=out, seats=others or None, stale=stale), json)
    except KeyboardInterrupt:
        raise Interrupted(kept(out, named)) from None
