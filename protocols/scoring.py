"""Proper scoring rules, and what judge and debaters are paid by them.
Rule: probabilities in, numbers out; which seat is paid by which rule is said in each protocol's file.

A rule is proper: a judge who believes p maximises its expected score by reporting p (Gneiting and Raftery 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Annotated, Literal, get_args

from pydantic import Field

from moot.protocols.engine.errors import UsageError
from moot.protocols.limits import Parameter

Rule = Literal["log", "brier", "spherical"]
Pooling = Literal["mean", "median"]

# Payoffs must stay finite when a verdict is certain. The bound is that of Pallavi Sudhir, Kaunismaa and Panickssery 2025
# (arXiv 2504.03731, their `solib`), so that payoffs under the log rule compare with theirs.
CLIP = 1e-4

_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")


def score(rule: Rule, probabilities: Sequence[float], outcome: int, base: float = math.e) -> float:
    """What `rule` gives a report of `probabilities` when choice `outcome` is the true one. Higher is better.

    log: log of the probability of the outcome, to `base`; in [-inf, 0], and -inf when the probability is 0.
    brier: minus the sum over choices x of (1[x = outcome] - p_x)^2; in [-2, 0] (the convention of solib, see `CLIP`).
    spherical: the probability of the outcome over the Euclidean norm of all; in [0, 1].
    Only the log rule looks at `base`, which must be above 1.
    Raises UsageError when the probabilities are not a distribution, or there is no such outcome or rule.
    """
    ps = _distribution(probabilities)
    if isinstance(outcome, bool) or not isinstance(outcome, int) or not 0 <= outcome < len(ps):
        raise UsageError(f"the outcome is {outcome!r}; with {len(ps)} choices it must be 0 to {len(ps) - 1}")
    p = ps[outcome]
    # fsum is exact up to one rounding, so no score depends on the order of the other choices.
    if rule == "log":
        if not (math.isfinite(base) and base > 1):
            raise UsageError(f"the log rule needs a finite base above 1, not {base!r}")
        return _log(p) / math.log(base) if p > 0 else -math.inf
    if rule == "brier":
        return -math.fsum((float(x == outcome) - q) ** 2 for x, q in enumerate(ps))
    if rule == "spherical":
        return p / math.sqrt(math.fsum(q * q for q in ps))
    raise UsageError(f"there is no scoring rule {rule!r}; there are {', '.join(get_args(Rule))}")


class ScoringRule(Parameter):
    """A scoring rule with a price for going on: coefficient * score + constant - penalty * continues.

    `ScoringRule(rule="log", base=2, penalty=0.05)` pays the judges of Michael et al. 2023 (arXiv 2311.08702), bit for bit
    as their data records it. Their "quadratic" rule is `rule="brier"` with `constant` equal to `coefficient`.
    penalty: the price of each further round that the judge asked for, 0 or more. coefficient: above 0, or the rule would
    not be proper.
    """

    rule: Rule = "log"
    base: Annotated[float, Field(gt=1, le=1e9)] = math.e
    penalty: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    constant: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    coefficient: Annotated[float, Field(gt=0, le=1e9)] = 1.0

    def score(self, probabilities: Sequence[float], truth: int) -> float:
        """The bare score, without coefficient, constant and penalty. Raises UsageError like the function `score`."""
        return score(self.rule, probabilities, truth, self.base)

    def reward(self, probabilities: Sequence[float], truth: int, continues: int = 0) -> float:
        """What the judge is paid for `probabilities` after going on `continues` times; -inf for log of 0, never NaN.

        Raises UsageError like the function `score`, and on a negative number of continues.
        """
        if isinstance(continues, bool) or not isinstance(continues, int) or continues < 0:
            raise UsageError(f"continues is {continues!r}; it must be an integer of at least 0")
        # The order of operations is that of the published rewards: each one rounds, so it is part of the formula.
        return self.coefficient * self.score(probabilities, truth) + self.constant - self.penalty * continues


def zero_sum(
    rule: ScoringRule | Rule, verdict_probabilities: Sequence[float], seats: Sequence[str]
) -> dict[str, float]:
    """Payoffs for debaters of whom `seats[i]` defends choice i: its score if i were true, less the mean over all choices.

    They sum to zero (up to float error), and are finite even where a probability is 0: for the log rule, and only there,
    each probability is first clipped to [CLIP, 1 - CLIP]. Constant and penalty would fall out of the difference, so
    payoffs do not hold them; the coefficient stays. Exchanging two choices and their seats exchanges nothing else.
    Raises UsageError when there is not exactly one seat for each choice.
    """
    scoring = rule if isinstance(rule, ScoringRule) else ScoringRule(rule=rule)
    ps = _distribution(verdict_probabilities)
    if len(seats) != len(ps) or len(set(seats)) != len(ps):
        raise UsageError(f"zero-sum payoffs need one seat for each of {len(ps)} choices, not {list(seats)}")
    if scoring.rule == "log":
        per_nat = scoring.coefficient / math.log(scoring.base)
        scores = [per_nat * _log(min(max(p, CLIP), 1 - CLIP)) for p in ps]
    else:
        scores = [scoring.coefficient * score(scoring.rule, ps, i) for i in range(len(ps))]
    # s - mean, written so that equal scores pay exactly 0 and two debaters exactly opposite amounts.
    return {seat: math.fsum(s - t for t in scores) / len(scores) for seat, s in zip(seats, scores, strict=True)}


def most_paid(rule: ScoringRule | Rule, choices: int) -> float:
    """The most that `zero_sum` gives to a seat, or takes from it: what a certain verdict pays the seat that it is for."""
    certain = [1.0, *[0.0] * (choices - 1)]
    return zero_sum(rule, certain, [str(choice) for choice in range(choices)])["0"]


def pooled(beliefs: Sequence[Sequence[float]], rule: Pooling = "mean") -> tuple[float, ...]:
    """Several distributions over the same choices as one. median: per choice, then renormalised; the mean where all of these
    are 0."""
    columns = list(zip(*beliefs, strict=True))
    weights = list(map(median, columns)) if rule == "median" else []
    if not sum(weights):
        weights = list(map(sum, columns))
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _distribution(probabilities: Sequence[float]) -> list[float]:
    ps = list(probabilities)
    if len(ps) < 2 or not all(0 <= p <= 1 for p in ps) or not math.isclose(math.fsum(ps), 1.0, abs_tol=1e-6):
        raise UsageError(f"scoring needs two or more probabilities in [0, 1] that sum to 1, not {ps}")
    return ps


def _log(p: float) -> float:
    """The natural logarithm of p > 0: the exponent split off exactly, ln 2 in two parts (as in fdlibm), then log1p.

    The plain logarithm of C libraries is as precise, but rounds one value of the data of Michael et al. 2023 (0.01 and
    five units in its last place, ten debates) to the other of its two equally near neighbours; this one gives all of
    the recorded rewards. The mantissa lies in [0.707, 1.414), where log1p is good to its last place.
    """
    mantissa, exponent = math.frexp(p)
    if mantissa < math.sqrt(0.5):
        mantissa, exponent = 2 * mantissa, exponent - 1
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + math.log1p(mantissa - 1))
