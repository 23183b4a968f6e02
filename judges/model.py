"""A language model as judge: by the probabilities that it states, or by those of its answer tokens.

Rule of this file: it asks models for verdicts; how a model is called is the agent's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from string import ascii_uppercase
from typing import Any, ClassVar, Literal

from moot.agents.base import Wrapper
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.models.lm import LM
from moot.agents.models.wire import Completion
from moot.agents.prompts.render import render
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.text import escape

Method = Literal["stated", "logprobs"]
TOP = 20  # alternatives to ask for: the most that hosted endpoints give
FLOOR = 0.1
"""The least that the answers' tokens must have of the probability for a verdict. Models that do as they are told give them nearly
all, the embedded one, which is tiny, 0.19 to 0.45; one that is about to think or to explain gives them next to nothing."""
ROUNDING = 1e-3  # how far over 0 a log-probability may be by rounding
AROUND = " \t\r\n\"'`*()[].:\u2581\u0120"  # what may stand around a label in its token; the last two stand for a blank


class ModelJudge(Wrapper):
    """A judge whose verdicts are a model's.

    method: "stated" asks for probabilities in words (by schema or tags); "logprobs" asks for one answer token and takes
    the log-probabilities of the answers' tokens at that place, renormalised over the answers, since what endpoints
    return is the distribution over the whole vocabulary. There is no verdict where the answers have less than `FLOOR` of it:
    the model was about to say something else. An answer that is not among the listed tokens (20 at most) gets the most
    that it can have had, which is what the least probable of them has, or what they leave; the attempt's note names it
    (`unlisted`), and `mass` there is what the listed answers had. Requests for anything but a verdict are always put to
    the model as usual.

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
        """A move of the model. Raises UnreadableAnswer when the answers' tokens have too little of the probability,
        AgentError when the endpoint lists none, BudgetExceeded when the seat may not spend the call."""
        if self.method == "stated" or Verdict not in request.kinds or not request.view.question.choices:
            return await self.lm.act(request)
        choices = request.view.question.choices
        labels = labels_for(len(choices))
        options = "\n".join(f"{label}: {escape(choice)}" for label, choice in zip(labels, choices, strict=True))
        values = {"options": options, "labels": ", ".join(labels)}
        prompt = render(request, self.lm.templates, "", ["task.verdict.logprobs"], **values)
        call = self.lm.call(request, prompt)

        noted: dict[str, Any] = {}

        def read(completion: Completion, extra: dict[str, Any]) -> Verdict:
            nonlocal noted
            extra["method"], noted = self.method, extra
            return read_verdict(completion, labels, extra)

        wanted: dict[str, Any] = {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP}
        try:
            return await self.lm.complete(request, call, prompt.messages(), read, **wanted)
        except UnreadableAnswer as error:
            why = f"step {request.step}: seat {request.seat}: {self.lm.model} gave no verdict: {error}"
            if "mass" not in noted:  # the endpoint's fault, and no answer of the model
                raise AgentError(why) from None
            raise UnreadableAnswer(why, error.text, final=True) from None


def labels_for(count: int) -> Sequence[str]:
    """One-token labels of the choices: their numbers up to nine, letters up to 26. Raises UsageError beyond."""
    if count <= 9:
        return [str(i) for i in range(1, count + 1)]
    if count <= len(ascii_uppercase):
        return list(ascii_uppercase[:count])
    raise UsageError(f"{count} choices are too many to judge by one token; 26 are the most")


def read_verdict(completion: Completion, labels: Sequence[str], extra: dict[str, Any]) -> Verdict:
    """The verdict in the first token's alternatives. Tokens of one label, with or without blanks and marks around it, are
    added up. Raises UnreadableAnswer when there are no log-probabilities, or the labels have too little of the probability."""
    listed = completion.first_token
    if not listed:
        raise UnreadableAnswer(
            "the endpoint gave no log-probabilities; judge by 'stated', or use one that has them", completion.text
        )
    mass: dict[str, float] = {}
    least, left = 1.0, 1.0
    for token, logprob in listed:
        if logprob > ROUNDING:
            raise UnreadableAnswer(f"the token {token!r} has the log-probability {logprob:g}, over 0", completion.text)
        p = math.exp(min(0.0, logprob))
        least, left = min(least, p), left - p
        if (label := token.strip(AROUND)) in labels:
            mass[label] = mass.get(label, 0.0) + p
    extra["mass"] = math.fsum(mass.values())
    extra["unlisted"] = unlisted = [label for label in labels if label not in mass]
    if extra["mass"] < FLOOR:
        first = max(listed, key=itemgetter(1))[0]
        raise UnreadableAnswer(
            f"the answers {', '.join(labels)} have {extra['mass']:.2g} of the probability of the first token, and {FLOOR:g} "
            f"is the least that makes a verdict; the most probable is {first!r}", completion.text,
        )  # fmt: skip
    most = min(least, max(0.0, left) / max(1, len(unlisted)))
    shares = [mass.get(label, most) for label in labels]
    return Verdict(probabilities=tuple(share / math.fsum(shares) for share in shares))


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
