"""A market that is trained against the best adversary, where the price stands unless an argument moves it and as published.
Rule: what trainings come to, as a table and a picture; how a market is trained is in `training/market.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.protocols.market.market_making import MarketMaking
from moot.tasks.base import Task, task_named
from moot.tasks.extras import needed
from moot.training.market import Exhibiting, MarketTraining, Round, TabularMarket, wrong_answers

Unmoved = Literal["price", "judge"]
TASKS = (("sum", 16), ("tableau", 5))
NAMES: dict[Unmoved, str] = {"price": "the price stands", "judge": "as published"}
COLOURS = {"price": "#2166ac", "judge": "#d95f02"}
SETTLED = 0.05
"""The gain at which training counts as done: below 1/2, every answer must be true."""


@dataclass(frozen=True)
class Trained:
    """One training. history: what it was worth after each round. wrong: its wrong answers then. honest: what an adversary
    that always argues gains from it at the end."""

    history: tuple[Round, ...]
    wrong: tuple[int, ...]
    honest: float


def trained(task: Task, size: int, seed: int, unmoved: Unmoved, rounds: int, honest: bool = False) -> Trained:
    """Train a market on an instance for so many rounds, against the best adversary or (honest) one that always argues."""
    data = task.data(size, Random(f"{task.name}/{seed}"))
    market = TabularMarket()
    argues = Exhibiting(task, market)
    protocol = MarketMaking(unmoved=unmoved)
    training = MarketTraining(
        task, data, market, seed=seed, protocol=protocol, adversary=argues if honest else None
    )  # fmt: skip
    wrong: list[int] = []
    training.run(rounds, gain=0.0, watch=lambda _: wrong.append(wrong_answers(task, data, market, training.questions)))
    arguing = MarketTraining(task, data, market, protocol=protocol, options=[argues])
    return Trained(tuple(training.history), tuple(wrong), arguing.sweep().gain or 0.0)


def reproduce(
    seed: int = 0, rounds: int = 30, instances: int = 3, tasks: Sequence[tuple[str, int]] = TASKS,
    pictures: Path | str | None = None,
) -> Report:  # fmt: skip
    """Both forms of market making, trained for so many rounds on some instances of each task (name, size). pictures: a folder
    for `market_making.png`. UsageError on other numbers or tasks, and without the extra `plot` for the picture."""
    if rounds < 1 or instances < 1 or not tasks:
        raise UsageError(
            f"market making: {rounds} rounds of {instances} instances of {len(tasks)} tasks; give at least one"
        )
    if pictures is not None:
        _figure(1, 1)
    rows, drawn = list[Row](), dict[str, dict[Unmoved, list[Trained]]]()
    for name, size in tasks:
        task, runs = task_named(name), dict[Unmoved, list[Trained]]()
        for unmoved in NAMES:
            runs[unmoved] = [trained(task, size, seed + index, unmoved, rounds) for index in range(instances)]
        against_honest = [trained(task, size, seed + index, "judge", rounds, True) for index in range(instances)]
        title = f"{name} {size}"
        drawn[title] = runs
        rows += _rows(title, runs, against_honest)
    notes = [
        "Each figure is the worst of the instances, after the last round. The best adversary argues by the rule or says "
        "nothing, whichever gains more; against these markets and this judge no other gains more.",
        f"What is expected is proved in docs/market_making.md: where the best adversary gains less than 1/2 ({SETTLED} is asked "
        'for here), every answer is true; as published, with a judge who answers "?" where nothing moves it, the best gains '
        "1/2 or more from every market.",
    ]
    if pictures is not None:
        notes.append(f"picture: {picture(drawn, Path(pictures) / 'market_making.png')}")
    return Report(
        title="Market making, trained against the best adversary", source="after Hubinger 2020, AI safety via market making",
        rows=tuple(rows), settings={"seed": seed, "rounds": rounds, "instances": instances}, notes=tuple(notes),
    )  # fmt: skip


def _rows(title: str, runs: dict[Unmoved, list[Trained]], against_honest: list[Trained]) -> list[Row]:
    questions = max(run.history[-1].questions for runs_of in runs.values() for run in runs_of)

    def worst(found: list[Trained]) -> tuple[int, int, float]:
        last = [run.history[-1] for run in found]
        return (
            max(each.violations for each in last), max(run.wrong[-1] for run in found),
            max(each.gain or 0.0 for each in last),
        )  # fmt: skip

    def of(name: str, measured: float, expected: float | str, holds: bool) -> Row:
        return Row(name=name, measured=measured, published=expected, holds=holds)

    rows: list[Row] = []
    for unmoved, found in runs.items():
        violated, wrong, gain = worst(found)
        head = f"{title} ({questions} questions), {NAMES[unmoved]}"
        if unmoved == "price":
            rows += [
                of(f"{head}: gain of the best adversary", gain, f"<= {SETTLED}", gain <= SETTLED),
                of("  wrong answers", wrong, 0, wrong == 0), of("  rules violated", violated, 0, violated == 0),
            ]  # fmt: skip
        else:
            rows += [
                of(f"{head}: gain of the best adversary", gain, ">= 0.5", gain >= 0.5),
                of("  wrong answers", wrong, "> 0", wrong > 0), of("  rules violated", violated, "> 0", violated > 0),
            ]  # fmt: skip
    _, wrong, gain = worst(against_honest)
    honest = max(run.honest for run in against_honest)
    return [
        *rows,
        of("  trained where everybody argues: what arguing gains", honest, f"<= {SETTLED}", honest <= SETTLED),
        of("  what saying nothing gains from the same market", gain, ">= 0.5", gain >= 0.5),
    ]  # fmt: skip


# -- the picture --------------------------------------------------------------------------------------------------------


def _figure(width: float, height: float) -> Any:
    figure = needed("a picture needs", "matplotlib.figure", "plot").Figure(
        figsize=(width, height), layout="constrained"
    )
    needed("a picture needs", "matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    return figure


def picture(drawn: dict[str, dict[Unmoved, list[Trained]]], path: Path) -> Path:
    """Write a PNG: over the rounds, what the best adversary gains, wrong answers, and rules violated, a row for each task; a
    line is the mean of the instances, the band around it their range. UsageError where it cannot be written."""
    figure = _figure(11, 3.0 * len(drawn) + 0.7)
    grid = figure.subplots(len(drawn), 3, squeeze=False, sharex=True)
    for row, (title, runs) in zip(grid, drawn.items(), strict=True):
        questions = max(run.history[-1].questions for runs_of in runs.values() for run in runs_of)
        for unmoved, found in runs.items():
            curves: tuple[list[list[float]], ...] = (
                [[each.gain or 0.0 for each in run.history] for run in found], [[*map(float, run.wrong)] for run in found],
                [[float(each.violations) for each in run.history] for run in found],
            )  # fmt: skip
            for axes, lines in zip(row, curves, strict=True):
                _draw(axes, lines, unmoved)
        row[0].axhline(0.5, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        row[0].set(ylim=(-0.02, 1.04), ylabel=f"{title}\n({questions} questions)")
        for axes in row[1:]:
            axes.set_ylim(-0.02 * questions, 1.04 * questions)
    for axes, title in zip(grid[0], ("gain of the best adversary", "wrong answers", "rules violated"), strict=True):
        axes.set_title(title, fontsize=11)
    grid[0][0].text(0.99, 0.51, "below: every answer must be true", transform=grid[0][0].get_yaxis_transform(),
                    ha="right", va="bottom", fontsize=8, color="0.45")  # fmt: skip
    for axes in grid[-1]:
        axes.set_xlabel("rounds of training")
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise UsageError(f"{path}: the picture cannot be written: {error.strerror or error}") from None
    return path


def _draw(axes: Any, lines: list[list[float]], unmoved: Unmoved) -> None:
    rounds = range(len(lines[0]))
    columns = list(zip(*lines, strict=True))
    colour = COLOURS[unmoved]
    label = {"price": "the price stands unless an argument moves it", "judge": "as published"}[unmoved]
    axes.plot(rounds, [sum(each) / len(each) for each in columns], color=colour, linewidth=1.8, label=label)
    axes.fill_between(rounds, list(map(min, columns)), list(map(max, columns)), color=colour, alpha=0.18, linewidth=0)
