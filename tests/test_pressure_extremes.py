"""Bounds at the ends of the floats: rounded outward there too, and never a traceback."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moot.complexity.pressure.bounds import (
    betting_lower,
    betting_upper,
    clopper_pearson,
    empirical_bernstein,
    hoeffding,
    importance,
)
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.ladder import plays_needed
from moot.complexity.pressure.ledger import Pressure, Row
from moot.complexity.pressure.policies import best_of, quantilized
from moot.complexity.pressure.thresholds import Chernoff, chernoff, exact_tail, gibbs_lower
from moot.protocols.engine.errors import UsageError

LEAST = math.ulp(0.0)
HALF = [1.0, 0.0, 0.25, 0.5] * 50
OF_MEANS: tuple[Callable[[list[float], float], Bound], ...] = (
    lambda values, most: betting_upper(values, 0.05, most),
    lambda values, most: betting_lower(values, 0.05),
    lambda values, most: empirical_bernstein(values, 0.05, most),
    lambda values, most: hoeffding(values, 0.05, most),
)


@pytest.mark.parametrize("bound", OF_MEANS)
@pytest.mark.parametrize("scale", [1e-320, 2.0**-1000, 1e-200, 1e200, 2.0**1000, 1.7e308])
def test_a_bound_of_a_mean_goes_along_with_its_unit(bound: Callable[[list[float], float], Bound], scale: float) -> None:
    """Squares of 1e-200 are no floats, nor is the sum of 200 values of 1e308."""
    plain, scaled = bound(HALF, 1.0), bound([scale * value for value in HALF], scale)
    for one, other in zip((plain.lower, plain.upper), (scaled.lower, scaled.upper), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert other / scale == pytest.approx(one, rel=1e-9 if scale > 1e-300 else 3e-3)


def test_a_bound_of_less_than_any_float_is_not_nothing() -> None:
    for bound in (betting_upper([0.0] * 2000, 0.05, LEAST), hoeffding([0.0] * 10**4, 0.05, LEAST)):
        assert bound.upper == LEAST
    found = importance([1.7e308] * 10, [True] * 10, 0.05)
    assert found.lower == 1
    assert importance([0.0] * 10, [True] * 10, 0.05).lower == 0 == betting_lower([LEAST, 0.0], 0.05).lower


@given(st.integers(1, 12), st.floats(-15, -1), st.data())
@example(2, -14.9, None)
@settings(max_examples=60)
def test_clopper_pearson_covers_where_delta_is_almost_1(draws: int, digits: float, data: st.DataObject | None) -> None:
    """There the tail hardly changes with p, and what rounding makes of it is all."""
    delta = 1 - 10**digits
    hits = 0 if data is None else data.draw(st.integers(0, draws))

    def tail(low: int, high: int, p: float) -> Fraction:
        q = Fraction(p)
        return sum((math.comb(draws, k) * q**k * (1 - q) ** (draws - k) for k in range(low, high + 1)), Fraction(0))

    found = clopper_pearson(hits, draws, delta)
    assert found.lower is not None and found.upper is not None
    assert found.upper == 1 or tail(0, hits, found.upper) <= Fraction(delta)
    assert found.lower == 0 or tail(hits, draws, found.lower) <= Fraction(delta)


SIZES = st.sampled_from([LEAST, 1e-300, 1e-20, 1e-10, 1.0, 3.0, 1e20, 1e300])
WEIGHTS = st.lists(
    st.tuples(st.sampled_from([-1, 1]), SIZES, st.sampled_from([0.0, 1e-12, 0.3, 0.9, 1 - 1e-12, 1.0])), max_size=4
)


@given(WEIGHTS, st.data())
@example([(1, 1e300, 1.0), (-1, 1e300, 1.0), (1, 1e-10, 0.3)], None)
@example([(1, LEAST, 0.3)] * 3, None)
@settings(max_examples=150)
def test_the_chernoff_bound_holds_of_weights_of_any_size(
    parts: list[tuple[int, float, float]], data: st.DataObject | None
) -> None:
    weights, chances = [sign * size for sign, size, _ in parts], [p for *_, p in parts]
    inputs = list(itertools.product((0, 1), repeat=len(parts)))
    at = inputs[-1] if data is None else data.draw(st.sampled_from(inputs))
    tau = math.fsum(w * x for w, x in zip(weights, at, strict=True))
    truth = sum(
        (
            math.prod(
                (Fraction(p) if x else 1 - Fraction(p) for x, p in zip(each, chances, strict=True)), start=Fraction(1)
            )
            for each in inputs
            if sum((Fraction(w) * x for w, x in zip(weights, each, strict=True)), Fraction(0)) >= Fraction(tau)
        ),
        Fraction(0),
    )
    found = chernoff(weights, tau, chances)
    assert found.upper is not None and Fraction(found.upper) >= truth
    assert all(map(math.isfinite, found.gradient))


def test_a_chernoff_bound_of_few_digits_is_rounded_up() -> None:
    p = 2.71e-162  # whose square, one and a half of the least float, is nearer to the float below it
    found, exact = chernoff([1, 1], 2, [p, p]), exact_tail([1, 1], 2, [p, p])
    assert found.upper is not None and Fraction(found.upper) >= Fraction(p) ** 2 > Fraction(exact.upper or 0.0)
    assert exact_tail([1, 1], 2, [1e-200, 1e-200]).upper == LEAST and exact_tail([1, 1], 2, [1e-200, 0]).upper == 0
    assert exact_tail([-1, -1], 0, [1, 0.5]).upper == 0 and exact_tail([], 0, []).upper == 1
    assert gibbs_lower({0: 1.0}, {0: LEAST, 1: 1.0}, lambda _: 1.0).lower == 0


def test_what_no_float_holds_is_refused() -> None:
    for weights, tau in (([1e308, 1e308], 1.0), ([1], 10**400), ([10**400], 1)):
        with pytest.raises(UsageError, match="finite sum"):
            chernoff(weights, tau, [0.5] * len(weights))
    for refused in (lambda: clopper_pearson(0, 10**400, 0.05), lambda: best_of({0: 1.0}, 10**400, float)):
        with pytest.raises(UsageError, match="no more than 1e300"):
            refused()
    with pytest.raises(UsageError, match="give a limit"):
        plays_needed(1e-310, 0.05)


def test_a_bet_is_on_one_mean() -> None:
    """Values that are not drawn at all: strata one behind the other, whose mean is .03, and then dealt out."""
    strata = [0.0] * 360 + [0.3] * 40
    assert (
        (betting_upper(strata, 0.05, 1).upper or 1)
        < 0.02
        < 0.03
        < (betting_upper(strata[::10] * 10, 0.05, 1).upper or 0)
    )
    assert (hoeffding(strata, 0.05, 1).upper or 0) > 0.03  # by their range alone, in any order and of any means


def test_what_is_infinite_is_not_written_down_as_unknown() -> None:
    never = chernoff([1], 2, [0.5])
    assert Chernoff.model_validate_json(never.model_dump_json()) == never and never.log_upper == -math.inf
    row = Row(step="0", seat="a", kl=math.inf, ratio=math.inf, kind="exact")
    found = Pressure(rows=(row,), seats=(), others=(), estimate=math.inf, certificate=None)
    assert Pressure.model_validate_json(found.model_dump_json()) == found


@given(st.lists(st.floats(-18, 0), min_size=2, max_size=4), st.integers(1, 40), st.data())
@settings(max_examples=60)
def test_ratios_are_right_however_rare_an_outcome_is(sizes: list[float], n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    weights = [10**size for size in sizes]
    base = {place: weight / math.fsum(weights) for place, weight in enumerate(weights)}
    whole = sum(map(Fraction, base.values()))

    def best(share: Fraction) -> Fraction:
        """Of the best k of n draws, the expected share in the upper share of their law."""
        chances = (math.comb(n, many) * share**many * (1 - share) ** (n - many) * min(many, k) for many in range(n + 1))
        return sum(chances, Fraction(0)) / k

    found, above = quantilized(base, n, k, float), Fraction(0)
    for place in reversed(base):
        share = Fraction(base[place]) / whole
        assert abs(Fraction(found[place]) - (best(above + share) - best(above))) / share <= 1e-12 * n / k
        above += share
