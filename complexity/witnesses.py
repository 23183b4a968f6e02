"""Runnable witnesses: what can be checked of a claim that a protocol accesses a complexity class.

A claim is about every question of a family and every optimal play; a witness plays some of them. It says on how many
instances the outcome was the truth, what the judge spent of its polynomial at most, and how the tree grew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, product
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict

from moot.complexity.fixed_points import fixed_points
from moot.complexity.growth import Growth, exponential_growth, growth
from moot.complexity.questions import QuestionGraph
from moot.protocols.claims import ClaimGame
from moot.protocols.moves import UNKNOWN
from moot.protocols.outcomes import Decided
from moot.protocols.pointers import Store
from moot.protocols.question import Sample
from moot.tasks.base import Task, evaluate
from moot.tasks.catalogue import task_named


class Evidence(BaseModel):
    """What a witness found. right of instances: outcomes that were the truth. exhaustive: up to which size every instance
    was among them. used, budget, n: the play in which the judge came closest to its budget. counted, growth: what grew,
    and how; None where nothing was fitted. claim: whether the growth is as claimed."""

    model_config = ConfigDict(frozen=True)
    instances: int
    right: int
    exhaustive: str
    used: int | float
    budget: int | float
    n: int
    measure: str
    counted: str = ""
    growth: Growth | None = None
    claim: bool = True

    @property
    def holds(self) -> bool:
        """Right everywhere, within the polynomial, and grown as claimed."""
        return 0 < self.instances == self.right and self.used <= self.budget and self.claim


def played(task: Task, protocol: str, samples: Iterable[Sample], exhaustive: str, **fit: Any) -> Evidence:
    """Play a protocol with the task's programs, the judge bounded, and compare every outcome with the truth."""
    from moot.protocols.driver import run

    instances = right = 0
    used, budget, n, measure = 0.0, 1.0, 0, ""
    for sample in samples:
        made, seats = task.staged(protocol, sample)
        transcript = run(made, sample, seats)
        outcome, guarantee = transcript.outcome, transcript.guarantee
        instances += 1
        right += isinstance(outcome, Decided) and outcome.verdict.choice == sample.unseal() and guarantee.holds
        if guarantee.used is not None and guarantee.budget and guarantee.used / guarantee.budget >= used / budget:
            used, budget, n, measure = guarantee.used, guarantee.budget, guarantee.n, made.measure.replace("_", " ")
    return Evidence(
        instances=instances, right=right, exhaustive=exhaustive, used=used, budget=budget, n=n, measure=measure, **fit
    )  # fmt: skip


def grown(task: Task, sizes: Sequence[int], seeds: int) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and the most unique questions below one of them."""
    ns, counts = [], []
    for size in sizes:
        most = 0
        for question in (task.sample(size, seed).question for seed in range(seeds)):
            memo: dict[str, str] = {}
            evaluate(task, question.data, question.text, memo)
            most = max(most, len(memo))
        ns.append(task.sample(size).question.size)
        counts.append(most)
    return ns, counts


def only_the_truth(task: Task, sample: Sample) -> bool:
    """Whether a model that no local rule finds fault with must be right: of all answers to all questions about an
    instance there is one fixed point of the rules, and it is the truth. Every wrong answer is then one that an adversary
    who cites, or an overseer who asks, can show to be wrong in one step."""
    data = sample.question.data
    questions = list(task.questions(data))
    true = {question: task.truth(data, question) for question in questions}
    return fixed_points(task, data, questions, sorted({*true.values(), *sample.question.choices, UNKNOWN})) == [true]


def random_ones(task: Task, sizes: Iterable[int], seeds: int) -> Iterator[Sample]:
    """Instances of each size, `seeds` of each."""
    return (task.sample(size, seed) for size in sizes for seed in range(seeds))


def small_tableaus() -> Iterator[Sample]:
    """Every machine with one state besides accept over the symbols 0 and 1, at each time up to 4, on the words 0 and 1.

    The blank reads as 0 does.
    """
    task, random = task_named("tableau"), Random("every tableau")
    entries = [[state, symbol, move] for state in ("q0", "accept") for symbol in "01" for move in (-1, 0, 1)]
    for zero, one in product(entries, repeat=2):
        ends = {f"{end},{symbol}": [end, symbol, 0] for end in ("accept", "reject") for symbol in "01_"}
        delta = {"q0,0": zero, "q0,1": one, "q0,_": zero, **ends}
        for time in (1, 4):
            for word in "01":
                data = {"start": "q0", "time": time, "length": 1, "input": [word], "delta": delta}
                yield task.pose(data, "p", random, time)


def small_sums() -> Iterator[Sample]:
    """Every list of one to four integers among -1, 0 and 1."""
    task, random = task_named("sum"), Random("every sum")
    for length in range(1, 5):
        for cells in product((-1, 0, 1), repeat=length):
            yield task.pose(list(cells), f"sum[0:{length}]", random, length)


def tableau(protocol: str) -> Evidence:
    """EXP: cells of a Turing machine's tableau, the time bound exponential in n."""
    task = task_named("tableau")
    samples = [*small_tableaus(), *random_ones(task, (7, 15, 31), 8)]
    ns, counts = grown(task, (3, 7, 15, 31, 63, 127), 12)
    fit = exponential_growth(ns, counts)
    claim = fit.low > 1 and all(only_the_truth(task, task.sample(3, seed)) for seed in range(20))
    return played(
        task, protocol, samples, "1 state, 2 symbols, t ≤ 4", counted="unique questions", growth=fit, claim=claim
    )


def circuit(protocol: str) -> Evidence:
    """EXP: a gate of a circuit of 2^k gates, described in O(k) bits."""
    task = task_named("circuit")
    ns, counts = grown(task, (4, 5, 6, 7, 8, 9, 10), 6)
    fit = exponential_growth(ns, counts)
    samples = random_ones(task, (2, 3, 4, 6, 8), 8)
    return played(task, protocol, samples, "", counted="unique questions", growth=fit, claim=fit.low > 1)


def halting(protocol: str) -> Evidence:
    """R: a run of about 4^n steps on a tape of 2^n cells, through pointers."""
    task = task_named("halting")
    sizes = (2, 3, 4, 5, 6)
    counts = []
    for size in sizes:
        data: Any = task.sample(size).question.data
        counts.append(QuestionGraph.of_rule(task, data, "run", Store()).unique)
    fit = exponential_growth(sizes, counts)
    samples = random_ones(task, (1, 2, 3, 4, 5), 4)
    return played(task, protocol, samples, "", counted="questions", growth=fit, claim=fit.low > 1)


def expression(protocol: str) -> Evidence:
    """P: the judge reads all there is."""
    task = task_named("expression")
    ns, counts = grown(task, (4, 8, 16, 32, 64, 128), 4)
    fit = growth(ns, counts)
    samples = random_ones(task, (2, 3, 8, 16, 64), 8)
    return played(
        task, protocol, samples, "", counted="questions", growth=fit, claim=fit.kind == "polynomial"
    )  # fmt: skip


def sat(protocol: str) -> Evidence:
    """NP: a witness is stated, and the judge checks it."""
    task = task_named("sat")
    return played(task, protocol, random_ones(task, (3, 4, 6, 8, 12, 20), 10), "")


def solved(
    protocol: str, samples: Iterable[Sample], exhaustive: str, task: Task, moves: Any, sizes: Sequence[int]
) -> Evidence:
    """Search a debate for optimal play on both sides, the judge fixed and bounded; and let it be played to see what the
    judge reads. The positions that the search visits are what grows."""
    from moot.complexity.solve import solve

    samples = list(samples)
    found = played(task, protocol, samples, exhaustive)
    right = 0
    for sample in samples:
        made, seats = task.staged(protocol, sample)
        solution = solve(made, sample, moves={"a": moves, "b": moves}, seats={"judge": seats["judge"]})
        outcome = solution.outcome
        right += isinstance(outcome, Decided) and outcome.verdict.choice == sample.unseal()
    ns, counts = [], []
    for size in sizes:
        most = 0
        for seed in range(4):
            sample = task.sample(size, seed)
            made, seats = task.staged(protocol, sample)
            most = max(
                most, solve(made, sample, moves={"a": moves, "b": moves}, seats={"judge": seats["judge"]}).positions
            )
        ns.append(task.sample(size).question.size)
        counts.append(max(1, most))
    fit = exponential_growth(ns, counts)
    return found.model_copy(
        update={"right": min(right, found.right), "counted": "positions", "growth": fit, "claim": fit.low > 1}
    )


def small_formulas() -> Iterator[Sample]:
    """Every quantified formula of two variables with up to two clauses."""
    task, random = task_named("tqbf"), Random("every formula")
    literals = [(x,) for x in (1, -1, 2, -2)] + [(x, y) for x in (1, -1) for y in (2, -2)]
    for first, second in product("ae", repeat=2):
        for count in range(3):
            for clauses in combinations(literals, count):
                data = {"prefix": [[first, [1]], [second, [2]]], "clauses": [list(clause) for clause in clauses]}
                yield task.pose(data, "tqbf(**)", random, 2)


def small_graphs(name: str) -> Iterator[Sample]:
    """Every directed graph of three vertices without loops."""
    task, random = task_named(name), Random("every graph")
    arcs = [(u, v) for u in range(3) for v in range(3) if u != v]
    for chosen in product((0, 1), repeat=len(arcs)):
        edges = [[0] * 3 for _ in range(3)]
        for (u, v), there in zip(arcs, chosen, strict=True):
            edges[u][v] = there
        data = {"vertices": 3, "start": 0, "goal": 1, "edges": edges}
        yield task.pose(data, task.ask(data, random), random, 3)


def tqbf(protocol: str) -> Evidence:
    """PSPACE: a quantified formula, whose variables the debaters set in turn."""
    task = task_named("tqbf")
    samples = [*small_formulas(), *random_ones(task, (4, 6, 8), 6)]
    return solved(protocol, samples, "2 variables, 2 clauses", task, None, (4, 6, 8, 10, 12))


def reach(protocol: str) -> Evidence:
    """PSPACE: a walk, halved until a single edge is left."""
    from moot.protocols.reachability import middles

    task = task_named("reach")
    samples = [*small_graphs("reach"), *random_ones(task, (4, 5, 6), 4)]
    return solved(protocol, samples, "3 vertices", task, middles, (2, 3, 5, 9))


def geography(protocol: str) -> Evidence:
    """PSPACE: generalized geography."""
    from moot.protocols.geography import steps

    task = task_named("geography")
    samples = [*small_graphs("geography"), *random_ones(task, (4, 6, 8), 6)]
    return solved(protocol, samples, "3 vertices", task, steps, (4, 6, 8, 10, 12))


def uncited(protocol: str) -> Evidence:
    """NP: a market in which the whole computation must be read."""
    task = task_named("sum")
    return played(task, protocol, [*small_sums(), *random_ones(task, (8, 32, 128), 4)], "4 integers in {-1, 0, 1}")


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
    from moot.complexity.solve import solve
    from moot.tasks.colouring_programs import cells, challenges, colours

    task = task_named("colouring")
    small = list(small_colourings())
    found = played(task, protocol, [*small, *random_ones(task, (3, 4, 5, 8, 12, 16, 20, 30), 8)], "4 vertices")
    missed = 0
    for sample in small:
        made, seats = task.staged(protocol, sample)
        assert isinstance(made, ClaimGame)
        for free, moves in zip(made.sides(sample.question), (colours, challenges), strict=True):
            others = {seat: agent for seat, agent in seats.items() if seat != free}
            outcome = solve(made, sample, moves={free: moves}, seats=others).outcome
            if not isinstance(outcome, Decided) or outcome.verdict.choice != sample.unseal():
                missed += 1
                break
    sizes = (3, 4, 6, 8, 10)
    fit = exponential_growth(sizes, [sum(1 for _ in cells(task.sample(size).question.data)) for size in sizes])
    return found.model_copy(
        update={"right": found.right - missed, "counted": "cells", "growth": fit, "claim": fit.low > 1}
    )


WITNESSES: dict[tuple[str, str], Callable[[str], Evidence]] = {
    ("direct-qa", "expression"): expression,
    ("consultancy", "sat"): sat,
    ("market-uncited", "sum"): uncited,
    ("qbf-debate", "tqbf"): tqbf,
    ("reachability", "reach"): reach,
    ("geography", "geography"): geography,
    ("amplify", "tableau"): tableau,
    ("cross-examination", "colouring"): colouring,
    ("approval", "tableau"): tableau,
    ("market", "tableau"): tableau,
    ("market-pointers", "halting"): halting,
    ("amplify", "circuit"): circuit,
    ("amplify-strong", "halting"): halting,
}
"""By protocol and task: the check that plays it."""
