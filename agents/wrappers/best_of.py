"""Best of n: an agent that draws several moves and makes the one that a preference judge likes most.
Rule: one wrapper and its kind; how candidates are drawn and scored, and what becomes of those that fail, is in `drawing.py`.

Optimises whatever sits in a seat for persuasion, as in Khan et al. 2024 (arXiv 2402.06782).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.wrappers.drawing import Drawing, Score, profile_of_drawing
from moot.agents.wrappers.nested import best, members
from moot.protocols.engine.request import Request


class BestOf(Drawing):
    """n candidates of `agent`; the one with the highest score, of equals the first, is the move.

    by: a preference judge: any agent that gives verdicts. It is shown the candidate as the last statement, without the
    source; the score is the probability of the answer which the seat defends, or one less that of the answer which it
    criticises. score: instead, a function of the request and a candidate, plain or async, that returns a finite number.

    one_call: whether a model is asked for all candidates in one call, where its endpoint takes `n`: the prompt is then paid
    once, and they share one seed. Otherwise, and for any other agent, each has a seed of its own: the candidates for n are
    the first n of those for n + 1, and the first is what the agent alone would say, so that more candidates never lower the
    score of the one chosen. n = 1 is the agent itself in any case. A candidate that fails, breaks the
    limits of the brief, or gets no score is never chosen: fewer than `least` left is an AgentError. Only moves that argue
    are drawn n times; anything else (an answer, a vote) is asked for once.

    Each attempt of a model is noted with its `candidate` or `judging` number, or with `n` where it brought several
    candidates, and counts for the seat; an event "chose" says
    what there was to choose among. Raises UsageError on numbers that make no sense, or without anything to choose by.
    """

    called: ClassVar[str] = "best of n"

    def __init__(
        self, agent: Any, n: int, by: Any = None, *, score: Score | None = None, least: int = 1,
        one_call: bool = True,
    ) -> None:  # fmt: skip
        self.n, self.least = n, least
        super().__init__(agent, by, score, one_call, n=(n, 1, 10_000), least=(least, 1, n))

    def _picked(self, request: Request, scores: Sequence[float | None]) -> int:
        return best(scores)

    def identity(self) -> dict[str, Any] | None:
        how, by = ("score", self.score) if self.judge is None else ("judge", self.judge)
        apart = {} if self.one_call else {"one_call": False}
        return composed(self.agent, by, agent="best-of", by=how, n=self.n, least=self.least, **apart)

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "best-of",
            "n": self.n,
            "least": self.least,
            "one_call": self.one_call,
            **members(self.agent),
            "by": self._by(),
        }


class BestOfKind(AgentKind):
    """Best of n. by: the judge that prefers."""

    name: ClassVar[str] = "best-of"
    of: Held
    by: Held
    n: int
    least: int = 1
    one_call: bool = True

    def make(self) -> BestOf:
        return BestOf(self.of, self.n, self.by, least=self.least, one_call=self.one_call)

    def profile(self) -> Profile:
        return profile_of_drawing(self.of, self.by, self.n, self.one_call)
