"""Training: a market, round after round of plays without a recorder, against working the same answers out from the rule; and how
soon a table learns the five tasks of Christiano, Shlegeris and Amodei 2018 from the rules alone, at the paper's size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from benchmarks.timing import Row, best
from moot.complexity.rules import looker
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import task_named
from moot.tasks.curriculum import CurriculumTask, sweep
from moot.tasks.programs.market_programs import follow
from moot.training.market import MarketTraining, TabularMarket, wrong_answers

CELLS = 24
NAMES = (
    "perm-power",
    "assignments",
    "assignments-sum",
    "wildcard",
    "shortest-path-published",
    "union-find-published",
)
SIZE, INSTANCES = 64, 3


def rows() -> Iterator[Row]:
    yield from markets()
    yield from sweeps()


def markets() -> Iterator[Row]:
    """A market that knows nothing learns every answer to a sum and its parts from its own losses alone. The bare side does
    as often what a play cannot do without: it follows the rule for one question, from answers that are known."""
    task = Sum()
    data = task.data(CELLS, Random(0))
    questions = list(task.questions(data))
    known = {text: task.truth(data, text) for text in questions}

    def trained() -> MarketTraining:
        training = MarketTraining(task, data, TabularMarket())
        training.run()
        return training

    training = trained()
    assert not wrong_answers(task, data, training.market, questions) and training.history[-1].settled(0.05)
    adversaries = len(getattr(training, "options", "1"))  # each question is played against all of them
    plays = (training.plays + len(training.history) * len(questions)) * adversaries

    def followed() -> None:
        look = looker(data)
        for number in range(plays):
            assert follow(task, questions[number % len(questions)], look, known).answer

    ours, theirs = best(trained, followed)
    detail = f"{len(questions)} questions, {plays:,} plays: {ours / plays * 1e6:.0f} µs each against {theirs / plays * 1e6:.1f}"
    yield Row("a market in training, a play, against following the rule once", ours / theirs, 130.0, "×", detail)


def sweeps() -> Iterator[Row]:
    """The table starts with "?" everywhere; each sweep sets every answer to what the rule makes of the table's own answers and of
    the environment's look-ups. No true answer is used until the end, where the table is compared with the truth."""
    for name in NAMES:
        task = task_named(name)
        assert isinstance(task, CurriculumTask)
        right, questions, seconds, counts = 0, 0, 0.0, []
        for seed in range(INSTANCES):
            data = task.data(SIZE, Random(seed))
            known: dict[str, str] = {}
            looked: dict[str, str] = {}
            count, begun = 0, time.process_time()
            while (after := sweep(task, data, known, looked)) != known:
                known, count = after, count + 1
            seconds += time.process_time() - begun
            counts.append(count)
            questions += len(known)
            right += sum(answer == task.truth(data, text) for text, answer in known.items())
        detail = (
            f"{questions // INSTANCES} questions; {min(counts)} to {max(counts)} sweeps, {seconds / INSTANCES:.2f} s"
        )
        yield Row(f"{name}: wrong at the end", 100 * (1 - right / questions), 1, "%", detail)
