"""What a judge is paid: the protocol's scoring rule in words, and what a belief would pay.

Rule of this file: it is computed for every choice alike, and knows no truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from moot.complexity.reward import reward_of
from moot.protocols.engine.base import Protocol
from moot.protocols.scoring import ScoringRule
from moot.web.judging.rules import Pay

_RULES = {
    "log": "the logarithm of the probability that you gave to the right answer: 0 for certainty, less the lower it was, and no end to it at probability 0",
    "brier": "minus the squared distance between your probabilities and the truth: 0 for certainty in the right answer, -2 for certainty in a wrong one",
    "spherical": "the probability that you gave to the right answer, over the length of all your probabilities as a vector: from 0 to 1",
}


class Pays(NamedTuple):
    """What a belief pays if one of the choices is right. reward: in points, which may be -inf; money: None where nothing is paid."""

    choice: int
    reward: float
    money: float | None


def pays(protocol: Protocol, probabilities: Sequence[float], continues: int, pay: Pay | None) -> list[Pays]:
    """What a belief would pay, for each choice that may be right, after going on `continues` times. Raises UsageError on what is no
    distribution."""
    found = []
    for choice in range(len(probabilities)):
        reward = reward_of(protocol, probabilities, choice, continues)
        found.append(Pays(choice, reward, None if pay is None else pay.of(reward)))
    return found


def points(reward: float) -> str:
    """A reward in words."""
    return (
        ("−∞" if reward < 0 else "∞")
        if math.isinf(reward)
        else f"{reward + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
    )


def money(amount: float, pay: Pay) -> str:
    """An amount with its currency."""
    return (
        ("−∞" if amount < 0 else "∞") + f" {pay.currency}".rstrip()
        if math.isinf(amount)
        else f"{amount:.2f} {pay.currency}".rstrip()
    )


def rule_of(protocol: Protocol) -> ScoringRule:
    """The rule that a protocol's judge is scored by."""
    rule: ScoringRule = getattr(protocol, "scoring", None) or ScoringRule()
    return rule


def explained(protocol: Protocol, pay: Pay | None) -> list[str]:
    """The rule in sentences."""
    rule = rule_of(protocol)
    base = "" if rule.rule != "log" or rule.base == math.e else f" (to base {rule.base:g})"
    told = [f"Your points are {_RULES[rule.rule]}{base}."]
    if rule.coefficient != 1 or rule.constant:
        told.append(f"They are multiplied by {rule.coefficient:g}, and {rule.constant:g} is added.")
    if rule.penalty:
        told.append(f"Each time that you go on instead of ending costs {rule.penalty:g} points.")
    told.append("By this rule you can expect most where you state what you really believe.")
    if pay is not None:
        least = f", and never less than {money(pay.least, pay)}"
        most = "" if pay.most is None else f" nor more than {money(pay.most, pay)}"
        told.append(f"You are paid {money(pay.base, pay)} and {money(pay.per_point, pay)} for each point{least}{most}.")
    return told
