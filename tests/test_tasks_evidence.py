"""Coins that are shown at random, and signed items of evidence: prices, and what moving them earns, exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate, combinations, permutations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_kit import is_sampled_well, refuses, verdict_of

import moot
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.coins import Coins, belief, earnings, price
from moot.tasks.base import task_named
from moot.tasks.reading.evidence import Advocate, Bayesian, Evidence, Inventor, net, path_length, prices, probability

COINS, EVIDENCE = Coins(), Evidence()
few = settings(deadline=None, max_examples=60)


# -- coins -------------------------------------------------------------------------------------------------------------


def test_the_published_numbers_of_the_coins() -> None:
    """Eleven coins with eight heads, five of them shown: the price is .7836, the truth 1."""
    assert float(price(11, 8, 5)) == pytest.approx(0.7836, abs=5e-5)
    assert [round(float(earned), 3) for earned in earnings(11, 8, 5)] == [0.050, 0.055, 0.061, 0.068, 0.078]
    assert earnings(11, 8, 5) == [Fraction(6, 11 * left) for left in range(11, 6, -1)]
    assert COINS.truth([1] * 8 + [0] * 3, "majority(11)") == "yes"


def test_when_all_coins_are_shown_the_price_is_the_truth_and_nothing_is_earned() -> None:
    assert price(11, 8, 11) == 1 and earnings(11, 8, 11) == [0] * 11
    assert price(11, 5, 11) == 0 and earnings(11, 5, 11) == [0] * 11


@few
@given(st.integers(1, 9), st.data())
def test_belief_is_the_share_of_completions_with_a_majority(n: int, drawn: st.DataObject) -> None:
    seen = drawn.draw(st.lists(st.integers(0, 1), max_size=n))
    completions = [sum(seen) + sum(rest) for rest in product((0, 1), repeat=n - len(seen))]
    assert belief(seen, n) == Fraction(sum(2 * heads > n for heads in completions), len(completions))
    if len(seen) < n:  # a fair coin: the belief is the mean of the two that may follow
        assert belief(seen, n) == (belief([*seen, 0], n) + belief([*seen, 1], n)) / 2


def test_ties_are_no_majority() -> None:
    assert belief([1, 0], 2) == 0 and belief([], 2) == Fraction(1, 4) and belief([], 3) == Fraction(1, 2)
    assert COINS.truth([1, 0], "majority(2)") == "no" and COINS.truth([1, 1, 0], "majority(3)") == "yes"


@few
@given(st.integers(1, 6), st.data())
def test_price_and_earnings_are_means_over_every_order_of_showing(n: int, drawn: st.DataObject) -> None:
    heads, t = drawn.draw(st.integers(0, n)), drawn.draw(st.integers(0, n))
    coins = [1] * heads + [0] * (n - heads)
    orders = [tuple(coins[i] for i in order)[:t] for order in permutations(range(n))]
    final = {seen: belief(seen, n) for seen in orders}
    assert price(n, heads, t) == sum((final[seen] for seen in orders), Fraction(0)) / len(orders)

    def expected(start: tuple[int, ...]) -> Fraction:
        after = [final[seen] for seen in orders if seen[: len(start)] == start]
        return sum(after, Fraction(0)) / len(after)

    at = {seen[:step]: expected(seen[:step]) for seen in set(orders) for step in range(t + 1)}
    for start, mean in at.items():
        assert price(n, heads, t, start) == mean
    moved = [sum((abs(at[s[: i + 1]] - at[s[:i]]) for s in orders), Fraction(0)) / len(orders) for i in range(t)]
    assert earnings(n, heads, t) == moved


@few
@given(st.integers(1, 9), st.data())
def test_a_calibrated_price_is_a_martingale(n: int, drawn: st.DataObject) -> None:
    heads, t = drawn.draw(st.integers(0, n)), drawn.draw(st.integers(1, n))
    seen = drawn.draw(st.permutations([1] * heads + [0] * (n - heads)))[: drawn.draw(st.integers(0, t - 1))]
    left, up = n - len(seen), heads - sum(seen)
    mean = Fraction(0)
    for coin, count in ((1, up), (0, left - up)):
        mean += Fraction(count, left) * price(n, heads, t, [*seen, coin]) if count else 0
    assert price(n, heads, t, seen) == mean
    assert sum(earnings(n, heads, t)) <= math.sqrt(t) / 2  # as for every martingale of probabilities


def test_numbers_that_do_not_fit_are_refused() -> None:
    for call in (
        lambda: belief([1, 1], 1), lambda: belief([2], 3), lambda: price(3, 4, 1), lambda: price(3, -1, 1),
        lambda: price(3, 1, 4), lambda: price(3, 1, 2, [1, 1]), lambda: price(3, 2, 1, [1, 0]), lambda: earnings(3, 1, 5),
        lambda: price(3, 3, 2, [0]), lambda: price(3, 1, 2, [-1]),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            call()
    is_sampled_well(COINS, 11, range(12))
    refuses(COINS, 5, "majority(4)", "majority()", "supported(5)")


# -- evidence ----------------------------------------------------------------------------------------------------------


def test_the_published_numbers_of_zig_zag() -> None:
    """Five pairs of +1 and -1 move a price by 2.3106 in all and nowhere in the end; +5 moves it .4933 however it is split."""
    zigzag = prices([1, -1] * 5)
    assert path_length(zigzag) == pytest.approx(2.3106, abs=5e-5) and net(zigzag) == 0
    for split in ([5], [1] * 5, [2, 3], [0.5] * 10):
        assert path_length(prices(split)) == pytest.approx(net(prices(split))) == pytest.approx(0.4933, abs=5e-5)


@few
@given(st.lists(st.floats(-6, 6), max_size=8))
def test_path_length_is_at_least_the_net_and_equal_without_turns(logits: list[float]) -> None:
    path = prices(logits)
    assert path_length(path) >= abs(net(path)) - 1e-12
    assert path_length(prices([abs(x) for x in logits])) == pytest.approx(net(prices([abs(x) for x in logits])))
    assert path[-1] == pytest.approx(probability(logits)) and path[0] == 0.5
    odds = math.prod(math.exp(x) for x in logits)  # Bayes' rule on odds, item by item
    assert path[-1] == pytest.approx(odds / (1 + odds))


def test_probability_is_right_far_out() -> None:
    assert probability([1e6]) == 1.0 and probability([-1e6]) == 0.0 and probability([]) == 0.5
    assert path_length([]) == net([]) == net([0.3]) == path_length([0.3]) == 0


@few
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_the_truth_is_where_the_last_price_is(size: int, seed: int) -> None:
    data = EVIDENCE.data(size, Random(seed))
    total = list(accumulate(data))[-1]
    assert total != 0
    assert (EVIDENCE.truth(data, f"supported({size})") == "yes") == (prices(data)[-1] > 0.5) == (total > 0)


def played(protocol: type[moot.Debate], sample: moot.Sample, **seats: Any) -> moot.Transcript:
    options = EVIDENCE.options(protocol.name, sample.question)
    judge = moot.Bounded(Bayesian(), reads=EVIDENCE.reads)
    return moot.run(protocol(**options), sample, {**seats, "judge": judge})


@few
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_debate_shows_the_judge_everything_and_it_believes_what_the_evidence_says(size: int, seed: int) -> None:
    sample = EVIDENCE.sample(size, seed)
    data: Any = sample.question.data
    assert EVIDENCE.cast("debate") == {"a": "advocate", "b": "advocate", "judge": "bayesian"}
    plays = [played(moot.Debate, sample, a=Advocate(), b=other) for other in (Advocate(), Inventor())]
    assert all(isinstance(t.outcome, moot.Decided) and t.guarantee.holds for t in plays)
    honest, invented = map(verdict_of, plays)
    assert honest.probabilities[sample.question.choices.index("yes")] == pytest.approx(probability(data))
    assert honest.choice == sample.unseal()
    assert invented.probabilities[1] <= honest.probabilities[1] + 1e-12  # repeating and inventing items gains nothing


def test_a_consultant_shows_one_side_and_is_believed() -> None:
    wrong = 0
    for seed in range(20):
        sample = EVIDENCE.sample(12, seed)
        t = played(moot.Consultancy, sample, consultant=Advocate())
        assert verdict_of(t).choice == 0  # the answer it was given
        wrong += sample.unseal() != 0
    assert 5 <= wrong <= 15


def test_items_that_are_not_there_or_were_shown_before_add_nothing() -> None:
    question = moot.Question("supported(3)", ("yes", "no"), data=[2, -1, 3], size=3, unit="cells")
    options = {**EVIDENCE.options("consultancy", question), "limit": None}
    said = "items 0 and 0 and 7, 12345678901 and -2, x1, ３"
    t = moot.run(
        moot.Consultancy(**options),
        question,
        {"consultant": lambda r: moot.Speech(text=said), "judge": moot.Bounded(Bayesian(), reads=99)},
    )
    assert t.ledger.seats["judge"].reads == len(said) + 2
    assert verdict_of(t).probabilities[0] == pytest.approx(probability([2, 3]))
    assert verdict_of(t).text == "2 items add up to +5"
    shown = [sum(some) for n in range(4) for some in combinations([2, -1, 3], n)]
    assert max(shown) == 5  # nothing that can be said moves the judge further than this did


def test_questions_that_are_none_are_refused() -> None:
    is_sampled_well(EVIDENCE, 9, range(12))
    refuses(EVIDENCE, 5, "supported(4)", "majority(5)", "")
    for name, kind in (("coins", Coins), ("evidence", Evidence)):
        assert type(task_named(name)) is kind
