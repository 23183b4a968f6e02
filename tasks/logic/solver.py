"""A satisfiability solver for small formulas: what the strong side of a play uses to find a witness.
Rule: clauses in, a witness out; no task, no question and no format is known here.

Unit propagation and branching, after Davis, Logemann and Loveland 1962; it branches on the literal that occurs most in
the shortest clauses, after the MOMS rule of Pretolani 1993."""

from collections import Counter
from collections.abc import Iterable, Sequence

from moot.protocols.engine.errors import UsageError

MOST_BRANCHES = 20_000
_Clauses = list[frozenset[int]]


def solve(clauses: Iterable[Sequence[int]], most: int = MOST_BRANCHES) -> dict[int, bool] | None:
    """Values of variables that satisfy every clause, or None when there are none; a variable left out may be either.
    clauses: literals, v for variable v and -v for its negation. most: how often it may branch before it gives up.
    Raises UsageError when it does; then nothing is known about the formula."""
    start = _reduced([frozenset(clause) for clause in clauses], {})
    waiting = [] if start is None else [start]
    branches = 0
    while waiting:
        left, values = waiting.pop()
        if not left:
            return values
        literal = _branch_on(left)
        branches += 1
        if branches > most:
            raise UsageError(f"the formula is not solved after {most} branches; ask about a smaller one")
        for chosen in (-literal, literal):  # the more promising one is on top
            reduced = _reduced([*left, frozenset((chosen,))], values)
            if reduced is not None:
                waiting.append(reduced)
    return None


def _reduced(clauses: _Clauses, values: dict[int, bool]) -> tuple[_Clauses, dict[int, bool]] | None:
    """What is left after unit propagation, with the values so far; None on a contradiction."""
    values = dict(values)
    while True:
        units = {literal for clause in clauses if len(clause) == 1 for literal in clause}
        if not units:
            return (clauses, values) if all(clauses) else None
        if any(-literal in units for literal in units):
            return None
        values.update((abs(literal), literal > 0) for literal in units)
        false = {-literal for literal in units}
        clauses = [clause - false for clause in clauses if clause.isdisjoint(units)]


def _branch_on(clauses: _Clauses) -> int:
    shortest = min(map(len, clauses))
    counts = Counter(literal for clause in clauses if len(clause) == shortest for literal in clause)
    both = {v: counts[v] + counts[-v] + 4 * counts[v] * counts[-v] for v in set(map(abs, counts))}
    variable = max(both, key=lambda v: (both[v], -v))
    return variable if counts[variable] >= counts[-variable] else -variable
