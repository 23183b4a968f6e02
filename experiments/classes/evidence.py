"""What a witness of a complexity class found, and how its instances are made and played.
Rule: what every witness shares; no protocol's instances, and no fit (those are in `growth.py`).

A claim is about every question of a family and every optimal play; a witness plays some of them. It says on how many
instances the outcome was the truth, what the judge spent of its polynomial at most, and how the tree grew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from moot.complexity.rules import evaluate
from moot.complexity.search.solve import solve
from moot.experiments.classes.growth import Growth
from moot.play.run import run
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.outcomes import Decided, Outcome
from moot.protocols.engine.question import Sample
from moot.protocols.games.claims import ClaimGame
from moot.tasks.base import Task


class Evidence(BaseModel):
    """What a witness found. right of instances: of how many `what` holds. exhaustive: up to which size every instance
    was among them. used, budget, n: the play in which the judge came closest to its budget. counted, growth: what grew,
    and how; None where nothing was fitted. claim: whether the growth is as claimed. note: what else is to be known."""

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
    what: str = "outcomes true"
    note: str = ""

    @property
    def holds(self) -> bool:
        """Right everywhere, within the polynomial, and grown as claimed."""
        return 0 < self.instances == self.right and self.used <= self.budget and self.claim

    def grown(self, counted: str, growth: Growth, claim: bool, **more: Any) -> Evidence:
        """The same, with what grew."""
        return self.model_copy(update={"counted": counted, "growth": growth, "claim": claim, **more})


def true_outcome(outcome: Outcome | None, sample: Sample) -> bool:
    """Whether a play was decided, and the verdict is the truth."""
    return isinstance(outcome, Decided) and outcome.verdict.choice == sample.unseal()


def best_sides(task: Task, protocol: str, sample: Sample, moves: Iterable[Any]) -> bool:
    """Whether either side, trying all of its moves against the task's honest programs, comes to the truth. moves: of the
    claimant, then of its opponent."""
    made, seats = task.staged(protocol, sample)
    assert isinstance(made, ClaimGame)
    return all(
        true_outcome(solve(made, sample, moves={free: tried}, seats=others).outcome, sample)
        for free, tried in zip(made.sides(sample.question), moves, strict=True)
        for others in [{seat: agent for seat, agent in seats.items() if seat != free}]
    )


Change = Callable[[Protocol, Sample, dict[str, Any]], None]
"""Puts other agents into the seats of a play, in place."""


def played(task: Task, protocol: str, samples: Iterable[Sample], full: str, change: Change | None = None) -> Evidence:
    """Play a protocol with the task's programs, the judge bounded, and compare every outcome with the truth.
    change: who sits elsewhere than the task has it, such as a liar."""
    instances = right = 0
    used, budget, n, measure = 0.0, 1.0, 0, ""
    for sample in samples:
        made, seats = task.staged(protocol, sample)
        if change is not None:
            change(made, sample, seats)
        transcript = run(made, sample, seats)
        outcome, guarantee = transcript.outcome, transcript.guarantee
        instances += 1
        right += true_outcome(outcome, sample) and guarantee.holds
        if guarantee.used is not None and guarantee.budget and guarantee.used / guarantee.budget >= used / budget:
            used, budget, n, measure = guarantee.used, guarantee.budget, guarantee.n, made.measure.replace("_", " ")
    return Evidence(instances=instances, right=right, exhaustive=full, used=used, budget=budget, n=n, measure=measure)


def grown(task: Task, sizes: Sequence[int], seeds: int) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and the most unique questions below one of them."""
    return largest(task, sizes, seeds, lambda sample: questions_below(task, sample))


def largest(
    task: Task, sizes: Sequence[int], seeds: int, count: Callable[[Sample], int]
) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and the most that is counted of one of them."""
    counts = [max(count(task.sample(size, seed)) for seed in range(seeds)) for size in sizes]
    return [task.sample(size).question.size for size in sizes], counts


def questions_below(task: Task, sample: Sample) -> int:
    """How many different questions the rule comes to from an instance's own."""
    memo: dict[str, str] = {}
    evaluate(task, sample.question.data, sample.question.text, memo)
    return len(memo)


def random_ones(task: Task, sizes: Iterable[int], seeds: int) -> Iterator[Sample]:
    """Instances of each size, `seeds` of each."""
    return (task.sample(size, seed) for size in sizes for seed in range(seeds))
