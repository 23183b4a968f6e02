"""Boolean circuits in tests: their values and measures by means that share nothing with the library's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import moot
from moot.protocols.games.boolean_circuit import Circuit
from moot.protocols.games.circuit_debate import CircuitGame

GAMES: tuple[CircuitGame, ...] = (moot.CircuitWalk(), moot.CircuitPointer())
PYTHON: dict[str, Any] = {
    "AND": lambda a, b: a and b, "OR": lambda a, b: a or b, "NAND": lambda a, b: not (a and b), "NOR": lambda a, b: not (a or b),
    "XOR": lambda a, b: a != b, "XNOR": lambda a, b: a == b, "NOT": lambda a: not a, "BUF": lambda a: a,
    "FALSE": lambda: False, "TRUE": lambda: True,
}  # fmt: skip


def value(circuit: Circuit, bits: Sequence[int], node: int | None = None) -> bool:
    """The value by recursion from the output, with Python's own operators."""
    node = circuit.output if node is None else node
    if node < circuit.inputs:
        return bool(bits[node])
    kind, *taken = circuit.gates[node - circuit.inputs]
    return bool(PYTHON[kind](*(value(circuit, bits, each) for each in taken)))


def longest(circuit: Circuit, node: int | None = None) -> int:
    """The AND and OR gates on the longest way down, by recursion; a XOR counts twice."""
    node = circuit.output if node is None else node
    if node < circuit.inputs:
        return 0
    kind, *taken = circuit.gates[node - circuit.inputs]
    weight = {"XOR": 2, "XNOR": 2, "NOT": 0, "BUF": 0}.get(kind, 1)
    return weight + max(longest(circuit, each) for each in taken) if taken else 0


def ceil_log2(size: int) -> int:
    return next(bits for bits in range(64) if 2**bits >= size)


def bound(game: CircuitGame, circuit: Circuit) -> int:
    """The theorem's number of bits, by independent means."""
    return longest(circuit) + 1 if isinstance(game, moot.CircuitWalk) else ceil_log2(circuit.size) + 3


def asked(circuit: Circuit, bits: Sequence[int], first: str = "1") -> moot.Question:
    data: Any = {"circuit": circuit.data(), "input": list(bits)}
    return moot.Question("Does it give 1?", ("1", "0") if first == "1" else ("0", "1"), data=data, size=9, unit="bits")
