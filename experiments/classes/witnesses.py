"""The runnable witness of each row of the class table: of consultancy, amplification and markets, and all by name.
Rule: a witness is a function that plays or searches; what its class is, and why, says its row in `classes.py`."""

from collections.abc import Callable, Iterator
from itertools import product
from random import Random

from moot.complexity.questions import QuestionGraph
from moot.complexity.search.fixed_points import fixed_points
from moot.experiments.classes.debate_witnesses import colouring, geography, pointer, reach, recursive, tqbf, walk
from moot.experiments.classes.evidence import Evidence, grown, played, random_ones
from moot.experiments.classes.growth import exponential_growth, growth
from moot.experiments.classes.oracle_witnesses import chain, subset, tally
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.question import Sample
from moot.protocols.pointers import Store
from moot.tasks.base import Task, task_named


def only_the_truth(task: Task, sample: Sample) -> bool:
    """Whether a model that no local rule finds fault with must be right: of all answers to all questions about an
    instance there is one fixed point of the rules, and it is the truth. Every wrong answer is then one that an adversary
    who cites, or an overseer who asks, can show to be wrong in one step."""
    data = sample.question.data
    questions = list(task.questions(data))
    true = {question: task.truth(data, question) for question in questions}
    return fixed_points(task, data, questions, sorted({*true.values(), *sample.question.choices, UNKNOWN})) == [true]


def small_tableaus() -> Iterator[Sample]:
    """Every machine with one state besides accept over the symbols 0 and 1, at each time up to 4, on the words 0 and 1; the blank reads as 0."""
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
    fit = exponential_growth(*grown(task, (3, 7, 15, 31, 63, 127), 12))
    claim = fit.low > 1 and all(only_the_truth(task, task.sample(3, seed)) for seed in range(20))
    return played(task, protocol, samples, "1 state, 2 symbols, t ≤ 4").grown("unique questions", fit, claim)


def circuit(protocol: str) -> Evidence:
    """EXP: a gate of a circuit of 2^k gates, described in O(k) bits."""
    task = task_named("circuit")
    fit = exponential_growth(*grown(task, (4, 5, 6, 7, 8, 9, 10), 6))
    found = played(task, protocol, random_ones(task, (2, 3, 4, 6, 8), 8), "")
    return found.grown("unique questions", fit, fit.low > 1)


def halting(protocol: str) -> Evidence:
    """R: a run of about 4^n steps on a tape of 2^n cells, through pointers."""
    task = task_named("halting")
    sizes = (2, 3, 4, 5, 6)
    datas = [task.sample(size).question.data for size in sizes]
    fit = exponential_growth(sizes, [QuestionGraph.of_rule(task, data, "run", Store()).unique for data in datas])
    return played(task, protocol, random_ones(task, (1, 2, 3, 4, 5), 4), "").grown("questions", fit, fit.low > 1)


def expression(protocol: str) -> Evidence:
    """P: the judge reads all there is."""
    task = task_named("expression")
    fit = growth(*grown(task, (4, 8, 16, 32, 64, 128), 4))
    samples = random_ones(task, (2, 3, 8, 16, 64), 8)
    return played(task, protocol, samples, "").grown("questions", fit, fit.kind == "polynomial")


def sat(protocol: str) -> Evidence:
    """NP: a witness is stated, and the judge checks it."""
    task = task_named("sat")
    return played(task, protocol, random_ones(task, (3, 4, 6, 8, 12, 20), 10), "")


def uncited(protocol: str) -> Evidence:
    """NP: a market in which the whole computation must be read."""
    task = task_named("sum")
    return played(task, protocol, [*small_sums(), *random_ones(task, (8, 32, 128), 4)], "4 integers in {-1, 0, 1}")


WITNESSES: dict[tuple[str, str], Callable[[str], Evidence]] = {
    ("direct-qa", "expression"): expression, ("consultancy", "sat"): sat, ("market-uncited", "sum"): uncited,
    ("circuit-walk", "circuit-value"): walk, ("circuit-pointer", "circuit-value"): pointer,
    ("doubly-efficient", "oracle-chain"): chain, ("doubly-efficient-deterministic", "oracle-tally"): tally,
    ("doubly-efficient-witness", "oracle-subset"): subset, ("qbf-debate", "tqbf"): tqbf,
    ("recursive-debate", "tqbf"): recursive, ("reachability", "reach"): reach, ("geography", "geography"): geography,
    ("cross-examination", "colouring"): colouring, ("amplify", "tableau"): tableau, ("approval", "tableau"): tableau,
    ("market", "tableau"): tableau, ("amplify", "circuit"): circuit, ("amplify-strong", "halting"): halting,
    ("market-pointers", "halting"): halting,
}  # fmt: skip
"""By protocol and task: the check that plays it."""
