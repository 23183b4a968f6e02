"""The figures of a report, each for which a study has data: what is drawn, and what is said below it.
Rule: numbers come from `studies/results`; one without data is not drawn, and nothing unknown is drawn as 0."""

from __future__ import annotations

from statistics import fmean
from typing import NamedTuple

from moot.studies.report.drawing import Drawing, Place
from moot.studies.report.plot import Axis, Mark, around, bars, plot
from moot.studies.results import rows as of_rows
from moot.studies.results.curves import frontier, growths
from moot.studies.results.results import Results

TIMES = ("checkpoint", "step", "time", "day", "iteration")
"""Axes that stand for time."""
SHARE = Axis("share of right verdicts", 0, 1)
MOST_LINES, MOST_PATHS = 28, 80
"""In one figure: so many lines can be told apart by colour and shape."""
LARGEST = 1e250
"""Of what is drawn by a logarithm."""


class Figure(NamedTuple):
    """A drawing and its caption."""

    caption: str
    drawing: Drawing


def figures(results: Results, by: str) -> dict[str, Figure]:
    """Every figure for which there is data, by its name."""
    if not results.rows:
        return {}
    found = {"accuracy": _accuracy(results, by)}
    found |= {f"budget_{axis}": _budget(results, axis, by) for axis in number_axes(results)}
    found |= {f"frontier_{spent}": _frontier(results, spent, by) for spent in ("reads", "queries", "judge_tokens")}
    found |= {"calibration": _calibration(results), "tree_size": _trees(results, by), "prices": _prices(results, by)}
    found["cost"] = _cost(results, by)
    return {name: figure for name, figure in found.items() if figure is not None}


def named(held: object) -> str:
    """What rows are grouped by, as a name."""
    return "unknown" if held is None else str(held)


def column_name(by: str) -> str:
    """What a column is called where it is read: "axes.judge" is the judge."""
    table, dot, entry = by.partition(".")
    return entry if dot and table in of_rows.TABLES else by


def number_axes(results: Results) -> list[str]:
    """Axes whose values are numbers, of which there are several, and that do not stand for time: budgets, rounds, sizes."""
    values: dict[str, set[object]] = {}
    for row in results.rows:
        for name, value in (row["axes"] or {}).items():
            values.setdefault(name, set()).add(of_rows.key(value))
    return [
        name for name, held in values.items()
        if name not in TIMES and len(held) > 1 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in held)
    ]  # fmt: skip


def _accuracy(results: Results, by: str) -> Figure | None:
    held = [
        (named(name), found.value, found.low, found.high)
        for name, found in results.accuracy(by=by).items()
        if found.value is not None
    ]
    caption = f"Accuracy by {column_name(by)} of what was decided, with {results.bootstrap.confidence:.0%} intervals clustered by question."
    return Figure(caption, bars("Accuracy", SHARE, held, points=True)) if held else None


def _budget(results: Results, axis: str, by: str) -> Figure | None:
    """Accuracy over an axis of numbers: a line for each combination of the others, or of what rows are grouped by."""
    column = f"axes.{axis}"
    rows = results.of(row for row in results.rows if of_rows.value(row, column) is not None)
    others = [by] if by not in ("arm", column) else _varying(rows, axis)
    groups = rows.by(*others) if others else {"": rows}
    if len(groups) > MOST_LINES:
        return None
    marks: list[Mark] = []
    for series, group in enumerate(groups.values()):
        for x, found in sorted(group.accuracy(by=column, undecided="wrong").items()):
            if found.value is not None:
                marks.append(Mark(x, found.value, found.low, found.high, series=series))
    if not marks:
        return None
    xs = [mark.x for mark in marks]
    across = around(axis, xs, log=min(xs) > 0 and max(xs) >= 16 * min(xs), zero=False)
    names = [", ".join(map(named, held)) if isinstance(held, tuple) else named(held) for held in groups]
    caption = f"Accuracy by {axis}, of all plays that came to an end: what was not decided counts as not right."
    share = Axis("right, of all plays", 0, 1)
    drawn = plot(f"Accuracy by {axis}", across, share, marks, series=names if others else (), joined=True, apart=True)
    return Figure(caption, drawn)


def _varying(results: Results, axis: str) -> list[str]:
    """The other axes, where their values differ."""
    names = dict.fromkeys(name for row in results.rows for name in row["axes"] or () if name != axis)
    return [
        f"axes.{name}" for name in names
        if len({of_rows.key(of_rows.value(row, f"axes.{name}")) for row in results.rows}) > 1
    ]  # fmt: skip


def _frontier(results: Results, spent: str, by: str) -> Figure | None:
    points = [p for p in frontier(results, spent, by) if p.spent.value is not None and p.accuracy.value is not None]
    if not any(point.spent.value for point in points):
        return None
    marks = [
        Mark(p.spent.value or 0.0, p.accuracy.value or 0.0, p.accuracy.low, p.accuracy.high, p.spent.low, p.spent.high,
             named(p.group), int(not p.best)) for p in points
    ]  # fmt: skip
    label = f"mean {spent.replace('_', ' ')} of the judge"
    spread = [mark.x for mark in marks]
    far = min(spread) > 0 and max(spread) >= 16 * min(spread)
    across = around(label, [*spread, *(mark.x_high for mark in marks if mark.x_high)], log=far)
    kinds = ("nothing cheaper is as accurate", "something cheaper is")
    return Figure(
        f"Accuracy of what was decided, against what the judge spent, by {column_name(by)}.",
        plot("Accuracy against what the judge spent", across, SHARE, marks, series=kinds),
    )


def _calibration(results: Results) -> Figure | None:
    bins = [each for each in results.calibration().bins if each.count]
    marks = [Mark(each.confidence or 0.0, each.accuracy or 0.0, name=f"{each.count}") for each in bins]
    across = Axis("probability of the chosen answer", 0, 1)
    caption = "Calibration: how often the chosen answer was right, by its probability (numbers: verdicts)."
    return Figure(caption, plot("Calibration", across, SHARE, marks, line=[(0, 0), (1, 1)])) if marks else None


def _trees(results: Results, by: str) -> Figure | None:
    """Sizes of trees over n, a line for each group, as another group's trees may grow otherwise."""
    marks: list[Mark] = []
    said: list[str] = []
    left_out = 0
    grown = growths(results, by)
    for series, (held, found) in enumerate(grown.items()):
        for size in found.sizes:
            tree = size.full_tree_size or size.tree_size
            if tree and tree > LARGEST:
                left_out += 1
            elif size.reads and tree:
                marks.append(Mark(size.reads, tree, name=f"n = {size.n}", series=series))
        fits = [f"{name.replace('_', ' ')} {fit}" for name, fit in found.fits.items() if fit]
        fits += [f"tree as reads^{found.against_reads.rate:.2f}"] if found.against_reads else []
        said += [f"{named(held)}: {', '.join(fits)}"] if fits else []
    if (
        len({row["n"] for row in results.rows if row["n"] is not None}) < 2
        or not 0 < len(grown) <= MOST_LINES
        or not marks
    ):
        return None
    reads = around("mean reads of the judge", [mark.x for mark in marks], log=True)
    sizes = around("size of the argument tree", [mark.y for mark in marks], log=True)
    growth = "; ".join(said) or "too few sizes for a fit"
    caption = f"The argument tree against what the judge read. Growth in n: {growth}."
    if left_out:
        caption += f" {left_out} points of more than {LARGEST:g} nodes are not drawn."
    names = [named(held) for held in grown]
    return Figure(caption, plot("Size of the argument tree", reads, sizes, marks, series=names, joined=True))


def _prices(results: Results, by: str) -> Figure | None:
    """Prices of the right answer: faint, of every market, and their mean, where one that has ended keeps its last price."""
    paths: dict[str, list[list[float]]] = {}
    for row in results.rows:
        prices = row.get("prices") or []
        if row["truth"] is not None and prices and all(len(each) == row["choices"] for each in prices):
            held = named(of_rows.key(of_rows.value(row, by)))
            paths.setdefault(held, []).append([each[row["truth"]] for each in prices])
    longest = max((len(path) for group in paths.values() for path in group), default=0)
    if longest < 2 or len(paths) > MOST_LINES:
        return None
    marks: list[Mark] = []
    faint: list[tuple[int, list[Place]]] = []
    for series, group in enumerate(paths.values()):
        whole = [path + path[-1:] * (longest - len(path)) for path in group]
        marks.extend(Mark(step, fmean(path[step] for path in whole), series=series) for step in range(longest))
        faint.extend((series, [(step, price) for step, price in enumerate(path)]) for path in group)
    shown = faint if len(faint) <= MOST_PATHS else []
    caption = f"Price of the right answer after each statement, of {len(faint)} markets; a market that has ended keeps its last price."  # fmt: skip
    drawn = plot(
        "Prices", Axis("statements", 0, longest - 1), Axis("price of the right answer", 0, 1), marks,
        series=list(paths), joined=True, faint=shown,
    )  # fmt: skip
    return Figure(caption, drawn)


def _cost(results: Results, by: str) -> Figure | None:
    costs = {named(held): found for held, found in results.cost(by=by).items() if found.mean.value is not None}
    if not any(found.total for found in costs.values()):
        return None
    held = [(name, found.mean.value or 0.0, found.mean.low, found.mean.high) for name, found in costs.items()]
    amount = around("cost of a cell", [high or value for _, value, _, high in held])
    unknown = sum(found.unknown for found in costs.values())
    caption = f"Mean cost of a cell by {column_name(by)}, of those whose cost is known" + (f"; it is unknown of {unknown}." if unknown else ".")  # fmt: skip
    return Figure(caption, bars("Cost", amount, held))
