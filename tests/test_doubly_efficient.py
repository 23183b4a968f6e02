"""Stochastic doubly-efficient debate: its constants, its costs, and who wins against whom, mostly computed exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.estimates import wilson
from moot.experiments.reproductions.doubly_efficient import (
    LAST,
    SAMPLES,
    ExactDebate,
    bounds,
    chained,
    exact_chain,
    played,
    recovered,
    reproduce,
)
from moot.protocols.games.computations import computation_named
from moot.protocols.games.doubly_efficient import Check, Probability, constants
from moot.tasks.oracle.computations import above
from moot.tasks.oracle.noisy_oracle import Aborting, Honest, Shifting, Vera

PLAIN = "doubly-efficient"
ALL = ("oracle-chain", "oracle-walk", "oracle-sort")
some = settings(deadline=None, max_examples=30)


def run(question: moot.Question, alice: Any, bob: Any, judge: Any = None, seed: int = 0, **params: Any) -> Any:
    """A play with Alice in seat a."""
    seats = {"a": alice, "b": bob, "judge": judge or Vera()}
    return moot.run(moot.DoublyEfficientDebate(**params), question, seats, seed=seed)


# -- constants ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("K", "t"), SAMPLES)
def test_sample_counts(K: int, t: int) -> None:
    rules = constants(K, t + 1)
    assert (rules.alice, rules.bob, rules.judge) == SAMPLES[K, t]


@settings(deadline=None)
@given(st.floats(0.01, 1e4), st.integers(0, 10**9))
def test_the_defaults_keep_the_theorem_and_its_bounds(K: float, t: int) -> None:
    rules = constants(K, t + 1)
    assert rules.fault() is None and (rules.w, rules.d) == (2 / 3, 3 / 5)
    alice, bob, judge = bounds(K, t)
    slack = 1 + 1e-9  # of the bounds' own rounding
    assert (
        (t + 1) * rules.alice <= alice * slack and (t + 1) * rules.bob <= bob * slack and rules.judge <= judge * slack
    )
    assert rules.judge == constants(K, 1).judge, "the judge's samples do not depend on the number of queries"


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"c": 0.03}, "0 < c < s < b"),
        ({"s": 0.06}, "0 < c < s < b"),
        ({"b": 0.02}, "0 < c < s < b"),
        ({"q": 0.02}, "q <= v <= 1"),
        ({"b": 0.7}, "K b <= w"),
        ({"c": 0.052, "s": 0.053, "b": 0.054}, "completeness"),
        ({"d": 0.7}, "completeness"),
        ({"b": 0.06}, "soundness"),
        ({"q": 0.005}, "soundness"),
    ],
)
def test_constants_that_break_a_condition_are_refused_by_name(given_: dict[str, float], says: str) -> None:
    with pytest.raises(moot.UsageError, match=says):
        moot.DoublyEfficientDebate(**given_).roles(chained("2/3", 10))
    if given_ != {"q": 0.005}:  # which only so many queries break
        with pytest.raises(moot.UsageError, match=says):
            moot.DoublyEfficientDebate(K=1, **given_)


def test_other_constants_that_keep_the_conditions_are_taken() -> None:
    question = chained("2/3", 2)
    rules = moot.DoublyEfficientDebate(c=0.02, s=0.04, b=0.05, q=0.001, v=0.005, d=0.55).constants(question)
    assert (
        rules.fault() is None and rules.bob_within == pytest.approx(0.045) and rules.judge_within == pytest.approx(0.03)
    )
    with pytest.raises(moot.UsageError, match="K"):
        moot.DoublyEfficientDebate(K=0)


# -- costs -------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 40), st.integers(0, 99), st.none() | st.integers(0, 39))
def test_the_ledger_keeps_the_bounds(n: int, seed: int, at: int | None) -> None:
    transcript = run(chained("2/3", n), Honest(), Honest() if at is None else Aborting(at), seed=seed)
    spent, (alice, bob, judge) = transcript.ledger.seats, bounds(1, n - 1)
    assert 0 < spent["a"].queries <= alice and spent["b"].queries <= bob
    challenged = at is not None and at < n
    assert spent["judge"].queries == (105967 if challenged else 0) <= judge
    assert spent["a"].queries == constants(1, n).alice * (at + 1 if challenged and at is not None else n)


def test_the_judges_queries_are_a_budget() -> None:
    question = chained("2/3", 3)
    enough = run(question, Honest(), Aborting(1), moot.Bounded(Vera(), queries="106000 + 1"))
    assert enough.guarantee.holds and enough.guarantee.used == 105967
    asked: list[str] = []

    def judge(request: moot.Request) -> moot.Verdict:
        asked.append(request.step)
        return moot.Verdict(probabilities=(1, 0))

    short = run(question, Honest(), Aborting(1), moot.Bounded(judge, queries=105966))
    assert isinstance(short.outcome, moot.Exhausted) and not asked, "she is stopped before she asks the oracle anything"
    assert (short.outcome.seat, short.outcome.used, short.outcome.limit) == ("judge", 105967, 105966)
    debater = run(question, moot.Bounded(Honest(), queries=100), Honest())
    assert isinstance(debater.outcome, moot.Exhausted) and debater.outcome.seat == "a"


def test_the_judge_sees_one_estimate_and_one_cell_of_the_oracle() -> None:
    seen: list[moot.Request] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append(request)
        return Vera().act(request)

    transcript = run(chained("2/3", 50), Honest(), Aborting(30), moot.Bounded(judge, reads=3, queries=105967))
    assert transcript.guarantee.holds and transcript.ledger.seats["judge"].reads == 3
    (request,) = seen
    assert len(request.view) == 1 and request.view.question.data is None
    assert "bit(30)" in request.view[0].move.content()


def test_the_argument_tree_is_the_path_of_the_computation() -> None:
    transcript = run(chained("2/3", 6), Honest(), Aborting(4))
    size = transcript.ledger.tree
    assert (size.depth, size.nodes) == (6, 1 + 5 + 5)
    relations = [relation for *_, relation in transcript.tree.edges(data="relation")]
    assert relations.count("checks") == 5 and relations.count("supports") == 5


# -- who wins ----------------------------------------------------------------------------------------------------------

YES, NO = exact_chain("2/3"), exact_chain("1/3")
"""The debates about a chain of 10 bits, computed."""


def test_honest_play_wins_as_often_as_the_computation_is_right() -> None:
    assert YES.wins() == pytest.approx(2 / 3, abs=1e-6)
    assert NO.wins() == pytest.approx(1 / 3, abs=1e-6)


def test_no_bob_beats_honest_alice_and_no_alice_honest_bob() -> None:
    """Over all strategies: the best reply at every position, for Alice among many estimates."""
    assert YES.against_best_bob() >= 3 / 5
    assert 1 - NO.best_alice([step / 4000 for step in range(-300, 301)]) >= 3 / 5
    for last in ("2/3", "1/3"):  # and on the other side honesty is no worse than the computation
        assert exact_chain(last, 1).against_best_bob() <= exact_chain(last, 1).wins() + 1e-12


def test_no_strategy_wins_on_walks() -> None:
    made, x = computation_named("walk"), {"n": 3}
    rules = constants(made.constant(x), 3)

    def place(bits: tuple[bool, ...]) -> tuple[int, int]:
        return len(bits), sum(bits)

    for up, yes in ((Fraction(5, 8), True), (Fraction(3, 8), False)):
        game = ExactDebate(made, x, lambda query, up=up: up, rules, place)  # type: ignore[misc]
        assert (float(above(3, up)) >= 2 / 3) == yes
        if yes:
            assert game.against_best_bob() >= 3 / 5
        else:
            assert 1 - game.best_alice([step / 2000 for step in range(-100, 101)]) >= 3 / 5


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(0, 0.02), st.floats(0, 1)), min_size=10, max_size=10))
def test_honest_alice_wins_against_a_family_of_bobs(policy: list[tuple[float, float, float]]) -> None:
    """Bob challenges, with some probability, an estimate that lies in an interval near the oracle's probability."""

    def accepts(bits: tuple[bool, ...], p: float, claim: float) -> float:
        start, length, chance = policy[len(bits)]
        return 1 - chance if p + start <= claim <= p + start + length else 1.0

    assert YES.wins(accepts=accepts) >= 3 / 5


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-1, 1) | st.floats(-0.06, 0.06), min_size=10, max_size=10))
def test_honest_bob_wins_against_a_family_of_alices(shifts: list[float]) -> None:
    """Alice moves the oracle's probability by what she likes at each step."""

    def claims(bits: tuple[bool, ...], p: float) -> list[tuple[float, float]]:
        return [(min(1.0, max(0.0, p + shifts[len(bits)])), 1.0)]

    assert 1 - NO.wins(claims=claims) >= 3 / 5


def test_the_family_would_show_a_weak_judge() -> None:
    """With a Bob who accepts too much the same lies win: the bounds above can fail."""
    game = exact_chain("1/3")
    assert game.wins(claims=lambda bits, p: [(min(1.0, p + 0.5), 1.0)], accepts=lambda bits, p, claim: 1.0) > 0.8


@pytest.mark.parametrize(
    ("last", "alice", "bob", "expected"),
    [
        ("2/3", Honest(), Honest(), 2 / 3),
        ("2/3", Honest(), Aborting(0), 1.0),
        ("2/3", Honest(), Aborting(-1), 1.0),
        ("1/3", Shifting(1.0), Honest(), 0.0),
        ("1/3", Shifting(0.99 * 0.05), Honest(), 0.0),
        ("1/3", Shifting(0.02), Honest(), 0.0),
    ],
)
def test_plays_agree_with_what_is_computed(last: str, alice: Any, bob: Any, expected: float) -> None:
    found = played(chained(last), alice, bob, 300, seed=3)
    assert not found.undecided
    if isinstance(alice, Shifting) and alice.shift == 0.02:
        expected = NO.wins(claims=_shifted(0.02))
        assert expected == pytest.approx(0.3533, abs=1e-3) and expected <= 2 / 5
    low, high = wilson(found.alice, 300, z=4.0)
    assert low <= expected <= high


def _shifted(shift: float) -> Any:
    """Honest Alice, who moves the last estimate."""

    def claims(bits: tuple[bool, ...], p: float) -> list[tuple[float, float]]:
        moved = shift if len(bits) == LAST else 0.0
        return [(claim + moved, mass) for claim, mass in NO.honest_claims(bits, p)]

    return claims


def test_shifts_and_challenges_fall_where_they_are_said_to() -> None:
    transcript = run(chained("1/2", 4), Shifting(1.0, 2, exactly=True), Aborting(None))
    said = [step.move["p"] for step in transcript.steps() if step.move["kind"] == "probability"]
    assert said == [0.5, 0.5, 1.0, 0.5] and transcript.ledger.seats["a"].queries == 0
    for at, count in ((0, 1), (2, 3), (-1, 4), (-4, 1)):
        transcript = run(chained("1/2", 4), Honest(), Aborting(at))
        assert sum(step.move["kind"] == "check" for step in transcript.steps()) == count
    every = run(chained("1/2", 3), Shifting(-1.0, None), Aborting(None))
    assert {step.move["p"] for step in every.steps() if step.move["kind"] == "probability"} == {0.0}


def test_a_program_without_an_oracle_says_so() -> None:
    question = moot.Question("?", ("yes", "no"), data={"computation": "chain", "input": {"n": 1}})
    outcome = run(question, Honest(), Honest()).outcome
    assert isinstance(outcome, moot.Errored) and "no oracle that answers 'bit(0)'" in outcome.cause


def test_moves_of_the_debate() -> None:
    with pytest.raises(ValueError):
        Probability(p=1.5)
    with pytest.raises(ValueError):
        Check(accept=True, queries=-1)
    forfeit = run(chained("1/2", 1), lambda request: {"p": math.nan}, Honest()).outcome
    assert isinstance(forfeit, moot.Forfeited) and forfeit.seat == "a"


# -- the reproduction --------------------------------------------------------------------------------------------------


def test_the_reproduction_holds_and_can_be_had_again() -> None:
    report = reproduce(plays=60, seed=1)
    assert report.holds, report.text()
    assert played(chained("2/3"), Honest(), Honest(), 20, 5) == played(chained("2/3"), Honest(), Honest(), 20, 5)
    assert sum(row.holds is True for row in report.rows) >= 15
    with pytest.raises(moot.UsageError, match="0 plays"):
        reproduce(plays=0)


def test_a_leak_grows_with_the_number_of_coins() -> None:
    shares = [recovered(steps, 0.01) for steps in (1, 9, 99, 999, 9999)]
    assert shares == sorted(shares) and shares[0] == pytest.approx(0.51) and shares[-1] > 0.97
    assert recovered(2, 0.1) == pytest.approx(0.6)  # 0.36, and half of 0.48
    random = Random(5)
    drawn = [sum(random.random() < 0.52 for _ in range(100)) for _ in range(2000)]
    share = sum(1.0 if ones > 50 else 0.5 if ones == 50 else 0.0 for ones in drawn) / 2000
    assert recovered(100, 0.02) == pytest.approx(share, abs=0.04)
