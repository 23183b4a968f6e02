"""An estimate with its interval, and the bootstrap that gives intervals where no formula does.
Rule: numbers by unit, whatever they measure; what is measured is in `metrics.py` and `comparisons.py`."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from operator import itemgetter
from random import Random
from statistics import NormalDist
from typing import Any, TypeVar

from moot.complexity.estimates import wilson
from moot.experiments.statistics.report import Row
from moot.protocols.engine.errors import UsageError

Unit = TypeVar("Unit")
QUESTIONS = "bootstrap over questions"
ROBUST = "cluster-robust"
MANY = 1000
"""Questions beyond which `clustered` takes the formula: resamples take long there, and the formula is as good."""
KEPT = 2_000_000
"""Most drawn indices of one set of resamples that are kept for the next interval."""


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
        ordered = sorted(units)  # type: ignore[type-var]
        draws = _draws(self.seed, self.resamples, len(ordered))
        drawn: Iterable[float | None] = (statistic(draw(ordered)) for draw in draws)
        if statistic is ratio:  # the same sums, of two columns rather than of pairs
            totals, counts = zip(*ordered, strict=True)
            even = math.fsum(counts) if len(set(counts)) == 1 else None
            drawn = (math.fsum(draw(totals)) / (even or sum(draw(counts))) for draw in draws)
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


def _draws(seed: int, resamples: int, count: int) -> Iterable[Callable[[Sequence[Any]], tuple[Any, ...]]]:
    """Functions that draw as many of `count` units, two or more, as there are; those of small sets are kept."""
    return _kept(seed, resamples, count) if resamples * count <= KEPT else _drawn(seed, resamples, count)


def _drawn(seed: int, resamples: int, count: int) -> Iterable[Callable[[Sequence[Any]], tuple[Any, ...]]]:
    random, places = Random(seed), range(count)
    return (itemgetter(*random.choices(places, k=count)) for _ in range(resamples))


@lru_cache(maxsize=4)
def _kept(seed: int, resamples: int, count: int) -> tuple[Callable[[Sequence[Any]], tuple[Any, ...]], ...]:
    random, places = Random(seed), list(range(count))  # a list: its numbers are shared, and not made again
    return tuple(itemgetter(*random.choices(places, k=count)) for _ in range(resamples))


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


def robust(units: Sequence[tuple[float, int]], by: Bootstrap = BOOTSTRAP) -> tuple[float | None, float | None]:
    """The normal interval of `ratio` with the cluster-robust standard error, a cluster being a question, and the correction
    G / (G - 1) for G of them (Liang and Zeger 1986; `OLS(y, 1).fit(cov_type="cluster")` of statsmodels gives the same).
    (None, None) with fewer than two questions."""
    value, clusters = ratio(units), len(units)
    if value is None or clusters < 2:
        return None, None
    squares = math.fsum((total - value * count) ** 2 for total, count in units)
    half = by.z * math.sqrt(clusters / (clusters - 1) * squares) / sum(count for _, count in units)
    return value - half, value + half


def clustered(units: Sequence[tuple[float, int]], by: Bootstrap = BOOTSTRAP) -> tuple[float | None, float | None, str]:
    """The interval of `ratio`, and how it was made: resampled questions, and beyond MANY of them the robust formula."""
    if len(units) > MANY:
        return *robust(units, by), ROBUST
    return *by.interval(units, ratio, ratio(units)), QUESTIONS


def sign_flips(differences: Sequence[float], flips: int = 9999, seed: int = 0) -> tuple[float, int] | None:
    """The two-sided p of the hypothesis that differences are as likely to have either sign: the share of flips of their
    signs whose sum is at least as far from 0 as theirs, over all of them where there are at most `flips` (the count is
    then 2^n), otherwise over `flips` drawn ones and the given one (Phipson and Smyth 2010). For two arms this is exchanging
    them within questions. (p, how many flips); None with fewer than two differences."""
    count = len(differences)
    if count < 2:
        return None
    total, exact = math.fsum(differences), 2**count <= flips
    near = abs(total) * (1 - 1e-9) - 1e-12 * math.fsum(map(abs, differences))
    # What flipping any of eight differences takes from the sum, by the bits of a byte.
    tables = [[0.0] for _ in range(0, count, 8)]
    for place, value in enumerate(differences):
        table = tables[place // 8]
        table += [taken + 2 * value for taken in table]
    for table in tables:
        table *= 256 // len(table)
    random = Random(seed)
    draws = range(2**count) if exact else (random.getrandbits(8 * len(tables)) for _ in range(flips))
    far = 0
    for bits in draws:
        taken = sum(map(list.__getitem__, tables, bits.to_bytes(len(tables), "little")))
        far += abs(total - taken) >= near
    return (far / 2**count, 2**count) if exact else ((far + 1) / (flips + 1), flips)
