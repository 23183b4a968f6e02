"""Tree search of pixel debates side by side, against the same search one game at a time, and against bare judge calls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.timing import Row, best
from moot.experiments.mnist.debates import Claims, Standing
from moot.experiments.mnist.judge import Boards, boards_of, train_judge
from moot.experiments.mnist.search import Search
from moot.tasks.reading.images import Images

GAMES, PIXELS, ROLLOUTS, LIT = 180, 6, 200, 150


def rows() -> Iterator[Row]:
    """Images of 28 by 28 with 150 random non-zero pixels, about as many as MNIST's have; what a judge has learnt costs no time,
    so that it is barely trained. Both searches choose the same moves from the same seeds: the first of six pixels."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((GAMES, 784), np.uint8)
    for image in pixels:
        image[rng.choice(784, LIT, replace=False)] = rng.integers(1, 256, LIT)
    labels = np.arange(GAMES) % 10
    judge = train_judge(Images(pixels.reshape(GAMES, 28, 28), labels), PIXELS, steps=20, hidden=(128, 64))
    boards, claims = boards_of(pixels.reshape(GAMES, 28, 28)), Claims(labels, (labels + 1) % 10)
    search, few = Search(ROLLOUTS), 6

    def standing(games: slice) -> Standing:
        part = Boards(boards.places[games], boards.values[games], boards.counts[games])
        return Standing(judge, part, claims.rows(games), [(0, game) for game in range(GAMES)[games]])

    every, alone = standing(slice(GAMES)), [standing(slice(game, game + 1)) for game in range(few)]
    places, values = boards.places[:1, :PIXELS], boards.values[:1, :PIXELS]

    def side_by_side() -> None:
        search(every)

    def one_at_a_time() -> None:
        for each in alone:
            search(each)

    def calls() -> None:
        for _ in range(few * ROLLOUTS):
            judge.logits(places, values)

    assert [int(search(each)[0]) for each in alone] == search(every)[:few].tolist()
    ours, theirs, bare = best(side_by_side, one_at_a_time, calls)
    each, one, call = (seconds / count * 1e6 for seconds, count in (
        (ours, GAMES * ROLLOUTS), (theirs, few * ROLLOUTS), (bare, few * ROLLOUTS)))  # fmt: skip
    detail = f"{GAMES} games, {ROLLOUTS} rollouts each: {each:.1f} µs a rollout, {1e6 / each:,.0f} a second, against {one:.0f} µs"
    yield Row(
        "a rollout of a pixel debate, games side by side, against one game at a time", each / one, 0.05, "×", detail
    )
    yield Row(
        "the same rollout against one call of the judge for one position",
        each / call,
        0.5,
        "×",
        f"against {call:.0f} µs",
    )
