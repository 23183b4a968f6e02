"""Scoring rules: proper, symmetric, zero-sum, never a crash; and the published judge rewards to the last bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moot.protocols.engine.errors import UsageError
from moot.protocols.scoring import CLIP, Rule, ScoringRule, score, zero_sum

rules = st.sampled_from(["log", "brier", "spherical"])


@st.composite
def distributions(draw: st.DrawFn, k: int | None = None) -> list[float]:
    k = k or draw(st.integers(2, 5))
    weights = draw(st.lists(st.integers(0, 1000), min_size=k, max_size=k).filter(any))
    return [w / sum(weights) for w in weights]


pairs = st.integers(2, 5).flatmap(lambda k: st.tuples(distributions(k), distributions(k)))


def expected(rule: Rule, belief: Sequence[float], report: Sequence[float]) -> float:
    return math.fsum(b * score(rule, report, x) for x, b in enumerate(belief) if b > 0)


@given(rules, pairs)
def test_truth_telling_maximises_the_expected_score(rule: Rule, pair: tuple[list[float], list[float]]) -> None:
    belief, report = pair
    honest = expected(rule, belief, belief)
    assert math.isfinite(honest)
    assert expected(rule, belief, report) <= honest + 1e-12
    if max(abs(b - r) for b, r in zip(belief, report, strict=True)) > 1e-3:
        assert expected(rule, belief, report) < honest, "strictly proper"


@given(rules, distributions())
def test_scores_are_in_their_range_and_grow_with_the_probability(rule: Rule, ps: list[float]) -> None:
    low, high = {"log": (-math.inf, 0.0), "brier": (-2.0, 0.0), "spherical": (0.0, 1.0)}[rule]
    scores = [score(rule, ps, x) for x in range(len(ps))]
    assert all(low <= s <= high or math.isclose(s, high) for s in scores)
    for x, y in zip(range(len(ps)), range(1, len(ps)), strict=False):
        if ps[x] < ps[y]:
            assert scores[x] < scores[y]


@given(rules, distributions(), st.randoms(use_true_random=False))
def test_only_the_outcome_matters_not_where_it_stands(rule: Rule, ps: list[float], random: object) -> None:
    order = list(range(len(ps)))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = [ps[i] for i in order]
    assert [score(rule, moved, x) for x in range(len(ps))] == [score(rule, ps, i) for i in order]
    seats = [f"seat{i}" for i in range(len(ps))]
    assert zero_sum(rule, moved, [seats[i] for i in order]) == zero_sum(rule, ps, seats)


@given(rules, distributions(), st.floats(0.01, 100))
@example("log", [1.0, 0.0], 1.0)
def test_payoffs_sum_to_zero_and_are_finite(rule: Rule, ps: list[float], coefficient: float) -> None:
    scoring = ScoringRule(rule=rule, base=2, penalty=3, constant=7, coefficient=coefficient)
    seats = list("abcde")[: len(ps)]
    payoffs = zero_sum(scoring, ps, seats)
    assert list(payoffs) == seats and all(math.isfinite(v) for v in payoffs.values())
    assert math.isclose(math.fsum(payoffs.values()), 0, abs_tol=1e-12 * coefficient * 10)
    best = max(range(len(ps)), key=ps.__getitem__)
    assert payoffs[seats[best]] == max(payoffs.values()) >= 0


@given(distributions(), st.floats(1.001, 1e6))
def test_log_is_the_logarithm(ps: list[float], base: float) -> None:
    for x, p in enumerate(ps):
        if p == 0:
            assert score("log", ps, x, base) == -math.inf
        else:
            assert math.isclose(score("log", ps, x, base), math.log(p) / math.log(base), rel_tol=1e-15)


@given(rules, distributions(), st.integers(0, 50), st.floats(0, 10), st.floats(-10, 10), st.floats(0.01, 10))
def test_reward_is_linear_in_the_score(
    rule: Rule, ps: list[float], continues: int, penalty: float, constant: float, coefficient: float
) -> None:
    scoring = ScoringRule(rule=rule, penalty=penalty, constant=constant, coefficient=coefficient)
    assert ScoringRule.model_validate_json(scoring.model_dump_json()) == scoring
    for x in range(len(ps)):
        s = score(rule, ps, x)
        reward = scoring.reward(ps, x, continues)
        assert (
            reward == -math.inf
            if s == -math.inf
            else math.isclose(reward, coefficient * s + constant - penalty * continues, abs_tol=1e-9)
        )


@given(st.lists(st.floats(), max_size=4), st.integers(-3, 5))
def test_any_numbers_are_scored_or_refused(ps: list[float], outcome: int) -> None:
    for rule in ("log", "brier", "spherical"):
        try:
            s = score(rule, ps, outcome)
        except UsageError:
            continue
        assert not math.isnan(s) and s < math.inf


def test_examples() -> None:
    assert score("log", (0.25, 0.75), 0, base=2) == -2.0
    assert score("log", (0.0, 1.0), 0) == -math.inf and score("log", (0.0, 1.0), 1) == 0.0
    assert score("brier", (1.0, 0.0), 1) == -2.0 and score("brier", (0.5, 0.5), 1) == -0.5
    assert score("spherical", (0.5, 0.5), 0) == pytest.approx(math.sqrt(0.5))
    assert zero_sum("brier", (0.0, 1.0), ("a", "b")) == {"a": -1.0, "b": 1.0}
    certain = zero_sum("log", (0.0, 1.0), ("a", "b"))
    assert certain["b"] == pytest.approx((math.log(1 - CLIP) - math.log(CLIP)) / 2)
    nyu = ScoringRule(rule="log", base=2, penalty=0.05)
    assert nyu.reward((0.010000000000000009, 0.99), 1, continues=4) == -0.2144995696951151
    assert nyu.reward((0.010000000000000009, 0.99), 0, continues=5) == -6.893856189774723
    quadratic = ScoringRule(rule="brier", constant=1.0, penalty=0.1)
    assert quadratic.reward((0.3, 0.7), 0, continues=2) == pytest.approx(2 * 0.3 - (0.09 + 0.49) - 0.2)


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "zero-one"},
        {"base": 1.0},
        {"base": math.inf},
        {"coefficient": 0},
        {"coefficient": -1},
        {"penalty": -0.1},
        {"penalty": math.nan},
        {"constant": math.inf},
        {"bonus": 1},
    ],
)
def test_improper_rules_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(fields))):
        ScoringRule(**fields)


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        score("log", (0.5, 0.5), 2)
    with pytest.raises(UsageError, match="sum to 1"):
        score("log", (0.5, 0.6), 0)
    with pytest.raises(UsageError, match="there is no scoring rule"):
        score("zero-one", (0.5, 0.5), 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="continues"):
        ScoringRule().reward((0.5, 0.5), 0, continues=-1)
    for seats in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(UsageError, match="one seat for each"):
            zero_sum("log", (0.5, 0.5), seats)


@pytest.mark.parametrize("base", [1, 1.0, 0.5, 0, -2, math.inf, math.nan])
def test_a_logarithm_needs_a_base_above_one_and_no_other_rule_does(base: float) -> None:
    with pytest.raises(UsageError, match="the log rule needs a finite base above 1"):
        score("log", (0.25, 0.75), 0, base=base)
    for rule in ("brier", "spherical"):
        assert score(rule, (0.25, 0.75), 0, base=base) == score(rule, (0.25, 0.75), 0)
    assert score("log", (0.25, 0.75), 0, base=1.5) == pytest.approx(math.log(0.25) / math.log(1.5))
