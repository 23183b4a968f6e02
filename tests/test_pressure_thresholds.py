"""Threshold models: counted exactly, and bounded without a draw; and adversaries as bounds from below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.pressure.policies import condition
from moot.complexity.pressure.thresholds import chernoff, count, exact_tail, gibbs_lower
from moot.protocols.engine.errors import UsageError

FEW = settings(deadline=None, max_examples=40)
chances = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))


def listed(weights: Sequence[float], tau: float, ps: Sequence[float]) -> Fraction:
    """Without rounding."""
    total = Fraction(0)
    for x in product((0, 1), repeat=len(weights)):
        if sum(Fraction(w) for w, on in zip(weights, x, strict=True) if on) >= Fraction(tau):
            total += math.prod(Fraction(p) if on else 1 - Fraction(p) for p, on in zip(ps, x, strict=True))
    return total


@FEW
@given(st.lists(st.tuples(st.integers(-6, 6), chances), max_size=8), st.integers(-20, 20))
def test_counting_is_listing(model: list[tuple[int, float]], tau: int) -> None:
    weights, ps = [w for w, _ in model], [p for _, p in model]
    found = exact_tail(weights, tau, ps)
    assert found.kind == "exact" and found.delta is None and found.lower == found.upper == found.estimate
    assert found.estimate == pytest.approx(float(listed(weights, tau, ps)), rel=1e-12, abs=1e-300)
    assert count(weights, tau) == listed(weights, tau, [0.5] * len(weights)) * 2 ** len(weights)


@FEW
@given(st.lists(st.tuples(st.one_of(st.integers(-6, 6), st.floats(-5, 5)), chances), max_size=8), st.floats(-20, 20))
def test_the_chernoff_bound_is_never_below_the_truth(model: list[tuple[float, float]], tau: float) -> None:
    """Real weights too, also where the threshold is the most that can be reached."""
    weights, ps = [w for w, _ in model], [p for _, p in model]
    for threshold in (tau, math.fsum(w for w in weights if w > 0), math.fsum(weights)):
        found, truth = chernoff(weights, threshold, ps), listed(weights, threshold, ps)
        assert found.kind == "valid bound" and found.delta is None and found.upper is not None
        assert Fraction(found.upper) >= truth and found.tilt >= 0 and found.log_upper <= 0


def test_chernoff_to_the_digits() -> None:
    for n, tau, p, exact, ratio in (
        (20, 20, 0.5, 2.0**-20, 1.00), (64, 56, 0.5, 2.7813e-10, 5.78), (64, 50, 0.3, 2.6367e-15, 7.37), (200, 150, 0.5, 4.1965e-13, 10.35),
    ):  # fmt: skip
        truth, bound = exact_tail([1] * n, tau, [p] * n).estimate, chernoff([1] * n, tau, [p] * n)
        assert truth == pytest.approx(exact, rel=2e-5) and bound.upper is not None and truth is not None
        assert bound.upper / truth == pytest.approx(ratio, abs=6e-3)
        assert bound.tilted == pytest.approx([tau / n] * n)
    # A normal approximation, continuity correction and all, is no bound.
    normal = 0.5 * math.erfc((49.5 - 64 * 0.3) / math.sqrt(64 * 0.3 * 0.7) / math.sqrt(2))
    assert normal == pytest.approx(6.985e-17, rel=1e-3) and 2.6367e-15 / normal == pytest.approx(38, abs=0.5)


def test_the_gradient_of_the_bound() -> None:
    weights = [float(w) for w in np.random.default_rng(0).integers(-9, 10, 64)]
    found, step = chernoff(weights, 150, [0.5] * 64), 1e-5
    assert found.gradient[3] == pytest.approx(0.0467015, abs=2e-7)
    for i in range(0, 64, 7):
        sides = [
            chernoff([w + sign * step * (j == i) for j, w in enumerate(weights)], 150, [0.5] * 64) for sign in (1, -1)
        ]
        assert found.gradient[i] == pytest.approx((sides[0].log_upper - sides[1].log_upper) / (2 * step), abs=1e-7)
        assert found.gradient[i] == found.tilt * found.tilted[i]
    # Downhill is down, and the bound goes on holding.
    for _ in range(200):
        found = chernoff(weights, 150, [0.5] * 64)
        if found.log_upper < math.log(1e-12):
            break
        weights = [w - 0.3 * g for w, g in zip(weights, found.gradient, strict=True)]
    assert found.log_upper < math.log(1e-12)
    fewer = exact_tail([math.floor(w) for w in weights], 150, [0.5] * 64).estimate or 0.0
    assert fewer <= math.exp(found.log_upper)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_chernoff_at_the_ends(scale: float) -> None:
    never = chernoff([scale, -scale], 1.5 * scale, [0.5, 0.5])
    assert never.upper == 0 and never.log_upper == -math.inf and never.gradient == (0, 0)
    always = chernoff([scale] * 4, scale, [0.5] * 4)
    assert (always.upper, always.log_upper, always.tilt, always.gradient) == (1, 0, 0, (0, 0, 0, 0))
    top = chernoff([scale, scale, -scale], 2 * scale, [0.1, 0.2, 0.3])
    assert top.upper is not None and 0.014 <= top.upper * (1 + 1e-15) and top.upper == pytest.approx(0.014, rel=1e-6)
    certain = chernoff([scale, scale, scale], 2 * scale, [1, 0.001, 0])
    assert certain.upper == pytest.approx(0.001, rel=1e-6)
    assert chernoff([], 1, []).upper == 0 and chernoff([], 0, []).upper == 1


def test_what_is_almost_certain_keeps_its_digits() -> None:
    """Three of four inputs that are 1 but for 1e-12 have to be 0."""
    p = 1 - 2.0**-40
    found = chernoff([-1] * 4, -1, [p] * 4)
    moment = 2.0**-40 + p * math.exp(-found.tilt)
    assert found.log_upper == pytest.approx(4 * math.log(moment) + found.tilt, rel=1e-12)
    assert exact_tail([-1] * 4, -1, [p] * 4).estimate == pytest.approx(4 * 2.0**-120, rel=1e-9)


def test_less_than_any_float_is_not_nothing() -> None:
    found = chernoff([1] * 5000, 5000, [0.5] * 5000)
    assert found.upper == math.ulp(0.0) and found.log_upper == pytest.approx(-5000 * math.log(2))
    assert count([1] * 300, 300) == 1 and count([1] * 300, 0) == 2**300


def test_counting_takes_few_sums_of_large_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moot.complexity.pressure.thresholds.MOST_SUMS", 2**12)
    assert count([10**30 * 2**i for i in range(12)], 10**30 * 2**11) == 2**11
    with pytest.raises(UsageError, match="too many to count; take chernoff"):
        count([2**i for i in range(13)], 0)


shares = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)
risks = st.lists(st.sampled_from([0.0, 1e-9, 0.01, 0.5, 1.0]), min_size=4, max_size=4)


@FEW
@given(shares, shares, risks)
def test_any_adversary_bounds_from_below(parts: list[int], attack: list[int], risk: list[float]) -> None:
    base = {i: part / sum(parts) for i, part in enumerate(parts)}
    truth = math.fsum(base[i] * risk[i] for i in base)
    found = gibbs_lower({i: part / sum(attack) for i, part in enumerate(attack)}, base, risk.__getitem__)
    assert found.kind == "lower only" and found.upper is None and found.lower is not None and found.lower <= truth
    if truth:
        best = gibbs_lower({i: base[i] * risk[i] / truth for i in base}, base, risk.__getitem__)
        assert best.lower == pytest.approx(truth, rel=1e-6)
    # An adversary that names a predicate, and leaves the base as it is within it.
    named = condition(base, lambda i: base[i] * risk[i] > 0) if truth else {}
    if named:
        size = math.fsum(base[i] for i in named)
        mean = math.fsum(named[i] * math.log(risk[i]) for i in named)
        assert gibbs_lower(named, base, risk.__getitem__).lower == pytest.approx(size * math.exp(mean), rel=1e-6)
        assert size * math.exp(mean) <= size * math.fsum(named[i] * risk[i] for i in named) * (1 + 1e-9)


def test_an_adversary_outside_the_base_shows_nothing() -> None:
    assert gibbs_lower({"new": 1.0}, {"a": 1.0}, lambda _: 1.0).lower == 0
    assert gibbs_lower({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}, lambda x: float(x == "a")).lower == 0


@pytest.mark.parametrize(
    ("bad_call", "says"),
    [
        (lambda: count([1.5], 1), "takes whole numbers"), (lambda: count([1], 0.5), "takes whole numbers"),  # type: ignore[list-item, arg-type]
        (lambda: exact_tail([True], 1, [0.5]), "a weight is True"), (lambda: exact_tail([1], 1, []), "1 weights and 0 chances"),
        (lambda: exact_tail([1], 1, [1.5]), "chance 0 is 1.5"), (lambda: chernoff([1], 1, [math.nan]), "chance 0 is nan"),
        (lambda: chernoff([math.inf], 1, [0.5]), "give finite numbers"), (lambda: chernoff([1], math.nan, [0.5]), "give finite numbers"),
        (lambda: gibbs_lower({"a": 1.0}, {"a": 1.0}, lambda _: 1.5), "the risk of 'a' is 1.5"),
        (lambda: gibbs_lower({"a": 0.5}, {"a": 1.0}, lambda _: 1.0), "must sum to 1"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(bad_call: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bad_call()
