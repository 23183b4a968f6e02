"""Nested oversight: the theory to 1e-9, the fit of a curve, and the protocol that plays it."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.reproductions.nested_oversight import (
    BEST,
    CHAINS,
    GAMES,
    START,
    Curve,
    DoubleReLU,
    Line,
    best_steps,
    fit_double_relu,
    playing,
    reproduce,
    success,
)
from moot.protocols.debate.nested_oversight import wins
from moot.protocols.engine.errors import UsageError

QUESTION = moot.Question("Does oversight hold?", ("yes", "no"))
small = st.integers(-20, 20).map(lambda n: n / 10)


def in_decimals(guard: Line, houdini: Line, gap: float, steps: int, start: float = 0) -> Decimal:
    """The same product in decimal arithmetic of 80 digits."""
    getcontext().prec = 80

    def at(line: Line, general: Decimal) -> Decimal:
        return Decimal(line.slope) * general + Decimal(line.intercept)

    total = Decimal(1)
    for i in range(steps):
        here, there = (Decimal(start) + Decimal(gap) * k / steps for k in (i, i + 1))
        total /= 1 + Decimal(10) ** ((at(houdini, there) - at(guard, here)) / 400)
    return total


def test_every_published_figure_is_reproduced() -> None:
    report = reproduce()
    paper = {row.name: row for row in report.rows if row.name.endswith("in the paper")}
    assert report.holds and len(report.rows) == 22 and len(paper) == 4
    row = paper["Backdoor Code, gap 400: probability, in the paper"]
    assert (row.published, row.holds) == (0.1, None) and row.measured == pytest.approx(0.2757, abs=1e-4)
    for row in report.rows:
        if row.name in paper:
            continue
        assert row.holds and isinstance(row.measured, (int, float)) and isinstance(row.published, (int, float))
        assert abs(row.measured - row.published) < 1e-9, row.name
    assert "Backdoor Code, gap 400: probability" in report.text()


def test_the_formula_in_eighty_digits() -> None:
    for guard, houdini in GAMES.values():
        for steps in (1, 2, 7, 20):
            exact = in_decimals(guard, houdini, 400, steps, START)
            assert success(guard, houdini, 400, steps, START) == pytest.approx(float(exact), rel=1e-11)
    for (m, h, intercept, gap, n), published in CHAINS:
        assert float(in_decimals(Line(m), Line(h, intercept), gap, n)) == pytest.approx(published, abs=5e-10)
    for (m, h, intercept, gap), best, published in BEST:
        chances = [in_decimals(Line(m), Line(h, intercept), gap, n) for n in range(1, 21)]
        assert chances.index(max(chances)) + 1 == best
        assert float(max(chances)) == pytest.approx(published, abs=5e-10)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_one_of_two_wins(one: float, other: float) -> None:
    assert 0 <= wins(one, other) <= 1
    assert wins(one, other) + wins(other, one) == pytest.approx(1)
    assert wins(one, one) == 0.5 and wins(one + 400, one) == pytest.approx(10 / 11)


@given(small, small, st.integers(-900, 900), st.integers(0, 900), st.integers(1, 12), st.integers(1, 300))
def test_chains(m: float, h: float, intercept: int, gap: int, steps: int, more: int) -> None:
    guard, houdini = Line(m), Line(h, intercept)
    chance = success(guard, houdini, gap, steps)
    assert 0 <= chance <= 1
    better = success(Line(m, more), houdini, gap, steps)
    assert better > chance or better == pytest.approx(chance, abs=1e-12), "a stronger guard helps"
    assert success(Line(m, 50), Line(h, intercept + 50), gap, steps) == pytest.approx(chance), "only differences count"
    best, found = best_steps(guard, houdini, gap)
    assert found >= success(guard, houdini, gap, min(steps, 20)) and found == success(guard, houdini, gap, best)


def test_one_step_without_a_gap_is_one_game() -> None:
    assert success(Line(0, 1200), Line(0, 1000), 0, 1) == wins(1200, 1000)
    assert success(Line(0, 1200), Line(0, 1000), 0, 3) == pytest.approx(wins(1200, 1000) ** 3)
    assert best_steps(Line(0), Line(0), 0) == (1, 0.5)


# -- the double ReLU ---------------------------------------------------------------------------------------------------


def test_a_double_relu_is_flat_linear_flat() -> None:
    curve = DoubleReLU(low=900, high=1500, start=1100, stop=1400)
    assert [curve(x) for x in (0, 1100, 1250, 1400, 9999)] == [900, 900, 1200, 1500, 1500]
    with pytest.raises(UsageError, match="a later stop"):
        DoubleReLU(1, 2, 5, 5)


def squares(curve: Curve, points: list[tuple[float, float]], weights: list[float]) -> float:
    return math.fsum(w * (y - curve(x)) ** 2 for (x, y), w in zip(points, weights, strict=True))


@settings(max_examples=30)
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 6), st.integers(1, 5))
def test_the_fit_finds_the_curve_that_made_the_points(low: int, high: int, start: int, width: int) -> None:
    curve = DoubleReLU(low, high, start + 0.4, start + width + 1.7)
    points = [(float(x), curve(x)) for x in range(14)]
    found = fit_double_relu(points)
    assert squares(found, points, [1.0] * 14) == pytest.approx(0, abs=1e-16)
    if low != high:
        assert (found.low, found.high) == pytest.approx((low, high))
        if width >= 2:  # with two points or more inside, the bends are known
            assert (found.start, found.stop) == pytest.approx((curve.start, curve.stop))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 8).map(float), st.integers(-9, 9).map(float), st.integers(1, 3).map(float)),
                min_size=3, max_size=9, unique_by=lambda row: row[0]))  # fmt: skip
def test_no_other_curve_fits_better(rows: list[tuple[float, float, float]]) -> None:
    """Neither a grid of bends, each with its best levels, nor scipy's search from there finds a smaller sum."""
    optimize = pytest.importorskip("scipy.optimize")
    points, weights = [(x, y) for x, y, _ in rows], [w for _, _, w in rows]
    found = fit_double_relu(points, weights)
    mine = squares(found, points, weights)

    def errors(at: Any) -> list[float]:
        start, stop = min(at[2], at[3]), max(at[2], at[3]) + 1e-9
        curve = DoubleReLU(at[0], at[1], start, stop)
        return [math.sqrt(w) * (y - curve(x)) for (x, y), w in zip(points, weights, strict=True)]

    starts = [(-0.3, 3.1), (1.2, 6.4), (0.5, 8.3), (2.6, 4.2), (3.3, 7.7), (0.2, 1.1)]
    for start, stop in starts:
        theirs = optimize.least_squares(errors, [points[0][1], points[-1][1], start, stop])
        assert mine <= 2 * theirs.cost + 1e-7


def test_a_fit_needs_points() -> None:
    with pytest.raises(UsageError, match="two different general Elos"):
        fit_double_relu([(1, 2), (1, 3)])
    with pytest.raises(UsageError, match="weight above 0"):
        fit_double_relu([(1, 2), (2, 3)], [1, 0])
    level = fit_double_relu([(1, 5), (2, 5), (3, 5)])
    assert level(0) == level(9) == 5


@pytest.mark.parametrize("steps", [0, -1, 2.0, True])
def test_a_chain_has_steps(steps: Any) -> None:
    with pytest.raises(UsageError, match="1 or more steps"):
        success(Line(1), Line(1), 400, steps)
    with pytest.raises(UsageError):
        best_steps(Line(1), Line(1), 400, most=steps)


# -- the protocol ------------------------------------------------------------------------------------------------------


def seats(guard: Curve, houdini: Curve) -> dict[str, Any]:
    return {"guard": playing(guard), "houdini": playing(houdini)}


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("game", GAMES)
def test_solving_it_gives_the_formula(game: str, steps: int) -> None:
    """Coins averaged over exactly: the guard's expected payoff v is 2 P(n) − 1."""
    guard, houdini = GAMES[game]
    protocol = moot.NestedOversight(steps=steps, gap=400, start=START)
    program = playing(guard)
    found = moot.solve(
        protocol, QUESTION, moves={"guard": lambda request: [program(request)]}, seats={"houdini": playing(houdini)}
    )
    chance = success(guard, houdini, 400, steps, START)
    assert (1 + found.value["guard"]) / 2 == pytest.approx(chance, abs=1e-9)
    assert found.value["houdini"] == pytest.approx(-found.value["guard"], abs=1e-12)
    assert found.leaves >= steps + 1


def test_a_guard_does_best_at_its_strongest() -> None:
    choices = [moot.Strength(elo=elo) for elo in (900, 1300, 1100)]
    found = moot.solve(
        moot.NestedOversight(steps=2), QUESTION, moves={"guard": lambda request: choices},
        seats={"houdini": playing(Line(0, 1200))},
    )  # fmt: skip
    assert (1 + found.value["guard"]) / 2 == pytest.approx(wins(1300, 1200) ** 2)


@pytest.mark.parametrize(("curve", "steps"), [((1, 1, -200, 500), 2), ((1, 3, -2000, 1000), 7)])
def test_plays_hold_as_often_as_the_formula_says(curve: tuple[float, ...], steps: int) -> None:
    """600 plays with different seeds; a share further off than four standard errors has a probability below 1e-4."""
    m, h, intercept, gap = curve
    guard, houdini = Line(m), Line(h, intercept)
    protocol = moot.NestedOversight(steps=steps, gap=gap)
    chance, held, plays = success(guard, houdini, gap, steps), 0, 600
    for seed in range(plays):
        outcome = moot.run(protocol, QUESTION, seats(guard, houdini), seed=seed).outcome
        assert isinstance(outcome, moot.Decided)
        held += outcome.verdict.choice == 0
        assert outcome.payoffs["guard"] == (1 if outcome.verdict.choice == 0 else -1)
    assert abs(held / plays - chance) < 4 * math.sqrt(chance * (1 - chance) / plays)


def test_the_first_lost_game_ends_the_chain() -> None:
    weak = moot.run(moot.NestedOversight(steps=5), QUESTION, seats(Line(0, -1e6), Line(0, 1e6)))
    assert [step.seat for step in weak.steps()] == ["guard", "houdini"]
    assert isinstance(weak.outcome, moot.Decided) and weak.outcome.verdict.probabilities == (0, 1)
    strong = moot.run(moot.NestedOversight(steps=5), QUESTION, seats(Line(0, 1e6), Line(0, -1e6)))
    assert len(list(strong.steps())) == 10
    turned = moot.Question("Does oversight hold?", ("no", "yes"))
    other = moot.run(moot.NestedOversight(steps=5), turned, seats(Line(0, 1e6), Line(0, -1e6)))
    assert isinstance(other.outcome, moot.Decided) and other.outcome.verdict.probabilities == (0, 1)


def test_what_the_seats_are_told() -> None:
    told: list[tuple[str, float, float]] = []

    def note(request: moot.Request) -> moot.Strength:
        told.append((request.seat, request.brief["details"]["guard"], request.brief["details"]["houdini"]))
        return moot.Strength(elo=1e6 if request.seat == "guard" else -1e6)

    moot.run(moot.NestedOversight(steps=2, start=1000, gap=300), QUESTION, {"guard": note, "houdini": note})
    assert told == [("guard", 1000, 1150), ("houdini", 1000, 1150), ("guard", 1150, 1300), ("houdini", 1150, 1300)]


def test_what_it_refuses() -> None:
    with pytest.raises(UsageError, match="needs the choices yes"):
        moot.run(moot.NestedOversight(), moot.Question("Who?", ("x", "y")), seats(Line(1), Line(1)))
    with pytest.raises(UsageError, match="steps"):
        moot.NestedOversight(steps=0)
    beyond = moot.run(moot.NestedOversight(), QUESTION, {"guard": lambda r: {"kind": "strength", "elo": math.inf},
                                                         "houdini": playing(Line(1))})  # fmt: skip
    assert isinstance(beyond.outcome, moot.Forfeited) and beyond.outcome.seat == "guard"
