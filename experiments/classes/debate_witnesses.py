"""Witnesses of debates: on small instances both sides are searched for optimal play, and larger ones are played by programs.
Rule: witnesses of debates alone; those of the oracle, of markets and of amplification have files of their own, all are
named in `classes.py`. small: on the smallest instances alone."""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, islice, product
from random import Random
from typing import Any

from moot.experiments.classes.evidence import (
    Evidence,
    best_sides,
    grown,
    implied,
    largest,
    played,
    random_ones,
    searched_to_truth,
)
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.boolean_circuit import ARITY, Circuit
from moot.protocols.games.circuit_debate import pointer_moves
from moot.protocols.games.geography import steps
from moot.protocols.games.reachability import middles
from moot.protocols.trees.bisection import Dispute, Split
from moot.tasks.base import Task, task_named
from moot.tasks.circuits.circuit_value import CircuitValue
from moot.tasks.graphs.colouring_programs import cells, challenges, colours
from moot.tasks.programs.objecting import every_claim, same_claims

KINDS = ("AND", "OR", "XOR", "NOT")
SIZES = (2, 3, 4, 5, 6, 7, 8)


def small_circuits(most: int = 2) -> Iterator[Circuit]:
    """Every circuit of two inputs and up to two gates, each of which takes any nodes before it; the last is the output."""
    for gates in range(1, most + 1):
        choices = [
            [(kind, *taken) for kind in KINDS for taken in combinations_with_replacement(range(2 + gate), ARITY[kind])]
            for gate in range(gates)
        ]
        yield from (Circuit(2, made, 1 + gates) for made in product(*choices))


def walk(protocol: str, small: bool = False) -> Evidence:
    """P: a walk from the output to one bit of the input, depth + 1 bits; the circuit is 2^depth gates."""
    return _debated(protocol, None, "both sides, every way down", small)


def pointer(protocol: str, small: bool = False) -> Evidence:
    """P: a pointer into a list of all values, ⌈log2 size⌉ + 3 bits."""
    return _debated(protocol, pointer_moves, "both sides, every list of values and every gate", small)


def _debated(protocol: str, moves: Any, searched: str, small: bool) -> Evidence:
    """Search every small circuit on every input with a judge that may read as many bits as the theorem says in any play, and
    let the task's programs play larger ones. The gates are what grows."""
    task, full = CircuitValue(), f"2 inputs, {1 if small else 2} gates"
    drawn = random_ones(task, SIZES[:3] if small else SIZES, 2 if small else 6)
    found = played(task, protocol, drawn, full, searched=searched)

    def right(circuit: Circuit, bits: Sequence[int]) -> bool:
        sample = task.sample_of(circuit, bits, protocol)
        game: Any
        game, seats = task.staged(protocol, sample)
        seats["judge"] = Bounded(seats["judge"].agent, reads=str(game.most_bits(circuit)))
        return searched_to_truth(game, sample, {"a": moves, "b": moves}, seats)

    instances = product(small_circuits(1 if small else 2), (0, 1), (0, 1))
    found = found.and_right(right(circuit, bits) for circuit, *bits in instances)
    datas: list[Any] = [task.sample(size).question.data for size in SIZES]
    return found.grown("gates", "exponential", SIZES, [len(data["circuit"]["gates"]) for data in datas])


def solved(
    task: Task, protocol: str, samples: Sequence[Sample], exhaustive: str, moves: Any, searched: str
) -> Evidence:
    """Search a debate for optimal play on both sides, the judge fixed and bounded; and let it be played to see what the
    judge reads. An instance is right where both come to the truth."""
    found = played(task, protocol, samples, exhaustive, searched=searched)

    def right(sample: Sample) -> bool:
        made, seats = task.staged(protocol, sample)
        return searched_to_truth(made, sample, {"a": moves, "b": moves}, seats)

    return found.model_copy(update={"right": min(found.right, sum(map(right, samples)))})


def read(task: Task, protocol: str, sizes: Sequence[int], seeds: int = 2) -> list[int]:
    """The most that the judge reads in a play about an instance of each size."""

    def reads(sample: Sample) -> int:
        made, seats = task.staged(protocol, sample)
        return int(run(made, sample, seats).ledger.spent("judge", "reads") or 0)

    return largest(task, sizes, seeds, reads)[1]


def small_formulas(full: bool = False) -> Iterator[Sample]:
    """Every quantified formula of two variables with up to two clauses; full: with one or two, of both variables each."""
    task, random = task_named("tqbf"), Random("every formula")
    literals = [(x,) for x in (1, -1, 2, -2) if not full] + [(x, y) for x in (1, -1) for y in (2, -2)]
    for first, second in product("ae", repeat=2):
        for count in range(int(full), 3):
            for clauses in combinations(literals, count):
                data = {"prefix": [[first, [1]], [second, [2]]], "clauses": [list(clause) for clause in clauses]}
                yield task.pose(data, "tqbf(**)", random)


def small_graphs(name: str) -> Iterator[Sample]:
    """Every directed graph of three vertices without loops."""
    task, random = task_named(name), Random("every graph")
    for chosen in map(iter, product((0, 1), repeat=6)):
        edges = [[0 if u == v else next(chosen) for v in range(3)] for u in range(3)]
        data = {"vertices": 3, "start": 0, "goal": 1, "edges": edges}
        yield task.pose(data, task.ask(data, random), random)


def tqbf(protocol: str, small: bool = False) -> Evidence:
    """PSPACE: a quantified formula, whose variables the debaters set in turn. The tree of all assignments is what grows."""
    task = task_named("tqbf")
    every = [*small_formulas(small), *random_ones(task, (4,) if small else (4, 6, 8), 1 if small else 6)]
    found = solved(task, protocol, every, "2 variables, 2 clauses", None, "both sides, every value of every variable")
    return found.grown("tree nodes", "exponential", *implied(task, protocol, (4, 6, 8, 10, 12)))


def recursive(protocol: str, small: bool = False) -> Evidence:
    """PSPACE: claims and main objections about a quantified formula. On formulas of two variables both sides try every
    claim, of true and false, that the task's rule gives a form to. The questions that could be disputed are what grows."""
    task = task_named("tqbf")
    every = list(islice(small_formulas(full=True), 1, None, 20) if small else small_formulas(full=True))
    drawn = random_ones(task, (3, 4) if small else (3, 4, 6, 8, 10), 1 if small else 6)
    searched = "both sides, every claim, right or wrong, that the rule gives a form to"
    found = played(task, protocol, [*every, *drawn], "2 variables, 2 clauses of both", searched=searched)
    moves = every_claim(task, ("true", "false"))

    def right(sample: Sample) -> bool:
        made, seats = task.staged(protocol, sample, depth=3, cites=0)
        return searched_to_truth(made, sample, dict.fromkeys("ab", moves), seats, key=same_claims)

    found = found.model_copy(update={"right": found.right - sum(not right(sample) for sample in every)})
    return found.grown("questions", "exponential", *grown(task, (3, 4, 6, 8, 10), 4))


def reach(protocol: str, small: bool = False) -> Evidence:
    """NL: a walk, halved until a single edge is left. The vertices grow exponentially in what the judge reads."""
    task = task_named("reach")
    every = list(islice(small_graphs("reach"), 0, None, 7 if small else 1))
    every += random_ones(task, (4,) if small else (4, 5, 6), 1 if small else 4)
    found = solved(task, protocol, every, "3 vertices", middles, "both sides, every middle and either half")
    sizes = (3, 5, 9, 17)
    return found.grown("vertices", "exponential", read(task, protocol, sizes), sizes, over="cells read")


def bisection(protocol: str, small: bool = False) -> Evidence:
    """P: a sum, halved until one number is left. The numbers grow exponentially in what the judge reads."""
    task, random = task_named("sum"), Random("every sum")
    lists = [list(cells) for length in (2, 3, 4)[: 2 if small else 3] for cells in product((0, 1), repeat=length)]
    every = [task.pose(cells, f"sum[0:{len(cells)}]", random) for cells in lists]
    values = (-1, 0, 1, 2)

    def halved(request: Request) -> Iterator[Move]:
        if Dispute in request.kinds:
            return (Dispute(half=half) for half in ("left", "right"))
        claim = request.brief["details"]["claim"]
        return (Split(left=left, right=right) for left in values for right in {*values, claim - left})

    searched = f"both sides, every split into numbers from {min(values)} to {max(values)}, and either half"
    found = solved(task, protocol, every, f"{3 if small else 4} numbers, 0 and 1", halved, searched)
    sizes = (4, 8, 16, 32, 64)
    return found.grown("numbers", "exponential", read(task, protocol, sizes), sizes, over="cells read")


def geography(protocol: str, small: bool = False) -> Evidence:
    """PSPACE: generalized geography. The walks in a graph in which all vertices are joined are what grows."""
    task = task_named("geography")
    every = list(islice(small_graphs("geography"), 0, None, 7 if small else 1))
    every += random_ones(task, (4,) if small else (4, 6, 8), 1 if small else 6)
    searched = "both sides, every legal step (any other loses)"
    found = solved(task, protocol, every, "3 vertices", steps, searched)
    sizes = (3, 4, 5, 6, 7)
    return found.grown("walks", "exponential", sizes, [walks((0,), count) for count in sizes], over="vertices")


def walks(walk: tuple[int, ...], count: int) -> int:
    """How many walks begin so, and come to no vertex twice, in a graph of so many vertices, all of them joined."""
    return 1 + sum(walks((*walk, after), count) for after in range(count) if after not in walk)


def small_colourings() -> Iterator[Sample]:
    """Every graph of four vertices, all of its edges listed."""
    task, random = task_named("colouring"), Random("every graph")
    pairs = list(combinations(range(4), 2))
    for chosen in product((False, True), repeat=len(pairs)):
        edges = [list(pair) for pair, there in zip(pairs, chosen, strict=True) if there]
        extra = edges + [[0, 0]] * (8 - len(edges))
        yield task.pose({"k": 2, "maps": [[1, 0]] * 3, "class": [1, 0, 5], "extra": extra}, "colourable()", random)


def colouring(protocol: str, small: bool = False) -> Evidence:
    """NEXP: a colouring of 2^n vertices, which nobody can state and copies answer for. On four vertices the claimant tries
    every colouring, and against the honest one the opponent tries every challenge. The cells of the colouring grow."""
    task = task_named("colouring")
    every = list(islice(small_colourings(), 0, None, 21 if small else 1))
    drawn = random_ones(task, (3, 4) if small else (3, 4, 5, 8, 12, 16, 20, 30), 2 if small else 8)
    searched = (
        "every colouring against the honest opponent, every challenge of up to 2 vertices against the honest claimant"
    )
    found = played(task, protocol, [*every, *drawn], "4 vertices", searched=searched)
    missed = sum(not best_sides(task, protocol, sample, (colours, challenges)) for sample in every)
    sizes = (3, 4, 6, 8, 10)
    found = found.model_copy(update={"right": found.right - missed})
    counts = [sum(1 for _ in cells(task.sample(size).question.data)) for size in sizes]
    return found.grown("cells", "exponential", sizes, counts)
