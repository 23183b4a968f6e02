"""Training a market: round after round of plays without a recorder, against working the same answers out from the rule."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from benchmarks.timing import Row, best
from moot.complexity.rules import looker
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.programs.market_programs import follow
from moot.training.market import MarketTraining, TabularMarket, wrong_answers

SIZE = 24


def rows() -> Iterator[Row]:
    """A market that knows nothing learns every answer to a sum and its parts from its own losses alone. The bare side does
    as often what a play cannot do without: it follows the rule for one question, from answers that are known."""
    task = Sum()
    data = task.data(SIZE, Random(0))
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
