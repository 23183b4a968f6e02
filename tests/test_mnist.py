"""Many pixel debates at once: the judge, the search and optimal play, each held against plainer code for one game."""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy")
pytest.importorskip("sklearn")

import moot.tasks.reading.images  # noqa: E402
from moot.experiments.mnist.debates import Claims, Standing, at_random, final_logits, greedily, margins, optimal, play  # noqa: E402  # noqa: E402
from moot.experiments.mnist.judge import Boards, SparseJudge, boards_of, drawn, load_judge, random_accuracy, train_judge  # noqa: E402  # noqa: E402
from moot.experiments.mnist.reproduce import Settings, chosen, honest, per_image, reproduce, solved  # noqa: E402
from moot.experiments.mnist.search import BANK, Search  # noqa: E402
from moot.protocols.engine.errors import UsageError  # noqa: E402
from moot.tasks.reading.images import Images, bundled_digits  # noqa: E402

SOME = settings(deadline=None, max_examples=30)
DIGITS = bundled_digits()


@pytest.fixture(scope="module")
def judge() -> SparseJudge:
    """A judge of four pixels in double precision, so that no sum depends on what else is summed beside it."""
    return train_judge(DIGITS.train, 4, steps=1500, batch=256, hidden=(64, 32)).in_type(np.float64)


def tiny(judge: SparseJudge, games: int, pixels: int, seed: int) -> tuple[Boards, Claims]:
    """Games about images of few pixels, so that they can be tried to the end."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((games, 64), np.uint8)
    for picture in pictures:
        picture[rng.choice(64, pixels, replace=False)] = rng.integers(1, 256, pixels)
    labels = np.array([rng.choice(judge.labels, 2, replace=False) for _ in range(games)])
    return boards_of(pictures.reshape(games, 8, 8)), Claims(labels[:, 0], labels[:, 1])


# -- boards and drawing ----------------------------------------------------------------------------------------------


@SOME
@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 99))
def test_drawn_numbers_are_distinct_and_below_the_count(wanted: int, more: int, seed: int) -> None:
    counts = np.arange(wanted, wanted + more + 1)
    found = drawn(np.random.default_rng(seed).random((len(counts), wanted)), counts)
    for row, count in zip(found, counts, strict=True):
        assert len(set(row)) == wanted and 0 <= row.min() and row.max() < count


def test_every_ordered_selection_is_drawn_equally_often() -> None:
    """The uniforms run over a grid that falls evenly on the 5 * 4 * 3 selections."""
    grid = np.array(
        [((a + 0.5) / 5, (b + 0.5) / 4, (c + 0.5) / 3) for a in range(5) for b in range(4) for c in range(3)]
    )
    found = drawn(grid, np.full(60, 5))
    assert {tuple(row) for row in found.tolist()} == set(permutations(range(5), 3))


@SOME
@given(st.lists(st.integers(0, 255), min_size=12, max_size=12).filter(any))
def test_a_board_lists_the_pixels_that_are_not_zero(grey: list[int]) -> None:
    image = np.array(grey, np.uint8).reshape(1, 3, 4)
    board = boards_of(image)
    listed = dict(zip(board.places[0].tolist(), board.values[0].tolist(), strict=True))
    assert board.counts[0] == len(listed) == np.count_nonzero(image)
    assert all(math.isclose(value * 255, grey[place], rel_tol=1e-6) for place, value in listed.items())


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(UsageError, match="3 non-zero pixels .* of every image; image 1 has 2"):
        boards_of(np.array([[[1, 2], [3, 4]], [[0, 2], [3, 0]]], np.uint8), 3)
    with pytest.raises(UsageError, match="there are no images"):
        boards_of(np.zeros((0, 2, 2), np.uint8))


# -- the judge -------------------------------------------------------------------------------------------------------


def dense(judge: SparseJudge, places: Any, values: Any) -> Any:
    """One position through the network, from its two planes."""
    planes = np.zeros((2, 64))
    planes[0, places], planes[1, places] = 1, values
    one = np.maximum(planes.ravel() @ judge.first + judge.first_bias, 0)
    two = np.maximum(one @ judge.second + judge.second_bias, 0)
    return two @ judge.third + judge.third_bias


def test_the_judge_learns(judge: SparseJudge) -> None:
    """Chance is a tenth; four random pixels of the 8 by 8 digits give it some 45 %."""
    right, shown = random_accuracy(judge, DIGITS.test, draws=2)
    assert shown == 2 * len(DIGITS.test) and right / shown > 0.38
    unlearnt = train_judge(DIGITS.train, 4, steps=1, hidden=(64, 32))
    assert random_accuracy(unlearnt, DIGITS.test)[0] / len(DIGITS.test) < 0.25


def test_training_follows_from_its_seed() -> None:
    one, same, other = (train_judge(DIGITS.train, 3, steps=5, batch=16, hidden=(8, 4), seed=seed) for seed in (1, 1, 2))
    assert (one.first == same.first).all() and (one.third == same.third).all() and (one.first != other.first).any()


def test_many_positions_are_judged_as_each_alone(judge: SparseJudge) -> None:
    boards = boards_of(DIGITS.test.pixels[:40])
    slots = drawn(np.random.default_rng(0).random((40, 4)), boards.counts)
    places, values = np.take_along_axis(boards.places, slots, 1), np.take_along_axis(boards.values, slots, 1)
    together = judge.logits(places, values)
    for game in range(40):
        assert np.allclose(together[game], dense(judge, places[game], values[game]), atol=1e-9)
    claims = Claims(np.arange(40) % 10, (np.arange(40) + 3) % 10)
    sums = judge.added(places, values).sum(axis=1)
    games = np.arange(40)
    expected = together[games, claims.mine] - together[games, (games + 3) % 10]
    assert np.allclose(margins(judge, sums.copy(), claims), expected, atol=1e-9)
    others = together.copy()
    others[games, claims.mine] = -np.inf
    expected = together[games, claims.mine] - others.max(axis=1)
    assert np.allclose(margins(judge, sums, Claims(claims.mine)), expected, atol=1e-9)


def test_a_judge_is_kept_and_found_again(judge: SparseJudge, tmp_path: Path) -> None:
    path = tmp_path / "judge of four"
    judge.save(path)
    again = load_judge(path)
    assert again.shape == (8, 8) and again.revealed == 4 and again.labels == 10
    assert all(
        (getattr(again, name) == getattr(judge, name)).all() for name in ("first", "second", "third", "third_bias")
    )
    with pytest.raises(UsageError, match="no such file"):
        load_judge(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot be written"):
        judge.save(tmp_path / "no folder" / "judge")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UsageError, match="no judge"):
        load_judge(path)
    np.savez(tmp_path / "bad.npz", shape=np.array([8, 8]), revealed=np.array(4), first=judge.first, first_bias=judge.first_bias,
             second=judge.third, second_bias=judge.second_bias, third=judge.third, third_bias=judge.third_bias)  # fmt: skip
    with pytest.raises(UsageError, match="do not fit together"):
        load_judge(tmp_path / "bad.npz")


# -- search ----------------------------------------------------------------------------------------------------------


class Plain:
    """The same search for one game, written with dictionaries and one judge call at a time."""

    def __init__(self, standing: Standing, game: int, search: Search) -> None:
        self.standing, self.game, self.search = standing, game, search
        self.free, self.left = int(standing.free[game]), standing.left
        rng = np.random.default_rng([*standing.seeds[game], 2, standing.left])
        self.noise = rng.random((BANK, self.free), np.float32) * np.float32(1e-6)
        self.uniforms = rng.random((search.rollouts, self.left - 1), np.float32)
        self.nodes: dict[tuple[int, ...], dict[int, list[float]]] = {}
        self.number: dict[tuple[int, ...], int] = {(): 0}

    def judged(self, path: list[int]) -> float:
        board, order = self.standing.boards, self.standing.order[self.game]
        slots = [*(int(each[self.game]) for each in self.standing.revealed), *(order[number] for number in path)]
        logits = dense(self.standing.judge, board.places[self.game, slots], board.values[self.game, slots])
        claims = self.standing.claims.rows(np.array([self.game]))
        assert claims.theirs is not None
        return float(np.sign(logits[claims.mine[0]] - logits[claims.theirs[0]]))

    def score(self, path: tuple[int, ...], number: int) -> Any:
        """Rounded where the arrays round, so that scores which are equal on paper fall alike."""
        node, prior, single = self.nodes.setdefault(path, {}), 1 / (self.free - len(path)), np.float32
        tried, won = node.get(number, (0, 0))
        mean = single(won / tried) if tried else self.noise[self.number[path] % BANK, number]
        total = single(sum(count for count, _ in node.values()))
        return single(1 / (1 + tried)) * (single(self.search.exploration * prior) * np.sqrt(total)) + mean

    def visits(self) -> list[int]:
        for rollout in range(self.search.rollouts):
            path = list[int]()
            while len(path) < self.left:
                at = tuple(path)
                self.number.setdefault(at, len(self.number))
                legal = [number for number in range(self.free) if number not in path]
                path.append(max(legal, key=lambda number: self.score(at, number)))
                if path[-1] not in self.nodes[at]:
                    break
            ruled = len(path)
            for turn in range(ruled, self.left):
                rest = [number for number in range(self.free) if number not in path]
                path.append(rest[int(self.uniforms[rollout, turn - 1] * len(rest))])
            value = self.judged(path) * (1 - 2 * self.standing.turn)
            for depth in range(ruled):
                stats = self.nodes[tuple(path[:depth])].setdefault(path[depth], [0, 0])
                stats[0] += 1
                stats[1] += value * (-1) ** depth
        return [int(self.nodes[()].get(number, [0])[0]) for number in range(self.free)]


@pytest.mark.parametrize(("first", "moves"), [(0, 0), (1, 0), (0, 1), (1, 2), (0, 3)])
def test_the_search_is_the_plain_one_in_every_game(judge: SparseJudge, first: int, moves: int) -> None:
    boards, claims = tiny(judge, 6, 9, seed=first)
    standing = Standing(judge, boards, claims, [(5, game) for game in range(6)], first)
    for _ in range(moves):
        standing.reveal(at_random(standing))
    search = Search(80, 1.7)
    visits, _ = search.visits(standing)
    for game in range(6):
        assert visits[game, : standing.free[game]].tolist() == Plain(standing, game, search).visits()


@SOME
@given(st.integers(1, 80), st.integers(0, 3), st.floats(0.1, 20), st.integers(0, 99))
def test_every_rollout_is_counted_once(
    judge: SparseJudge, rollouts: int, moves: int, exploration: float, seed: int
) -> None:
    boards, claims = tiny(judge, 4, 7, seed)
    standing = Standing(judge, boards, claims, [(seed, game) for game in range(4)], seed % 2)
    for _ in range(moves):
        standing.reveal(at_random(standing))
    visits, ties = Search(rollouts, exploration).visits(standing)
    legal = np.arange(visits.shape[1]) < standing.free[:, None]
    assert (visits[legal] >= 0).all() and (visits[~legal] == -1).all() and (ties[legal] >= 0).all() and (ties < 1).all()
    assert (np.where(legal, visits, 0).sum(axis=1) == rollouts).all()


@pytest.mark.parametrize("precommit", [True, False])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("rollouts", [10, pytest.param(25, marks=pytest.mark.long)])
def test_games_come_out_alike_however_many_are_played_together(
    judge: SparseJudge, rollouts: int, first: int, precommit: bool
) -> None:
    images, search = DIGITS.test.rows(slice(0, 3)), Search(rollouts)
    one, *others = (honest(judge, images, search, search, first, 2, 0, precommit, at_once) for at_once in (180, 7, 1))
    assert all((one == other).all() for other in others) and one.shape == (3, 9 if precommit else 1)


def test_a_debate_reveals_distinct_pixels_and_ends_as_the_judge_says(judge: SparseJudge) -> None:
    boards, claims = tiny(judge, 20, 6, seed=3)
    standing = Standing(judge, boards, claims, [(0, game) for game in range(20)])
    results = play(standing, Search(10), greedily)
    assert standing.slots.shape == (20, 4) and standing.turn == 0 and standing.left == 0
    for game, slots in enumerate(standing.slots):
        assert len(set(slots)) == 4 and slots.max() < 6
        logits = dense(judge, boards.places[game, slots], boards.values[game, slots])
        assert claims.theirs is not None
        assert results[game] == np.sign(logits[claims.mine[game]] - logits[claims.theirs[game]])


def test_bad_settings_are_refused(judge: SparseJudge) -> None:
    with pytest.raises(UsageError, match="1 rollout or more"):
        Search(0)
    with pytest.raises(UsageError, match="exploration above 0"):
        Search(1, math.nan)
    with pytest.raises(UsageError, match="exploration above 0"):
        Search(1, math.inf)
    boards, claims = tiny(judge, 1, 3, 0)
    with pytest.raises(UsageError, match="4 pixels are to be revealed, and an image has 3"):
        Standing(judge, boards, claims, [(0,)])


# -- optimal play ----------------------------------------------------------------------------------------------------


def minimax(
    won: Callable[[frozenset[int]], float], count: int, revealed: int, turn: int, taken: frozenset[int]
) -> float:
    """The value of a position for debater a, by trying every order of play."""
    if len(taken) == revealed:
        return won(taken)
    after = [minimax(won, count, revealed, 1 - turn, taken | {n}) for n in range(count) if n not in taken]
    return max(after) if turn == 0 else min(after)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 4), st.integers(0, 3), st.integers(0, 1), st.integers(0, 999))
def test_optimal_play_is_what_trying_everything_finds(
    judge: SparseJudge, revealed: int, more: int, first: int, seed: int
) -> None:
    count = revealed + more
    boards, claims = tiny(judge, 1, count, seed)
    assert claims.theirs is not None
    logits = final_logits(judge, boards, revealed)
    value, each = optimal(np.sign(logits[:, claims.mine] - logits[:, claims.theirs]), count, revealed, first)

    mine, theirs = int(claims.mine[0]), int(claims.theirs[0])

    def won(taken: frozenset[int]) -> float:
        found = dense(judge, boards.places[0, list(taken)], boards.values[0, list(taken)])
        return float(np.sign(found[mine] - found[theirs]))

    assert value[0] == minimax(won, count, revealed, first, frozenset())
    for number in range(count):
        assert each[number, 0] == minimax(won, count, revealed, 1 - first, frozenset({number}))


@pytest.mark.parametrize("first", [0, 1])
def test_search_comes_to_optimal_moves(judge: SparseJudge, first: int) -> None:
    """In games of 7 pixels, of which 4 are revealed, enough rollouts find a move as good as the best, from every start."""
    boards, claims = tiny(judge, 30, 7, seed=8)
    assert claims.theirs is not None
    standing = Standing(judge, boards, claims, [(1, game) for game in range(30)], first)
    chosen = standing.order[standing.games, Search(3000)(standing)]
    values = set()
    for game in range(30):
        logits = final_logits(judge, boards.rows(np.array([game])))
        ahead = np.sign(logits[:, claims.mine[game]] - logits[:, claims.theirs[game]])[:, None]
        value, each = optimal(ahead, 7, 4, first)
        assert each[chosen[game], 0] == value[0]
        values.add(float(value[0]))
    assert values == {1.0, -1.0}, "some of these games are won and some are lost"


def test_large_images_are_not_solved(judge: SparseJudge) -> None:
    with pytest.raises(UsageError, match="at most 1,000,000 sets of 6 .* 1 with 64 pixels, 74,974,368 sets"):
        final_logits(judge, boards_of(np.ones((1, 8, 8), np.uint8)), 6)


# -- the experiment --------------------------------------------------------------------------------------------------


def test_honest_search_beats_random_lies_and_search_beats_random_truth(judge: SparseJudge) -> None:
    images, search = chosen(DIGITS.test, 12, 0), Search(60)
    for first in (0, 1):
        sure = honest(judge, images, search, at_random, first).mean()
        even = honest(judge, images, search, search, first).mean()
        weak = honest(judge, images, at_random, search, first).mean()
        assert sure > 0.97 and sure >= even > weak + 0.2


def test_search_scores_as_optimal_play_does(judge: SparseJudge) -> None:
    """On most images; where one side errs, the score of an image can go either way."""
    images, search = chosen(DIGITS.test, 10, 1), Search(400)
    for first in (0, 1):
        best = per_image(solved(judge, images, first))
        assert (per_image(honest(judge, images, search, search, first)) == best).sum() >= 8
        assert set(best) <= {0.0, 1.0}


def test_the_liar_wins_an_image_as_its_best_lie_does() -> None:
    assert per_image(np.array([[1.0, 1 / 3, 1.0], [1.0, 1.0, 1.0]])).tolist() == [1 / 3, 1.0]


def test_a_folder_that_takes_no_pictures_is_refused_before_the_work(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    lines: list[str] = []
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="pictures cannot be written here"):
            reproduce(pictures=folder, say=lines.append)
    assert not lines


def test_the_report_says_what_it_is_of(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines: list[str] = []
    small = Settings(images=4, rollouts=12, steps=40, batch=64, hidden=(16, 8))
    report = reproduce(pixels=(3,), settings=small, pictures=tmp_path, say=lines.append)
    text = report.text(200)
    assert "This is not MNIST (8x8 digits of scikit-learn)" in text and all(
        row.published is None for row in report.rows
    )
    names = [row.name for row in report.rows]
    assert names[0] == "judge alone, 3 random pixels" and "optimal play, 3 pixels, honest first" in names
    for row in report.rows:
        assert isinstance(row.measured, float) and row.low is not None and row.high is not None
        assert 0 <= row.low <= row.measured <= row.high <= 1
    assert (tmp_path / "debates-3.png").read_bytes().startswith(b"\x89PNG")
    assert any("36 of 36 debates" in line for line in lines)
    assert reproduce(pixels=(3,), settings=small).rows == report.rows


def test_figures_of_mnist_stand_beside_the_published_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of nothing else in its format: the digits, saved as an archive, are taken for it only with its fingerprint."""
    path, train, test = tmp_path / "images.npz", DIGITS.train.rows(slice(300)), DIGITS.test.rows(slice(40))
    np.savez(path, x_train=train.pixels, y_train=train.labels, x_test=test.pixels, y_test=test.labels)
    small = Settings(images=2, rollouts=3, steps=5, batch=16, hidden=(8, 4))
    report = reproduce(path, pixels=(4,), settings=small)
    assert all(row.published is None for row in report.rows) and "This is not MNIST (300 + 40 images" in report.text(
        200
    )
    content = test.pixels.tobytes() + bytes(test.labels.tolist())
    monkeypatch.setattr(moot.tasks.reading.images, "MNIST", sha256(content).hexdigest()[:32])
    report = reproduce(path, pixels=(4,), settings=small)
    published = {row.name: row.published for row in report.rows if row.published is not None}
    assert published == {"judge alone, 4 random pixels": 0.482, "debate, 4 pixels, both orders": 0.852}
    with pytest.raises(UsageError, match="1 image, 1 seed and 1 pixel"):
        reproduce(path, pixels=())
    with pytest.raises(UsageError, match="1 rollout or more"):
        reproduce(path, settings=Settings(rollouts=0, steps=10**9))


def test_images_are_drawn_once_each() -> None:
    some = chosen(DIGITS.test, 50, 3)
    assert len(some) == 50 and len({image.tobytes() for image in some.pixels}) == 50
    assert len(chosen(Images(DIGITS.test.pixels[:5], DIGITS.test.labels[:5]), 9, 0)) == 5
