"""Boolean circuits as JSON data: their form, their values, and the two measures that debates about them are judged by.
Rule: circuits as data, checked and evaluated; the debates about them are in `circuit_debate.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moot.protocols.engine.errors import UsageError

ARITY = {"AND": 2, "OR": 2, "NAND": 2, "NOR": 2, "XOR": 2, "XNOR": 2, "NOT": 1, "BUF": 1, "FALSE": 0, "TRUE": 0}
"""The kinds of gates, and how many inputs each takes."""
_TRUE = {
    "AND": ((1, 1),), "OR": ((0, 1), (1, 0), (1, 1)), "NAND": ((0, 0), (0, 1), (1, 0)), "NOR": ((0, 0),),
    "XOR": ((0, 1), (1, 0)), "XNOR": ((0, 0), (1, 1)), "NOT": ((0,),), "BUF": ((1,),), "FALSE": (), "TRUE": ((),),
}  # fmt: skip

Gate = tuple[Any, ...]
"""A kind and the numbers of the nodes that it takes: ("AND", 0, 4)."""


def applied(kind: str, *bits: int) -> int:
    """What a gate of this kind gives on these bits."""
    return int(bits in _TRUE[kind])


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit of fan-in two with one output. Nodes are numbered: the inputs from 0 on, then the gates in their order.

    inputs: how many. gates: each takes nodes with smaller numbers than its own. output: the node that the circuit gives.
    """

    inputs: int
    gates: tuple[Gate, ...]
    output: int

    @property
    def size(self) -> int:
        """How many gates there are."""
        return len(self.gates)

    @property
    def number_bits(self) -> int:
        """⌈log2 size⌉: the bits of a gate's number, counted from 0."""
        return max(0, self.size - 1).bit_length()

    def values(self, bits: Sequence[int], flipped: int | None = None) -> tuple[int, ...]:
        """The values of all gates on an input. flipped: a gate, counted from 0, that gives the opposite; what rests on it
        follows."""
        nodes = list(bits)
        for gate, (kind, *taken) in enumerate(self.gates):
            nodes.append(applied(kind, *(nodes[node] for node in taken)) ^ (gate == flipped))
        return tuple(nodes[self.inputs :])

    def value(self, bits: Sequence[int]) -> int:
        """What the circuit gives on an input."""
        return (*bits, *self.values(bits))[self.output]

    def data(self) -> dict[str, Any]:
        """The circuit as JSON values: {"inputs": 2, "gates": [["AND", 0, 1]], "output": 2}."""
        return {"inputs": self.inputs, "gates": [list(gate) for gate in self.gates], "output": self.output}


def circuit_of(data: Any) -> Circuit:
    """The circuit in JSON data. Raises UsageError when it is none."""
    if not isinstance(data, dict) or not {"inputs", "gates", "output"} <= set(data):
        raise UsageError('no circuit; give {"inputs": 2, "gates": [["AND", 0, 1]], "output": 2}')
    inputs, gates, output = data["inputs"], data["gates"], data["output"]
    if type(inputs) is not int or inputs < 0 or not isinstance(gates, list):
        raise UsageError("a circuit's inputs is a number from 0 on, and its gates are a list")
    for node, gate in enumerate(gates, start=inputs):
        if not isinstance(gate, list) or not gate or not isinstance(gate[0], str) or gate[0] not in ARITY:
            raise UsageError(f"gate {node} is {gate!r}; a gate lists its kind, {', '.join(ARITY)}, and its inputs")
        if len(gate) != ARITY[gate[0]] + 1:
            raise UsageError(f"gate {node} is {gate!r}; {gate[0]} takes {ARITY[gate[0]]}: split a wider gate")
        if not all(type(taken) is int and 0 <= taken < node for taken in gate[1:]):
            raise UsageError(f"gate {node} is {gate!r}; it may take the nodes 0 to {node - 1}, which come before it")
    if type(output) is not int or not 0 <= output < inputs + len(gates):
        raise UsageError(f"the output is {output!r}; the nodes are 0 to {inputs + len(gates) - 1}")
    return Circuit(inputs, tuple(tuple(gate) for gate in gates), output)


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A circuit in negation normal form: only AND and OR gates, and negations at the inputs alone.

    nodes: ("and", i, j), ("or", i, j), ("input", i, negated) or ("constant", value), each after those that it takes.
    root: the node of the output. depths: of each node, the most gates on a way from it to a leaf, itself among them. origins:
    of a node that says of one of the circuit's what its value is, that node and value; the halves of a XOR have none.
    """

    nodes: tuple[tuple[Any, ...], ...]
    depths: tuple[int, ...]
    root: int
    origins: Mapping[int, tuple[int, int]]

    @property
    def depth(self) -> int:
        """The depth of the root: the most choices that lead to a leaf."""
        return self.depths[self.root]

    def claim(self, node: int) -> str:
        """What a node says of the circuit's: "node 5 is 1", or "node 2 is 1 and node 3 is 0"."""
        if node in self.origins:
            return "node {} is {}".format(*self.origins[node])
        _, first, second = self.nodes[node]
        return f"{self.claim(first)} and {self.claim(second)}"

    def values(self, bits: Sequence[int]) -> tuple[int, ...]:
        """The values of all nodes on an input."""
        values: list[int] = []
        for kind, *rest in self.nodes:
            if kind in ("and", "or"):
                values.append((min if kind == "and" else max)(values[rest[0]], values[rest[1]]))
            else:
                values.append(rest[0] if kind == "constant" else bits[rest[0]] ^ rest[1])
        return tuple(values)


@lru_cache(maxsize=4)
def normal_form(circuit: Circuit) -> NormalForm:
    """The normal form by De Morgan's laws, with shared nodes kept shared.

    A negation costs nothing, and a XOR becomes (a and not b) or (not a and b), which is two gates deep. So the depth is
    that of the circuit in AND and OR gates of two inputs, with every XOR and XNOR counted twice.
    """
    nodes: list[tuple[Any, ...]] = []
    depths: list[int] = []

    def node(*made: Any) -> int:
        nodes.append(made)
        depths.append(1 + max(depths[made[1]], depths[made[2]]) if made[0] in ("and", "or") else 0)
        return len(nodes) - 1

    both = [(node("input", i, 0), node("input", i, 1)) for i in range(circuit.inputs)]  # each node, and its negation
    for kind, *taken in circuit.gates:
        a, not_a, b, not_b = (*(each for one in taken for each in both[one]), 0, 0, 0, 0)[:4]
        if kind in ("AND", "NAND"):
            true, false = node("and", a, b), node("or", not_a, not_b)
        elif kind in ("OR", "NOR"):
            true, false = node("or", a, b), node("and", not_a, not_b)
        elif kind in ("XOR", "XNOR"):
            true = node("or", node("and", a, not_b), node("and", not_a, b))
            false = node("or", node("and", a, b), node("and", not_a, not_b))
        elif kind in ("NOT", "BUF"):
            true, false = a, not_a
        else:
            true, false = node("constant", 0), node("constant", 1)
        both.append((false, true) if kind in ("NAND", "NOR", "XNOR", "NOT", "TRUE") else (true, false))
    origins: dict[int, tuple[int, int]] = {}
    for number, (true, false) in enumerate(both):  # a node that only passes another's value on comes after it
        origins.setdefault(true, (number, 1))
        origins.setdefault(false, (number, 0))
    return NormalForm(tuple(nodes), tuple(depths), both[circuit.output][0], origins)
