"""`moot run`: one question, or a set of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli.frame import UNDECIDED, Bounds, Config, Interrupted, Json, Seats, report, say, tell, tell_json
from moot.cli.plan import Plan, plan, sample_from, seated, settle
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.question import Sample
    from moot.transcripts.transcript import Transcript


def run(
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-P", metavar="NAME", help="debate, consultancy, … or module:Class.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter: rounds=3, limit.words=150."),
    ] = None,
    question: Annotated[str | None, typer.Option("--question", "-q", metavar="TEXT", help="What is asked.")] = None,
    choice: Annotated[
        list[str] | None, typer.Option("--choice", "-c", metavar="TEXT", help="An answer; give two or more.")
    ] = None,
    truth: Annotated[
        int | None, typer.Option("--truth", metavar="I", help="Index of the true choice, for scoring only.")
    ] = None,
    passage: Annotated[
        Path | None, typer.Option("--passage", metavar="FILE", help="Source text (UTF-8) that debaters may read.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Source in JSON (the integers of a sum, …); with --task, a file that it reads.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            help="The n of all budgets (default: the words of the question); how large a --task is.",
        ),
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="What one unit of reading is.")] = None,
    many: Annotated[
        str | None,
        typer.Option("--set", metavar="FILE", help="Many questions: a .jsonl file, or `passages` (built in)."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="A question whose truth is computed, of size --size (moot tasks)."),
    ] = None,
    seat: Seats = None,
    bound: Bounds = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Decides every coin, and the instance of a --task; 0 unless given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="PATH", help="The transcript; with --set, a folder.")
    ] = None,
    config: Config = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Plays at the same time (with --set).")
    ] = 4,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help="Only the first N questions of the set; with --task, N instances, seeds counting up.",
        ),
    ] = None,
    both: Annotated[
        bool,
        typer.Option("--both-seatings", help="Play twice, the second time with the answers of the seats reversed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the most calls and tokens this can take, and call nobody.")
    ] = False,
    json: Json = False,
) -> None:
    """Play a protocol on a question, a set of questions, or instances of a task, and record every play."""
    planned = plan(protocol, param or (), seat or (), bound or (), seed, config)
    if task is not None:
        from moot.cli.tasking import cast, sample_in_file, samples_of_task

        given = {"--choice": choice, "--truth": truth, "--passage": passage, "--unit": unit, "--set": many,
                 "--question": question if data is None else None,
                 "--size": None if data is None else size, "--limit": None if data is None else limit}  # fmt: skip
        if clash := next((name for name, value in given.items() if value is not None), None):
            raise UsageError(f"{clash} and --task exclude each other{' with --data' * (clash in ('--size', '--limit'))}: "
                             "the task makes the question")  # fmt: skip
        if data is not None:
            samples = [sample_in_file(task, data, question, planned.protocol.name)]
        else:
            samples = samples_of_task(task, size, planned.seed, limit or 1)
        planned = cast(planned, task, samples)
        many = task if limit is not None else None
    elif many is None:
        if limit is not None:
            raise UsageError("--limit is for --set and --task")
        samples = [sample_from(question, choice or (), truth, passage, data, size, unit)]
    else:
        given = {"--question": question, "--choice": choice, "--truth": truth, "--passage": passage, "--data": data,
                 "--size": size, "--unit": unit}  # fmt: skip
        if clash := next((name for name, value in given.items() if value is not None), None):
            raise UsageError(f"{clash} and --set exclude each other: the set holds the questions")
        samples = samples_of(many)[:limit]
    protocols = seatings(planned.protocol) if both else [planned.protocol]
    if dry_run:
        from moot.cli.estimate import estimate, estimate_text, profiles

        if planned.seats:
            planned = settle(planned, [sample.question for sample in samples])
        bill = estimate(protocols, samples, profiles(planned.seats, planned.bounds, planned.config))
        tell_json(bill) if json else tell(estimate_text(bill), end="")
        return
    planned = settle(planned, [sample.question for sample in samples])
    if many is not None:
        from moot.cli.batch import play_set

        if out is None:
            raise UsageError("many questions make one transcript each: give a folder for them, -o DIR")
        raise typer.Exit(play_set(planned, protocols, samples, out, jobs, json))
    path = out or Path("runs") / f"{planned.protocol.name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    if path.suffix == ".zst":
        raise UsageError(f"-o {path}: a play is recorded as .jsonl; seal it afterwards: moot seal")
    if path.is_dir():
        raise UsageError(f"-o {path} is a folder; name the transcript: -o {path / 'd.jsonl'}")
    if not both:
        report(play_one(planned, planned.protocol, samples[0], path), json)
        return
    second = path.with_name(f"{path.stem}.swapped{path.suffix}")
    for each in (path, second):
        if each.exists():
            raise UsageError(f"{each} exists already; take another name for -o")
    first, swapped = (play_one(planned, each, samples[0], p) for each, p in zip(protocols, (path, second), strict=True))
    report_both(first, swapped, json)


def seatings(protocol: Protocol) -> list[Protocol]:
    """The protocol with each debater on the choice of its place, and reversed. UsageError where it knows no `swap`."""
    if "swap" not in type(protocol).model_fields or not protocol.symmetric:
        raise UsageError(f"--both-seatings: protocol {protocol.name} has no seats to swap; debate has")
    return [protocol.model_copy(update={"swap": swap}) for swap in (False, True)]


def samples_of(name: str) -> list[Sample]:
    """The built-in questions ("passages", or "passages:ID" for one passage), or those of a file."""
    from moot.tasks.reading.reading import load_set, samples

    if name == "passages" or name.startswith("passages:"):
        return samples(name.partition(":")[2] or None)
    return load_set(Path(name))


def play_one(planned: Plan, protocol: Protocol, sample: Sample, path: Path) -> Transcript:
    """Play one question, telling on stderr who speaks. Raises Interrupted, with what was kept, on Ctrl-C."""
    from moot.cli.watch import Watched, narrator
    from moot.play.driver import run as run_play

    agents = seated(planned.seats, planned.bounds, planned.config)
    told = narrator()
    watched = {seat: Watched(agent, told) for seat, agent in agents.items()}
    try:
        return run_play(protocol, sample, watched, seed=planned.seed, out=path)
    except KeyboardInterrupt:
        raise Interrupted(kept(path, planned.seats)) from None


def kept(path: Path, seats: dict[str, str]) -> str:
    """What an interruption leaves, and how to go on."""
    if not path.exists():
        return "interrupted before anything was said"
    count = sum(line[:16] == b'{"event":"moved"' for line in path.read_bytes().splitlines())
    again = " ".join(f"--seat {seat}={spec}" for seat, spec in seats.items())
    return f"interrupted; all that was said is kept ({count} moves); go on with: moot resume {path} {again}"


def report_both(first: Transcript, second: Transcript, json: bool) -> None:
    """Print both seatings side by side: the belief without the seats' influence, and that influence."""
    from moot.cli.frame import brief_of, safe
    from moot.complexity.spending import percent
    from moot.protocols.engine.outcomes import Decided
    from moot.transcripts.display.words import ending, scored

    effect = seat_effect(first, second)
    if json:
        tell_json({"seatings": [brief_of(first), brief_of(second)], **effect})
    else:
        for title, each in (("as given", first), ("swapped", second)):
            tell(f"{title}: {ending(each)}")
            if isinstance(each.outcome, Decided):
                for choice, belief in zip(each.question.choices, each.outcome.verdict.probabilities, strict=False):
                    tell(f"  {percent(belief):>6}  {safe(choice)[:80]}")
            for line in scored(each):
                tell(f"  {line}")
            tell(f"  moot show {each.path}")
        if effect["mean"] is not None:
            beliefs = ", ".join(
                f"{percent(p)} {safe(c)[:40]}" for p, c in zip(effect["mean"], first.question.choices, strict=False)
            )
            tell(f"over both seatings: {beliefs}")
            tell(f"seat a gains {effect['first_seat']:+.3f} over an even share, whatever it defends")
        else:
            say("moot: one of the seatings was not decided, so they cannot be compared")
    if effect["mean"] is None:
        raise typer.Exit(UNDECIDED)


def seat_effect(first: Transcript, second: Transcript) -> dict[str, Any]:
    """mean: the belief over both seatings. first_seat: what the answer of seat a gets on average, less an even share.

    Both are None unless both seatings were decided.
    """
    from moot.protocols.engine.outcomes import Decided

    one, two = first.outcome, second.outcome
    if not (isinstance(one, Decided) and isinstance(two, Decided)):
        return {"mean": None, "first_seat": None}
    p, q = one.verdict.probabilities, two.verdict.probabilities
    return {"mean": [(x + y) / 2 for x, y in zip(p, q, strict=True)], "first_seat": (p[0] + q[-1]) / 2 - 1 / len(p)}
