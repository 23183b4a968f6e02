"""How figures go together: accuracy against what the judge spent, argument trees against n, and ratings of debaters.
Rule: one point for each group of rows, and fits through them; each figure is made by `results.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from moot.complexity.estimates import Growth, growth, polynomial_growth
from moot.experiments.statistics import ratings
from moot.experiments.statistics.intervals import Estimate
from moot.protocols.engine.errors import UsageError
from moot.studies.results import rows as of_rows
from moot.studies.results.results import By, Results


@dataclass(frozen=True, slots=True)
class Point:
    """A group of rows: what its judge spent, and how often it was right. best: no other group is as accurate for less, nor
    more accurate for as much. False where either is unknown."""

    group: Any
    spent: Estimate
    accuracy: Estimate
    best: bool = False


def frontier(results: Results, spent: str = "reads", by: By = ("arm",), undecided: of_rows.Undecided | None = None) -> list[Point]:  # fmt: skip
    """The points of accuracy against the judge's budget, the least spent first and those of which it is unknown last.
    spent: a count of a play, of which the mean is taken, or a column of numbers such as "axes.budget", the declared bound,
    which then splits the groups too. UsageError on a column that holds anything else."""
    columns = [by] if isinstance(by, str) else [*by]
    declared = spent not in of_rows.METRICS
    if declared and spent not in columns:
        columns.append(spent)
    made: list[Point] = []
    for group, held in results.by(*columns).items():
        cost = _declared(held, spent, group) if declared else held.measure(spent)
        made.append(Point(group, cost, held.accuracy(undecided=undecided)))
    known = [(point.spent.value, point.accuracy.value) for point in made]
    points = [
        Point(point.group, point.spent, point.accuracy, _best(at, known)) for point, at in zip(made, known, strict=True)
    ]
    return sorted(points, key=lambda point: (point.spent.value is None, point.spent.value or 0.0))


def _declared(held: Results, column: str, group: Any) -> Estimate:
    found = of_rows.value(held.rows[0], column)
    if found is not None and (isinstance(found, bool) or not isinstance(found, (int, float))):
        raise UsageError(f"{column} of {group!r} is {found!r}; a frontier needs a number, or a count such as 'reads'")
    return Estimate(None if found is None else float(found), count=len(held))


def _best(at: tuple[float | None, float | None], others: Sequence[tuple[float | None, float | None]]) -> bool:
    spent, right = at
    if spent is None or right is None:
        return False
    return not any(
        x is not None and y is not None and x <= spent and y >= right and (x < spent or y > right) for x, y in others
    )


@dataclass(frozen=True, slots=True)
class Size:
    """The rows of one declared size n: means of the counts that some of them say."""

    n: int
    rows: int
    reads: float | None
    tree_size: float | None
    full_tree_size: float | None


@dataclass(frozen=True, slots=True)
class Growths:
    """sizes: by n. fits: how each count grows in n, None with why in `lacks`. against_reads: the degree k of
    size of the tree ≈ c · reads^k, of the whole tree where its size is known."""

    sizes: tuple[Size, ...]
    fits: dict[str, Growth | None]
    against_reads: Growth | None
    lacks: dict[str, str]


def growths(results: Results, by: By | None = None) -> Any:
    """`Growths` of the argument tree against what the judge read, over n."""
    if by is not None:
        return {held: growths(each) for held, each in results.by(*([by] if isinstance(by, str) else by)).items()}
    groups: dict[int, list[of_rows.Row]] = {}
    for row in results.rows:
        if row["n"] is not None and row["outcome"] not in of_rows.OPEN:
            groups.setdefault(row["n"], []).append(row)
    names = ("reads", "tree_size", "full_tree_size")
    sizes = []
    for n, rows in sorted(groups.items()):
        counts = [[row[name] for row in rows if row[name] is not None] for name in names]
        sizes.append(Size(n, len(rows), *(_mean(each) if each else None for each in counts)))
    fits: dict[str, Growth | None] = {}
    lacks: dict[str, str] = {}
    for name in names:
        at = [(size.n, count) for size in sizes if (count := getattr(size, name)) is not None]
        fits[name] = _fit(growth, at, name, lacks)
    pairs = [(size.reads, size.full_tree_size or size.tree_size) for size in sizes]
    whole = [(x, y) for x, y in pairs if x is not None and y is not None]
    return Growths(tuple(sizes), fits, _fit(polynomial_growth, whole, "against_reads", lacks), lacks)


def _mean(counts: Sequence[int]) -> float | int:
    """A mean; of counts that no float holds, as trees of many rounds are, a whole one."""
    try:
        return fmean(counts)
    except OverflowError:
        return sum(counts) // len(counts)


def _fit(fit: Any, at: Sequence[tuple[float, float]], name: str, lacks: dict[str, str]) -> Growth | None:
    try:
        made: Growth = fit([x for x, _ in at], [y for _, y in at])
    except UsageError as error:
        lacks[name] = str(error)
        return None
    return made


def elo(results: Results, rivals: Sequence[str] = (), sided: bool = False, anchor: float = 1500.0) -> ratings.Ratings:
    """Elo ratings of the two agents of each debate by the answer that the judge preferred (`ratings.elo`: Bradley and Terry).
    rivals: see `Results.judged`. UsageError where nobody is known to have defended anything."""
    records = [record for record in results.judged(rivals) if record.defenders]
    if results.rows and not records:
        raise UsageError("no row says who defended which answer; name the two seats: rivals=('alice', 'bob')")
    return ratings.elo(ratings.pairings(records, sided), anchor, results.bootstrap)
