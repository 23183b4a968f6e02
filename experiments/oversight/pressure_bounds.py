"""What each bound says of a rare event that was never seen, and what a sampled quantilizer comes to: the figures of docs/pressure.md.
Rule: closed forms, and bounds on numbers that are given; what is played is in `pressure.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import repeat

from moot.complexity.pressure.bounds import (
    betting_upper,
    black_box_floor,
    clopper_pearson,
    empirical_bernstein,
    hoeffding,
)
from moot.complexity.pressure.divergences import any_of, kl_inverse, quantilized_kl
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.policies import quantilized_density
from moot.complexity.pressure.thresholds import chernoff, exact_tail
from moot.experiments.statistics.report import Row

DRAWS, DELTA, SHARE = 2000, 0.05, 0.1
"""Draws, none of them in the event; how probably a bound may fail; the share that a mixture draws from the anchor itself."""
MODELS = (
    (20, 20, 0.5, 1.0, "1.00"),
    (64, 56, 0.5, 5.78, "5.78"),
    (64, 50, 0.3, 7.37, "7.37"),
    (200, 150, 0.5, 10.35, "10.35"),
)
"""Threshold models with weights of 1: inputs, threshold, how probable each is, and the Chernoff bound over the truth."""


def rows() -> list[Row]:
    """All of them."""
    return [*_unseen(), *_budgets(), *_sampled(), *_thresholds()]


def _unseen() -> list[Row]:
    def said(bound: Bound) -> float:
        return 1.0 if bound.upper is None else bound.upper

    def over(bound: Callable[..., Bound], most: float) -> float:
        return said(bound(list(repeat(0.0, DRAWS)), DELTA, most))

    p = 96 / 2**20
    return [
        Row.equal(f"0 of {DRAWS:,}, Clopper-Pearson", said(clopper_pearson(0, DRAWS, DELTA)), 0.0014967, within=6e-8),
        Row.equal("  betting", over(betting_upper, 1.0), 0.0020197, within=6e-8),
        Row.equal("  mixture, a tenth from the anchor: floor", black_box_floor(DRAWS, DELTA, SHARE), 0.0149674, within=6e-8),
        Row.equal("    betting", over(betting_upper, 1 / SHARE), 0.020197, within=6e-7),
        Row.equal("    empirical Bernstein", over(empirical_bernstein, 1 / SHARE), 0.0430585, within=6e-8),
        Row.equal("    Hoeffding", over(hoeffding, 1 / SHARE), 0.273666, within=6e-7),
        Row.equal("  of 96 in 2^20, any is seen with", any_of(p, DRAWS), 0.1673, within=6e-5,
                  note="and so often, no more, a normal interval holds that promises .95"),
    ]  # fmt: skip


def _budgets() -> list[Row]:
    figures = ((0.01, 0.00157196), (0.1, 0.0119165), (0.5, 0.0507114), (1, 0.0951281), (2, 0.178748), (5, 0.410929))
    return [
        Row.equal(f"{'of 1e-6, within .01 nats' if nats == 0.01 else f'  within {nats:g}'}", kl_inverse(1e-6, nats), wanted, within=6e-7)
        for nats, wanted in figures
    ]  # fmt: skip


def _sampled() -> list[Row]:
    found = [
        Row.equal(f"one of the best {k} of {n}: ratio", quantilized_density(n, k, 0.0), n / k, within=1e-9)
        for n, k in ((8, 2), (16, 4), (100, 10))
    ]
    kls = ((8, 2, 0.831867), (16, 4, 0.987679))
    return [
        *found,
        *(Row.equal(f"  {k} of {n}: KL in nats, where log {n // k} is {math.log(n / k):.6f}", quantilized_kl(n, k), wanted, within=6e-7)
          for n, k, wanted in kls),
    ]  # fmt: skip


def _thresholds() -> list[Row]:
    found = []
    for n, tau, p, times, text in MODELS:
        bound, truth = chernoff([1] * n, tau, [p] * n), exact_tail([1] * n, tau, [p] * n)
        over = (bound.upper or 0.0) / (truth.estimate or math.nan)
        name = f"{tau} of {n} inputs of {p:g}: Chernoff over exact"
        found.append(Row(name=name, measured=over, published=text, holds=abs(over - times) <= 0.006))
    return found
