"""Witnesses of debates: small instances searched for optimal play, and larger ones played by programs. Of debates about
Boolean circuits every small one is searched, the judge held to the theorem's bits.
Rule: witnesses of debates alone; those of the oracle have a file of their own, all are named in `classes.py`."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations, combinations_with_replacement, product
from random import Random
from typing import Any

from moot.complexity.search.solve import Solution, solve
from moot.experiments.classes.evidence import Evidence, best_sides, grown, largest, played, random_ones, true_outcome
from moot.experiments.classes.growth import exponential_growth
from moot.judges.bounded import Bounded
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.question import Sample
from moot.protocols.games.boolean_circuit import ARITY, Circuit
from moot.protocols.games.circuit_debate import CircuitPointer, CircuitWalk, pointer_moves
from moot.protocols.games.geography import steps
from moot.protocols.games.reachability import middles
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.tasks.base import task_named
from moot.tasks.circuits.circuit_value import BitJudge, CircuitValue
from moot.tasks.graphs.colouring_programs import cells, challenges, colours
from moot.tasks.programs.objecting import ChecksLine, every_claim, same_claims

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
    task = CircuitValue()
    found = played(task, game.name, random_ones(task, SIZES, 6), "2 inputs, 2 gates")
    instances = right = 0
    for circuit, *bits in product(small_circuits(), (0, 1), (0, 1)):
        sample = task.sample_of(circuit, bits, game.name)
        judge = Bounded(BitJudge(), reads=str(game.most_bits(circuit)))
        instances += 1
        with suppress(MootError):  # a play in which the judge would need another bit has no value
            solution = solve(game, sample, moves={"a": moves, "b": moves}, seats={"judge": judge})
            right += true_outcome(solution.outcome, sample)
    datas: list[Any] = [task.sample(size).question.data for size in SIZES]
    fit = exponential_growth(SIZES, [len(data["circuit"]["gates"]) for data in datas])
    return found.grown("gates", fit, fit.low > 1, instances=found.instances + instances, right=found.right + right)


def solved(
    protocol: str, name: str, small: Iterator[Sample], exhaustive: str, drawn: Sequence[int], seeds: int, moves: Any,
    sizes: Sequence[int],
) -> Evidence:  # fmt: skip
    """Search a debate on small and drawn instances for optimal play on both sides, the judge fixed and bounded; and let
    it be played to see what the judge reads. The positions that the search visits are what grows, over `sizes`."""
    task = task_named(name)
    samples = [*small, *random_ones(task, drawn, seeds)]
    found = played(task, protocol, samples, exhaustive)

    def searched(sample: Sample) -> Solution:
        made, seats = task.staged(protocol, sample)
        return solve(made, sample, moves={"a": moves, "b": moves}, seats={"judge": seats["judge"]})

    right = sum(true_outcome(searched(sample).outcome, sample) for sample in samples)
    fit = exponential_growth(*largest(task, sizes, 4, lambda sample: max(1, searched(sample).positions)))
    return found.grown("positions", fit, fit.low > 1, right=min(right, found.right))


def small_formulas(full: bool = False) -> Iterator[Sample]:
    """Every quantified formula of two variables with up to two clauses; full: with one or two, of both variables each."""
    task, random = task_named("tqbf"), Random("every formula")
    literals = [(x,) for x in (1, -1, 2, -2) if not full] + [(x, y) for x in (1, -1) for y in (2, -2)]
    for first, second in product("ae", repeat=2):
        for count in range(int(full), 3):
            for clauses in combinations(literals, count):
                data = {"prefix": [[first, [1]], [second, [2]]], "clauses": [list(clause) for clause in clauses]}
                yield task.pose(data, "tqbf(**)", random, 2)


def small_graphs(name: str) -> Iterator[Sample]:
    """Every directed graph of three vertices without loops."""
    task, random = task_named(name), Random("every graph")
    for chosen in map(iter, product((0, 1), repeat=6)):
        edges = [[0 if u == v else next(chosen) for v in range(3)] for u in range(3)]
        data = {"vertices": 3, "start": 0, "goal": 1, "edges": edges}
        yield task.pose(data, task.ask(data, random), random, 3)


def tqbf(protocol: str) -> Evidence:
    """PSPACE: a quantified formula, whose variables the debaters set in turn."""
    every = small_formulas()
    return solved(protocol, "tqbf", every, "2 variables, 2 clauses", (4, 6, 8), 6, None, (4, 6, 8, 10, 12))


def recursive(protocol: str) -> Evidence:
    """PSPACE: claims and main objections about a quantified formula. On formulas of two variables both sides try every
    claim, of true and false, that the task's rule gives a form to. The questions that could be disputed are what grows."""
    task = task_named("tqbf")
    small = list(small_formulas(full=True))
    found = played(task, protocol, [*small, *random_ones(task, (3, 4, 6, 8, 10), 6)], "2 variables, 2 clauses of both")
    made = RecursiveDebate(depth=3, objections=1, cites=0)
    moves, missed = dict.fromkeys("ab", every_claim(task, ("true", "false"))), 0
    for sample in small:
        solution = solve(made, sample, moves=moves, seats={"judge": ChecksLine(task)}, key=same_claims)
        missed += not true_outcome(solution.outcome, sample)
    fit = exponential_growth(*grown(task, (3, 4, 6, 8, 10), 4))
    return found.grown("questions", fit, fit.low > 1, right=found.right - missed)


def reach(protocol: str) -> Evidence:
    """PSPACE: a walk, halved until a single edge is left."""
    return solved(protocol, "reach", small_graphs("reach"), "3 vertices", (4, 5, 6), 4, middles, (2, 3, 5, 9))


def geography(protocol: str) -> Evidence:
    """PSPACE: generalized geography."""
    every = small_graphs("geography")
    return solved(protocol, "geography", every, "3 vertices", (4, 6, 8), 6, steps, (4, 6, 8, 10, 12))


def small_colourings() -> Iterator[Sample]:
    """Every graph of four vertices, all of its edges listed."""
    task, random = task_named("colouring"), Random("every graph")
    pairs = list(combinations(range(4), 2))
    for chosen in product((False, True), repeat=len(pairs)):
        edges = [list(pair) for pair, there in zip(pairs, chosen, strict=True) if there]
        extra = edges + [[0, 0]] * (8 - len(edges))
        yield task.pose({"k": 2, "maps": [[1, 0]] * 3, "class": [1, 0, 5], "extra": extra}, "colourable()", random, 2)


def colouring(protocol: str) -> Evidence:
    """NEXP: a colouring of 2^n vertices, which nobody can state and copies answer for. On four vertices the claimant tries
    every colouring, and against the honest one the opponent tries every challenge. The cells of the colouring grow."""
    task = task_named("colouring")
    small = list(small_colourings())
    found = played(task, protocol, [*small, *random_ones(task, (3, 4, 5, 8, 12, 16, 20, 30), 8)], "4 vertices")
    missed = sum(not best_sides(task, protocol, sample, (colours, challenges)) for sample in small)
    sizes = (3, 4, 6, 8, 10)
    fit = exponential_growth(sizes, [sum(1 for _ in cells(task.sample(size).question.data)) for size in sizes])
    return found.grown("cells", fit, fit.low > 1, right=found.right - missed)
