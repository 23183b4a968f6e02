"""A language model as judge: by the probabilities that it states, or by those of its answer tokens.

Rule of this file: it asks models for verdicts; how a model is called is the agent's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, ClassVar, Literal

from moot.agents.base import Wrapper
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.models.lm import LM
from moot.agents.models.wire import Completion
from moot.agents.prompts.render import escape, render
from moot.agents.prompts.values import UnreadableAnswer, normalised
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.view import Request

Method = Literal["stated", "logprobs"]
TOP = 20  # alternatives to ask for: the most that hosted endpoints give


class ModelJudge(Wrapper):
    """A judge whose verdicts are a model's.

    method: "stated" asks for probabilities in words (by schema or tags); "logprobs" asks for one answer token and takes
    the log-probabilities of the answers' tokens at that place, renormalised over the answers, since what endpoints
    return is the distribution over the whole vocabulary. An answer that is not among the 20 most probable tokens gets
    probability 0, and the attempt's note says so (`unlisted`); `mass` there is what the answers had before.
    Requests for anything but a verdict are always put to the model as usual.

    Raises UsageError for an unknown method.
    """

    def __init__(self, lm: LM, method: Method = "stated") -> None:
        if method not in ("stated", "logprobs"):
            raise UsageError(f"a model judges by 'stated' or 'logprobs', not by {method!r}")
        self.lm, self.method, self.held = lm, method, (lm,)

    def describe(self) -> dict[str, Any]:
        return {**self.lm.describe(), "judge": "model", "method": self.method}

    def identity(self) -> dict[str, Any] | None:
        return composed(self.lm, agent="model-judge", method=self.method)

    async def act(self, request: Request) -> Move:
        """A move of the model. Raises AgentError when no answer's token is among those that the endpoint lists, or it
        lists none; BudgetExceeded when the seat may not spend the call."""
        if self.method == "stated" or Verdict not in request.kinds or not request.view.question.choices:
            return await self.lm.act(request)
        choices = request.view.question.choices
        labels = labels_for(len(choices))
        options = "\n".join(f"{label}: {escape(choice)}" for label, choice in zip(labels, choices, strict=True))
        values = {"options": options, "labels": ", ".join(labels)}
        prompt = render(request, self.lm.templates, "", ["task.verdict.logprobs"], **values)
        call = self.lm.call(request, prompt)

        def read(completion: Completion, extra: dict[str, Any]) -> Verdict:
            extra["method"] = self.method
            return read_verdict(completion, labels, extra)

        wanted: dict[str, Any] = {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP}
        try:
            return await self.lm.complete(request, call, prompt.messages(), read, **wanted)
        except UnreadableAnswer as error:
            raise AgentError(f"step {request.step}: seat {request.seat}: {self.lm.model}: {error}") from None


def labels_for(count: int) -> Sequence[str]:
    """One-token labels of the choices: their numbers up to nine, letters up to 26. Raises UsageError beyond."""
    if count <= 9:
        return [str(i) for i in range(1, count + 1)]
    if count <= len(ascii_uppercase):
        return list(ascii_uppercase[:count])
    raise UsageError(f"{count} choices are too many to judge by one token; 26 are the most")


def read_verdict(completion: Completion, labels: Sequence[str], extra: dict[str, Any]) -> Verdict:
    """The verdict in the first token's alternatives. Tokens that differ by white space alone are added up. Raises
    UnreadableAnswer when there are no log-probabilities, or none of an allowed answer."""
    listed = completion.first_token
    if not listed:
        raise UnreadableAnswer(
            "the endpoint gave no log-probabilities; judge by 'stated', or use one that has them", completion.text
        )
    mass: dict[str, float] = {}
    for token, logprob in listed:
        if (label := token.strip()) in labels and logprob <= 1e-6:  # NaN is not
            mass[label] = mass.get(label, 0.0) + math.exp(logprob)
    if not any(mass.values()):
        tokens = ", ".join(repr(token) for token, _ in listed[:5])
        raise UnreadableAnswer(
            f"none of the answers {', '.join(labels)} is among the {len(listed)} most probable tokens ({tokens}, …)",
            completion.text,
        )
    extra["mass"] = math.fsum(mass.values())
    extra["unlisted"] = [label for label in labels if label not in mass]
    return Verdict(probabilities=normalised([mass.get(label, 0.0) for label in labels])[0])


class StatedKind(JudgeKind):
    """A model that judges by the probabilities that it states."""

    name: ClassVar[str] = "stated"
    form: ClassVar[str | None] = "stated:MODEL"
    method: ClassVar[Method] = "stated"
    of: Held

    def make(self) -> ModelJudge:
        if not isinstance(self.of, LM):
            raise UsageError(f"only a language model (local, openai:MODEL) judges by {self.method}")
        return ModelJudge(self.of, self.method)

    def profile(self) -> Profile:
        found: Profile = self.of
        return found


class LogprobsKind(StatedKind):
    """A model that judges by the log-probabilities of its answer tokens."""

    name: ClassVar[str] = "logprobs"
    form: ClassVar[str | None] = "logprobs:MODEL"
    method: ClassVar[Method] = "logprobs"
