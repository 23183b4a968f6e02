"""Garbage in: what a judge believes who checks one rule on the answers of a market that is sometimes wrong.
Rule: the errors of markets; those of overseers are in `errors.py`.

Shah (comments on Hubinger 2020, AI safety via market making): where M is wrong on a sub-question, the adversary cites
it, the citation is verified, and the judge believes what follows from it. If M slips on each question with probability
e, and learned all else from its own answers, the final answer is right about as often as nothing under it slipped."""

from dataclasses import dataclass
from random import Random
from typing import Any

from moot.complexity.intervals import wilson
from moot.complexity.rules import Circle, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.outcomes import Decided
from moot.protocols.market.market_making import MarketMaking
from moot.tasks.base import Task
from moot.tasks.programs.market_programs import ChecksRule, Citing, follow, slip
from moot.training.market import Program, TabularMarket, play_market


@dataclass(frozen=True, slots=True)
class Injection:
    """Final answers under a rate of errors. error: the probability of a slip, for each of the questions (`below` in the mean)
    below the one that is played. runs: plays, each on an instance of its own; decided: those with a verdict; right: those
    whose judge believed the true choice most, low and high their Wilson interval of 95%, predicted: (1 - error)^below."""

    error: float
    size: int
    below: float
    runs: int
    decided: int
    right: int
    predicted: float
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        return self.right / self.runs


def inject(task: Task, size: int, error: float, runs: int = 200, seed: int = 0) -> Injection:
    """Play market making on `runs` instances with a market that slips. Its other answers follow from its own, as training
    leaves them. Raises UsageError on numbers out of range and, as Circle, when questions wait for each other."""
    if not 0 <= error <= 1 or runs < 1:
        raise UsageError(f"inject: the error rate is {error} and there are {runs} runs; take 0 to 1, and at least 1")
    protocol = MarketMaking()
    seats: dict[str, Program] = {"adversary": Citing(task), "judge": ChecksRule(task)}
    right = decided = below = 0
    predicted = 0.0
    for run in range(runs):
        sample = task.sample(size, seed * 1_000_003 + run)
        question = sample.question
        answers = slipping(task, question.data, question.text, error, Random(f"slips/{seed}/{run}"))
        below += len(answers)
        predicted += (1 - error) ** len(answers)
        played = play_market(protocol, question, {**seats, "market": TabularMarket(guesses=answers)}, seed=run)
        if isinstance(played.outcome, Decided):
            decided += 1
            right += played.outcome.verdict.choice == sample.unseal()
    low, high = wilson(right, runs)
    return Injection(error, size, below / runs, runs, decided, right, predicted / runs, low, high)


def slipping(task: Task, data: Any, root: str, error: float, random: Random) -> dict[str, str]:
    """The answers of a market to every question that `root` leads to, without itself: what the rule makes of the market's
    other answers, replaced by a wrong one in the form of it with probability `error`. Raises Circle."""
    known: dict[str, str] = {}
    look = looker(data)
    stack = [root]
    while stack:
        found = follow(task, stack[-1], look, known)
        if found.missing:
            if found.missing[0] in stack:
                raise Circle(task, stack[stack.index(found.missing[0]) :])
            stack.append(found.missing[0])
            continue
        answer = UNKNOWN if found.answer is None else found.answer
        known[stack.pop()] = slip(answer, random) if random.random() < error else answer
    del known[root]
    return known
