"""The table that a study is summed up in: accuracy by arm with intervals, what was not decided, and what it took.
Rule: layout of figures that others make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moot.experiments.statistics.intervals import Estimate
from moot.experiments.statistics.report import shown
from moot.protocols.text import one_line
from moot.studies.results.gates import Gate
from moot.studies.results.results import By, Cost, Results
from moot.studies.results.rows import OPEN
from moot.transcripts.display.show import table


def summary(results: Results, by: By = "arm", gates: Sequence[Gate] = ()) -> str:
    """The table in plain text, a line for each group, and a line for each gate."""
    columns = [by] if isinstance(by, str) else [*by]
    lines = [[*columns, "accuracy", "interval", "verdicts", "undecided", "ties", "reads", "tokens", "cost"]]
    methods = set[str]()
    for group, held in results.by(*columns).items():
        names = group if len(columns) > 1 else (group,)
        right = held.accuracy()
        methods.add(right.method)
        lines.append([
            *(one_line(str("unknown" if name is None else name)) for name in names), _figure(right.value), interval(right),
            str(right.count), undecided(right), str(right.ties) if right.ties else "", _mean(held.cost(what="reads")),
            total(held.cost(what="tokens")), total(held.cost()),
        ])  # fmt: skip
    if len(lines) == 1:
        return "no rows"
    outcomes = results.outcomes()
    still = sum(outcomes.get(each, 0) for each in OPEN)
    below = [f"{still} of {len(results)} cells are not played to an end"] if still else []
    if any(methods):
        below.append(f"{results.bootstrap.confidence:.0%} intervals: {', '.join(sorted(filter(None, methods)))}")
    below += [f"gate {one_line(str(gate.rule(results)), 2000)}" for gate in gates]
    return "\n".join([*table(lines), *(["", *below] if below else [])])


def interval(found: Estimate) -> str:
    """The interval of an estimate in words, nothing where there is none."""
    return "" if found.low is None else f"{_figure(found.low)} to {_figure(found.high)}"


def undecided(found: Estimate) -> str:
    """How many rows are in no figure, and why."""
    parts = ", ".join(f"{count} {why}" for why, count in sorted(found.undecided.items()))
    return parts or "0"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _mean(found: Cost) -> str:
    return "unknown" if found.mean.value is None else f"{found.mean.value:.4g}"


def total(found: Cost) -> str:
    """What rows took together, and of how many it is unknown."""
    if found.mean.count == 0:
        return "unknown"
    amount: Any = int(found.total) if found.total == int(found.total) else found.total
    return f"{shown(amount)}{f' (+{found.unknown} unknown)' if found.unknown else ''}"
