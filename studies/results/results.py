"""Figures of a study with intervals, whole or by any columns, and what was not decided beside each of them.
Rule: figures of one set of rows; what holds arms against each other is in `contrasts.py`, raters in `agreement.py`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from moot.experiments.statistics import metrics
from moot.experiments.statistics.intervals import BOOTSTRAP, Bootstrap, Estimate, clustered, ratio, share
from moot.experiments.statistics.records import Judged
from moot.protocols.engine.errors import UsageError, near
from moot.studies.results import rows as of_rows
from moot.studies.results.contrasts import SHARES, Contrast, alike, contrast, differing
from moot.studies.results.rows import Measured, Row, Undecided

By = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What rows took. total: the sum of what is known of it, a lower bound where it is unknown of some; unknown: of how
    many rows that are not "not played". mean: of one row, over those that say it."""

    total: float
    unknown: int
    mean: Estimate


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a figure depends on what was not decided. decided: without it; wrong, right: with all of it as wrong verdicts,
    and as right ones. Cells that were not played to an end are in none."""

    decided: Estimate
    wrong: Estimate
    right: Estimate


class Results:
    """The rows of a study. by: how intervals are made; ties: what a verdict without a most probable choice counts as ("half",
    or "wrong"). UsageError on rows that contradict themselves or each other.

    `where` narrows, `by` splits; every figure takes `by=`, a column or several, and is then a table of figures by what
    those hold, in the order in which it first comes. A column of a table is named "axes.judge", "tags.kind", "seats.alice"."""

    def __init__(self, rows: Iterable[Row], by: Bootstrap = BOOTSTRAP, ties: metrics.Ties = "half") -> None:
        self.rows = of_rows.checked(rows)
        self.bootstrap = by
        self.ties: metrics.Ties = ties

    def of(self, rows: Iterable[Row], by: Bootstrap | None = None) -> Results:
        """Some of these rows, which are not checked again, with other intervals where `by` is given."""
        made = object.__new__(Results)
        made.rows, made.bootstrap, made.ties = tuple(rows), by or self.bootstrap, self.ties
        return made

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        arms = list(dict.fromkeys(row["arm"] for row in self.rows))
        return f"<Results: {len(self.rows)} rows, arms {', '.join(arms) or 'none'}>"

    def frame(self, library: Literal["pandas", "polars"] | None = None) -> Any:
        """A data frame of pandas, or of polars where that is not installed; tables are columns "axes.NAME".
        UsageError where neither is."""
        from importlib import import_module

        from moot.studies.results.export import flat

        columns, lines = flat(self.rows)
        for name in (library,) if library else ("pandas", "polars"):
            try:
                module = import_module(name)
            except ModuleNotFoundError:
                continue
            data = {column: [line[place] for line in lines] for place, column in enumerate(columns)}
            return module.DataFrame(data, **({"strict": False} if name == "polars" else {}))
        wanted = library or "pandas or polars"
        raise UsageError(f"a frame needs {wanted}, which is not installed; .rows are the same as plain data")

    def where(self, conditions: Mapping[str, Any] | None = None, /, **columns: Any) -> Results:
        """The rows that have what is asked: where(arm="clean"), where({"axes.budget": 2}), where(axes={"budget": 2}), and
        any of a list: where(arm=["clean", "placebo"]). UsageError on a column, an arm or another text that no row has."""
        rows = self.rows
        asked = {**(conditions or {})}
        for name, wanted in columns.items():
            inner = isinstance(wanted, Mapping) and name in of_rows.TABLES
            asked.update({f"{name}.{entry}": what for entry, what in wanted.items()} if inner else {name: wanted})
        for column, wanted in asked.items():
            of_rows.require(self.rows, column)
            any_of = [*map(of_rows.key, wanted if isinstance(wanted, (list, tuple, set)) else [wanted])]
            if column not in ("outcome", "cause"):
                self._known(column, any_of)
            rows = tuple(row for row in rows if of_rows.key(of_rows.value(row, column)) in any_of)
        return self.of(rows)

    def _known(self, column: str, wanted: Sequence[Hashable]) -> None:
        known = {of_rows.key(of_rows.value(row, column)) for row in self.rows}
        for one in wanted:
            if self.rows and one not in known:
                names = sorted(str(each) for each in known if each is not None)
                some = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
                raise UsageError(f"no row has {column} {one!r}{near(one, names)} (known: {some})")

    def by(self, *columns: str) -> dict[Any, Results]:
        """The rows by what they hold in a column, or by tuples of several."""
        if not columns:
            raise UsageError("rows are split by a column or several, and none is named")
        for column in columns:
            of_rows.require(self.rows, column)
        groups: dict[Any, list[Row]] = {}
        for row in self.rows:
            held = tuple(of_rows.key(of_rows.value(row, column)) for column in columns)
            groups.setdefault(held if len(columns) > 1 else held[0], []).append(row)
        return {held: self.of(rows) for held, rows in groups.items()}

    def _split(self, by: By) -> dict[Any, Results]:
        return self.by(*([by] if isinstance(by, str) else by))

    def judged(self, rivals: Sequence[str] = ()) -> list[Judged]:
        """The rows as records, for every metric of `moot.experiments.statistics`. rivals: the seats that argue for the choices
        in the order in which these are listed, where rows do not say themselves who defends what."""
        return [of_rows.judged(row, rivals) for row in self.rows]

    @overload
    def measure(self, metric: str, by: None = None, undecided: Undecided | None = None) -> Estimate: ...
    @overload
    def measure(self, metric: str, by: By, undecided: Undecided | None = None) -> dict[Any, Estimate]: ...
    def measure(self, metric: str, by: By | None = None, undecided: Undecided | None = None) -> Any:
        """The mean of a metric (rows.METRICS) over rows, with an interval clustered by question. undecided: what verdicts that
        were not given count as, "right" or "wrong" (accuracy and wrong alone); otherwise they are counted apart.
        Interval: Wilson's for a share that was tried once a question, and for one that does not vary between questions; else
        resampled questions, or the cluster-robust formula where there are more than 1,000. None for one question."""
        if by is not None:
            return {held: each.measure(metric, undecided=undecided) for held, each in self._split(by).items()}
        score = of_rows.metric(metric, self.ties, undecided)
        units, others, ties = tallied(self.rows, score)
        value, count = ratio(units), sum(counted for _, counted in units)
        low, high, method = self._interval(units, metric in SHARES, value)
        return Estimate(value, low, high, count, others, ties, method)

    def _interval(
        self, units: Sequence[tuple[float, int]], is_share: bool, value: float | None
    ) -> tuple[float | None, float | None, str]:  # fmt: skip
        if value is None or len(units) < 2:
            return None, None, ""
        if is_share and all(count == 1 for _, count in units):
            return share(units, self.bootstrap)
        if is_share and alike(units):
            return differing(value, 0.0, 1.0, len(units), self.bootstrap)
        low, high, method = clustered(units, self.bootstrap)
        if is_share and low is not None and high is not None:
            low, high = max(low, 0.0), min(high, 1.0)
        return low, high, method

    @overload
    def accuracy(self, by: None = None, undecided: Undecided | None = None) -> Estimate: ...
    @overload
    def accuracy(self, by: By, undecided: Undecided | None = None) -> dict[Any, Estimate]: ...
    def accuracy(self, by: By | None = None, undecided: Undecided | None = None) -> Any:
        """The share of right verdicts: see `measure`."""
        return self.measure("accuracy", by, undecided)

    def bounds(self, metric: str = "accuracy", by: By | None = None) -> Any:
        """`Bounds` of accuracy, or of "wrong": what parse failures and other missing verdicts could have made of it."""
        if by is not None:
            return {held: each.bounds(metric) for held, each in self._split(by).items()}
        return Bounds(*(self.measure(metric, undecided=as_what) for as_what in (None, "wrong", "right")))

    def calibration(self, by: By | None = None, bins: int = 10) -> Any:
        """`metrics.Calibration`: the expected calibration error, and its bins."""
        if by is not None:
            return {held: each.calibration(bins=bins) for held, each in self._split(by).items()}
        return metrics.calibration(self.judged(), bins, self.bootstrap, self.ties)

    def cost(self, by: By | None = None, what: str = "cost") -> Any:
        """`Cost` in money, or in another count of a play: "tokens", "judge_tokens", "calls", "reads", "queries", "seconds"."""
        if by is not None:
            return {held: each.cost(what=what) for held, each in self._split(by).items()}
        mean = self.measure(what)
        known = [row[what] for row in self.rows if row[what] is not None]
        played = sum(row["outcome"] != "not played" or row[what] is not None for row in self.rows)
        return Cost(math.fsum(known), played - len(known), mean)

    def outcomes(self, by: By | None = None) -> Any:
        """How often each outcome came, in the order of rows.OUTCOMES."""
        if by is not None:
            return {held: each.outcomes() for held, each in self._split(by).items()}
        counts = Counter(row["outcome"] for row in self.rows)
        return {outcome: counts[outcome] for outcome in of_rows.OUTCOMES if counts[outcome]}

    def contrast(
        self, weights: Mapping[str, float], metric: str = "accuracy", by: By = "question", *, column: str = "arm",
        undecided: Undecided | None = None, strata: str | None = None, zero_sum: bool = True,
    ) -> Contrast:  # fmt: skip
        """A weighted sum of arms, paired by question: see `contrasts.contrast`. strata: a column such as "tags.kind", by whose
        values the contrast is made once more each (`Contrast.strata`)."""
        for arm in weights:
            self._known(column, [arm])
        pairs = [by] if isinstance(by, str) else [*by]
        for each in (column, *pairs, *([strata] if strata else ())):
            of_rows.require(self.rows, each)
        score = of_rows.metric(metric, self.ties, undecided)

        def of(rows: Sequence[Row], strata: Mapping[Any, Contrast]) -> Contrast:
            return contrast(rows, weights, score, metric, column, pairs, zero_sum, self.bootstrap, strata)

        parts = {held: of(each.rows, {}) for held, each in self.by(strata).items()} if strata else {}
        return of(self.rows, parts)


def tallied(rows: Sequence[Row], score: Any) -> tuple[list[tuple[float, int]], Counter[str], int]:
    """The sum and number of what a score says for each question, why the others say nothing, and how many ties there are."""
    sums: dict[tuple[Any, str], list[float]] = {}
    others, ties = Counter[str](), 0
    for row in rows:
        found: Measured = score(row)
        if isinstance(found, str):
            others[found] += 1
        else:
            sums.setdefault((row["study"], row["question"]), []).append(found)
            ties += row["belief"] is not None and row["answer"] is None
    return [(math.fsum(group), len(group)) for group in sums.values()], others, ties
