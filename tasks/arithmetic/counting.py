"""Counting the satisfying assignments of a formula: the #P task.
Rule: one task; formulas are drawn in `tasks/logic/formulas.py`."""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.base import Task
from moot.tasks.logic.formulas import cells_of, literals_of, random_clauses, satisfies

MOST_LISTED = 16


class CountSat(Task):
    """How many assignments satisfy a random 3-CNF formula with n variables and 3 n clauses, some values being given?
    The rule sets the first free variable both ways and adds; without a free variable it checks the clauses. The tree
    under the whole question has 2^(n+1) - 1 different questions and depth n."""

    name: ClassVar[str] = "count-sat"
    complexity_class: ClassVar[str] = "#P"
    about: ClassVar[str] = (
        "The data is a formula in conjunctive normal form: clauses of literals, v for variable v and -v for its negation; "
        "a 0 fills a row up and means nothing. count(1*0) asks how many assignments that begin with 1 and end with 0 make "
        "all clauses true: one character for each variable in order, 0 or 1 for its value, * for a free one. "
        "The answer is an integer."
    )
    notation = re.compile(r"count\(([01*]+)\)")
    example = "count(1*0**), a character a variable"
    reads: ClassVar[str] = "9*n + 2"
    smallest, largest = 3, 20
    counted = "variables of a 3-CNF formula"
    source: ClassVar[str] = "Valiant 1979, The complexity of enumeration and reliability problems"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        return cells_of(random_clauses(size, 3 * size, random), size)

    def count(self, data: Any) -> int:
        """The variables, or the ninth part of the cells for literals when this is more."""
        return literals_of(data, 9)

    def ask(self, data: Any, random: Random) -> str:
        return f"count({'*' * data['variables']})"

    def truth(self, data: Any, text: str) -> str:
        """By truth tables: the set of satisfying assignments is one integer of 2^n bits, and its ones are counted."""
        pattern, n = self.match(text)[1], data["variables"]
        if len(pattern) != n:
            raise UsageError(f"{text!r} gives {len(pattern)} values; this formula has {n} variables")
        if n > self.largest:
            raise UsageError(f"a truth table of {n} variables is too large; count-sat goes up to {self.largest}")
        table = every = (1 << (1 << n)) - 1
        # In bit a: whether a variable is true in the assignment numbered a. 0 fills rows up, and is false.
        column = {0: 0} | {v: every // ((1 << (1 << v - 1)) + 1) << (1 << v - 1) for v in range(1, n + 1)}
        column |= {-v: every ^ mask for v, mask in column.items() if v}
        given = [[v if value == "1" else -v] for v, value in enumerate(pattern, start=1) if value != "*"]
        for row in [*given, *data["clauses"]]:
            table &= reduce(or_, map(column.__getitem__, row), 0)
        return str(table.bit_count())

    def wrong(self, data: Any, text: str, random: Random) -> str:
        true, most = int(self.truth(data, text)), 2 ** text.count("*")
        others = [count for count in range(max(0, true - 9), min(most, true + 9) + 1) if count != true]
        return str(random.choice(others))

    def rule(self, text: str, look: Look) -> Rule:
        pattern = self.match(text)[1]
        if "*" not in pattern:
            return str(int(satisfies([value == "1" for value in pattern], look)))
        zero, one = yield tuple(f"count({pattern.replace('*', value, 1)})" for value in "01")
        return UNKNOWN if UNKNOWN in (zero, one) else str(int(zero) + int(one))

    def questions(self, data: Any) -> Iterator[str]:
        """The questions that the rule comes to from the whole one: variables are set in order."""
        n = data["variables"]
        if n > MOST_LISTED:
            raise UsageError(f"2^{n + 1} - 1 questions are too many to list; up to {MOST_LISTED} variables they are")
        for known in range(n + 1):
            for values in range(2**known):
                yield f"count({f'{values:b}'.zfill(known) if known else ''}{'*' * (n - known)})"
