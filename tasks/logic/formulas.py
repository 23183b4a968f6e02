"""Formulas in conjunctive normal form as cells of data: made, measured, and held against an assignment.

Rule of this file: formulas and their witnesses; no question is asked here, and no program plays."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from moot.complexity.rules import Look
from moot.tasks.family import entries, whole
from moot.tasks.logic.solver import solve

SATISFIABLE, UNSATISFIABLE = "satisfiable", "unsatisfiable"


def cells_of(clauses: Iterable[Sequence[int]], variables: int) -> dict[str, Any]:
    """A formula as cells that can be looked at one by one: every clause is filled up to `width` literals with zeros."""
    rows = [list(clause) for clause in clauses]
    width = max(map(len, rows), default=0)
    filled = [row + [0] * (width - len(row)) for row in rows]
    return {"variables": variables, "count": len(rows), "width": width, "clauses": filled}


def literals_of(data: Any, each: int) -> int:
    """The n of a formula in cells: its variables, or the part `each` of the cells for literals when this is more. Variables
    beyond those cells do not count, as a number in the data would otherwise stand for as many as it says."""
    cells = sum(map(entries, data["clauses"]))
    return max(1, min(whole(data["variables"]), cells), -(-cells // each))


def random_clauses(variables: int, count: int, random: Random) -> list[list[int]]:
    """Clauses of three different variables each, every sign a fair coin."""
    return [[v * random.choice([-1, 1]) for v in random.sample(range(1, variables + 1), 3)] for _ in range(count)]


def satisfies(values: Sequence[bool], look: Look) -> bool:
    """Whether values[i] for variable i + 1 satisfy every clause; reads 2 cells and at most each literal once."""
    width, rows = look("width"), range(look("count"))
    clauses = ((look("clauses", row, column) for column in range(width)) for row in rows)
    return all(any(v and values[abs(v) - 1] == (v > 0) for v in clause) for clause in clauses)


def find_witness(data: Any) -> str | None:
    """A satisfying assignment, a character 0 or 1 for each variable in order; None when there is none."""
    values = solve([[literal for literal in row if literal] for row in data["clauses"]])
    if values is None:
        return None
    return "".join("1" if values.get(v, False) else "0" for v in range(1, data["variables"] + 1))
