"""Witnesses of what is read whole: a judge alone, a consultant who tries every assignment, a market in which one is stated.
Rule: P and NP, without citations and without questions; what witnesses share is in `evidence.py`. small: on the smallest
instances alone."""

from collections.abc import Iterator
from itertools import combinations, islice, product
from random import Random

from moot.experiments.classes.evidence import Evidence, grown, played, random_ones, true_outcome
from moot.experiments.classes.market_witnesses import PAID, SILENCE, Searched, searched
from moot.play.run import run
from moot.protocols.engine.moves import Speech
from moot.protocols.engine.question import Sample
from moot.protocols.market.moves import Statement
from moot.tasks.base import Task, task_named
from moot.tasks.logic.formulas import SATISFIABLE, UNSATISFIABLE, cells_of

NO_ASSIGNMENTS = ("It is satisfiable.", "-", "2")
"""Texts that are no assignments, and that an adversary may try all the same."""


def expression(protocol: str, small: bool = False) -> Evidence:
    """P: the judge reads all there is."""
    task = task_named("expression")
    samples = random_ones(task, (2, 3) if small else (2, 3, 8, 16, 64), 2 if small else 8)
    found = played(task, protocol, samples, "", searched="there is nobody but the judge")
    return found.grown("questions", "polynomial", *grown(task, (4, 8, 16, 32, 64, 128), 4))


def small_cnf(most: int) -> Iterator[Sample]:
    """Every formula of two variables with up to so many different clauses of one or two literals."""
    task, random = task_named("sat"), Random("every formula")
    clauses = [(x,) for x in (1, -1, 2, -2)] + [(x, y) for x in (1, -1) for y in (2, -2)]
    for count in range(1, most + 1):
        for chosen in combinations(clauses, count):
            yield task.pose(cells_of([list(clause) for clause in chosen], 2), "sat()", random)


def assignments(sample: Sample) -> Iterator[str]:
    """Every assignment, and some texts that are none."""
    data: dict[str, int] = sample.question.data  # type: ignore[assignment]
    yield from NO_ASSIGNMENTS
    yield from map("".join, product("01", repeat=data["variables"]))


def formulas(small: bool) -> tuple[list[Sample], list[Sample], str]:
    """Formulas on which every assignment is tried, larger ones that are played, and up to which size all were tried."""
    task = task_named("sat")
    every = list(islice(small_cnf(3), 2, None, 29 if small else 1))
    drawn = list(random_ones(task, (3,) if small else (3, 4, 5), 2 if small else 6))
    return [*every, *drawn], list(random_ones(task, (6,) if small else (6, 8, 12, 20), 1 if small else 6)), (
        "" if small else "2 variables, 3 clauses"
    )  # fmt: skip


def tried(found: Evidence) -> Evidence:
    """The evidence, with how many assignments there are to try."""
    sizes = (3, 4, 6, 8, 10)
    samples = [task_named("sat").sample(size) for size in sizes]
    counts = [sum(1 for _ in assignments(sample)) - len(NO_ASSIGNMENTS) for sample in samples]
    return found.grown("assignments", "exponential", sizes, counts)


def consultancy(protocol: str, small: bool = False) -> Evidence:
    """NP: a consultant for "satisfiable" tries every assignment, and is believed if and only if there is one that is right."""
    task = task_named("sat")
    tested, drawn, full = formulas(small)
    found = played(task, protocol, [*tested, *drawn], full, searched="every assignment that a consultant may state")
    missed = sum(not _right_at_best(task, protocol, sample) for sample in tested)
    return tried(found.model_copy(update={"right": found.right - missed}))


def _right_at_best(task: Task, protocol: str, sample: Sample) -> bool:
    """Whether the verdict is the truth when the consultant says what makes the judge believe it most."""
    made, seats = task.staged(protocol, sample)
    best, right = -1.0, False
    for text in assignments(sample):
        outcome = run(made, sample, {**seats, "consultant": lambda request, text=text: Speech(text=text)}).outcome
        belief = _belief(outcome, sample)
        if belief is None:
            return False
        if belief > best:
            best, right = belief, true_outcome(outcome, sample)
    return right


def _belief(outcome: object, sample: Sample) -> float | None:
    verdict = getattr(outcome, "verdict", None)
    return None if verdict is None else float(verdict.probabilities[sample.question.choices.index(SATISFIABLE)])


def uncited(protocol: str, small: bool = False) -> Evidence:
    """NP: a market that says "unsatisfiable" is exploited if and only if there is an assignment, and one that rightly says
    "satisfiable" by nobody."""
    task = task_named("sat")
    tested, drawn, full = formulas(small)
    provable = [
        sample for sample in (*tested, *drawn) if _satisfiable(sample)
    ]  # of others the price stands, and holds nothing
    found = played(
        task, protocol, provable, full,
        searched="saying nothing, and either answer with every assignment, against each market that the note speaks of",
    )  # fmt: skip
    missed = sum(not market_right(task, protocol, sample) for sample in tested)
    return tried(found.model_copy(update={
        "right": found.right - missed,
        "note": "one-sided: a market that says unsatisfiable is moved if and only if it is wrong, one that says satisfiable "
        "is not where it is right; nobody can move it where it is wrong (see below)",
    }))  # fmt: skip


def _satisfiable(sample: Sample) -> bool:
    return sample.unseal() == sample.question.choices.index(SATISFIABLE)


def market_right(task: Task, protocol: str, sample: Sample) -> bool:
    """Whether the market that says "unsatisfiable" pays its best adversary exactly where it is wrong, who then makes the judge
    believe the truth; and where a market may rightly say "satisfiable", whether that one pays nobody, with the right verdict."""
    doubting = against(task, protocol, sample, UNSATISFIABLE)
    if sample.unseal() == sample.question.choices.index(UNSATISFIABLE):
        return abs(doubting.pay) <= PAID and doubting.always
    believing = against(task, protocol, sample, SATISFIABLE)
    return doubting.pay > PAID and doubting.right and abs(believing.pay) <= PAID and believing.always


def against(task: Task, protocol: str, sample: Sample, says: str) -> Searched:
    """The best adversary of a market that says this about a formula."""
    made, seats = task.staged(protocol, sample, horizon=1)
    question, truth = sample.question, sample.unseal()
    assert truth is not None
    said = [SILENCE, *(Statement(text=" ".join(text), answer=claim) for claim in question.choices
                       for text in assignments(sample))]  # fmt: skip
    market = {question.text: says}
    return searched(task, question, truth, wrong=market, protocol=made, judge=seats["judge"], said=said)
