"""What a training run comes to: accuracy by stratum as it goes, a table of tasks, and a picture.
Rule: it measures, tabulates and draws; the loop that is measured is in `iterated.py`.

Only here are true answers computed, and only to be compared with what was learned."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from moot.protocols.engine.errors import UsageError
from moot.tasks.base import task_named
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.extras import needed
from moot.training.curriculum import split, strata_of, unasked
from moot.training.iterated import Progress, Settings, train
from moot.training.learners import Learner, Network, Tabular

PAPER = ("perm-power", "assignments", "wildcard", "shortest-path-published", "union-find-published")
"""The five tasks of Christiano, Shlegeris and Amodei 2018, in the order of the paper."""


class Score(NamedTuple):
    """Right answers out of all."""

    right: int
    total: int

    @property
    def share(self) -> float | None:
        """None of no questions."""
        return self.right / self.total if self.total else None


class Grader:
    """Compares a learner with the truth, which is computed once for each question. strata: question to stratum."""

    def __init__(self, task: CurriculumTask, data: Any, strata: dict[str, int]) -> None:
        self.strata = strata
        self.texts = list(strata)
        self.truths = [task.truth(data, text) for text in self.texts]

    def by_stratum(self, learner: Learner) -> dict[int, Score]:
        """The score of every stratum, lowest first."""
        found = defaultdict[int, list[bool]](list)
        for text, said, true in zip(self.texts, learner.predict(self.texts), self.truths, strict=True):
            found[self.strata[text]].append(said == true)
        return {stratum: Score(sum(right), len(right)) for stratum, right in sorted(found.items())}

    def score(self, learner: Learner) -> Score:
        """The score of all questions."""
        return Score(*map(sum, zip((0, 0), *self.by_stratum(learner).values(), strict=True)))


@dataclass(frozen=True, slots=True)
class Point:
    """Progress, and the score of every stratum at that time."""

    progress: Progress
    scores: dict[int, Score]


class Curve:
    """A `watch` for `train` that grades the learner every so many batches and keeps the points. then: is told of each."""

    def __init__(self, grader: Grader, every: int = 20, then: Callable[[list[Point]], None] | None = None) -> None:
        self.grader, self.every, self.then = grader, every, then
        self.points: list[Point] = []
        self.seconds = 0.0  # that grading and telling took

    def __call__(self, progress: Progress, learner: Learner) -> None:
        if progress.step % self.every == 0:
            begun = time.perf_counter()
            self.points.append(Point(progress, self.grader.by_stratum(learner)))
            if self.then is not None:
                self.then(self.points)
            self.seconds += time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Report:
    """One task's result. seconds: of training, without grading. trained, held: scores on the questions trained on, and never
    trained on; supervised: that of the same learner trained on true answers, on the latter. labels, decisions: made by H,
    and by H and H'. finished: whether it stopped because its answers were stable."""

    task: str
    learner: str
    seconds: float
    batches: int
    targets: int
    labels: int
    decisions: int
    trained: Score
    held: Score
    supervised: Score | None
    finished: bool


def table(reports: Iterable[Report]) -> str:
    """Reports as text, a line each."""
    rows = [["task", "learner", "seconds", "batches", "targets", "labels of H", "trained on", "held out", "supervised"]]
    for r in reports:
        scores = (_percent(r.trained), _percent(r.held), _percent(r.supervised))
        rows.append([r.task, r.learner, f"{r.seconds:.1f}", str(r.batches), str(r.targets), str(r.labels), *scores])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _percent(score: Score | None) -> str:
    share = None if score is None else score.share
    return "-" if share is None else f"{100 * share:.2f} %"


NETWORK = Settings(refresh=10, replay=4, stop=0.999, batches=2500)
"""How a network is trained: each new batch of targets, and four of earlier ones."""


def measure(
    name: str, kind: str = "tabular", *, size: int = 64, seed: int = 0, held: float | None = None,
    settings: Settings | None = None, every: int = 20, then: Callable[[list[Point]], None] | None = None,
) -> Report:  # fmt: skip
    """Train a learner on an instance of a task by iterated amplification, and grade it. kind: "tabular" or "network". held:
    the share of questions that is never trained on, among those that no other question asks (0 for the table; 0.1 for the
    network); the same learner is then trained on true answers, with as many steps on as many pairs. then: told of the
    points, every so many batches. UsageError on an unknown name or kind."""
    task = curriculum_task(name)
    if kind not in ("tabular", "network"):
        raise UsageError(f"no learner is called {kind!r}; known: tabular, network")
    network, random = kind == "network", Random(f"measure/{name}/{size}/{seed}")
    data = task.instance(size, random)
    share = 0.1 * network if held is None else held
    among = unasked(task, data) if share else []
    training, kept = split(strata_of(task, data), share, among, random)

    def fresh() -> Learner:
        return Network(task, data, seed=seed) if network else Tabular()

    settings = settings or (NETWORK if network else Settings())
    grader = Grader(task, data, training)
    watch = Curve(grader, every, then) if then else None
    begun = time.perf_counter()
    run = train(task, data, fresh(), settings, seed=seed, strata=training, watch=watch)
    seconds = time.perf_counter() - begun - (watch.seconds if watch else 0.0)
    outside, supervised = Grader(task, data, kept), None
    if kept:
        baseline = fresh()
        learn_truth(baseline, grader, len(run.history) * (1 + settings.replay), settings.batch, random)
        supervised = outside.score(baseline)
    return Report(
        name, kind, seconds, len(run.history), run.answering.targets, run.labels, run.history[-1].decisions,
        grader.score(run.learner), outside.score(run.learner), supervised, len(run.history) < settings.batches,
    )  # fmt: skip


def learn_truth(learner: Learner, grader: Grader, steps: int, batch: int, random: Random) -> None:
    """The supervised baseline: so many steps on batches of the grader's questions with their true answers."""
    for _ in range(steps):
        drawn = random.choices(range(len(grader.texts)), k=batch)
        learner.train([grader.texts[i] for i in drawn], [grader.truths[i] for i in drawn])


def curriculum_task(name: str) -> CurriculumTask:
    """The task called so, if a learner can be trained on it. UsageError otherwise."""
    task = task_named(name)
    if not isinstance(task, CurriculumTask):
        raise UsageError(f"task {name} does not say what a learner is trained on; such tasks: {', '.join(PAPER)}")
    return task


def picture(points: Sequence[Point], path: Path | str, title: str = "") -> None:
    """Write a PNG: accuracy of every stratum and the level over the batches, and labels and losses below.
    Does nothing without points. UsageError without matplotlib (the extra `plot`)."""
    mpl, agg, cm, colors, ticker = (
        needed("a picture needs", f"matplotlib.{part}", "plot")
        for part in ("figure", "backends.backend_agg", "cm", "colors", "ticker")
    )
    if not points:
        return
    steps = [point.progress.step for point in points]
    strata = sorted(points[-1].scores)
    colours = cm.ScalarMappable(colors.Normalize(strata[0], max(strata[-1], strata[0] + 1)), "viridis")
    figure = mpl.Figure(figsize=(9, 6.5), layout="constrained")
    agg.FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    for stratum in strata:
        above.plot(steps, [p.scores[stratum].share for p in points], color=colours.to_rgba(stratum), linewidth=1.6)
    figure.colorbar(colours, ax=above, label="stratum (difficulty)", ticks=ticker.MaxNLocator(integer=True))
    above.set(ylabel="accuracy, by stratum", ylim=(-0.03, 1.03), title=title)
    level = above.twinx()
    level.step(steps, [p.progress.level for p in points], where="post", color="0.45", linestyle=":", linewidth=1.4)
    level.yaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    level.set_ylabel("level of the curriculum (dotted)", color="0.35")
    below.plot(steps, [p.progress.labels for p in points], color="tab:red", linewidth=1.6)
    below.set_ylabel("decisions of H (labels)", color="tab:red")
    below.set(xlabel="batches", ylim=(0, None))
    losses = below.twinx()
    losses.plot(steps, [p.progress.loss for p in points], color="tab:blue", linewidth=1, label="loss of X")
    asker = [float("nan") if p.progress.asker_loss is None else p.progress.asker_loss for p in points]
    losses.plot(steps, asker, color="tab:green", linewidth=1, label="loss of H'")
    losses.set(ylabel="loss", ylim=(0, None))
    losses.legend(loc="center right", frameon=False)
    figure.savefig(path, dpi=110)
