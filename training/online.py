"""Estimators that learn from calls: online gradient descent, and outcome indistinguishability by multiplicative weights.
Rule: estimators alone; the protocol is in `protocols/trees`, what they reach is measured in `experiments`.

Both are what the analysis of prover-estimator debate rests on (Brown-Cohen, Irving and Piliouras 2025)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import TYPE_CHECKING, Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request
from moot.protocols.trees.prover_estimator import Estimate
from moot.tasks.programs.play import Program

if TYPE_CHECKING:
    from moot.transcripts.transcript import Transcript

Odds = Mapping[Any, float]
Distinguisher = Callable[[Any, bool, float], float]
"""A score in [-1, 1] for a case, an outcome and the probability that was given to True."""


class OnlineGradient:
    """Online gradient descent on an interval, against losses that an adversary chooses after each step. With steps d / (g √t)
    the regret against every fixed point is at most 3/2 g d √t after t steps, where d = high - low and g bounds the gradients
    (Zinkevich 2003; Hazan, Introduction to Online Convex Optimization, theorem 3.1). UsageError on an empty interval, a
    start outside it, or a bound that is not positive."""

    def __init__(self, start: float = 0.5, low: float = 0.0, high: float = 1.0, bound: float = 1.0) -> None:
        if not low <= start <= high or low == high or bound <= 0:
            raise UsageError(f"gradient descent from {start} in [{low}, {high}] with gradients up to {bound}: it needs "
                             "an interval, a start in it, and a bound above 0")  # fmt: skip
        self.value, self.low, self.high, self.bound, self.steps = start, low, high, bound, 0
        self._lost = self._total = 0.0

    def step(self, gradient: float) -> None:
        """Go against a gradient of the loss at `value`. UsageError when it is over the bound."""
        if not abs(gradient) <= self.bound:
            raise UsageError(f"the gradient {gradient} is over the bound {self.bound}")
        self.steps += 1
        self._lost += gradient * self.value
        self._total += gradient
        rate = (self.high - self.low) / (self.bound * sqrt(self.steps))
        self.value = min(self.high, max(self.low, self.value - rate * gradient))

    @property
    def regret(self) -> float:
        """What was lost more than by the best fixed point, where every loss is its gradient times the point."""
        return self._lost - min(self._total * self.low, self._total * self.high)

    @property
    def most(self) -> float:
        """What the regret is at most by now."""
        return 1.5 * self.bound * (self.high - self.low) * sqrt(self.steps)


@dataclass(frozen=True)
class Learned:
    """Probabilities of True by case, the steps that it took to learn them, and the largest advantage that is left."""

    probabilities: Odds
    steps: int
    advantage: float


def advantage(weights: Odds, nature: Odds, given: Odds, test: Distinguisher) -> float:
    """How much higher a distinguisher scores outcomes of nature than outcomes drawn with the given probabilities."""
    scores = {case: test(case, True, p) - test(case, False, p) for case, p in given.items()}
    return sum(weight * (nature[case] - given[case]) * scores[case] for case, weight in weights.items())


def indistinguishable(weights: Odds, nature: Odds, tests: Sequence[Distinguisher], epsilon: float) -> Learned:
    """Probabilities whose outcomes no test tells from nature's by more than epsilon, learned from even odds.

    weights: how often each case comes, summing to 1; nature: how probable True is in it. While some test has a greater
    advantage, the probabilities are reweighted by exp(η sign(advantage) test) with η = epsilon / 2 (Dwork, Kim,
    Reingold, Rothblum and Yona 2022, Beyond Bernoulli). From even odds at most ⌈4 ln 2 / epsilon²⌉ steps are needed.
    UsageError when weights do not sum to 1, epsilon is not in (0, 1], or a test's score is not in [-1, 1]."""
    if not 0 < epsilon <= 1 or abs(sum(weights.values()) - 1) > 1e-9 or weights.keys() != nature.keys():
        raise UsageError("indistinguishable takes an epsilon in (0, 1], and weights that sum to 1, of nature's cases")
    given = dict.fromkeys(weights, 0.5)
    steps = 0
    while True:
        found = max(((advantage(weights, nature, given, test), test) for test in tests), key=lambda each: abs(each[0]),
                    default=(0.0, None))  # fmt: skip
        if abs(found[0]) <= epsilon or found[1] is None:
            return Learned(given, steps, abs(found[0]))
        rate = epsilon / 2 * (1 if found[0] > 0 else -1)
        given = {case: _reweighted(p, found[1], case, rate) for case, p in given.items()}
        steps += 1


def _reweighted(p: float, test: Distinguisher, case: Any, rate: float) -> float:
    scores = test(case, True, p), test(case, False, p)
    if not all(-1 <= score <= 1 for score in scores):
        raise UsageError(f"a distinguisher scored {scores}; scores are in [-1, 1]")
    true, false = (share * exp(rate * score) for share, score in zip((p, 1 - p), scores, strict=True))
    return true / (true + false)


class LearningEstimator(Program, name="learning estimator", records=("start",)):
    """An estimator of prover-estimator debate that learns from the calls of its prover by online gradient descent: it keeps a
    probability for each context, and after a play that `learn` is told of moves those that were called, down when a call
    says too high, up when too low; that is the gradient of what the call costs it. context: what an estimate may depend on,
    from the request; by default the place of the claim, its answer and the coins before it. One play at a time."""

    def __init__(self, context: Callable[[Request], Hashable] | None = None, start: float = 0.5) -> None:
        self.context, self.start = context or place_of, start
        self.odds: dict[Hashable, OnlineGradient] = {}
        self._asked: dict[str, Hashable] = {}

    def act(self, request: Request) -> Estimate:
        context = self._asked[request.step] = self.context(request)
        return Estimate(probability=self.odds.setdefault(context, OnlineGradient(self.start)).value)

    def learn(self, transcript: Transcript) -> None:
        """Take a step for each estimate that was called in a play of this agent."""
        for step, sign in called(transcript):
            if sign:
                self.odds[self._asked[step]].step(sign)
        self._asked.clear()


def place_of(request: Request) -> Hashable:
    """The place of a claim, its claimed answer and the coins before it: what a prover who knows no more can go by."""
    coins = tuple((coin["answer"], coin["holds"]) for coin in request.brief["details"]["coins"])
    return request.brief["round"], len(coins), request.brief["claimed"], coins


def called(transcript: Transcript) -> list[tuple[str, int]]:
    """The steps of the estimates that the prover of a play came to call, each with its sign, in order."""
    found, estimates, at = list[tuple[str, int]](), list[str](), 0
    for step in transcript.steps():
        kind = step.move["kind"]
        if kind == "estimate":
            estimates.append(step.step)
        elif kind == "pick":
            at = int(step.move["claim"]) - 1
        elif kind == "call":
            found.append((estimates[at], step.move["sign"]))
            estimates, at = [], 0
    return found
