"""Drawing several candidates for one move, scoring them, and noting what there was to choose among.
Rule: what best of n and quantilizing have in common; which candidate is picked is each wrapper's own, in a file of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.kinds import Profile
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.prompts.variables import side_of
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import believed, candidate_of, gathered, named, standing, why
from moot.agents.wrappers.several import several
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry

Score = Callable[[Request, Move], float | Awaitable[float]]


class Drawing(Wrapper, ABC):
    """An agent that draws n candidates of another, has each scored, and makes one of them its move.

    called: what messages call it. least: so many must come to a score. A subclass says which is picked (`_picked`), and what
    candidates and scores are told of the request (`_asked`).
    """

    called: ClassVar[str]
    n: int
    least: int

    def __init__(
        self, agent: Any, by: Any, score: Score | None, one_call: bool, **numbers: tuple[int, int, int]
    ) -> None:
        """numbers: by name, each with the least and the most that it may be."""
        for name, (number, low, high) in numbers.items():
            if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
                raise UsageError(f"{self.called}: {name} is {number!r}; it must be a whole number from {low} to {high}")
        if (by is None) == (score is None):
            raise UsageError(f"{self.called}: give either by=, a judge that prefers, or score=, a function")
        if score is not None and not callable(score):
            raise UsageError(f"{self.called}: score is {score!r}; it must be a function of a request and a move")
        self.agent, self.score = seatable(agent), score
        self.one_call = one_call
        self.judge = None if by is None else seatable(by)
        self.held = (self.agent,) if by is None else (self.agent, self.judge)
        self.bound = getattr(self.agent, "bound", None)

    @abstractmethod
    def _picked(self, request: Request, scores: Sequence[float | None]) -> int:
        """The place of the candidate that is the move, of those that have a score."""

    def _asked(self, request: Request) -> Request:
        """The request as candidates and scores are given it."""
        return request

    def _noted(self) -> Mapping[str, Any]:
        """What is noted of a choice besides."""
        return {}

    async def act(self, request: Request) -> Any:
        """One of the candidates. Raises AgentError when too few came, UsageError when the seat defends nothing that a
        judge could prefer, and BudgetExceeded. With n = 1, what the agent returns or raises."""
        if self.n == 1 or not any(kind.argues for kind in request.kinds):
            return await reply_of(act_of(self.agent), request)
        if self.judge is not None and side_of(request) is None:
            where = f"step {request.step}: {self.called}: seat {request.seat}"
            raise UsageError(f"{where} defends no answer that a judge could prefer; give score=")
        asked = self._asked(request)
        drawn = await self._candidates(asked)
        places = [index for index, each in enumerate(drawn) if not isinstance(each, Exception)]
        found = await gathered([partial(self._rated, asked, index, drawn[index]) for index in places], request)
        rated = dict(zip(places, found, strict=True))
        scores = [score if isinstance(score := rated.get(index), float) else None for index in range(self.n)]
        failed = {index: why(each) for index, each in enumerate(drawn) if isinstance(each, Exception)}
        failed |= {index: f"no score: {why(each)}" for index, each in rated.items() if isinstance(each, Exception)}
        chosen = self._picked(request, scores) if self.n - len(failed) >= self.least else None
        request.note({
            "event": "chose", "of": self.n, "chosen": chosen, "scores": scores,
            "candidates": [each.model_dump(mode="json") if isinstance(each, Move) else None for each in drawn],
            "failed": {str(index): failed[index] for index in sorted(failed)}, **self._noted(),
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
        more = [partial(candidate_of, self.agent, request, index) for index in range(len(drawn), self.n)]
        return drawn + (await gathered(more, request) if more else [])

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

    def _by(self) -> dict[str, Any]:
        """What is recorded of whatever scores."""
        return describe(self.judge) if self.judge is not None else {"score": named(self.score)}


def profile_of_drawing(model: Profile, judge: Profile, n: int, one_call: bool) -> Profile:
    """What an estimate needs to know of an agent that draws n candidates of `model` and asks `judge` about each."""
    found = Profile.asking((model, n), (judge, n))
    drawn = Profile.asking((model, n)).answers or 0
    found = replace(found, answer=model.answer, answers=drawn, asides=found.asides + (found.answers or 0) - drawn)
    if one_call and model.usual == 1 and model.models and model.models[0].url != "local":
        return replace(found, usual=found.usual - n + 1)  # all candidates come from one call
    return found
