"""Arms held against each other on the same questions: weighted sums with an interval and a permutation test.
Rule: what is paired by question; figures of one arm by itself are in `results.py`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moot.complexity.estimates import wilson
from moot.experiments.statistics.intervals import Bootstrap, Estimate, clustered, ratio, sign_flips
from moot.protocols.engine.errors import UsageError
from moot.studies.results import rows as of_rows
from moot.studies.results.rows import Measured, Row

SHARES = ("accuracy", "wrong", "guarantee")
"""Metrics that are 0 to 1 on every row."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """weights: of the arms. estimate: the mean over pairs of the weighted sum; its count is how many pairs there are, its
    undecided the rows that are in none ("incomplete": another arm has no value there). levels: the mean of each arm over
    the same pairs. questions: how many. p: two-sided, of flipped signs (`intervals.sign_flips`), by question; None with
    fewer than two questions and of weights that do not sum to 0. flips: how many there were. strata: the same by a column."""

    weights: Mapping[str, float]
    metric: str
    estimate: Estimate
    levels: Mapping[str, float | None]
    questions: int
    p: float | None = None
    flips: int = 0
    strata: Mapping[Any, Contrast] = field(default_factory=dict)


def named(weights: Mapping[str, float]) -> str:
    """The weighted sum in words: "0.5 few + 0.5 many - none"."""
    text = ""
    for arm, weight in weights.items():
        size = "" if abs(weight) == 1 else f"{abs(weight):g} "
        sign = (" - " if weight < 0 else " + ") if text else ("-" if weight < 0 else "")
        text += f"{sign}{size}{arm}"
    return text


def check_weights(weights: Mapping[str, float], zero_sum: bool) -> None:
    """UsageError on weights of nothing, not finite, 0, or that do not sum to 0 where they should."""
    if not weights:
        raise UsageError("a contrast needs arms with weights, such as {'debate': 1, 'alone': -1}")
    for arm, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight) or not weight:
            raise UsageError(f"the weight of {arm!r} is {weight!r}; it must be a finite number other than 0")
    total = math.fsum(weights.values())
    if zero_sum and abs(total) > 1e-9:
        raise UsageError(
            f"the weights of {named(weights)} sum to {total:g}, not to 0; say zero_sum=False if that is meant"
        )


def alike(units: Sequence[tuple[float, int]]) -> bool:
    """Whether every question has the same mean: resamples are then all alike, and would promise certainty."""
    means = [total / count for total, count in units]
    return max(means) - min(means) <= 1e-12


def differing(value: float, least: float, most: float, questions: int, by: Bootstrap) -> tuple[float, float, str]:
    """The interval of a mean between `least` and `most` that is `value` on each of so many questions: of others, a share up to Wilson's
    bound for 0 of these may lie as far from it as they can. For a share of 0 or 1 it is Wilson's interval itself."""
    share = wilson(0, questions, by.z)[1]
    return value - share * (value - least), value + share * (most - value), "Wilson over questions"


def contrast(
    rows: Sequence[Row], weights: Mapping[str, float], score: Callable[[Row], Measured], metric: str, column: str,
    pairs: Sequence[str], zero_sum: bool, by: Bootstrap, strata: Mapping[Any, Contrast],
) -> Contrast:  # fmt: skip
    """Σ weight · (mean of an arm's rows in a pair), averaged over the pairs in which every arm has a value. pairs: the columns
    whose values make a pair, "question" among them or not: intervals and test are clustered by question anyway."""
    check_weights(weights, zero_sum)
    held: dict[tuple[Any, ...], dict[Any, list[float]]] = {}
    others = Counter[str]()
    ties: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        arm = of_rows.value(row, column)
        if arm not in weights:
            continue
        found = score(row)
        if isinstance(found, str):
            others[found] += 1
            continue
        pair = (row["study"], row["question"], *(of_rows.key(of_rows.value(row, each)) for each in pairs))
        held.setdefault(pair, {}).setdefault(arm, []).append(found)
        ties[pair] += row["belief"] is not None and row["answer"] is None
    sums: dict[tuple[Any, ...], list[float]] = {}
    levels: dict[str, list[float]] = {arm: [] for arm in weights}
    tied = 0
    for pair, arms in held.items():
        if len(arms) < len(weights):
            others["incomplete"] += sum(map(len, arms.values()))
            continue
        tied += ties[pair]
        means = {arm: math.fsum(found) / len(found) for arm, found in arms.items()}
        for arm, mean in means.items():
            levels[arm].append(mean)
        sums.setdefault(pair[:2], []).append(math.fsum(weight * means[arm] for arm, weight in weights.items()))
    units = [(math.fsum(found), len(found)) for found in sums.values()]
    low, high, method = clustered(units, by)
    if metric in SHARES and low is not None and alike(units):
        at, reach = sorted(weights.values()), units[0][0] / units[0][1]
        low, high, method = differing(
            reach, math.fsum(w for w in at if w < 0), math.fsum(w for w in at if w > 0), len(units), by
        )
    estimate = Estimate(ratio(units), low, high, sum(count for _, count in units), others, tied, method)
    tested = (
        sign_flips(sorted(total for total, _ in units), seed=by.seed)
        if abs(math.fsum(weights.values())) <= 1e-9
        else None
    )
    p, flips = tested or (None, 0)
    mean_levels = {arm: math.fsum(found) / len(found) if found else None for arm, found in levels.items()}
    return Contrast(dict(weights), metric, estimate, mean_levels, len(units), p, flips, strata)
