"""Binomial numbers are drawn as they should be, held against exact probabilities."""

from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.binomial import binomial, distribution, near


def exact(n: int, count: int, p: Fraction) -> float:
    return float(comb(n, count) * p**count * (1 - p) ** (n - count))


@pytest.mark.parametrize(
    ("n", "p"),
    [(1, "1/2"), (7, "1/3"), (9, "9/10"), (40, "1/2"), (40, "4/5"), (200, "3/100"), (400, "1/3"), (60, "1/6")],
)
def test_draws_have_the_exact_distribution(n: int, p: str) -> None:
    """A chi-squared test with a fixed seed, over counts that are expected 8 times and more; the others are one class."""
    chance, draws, random = Fraction(p), 20_000, Random(f"{n} {p}")
    counts = [0] * (n + 1)
    for _ in range(draws):
        counts[binomial(random, n, float(chance))] += 1
    expected = [draws * exact(n, count, chance) for count in range(n + 1)]
    kept = [count for count in range(n + 1) if expected[count] >= 8]
    rest = sum(counts) - sum(counts[count] for count in kept)
    rest_expected = max(draws - sum(expected[count] for count in kept), 1e-9)
    squared = sum((counts[count] - expected[count]) ** 2 / expected[count] for count in kept)
    if rest_expected >= 1:
        squared += (rest - rest_expected) ** 2 / rest_expected
    free = len(kept)
    assert squared < free + 5 * sqrt(2 * free) + 5, (squared, free)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10**7), st.floats(0, 1), st.integers(0, 99))
def test_draws_lie_where_they_can_and_near_the_mean(n: int, p: float, seed: int) -> None:
    drawn = binomial(Random(seed), n, p)
    assert 0 <= drawn <= n
    assert abs(drawn - n * p) <= 12 * sqrt(n * p * (1 - p)) + 40
    assert drawn == binomial(Random(seed), n, p)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.fractions(0, 1, max_denominator=40), st.integers(-2, 62), st.integers(-2, 62))
def test_probabilities_are_exact(n: int, p: Fraction, low: int, high: int) -> None:
    drawn = distribution(n, float(p))
    expected = sum(exact(n, count, p) for count in range(max(0, low + 1), min(n, high - 1) + 1))
    assert drawn.between(low, high) == pytest.approx(expected, abs=1e-12)
    assert sum(drawn.mass) == pytest.approx(1)


def test_means_near_a_claim() -> None:
    assert near(10, 0.5, 0.5, 0.05) == pytest.approx(252 / 1024)
    assert near(10, 0.5, 0.5, 0.1) == pytest.approx(252 / 1024)  # nearer than, not as near as
    assert near(10, 0.5, 0.5, 0.11) == pytest.approx((252 + 420) / 1024)
    assert near(100_000, 0.5, 0.9, 0.1) == 0.0


def test_the_ends_and_what_is_no_distribution() -> None:
    random = Random(1)
    assert binomial(random, 0, 0.5) == 0 and binomial(random, 9, 0.0) == 0 and binomial(random, 9, 1.0) == 9
    for n, p in ((-1, 0.5), (10**12 + 1, 0.5), (3, 1.5), (3, -0.1), (3, float("nan"))):
        with pytest.raises(UsageError, match="binomial"):
            binomial(random, n, p)
        with pytest.raises(UsageError, match="binomial"):
            distribution(n, p)
