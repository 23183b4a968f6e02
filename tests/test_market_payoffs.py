"""What market making pays, and the failures that show in prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_kit import YES_NO, decided, even, logits, predicts, said, script, sigmoid

import moot
from moot.protocols.market.lmsr import profit
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Price
from moot.protocols.market.payoffs import distance, expected, losses
from moot.tasks.arithmetic.coins import belief, earnings, price
from moot.transcripts.display.prices import price_path, quadratic_variation

# -- payoffs ------------------------------------------------------------------------------------------------------------


def _drip(texts: Sequence[str], **options: Any) -> moot.Transcript:
    market, judge = predicts(logits)
    protocol = MarketMaking(horizon=len(texts), tolerance=None, **options)
    return moot.run(protocol, YES_NO, {"market": market, "adversary": script(*texts), "judge": judge})


@pytest.mark.parametrize("last", ["judge", "market"])
def test_zig_zag_pays_by_movement_and_not_by_the_scoring_rule(last: str) -> None:
    zig = _drip(["1", "-1"] * 5, last=last)
    path = price_path(zig)
    assert path.length == pytest.approx(2.3106, abs=5e-5) == decided(zig).payoffs["adversary"]
    assert path.net == 0 and path.variation == pytest.approx(10 * (sigmoid(1) - 0.5) ** 2)
    assert decided(_drip(["1", "-1"] * 5, reward="lmsr", last=last)).payoffs["adversary"] == pytest.approx(0, abs=1e-12)


def test_splitting_evidence_that_points_one_way_gains_nothing() -> None:
    for reward in ("abs_move", "lmsr"):
        split, whole = (decided(_drip(texts, reward=reward)).payoffs["adversary"] for texts in (["1"] * 5, ["5"]))
        assert split == pytest.approx(whole)
    assert decided(_drip(["5"])).payoffs["adversary"] == pytest.approx(0.4933, abs=5e-5)


def test_the_market_is_paid_by_cross_entropy_at_every_step() -> None:
    transcript = _drip(["1", "2"])
    path = price_path(transcript)
    star = sigmoid(3)
    expected = [-star * math.log(p) - (1 - star) * math.log(1 - p) for p in (0.5, sigmoid(1), sigmoid(3))]
    assert path.losses is not None and path.losses.market == pytest.approx(expected)
    assert decided(transcript).payoffs["market"] == pytest.approx(-sum(expected))


def test_the_last_step_is_paid_by_the_judge_or_by_one_more_price() -> None:
    prices, final = [(0.5, 0.5), (0.7, 0.3), (0.9, 0.1)], (0.2, 0.8)
    assert losses(prices, final).adversary == pytest.approx((-0.2, -0.5))
    assert losses(prices, final, last="market").adversary == pytest.approx((-0.2, -0.2))
    for last in ("judge", "market"):
        paid = losses(prices, final, reward="lmsr", b=2, last=last).adversary
        path = [*prices[:-1], final if last == "judge" else prices[-1]]
        steps = [sum(q * profit(p, r, i, 2) for i, q in enumerate(final)) for p, r in zip(path, path[1:], strict=False)]
        assert [-loss for loss in paid] == pytest.approx(steps)


beliefs = st.lists(st.integers(1, 50), min_size=3, max_size=3).map(lambda w: tuple(x / sum(w) for x in w))


@settings(deadline=None, max_examples=60)
@given(st.lists(beliefs, min_size=2, max_size=6), beliefs, st.sampled_from(["log", "brier", "spherical"]))
def test_payoffs_are_proper_telescope_and_reduce(prices: list[Any], final: Any, rule: Any) -> None:
    scoring = moot.ScoringRule(rule=rule)
    paid = losses(prices, final, scoring=scoring, reward="lmsr", b=3)
    best = losses([final], final, scoring=scoring).market[0]
    assert all(loss >= best - 1e-9 for loss in paid.market)  # nothing beats pricing the belief itself
    gain = 3 * sum(q * math.log(q / p) for q, p in zip(final, prices[0], strict=True))
    assert -sum(paid.adversary) == pytest.approx(gain, abs=1e-9)
    moved = -sum(losses(prices, final, last="market").adversary)
    assert moved >= distance(prices[0], prices[-1]) - 1e-12


def test_a_price_of_0_costs_a_finite_amount() -> None:
    paid = losses([(1.0, 0.0), (0.0, 1.0)], (0.0, 1.0), reward="lmsr")
    assert paid.market == pytest.approx((-math.log(1e-4), 0)) and paid.adversary == pytest.approx((math.log(1e-4),))
    with pytest.raises(moot.UsageError, match="over 2 choices"):
        losses([(0.2, 0.3, 0.5)], (0.5, 0.5))


# -- coins, one at a time -----------------------------------------------------------------------------------------------


def _coins(shown: tuple[int, ...], n: int, heads: int) -> moot.Transcript:
    t = len(shown)

    def coins(request: moot.Request) -> list[int]:
        return [int(text) for text in said(request)]

    return moot.run(MarketMaking(horizon=t, tolerance=None), YES_NO, {
        "market": lambda request: Price(probabilities=even(float(price(n, heads, t, coins(request))))),
        "adversary": script(*map(str, shown)),
        "judge": lambda request: moot.Verdict(probabilities=even(float(belief(coins(request), n)))),
    })  # fmt: skip


def test_coins_shown_at_random_keep_the_price_moving() -> None:
    """11 coins, 8 of them heads; the judge sees 5: the market's best price is .7836 and the truth is 1."""
    n, heads, t = 11, 8, 5
    rewards = [0.0] * t
    for shown in product((0, 1), repeat=t):
        chance, left = Fraction(1), [n - heads, heads]
        for coin in shown:
            chance *= Fraction(left[coin], sum(left))
            left[coin] -= 1
        if not chance:
            continue
        path = price_path(_coins(shown, n, heads))
        assert path.prices[0][0] == pytest.approx(0.7836, abs=5e-5) and path.losses is not None
        for step, loss in enumerate(path.losses.adversary):
            rewards[step] -= float(chance) * loss
    assert rewards == pytest.approx([float(x) for x in earnings(n, heads, t)])
    assert [round(x, 3) for x in rewards] == [0.050, 0.055, 0.061, 0.068, 0.078]


def test_when_every_coin_is_shown_the_price_is_the_truth_and_pays_nothing() -> None:
    transcript = _coins((1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1), 11, 8)
    assert price_path(transcript).prices == ((1.0, 0.0),) * 12
    assert decided(transcript).payoffs["adversary"] == 0 and decided(transcript).verdict.choice == 0


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 3), st.data())
def test_calibrated_prices_are_a_martingale(depth: int, data: st.DataObject) -> None:
    """With p_t = E[p* | Q_t]: E sum (dp)^2 = Var(p*) <= 1/4, and E sum |dp| <= sqrt(T) / 2."""
    leaves = {path: data.draw(st.integers(0, 20)) / 20 for path in product("ab", repeat=depth)}
    inner = [path for length in range(depth) for path in product("ab", repeat=length)]
    turn = {path: data.draw(st.integers(0, 10)) / 10 for path in inner}

    def expected(path: tuple[str, ...]) -> float:
        if len(path) == depth:
            return leaves[path]
        return turn[path] * expected((*path, "a")) + (1 - turn[path]) * expected((*path, "b"))

    market, judge = predicts(lambda texts: expected(tuple(texts)))
    squares = length = variance = 0.0
    for path in leaves:
        chance = math.prod(turn[path[:i]] if way == "a" else 1 - turn[path[:i]] for i, way in enumerate(path))
        seats = {"market": market, "adversary": script(*path), "judge": judge}
        seen = price_path(moot.run(MarketMaking(horizon=depth, tolerance=None), YES_NO, seats))
        squares += chance * seen.variation
        length += chance * seen.length
        variance += chance * (leaves[path] - expected(())) ** 2
    assert squares == pytest.approx(variance, abs=1e-12) and variance <= 0.25
    assert length <= math.sqrt(depth) / 2 + 1e-12


def test_more_variation_than_the_bound_shows_a_market_that_is_not_calibrated() -> None:
    assert price_path(_drip(["1", "-1"] * 5)).variation > 0.25
    assert quadratic_variation([(0.2, 0.3, 0.5), (0.1, 0.5, 0.4)]) == pytest.approx(0.03)


# -- convergence --------------------------------------------------------------------------------------------------------


def test_late_evidence_comes_after_prices_have_settled() -> None:
    """Wei Dai: a market that has learnt when arguments usually end stops before one that takes longer."""
    market, judge = predicts(lambda texts: 0.9 if len(texts) >= 3 else 0.3)
    seats = {"market": market, "adversary": script("first", "second", "third", "more"), "judge": judge}
    early = moot.run(MarketMaking(), YES_NO, seats)
    late = moot.run(MarketMaking(tolerance=None), YES_NO, seats)
    assert (price_path(early).converged, decided(early).verdict.choice) == (1, 1)
    assert (len(price_path(late).statements), decided(late).verdict.choice) == (4, 0)


INSIDE = st.lists(st.integers(1, 50), min_size=3, max_size=3).map(lambda w: tuple(x / sum(w) for x in w))
PRICED = st.builds(
    moot.ScoringRule, rule=st.sampled_from(["log", "brier", "spherical"]), base=st.sampled_from([2.0, 10.0]),
    coefficient=st.sampled_from([0.5, 3.0]), constant=st.sampled_from([-7.0, 0.0, 2.0]),
)  # fmt: skip


@given(PRICED, INSIDE, beliefs)
def test_a_price_is_paid_its_rule_by_what_the_judge_believes(rule: moot.ScoringRule, price: Any, final: Any) -> None:
    by_hand = math.fsum(p * rule.reward(price, outcome) for outcome, p in enumerate(final))
    assert expected(rule, price, final) == pytest.approx(by_hand)
    assert losses([price], final, scoring=rule).market == pytest.approx((-by_hand,))
