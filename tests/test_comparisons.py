"""Metrics of several plays: argued both ways, from swapped seats, under two protocols."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.experiments.statistics import intervals, metrics
from moot.experiments.statistics.comparisons import (
    agent_score_difference,
    agent_score_expectation,
    amplification,
    judge_score_expectation,
    open_probabilities,
    performance_gap_recovered,
    win_rate,
)
from moot.experiments.statistics.intervals import Bootstrap, Estimate
from moot.experiments.statistics.records import Judged
from moot.protocols.engine.errors import UsageError

BY = Bootstrap(resamples=60)
LOST = Judged("lost", outcome="exhausted")
shares = st.integers(0, 20).map(lambda n: n / 20)


def case(question: str, truth: int, argued: int, p: float) -> Judged:
    """The agent argued for `argued`, and the judge then gave choice 0 the probability p."""
    return Judged(question, (p, 1 - p), truth, argued=argued)


BOTH = [case("one", 0, 0, 0.9), case("one", 0, 1, 0.6), case("two", 1, 0, 0.5), case("two", 1, 1, 0.2)]


@st.composite
def cases(draw: st.DrawFn) -> list[Judged]:
    return [
        case(f"q{i}", i % 2, argued, draw(shares)) for i in range(draw(st.integers(1, 5))) for argued in (0, 1)
    ]  # fmt: skip


def test_agent_score_difference_by_hand() -> None:
    # Question one: −2·0.1² less −2·0.6² = 0.7; two: arguing for 1 it gets −2·0.2², arguing for 0 −2·0.5².
    found = agent_score_difference(BOTH, by=BY)
    assert found.value == pytest.approx((0.70 + 0.42) / 2) and found.count == 2
    log = agent_score_difference(BOTH, metrics.log_score, BY)
    assert log.value == pytest.approx((math.log(0.9 / 0.4) + math.log(0.8 / 0.5)) / 2)


def test_expectations_by_hand() -> None:
    # Agent's log scores: one ln 0.9 and ln 0.4, two ln 0.5 and ln 0.8. At beta 1 it argues in proportion to p.
    judge = {"one": (-0.02, -0.32), "two": (-0.5, -0.08)}
    agent = {"one": (-0.02, -0.72), "two": (-0.5, -0.08)}
    chances = {0.0: ((1, 0), (0, 1)), 1.0: ((9 / 13, 4 / 13), (5 / 13, 8 / 13)), math.inf: ((0.5, 0.5), (0.5, 0.5))}
    for beta, rows in chances.items():
        for scores, metric in ((judge, judge_score_expectation), (agent, agent_score_expectation)):
            value = sum(
                q * s for row, pair in zip(rows, scores.values(), strict=True) for q, s in zip(row, pair, strict=True)
            )
            assert metric(BOTH, beta, by=BY).value == pytest.approx(value / 2)


@given(st.lists(st.integers(-9, 0).map(float), min_size=1, max_size=5), st.floats(0, 1e6) | st.just(math.inf))
def test_open_probabilities(scores: list[float], beta: float) -> None:
    chances = open_probabilities(scores, beta)
    assert math.fsum(chances) == pytest.approx(1)
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    assert [chances[i] for i in order] == sorted(chances)
    assert open_probabilities(scores[::-1], beta) == pytest.approx(chances[::-1])
    assert open_probabilities(scores, 1e-6) == pytest.approx(open_probabilities(scores, 0))
    assert open_probabilities(scores, 1e12) == pytest.approx(open_probabilities(scores, math.inf))


@settings(max_examples=30)
@given(cases())
def test_expectations_go_to_their_limits(given: list[Judged]) -> None:
    for metric in (judge_score_expectation, agent_score_expectation):
        assert metric(given, 1e-7, by=BY).value == pytest.approx(metric(given, 0, by=BY).value)
        assert metric(given, 1e9, by=BY).value == pytest.approx(metric(given, math.inf, by=BY).value, abs=1e-7)
    free = judge_score_expectation(given, math.inf, by=BY).value
    assert free == pytest.approx(metrics.mean(given, metrics.brier, BY).value), "who does not care argues evenly"


@settings(max_examples=30)
@given(st.lists(shares, min_size=1, max_size=5), st.sampled_from([0, 0.5, 1, math.inf]))
def test_a_judge_who_does_not_listen(beliefs: list[float], beta: float) -> None:
    """Whatever is argued, its own score is the same, and the agent's difference is 4p − 2."""
    given = [case(f"q{i}", 0, argued, p) for i, p in enumerate(beliefs) for argued in (0, 1)]
    own = metrics.mean(given, metrics.brier, BY).value
    assert judge_score_expectation(given, beta, by=BY).value == pytest.approx(own)
    gap = agent_score_difference(given, by=BY).value
    assert gap == pytest.approx(math.fsum(4 * p - 2 for p in beliefs) / len(beliefs))


@settings(max_examples=25)
@given(cases(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_names_order_sides_and_what_failed(given: list[Judged], random: Any, lost: int) -> None:
    def all_of(records: list[Judged]) -> list[Estimate]:
        return [
            agent_score_difference(records, by=BY), judge_score_expectation(records, 1, by=BY),
            agent_score_expectation(records, 0, by=BY),
        ]  # fmt: skip

    before = all_of(given)
    changed = [
        Judged("new " + r.question, r.believed[::-1], 1 - r.true, argued=None if r.argued is None else 1 - r.argued)
        for r in given
    ]
    random.shuffle(changed)
    after = all_of([LOST] * lost + changed)
    for one, other in zip(before, after, strict=True):
        assert other.value == pytest.approx(one.value) and other.count == one.count
        assert other.undecided == ({"exhausted": lost} if lost else {})
        if one.low is not None and one.high is not None and one.value is not None:
            assert one.low <= one.value <= one.high
            assert (other.low, other.high) == pytest.approx((one.low, one.high))


def test_questions_that_lack_a_case_are_left_out() -> None:
    found = agent_score_difference([*BOTH, case("three", 0, 0, 1.0), LOST], by=BY)
    assert (found.count, found.undecided) == (2, {"incomplete": 1, "exhausted": 1})
    assert found.value == pytest.approx(agent_score_difference(BOTH, by=BY).value)
    assert agent_score_difference([], by=BY) == Estimate(None, method=intervals.QUESTIONS)
    with pytest.raises(UsageError, match="which choice the agent argued for"):
        agent_score_difference([Judged("x", (0.5, 0.5), 0)], by=BY)
    for beta in (-1.0, math.nan):
        with pytest.raises(UsageError, match="beta is"):
            open_probabilities([0.0, -1.0], beta)
    with pytest.raises(UsageError, match="finite"):
        open_probabilities([-math.inf, 0.0], 1)


# -- win rates ---------------------------------------------------------------------------------------------------------


def bout(question: str, first: str, second: str, p: float) -> Judged:
    return Judged(question, (p, 1 - p), defenders=(first, second))


def test_win_rate_by_hand() -> None:
    plays = [
        bout("one", "Ann", "Bob", 0.9), bout("one", "Bob", "Ann", 0.3),  # Ann wins both
        bout("two", "Ann", "Bob", 0.8), bout("two", "Bob", "Ann", 0.8),  # the first side wins both
        bout("three", "Ann", "Bob", 0.5), bout("three", "Bob", "Ann", 0.6),  # a tie and a loss
        bout("four", "Ann", "Bob", 0.9),  # never swapped
        bout("one", "Ann", "Cid", 0.1), bout("one", "Cid", "Ann", 0.9),  # another opponent
        replace(LOST, defenders=("Ann", "Bob")),
        bout("one", "Bob", "Cid", 0.9),
    ]  # fmt: skip
    found = win_rate(plays, "Ann", "Bob", BY)
    assert found.value == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert (found.count, found.ties, found.undecided) == (3, 1, {"incomplete": 1, "exhausted": 1})
    assert win_rate(plays, "Ann", by=BY).value == pytest.approx((1 + 0.5 + 0.25 + 0) / 4)
    assert win_rate(plays, "Dora", by=BY).value is None


@settings(max_examples=30)
@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=6))
def test_win_rates_sum_to_one_and_a_biased_judge_gives_half(beliefs: list[tuple[float, float]]) -> None:
    plays = [b for i, (p, q) in enumerate(beliefs) for b in (bout(f"{i}", "x", "y", p), bout(f"{i}", "y", "x", q))]
    one, other = win_rate(plays, "x", by=BY), win_rate(plays, "y", by=BY)
    assert one.value is not None and other.value is not None
    assert one.value + other.value == pytest.approx(1)
    biased = [replace(play, probabilities=(0.7, 0.3)) for play in plays]
    assert win_rate(biased, "x", by=BY).value == 0.5


def test_a_debater_cannot_beat_itself() -> None:
    with pytest.raises(UsageError, match="of two debaters"):
        win_rate([bout("one", "x", "x", 0.5)], "x")


# -- protocols ---------------------------------------------------------------------------------------------------------


def judged(question: str, right: bool) -> Judged:
    return Judged(question, (0.9, 0.1) if right else (0.1, 0.9), 0)


def answers(*right: bool) -> list[Judged]:
    return [judged(f"q{i}", each) for i, each in enumerate(right)]


def test_amplification_and_gap_by_hand() -> None:
    alone = answers(True, False, False, False)
    debate = answers(True, True, False, True)
    strong = answers(True, True, True, True)
    found = amplification([*debate, judged("more", True)], [*alone, LOST], BY)
    assert (found.value, found.count, found.undecided) == (0.5, 4, {"incomplete": 1, "exhausted": 1})
    assert performance_gap_recovered(alone, debate, strong, BY).value == pytest.approx(0.5 / 0.75)
    assert performance_gap_recovered(strong, debate, alone, BY).value is None, "there is no gap to recover"
    assert performance_gap_recovered(alone, debate, alone, BY).value is None
    assert amplification([], alone, BY).value is None
    unsure = [replace(record, probabilities=(0.5, 0.5)) for record in alone]
    assert amplification(strong, unsure, BY).value == 0.5 and amplification(unsure, unsure, BY).ties == 8
    assert amplification(strong, unsure, BY, ties="wrong").value == 1
    assert performance_gap_recovered(unsure, debate, strong, BY).value == pytest.approx(0.5)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_amplification_is_a_paired_difference(rows: list[tuple[bool, bool]]) -> None:
    one, other = answers(*(a for a, _ in rows)), answers(*(b for _, b in rows))
    found, back = amplification(one, other, BY), amplification(other, one, BY)
    difference = (metrics.accuracy(one).value or 0) - (metrics.accuracy(other).value or 0)
    assert found.value == pytest.approx(difference) and back.value == pytest.approx(-difference)
    if found.low is not None and found.high is not None:
        assert found.low - 1e-12 <= difference <= found.high + 1e-12
    assert amplification(one, one, BY).value == 0
    if any(b and not a for a, b in rows) and all(b or not a for a, b in rows):
        assert performance_gap_recovered(one, other, other, BY).value == 1
        assert performance_gap_recovered(one, one, other, BY).value == 0
