"""Prover-estimator debate: what it pays, what honest provers are sure of, and what no prover gains."""

from __future__ import annotations

from typing import Any

import pytest
from claim_kit import FEW, TASK, Acts, by_place, seats
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.reproductions.obfuscation import AnyDivisor, best, expected
from moot.protocols.trees.decomposition_debate import Claim, Claimed, Decomposition, Pick
from moot.protocols.trees.prover_estimator import FINE, HIGH, LOW, Call, Estimate, ProverEstimator
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover

ODDS = st.sampled_from((0.0, 0.1, 0.25, 0.5, 0.9, 1.0)) | st.floats(0, 1)


# -- what is paid ------------------------------------------------------------------------------------------------------


@FEW
@given(
    first=ODDS, odds=st.lists(ODDS, min_size=2, max_size=2), signs=st.tuples(*[st.sampled_from([-1, 0, 1])] * 2),
    growth=st.floats(1, 5), epsilon=st.floats(0, 0.5), seed=st.integers(0, 99), pick=st.integers(1, 2),
)  # fmt: skip
def test_payoffs_by_hand(
    first: float, odds: list[float], signs: tuple[int, int], growth: float, epsilon: float, seed: int, pick: int
) -> None:
    """Every payoff again from the record: the stake of the first coin, then each call against what the judge found."""
    given_: Any = iter(signs)

    def prover(request: moot.Request) -> moot.Move:
        kind = request.kinds[0]
        if kind is moot.Answer:
            return moot.Answer(choice=0)
        if kind is Call:
            return Call(sign=next(given_))
        if kind is Pick:
            return Pick(claim=str(pick))
        return Decomposition(claims=(Claim(question="one?", answer="1"), Claim(question="two?", answer="2")))

    judged = iter((0.3, 0.8))
    said: list[float] = []

    def judge(request: moot.Request) -> moot.Verdict:
        if request.brief["task"] == "follows" and isinstance(request.view[-1].move, Claimed):
            return moot.Verdict(probabilities=(1.0, 0.0))
        said.append(p := next(judged))
        return moot.Verdict(probabilities=(p, 1 - p))

    estimates = iter([first, *odds])
    protocol = ProverEstimator(growth=growth, epsilon=epsilon)
    question = moot.Question("Which?", ("x", "y", "z"))
    t = moot.run(
        protocol,
        question,
        {"a": prover, "b": lambda r: Estimate(probability=next(estimates)), "judge": judge},
        seed=seed,
    )
    assert isinstance(t.outcome, moot.Decided)
    coins = [event["value"] for event in t.events() if event["event"] == "flipped"]
    assert len(coins) == 3 and all(0 < p or not coin for p, coin in zip([first, *odds], coins, strict=True))
    paid, found = (1.0 if coins[0] else -1.0), iter(said)
    for t_, (sign, p) in enumerate(zip(signs, (first, odds[pick - 1]), strict=True), 1):
        if sign:
            paid += growth**t_ * (sign * (p - next(found)) - epsilon)
    assert t.outcome.payoffs == pytest.approx({"a": paid, "b": -paid})
    assert len(said) == sum(map(abs, signs))
    assert t.outcome.verdict.probabilities == pytest.approx((first, (1 - first) / 2, (1 - first) / 2))
    assert abs(paid) <= protocol.utility_bound(question) + 1e-9


def test_a_right_sign_pays_and_a_wrong_one_costs() -> None:
    """A prime, estimated at 0 throughout, and read by the judge: too low is right, and too high is wrong."""
    for sign, sense in ((LOW, 1), (HIGH, -1), (FINE, 0)):

        def prover(request: moot.Request, sign: Any = sign) -> moot.Move:
            return Call(sign=sign) if request.kinds[0] is Call else Prover(TASK).act(request)

        protocol = ProverEstimator(width=4, source="metered", growth=3, epsilon=0)
        found = expected(protocol, TASK.of(223), {**seats(prover, by_place([0.0])), "a": Acts(prover)})
        # the whole is called against coins that all fail, which is what was said of it; the part against the data
        assert found == pytest.approx(-1 + 9 * sense)


# -- completeness: stable claims ---------------------------------------------------------------------------------------


@FEW
@given(
    odds=st.lists(ODDS, min_size=7, max_size=7),
    epsilon=st.sampled_from((0.0, 0.05, 0.2)),
    growth=st.sampled_from((2.0, 3.0)),
)
def test_an_honest_prover_of_a_stable_claim_is_sure_of_its_part(
    odds: list[float], epsilon: float, growth: float
) -> None:
    """That 221 is not prime rests on one part. Estimates are any, and depend on coins; expectations are exact."""
    protocol = ProverEstimator(width=3, source="metered", epsilon=epsilon, growth=growth)
    found = expected(protocol, TASK.of(221), seats(Prover(TASK), Acts(by_place(odds))))
    assert found >= 1 - epsilon * (growth + growth**2) - 1e-9


@FEW
@given(odds=st.lists(ODDS, min_size=7, max_size=7))
def test_parts_no_more_than_the_growth_are_stable_enough(odds: list[float]) -> None:
    """A prime in three intervals: errors grow by three at most, and so do the stakes."""
    protocol = ProverEstimator(width=3, source="metered", epsilon=0, growth=3)
    assert expected(protocol, TASK.of(223), seats(Prover(TASK), Acts(by_place(odds)))) >= 1 - 1e-9


@settings(FEW, max_examples=15)
@given(odds=st.lists(ODDS, min_size=7, max_size=7), n=st.sampled_from((221, 223)))
def test_over_two_rounds_the_guarantee_adds_up(odds: list[float], n: int) -> None:
    protocol = ProverEstimator(rounds=2, width=2, source="metered", epsilon=0.02, growth=2)
    found = expected(protocol, TASK.of(n), seats(Prover(TASK), Acts(by_place(odds))))
    assert found >= 1 - 0.02 * (2 + 4 + 8) - 1e-9


def test_many_parts_hide_a_small_error_of_each() -> None:
    """With eight intervals an estimator holds a prover who knows a prime under 1, where stakes do not grow as fast."""
    protocol = ProverEstimator(width=6, source="metered", epsilon=0, growth=2)
    held = expected(protocol, TASK.of(223), seats(Prover(TASK), Estimator(TASK)))
    assert held == pytest.approx(4 * (1 - 0.5 ** (3 / 13))) and held < 0.6


# -- soundness: nobody gains who does not know ---------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 3, 4])
def test_no_prover_who_cannot_find_the_flaw_gains_by_calls(m: int) -> None:
    sample = TASK.of(221)
    judge = AnyDivisor(TASK, sample.question.text)
    protocol = ProverEstimator(width=m, source="metered")
    assert best(protocol, sample, "yes", Estimator(TASK), judge, TASK) == pytest.approx(0, abs=1e-9)
    if m < 4:  # without the tolerance something is left, and no more than 0.044 of the last stake
        free = ProverEstimator(width=m, source="metered", epsilon=0)
        assert 0 < best(free, sample, "yes", Estimator(TASK), judge, TASK) <= 9 * 0.044


@FEW
@given(
    prior=st.floats(0.05, 0.95),
    signs=st.tuples(*[st.sampled_from([-1, 0, 1])] * 2),
    epsilon=st.sampled_from((0.0, 0.1)),
)
def test_a_coherent_estimator_pays_for_no_call_before_the_last(
    prior: float, signs: tuple[int, int], epsilon: float
) -> None:
    """Two rounds on 221: in expectation the prover gets 2 p_0 - 1, less epsilon for every call, with no call of the last."""

    def prover(request: moot.Request) -> moot.Move:
        if request.kinds[0] is Call:
            return Call(sign=(*signs, 0)[request.brief["round"] - 1])  # type: ignore[arg-type]
        return Prover(TASK, lies=True, knows=False).act(request)

    protocol = ProverEstimator(rounds=2, width=2, source="metered", epsilon=epsilon)
    found = expected(protocol, TASK.of(221), seats(Acts(prover), Estimator(TASK, prior)))
    fees = sum(epsilon * 3.0**t * abs(sign) for t, sign in enumerate(signs, 1))
    assert found == pytest.approx(2 * prior - 1 - fees)


def test_true_conditional_probabilities_can_be_exploited() -> None:
    """Two intervals, each with the divisor in a quarter of the instances. After a first coin that holds, the second is free
    with probability 2/3, and after one that does not with 1, in truth; in the world at hand it is 3/4 in any case."""

    def conditional(request: moot.Request) -> Estimate:
        coins = request.brief["details"]["coins"]
        if not request.brief["round"]:
            return Estimate(probability=0.5)
        return Estimate(probability=0.75 if not coins else 2 / 3 if coins[0]["holds"] else 1.0)

    sample = TASK.of(251)  # fourteen divisors to try, in two intervals of seven
    judge = AnyDivisor(TASK, sample.question.text)
    protocol = ProverEstimator(width=2, source="metered", growth=3, epsilon=0.05)
    gained = best(protocol, sample, "yes", Acts(conditional), judge, TASK)
    assert gained == pytest.approx(0.75 * 9 * (3 / 4 - 2 / 3 - 0.05) + 0.25 * 9 * (1 - 3 / 4 - 0.05))


def test_a_prover_who_knows_gains_no_more_by_lying() -> None:
    sample, protocol = TASK.of(221), ProverEstimator(width=4, source="metered")
    estimator, judge = Estimator(TASK), ClaimJudge(TASK)
    honest, lying = (best(protocol, sample, claimed, estimator, judge, TASK) for claimed in ("no", "yes"))
    assert honest == pytest.approx(lying) and honest > 1
    informed = Estimator(TASK, divisions=13)
    assert best(protocol, sample, "yes", informed, judge, TASK) == pytest.approx(-1)
    assert best(protocol, sample, "no", informed, judge, TASK) == pytest.approx(1)


@pytest.mark.parametrize(("follows", "goes_on"), [(0.5, True), (0.51, True), (0.49, False), (0.0, False)])
def test_a_decomposition_is_thrown_out_where_the_judge_finds_more_likely_than_not_that_nothing_follows(
    follows: float, goes_on: bool
) -> None:
    def prover(request: moot.Request) -> moot.Move:
        if request.kinds[0] is Decomposition:
            return Decomposition(claims=(Claim(question="one?", answer="1"), Claim(question="two?", answer="2")))
        moves: dict[Any, moot.Move] = {
            moot.Answer: moot.Answer(choice=0),
            Call: Call(sign=0),
            Pick: Pick(claim="1"),
        }
        return moves[request.kinds[0]]

    protocol, question = ProverEstimator(), moot.Question("Which?", ("x", "y"))
    seats = {"a": prover, "b": lambda request: Estimate(probability=1.0)}
    t = moot.run(protocol, question, {**seats, "judge": lambda r: moot.Verdict(probabilities=(follows, 1 - follows))})
    assert isinstance(t.outcome, moot.Decided)
    assert t.outcome.payoffs["a"] == (1.0 if goes_on else -protocol.utility_bound(question))
    assert any(step.move["kind"] == "pick" for step in t.steps()) is goes_on
