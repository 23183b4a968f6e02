"""Best of n: an agent that draws several moves and makes the one that a preference judge likes most.
Rule: one wrapper and its kind; how others are asked, and what becomes of those that fail, is in `nested.py`.

Optimises whatever sits in a seat for persuasion, as in Khan et al. 2024 (arXiv 2402.06782).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.prompts.variables import side_of
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import answer_of, believed, best, copy_of, gathered, standing, why
from moot.agents.wrappers.several import several
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry

Score = Callable[[Request, Move], float | Awaitable[float]]


class BestOf(Wrapper):
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

    def __init__(
        self, agent: Any, n: int, by: Any = None, *, score: Score | None = None, least: int = 1,
        one_call: bool = True,
    ) -> None:  # fmt: skip
        for name, number, low, high in (("n", n, 1, 10_000), ("least", least, 1, n)):
            if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
                raise UsageError(f"best of n: {name} is {number!r}; it must be a whole number from {low} to {high}")
        if (by is None) == (score is None):
            raise UsageError("best of n: give either by=, a judge that prefers, or score=, a function")
        if score is not None and not callable(score):
            raise UsageError(f"best of n: score is {score!r}; it must be a function of a request and a move")
        self.agent, self.n, self.least, self.score = seatable(agent), n, least, score
        self.one_call = one_call
        self.judge = None if by is None else seatable(by)
        self.held = (self.agent,) if by is None else (self.agent, self.judge)
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The best of the candidates. Raises AgentError when too few came, UsageError when the seat defends nothing that a
        judge could prefer, and BudgetExceeded. With n = 1, what the agent returns or raises."""
        if self.n == 1 or not any(kind.argues for kind in request.kinds):
            return await reply_of(act_of(self.agent), request)
        if self.judge is not None and side_of(request) is None:
            where = f"step {request.step}: best of n: seat {request.seat}"
            raise UsageError(f"{where} defends no answer that a judge could prefer; give score=")
        drawn = await self._candidates(request)
        places = [index for index, each in enumerate(drawn) if not isinstance(each, Exception)]
        found = await gathered([partial(self._rated, request, index, drawn[index]) for index in places], request)
        rated = dict(zip(places, found, strict=True))
        scores = [score if isinstance(score := rated.get(index), float) else None for index in range(self.n)]
        failed = {index: why(each) for index, each in enumerate(drawn) if isinstance(each, Exception)}
        failed |= {index: f"no score: {why(each)}" for index, each in rated.items() if isinstance(each, Exception)}
        chosen = best(scores) if self.n - len(failed) >= self.least else None
        request.note({
            "event": "chose", "of": self.n, "chosen": chosen, "scores": scores,
            "candidates": [each.model_dump(mode="json") if isinstance(each, Move) else None for each in drawn],
            "failed": {str(index): failed[index] for index in sorted(failed)},
        })  # fmt: skip
        move = None if chosen is None else drawn[chosen]
        if not isinstance(move, Move):
            unread = all(isinstance(each, UnreadableAnswer) for each in drawn)
            raise (UnreadableAnswer if unread else AgentError)(
                f"step {request.step}: seat {request.seat}: {self.n - len(failed)} of {self.n} candidates came to a score, "
                f"{self.least} are needed; candidate {min(failed)}: {failed[min(failed)]}"
            )
        return move

    async def _candidates(self, request: Request) -> list[Move | Exception]:
        """Every candidate, or why it failed: as many as come from one call, and the others one by one."""
        drawn: list[Move | Exception] = []
        for each in await several(self.agent, request, self.n) if self.one_call else ():
            try:
                if isinstance(each, Move):
                    standing(each, request)
                drawn.append(each)
            except Illegal as error:
                drawn.append(error)
        more = [partial(self._candidate, request, index) for index in range(len(drawn), self.n)]
        return drawn + (await gathered(more, request) if more else [])

    async def _candidate(self, request: Request, index: int) -> Move:
        move = await answer_of(self.agent, copy_of(request, "candidate", index))
        standing(move, request)
        return move

    async def _rated(self, request: Request, index: int, move: Any) -> float:
        if self.score is not None:
            score = await reply_of(self.score, request, move)
            if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
                raise AgentError(f"the score of candidate {index} is {score!r}, which is no finite number")
            return float(score)
        side = side_of(request)
        assert side is not None
        view = request.view.then(Entry(request.step, request.seat, standing(move, request)), hide=True)
        belief = (await believed(self.judge, request, "judging", index, view))[side[1]]
        return belief if side[0] > 0 else 1 - belief

    def identity(self) -> dict[str, Any] | None:
        how, by = ("score", self.score) if self.judge is None else ("judge", self.judge)
        apart = {} if self.one_call else {"one_call": False}
        return composed(self.agent, by, agent="best-of", by=how, n=self.n, least=self.least, **apart)

    def describe(self) -> dict[str, Any]:
        by = describe(self.judge) if self.judge is not None else {"score": describe(self.score)["name"]}
        return {
            "agent": "best-of",
            "n": self.n,
            "least": self.least,
            "one_call": self.one_call,
            "members": [describe(self.agent)],
            "by": by,
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
        found = Profile.asking((self.of, self.n), (self.by, self.n))
        model: Profile = self.of
        drawn = Profile.asking((model, self.n)).answers or 0
        found = replace(found, answer=model.answer, answers=drawn, asides=found.asides + (found.answers or 0) - drawn)
        if self.one_call and model.usual == 1 and model.models and model.models[0].url != "local":
            return replace(found, usual=found.usual - self.n + 1)  # all candidates come from one call
        return found
