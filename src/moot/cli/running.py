"""`moot run`: one question, or a set of them.

Rule of this file: it takes the options apart; what they mean is `plan`'s, many plays are `batch`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli import frame
from moot.cli.plan import Plan, fields_from, placed, plan, read_config, sample_from, seated, seed_of_play
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.agents.kinds import Profile
    from moot.agents.money.price_file import PriceFile
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.question import Sample
    from moot.transcripts.transcript import Transcript


def run(
    context: typer.Context,
    protocol: Annotated[str | None, typer.Option(
        "--protocol", "-P", metavar="NAME", help="debate, consultancy, … or module:Class.")] = None,
    param: Annotated[list[str] | None, typer.Option(
        "-p", "--param", metavar="KEY=VALUE", help="A parameter: rounds=3, limit.words=150.")] = None,
    question: Annotated[str | None, typer.Option("--question", "-q", metavar="TEXT", help="What is asked.")] = None,
    choice: Annotated[list[str] | None, typer.Option(
        "--choice", "-c", metavar="TEXT", help="An answer; give two or more.")] = None,
    truth: Annotated[int | None, typer.Option(
        "--truth", metavar="I", help="Index of the true choice, for scoring only.")] = None,
    passage: Annotated[Path | None, typer.Option(
        "--passage", metavar="FILE", help="Source text (UTF-8) that debaters may read.")] = None,
    image: Annotated[list[Path] | None, typer.Option(
        "--image", metavar="FILE", help="An image that debaters may see (PNG, JPEG, WebP, GIF).")] = None,
    data: Annotated[Path | None, typer.Option(
        "--data", metavar="FILE", help="Source in JSON (the integers of a sum, …); with --task, a file that it reads.")] = None,
    size: Annotated[int | None, typer.Option(
        "--size", metavar="N", help="The n of all budgets (default: the words of the question); how large a --task is.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="What one unit of reading is.")] = None,
    many: Annotated[str | None, typer.Option(
        "--set", metavar="FILE", help="Many questions: a .jsonl, .csv, .tsv or .parquet file, or `passages` (built in).")] = None,
    field: Annotated[list[str] | None, typer.Option(
        "--field", metavar="FIELD=COLUMN", help="Which column of --set is what: text=question, choices=A,B, truth='label as letter'.")] = None,
    grade: Annotated[str | None, typer.Option(
        "--grade", metavar="CHECKER", help="What grades the answers of --set: exact, math, code or module:function.")] = None,
    task: Annotated[str | None, typer.Option(
        "--task", metavar="NAME", help="A question whose truth is computed, of size --size (moot tasks).")] = None,
    seat: frame.Seats = None,
    bound: frame.Bounds = None,
    seed: Annotated[int | None, typer.Option(
        "--seed", metavar="N", help="Decides every coin, and the instance of a --task; 0 unless given.")] = None,
    out: Annotated[Path | None, typer.Option(
        "-o", "--out", metavar="PATH", help="The transcript, and its truth beside it; with --set, a folder.")] = None,
    config: frame.Config = None,
    fsync: frame.Fsync = "ended",
    jobs: Annotated[int | None, typer.Option(
        "--jobs", "-j", min=1, metavar="N", help="Plays at the same time (with --set); 4, or with --batch all.")] = None,
    batch: Annotated[bool, typer.Option(
        "--batch", help="Send the model calls of all plays in waves, as the provider's batch files (with --set).")] = False,
    limit: Annotated[int | None, typer.Option(
        "--limit", min=1, metavar="N",
        help="Only the first N questions of the set; with --task, N instances, seeds counting up.")] = None,
    both: Annotated[bool, typer.Option(
        "--both-seatings", help="Play twice, the second time with the answers of the seats reversed.")] = False,
    prices: frame.Prices = None,
    max_cost: frame.MaxCost = None,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="Print the most calls, tokens and money this can take, and what to expect, and call nobody.")] = False,
    like: Annotated[Path | None, typer.Option(
        "--like", metavar="FOLDER", help="With --dry-run: transcripts of such plays, which tell what to expect.")] = None,
    expect: Annotated[list[str] | None, typer.Option(
        "--expect", metavar="KEY=N", help="With --dry-run: [SEAT.]words=N, of a statement; cached=SHARE, of the prompts.")] = None,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Play a protocol on a question, a set of questions, or instances of a task, and record every play."""
    from moot.agents.money.price_file import using

    file = context.with_resource(using(prices))
    if not dry_run:
        _exclusive("--dry-run", "it says what to expect", " without it", like=like, expect=expect)
    planned = replace(
        plan(protocol, param or (), seat or (), bound or (), seed, config), fsync=fsync, max_cost=max_cost
    )
    if many is None and (field or grade is not None):
        raise UsageError(f"--{'field' if field else 'grade'} is for the columns of --set FILE")
    if task is not None:
        from moot.cli.tasking import DEFAULT_SIZE, cast
        from moot.tasks.base import task_named

        made = "--task", "the task makes the question"
        _exclusive(*made, choice=choice, truth=truth, passage=passage, image=image, unit=unit, set=many)
        if data is not None:
            _exclusive(*made, " with --data", size=size, limit=limit)
            samples = [task_named(task).read(data, question, planned.protocol.name)]
        else:
            _exclusive(*made, question=question)
            size = DEFAULT_SIZE if size is None else size
            samples = [task_named(task).sample(size, planned.seed + index) for index in range(limit or 1)]
        planned = cast(planned, task, samples)
        many = task if limit is not None else None
        if many is None and data is None:
            planned = replace(planned, seed=seed_of_play(planned.seed, samples[0].question))
    elif many is None:
        if limit is not None:
            raise UsageError("--limit is for --set and --task")
        samples = [sample_from(question, choice or (), truth, passage, data, size, unit, image or ())]
    else:
        _exclusive("--set", "the set holds the questions", question=question, choice=choice, truth=truth, passage=passage,
                   image=image, data=data, size=size, unit=unit)  # fmt: skip
        samples = samples_of(many, fields_from(field or (), read_config(config)), grade, limit)
    protocols = seatings(planned.protocol) if both else [planned.protocol]
    if planned.seats or not dry_run:
        roles = {seat: role for each in samples for seat, role in planned.protocol.roles(each.question).items()}
        seats, bounds = placed(roles, planned.seats, planned.bounds, planned.protocol.name)
        planned = replace(planned, seats=seats, bounds=bounds)
    if dry_run:
        from moot.cli.estimate import estimate, estimate_text, profiles
        from moot.cli.expect import Expected

        agents = profiles(planned.seats, planned.bounds, planned.config)
        expected = Expected.given(like, expect or (), agents).bill(protocols, samples, agents)
        bill = estimate(protocols, samples, agents, planned.max_cost)
        frame.tell_json({**bill, "expected": expected}) if json else frame.tell(estimate_text(bill, expected), end="")
        _notes(file, prices, agents)
        return
    if many is not None:
        from moot.cli.batch import play_set

        if out is None:
            raise UsageError("many questions make one transcript each: give a folder for them, -o DIR")
        raise typer.Exit(play_set(planned, protocols, samples, out, jobs, json, batch))
    if batch:
        raise UsageError("--batch is for --set, or --task with --limit: one play alone has nothing to wait for")
    if max_cost is not None:
        from moot.agents.money.cap import Cap

        context.with_resource(Cap(max_cost))
    path = out or Path("runs") / f"{planned.protocol.name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    if not both:
        frame.report(play_one(planned, planned.protocol, samples[0], path), json)
        return
    second = path.with_name(f"{path.stem}.swapped{path.suffix}")
    for each in (path, second):
        if each.exists():
            raise UsageError(f"{each} exists already; take another name for -o")
    first, swapped = (play_one(planned, each, samples[0], p) for each, p in zip(protocols, (path, second), strict=True))
    report_both(first, swapped, json)


def _notes(file: PriceFile | None, named: Path | None, agents: Mapping[str, Profile]) -> None:
    """Tell what in a price file nobody uses, where it was named, and which model has no price in it."""
    if file is not None:
        found = file.notes({(each.model, each.url) for agent in agents.values() for each in agent.models})
        for note in found if named is not None else [each for each in found if "did you mean" in each]:
            frame.say(f"note: {note}")


def _exclusive(option: str, why: str, when: str = "", **others: object) -> None:
    """Raise UsageError where another option was given beside `option`."""
    if clash := next((name for name, value in others.items() if value is not None), None):
        raise UsageError(f"--{clash} and {option} exclude each other{when}: {why}")


def seatings(protocol: Protocol) -> list[Protocol]:
    """The protocol with each debater on the choice of its place, and reversed. UsageError where it knows no `swap`."""
    if "swap" not in type(protocol).model_fields or not protocol.symmetric:
        raise UsageError(f"--both-seatings: protocol {protocol.name} has no seats to swap; debate has")
    return [protocol.model_copy(update={"swap": swap}) for swap in (False, True)]


def samples_of(
    name: str, fields: Mapping[str, Any] | None = None, grade: str | None = None, limit: int | None = None
) -> list[Sample]:
    """The built-in questions ("passages", or "passages:ID" for one passage), or those of a file."""
    if name == "passages" or name.startswith("passages:"):
        from moot.tasks.reading.reading import samples

        if fields is not None or grade is not None:
            raise UsageError("--field and --grade are for the columns of a file; passages have none")
        return samples(name.partition(":")[2] or None)[:limit]
    from moot.tasks.sets.questions import questions

    return questions(Path(name), fields=fields, grade=grade, limit=limit)


def play_one(planned: Plan, protocol: Protocol, sample: Sample, path: Path) -> Transcript:
    """Play one question, telling on stderr who speaks. Raises frame.Interrupted, with what was kept, on Ctrl-C."""
    from moot.play.run import run as run_play

    agents = watched(planned.seats, planned.bounds, planned.config)
    with interruptible(path, planned.seats):
        transcript = run_play(protocol, sample, agents, seed=planned.seed, out=path, fsync=planned.fsync)
    return told_of_cap(transcript, planned.seats)


def told_of_cap(transcript: Transcript, seats: Mapping[str, str]) -> Transcript:
    """The transcript; where its play stopped at a cap, that is told, and how to go on."""
    from moot.agents.money.cap import in_force

    if transcript.outcome is None and (cap := in_force()) is not None and cap.refused:
        again = " ".join(f"--seat {seat}={spec}" for seat, spec in seats.items())
        frame.complain(
            f"stopped at the cap: {cap.refused}; go on with: moot resume {transcript.path} {again} --max-cost MORE"
        )
    return transcript


def watched(seats: Mapping[str, str], bounds: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Agents in their seats, inside their bounds, who are told of on stderr when they speak."""
    from moot.agents.people.human import has_person
    from moot.studies.watch import Watched, narrator

    agents = seated(seats, bounds, config)
    told = narrator(blind=any(map(has_person, agents.values())))
    return {seat: Watched(agent, told) for seat, agent in agents.items()}


@contextmanager
def interruptible(path: Path, seats: Mapping[str, str]) -> Iterator[None]:
    """Ctrl-C becomes frame.Interrupted, with what is kept at `path` and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if not path.exists():
            raise frame.Interrupted("interrupted before anything was said") from None
        count = sum(line[:16] == b'{"event":"moved"' for line in path.read_bytes().splitlines())
        again = " ".join(f"--seat {seat}={spec}" for seat, spec in seats.items())
        said = f"interrupted; all that was said is kept ({count} moves)"
        raise frame.Interrupted(f"{said}; go on with: moot resume {path} {again}") from None


def report_both(first: Transcript, second: Transcript, json: bool) -> None:
    """Print both seatings side by side: the belief over both, and what the answer of seat a gains from its seat.

    Both are None unless both seatings were decided.
    """
    from moot.complexity.spending import percent
    from moot.protocols.engine.outcomes import Decided
    from moot.protocols.text import one_line
    from moot.studies.tally import seat_gain
    from moot.transcripts.display.words import ending, scored

    one, two = first.outcome, second.outcome
    effect: dict[str, Any] = {"mean": None, "first_seat": None}
    if isinstance(one, Decided) and isinstance(two, Decided):
        p, q = one.verdict.probabilities, two.verdict.probabilities
        effect = {"mean": [(x + y) / 2 for x, y in zip(p, q, strict=True)], "first_seat": seat_gain(p, q)}
    if json:
        frame.tell_json({"seatings": [frame.brief_of(first), frame.brief_of(second)], **effect})
    else:
        for title, each in (("as given", first), ("swapped", second)):
            frame.tell(f"{title}: {ending(each)}")
            for choice, belief in frame.beliefs(each):
                frame.tell(f"  {percent(belief):>6}  {one_line(choice, 80)}")
            for line in scored(each):
                frame.tell(f"  {line}")
            frame.tell(f"  moot show {each.path}")
        if effect["mean"] is not None:
            means = zip(effect["mean"], first.question.choices, strict=False)
            frame.tell(
                "over both seatings: " + ", ".join(f"{percent(p)} {one_line(choice, 40)}" for p, choice in means)
            )
            frame.tell(f"seat a gains {effect['first_seat']:+.3f} over an even share, whatever it defends")
        else:
            frame.complain("one of the seatings was not decided, so they cannot be compared")
    if effect["mean"] is None:
        raise typer.Exit(frame.UNDECIDED)
