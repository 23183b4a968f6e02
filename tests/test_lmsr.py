"""Hanson's market scoring rule: published identities, exact constants, and what holds of every market."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.protocols.engine.errors import UsageError
from moot.protocols.market.lmsr import Lmsr, cost, liquidity, prices, profit, shares_to, trade_cost, worst_loss

FEW = settings(deadline=None, max_examples=60)
quantities = st.integers(2, 5).flatmap(lambda n: st.lists(st.floats(-50, 50), min_size=n, max_size=n))
liquidities = st.floats(0.2, 200)


@st.composite
def beliefs(draw: st.DrawFn, count: int | None = None) -> tuple[float, ...]:
    n = draw(st.integers(2, 5)) if count is None else count
    weights = draw(st.lists(st.integers(1, 1000), min_size=n, max_size=n))
    return tuple(weight / sum(weights) for weight in weights)


def test_constants_at_b_100() -> None:
    assert cost((0, 0), 100) == pytest.approx(69.3147180560, abs=1e-9) == worst_loss((0.5, 0.5), 100)
    paid, after = Lmsr((0.0, 0.0), 100).buy((10, 0))
    assert paid == pytest.approx(5.1249479514, abs=1e-9)
    assert after.prices[0] == pytest.approx(0.5249791875, abs=1e-9)
    assert trade_cost((0, 0), (100, 0), 100) == pytest.approx(62.0114506958, abs=1e-9)
    assert prices((100, 0), 100)[0] == pytest.approx(0.7310585786, abs=1e-9)


def test_constants_at_b_1() -> None:
    even, after = (0.5, 0.5), (0.8, 0.2)
    assert shares_to(even, after) == pytest.approx((1.3862943611, 0), abs=1e-9)
    paid, market = Lmsr((0.0, 0.0)).move(after)
    assert paid == pytest.approx(0.9162907319, abs=1e-9) and market.prices == pytest.approx(after)
    assert profit(even, after, 0) == pytest.approx(0.4700036292, abs=1e-9) == pytest.approx(math.log(1.6))
    assert profit(even, after, 1) == pytest.approx(-0.9162907319, abs=1e-9) == pytest.approx(math.log(0.4))


def test_the_first_share_of_a_market_funded_with_1() -> None:
    assert liquidity(1, 2) == pytest.approx(1 / math.log(2))
    assert trade_cost((0, 0), (1, 0), liquidity(1, 2)) == pytest.approx(0.58496250072, abs=1e-10)
    assert pytest.approx(math.log2(1.5)) == 0.58496250072


def test_large_quantities_do_not_overflow() -> None:
    assert cost((1e6, 0.0)) == 1e6 and prices((1e6, 0.0)) == (1.0, 0.0)
    assert trade_cost((1e6, 1e6), (1e-9, 0.0)) == pytest.approx(5e-10, rel=1e-6)


@FEW
@given(quantities, liquidities)
def test_prices_lie_on_the_simplex_and_are_the_slope_of_the_cost(q: list[float], b: float) -> None:
    ps = prices(q, b)
    assert all(0 <= p <= 1 for p in ps) and math.isclose(math.fsum(ps), 1)
    for i, p in enumerate(ps):
        step = [1e-4 * b * (j == i) for j in range(len(q))]
        assert trade_cost(q, step, b) == pytest.approx(p * 1e-4 * b, rel=1e-3, abs=1e-9 * b)


@FEW
@given(quantities, liquidities, st.floats(-40, 40))
def test_a_sure_payment_costs_what_it_pays(q: list[float], b: float, amount: float) -> None:
    assert trade_cost(q, [amount] * len(q), b) == pytest.approx(amount, abs=1e-9)


@FEW
@given(quantities, liquidities, st.data())
def test_no_trade_is_an_arbitrage(q: list[float], b: float, data: st.DataObject) -> None:
    trade = data.draw(st.lists(st.floats(-40, 40), min_size=len(q), max_size=len(q)))
    assert min(trade) - 1e-9 <= trade_cost(q, trade, b) <= max(trade) + 1e-9


@FEW
@given(quantities, liquidities, st.data())
def test_the_path_does_not_matter(q: list[float], b: float, data: st.DataObject) -> None:
    trades = data.draw(st.lists(st.lists(st.floats(-20, 20), min_size=len(q), max_size=len(q)), min_size=1, max_size=4))
    market, paid = Lmsr(tuple(q), b), 0.0
    for trade in trades:
        more, market = market.buy(trade)
        paid += more
    at_once = [math.fsum(trade[i] for trade in trades) for i in range(len(q))]
    assert paid == pytest.approx(trade_cost(q, at_once, b), abs=1e-7)
    assert paid == pytest.approx(market.cost - cost(q, b), abs=1e-7)
    back, _ = market.buy([-x for x in at_once])
    assert paid + back == pytest.approx(0, abs=1e-7)


@FEW
@given(st.data(), liquidities)
def test_a_move_reaches_its_price_and_pays_the_score(data: st.DataObject, b: float) -> None:
    before = data.draw(beliefs())
    after = data.draw(beliefs(len(before)))
    shares = shares_to(before, after, b)
    assert min(shares) == 0
    paid, market = Lmsr.at(before, b).buy(shares)
    assert market.prices == pytest.approx(after, rel=1e-9)
    for i in range(len(before)):
        assert shares[i] - paid == pytest.approx(profit(before, after, i, b), abs=1e-8)


@FEW
@given(st.data(), liquidities)
def test_the_maker_loses_no_more_than_its_bound(data: st.DataObject, b: float) -> None:
    opening = data.draw(beliefs())
    trades = data.draw(
        st.lists(st.lists(st.floats(-500, 500), min_size=len(opening), max_size=len(opening)), max_size=4)
    )
    market, taken = Lmsr.at(opening, b), 0.0
    for trade in trades:
        paid, market = market.buy(trade)
        taken += paid
    owed = max(math.fsum(trade[i] for trade in trades) for i in range(len(opening)))
    assert owed - taken <= worst_loss(opening, b) + 1e-7 * max(b, 1)
    even = [1 / len(opening)] * len(opening)
    assert worst_loss(even, b) == pytest.approx(b * math.log(len(opening)))


@pytest.mark.parametrize(
    "bad",
    [
        lambda: cost((1,)),
        lambda: cost((1, math.inf)),
        lambda: prices((0, 0), 0),
        lambda: trade_cost((0, 0), (1, 2, 3)),
        lambda: shares_to((1, 0), (0.5, 0.5)),
        lambda: shares_to((0.5, 0.5), (0.2, 0.3, 0.5)),
        lambda: profit((0.5, 0.6), (0.5, 0.5), 0),
        lambda: liquidity(0, 2),
        lambda: Lmsr((0.0, 0.0), -1),
    ],
)
def test_what_is_no_market_is_refused(bad: object) -> None:
    with pytest.raises(UsageError):
        bad()  # type: ignore[operator]
