"""Quantilizing: an agent that draws several moves and makes one of the best, whichever of these a coin says.
Rule: one wrapper and its kind; how candidates are drawn and scored, and what becomes of those that fail, is in `drawing.py`.

Taylor 2016 (Quantilizers: a safer alternative to maximizers for limited optimization), from draws instead of from the whole
distribution; its law is `moot.complexity.pressure.policies.quantilized`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.wrappers.drawing import Drawing, Score, profile_of_drawing
from moot.agents.wrappers.nested import members, reseeded
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import drawn


class Quantilized(Drawing):
    """n candidates of `agent`; one of the k with the highest scores, each as probably as the others, is the move.

    No move is more than n / k times as probable as under `agent` alone, whatever the scores are, so that what the agent
    hardly ever says is hardly ever said: the price of a score that is wrong is bounded, which that of the best of n is only by n. Of
    a quantilizer of a quantilizer the ratios multiply, and so do those of several moves of one play.

    by, score, one_call: as of `BestOf`, and so is what becomes of candidates that fail: they are never the move. Of equal
    scores those drawn first are the better. Fewer than k candidates with a score are an AgentError. Which of the k it is
    follows from the step's seed, and candidates, judge and score are given requests with another one: **the bound rests on
    it that none of them knows the play's seed**. (So the first candidate is not what the agent alone would say in the same play.)
    n = 1 is the agent itself. Only moves that argue are drawn n times.

    A score is told the step that a move is for, so it can be feedback on steps instead of on answers: what reviewers said
    of the steps of an earlier play, for instance, whatever came of that play.

        marks = {"0": -1.0, "1": 1.0}  # step of `earlier` to what a reviewer said of it
        said = {(step.step, step.move["text"]): marks.get(step.step, 0.0) for step in earlier.steps()}
        moot.Quantilized(agent, 8, 2, score=lambda request, move: said.get((request.step, move.content()), 0.0))

    What is recorded is that of `BestOf`, and `top`: k. Raises UsageError unless 1 <= k <= n <= 10,000, or without anything to choose by.
    """

    called: ClassVar[str] = "quantilized"

    def __init__(
        self, agent: Any, n: int, k: int, by: Any = None, *, score: Score | None = None, one_call: bool = True
    ) -> None:
        # With m < k scores left, one of those m would be n / m > n / k times as probable as alone.
        self.n = n
        self.k = self.least = k
        super().__init__(agent, by, score, one_call, n=(n, 1, 10_000), k=(k, 1, n))

    def _asked(self, request: Request) -> Request:
        """With another seed than the one that the pick is drawn by, in each attempt: a candidate that is itself drawn by this
        seed (another quantilizer, the first time), or a score that computed the pick, would make the best of n of it."""
        return reseeded(request, f"quantilized/{request.attempt}")

    def _picked(self, request: Request, scores: Sequence[float | None]) -> int:
        rated = sorted((-score, index) for index, score in enumerate(scores) if score is not None)[: self.k]
        return rated[int(drawn(request.seed, f"quantilized/{request.attempt}", (1.0,) * self.k))][1]

    def _noted(self) -> dict[str, Any]:
        return {"top": self.k}

    def identity(self) -> dict[str, Any] | None:
        how, by = ("score", self.score) if self.judge is None else ("judge", self.judge)
        return composed(self.agent, by, agent="quantilized", by=how, n=self.n, k=self.k, one_call=self.one_call)

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "quantilized",
            "n": self.n,
            "k": self.k,
            "one_call": self.one_call,
            **members(self.agent),
            "by": self._by(),
        }


class QuantilizedKind(AgentKind):
    """One of the best k of n. by: the judge that prefers."""

    name: ClassVar[str] = "quantilized"
    of: Held
    by: Held
    n: int
    k: int
    one_call: bool = True

    def make(self) -> Quantilized:
        return Quantilized(self.of, self.n, self.k, self.by, one_call=self.one_call)

    def profile(self) -> Profile:
        return profile_of_drawing(self.of, self.by, self.n, self.one_call)
