"""An estimate with its interval, and the bootstrap that gives intervals where no formula does.
Rule: numbers by unit, whatever they measure; what is measured is in `metrics.py` and `comparisons.py`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from random import Random
from statistics import NormalDist
from typing import TypeVar

from moot.complexity.estimates import wilson
from moot.experiments.statistics.report import Row
from moot.protocols.engine.errors import UsageError

Unit = TypeVar("Unit")
QUESTIONS = "bootstrap over questions"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure that was measured. value, and low and high, its interval: None when there is none. count: how many records,
    questions or pairs it is of. undecided: the records that are in no figure, by why (how they ended, "no truth", or
    "incomplete" where a counterpart is missing). ties: how many had no single most probable choice. method: of the interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    undecided: Mapping[str, int] = field(default_factory=dict)
    ties: int = 0
    method: str = ""

    def row(self, name: str, published: float | None = None, holds: bool | None = None, note: str = "") -> Row:
        """The estimate as a row of a report."""
        return Row(
            name=name, measured=self.value, low=self.low, high=self.high, published=published, count=self.count,
            undecided=sum(self.undecided.values()), holds=holds, note=note,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Percentile intervals (Efron 1979) from resamples of whole questions, as records of one are not independent. The same
    seed gives the same interval, whatever the questions are called and in whatever order they come. UsageError on a
    confidence outside (0, 1) or too few resamples for it."""

    resamples: int = 2000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise UsageError(f"the confidence of an interval is {self.confidence}; it must lie between 0 and 1")
        if self.resamples * (1 - self.confidence) / 2 < 1:
            least = f"take at least {math.ceil(2 / (1 - self.confidence))}"
            raise UsageError(f"{self.resamples} resamples are too few for confidence {self.confidence}; {least}")

    @property
    def z(self) -> float:
        """How many standard errors an interval of this confidence reaches to either side."""
        return NormalDist().inv_cdf(0.5 + self.confidence / 2)

    def interval(
        self, units: Sequence[Unit], statistic: Callable[[Sequence[Unit]], float | None], value: float | None
    ) -> tuple[float | None, float | None]:
        """The interval of `statistic`, whose value on all `units` is `value`; widened to hold it where it does not.
        units: one for each question, comparable with each other. (None, None) with fewer than two units, or where a resample has no value."""
        if value is None or len(units) < 2:
            return None, None
        random, ordered = Random(self.seed), sorted(units)  # type: ignore[type-var]
        drawn = (statistic(random.choices(ordered, k=len(ordered))) for _ in range(self.resamples))
        found = [got for got in takewhile(lambda got: got is not None, drawn) if got is not None]
        return self.percentiles(found, value) if len(found) == self.resamples else (None, None)

    def estimate(
        self, units: Sequence[Unit], statistic: Callable[[Sequence[Unit]], float | None], count: int,
        undecided: Mapping[str, int], ties: int,
    ) -> Estimate:  # fmt: skip
        """`statistic` of all units, with its interval."""
        value = statistic(units)
        low, high = self.interval(units, statistic, value)
        return Estimate(value, low, high, count, undecided, ties, QUESTIONS)

    def percentiles(self, found: Sequence[float], value: float) -> tuple[float, float]:
        """The middle of what resamples gave, by nearest rank: no interpolation, as values may be infinite."""
        ordered = sorted(found)
        cut = math.floor(len(ordered) * (1 - self.confidence) / 2 + 1e-9)
        return min(ordered[cut], value), max(ordered[-1 - cut], value)


BOOTSTRAP = Bootstrap()


def ratio(units: Sequence[tuple[float, int]]) -> float | None:
    """The mean of records that come as sums and counts, one pair for each question."""
    return math.fsum(total for total, _ in units) / sum(count for _, count in units) if units else None


def share(units: Sequence[tuple[float, int]], by: Bootstrap) -> tuple[float | None, float | None, str]:
    """The interval of a share that comes as successes and trials for each question, and how it was made: Wilson's where
    every question was tried once, otherwise by resampling questions."""
    trials = sum(count for _, count in units)
    if not trials:
        return None, None, ""
    if all(count == 1 for _, count in units):
        won = math.fsum(
            total for total, _ in units
        )  # ties may count in part: the interval then holds that of either count
        return wilson(math.floor(won), trials, by.z)[0], wilson(math.ceil(won), trials, by.z)[1], "Wilson"
    return *by.interval(units, ratio, ratio(units)), QUESTIONS
