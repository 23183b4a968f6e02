"""What debate reaches with a seat that is right on smaller questions, and what without: measured, in one table and one picture.
Rule: figures of the exchange between "debate accesses R" and "its trees are polynomial"; witnesses are in `classes/exchange.py`.

Hubinger 2020, Alignment proposals and complexity classes; Irving, Christiano and Amodei 2018 (arXiv 1805.00899)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from moot.complexity.polynomial import Polynomial
from moot.experiments.classes.exchange import BEAVER, Instance, reads
from moot.experiments.statistics.report import Report, Row
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.outcomes import Decided
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.tasks.arithmetic.primes import first_prime
from moot.tasks.base import Task, task_named
from moot.tasks.extras import needed
from moot.tasks.machines.turing_machines import runs
from moot.training.below import debate_of, posed, train_below, winner
from moot.training.learners import Tabular

COLOURS = {"halt-a": "a", "halt-b": "b", "halt-c": "c"}
FOR_EVER: dict[str, Any] = {
    "start": "go", "length": 1, "input": ["0"], "halted": COLOURS,
    "delta": {"go,0": ["back", "0", 1], "back,_": ["go", "_", -1]},
}  # fmt: skip
"""A machine that walks from one cell to the next and back, for ever."""
IN_TWO: dict[str, Any] = {**FOR_EVER, "delta": {"go,0": ["back", "0", 1], "back,_": ["halt-b", "_", -1]}}
"""The same machine, halting instead of going on."""


@dataclass(frozen=True)
class Line:
    """A circuit of 2^k gates in a row, each of which copies the one before. depth: claims on the line of the debate that the
    judge reads to the end; line: what reading all of it costs; budget: the judge's polynomial at this n; holds: whether the
    play within that budget carries a guarantee; below: what the judge reads where "below" settles the first part."""

    k: int
    depth: int
    line: int
    budget: int
    holds: bool
    because: str
    below: int


@dataclass(frozen=True)
class Halts:
    """Machines that count a number of n bits down. steps: of the longest run; used, budget: of the judge; right of plays."""

    n: int
    steps: int
    used: int
    budget: int
    right: int
    plays: int


@dataclass(frozen=True)
class Course:
    """A training run: what it is called, and the share of questions answered rightly (of a machine that never halts:
    answered at all) before it and after each round."""

    name: str
    questions: int
    shares: tuple[float, ...]
    debates: int
    settled: bool


@dataclass(frozen=True)
class Measured:
    """All figures. settled: the judge's budget in debates about gates that "below" settles. beaver: steps of the machine, the
    judge's reads and budget. premise: as `premise` gives it. fixed: by machine, as `fixed` gives it."""

    lines: tuple[Line, ...]
    settled: int
    halts: tuple[Halts, ...]
    beaver: tuple[int, int, int]
    premise: tuple[int, int, int]
    courses: tuple[Course, ...]
    fixed: Mapping[str, tuple[int, int]]


def reproduce(
    seed: int = 0, depths: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8), bits: tuple[int, ...] = (1, 2, 3, 4, 5), time: int = 15,
    picture: Path | str | None = None,
) -> Report:  # fmt: skip
    """What each half of the exchange says, run. depths: k, of circuits of 2^k gates in a row; bits: n, of machines that halt;
    time: steps of the machine whose tableau is learned. picture: where to write a PNG of it all. UsageError on numbers below 1."""
    if not (depths and bits and min(*depths, *bits, time) >= 1):
        raise UsageError(f"debate-and-r: depths {depths}, bits {bits} and time {time}; give numbers from 1 on")
    if picture is not None:  # said before anything is measured
        needed("a picture needs", "matplotlib.figure", "plot")
        if not (folder := Path(picture).absolute().parent).is_dir():
            raise UsageError(f"the picture cannot be written to {picture}: there is no folder {folder}")
    found = measure(seed, depths, bits, time)
    if picture is not None:
        draw(found, picture)
    return report(found, {"seed": seed, "time": time})


def measure(seed: int, depths: tuple[int, ...], bits: tuple[int, ...], time: int) -> Measured:
    """All figures, anew."""
    small = [Instance(task_named("halting"), data, "run") for data in (IN_TWO, FOR_EVER)]
    beaver = Instance(task_named("halting"), BEAVER, "run")
    names = "halts after 2 steps", "never halts"
    return Measured(
        lines=tuple(map(line, depths)),
        settled=_budget(task_named("circuit"), max(depths)),
        halts=tuple(halts(n, seed) for n in bits),
        beaver=(len(beaver.graph) - 2, reads(beaver), _budget(beaver.task, 1)),
        premise=premise(seed),
        courses=tuple(courses(seed, time)),
        fixed={name: fixed(each) for name, each in zip(names, small, strict=True)},
    )


def report(found: Measured, settings: dict[str, Any]) -> Report:
    """The figures as a table."""
    last = found.lines[-1]
    rows = [
        Row(
            name=f"a line of {each.depth} claims, n = {each.k}: reads", measured=each.line, published=f"p(n) = {each.budget}",
            holds=each.holds == (each.line <= each.budget),
            note="guaranteed" if each.holds else f"refused: {each.because}",
        )
        for each in found.lines
    ]  # fmt: skip
    most = max(each.below for each in found.lines)
    rows.append(Row(
        name=f"settled below instead, up to n = {last.k}", measured=most, published=f"p(n) = {found.settled}",
        holds=most <= found.settled, note="one round: the claim, its parts, one step of the rule",
    ))  # fmt: skip
    rows += [
        Row(
            name=f"a machine of {each.steps:,} steps, n = {each.n}: reads", measured=each.used,
            published=f"p(n) = {each.budget}", count=each.plays, holds=each.used <= each.budget and each.right == each.plays,
            note=f"settled below, through pointers; right {each.right} of {each.plays}",
        )
        for each in found.halts
    ]  # fmt: skip
    steps, used, budget = found.beaver
    rows.append(Row(
        name=f"any configuration of the busy beaver, {steps} steps", measured=used, published=f"p(n) = {budget}",
        holds=used <= budget, note="four states, two symbols",
    ))  # fmt: skip
    right, spoiled, gates = found.premise
    rows += [
        Row.share("truth wins, right below and wrong elsewhere", right, gates, published=1.0, holds=right == gates),
        Row.share("truth wins, one deciding part wrong below", spoiled, gates, published=0.0, holds=spoiled == 0,
                  note="the premise is needed"),
    ]  # fmt: skip
    for each in found.courses:
        never = each.name.endswith("never halts")
        rounds = len(each.shares) - 2 if each.settled else len(each.shares) - 1
        rows.append(Row(
            name=f"{each.name}: share {'answered' if never else 'right'}", measured=each.shares[-1], published=0.0 if never else 1.0,
            count=each.questions, holds=each.settled and each.shares[-1] == (0.0 if never else 1.0),
            note=f"{each.shares[0]:g} before; rounds until nothing changes: {rounds}; {each.debates:,} debates held",
        ))  # fmt: skip
    for name, (count, models) in found.fixed.items():
        wanted = 4 if name.startswith("never") else 1
        rows.append(Row(name=f"fixed points of T, machine that {name}", measured=count, published=wanted, holds=count == wanted,
                        note=f"of all {models} models of its questions"))  # fmt: skip
    return Report(
        title="Debate and R", rows=tuple(rows), settings=settings,
        source="Hubinger 2020, Alignment proposals and complexity classes; Irving, Christiano and Amodei 2018",
        notes=(
            "lines: recursive debates about 2^n gates in a row, whose judge reads every claim of the line. published: the "
            "polynomial that its reads must stay within. holds: the guarantee is refused where they do not, and nowhere else.",
            "settled below: the seat \"below\" answers the part that is disputed, and the judge takes one step. That it is right "
            "on smaller questions is assumed (right-below), and worked out by a program in these plays.",
            "training: the seat below learns who won the debates that it settled itself. The truth grades it afterwards, and "
            "has no other part.",
            "a run that never halts: T leaves every model alone that gives all configurations one answer; which, nobody says.",
        ),
    )  # fmt: skip


# -- what is measured --------------------------------------------------------------------------------------------------


def line(k: int) -> Line:
    """The debate about the last of 2^k gates in a row, read to the end, within the judge's polynomial, and settled below."""
    task = task_named("circuit")
    data = {"k": k, "p": first_prime(4**k), "type": [0, 0], "near": [0, 0], "far": [0, 0]}
    sample = task.pose(data, f"gate({2**k - 1})", Random(0), true_first=False)
    programs, played = task.programs(), []
    for limit in (None, task.bound("recursive-debate")):
        judge = programs["checks-line"]() if limit is None else Bounded(programs["checks-line"](), reads=limit)
        seats = {"a": programs["objecting"](), "b": programs["objecting"](), "judge": judge}
        played.append(run(RecursiveDebate(depth=2**k + 1, objections=1), sample, seats))
    whole, within = played
    made, staged = task.staged("decomposition-debate", sample)
    below = run(made, sample, staged)
    assert isinstance(whole.outcome, Decided) and whole.outcome.verdict.choice == sample.unseal()
    return Line(
        k, sum(step.move["kind"] == "assertion" for step in whole.steps()), _spent(whole), _at(task.bound("recursive-debate"), k),
        within.guarantee.holds, within.guarantee.because, _spent(below),
    )  # fmt: skip


def halts(n: int, seed: int, plays: int = 4) -> Halts:
    """Debates about machines that halt, settled by a seat that works out the truth: what the judge reads, and who wins."""
    task, steps, used, right = task_named("halting"), 0, 0, 0
    for play in range(plays):
        sample = task.sample(n, seed + play)
        made, seats = task.staged(debate_of(task).name, sample)
        transcript = run(made, sample, seats)
        outcome = transcript.outcome
        right += isinstance(outcome, Decided) and outcome.verdict.choice == sample.unseal()
        used = max(used, _spent(transcript))
        steps = max(steps, _steps(sample.question.data))
    return Halts(n, steps, used, _budget(task, n), right, plays)


def premise(seed: int) -> tuple[int, int, int]:
    """Of a circuit of 2^7 gates: how many debates about a gate the truth wins where "below" is right on its inputs alone, how
    many where it errs on one that decides, and about how many gates."""
    task = task_named("circuit")
    sample = task.sample(7, seed)
    each = Instance(task, sample.question.data, sample.question.text)
    texts = [text for text in each.graph if each.spoiled(text) != each.right_below(text)]
    won = [
        [winner(task, each.questions[text], model(text)) == each.true[text] for text in texts]
        for model in (each.right_below, each.spoiled)
    ]
    return sum(won[0]), sum(won[1]), len(texts)


def courses(seed: int, time: int) -> list[Course]:
    """Training of the seat below on winners, from nothing and from wrong answers; the truth grades it and has no other part."""
    tableau, halting = task_named("tableau"), task_named("halting")
    data: Any = tableau.sample(time, seed).question.data
    cells = _tableau(tableau, data)
    true = {text: tableau.truth(data, text) for text in cells}
    lies = {text: next(each for each in question.choices if each != true[text]) for text, question in cells.items()}
    run_of = Instance(halting, halting.sample(2, seed).question.data, "run")
    never = Instance(halting, FOR_EVER, "run")
    return [
        _course("tableau, from nothing", tableau, cells, true),
        _course("tableau, from wrong answers", tableau, cells, true, start=lies),
        _course("tableau, smaller questions first", tableau, cells, true, batch=1),
        _course("a run that halts", halting, run_of.questions, run_of.true),
        _course("a run that never halts", halting, never.questions, None),
    ]


def _course(
    name: str, task: Task, questions: Mapping[str, Any], true: Mapping[str, str] | None, start: Mapping[str, str] | None = None,
    batch: int | None = None,
) -> Course:  # fmt: skip
    learner, texts = Tabular(), [*questions]
    learner.train([*(start or {})], [*(start or {}).values()])
    answers = [dict(zip(texts, learner.predict(texts), strict=True))]
    done = list(train_below(task, questions, learner, len(texts) + 1, batch))
    answers += [dict(each.answers) for each in done]
    right = [sum(said == true[text] if true else said != UNKNOWN for text, said in each.items()) for each in answers]
    return Course(name, len(texts), tuple(each / len(texts) for each in right), done[-1].debates, not done[-1].changed)


def fixed(instance: Instance) -> tuple[int, int]:
    """How many models of all, "?" among their answers, a round of debates about every question leaves as they are."""
    texts = [*instance.graph]
    domain = (*instance.domain("run"), UNKNOWN)
    found = 0
    for answers in product(domain, repeat=len(texts)):
        model = dict(zip(texts, answers, strict=True))
        found += all(winner(instance.task, instance.questions[text], model) == model[text] for text in texts)
    return found, len(domain) ** len(texts)


def _tableau(task: Task, data: Any) -> dict[str, Any]:
    """Every question about a tableau, earlier steps first."""
    domain = Instance(task, data, "p").domain
    return {text: posed(task, data, text, domain(text)) for text in reversed([*task.questions(data)])}


def _steps(data: Any) -> int:
    return next(steps for steps, (state, _, _) in enumerate(runs(data)) if state in data["halted"])


def _spent(transcript: Any) -> int:
    return int(transcript.ledger.spent("judge", "reads") or 0)


def _at(bound: str, n: int) -> int:
    return int(Polynomial.parse(bound)(n))


def _budget(task: Task, n: int) -> int:
    return _at(task.bound(debate_of(task).name), n)


# -- the picture -------------------------------------------------------------------------------------------------------

READ, ALLOWED, GROWS, WRONG = "#1f5fa8", "#3a8f5c", "0.55", "#c0392b"


def draw(found: Measured, path: Path | str) -> None:
    """Write a PNG of the figures. UsageError without matplotlib (the extra `plot`), or where it cannot be written."""
    figure = needed("a picture needs", "matplotlib.figure", "plot").Figure(figsize=(11, 8), layout="constrained")
    needed("a picture needs", "matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    (lines, machines), (training, points) = figure.subplots(2, 2)
    _draw_lines(lines, found)
    _draw_machines(machines, found)
    _draw_training(training, found)
    _draw_fixed(points, found)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise UsageError(f"the picture cannot be written to {path}: {error}") from None


def _draw_lines(axes: Any, found: Measured) -> None:
    depths = [each.depth for each in found.lines]
    axes.plot(depths, [each.line for each in found.lines], color=GROWS, linewidth=1.2, zorder=1)
    for holds, marker, colour, label in (
        (True, "o", READ, "reading the line: guaranteed"), (False, "X", WRONG, "reading the line: refused"),
    ):  # fmt: skip
        kept = [each for each in found.lines if each.holds == holds]
        axes.scatter(
            [each.depth for each in kept], [each.line for each in kept], s=55, marker=marker, color=colour, label=label
        )
    axes.plot(depths, [each.budget for each in found.lines], "--", color=ALLOWED, label="p(n), what the judge may read")
    axes.plot(
        depths, [each.below for each in found.lines], "s-", color=READ, markersize=4, label="settled below: one round"
    )
    axes.set(xscale="log", yscale="log", ylim=(5, None), xlabel="claims on the line, d = 2ⁿ − 2", ylabel="cells that the judge reads",
             title="A line that is too long to read is refused")  # fmt: skip
    axes.legend(frameon=False, fontsize=9)


def _draw_machines(axes: Any, found: Measured) -> None:
    bits = [each.n for each in found.halts]
    axes.plot(bits, [each.steps for each in found.halts], "^-", color=GROWS, label="steps until the machine halts")
    axes.plot(bits, [each.budget for each in found.halts], "--", color=ALLOWED, label="p(n), what the judge may read")
    axes.plot(
        bits,
        [each.used for each in found.halts],
        "s-",
        color=READ,
        markersize=4,
        label="what it reads, all verdicts right",
    )
    axes.set(yscale="log", ylim=(4, None), xlabel="n, bits of the number that the machine counts down", ylabel="steps, and cells that the judge reads", xticks=bits,
             title="R, if the seat below is right on smaller questions")  # fmt: skip
    axes.legend(frameon=False, fontsize=9)


def _draw_training(axes: Any, found: Measured) -> None:
    longest = max(len(each.shares) for each in found.courses) - 1
    styles = ((READ, "o-"), (ALLOWED, "s-"), ("#8e5ea2", "D-"), (GROWS, "^-"), (WRONG, "x-"))
    for each, (colour, style) in zip(found.courses, styles, strict=True):
        shares = [*each.shares, *each.shares[-1:] * (longest + 1 - len(each.shares))]
        axes.plot(range(longest + 1), shares, style, color=colour, markersize=4, linewidth=1.3, label=each.name)
    axes.set(xlabel="rounds, each with one debate on every question", ylabel="share right (never halts: share answered)",
             ylim=(-0.04, 1.04), title="Training on winners, without any truth")  # fmt: skip
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.05))


def _draw_fixed(axes: Any, found: Measured) -> None:
    names, counts = [*found.fixed], [count for count, _ in found.fixed.values()]
    bars = axes.barh(names, counts, color=[READ, WRONG], height=0.5)
    told = ("the truth", "one for each answer")
    axes.bar_label(bars, [f"{count} of {models} models: {what}" for (count, models), what in
                          zip(found.fixed.values(), told, strict=True)], padding=6, fontsize=9)  # fmt: skip
    axes.set(
        xlim=(0, 9.5),
        xticks=range(5),
        xlabel="models that training leaves as they are",
        title="What the training signal pins down",
    )
    axes.invert_yaxis()
    axes.margins(y=0.4)
