"""Arithmetic expressions: a P task whose rule is one operation.
Rule: one task, which general programs play; none of its own stands here."""

import re
from collections.abc import Iterator
from operator import add, mul, sub
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.base import Task
from moot.tasks.programs.play import Play

_OPERATIONS = {"+": add, "-": sub, "*": mul}


class Expression(Task):
    """The value of a random expression over n integers from -9 to 9 with +, - and *, held as a tree of 2n - 1 nodes."""

    name: ClassVar[str] = "expression"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        'The data is a list of nodes. ["int", 7] is the integer 7; ["-", 3, 4] is the value of node 3 less that of node 4, '
        "and so for + and *; the nodes of an operator have higher numbers than its own. val(3) asks for the value of node "
        "3; nodes count from 0. The answer is an integer."
    )
    notation = re.compile(r"val\((\d{1,7})\)")
    example = "val(0)"
    reads: ClassVar[str] = "5"
    largest = 4000  # a product of n integers below 10 has up to n digits, and Python writes at most 4300 at once
    counted = "integers in the expression"
    plays = {"direct-qa": Play({"judge": "alone"}, "8*n", {"source": True})}
    source: ClassVar[str] = "Brent 1974, The parallel evaluation of general arithmetic expressions"

    def data(self, size: int, random: Random) -> list[list[Any]]:
        nodes: list[list[Any]] = [[]]
        leaves = [size]  # how many integers stand under each node
        for node, under in enumerate(leaves):  # grows as operators are laid down
            if under == 1:
                nodes[node] = ["int", random.randint(-9, 9)]
                continue
            left = random.randint(1, under - 1)
            nodes[node] = [random.choice("+-*"), len(nodes), len(nodes) + 1]
            nodes += [[], []]
            leaves += [left, under - left]
        return nodes

    def count(self, data: Any) -> int:
        return sum(node[0] == "int" for node in data)

    def truth(self, data: Any, text: str) -> str:
        """Bottom up: from the last node to the one that is asked for."""
        asked = self.node(text)
        if asked >= len(data):
            raise UsageError(f"{text!r} is beyond the {len(data)} nodes of this expression")
        values = [0] * len(data)
        for node in range(len(data) - 1, asked - 1, -1):
            kind, *rest = data[node]
            values[node] = rest[0] if kind == "int" else _OPERATIONS[kind](values[rest[0]], values[rest[1]])
        return str(values[asked])

    def wrong(self, data: Any, text: str, random: Random) -> str:
        return str(int(self.truth(data, text)) + random.choice([-1, 1]) * random.randint(1, 9))

    def rule(self, text: str, look: Look) -> Rule:
        node = self.node(text)
        kind = look(node, 0)
        if kind == "int":
            return str(look(node, 1))
        left, right = yield f"val({look(node, 1)})", f"val({look(node, 2)})"
        return UNKNOWN if UNKNOWN in (left, right) else str(_OPERATIONS[kind](int(left), int(right)))

    def questions(self, data: Any) -> Iterator[str]:
        return (f"val({node})" for node in range(len(data)))

    def node(self, text: str) -> int:
        """The node that a question is about. UsageError when it is none."""
        return int(self.match(text)[1])
