"""Estimators that look inside the model: all inputs counted, threshold models bounded, walks towards failure, moments passed on.
Rule: each is given what the model is, and holds it against every ruling: an inside that contradicts one is not this model's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import NormalDist
from typing import Any, ClassVar

from moot.complexity.estimators.base import Estimator, missing
from moot.complexity.estimators.evidence import Evidence
from moot.complexity.estimators.splitting import splitting
from moot.complexity.pressure.bounds import betting_lower
from moot.complexity.pressure.kinds import Bound, Kind
from moot.complexity.pressure.thresholds import chernoff
from moot.protocols.engine.errors import UsageError
from moot.protocols.specification.moves import Finding

INSIDE = ("inside-is-the-model", "right-law")
"""What rests on a look inside: that what was looked at is what acted and is ruled on so, which rulings can refute and not prove; and that
inputs have the probabilities that it was given."""
ROUNDING = 1e-15
"""By how much probabilities may miss 1 for what they sum to to be called exact."""


class Count(Estimator):
    """Every input with its probability and its ruling: exact where none is unknown, and else between what is bad and what is not ok.

    inputs: text to (probability, finding); probabilities sum to 1, and by what they miss it, beyond `ROUNDING`, both sides give way. Raises
    UsageError on others, and where a ruling of the play is another.
    """

    name: ClassVar[str] = "count"
    gives: ClassVar[Kind] = "exact"

    def __init__(self, inputs: Mapping[str, tuple[float, Finding]]) -> None:
        pairs = isinstance(inputs, Mapping) and all(
            isinstance(each, tuple) and len(each) == 2 for each in inputs.values()
        )
        if not pairs:
            raise UsageError(
                f"count: inputs are {inputs!r:.80}; give a mapping from texts to pairs of probability and finding"
            )
        self.inputs = dict(inputs)
        self.missing = missing((share for share, _ in self.inputs.values()), "count")
        if wrong := [text for text, (_, finding) in self.inputs.items() if finding not in ("bad", "ok", "unknown")]:
            raise UsageError(
                f"count: the input {wrong[0]!r:.60} is ruled {self.inputs[wrong[0]][1]!r}; say bad, ok or unknown"
            )

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        for each in evidence.rulings():
            if each.text is None:
                continue
            if each.text not in self.inputs:
                if getattr(each, "weight", None) == 0:
                    continue
                raise UsageError(
                    f"count: step {each.step}: the input {each.text!r:.60} is none of those that were counted"
                )
            told = self.inputs[each.text][1]
            if "unknown" not in (told, each.finding) and told != each.finding:
                raise UsageError(
                    f"count: step {each.step}: {each.text!r:.60} was ruled {each.finding}, and counted as {told}"
                )
        bad, unknown = (
            math.fsum(share for share, finding in self.inputs.values() if finding == which)
            for which in ("bad", "unknown")
        )
        if not unknown and self.missing <= ROUNDING:
            bad = min(1.0, bad)
            return Bound(kind="exact", estimate=bad, lower=bad, upper=bad, route="enumeration", assumes=INSIDE)
        sums = 1e-12
        return Bound(
            kind="valid bound", lower=max(0.0, bad * (1 - sums) - self.missing),
            upper=min(1.0, (bad + unknown) * (1 + sums) + self.missing), route="enumeration", assumes=INSIDE,
        )  # fmt: skip


class Chernoff(Estimator):
    """A bound on a threshold model, without a draw (Chernoff 1952): it fails on an input x only if sum w_i x_i >= tau.

    weights, tau, chances: see `complexity.pressure.thresholds.chernoff`. bits: the x of an input's text. Raises UsageError as that
    does, and where an input below the threshold was ruled bad.
    """

    name: ClassVar[str] = "chernoff"
    gives: ClassVar[Kind] = "valid bound"

    def __init__(
        self, weights: Sequence[float], tau: float, chances: Sequence[float], bits: Callable[[str], Sequence[float]]
    ) -> None:
        self.weights, self.tau, self.bits = tuple(weights), tau, bits
        self.bound = chernoff(weights, tau, chances)

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        size = math.fsum(map(abs, (*self.weights, self.tau)))
        for each in evidence.rulings():
            if each.text is None or each.finding != "bad":
                continue
            bits = self.bits(each.text)
            if len(bits) != len(self.weights) or not {*bits} <= {0, 1}:
                raise UsageError(
                    f"chernoff: step {each.step}: {each.text!r:.60} has {len(bits)} bits for {len(self.weights)} weights"
                )
            total = math.fsum(weight * bit for weight, bit in zip(self.weights, bits, strict=True))
            if total < self.tau - 1e-12 * size:
                raise UsageError(
                    f"chernoff: step {each.step}: {each.text!r:.60} was ruled bad at {total:.6g}, below the threshold {self.tau:.6g}: "
                    "this is not the model"
                )
        return Bound(
            kind="valid bound", upper=self.bound.upper, route="Chernoff", assumes=("independent-inputs", *INSIDE)
        )


class Moments(Estimator):
    """A guess for a network on independent bits: means and covariances are passed through its layers as if all were Gaussian, and the
    output's tail beyond tau is read off. It promises nothing, and on rare events it is wrong by orders of magnitude either way.

    layers: (weights, biases) of each, weights of shape (inputs, outputs); between layers max(z, slope z). chances: of each input to be `high`,
    where it is else `low`. tau: the output above which the model fails. Raises UsageError on shapes that do not fit, and where the variance of an output is no float.
    """

    name: ClassVar[str] = "moments"
    gives: ClassVar[Kind] = "none"

    def __init__(
        self, layers: Sequence[tuple[Sequence[Sequence[float]], Sequence[float]]], chances: Sequence[float], tau: float = 0.0,
        slope: float = 0.0, low: float = 0.0, high: float = 1.0,
    ) -> None:  # fmt: skip
        wide = len(chances)
        for number, (weights, biases) in enumerate(layers):
            if len(weights) != wide or any(len(row) != len(biases) for row in weights):
                raise UsageError(
                    f"moments: layer {number} takes {len(weights)} values and is given {wide}, or its rows differ"
                )
            wide = len(biases)
        if not layers or wide != 1:
            raise UsageError(f"moments: the last of {len(layers)} layers gives {wide} values; it must give one")
        if not all(0 <= p <= 1 for p in chances):
            raise UsageError("moments: chances must lie in [0, 1]")
        self.layers, self.tau, self.slope = [*layers], tau, slope
        self.mean = [low + (high - low) * p for p in chances]
        self.spread = [(high - low) ** 2 * p * (1 - p) for p in chances]

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        mean = self.mean
        cov = [[v if i == j else 0.0 for j in range(len(mean))] for i, v in enumerate(self.spread)]
        for number, (weights, biases) in enumerate(self.layers):
            columns = [*zip(*weights, strict=True)]
            mean = [bias + _dot(column, mean) for column, bias in zip(columns, biases, strict=True)]
            half = [[_dot(row, column) for row in cov] for column in columns]
            cov = [[_dot(one, column) for column in columns] for one in half]
            if number < len(self.layers) - 1:
                mean, cov = self._bent(mean, cov)
        if not all(map(math.isfinite, (mean[0], cov[0][0], self.tau))):
            raise UsageError(
                f"moments: the output has mean {mean[0]!r}, variance {cov[0][0]!r} and tau {self.tau!r}; give finite numbers, of a finite variance"
            )
        spread = math.sqrt(max(0.0, cov[0][0]))
        above = 1 - NormalDist(mean[0], spread).cdf(self.tau) if spread else float(mean[0] > self.tau)
        return Bound(kind="none", estimate=above, route="Gaussian moments")

    def _bent(self, mean: list[float], cov: list[list[float]]) -> tuple[list[float], list[list[float]]]:
        """Mean and covariance after max(z, slope z) of Gaussian z: exact for each, to first order between two."""
        unit, means, gains, spreads = NormalDist(), list[float](), list[float](), list[float]()
        for place, m in enumerate(mean):
            s = math.sqrt(max(0.0, cov[place][place]))
            share, peak = (unit.cdf(m / s), s * unit.pdf(m / s)) if s else (float(m > 0), 0.0)
            first, second = m * share + peak, (m * m + s * s) * share + m * peak  # of max(z, 0)
            rest, square = m - first, m * m + s * s - second  # of min(z, 0)
            bent = first + self.slope * rest
            means.append(bent)
            gains.append(share + self.slope * (1 - share))
            spreads.append(max(0.0, second + self.slope**2 * square - bent * bent))
        size = range(len(mean))
        return means, [[spreads[i] if i == j else cov[i][j] * gains[i] * gains[j] for j in size] for i in size]


class Splitting(Estimator):
    """Walks from nature's law, level by level towards a violation (`splitting.py`): of independent runs, each unbiased, a lower bound by betting.

    draw, score, moved, target, walkers, sweeps, levels: see `splitting`; an input violates the specification where its score is at least the target.
    runs: how many there are; seed: of their chance. read: an input from its text, by which rulings are held against scores. Raises UsageError as `splitting`, and where an input of that score was ruled ok.
    """

    name: ClassVar[str] = "splitting"
    gives: ClassVar[Kind] = "lower only"

    def __init__(
        self, draw: Callable[[Random], Any], score: Callable[[Any], float], moved: Callable[[Any, Random], Any], target: float, *,
        read: Callable[[str], Any], runs: int = 20, walkers: int = 100, sweeps: int = 1, seed: int = 0,
        levels: Sequence[float] | None = None,
    ) -> None:  # fmt: skip
        if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
            raise UsageError(f"splitting in {runs!r} runs; give a whole number of at least 1")
        self.score, self.target, self.read = score, target, read
        self.values = [
            splitting(
                draw,
                score,
                moved,
                target,
                walkers=walkers,
                sweeps=sweeps,
                random=Random(f"splitting/{seed}/{run}"),
                levels=levels,
            )
            for run in range(runs)
        ]

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        for each in evidence.rulings():
            if each.text is None or each.finding != "ok":
                continue
            if (score := self.score(self.read(each.text))) >= self.target:
                raise UsageError(
                    f"splitting: step {each.step}: {each.text!r:.60} was ruled ok, and has the score {score:.6g}: this is not the model"
                )
        found = betting_lower(self.values, delta)
        lower = min(1.0, found.lower or 0.0)
        return Bound(
            kind="lower only", estimate=found.estimate, lower=lower, delta=delta, route="multilevel splitting",
            assumes=("reversible-moves", *INSIDE),
        )  # fmt: skip


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
