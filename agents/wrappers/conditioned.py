"""Conditioning: an agent that draws moves until one is found of which a predicate holds, and makes no other.
Rule: one wrapper and its kind; how others are asked, and what becomes of those that fail, is in `nested.py`.

Rejection sampling, cut off: its law is the agent's own, given the predicate (`moot.complexity.pressure.policies.condition`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from moot.agents.base import Wrapper, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.program import object_at
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import candidate_of, gathered, members, named, standing, why
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

Predicate = Callable[[Request, Move], bool | Awaitable[bool]]


class Conditioned(Wrapper):
    """Moves of `agent`, one after another, until `predicate` holds of one: that is the move. None that does not hold is played.

        sober = moot.Conditioned(agent, lambda request, move: "surely" not in move.content(), tries=8)

    predicate: a function of the request and a move, plain or async, that returns True or False. It is given the move as it
    would stand on the record, as far as the request tells: cut where its limit cuts, quotes verified. tries: so many are drawn at the most;
    when it held of none, that is an AgentError, and the play ends. A try that fails, breaks the limits of the brief, or of
    which the predicate raises or says anything else than a bool, counts as one and is not played. Each try has a seed of its
    own, and the first is what the agent alone would say: tries = 1 is the agent, checked. Moves of every kind are checked.

    No move is more than `tries` times as probable as under `agent` alone, whatever the predicate is. The bound counts draws, so
    it is the same where a move is rejected and asked for again: each of these requests has its own tries.

    Each attempt of a model is noted with its `candidate` number, and counts for the seat; an event "chose" says how many tries
    were made of how many, and what the predicate said of each. Raises UsageError for a predicate that is no function, and
    unless tries is a whole number from 1 to 10,000.
    """

    def __init__(self, agent: Any, predicate: Predicate, tries: int) -> None:
        _check(predicate, tries)
        self.agent, self.predicate, self.tries = seatable(agent), predicate, tries
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The first move of which the predicate holds. Raises AgentError when it held of none, and BudgetExceeded."""
        drawn: list[Move | Exception] = []
        scores: list[bool | None] = []
        failed: dict[int, str] = {}
        chosen: Move | None = None
        while chosen is None and (index := len(drawn)) < self.tries:
            (move,) = await gathered([partial(candidate_of, self.agent, request, index)], request)
            drawn.append(move)
            scores.append(None)
            if isinstance(move, Exception):
                failed[index] = why(move)
                continue
            (held,) = await gathered([partial(self._held, request, index, move)], request)
            if isinstance(held, Exception):
                failed[index] = f"the predicate failed: {why(held)}"
                continue
            scores[index] = held
            chosen = move if held else None
        request.note({
            "event": "chose", "of": len(drawn), "tries": self.tries, "chosen": None if chosen is None else len(drawn) - 1,
            "scores": scores, "candidates": [each.model_dump(mode="json") if isinstance(each, Move) else None for each in drawn],
            "failed": {str(index): said for index, said in failed.items()},
        })  # fmt: skip
        if chosen is None:
            unread = all(isinstance(each, UnreadableAnswer) for each in drawn)
            first = next(iter(failed), None)
            raise (UnreadableAnswer if unread else AgentError)(
                f"step {request.step}: seat {request.seat}: the predicate held of none of {self.tries} tries, "
                f"{scores.count(False)} of which it was asked about"
                + ("" if first is None else f"; try {first}: {failed[first]}")
            )
        return chosen

    async def _held(self, request: Request, index: int, move: Move) -> bool:
        held = await reply_of(self.predicate, request, standing(move, request))
        if not isinstance(held, bool):
            raise AgentError(f"of try {index} it says {held!r}, which is neither True nor False")
        return held

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, self.predicate, agent="conditioned", tries=self.tries)

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "conditioned",
            "tries": self.tries,
            "predicate": named(self.predicate),
            **members(self.agent),
        }


def _check(predicate: Any, tries: Any) -> None:
    """Raises UsageError on what nothing can be conditioned on."""
    if isinstance(tries, bool) or not isinstance(tries, int) or not 1 <= tries <= 10_000:
        raise UsageError(f"conditioned: tries is {tries!r}; it must be a whole number from 1 to 10000")
    if not callable(predicate) or isinstance(predicate, type):
        raise UsageError(f"conditioned: predicate is {predicate!r}; it must be a function of a request and a move")


class ConditionedKind(AgentKind):
    """Another agent, asked until a predicate holds. predicate: MODULE:NAME or FILE.py:NAME."""

    name: ClassVar[str] = "conditioned"
    of: Held
    predicate: str
    tries: int

    def make(self) -> Conditioned:
        return Conditioned(self.of, object_at(self.predicate), self.tries)

    def profile(self) -> Profile:
        _check(object_at(self.predicate), self.tries)
        model: Profile = self.of
        most = Profile.asking((model, self.tries))
        # usually the first try holds; how often it does not, nobody knows beforehand
        return replace(most, usual=model.usual, answers=model.answers, asides=model.asides)
