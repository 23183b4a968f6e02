"""What a study says beforehand that it will take for a result, and what came of it.
Rule: plain data that is frozen with the study, and a ruling that is made of it and the rows alone.

A gate is passed where every condition holds, failed where one does not, and "no evidence" where its figure or the interval
that it asks for is not to be had, or cells that it is about are still to be played, errored ones among them unless it says
what undecided ones count as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moot.experiments.statistics.intervals import Bootstrap, Estimate
from moot.experiments.statistics.report import shown
from moot.protocols.engine.errors import UsageError, first_problem, near
from moot.studies.results.contrasts import check_weights, named
from moot.studies.results.results import Results
from moot.studies.results.rows import OPEN, Undecided, key, metric, value

State = Literal["passed", "failed", "no evidence"]


class Gate(BaseModel):
    """A condition on one figure. metric: a name of rows.METRICS; contrast: weights of arms, paired by question, or arm: one arm;
    otherwise all rows. where: columns and what they must hold. at_least, at_most: of the figure. interval_above,
    interval_below: all of its interval, of this confidence, must lie beyond. undecided: what verdicts that were not given
    count as; by default they are left out. questions: the least number of them. UsageError on a gate that asks nothing,
    cannot be passed, or names a metric that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str = Field(min_length=1)
    metric: str = "accuracy"
    contrast: dict[str, float] | None = None
    arm: str | None = None
    where: dict[str, Any] = {}
    at_least: float | None = None
    at_most: float | None = None
    interval_above: float | None = None
    interval_below: float | None = None
    confidence: float = Field(0.95, gt=0, lt=1)
    undecided: Undecided | None = None
    questions: int = Field(1, ge=1)

    def __init__(self, name: str = "", **fields: Any) -> None:
        try:
            super().__init__(name=name, **fields)
        except ValidationError as error:
            problem = first_problem(error)
            field = problem.partition(":")[0]
            hint = near(field, type(self).model_fields) if field not in type(self).model_fields else ""
            raise UsageError(f"gate {name!r}: {problem}{hint}") from None
        self._check()

    def _check(self) -> None:
        where = f"gate {self.name!r}"
        try:
            metric(self.metric, undecided=self.undecided)
            if self.contrast is not None:
                check_weights(self.contrast, zero_sum=True)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
        if self.contrast is not None and self.arm is not None:
            raise UsageError(f"{where}: it is of one arm or of a contrast of arms, not both")
        if not self.conditions:
            raise UsageError(f"{where} asks nothing; give at_least, at_most, interval_above or interval_below")
        pairs = ((self.at_least, self.at_most, "at_least", "at_most"),
                 (self.interval_above, self.interval_below, "interval_above", "interval_below"))  # fmt: skip
        for low, high, one, other in pairs:
            if low is not None and high is not None and low > high:
                raise UsageError(f"{where} cannot be passed: {one} is {low:g} and {other} is {high:g}")

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it names, for whoever checks them against a study's."""
        return tuple(self.contrast) if self.contrast is not None else (self.arm,) if self.arm is not None else ()

    @property
    def conditions(self) -> dict[str, float]:
        """What it asks, by name."""
        names = ("at_least", "at_most", "interval_above", "interval_below")
        return {name: asked for name in names if (asked := getattr(self, name)) is not None}

    def __str__(self) -> str:
        of = f" of {named(self.contrast)}" if self.contrast is not None else f" of {self.arm}" if self.arm else ""
        held = "".join(f", {column} {wanted}" for column, wanted in self.where.items())
        counted = f", undecided as {self.undecided}" if self.undecided else ""
        asked = {"at_least": "at least", "at_most": "at most", "interval_above": f"{self.confidence:.0%} interval above",
                 "interval_below": f"{self.confidence:.0%} interval below"}  # fmt: skip
        return f"{self.metric}{of}{held}{counted}: " + " and ".join(
            f"{asked[n]} {v:g}" for n, v in self.conditions.items()
        )

    def rule(self, results: Results) -> Ruling:
        """What came of the gate. It never raises for what rows lack: that is no evidence."""
        wanted = {
            column: [*map(key, want if isinstance(want, list) else [want])] for column, want in self.where.items()
        }
        if self.arms:
            wanted["arm"] = [*self.arms]
        rows = [row for row in results.rows if all(key(value(row, name)) in any_of for name, any_of in wanted.items())]
        by = results.bootstrap
        made = Bootstrap(max(by.resamples, int(20 / (1 - self.confidence)) + 1), by.seed, self.confidence)
        chosen = results.of(rows, made)
        lacking = [arm for arm in self.arms if not any(row["arm"] == arm for row in rows)]
        if lacking or not rows:
            return Ruling(
                self, "no evidence", Estimate(None), "no row of " + (", ".join(lacking) or "what it is about")
            )
        if self.contrast is not None:
            found = chosen.contrast(self.contrast, self.metric, undecided=self.undecided)
            estimate, questions, p = found.estimate, found.questions, found.p
        else:
            estimate, p = chosen.measure(self.metric, undecided=self.undecided), None
            score = metric(self.metric, results.ties, self.undecided)
            questions = len({row["question"] for row in rows if not isinstance(score(row), str)})
        reason = self._lacks(rows, estimate, questions)
        if reason:
            return Ruling(self, "no evidence", estimate, reason, p)
        figures = {"at_least": estimate.value, "at_most": estimate.value,
                   "interval_above": estimate.low, "interval_below": estimate.high}  # fmt: skip
        broken = [name for name, asked in self.conditions.items() if not _holds(name, figures[name], asked)]
        return Ruling(self, "failed" if broken else "passed", estimate, ", ".join(broken), p)

    def _open(self, row: Any) -> bool:
        """Whether a cell is still to be played: an errored one is taken up again, unless the gate says what it counts as; what would
        judge a play that came to no verdict never is."""
        if row["outcome"] == "errored":
            return self.undecided is None
        return row["outcome"] in OPEN and not (row["outcome"] == "not played" and row["cause"])

    def _lacks(self, rows: list[Any], estimate: Estimate, questions: int) -> str:
        still = sum(self._open(row) for row in rows)
        if still:
            return f"{still} of {len(rows)} cells are not played to an end"
        if estimate.value is None:
            return "nothing that it is about was decided"
        if questions < self.questions:
            return f"{questions} questions of the {self.questions} that it asks for"
        if estimate.low is None and (self.interval_above is not None or self.interval_below is not None):
            return f"{questions} question(s) have no interval"
        return ""


def _holds(name: str, figure: float | None, asked: float) -> bool:
    assert figure is not None
    near_enough = 1e-12 * max(1.0, abs(asked))  # sums of tenths are not exact
    if name == "at_least":
        return figure >= asked - near_enough
    if name == "at_most":
        return figure <= asked + near_enough
    return figure > asked if name == "interval_above" else figure < asked


@dataclass(frozen=True, slots=True)
class Ruling:
    """What came of a gate: its state and figure, and why: the conditions that do not hold, or what there is no evidence of."""

    gate: Gate
    state: State
    estimate: Estimate
    reason: str = ""
    p: float | None = None

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        found = self.estimate
        return {
            "gate": self.gate.model_dump(), "state": self.state, "reason": self.reason, "value": found.value, "low": found.low,
            "high": found.high, "count": found.count, "undecided": dict(found.undecided), "ties": found.ties,
            "method": found.method, "p": self.p,
        }  # fmt: skip

    def __str__(self) -> str:
        found = self.estimate
        interval = "" if found.low is None else f" [{shown(found.low)}, {shown(found.high)}]"
        left = sum(found.undecided.values())
        figure = f"{shown(found.value)}{interval} of {found.count}" + (f" (+{left} undecided)" if left else "")
        return f"{self.gate.name}: {self.state}{f' ({self.reason})' if self.reason else ''}; {self.gate}; measured {figure}"


def gates_of(written: list[Mapping[str, Any]]) -> tuple[Gate, ...]:
    """Gates from plain data. UsageError on two of one name."""
    made = tuple(Gate(**each) for each in written)
    names = [gate.name for gate in made]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two gates are called {name!r}; give each a name of its own")
    return made
