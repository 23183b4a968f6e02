"""Elo ratings: against closed forms and libraries, and honest where no rating exists."""

from __future__ import annotations

import math
from itertools import combinations

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moot.experiments.statistics.intervals import Bootstrap
from moot.experiments.statistics.ratings import (
    SCALE,
    Pairing,
    elo,
    elo_least_squares,
    pairings,
    truth_advantage,
)
from moot.experiments.statistics.records import Judged
from moot.protocols.debate.nested_oversight import wins
from moot.protocols.engine.errors import UsageError

FEW = Bootstrap(resamples=40)


@st.composite
def tournaments(draw: st.DrawFn, least: int = 1, most: int = 30) -> list[Pairing]:
    """Every pair of two to five players met, and each won `least` games or more of the other."""
    counts = st.integers(least, most)
    names = "abcde"[: draw(st.integers(2, 5))]
    return [Pairing(i, j, draw(counts), draw(counts)) for i, j in combinations(names, 2)]


def values(given: list[Pairing]) -> dict[str, float]:
    found = {name: rating.value for name, rating in elo(given).ratings.items()}
    assert all(value is not None for value in found.values())
    return {name: value for name, value in found.items() if value is not None}


@settings(max_examples=2 * settings().max_examples // 5)
@given(st.integers(1, 99), st.integers(1, 99), st.integers(0, 20))
def test_two_players_have_a_closed_form(won: int, lost: int, drawn: int) -> None:
    given = [Pairing("x", "y", won, lost, drawn)]
    share = (won + drawn / 2) / (won + lost + drawn)
    expected = 400 * math.log10(share / (1 - share))
    found = elo(given)
    gap = found.difference("x", "y")
    assert gap.value == pytest.approx(expected, abs=1e-6)
    assert gap.low is not None and gap.high is not None
    error = SCALE / math.sqrt((won + lost + drawn) * share * (1 - share))
    assert (gap.high - gap.low) / 2 == pytest.approx(1.959964 * error, rel=1e-6)
    assert sum(values(given).values()) == pytest.approx(3000), "their mean is the anchor"
    squares = elo_least_squares(given, by=FEW)
    assert squares.difference("x", "y").value == pytest.approx(expected, abs=1e-3)


@settings(max_examples=20)
@given(tournaments())
def test_the_likelihood_is_that_of_a_library(given: list[Pairing]) -> None:
    numpy, optimize = pytest.importorskip("numpy"), pytest.importorskip("scipy.optimize")
    names = sorted({name for each in given for name in (each.one, each.other)})

    def loss(at: list[float]) -> float:
        total = 0.0
        for each in given:
            gap = at[names.index(each.one)] - at[names.index(each.other)]
            total += each.wins * numpy.logaddexp(0, -gap) + each.losses * numpy.logaddexp(0, gap)
        return float(total)

    best = optimize.minimize(loss, [0.0] * len(names), method="BFGS", options={"gtol": 1e-9}).x
    found = values(given)
    for name, x in zip(names, best - best.mean(), strict=True):
        assert found[name] == pytest.approx(1500 + SCALE * x, abs=0.02)


@settings(max_examples=15)
@given(tournaments())
def test_a_logistic_regression_without_penalty_says_the_same(given: list[Pairing]) -> None:
    linear, numpy = pytest.importorskip("sklearn.linear_model"), pytest.importorskip("numpy")
    names = sorted({name for each in given for name in (each.one, each.other)})
    rows, outcomes, weights = [], [], []
    for each in given:
        row = [float(name == each.one) - float(name == each.other) for name in names]
        rows += [row, row]
        outcomes += [1, 0]
        weights += [each.wins, each.losses]
    model = linear.LogisticRegression(C=numpy.inf, fit_intercept=False, tol=1e-10, max_iter=5000)
    model.fit(numpy.array(rows)[:, 1:], outcomes, sample_weight=weights)
    fitted = [0.0, *model.coef_[0]]
    found = values(given)
    for i, j in combinations(range(len(names)), 2):
        assert found[names[i]] - found[names[j]] == pytest.approx(SCALE * (fitted[i] - fitted[j]), abs=0.1)


@settings(max_examples=15)
@given(tournaments())
def test_the_intervals_are_those_of_the_information(given: list[Pairing]) -> None:
    numpy = pytest.importorskip("numpy")
    ratings = elo(given)
    names = list(ratings.rated)
    information = numpy.zeros((len(names), len(names)))
    found = values(given)
    for each in given:
        i, j = names.index(each.one), names.index(each.other)
        p = wins(found[each.one], found[each.other])
        row = numpy.zeros(len(names))
        row[i], row[j] = 1, -1
        information += each.games * p * (1 - p) * numpy.outer(row, row)
    inverse = numpy.linalg.pinv(information) * SCALE**2
    assert numpy.allclose(inverse, numpy.array(ratings.covariance), rtol=1e-6, atol=1e-6)
    for index, name in enumerate(names):
        rating = ratings.ratings[name]
        assert rating.low is not None and rating.high is not None and rating.value is not None
        assert (rating.high - rating.low) / 2 == pytest.approx(1.959964 * math.sqrt(inverse[index, index]), rel=1e-5)


@settings(max_examples=15)
@given(tournaments())
def test_what_players_won_is_what_the_ratings_expect(given: list[Pairing]) -> None:
    """The fit of greatest likelihood gives everybody the number of wins that they had."""
    found = values(given)
    for name in found:
        won = sum(each.wins if each.one == name else each.losses for each in given if name in (each.one, each.other))
        expected = sum(
            each.games * wins(found[name], found[each.other if each.one == name else each.one])
            for each in given
            if name in (each.one, each.other)
        )
        assert expected == pytest.approx(won, abs=1e-6)


@settings(max_examples=20)
@given(tournaments(), st.permutations(range(5)), st.booleans())
def test_names_sides_and_order_do_not_matter(given: list[Pairing], order: list[int], turn: bool) -> None:
    names = dict(zip("abcde", ("vwxyz"[i] for i in order), strict=True))
    changed = [Pairing(names[p.one], names[p.other], p.wins, p.losses) for p in reversed(given)]
    if turn:
        changed = [Pairing(p.other, p.one, p.losses, p.wins) for p in changed]
    before, after = values(given), values(changed)
    for name, value in before.items():
        assert after[names[name]] == pytest.approx(value, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9
    )
)
def test_who_has_a_rating(games: list[tuple[int, int, int, int]]) -> None:
    """Exactly the largest strongly connected group of "beat" is rated; above it is inf, below −inf, and nothing is guessed."""
    given = [Pairing(str(i), str(j), w, x) for i, j, w, x in games if i != j and w + x]
    assume(given)
    beat: nx.DiGraph[str] = nx.DiGraph()
    for each in given:
        beat.add_nodes_from((each.one, each.other))
        beat.add_edges_from([(each.one, each.other)] * (each.wins > 0) + [(each.other, each.one)] * (each.losses > 0))
    if not nx.is_weakly_connected(beat):
        with pytest.raises(UsageError, match="no game links these groups"):
            elo(given)
        return
    groups = sorted(nx.strongly_connected_components(beat), key=len)
    ratings = elo(given).ratings
    if len(groups) > 1 and len(groups[-1]) == len(groups[-2]):
        assert all(rating.value is None for rating in ratings.values())
        return
    core = groups[-1]
    some = next(iter(core))
    for name, rating in ratings.items():
        if name in core:
            assert rating.value is not None and math.isfinite(rating.value)
        elif nx.has_path(beat, name, some):
            assert rating.value == math.inf and rating.low is None
        elif nx.has_path(beat, some, name):
            assert rating.value == -math.inf and rating.high is None
        else:
            assert rating.value is None


def test_who_never_lost_is_above_all_measure() -> None:
    given = [Pairing("champion", "x", 9, 0), Pairing("x", "y", 3, 2), Pairing("y", "novice", 4, 0)]
    found = elo(given)
    assert found.rated == ("x", "y")
    assert found.ratings["champion"].value == math.inf and found.ratings["novice"].value == -math.inf
    assert found.difference("champion", "x").value == math.inf
    assert found.difference("champion", "novice").value == math.inf
    assert found.difference("x", "y").value == pytest.approx(400 * math.log10(1.5))
    drew = elo([*given, Pairing("champion", "y", 0, 0, 1)])
    assert math.isfinite(drew.ratings["champion"].value or math.inf), "one draw bounds it"
    only = elo([Pairing("x", "y", 5, 0)])
    assert only.ratings["x"].value is None and only.difference("x", "y").value is None
    squares = elo_least_squares([Pairing("x", "y", 5, 0)], by=FEW)
    assert squares.ratings["x"].value is None


def test_guards_and_houdinis_who_only_meet_each_other() -> None:
    """A table of guards against houdinis, made of exact shares, gives back the ratings that made it."""
    guards, houdinis = {"g1": 1300.0, "g2": 1500.0, "g3": 1700.0}, {"h1": 1400.0, "h2": 1600.0}
    games = 10**9
    given = []
    for guard, high in guards.items():
        for houdini, low in houdinis.items():
            won = round(games * wins(high, low))
            given.append(Pairing(guard, houdini, won, games - won))
    found = values(given)
    for name, rating in {**guards, **houdinis}.items():
        assert found[name] == pytest.approx(rating, abs=1e-4)
    separate = [each for each in given if (each.one, each.other) in {("g1", "h1"), ("g2", "h2")}]
    with pytest.raises(UsageError, match="g1, h1; g2, h2"):
        elo(separate)


@settings(max_examples=settings().max_examples // 4)
@given(tournaments(least=2))
def test_least_squares_are_least(given: list[Pairing]) -> None:
    """No start of scipy's own search finds a smaller sum, and where it finds the same sum it is at the same ratings."""
    optimize = pytest.importorskip("scipy.optimize")
    numpy = pytest.importorskip("numpy")
    ratings = elo_least_squares(given, by=FEW).ratings
    names = sorted(ratings)

    def errors(at: list[float]) -> list[float]:
        places = dict(zip(names, at, strict=True))
        return [wins(400 * places[p.one], 400 * places[p.other]) - p.wins / p.games for p in given]

    at = [rating.value for rating in ratings.values()]
    assert all(value is not None for value in at)
    mine = sum(e * e for e in errors([value / 400 for value in at if value is not None]))
    generator = numpy.random.default_rng(0)
    for start in ([0.0] * len(names), *generator.normal(0, 1, (3, len(names)))):
        theirs = optimize.least_squares(errors, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
        assert mine <= 2 * theirs.cost + 1e-9


def test_the_squares_that_are_least_at_infinity() -> None:
    given = [Pairing("x", "y", 50, 0), Pairing("y", "z", 50, 0), Pairing("x", "z", 99, 1)]
    assert all(rating.value is None for rating in elo_least_squares(given, by=FEW).ratings.values())


def test_bootstrapped_intervals_of_least_squares() -> None:
    given = [Pairing("x", "y", 60, 40), Pairing("y", "z", 55, 45), Pairing("x", "z", 70, 30)]
    found, likelihood = elo_least_squares(given, by=Bootstrap(resamples=200)), elo(given)
    for name, rating in found.ratings.items():
        assert rating.low is not None and rating.high is not None and rating.value is not None
        assert rating.low <= rating.value <= rating.high
        other = likelihood.ratings[name]
        assert other.low is not None and other.high is not None
        assert rating.high - rating.low == pytest.approx(other.high - other.low, rel=0.35)
    thin = [Pairing("x", "y", 1, 1)]
    assert elo_least_squares(thin, by=FEW).ratings["x"].low is None, "a resample may have no ratings"


# -- from records ------------------------------------------------------------------------------------------------------


def debate(first: str, second: str, p: float, truth: int = 0) -> Judged:
    return Judged("q", (p, 1 - p), truth, defenders=(first, second))


def test_games_of_records() -> None:
    records = [
        debate("Ann", "Bob", 0.9), debate("Bob", "Ann", 0.9), debate("Bob", "Ann", 0.1), debate("Ann", "Bob", 0.5),
        debate("Ann", "Ann", 0.7), Judged("q", outcome="errored", defenders=("Ann", "Bob")),
    ]  # fmt: skip
    assert pairings(records) == [Pairing("Ann", "Bob", 2, 1, 1)]
    sided = {(p.one, p.other): (p.wins, p.losses, p.draws) for p in pairings(records, sided=True)}
    assert sided == {
        ("Ann (true)", "Bob (false)"): (1, 0, 1),
        ("Ann (false)", "Bob (true)"): (1, 1, 0),
        ("Ann (false)", "Ann (true)"): (0, 1, 0),
    }
    with pytest.raises(UsageError, match="of two debaters"):
        pairings([Judged("q", (0.2, 0.3, 0.5), 0, defenders=("x", "y", "z"))])


def test_truth_advantage() -> None:
    """Whoever argues for the truth wins 3 of 4 games: the same 400·log10(3) for everybody."""
    records = [
        debate(first, second, p) for first in ("Ann", "Bob") for second in ("Ann", "Bob") for p in (0.9, 0.8, 0.7, 0.2)
    ]
    ratings = elo(pairings(records, sided=True))
    for name in ("Ann", "Bob"):
        found = truth_advantage(ratings, name)
        assert found.value == pytest.approx(400 * math.log10(3), abs=1e-6)
        assert found.low is not None and found.high is not None and found.value is not None
        assert found.low < found.value < found.high
    with pytest.raises(UsageError, match=r"'Cid \(true\)' has no rating"):
        truth_advantage(ratings, "Cid")


@pytest.mark.parametrize("bad", [("x", "x", 1, 1), ("x", "y", -1, 1), ("x", "y", 1.5, 1)])
def test_bad_pairings(bad: tuple[str, str, int, int]) -> None:
    with pytest.raises(UsageError, match="needs two players"):
        Pairing(*bad)


def test_no_games() -> None:
    with pytest.raises(UsageError, match="there is none"):
        elo([])
    with pytest.raises(UsageError, match="there is none"):
        elo([Pairing("x", "y", 0, 0)])
