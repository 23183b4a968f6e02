"""What market and adversary are paid for the prices of a play, as pure functions.
Rule: prices in, payments out; no seat, move or script is known here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from moot.protocols.engine.errors import UsageError
from moot.protocols.scoring import CLIP, ScoringRule

Belief = Sequence[float]
Reward = Literal["abs_move", "lmsr"]
Last = Literal["judge", "market"]


class Losses(NamedTuple):
    """Losses by step. market: one for each price. adversary: one for each statement; less than 0 is a gain."""

    market: tuple[float, ...]
    adversary: tuple[float, ...]


def losses(
    prices: Sequence[Belief], final: Belief, *, scoring: ScoringRule | None = None, reward: Reward = "abs_move",
    last: Last = "judge", b: float = 1.0,
) -> Losses:  # fmt: skip
    """The losses of a play with prices p_0 … p_n (one before each of n statements, one after the last) and the judge's
    final belief p*.

    market: L_M,t is minus the expected score of p_t when the outcome is drawn from p*; by the log rule the cross-entropy
    of Hubinger 2020, -p* log p_t - (1 - p*) log(1 - p_t) for two choices.
    adversary, "abs_move": L_Adv,t = -TV(p_t, p_{t+1}), which for two choices is Hubinger's -|p_{t+1} - p_t|.
    "lmsr": it trades with a logarithmic market scoring rule of liquidity b (Hanson 2003) from p_t to p_{t+1} and is paid
    when p* is known, L_Adv,t = -b * sum_i p*_i log(p_{t+1,i} / p_{t,i}): b * KL(p* || p_t) falls by that much.
    last: the last step's next price is the judge's p*, or the market's p_n.

    Under a logarithm a probability below CLIP counts as CLIP, so that losses are finite.
    Raises UsageError when there is no price, or prices and belief are over different numbers of choices.
    """
    if not prices or any(len(price) != len(final) for price in prices):
        raise UsageError(f"losses need one or more prices over {len(final)} choices, as the final belief has")
    rule = scoring or ScoringRule()
    path = [*prices[:-1], final] if last == "judge" else [*prices]
    pairs = zip(prices[:-1], path[1:], strict=True)
    if reward == "lmsr":
        moved = tuple(-b * (gap(final, before) - gap(final, after)) for before, after in pairs)
    else:
        moved = tuple(-distance(before, after) for before, after in pairs)
    return Losses(tuple(-expected(rule, price, final) for price in prices), moved)


def most_lost(horizon: int, *, scoring: ScoringRule, reward: Reward, b: float) -> float:
    """The most that market or adversary can lose or gain in a play of at most `horizon` statements.

    A price scores within the range of its rule, for each of horizon + 1 prices. A move is at most 1 in total variation; the
    trades of the adversary add up to b times one fall of KL(p* || p), which is at most -log(CLIP) where it starts.
    """
    score = {"log": math.log(CLIP) / math.log(scoring.base), "brier": -2.0, "spherical": 1.0}[scoring.rule]
    ends = (scoring.constant, scoring.constant + scoring.coefficient * score)
    adversary = horizon if reward == "abs_move" else -b * math.log(CLIP)
    return max((horizon + 1) * max(map(abs, ends)), adversary)


def expected(rule: ScoringRule, price: Belief, final: Belief) -> float:
    """The expected reward of reporting `price` when the outcome is drawn from `final`."""
    if rule.rule == "log":
        per_nat = rule.coefficient / math.log(rule.base)
        scores = [per_nat * math.log(max(p, CLIP)) + rule.constant for p in price]
    else:
        scores = [rule.reward(price, outcome) for outcome in range(len(price))]
    return math.fsum(p * score for p, score in zip(final, scores, strict=True) if p > 0)


def distance(one: Belief, other: Belief) -> float:
    """Total variation: half the sum of absolute differences; |p - q| for two choices."""
    return math.fsum(abs(p - q) for p, q in zip(one, other, strict=True)) / 2


def gap(final: Belief, price: Belief) -> float:
    """KL(final || price) in nats, with probabilities of the price below CLIP counted as CLIP, and never below 0."""
    terms = (p * math.log(p / max(q, CLIP)) for p, q in zip(final, price, strict=True) if p > 0)
    return max(0.0, math.fsum(terms))
