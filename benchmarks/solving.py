"""Exact solving: a quantified formula through the debate about it, against a recursion that tries both values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import moot
from benchmarks.timing import Row, best
from moot.protocols.games.qbf import variables
from moot.tasks.logic.tqbf import FALSE, TQBF, TRUE, MatrixJudge, holds

SIZES, SEEDS = (10, 14), range(8)
"""Variables. A search that made its moves again for every end of a play would cost more for each end, the more there are."""
LIMIT = 15.0


def rows() -> Iterator[Row]:
    """Both try the values in the same order, stop at the first that settles a variable, look at the matrix only under a
    whole assignment, stop there at the first false clause, and merge no positions."""
    return map(_row, SIZES)


def _row(size: int) -> Row:
    task, protocol = TQBF(), moot.QBFDebate()
    judge = moot.Bounded(MatrixJudge(), reads=task.reads)
    samples = [task.sample(size, seed) for seed in SEEDS]
    leaves = 0

    def through_the_debate() -> list[str]:
        nonlocal leaves
        leaves, found = 0, []
        for sample in samples:
            solution = moot.solve(protocol, sample, moves={"a": None, "b": None}, seats={"judge": judge})
            leaves += solution.leaves
            found.append(sample.question.choices[0 if solution.value["a"] > 0 else 1])
        return found

    def direct() -> list[str]:
        formulas: list[Any] = [sample.question.data for sample in samples]
        return [TRUE if holds(variables(data), data["clauses"], set(), 0) else FALSE for data in formulas]

    assert through_the_debate() == direct()
    ours, theirs = best(through_the_debate, direct)
    each = f"{ours / leaves * 1e6:.0f} µs each against {theirs / leaves * 1e6:.1f}"
    what = f"TQBF with {size} variables, solved by debate, against direct recursion"
    return Row(what, ours / theirs, LIMIT, "×", f"{len(samples)} formulas, {leaves:,} assignments: {each}")
