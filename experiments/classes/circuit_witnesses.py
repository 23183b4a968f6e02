"""Witnesses of the debates about Boolean circuits: every small circuit searched, the judge held to the theorem's bits."""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import Any

from moot.experiments.classes.evidence import Evidence, played, random_ones, true_outcome
from moot.experiments.classes.growth import exponential_growth
from moot.protocols.engine.errors import MootError
from moot.protocols.games.boolean_circuit import ARITY, Circuit
from moot.protocols.games.circuit_debate import CircuitPointer, CircuitWalk, pointer_moves
from moot.tasks.circuits.circuit_value import BitJudge, CircuitValue

KINDS = ("AND", "OR", "XOR", "NOT")
SIZES = (2, 3, 4, 5, 6, 7, 8)


def small_circuits() -> Iterator[Circuit]:
    """Every circuit of two inputs and up to two gates, each of which takes any nodes before it; the last is the output."""
    for gates in (1, 2):
        choices = [
            [(kind, *taken) for kind in KINDS for taken in combinations_with_replacement(range(2 + gate), ARITY[kind])]
            for gate in range(gates)
        ]
        yield from (Circuit(2, made, 1 + gates) for made in product(*choices))


def walk(protocol: str) -> Evidence:
    """P: a walk from the output to one bit of the input, depth + 1 bits; the circuit is 2^depth gates."""
    return _debated(CircuitWalk(), None)


def pointer(protocol: str) -> Evidence:
    """P: a pointer into a list of all values, ⌈log2 size⌉ + 3 bits."""
    return _debated(CircuitPointer(), pointer_moves)


def _debated(game: CircuitWalk | CircuitPointer, moves: Any) -> Evidence:
    """Search every small circuit on every input with a judge that may read as many bits as the theorem says in any play, and
    let the task's programs play larger ones. The gates are what grows."""
    from moot.complexity.search.solve import solve
    from moot.judges.bounded import Bounded

    task = CircuitValue()
    found = played(task, game.name, random_ones(task, SIZES, 6), "2 inputs, 2 gates")
    instances = right = 0
    for circuit, *bits in product(small_circuits(), (0, 1), (0, 1)):
        sample = task.sample_of(circuit, bits, game.name)
        judge = Bounded(BitJudge(), reads=str(game.most_bits(circuit)))
        instances += 1
        try:  # a play in which the judge would need another bit has no value
            outcome = solve(game, sample, moves={"a": moves, "b": moves}, seats={"judge": judge}).outcome
        except MootError:
            continue
        right += true_outcome(outcome, sample)
    datas: list[Any] = [task.sample(size).question.data for size in SIZES]
    counts = [len(data["circuit"]["gates"]) for data in datas]
    fit = exponential_growth(SIZES, counts)
    return found.grown("gates", fit, fit.low > 1, instances=found.instances + instances, right=found.right + right)
