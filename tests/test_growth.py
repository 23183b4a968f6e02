"""Fits of growth: exact on exact data, covering on noisy data, and clear about what they cannot fit."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.estimates import _T95, exponential_growth, growth, polynomial_growth


@settings(deadline=None)
@given(st.floats(0.2, 5), st.floats(1, 50))
def test_a_polynomial_is_found(degree: float, factor: float) -> None:
    sizes = [2, 3, 5, 8, 13, 21]
    counts = [factor * n**degree for n in sizes]
    fit = polynomial_growth(sizes, counts)
    assert math.isclose(fit.rate, degree, rel_tol=1e-9, abs_tol=1e-9) and fit.low <= fit.rate <= fit.high
    assert growth(sizes, counts).kind == "polynomial"


@settings(deadline=None)
@given(st.floats(1.2, 4), st.floats(1, 50))
def test_an_exponential_is_found(rate: float, factor: float) -> None:
    sizes = [2, 3, 5, 8, 13, 21]
    counts = [factor * rate**n for n in sizes]
    fit = exponential_growth(sizes, counts)
    assert math.isclose(fit.rate, rate, rel_tol=1e-9)
    assert growth(sizes, counts).kind == "exponential"


def test_the_unmemoised_tableau_grows_by_one_plus_root_two() -> None:
    a, b, counts = 1, 1, []
    for _ in range(30):
        a, b = 1 + a + 2 * b, 1 + a + b
        counts.append(a)
    assert counts[:5] == [4, 11, 28, 69, 168] and counts[19] == 93222357
    assert math.isclose(exponential_growth(range(15, 31), counts[14:]).rate, 1 + math.sqrt(2), rel_tol=1e-6)


def test_the_interval_covers_as_often_as_it_says() -> None:
    random, sizes, covered = Random(1), list(range(4, 14)), 0
    for _ in range(400):
        counts = [n**2 * math.exp(random.gauss(0, 0.1)) for n in sizes]
        fit = polynomial_growth(sizes, counts)
        covered += fit.low <= 2 <= fit.high
    assert 0.92 <= covered / 400 <= 0.98  # three standard errors around 95 %


@pytest.mark.parametrize(
    "sizes, counts", [([1, 2], [1, 2]), ([2, 2, 2], [1, 2, 3]), ([0, 1, 2], [1, 2, 3]), ([1, 2, 3], [0, 1, 2])]
)
def test_what_cannot_be_fitted_is_refused(sizes: list[int], counts: list[int]) -> None:
    with pytest.raises(moot.UsageError, match="a fit"):
        growth(sizes, counts)


def test_counts_beyond_every_float_are_fitted_and_infinite_ones_refused() -> None:
    fit = exponential_growth([1, 2, 3], [2, 2**3000, 2**9000])
    assert fit.high == math.inf and fit.rate > 1 > fit.low >= 0
    for bad in (math.inf, math.nan, 0):
        with pytest.raises(moot.UsageError, match="of at least 1"):
            exponential_growth([1, 2, 3], [1, 2, bad])


def test_intervals_are_those_of_student() -> None:
    """The quantiles, by another's table."""
    stats = pytest.importorskip("scipy.stats")
    expected = [stats.t.ppf(0.975, free) for free in range(1, len(_T95) + 1)]
    assert _T95 == pytest.approx(expected, abs=6e-4) and len(_T95) >= 30
