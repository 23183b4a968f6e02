"""`moot resume`, `fork`, `rejudge`: from a recording into a live play.

Rule of this file: what is taken from the recording and what is asked again is decided in `moot.play.rerun` and `moot.play.rejudging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli.frame import (
    Bounds,
    Config,
    Fsync,
    Json,
    MaxCost,
    Out,
    Prices,
    Seats,
    TranscriptPath,
    complain,
    opened,
    report,
    runnable,
)
from moot.cli.plan import bounds_from, placed, read_config, seats_of
from moot.cli.running import interruptible, told_of_cap, watched
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.agents.money.cap import Cap

Live = Annotated[list[str] | None, typer.Option(
    "--live", metavar="SEAT", help="A seat of --seat that is asked anew, whatever was recorded of it (repeat).")]  # fmt: skip
At = Annotated[str, typer.Option("--at", metavar="STEP", help="The first step that is played anew (moot show names them).")]  # fmt: skip
Judge = Annotated[str, typer.Option(
    "--judge", metavar="AGENT", help="The other judge: local, openai:MODEL, python:module:name.")]  # fmt: skip
Stale = Annotated[bool, typer.Option(
    "--stale", help="Keep recorded answers to what the judge said, though it may now say something else.")]  # fmt: skip
Seed = Annotated[int | None, typer.Option(
    "--seed", help="Of what live agents draw; by default the recorded play's. Coins fall as recorded.")]  # fmt: skip
Repetitions = Annotated[int, typer.Option(
    "--repetitions", min=1, max=100_000, help="So many judgements, with seeds one after the other, in FILE-SEED.jsonl.")]  # fmt: skip
Upto = Annotated[int | None, typer.Option(
    "--upto", min=0, metavar="ROUNDS", help="The judge decides after so many rounds of the debate.")]  # fmt: skip


Flip = Annotated[bool, typer.Option("--flip", help="The judge is shown the choices in the reversed order.")]
Procedure = Annotated[str | None, typer.Option(
    "--procedure", metavar="JSON", help='Parts by which it is judged once all is said: [{"part": "deliberation"}]; [] for the verdict alone.')]  # fmt: skip


def resume(
    context: typer.Context, path: TranscriptPath, seat: Seats = None, bound: Bounds = None, config: Config = None,
    prices: Prices = None, max_cost: MaxCost = None, fsync: Fsync = "ended", json: Json = False,
) -> None:  # fmt: skip
    """Take up an unfinished transcript where it broke off; no step whose move is recorded is asked again.

    The budgets stay those that were recorded.
    """
    from moot.agents.money.bill import bill_of, charged
    from moot.agents.money.cap import Cap, pricing
    from moot.agents.money.price_file import using
    from moot.play.rerun import resume as resume_now
    from moot.transcripts.index import ended_at
    from moot.transcripts.transcript import Transcript

    if bound:
        raise UsageError("moot resume keeps the recorded budgets; to play on under others: moot fork")
    context.with_resource(using(prices))
    if path.is_file() and path.suffix != ".zst":
        if (ended := ended_at(path)) not in (None, "errored"):
            raise UsageError(f"{path} has ended ({ended}); to go another way from a step: moot fork")
        begun = runnable(Transcript(path=path), "resume")
        agents, named = _agents(begun.started, seat, None, config, some=begun.parent is not None)
    else:
        agents, named = {}, {}  # there is nothing to resume, which is said below
    if max_cost is not None and path.is_file():
        spent = charged(bill_of(Transcript(path=path).events(), pricing(agents)), str(path))
        context.with_resource(Cap(max_cost, spent))
    with interruptible(path, named):
        report(told_of_cap(resume_now(path, agents, fsync=fsync), named), json)


def fork(
    context: typer.Context, path: TranscriptPath, at: At, out: Out, seat: Seats = None, bound: Bounds = None,
    config: Config = None, prices: Prices = None, max_cost: MaxCost = None, fsync: Fsync = "ended", seed: Seed = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Play a recording up to a step, then go on live with other agents, into a new transcript.

    Only the seats that are asked from there on need somebody.
    """
    from moot.play.rerun import fork as fork_now

    transcript = runnable(opened(path), "fork")
    _paying(context, prices, max_cost)
    agents, named = _agents(transcript.started, seat, bound, config, some=True)
    with interruptible(out, named):
        report(told_of_cap(fork_now(transcript, at, agents, out=out, fsync=fsync, seed=seed), named), json)


def rejudge(
    context: typer.Context, path: TranscriptPath, judge: Judge, out: Out, seat: Seats = None, bound: Bounds = None,
    config: Config = None, stale: Stale = False, prices: Prices = None, max_cost: MaxCost = None, fsync: Fsync = "ended",
    seed: Seed = None, repetitions: Repetitions = 1, upto: Upto = None, live: Live = None, flip: Flip = False,
    procedure: Procedure = None, json: Json = False,
) -> None:  # fmt: skip
    """The same play before another judge, into a new transcript; all that the others said is as recorded."""
    from moot.play.rejudging import judged_by
    from moot.play.rejudging import rejudge as rejudge_now
    from moot.protocols.debate.debate import parts_of

    transcript = runnable(opened(path), "rejudge")
    cap = _paying(context, prices, max_cost)
    parts = None if procedure is None else parts_of(procedure)
    protocol = judged_by(transcript, upto=upto, procedure=parts)
    roles = protocol.roles(transcript.question)
    judges = [name for name, role in roles.items() if role == protocol.judge]
    if not judges:
        raise UsageError(f"{path}: protocol {transcript.started['protocol']['name']} has no judge to replace")
    sitting = judges[0]
    typed = [pair for pair in seat or () if pair.partition("=")[0] != sitting]
    typed += [f"{name}={judge}" for name in judges if not any(pair.partition("=")[0] == name for pair in typed)]
    agents, named = _agents({**transcript.started, "roles": roles}, typed, bound, config, some=True)
    others = {name: agent for name, agent in agents.items() if name != sitting}
    given: dict[str, Any] = {"seats": others, "stale": stale, "fsync": fsync, "upto": upto, "live": live or (), "flip": flip,
                             "procedure": parts}  # fmt: skip
    plays = [(seed, out)]
    if repetitions > 1:
        first = transcript.seed if seed is None else seed
        plays = [(each, out.with_name(f"{out.stem}-{each}{out.suffix}")) for each in range(first, first + repetitions)]
        if taken := [path for _, path in plays if path.exists()]:
            raise UsageError(f"{taken[0]} exists already; take another name, or other seeds")
    undecided: typer.Exit | None = None
    for index, (each, path) in enumerate(plays):
        with interruptible(path, named):
            play = told_of_cap(rejudge_now(transcript, agents[judges[0]], out=path, seed=each, **given), named)
        try:
            report(play, json)
        except typer.Exit as error:
            undecided = error
        if cap is not None and cap.refused:
            if left := len(plays) - index - 1:
                complain(f"{left} more were not begun, from --seed {plays[index + 1][0]} on")
            break
    if undecided is not None:
        raise undecided


def _paying(context: typer.Context, prices: Path | None, most: float | None) -> Cap | None:
    """Have prices and a cap in force until the command ends; the cap."""
    from moot.agents.money.cap import Cap
    from moot.agents.money.price_file import using

    context.with_resource(using(prices))
    return None if most is None else context.with_resource(Cap(most))


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
