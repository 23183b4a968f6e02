"""What a witness of a complexity class found, and how its instances are made and played.
Rule: what every witness shares; no protocol's instances, and no fit (those are in `estimates.py`).

A claim is about every question of a family and every optimal play; a witness plays some of them. It says which moves of
whom were searched, on how many instances the outcome was the truth, what the judge spent of its polynomial at most, and how
what it decides grew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from moot.complexity.estimates import Growth, growth
from moot.complexity.rules import evaluate
from moot.complexity.search.solve import solve
from moot.play.run import run
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.outcomes import Decided, Outcome
from moot.protocols.engine.question import Sample
from moot.protocols.games.claims import ClaimGame
from moot.tasks.base import Task

Kind = Literal["constant", "polynomial", "exponential"]


class Grown(BaseModel):
    """How something grows: `counts` of what is `counted`, at these sizes `over` which it grows; kind: the kind of growth that
    the class says. "constant" is all counts equal; of the others, the one whose fit leaves less (`estimates.growth`)."""

    model_config = ConfigDict(frozen=True)
    counted: str
    kind: Kind
    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    over: str = "n"

    @property
    def fit(self) -> Growth | None:
        """The better fit; None of what does not grow, or was counted at fewer than three sizes."""
        if len({*self.sizes}) < 3 or len({*self.counts}) == 1:
            return None
        return growth(self.sizes, [max(1, count) for count in self.counts])

    @property
    def found(self) -> str:
        """The kind of growth that was found."""
        if len({*self.sizes}) < 3:
            return "unknown"
        return "constant" if (fit := self.fit) is None else fit.kind

    @property
    def holds(self) -> bool:
        """Whether it grows as the class says. An exponential has to be one surely: the interval of its base is above 1."""
        return self.found == self.kind and (self.kind != "exponential" or self.fit is None or self.fit.low > 1)

    def __str__(self) -> str:
        if (fit := self.fit) is None:
            return f"{self.counts[-1]} {self.counted} at every {self.over} up to {max(self.sizes)}: {self.found}"
        over = f"({self.over})" if " " in self.over else self.over
        return f"{self.counted} grow as {str(fit).replace('n', over, 1)}: {fit.kind}"


class Evidence(BaseModel):
    """What a witness found. right of instances: of how many `what` holds. exhaustive: up to which size every instance was
    among them. decides, assumes: the class that the protocol says it decides with the parameters that were played, and the
    premises that this rests on. searched: which moves of whom were searched. used, budget, n: the play in which the judge came
    closest to its budget. growth: how what it decides grew. note: what else is to be known."""

    model_config = ConfigDict(frozen=True)
    instances: int
    right: int
    exhaustive: str
    used: int | float
    budget: int | float
    n: int
    measure: str
    decides: str = ""
    assumes: tuple[str, ...] = ()
    searched: str = ""
    growth: Grown | None = None
    what: str = "outcomes true"
    note: str = ""

    @property
    def holds(self) -> bool:
        """Right everywhere, within the polynomial, and grown as claimed."""
        grown = self.growth is None or self.growth.holds
        return 0 < self.instances == self.right and 0 < self.used <= self.budget and grown

    def grown(
        self, counted: str, kind: Kind, sizes: Sequence[int], counts: Sequence[int], over: str = "n", **more: Any
    ) -> Evidence:
        """The same, with what grew. more: what else is changed."""
        grew = Grown(counted=counted, kind=kind, sizes=tuple(sizes), counts=tuple(counts), over=over)
        return self.model_copy(update={"growth": grew, **more})

    def and_right(self, checked: Iterable[bool], **more: Any) -> Evidence:
        """The same, with more instances that were looked at: whether each was right."""
        found = list(checked)
        return self.model_copy(
            update={"instances": self.instances + len(found), "right": self.right + sum(found), **more}
        )


@dataclass(frozen=True)
class Failure:
    """claim: what the theory says fails. shown: whether the instance showed it. found: what happened, in a sentence."""

    claim: str
    shown: bool
    found: str


def true_outcome(outcome: Outcome | None, sample: Sample) -> bool:
    """Whether a play was decided, and the verdict is the truth."""
    return isinstance(outcome, Decided) and outcome.verdict.choice == sample.unseal()


def searched_to_truth(
    made: Protocol, sample: Sample, moves: dict[str, Any], seats: dict[str, Any], key: Any = None
) -> bool:
    """Whether optimal play of the free seats comes to the truth. Where a play of the search has no value, such as one in which
    the judge would have to read more than it may, it does not."""
    fixed = {seat: agent for seat, agent in seats.items() if seat not in moves}
    with suppress(MootError):
        return true_outcome(solve(made, sample, moves=moves, seats=fixed, key=key).outcome, sample)
    return False


def best_sides(task: Task, protocol: str, sample: Sample, moves: Iterable[Any]) -> bool:
    """Whether either side, trying all of its moves against the task's honest programs, comes to the truth. moves: of the
    claimant, then of its opponent."""
    made, seats = task.staged(protocol, sample)
    assert isinstance(made, ClaimGame)
    sides = zip(made.sides(sample.question), moves, strict=True)
    return all(searched_to_truth(made, sample, {free: tried}, seats) for free, tried in sides)


Change = Callable[[Protocol, Sample, dict[str, Any]], None]
"""Puts other agents into the seats of a play, in place."""


def played(
    task: Task, protocol: str, samples: Iterable[Sample], full: str, change: Change | None = None, searched: str = "",
    **params: Any,
) -> Evidence:  # fmt: skip
    """Play a protocol with the task's programs, the judge bounded, and compare every outcome with the truth.
    change: who sits elsewhere than the task has it, such as a liar. searched: for the evidence. params: of the protocol."""
    instances = right = 0
    used, budget, n, measure = 0.0, 1.0, 0, ""
    decided, assumed = list[str](), list[str]()
    for sample in samples:
        made, seats = task.staged(protocol, sample, **params)
        if change is not None:
            change(made, sample, seats)
        transcript = run(made, sample, seats)
        outcome, guarantee = transcript.outcome, transcript.guarantee
        instances += 1
        right += true_outcome(outcome, sample) and guarantee.holds
        decided.append(str(guarantee.complexity_class))
        assumed += guarantee.assumes
        if guarantee.used is not None and guarantee.budget and guarantee.used / guarantee.budget >= used / budget:
            used, budget, n, measure = guarantee.used, guarantee.budget, guarantee.n, made.measure.replace("_", " ")
    return Evidence(
        instances=instances, right=right, exhaustive=full, used=used, budget=budget, n=n, measure=measure,
        decides=" or ".join(dict.fromkeys(decided)), assumes=tuple(dict.fromkeys(assumed)), searched=searched,
    )  # fmt: skip


def grown(task: Task, sizes: Sequence[int], seeds: int) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and the most unique questions below one of them."""
    return largest(task, sizes, seeds, lambda sample: questions_below(task, sample))


def largest(
    task: Task, sizes: Sequence[int], seeds: int, count: Callable[[Sample], int]
) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and the most that is counted of one of them."""
    counts = [max(count(task.sample(size, seed)) for seed in range(seeds)) for size in sizes]
    return [task.sample(size).question.size for size in sizes], counts


def implied(task: Task, protocol: str, sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """The declared n of instances of these sizes, and how many nodes the tree has of which a play writes one path."""

    def tree(sample: Sample) -> int:
        size = task.staged(protocol, sample)[0].full_tree_size(sample.question)
        assert size is not None
        return size

    return largest(task, sizes, 1, tree)


def questions_below(task: Task, sample: Sample) -> int:
    """How many different questions the rule comes to from an instance's own."""
    memo: dict[str, str] = {}
    evaluate(task, sample.question.data, sample.question.text, memo)
    return len(memo)


def random_ones(task: Task, sizes: Iterable[int], seeds: int) -> Iterator[Sample]:
    """Instances of each size, `seeds` of each."""
    return (task.sample(size, seed) for size in sizes for seed in range(seeds))
