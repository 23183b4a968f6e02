"""Bounds from samples: that they hold as often as they say, exactly where every sample can be listed, and by simulation
against an enumerated truth; and that the intervals which are not offered do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from random import Random
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moot.complexity.pressure.binomials import at_least, at_most, best_share, deviance, mass
from moot.complexity.pressure.bounds import (
    betting_lower,
    betting_upper,
    black_box_floor,
    clopper_pearson,
    empirical_bernstein,
    enumerated,
    hoeffding,
    importance,
)  # fmt: skip
from moot.complexity.pressure.kinds import Bound
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.binomial import distribution

FEW = settings(deadline=None, max_examples=25)
levels = st.sampled_from([1e-9, 0.01, 0.05, 0.3, 0.5, 0.9])


def upper(bound: Bound) -> float:
    assert bound.upper is not None
    return bound.upper


def lower(bound: Bound) -> float:
    assert bound.lower is not None
    return bound.lower


def tail(n: int, low: int, high: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(low, high + 1)), Fraction(0))


@FEW
@given(st.integers(1, 50), st.floats(0, 1), st.data())
def test_binomial_tails_are_those_of_fractions(n: int, p: float, data: st.DataObject) -> None:
    count, chance = data.draw(st.integers(0, n)), Fraction(p)
    k = data.draw(st.integers(1, n))
    mean = sum((min(k, i) * tail(n, i, i, chance) for i in range(n + 1)), Fraction(0)) / k
    for found, exact in (
        (mass(count, n, p), tail(n, count, count, chance)),
        (at_most(count, n, p), tail(n, 0, count, chance)),
        (at_least(count, n, p), tail(n, count, n, chance)),
        (best_share(p, n, k), mean),
    ):
        assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-300 if exact < 0.5 else 1e-12)


@FEW
@given(st.floats(1e-3, 1e7), st.floats(-1e-3, 1e-3))
def test_deviance_keeps_its_digits_where_both_are_close(a: float, apart: float) -> None:
    b = a * (1 + apart)
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(a) * (Decimal(a) / Decimal(b)).ln() - Decimal(a) + Decimal(b)
    assert deviance(a, b) == pytest.approx(float(exact), rel=1e-12)


def test_tails_of_ten_million_trials() -> None:
    """Held against logarithms of factorials, which are that coarse."""
    for p in (1e-6, 3e-4, 0.5):
        known = distribution(10**7, p)
        for count in (known.low, int(10**7 * p), int(10**7 * p + 3 * math.sqrt(10**7 * p))):
            assert at_most(count, 10**7, p) == pytest.approx(known.between(-1, count + 0.5), rel=1e-6, abs=1e-20)
            assert at_most(count, 10**7, p) + at_least(count + 1, 10**7, p) == pytest.approx(1, abs=1e-12)


@FEW
@given(st.integers(1, 40), levels, st.data())
def test_clopper_pearson_stands_where_the_tail_is_delta(draws: int, delta: float, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, draws))
    found, allowed = clopper_pearson(hits, draws, delta), Fraction(delta)
    high, low = Fraction(upper(found)), Fraction(lower(found))
    if hits < draws:
        assert tail(draws, 0, hits, high) <= allowed < tail(draws, 0, hits, high * (1 - Fraction(1, 10**11)))
    else:
        assert high == 1
    if hits:
        assert tail(draws, hits, draws, low) <= allowed < tail(draws, hits, draws, low * (1 + Fraction(1, 10**11)))
    else:
        assert low == 0


@FEW
@given(st.integers(1, 30), levels, st.floats(0, 1))
def test_clopper_pearson_covers_whatever_the_truth_is(draws: int, delta: float, p: float) -> None:
    found = [clopper_pearson(hits, draws, delta) for hits in range(draws + 1)]
    chances = [tail(draws, hits, hits, Fraction(p)) for hits in range(draws + 1)]
    assert sum(each for each, bound in zip(chances, found, strict=True) if upper(bound) < p) <= delta
    assert sum(each for each, bound in zip(chances, found, strict=True) if lower(bound) > p) <= delta


@pytest.mark.parametrize(
    ("hits", "draws"), [(0, 10**7), (1, 10**7), (3000, 10**7), (5_000_000, 10**7), (10**7 - 1, 10**7)]
)
def test_clopper_pearson_of_ten_million_draws(hits: int, draws: int) -> None:
    for delta in (0.05, 1e-6):
        found = clopper_pearson(hits, draws, delta)
        assert lower(found) <= hits / draws < upper(found)
        # Near 1 the steps of a float are that coarse.
        assert distribution(draws, upper(found)).between(-1, hits + 0.5) == pytest.approx(delta, rel=5e-3)
        if hits:
            assert distribution(draws, lower(found)).between(hits - 0.5, draws + 1) == pytest.approx(delta, rel=1e-4)


def test_bounds_to_the_digits() -> None:
    for draws, known in ((59, 0.049508), (100, 0.029513), (299, 0.009969), (1000, 0.00299125), (10_000, 0.00029953)):
        assert upper(clopper_pearson(0, draws, 0.05)) == pytest.approx(known, rel=2e-5)
        assert upper(clopper_pearson(0, draws, 0.05)) == pytest.approx(black_box_floor(draws, 0.05), rel=1e-11)
    assert upper(clopper_pearson(0, 1000, 0.025)) == pytest.approx(0.00368, abs=6e-6)  # both sides at once
    assert upper(clopper_pearson(0, 2000, 0.05)) == pytest.approx(0.0014967, abs=6e-8)
    assert upper(clopper_pearson(0, 150, 0.05)) == pytest.approx(0.0198, abs=6e-5)
    assert black_box_floor(2000, 0.05, 0.1) == pytest.approx(0.0149674, abs=6e-8)
    none = [0.0] * 2000
    assert upper(empirical_bernstein(none, 0.05, 10)) == pytest.approx(0.0430585, abs=6e-8)
    assert upper(empirical_bernstein(none, 0.05, 10)) == pytest.approx(7 * 10 * math.log(40) / (3 * 1999))
    # A world of 2^20 inputs, 96 of them bad, of which 2000 draws most probably show none.
    p = (2**6 + 2**5) / 2**20
    assert -math.expm1(2000 * math.log1p(-p)) == pytest.approx(0.1673, abs=6e-5)
    ratios = {
        16: clopper_pearson(0, 2000, 0.05), 22: betting_upper(none, 0.05, 1), 470: empirical_bernstein(none, 0.05, 10),
        2989: hoeffding(none, 0.05, 10), 221: betting_upper(none, 0.05, 10),
    }  # fmt: skip
    for ratio, bound in ratios.items():
        assert upper(bound) / p == pytest.approx(ratio, abs=0.6)


def test_weights_from_a_tilt_to_the_digits() -> None:
    """All of 20 fair bits are 1, drawn with .9 each: the law of the bound is that of the number of hits, listed."""
    p, weight = 2.0**-20, (0.5 / 0.9) ** 20
    for draws, median in ((500, 0.647), (2000, 0.818)):
        chance, held, below, middle = 0.9**20, 0.0, 0.0, None
        for hits in range(draws // 4):
            share = mass(hits, draws, chance)
            if share < 1e-9:
                below += share
                continue
            bound = lower(betting_lower([weight] * hits + [0.0] * (draws - hits), 0.05))
            held += share if bound <= p else 0
            if middle is None and below + share >= 0.5:
                middle = bound
            below += share
        assert middle is not None and middle / p == pytest.approx(median, abs=6e-4)
        assert below == pytest.approx(1, abs=1e-6) and held >= 0.99


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[float], list[float], float]:
    """A law on up to three values, skewed or not, and a delta at which bounds do fail now and then."""
    values = draw(st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0]), min_size=2, max_size=3, unique=True))
    weights = [draw(st.sampled_from([1, 5, 50])) for _ in values]
    return values, [weight / sum(weights) for weight in weights], draw(st.sampled_from([0.1, 0.3, 0.6]))


def listed(values: list[float], chances: list[float], draws: int) -> Iterator[tuple[list[float], float]]:
    for places in product(range(len(values)), repeat=draws):
        yield [values[i] for i in places], math.prod(chances[i] for i in places)


@settings(deadline=None, max_examples=8)
@given(samples())
@example(([0.0, 4.0], [0.5, 0.5], 0.6))
@example(([0.0, 4.0], [1 / 6, 5 / 6], 0.1))
def test_bounds_of_means_cover_exactly(given_: tuple[list[float], list[float], float]) -> None:
    """Every sample of 5 is listed, in its order, so that there is no error of simulation."""
    values, chances, delta = given_
    truth = math.fsum(value * chance for value, chance in zip(values, chances, strict=True))
    failed = dict.fromkeys(
        ("betting", "from below", "Bernstein", "Bernstein below", "Hoeffding", "Hoeffding below"), 0.0
    )
    for drawn, share in listed(values, chances, 5):
        bernstein, hoeffdings = empirical_bernstein(drawn, delta, 4), hoeffding(drawn, delta, 4)
        for name, wrong in (
            ("betting", upper(betting_upper(drawn, delta, 4)) < truth * (1 - 1e-9)),
            ("from below", lower(betting_lower(drawn, delta)) > truth * (1 + 1e-9)),
            ("Bernstein", upper(bernstein) < truth), ("Bernstein below", lower(bernstein) > truth),
            ("Hoeffding", upper(hoeffdings) < truth), ("Hoeffding below", lower(hoeffdings) > truth),
        ):  # fmt: skip
            failed[name] += share * wrong
    assert max(failed.values()) <= delta, failed


def test_bounds_by_variance_and_range_cover_where_both_matter() -> None:
    draws, failed = 300, [0.0, 0.0]
    for ones in range(draws + 1):
        values = [1.0] * ones + [0.0] * (draws - ones)
        for i, bound in enumerate((empirical_bernstein(values, 0.05, 1), hoeffding(values, 0.05, 1))):
            failed[i] += mass(ones, draws, 0.5) * (upper(bound) < 0.5)
    assert max(failed) <= 0.05
    half = upper(empirical_bernstein([0.0, 1.0] * 150, 0.05, 1)) - 0.5
    assert half == pytest.approx(math.sqrt(2 * (75 / 299) * math.log(40) / 300) + 7 * math.log(40) / (3 * 299))


def test_sorted_values_let_the_bets_see_ahead() -> None:
    """Whence the order in which they were drawn: the same draws in the worst order bound nothing."""
    values, delta = [0.0, 1.0], 0.3
    truth, failed = 0.25, 0.0
    for drawn, share in listed(values, [0.75, 0.25], 9):
        failed += share * (upper(betting_upper(sorted(drawn), delta, 1)) < truth)
    assert failed > delta


# A world of 2^16 inputs, drawn uniformly. What is bad lies in two places, and a proposal that was fitted to one finds it alone.
BITS, DRAWS, DELTA, MIXTURE, REPETITIONS = 16, 300, 0.05, 0.1, 100
TILTED = np.array([0.85] * 10 + [0.5] * 6)


def bad(x: Any) -> Any:
    near = x[:, :10].all(1) & (x[:, 10:].sum(1) % 2 == 0)
    far = ~x[:, :11].any(1) & (x[:, 11] | x[:, 12])
    return near | far


def weights(x: Any) -> Any:
    """Of the uniform law over the tilted one."""
    return np.where(x, 0.5 / TILTED, 0.5 / (1 - TILTED)).prod(1)


WORLD = ((np.arange(2**BITS)[:, None] >> np.arange(BITS)) & 1).astype(bool)
TRUTH = float(bad(WORLD).mean())


def normal(values: list[float]) -> Bound:
    """What is not offered."""
    return Bound.model_construct(
        kind="none", upper=fmean(values) + NormalDist().inv_cdf(1 - DELTA) * stdev(values) / math.sqrt(len(values))
    )


def test_coverage_in_an_enumerated_world() -> None:
    """Repeated 100 times; how often each held is itself known to within a Clopper-Pearson interval at 1e-6."""
    stream, held = np.random.default_rng(7), dict[str, int]()

    def note(name: str, holds: bool) -> None:
        held[name] = held.get(name, 0) + holds

    for _ in range(REPETITIONS):
        plain = bad(stream.random((DRAWS, BITS)) < 0.5)
        zeros_and_ones = [float(hit) for hit in plain]
        note("Clopper-Pearson", upper(clopper_pearson(int(plain.sum()), DRAWS, DELTA)) >= TRUTH)
        note("Clopper-Pearson below", lower(clopper_pearson(int(plain.sum()), DRAWS, DELTA)) <= TRUTH)
        note("betting", upper(betting_upper(zeros_and_ones, DELTA, 1)) >= TRUTH)
        note("NORMAL", upper(normal(zeros_and_ones)) >= TRUTH)

        one_mode = stream.random((DRAWS, BITS)) < TILTED
        values = np.where(hits := bad(one_mode), weights(one_mode), 0.0).tolist()
        note("ONE MODE, NORMAL", upper(normal(values)) >= TRUTH)
        note("importance", lower(importance(weights(one_mode).tolist(), hits.tolist(), DELTA)) <= TRUTH)

        anchors = stream.random(DRAWS) < MIXTURE
        mixed = stream.random((DRAWS, BITS)) < np.where(anchors[:, None], 0.5, TILTED)
        both = 1 / (MIXTURE + (1 - MIXTURE) / weights(mixed))
        values = np.where(hits := bad(mixed), both, 0.0).tolist()
        note("mixture, betting", upper(betting_upper(values, DELTA, 1 / MIXTURE)) >= TRUTH)
        note("mixture, empirical Bernstein", upper(empirical_bernstein(values, DELTA, 1 / MIXTURE)) >= TRUTH)
        note("mixture, Hoeffding", upper(hoeffding(values, DELTA, 1 / MIXTURE)) >= TRUTH)
        note("mixture, below", lower(importance(both.tolist(), hits.tolist(), DELTA)) <= TRUTH)
        note("MIXTURE, NORMAL", upper(normal(values)) >= TRUTH)
    for name, count in held.items():
        at_best = upper(clopper_pearson(count, REPETITIONS, 1e-6))
        assert (at_best < 1 - DELTA) == name.isupper(), (name, count)
    # The normal bound from plain draws is 0 at no hit, and holds at one and more: its coverage has a closed form.
    seen = -math.expm1(DRAWS * math.log1p(-TRUTH))
    around = clopper_pearson(held["NORMAL"], REPETITIONS, 1e-6)
    assert lower(around) <= seen <= upper(around)


def test_an_enumerated_event_is_exact() -> None:
    found = enumerated(dict.fromkeys(range(2**10), 2.0**-10), lambda x: x % 3 == 0)
    assert found.kind == "exact" and found.lower == found.estimate == found.upper == 342 / 1024 and found.delta is None
    assert round(TRUTH * 2**BITS) == 2**5 + 3 * 2**3


@FEW
@given(st.lists(st.integers(0, 9), min_size=2, max_size=40).filter(any), st.data())
def test_every_proposal_overlooks_something(parts: list[int], data: st.DataObject) -> None:
    """Of cells equally probable under the anchor, the u-share that a proposal finds least: it misses them all with at least
    (1 - u)^draws, so that a bound which then lies below the floor fails more often than delta."""
    cells, draws, delta = len(parts), data.draw(st.integers(1, 50)), data.draw(levels)
    least = sorted(parts)[: data.draw(st.integers(1, cells))]
    u, found = len(least) / cells, sum(least) / sum(parts)
    assert found <= u + 1e-12
    if u < black_box_floor(draws, delta) * (1 - 1e-9):
        assert (1 - found) ** draws > delta


def test_not_even_a_search_goes_below_the_floor() -> None:
    """Cells at random, and a search that looks where it has not looked: it misses hardly less often than independent draws do."""
    draws, delta, cells = 20, 0.05, 10**6
    u = black_box_floor(draws, delta) * 0.999
    members = int(u * cells)
    missed = math.prod((cells - members - i) / (cells - i) for i in range(draws))
    assert delta < missed < (1 - u) ** draws * (1 + 1e-4)
    strata = [0.5, 0.3, 0.2]  # a bound for each, the draws dealt out as well as can be
    assert sum(map(math.sqrt, strata)) ** 2 >= 1 and sum(map(math.sqrt, [1.0, 0.0])) ** 2 == 1


def test_a_lower_bound_says_nothing_from_above() -> None:
    """A proposal that misses a mode is certain of too little, and its bound from below still holds."""
    found = importance([0.02] * 50 + [1.0] * 50, [True] * 50 + [False] * 50, 0.05)
    assert found.kind == "lower only" and found.upper is None and 0 < lower(found) < 0.01
    assert lower(betting_lower([0.0] * 9, 0.05)) == 0 and lower(betting_lower([1e300, 0, 0], 0.05)) < 1e300
    assert lower(importance([1e9] * 40, [True] * 40, 0.05)) == 1
    random = Random(3)
    drawn = [random.expovariate(1) for _ in range(400)]
    found, turned = betting_lower(drawn, 0.05), betting_lower(drawn[::-1], 0.05)
    assert 0.7 < lower(found) < 1 and lower(found) == pytest.approx(lower(turned))


@pytest.mark.parametrize("delta", [0, 1, -0.1, math.nan, 5, True, "0.05", None])
def test_delta_is_a_probability(delta: Any) -> None:
    for bound in (
        lambda: clopper_pearson(0, 5, delta), lambda: betting_upper([0.0], delta, 1), lambda: betting_lower([0.0], delta),
        lambda: importance([1.0], [True], delta), lambda: empirical_bernstein([0.0, 0.0], delta, 1), lambda: hoeffding([0.0], delta, 1),
        lambda: black_box_floor(5, delta),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="delta is"):
            bound()


@pytest.mark.parametrize(
    ("bad_call", "says"),
    [
        (lambda: clopper_pearson(6, 5, 0.05), "6 hits in 5 draws"), (lambda: clopper_pearson(0, 0, 0.05), "draws is 0"),
        (lambda: clopper_pearson(-1, 5, 0.05), "hits is -1"), (lambda: clopper_pearson(True, 5, 0.05), "hits is True"),
        (lambda: clopper_pearson(0.5, 5, 0.05), "hits is 0.5"),  # type: ignore[arg-type]
        (lambda: betting_upper([], 0.05, 1), "no values"), (lambda: betting_upper([0.5, 1.5], 0.05, 1), "value 1 is 1.5"),
        (lambda: betting_upper([0.5], 0.05, math.inf), "the most"), (lambda: hoeffding([0.5], 0.05, 0), "the most"),
        (lambda: betting_lower([-1], 0.05), "value 0 is -1"), (lambda: betting_lower([math.inf], 0.05), "value 0 is inf"),
        (lambda: betting_lower([math.nan], 0.05), "value 0 is nan"), (lambda: betting_lower([], 0.05), "no values"),
        (lambda: empirical_bernstein([0.5], 0.05, 1), "two values"), (lambda: importance([1.0], [], 0.05), "1 weights and 0 hits"),
        (lambda: importance([1.0], [0.5], 0.05), "True or False"), (lambda: importance([-1.0], [False], 0.05), "value 0 is -1"),  # type: ignore[list-item]
        (lambda: black_box_floor(0, 0.05), "draws is 0"), (lambda: black_box_floor(5, 0.05, 0), "mixture"),
        (lambda: black_box_floor(5, 0.05, 1.5), "mixture"),
    ],
)  # fmt: skip
def test_what_cannot_be_bounded_is_refused(bad_call: Callable[[], Bound], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bad_call()
