"""Which protocol accesses which complexity class: the table of the theory, each row with a witness that runs.
Rule: rows and what checks them; witnesses are in the files of that name, what fails in `known_failures.py`.

A proposal accesses a class C when for every language in C there is a strategy for a polynomial-time judge such that
every model that is optimal for the training signal decides it (Hubinger 2020, Alignment proposals and complexity
classes). That is a lower bound in the limit of training; a witness is evidence for it on what it plays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from time import perf_counter

from moot.complexity.questions import QuestionGraph
from moot.complexity.search.fixed_points import fixed_points
from moot.experiments.classes.debate_witnesses import colouring, geography, pointer, reach, recursive, tqbf, walk
from moot.experiments.classes.evidence import Evidence, grown, played, random_ones
from moot.experiments.classes.growth import exponential_growth, growth
from moot.experiments.classes.known_failures import FAILURES, Failure
from moot.experiments.classes.oracle_witnesses import chain, subset, tally
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.question import Sample
from moot.protocols.pointers import Store
from moot.tasks.base import Task, task_named


@dataclass(frozen=True)
class Row:
    """A line of the table. access: the class. proposal: what the theory calls it. protocol, task: what is played.
    source: where the claim stands. P^O and NP^O are relative to an oracle, which judge and debaters may ask."""

    complexity_class: str
    proposal: str
    protocol: str
    task: str
    source: str


POST = "Hubinger 2020, Alignment proposals and complexity classes"
EXP = "Hubinger 2020, Weak HCH accesses EXP"
DEBATE = "Irving, Christiano and Amodei 2018"
CROSS = "Barnes and Christiano 2020, Writeup: Progress on AI Safety via Debate"
TREES = DEBATE + "; the form of dc-debates 2026"
CIRCUITS = "Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026, Debate is efficient with your time"
ORACLE = "Brown-Cohen, Irving and Piliouras 2023, Scalable AI safety via doubly-efficient debate"
MARKET = "Hubinger 2020, AI safety via market making"

ROWS: tuple[Row, ...] = (
    Row("P", "the judge alone", "direct-qa", "expression", POST),
    Row("P", "debate that walks down a circuit", "circuit-walk", "circuit-value", CIRCUITS),
    Row("P", "debate that points to a gate", "circuit-pointer", "circuit-value", CIRCUITS),
    Row("P^O", "doubly-efficient debate", "doubly-efficient", "oracle-chain", ORACLE),
    Row("P^O", "doubly-efficient debate, no noise", "doubly-efficient-deterministic", "oracle-tally", ORACLE),
    Row("NP^O", "doubly-efficient debate, no noise, a witness", "doubly-efficient-witness", "oracle-subset", ORACLE),
    Row("NP", "consultancy", "consultancy", "sat", DEBATE),
    Row("NP", "market making without citation", "market-uncited", "sum", "Shah 2020, comment on " + MARKET),
    Row("PSPACE", "debate", "qbf-debate", "tqbf", DEBATE),
    Row("PSPACE", "recursive debate", "recursive-debate", "tqbf", TREES),
    Row("PSPACE", "debate", "reachability", "reach", DEBATE),
    Row("PSPACE", "debate", "geography", "geography", DEBATE),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "tableau", EXP),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "circuit", EXP),
    Row("EXP", "approval-based amplification", "approval", "tableau", EXP),
    Row("EXP", "market making with citation", "market", "tableau", EXP),
    Row("NEXP", "debate with cross-examination", "cross-examination", "colouring", CROSS),
    Row("R", "strong HCH", "amplify-strong", "halting", POST),
    Row("R", "market making with pointers", "market-pointers", "halting", POST),
)

UNCHECKED = (("EXP", "recursive reward modeling", POST),)
"""Rows of the theory that have no witness here."""


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


@dataclass(frozen=True)
class Checked:
    """A row with what its witness found, and the seconds that it took."""

    row: Row
    evidence: Evidence
    seconds: float


def check(rows: tuple[Row, ...] = ROWS) -> Iterator[Checked]:
    """Run the witness of each row."""
    for row in rows:
        begun = perf_counter()
        evidence = WITNESSES[row.protocol, row.task](row.protocol)
        yield Checked(row, evidence, perf_counter() - begun)


def failures() -> Iterator[Failure]:
    """Where the theory says that a protocol fails: the failing instance, played."""
    for show in FAILURES:
        yield show()
