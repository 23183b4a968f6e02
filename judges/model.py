"""A language model as judge: by the probabilities that it states, or by those of its answer tokens, or both.

Rule of this file: it asks models for verdicts; how a model is called is the agent's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from string import ascii_uppercase
from typing import Any, ClassVar, Literal, get_args

from moot.agents.base import Wrapper, describe
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.models.apis.responses import LEAST
from moot.agents.models.lm import LM, READS
from moot.agents.models.wire import Completion
from moot.agents.prompts import Templates
from moot.agents.prompts.render import Prompt, render
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer, encodable
from moot.agents.tools.turn import hash_of
from moot.judges.examples import Examples
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.text import escape, own_words

Method = Literal["stated", "logprobs", "reasoned", "both"]
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
    (`unlisted`), and `mass` there is what the listed answers had.

    "reasoned" asks for reasons in words, and then, behind them, for the answer token: the verdict is by its
    log-probabilities, and its text are the reasons. "both" asks for a stated verdict, and then, behind its reasons, for the
    answer token: the verdict is the one that was stated. Both confidences are kept in an event "believed", as `stated` and
    `logprobs`. Either takes two calls, and gives no verdict where one of them fails. Requests for anything but a verdict
    are always put to the model as usual. What it may look at, it looks at first, before it is asked for reasons or a token.

    examples: a file of verdicts as they should be given (`moot.judges.examples`), shown in the system message, which stays
    the same for every call. Raises UsageError for an unknown method and for examples that cannot be read.
    """

    def __init__(self, lm: LM, method: Method = "stated", *, examples: str | Path | None = None) -> None:
        if method not in get_args(Method):
            raise UsageError(f"a model judges by {', '.join(map(repr, get_args(Method)))}, not by {method!r}")
        self.lm, self.method, self.held = lm, method, (lm,)
        self.examples = Examples.read(examples) if examples is not None else None
        shown = self.examples
        self.templates: Templates = lm.templates if shown is None else lm.templates.introduced(shown.prompt)

    def describe(self) -> dict[str, Any]:
        return {**describe(self.lm), "judge": "model", "method": self.method, **self._examples()}

    def identity(self) -> dict[str, Any] | None:
        return composed(self.lm, agent="model-judge", method=self.method, **self._examples())

    def _examples(self) -> dict[str, str]:
        return {} if self.examples is None else {"examples": self.examples.hash}

    async def act(self, request: Request) -> Move:
        """A move of the model. Raises UnreadableAnswer when the answers' tokens have too little of the probability, or no
        reasons came, AgentError when the endpoint lists no tokens or the question is one of the examples, BudgetExceeded when
        the seat may not spend the call."""
        templates = self.templates
        if Verdict not in request.kinds or not request.view.question.choices:
            return await self.lm.act(request, templates)
        if self.examples is not None:
            self.examples.check(request)
        if self.method == "stated":
            return await self.lm.act(request, templates)
        choices = request.view.question.choices
        labels = labels_for(len(choices))
        options = "\n".join(f"{label}: {escape(choice)}" for label, choice in zip(labels, choices, strict=True))
        values = {"options": options, "labels": ", ".join(labels)}
        prompt = render(request, templates, "", "judging/verdict.logprobs", **values)
        first = render(request, templates, "", "judging/verdict.reasoned")
        turn = self.lm.turn(request)
        stated: Verdict | None = None
        if self.method == "both":
            move = await self.lm.act(request, templates, turn)
            if not isinstance(move, Verdict):
                return move
            stated, reasons = move, move.text.strip()
            asked = [*turn.sourced(first).messages(), *turn.said]
        else:
            looked = await self.lm.looked(request, turn, templates)

            def put(last: Prompt) -> list[dict[str, Any]]:
                """The last question, behind what the model has looked at."""
                return [*looked, {"role": "user", "content": last.task}] if looked else turn.sourced(last).messages()

            if self.method == "logprobs":
                return await self._by_token(request, prompt, put(prompt), labels)
            asked = put(first)
            reasons = await self._reasons(request, first, asked)
        messages = turn.sourced(prompt).messages()
        if reasons:
            said = {"role": "assistant", "content": own_words(reasons, ())}
            messages = [*asked, said, {"role": "user", "content": prompt.task}]
        found = await self._by_token(request, prompt, messages, labels)
        believed = {} if stated is None else {"stated": list(stated.probabilities)}
        request.note({"event": "believed", **believed, "logprobs": list(found.probabilities)})
        return stated or found.model_copy(update={"text": reasons})

    async def _reasons(self, request: Request, prompt: Prompt, messages: list[dict[str, Any]]) -> str:
        def read(completion: Completion, extra: dict[str, Any]) -> str:
            found = parted(completion.text)
            extra["method"], extra["thoughts"] = self.method, found.thoughts
            if completion.finish == "length":
                extra["cut"] = True
            if found.unclosed or not found.answer.strip():
                raise UnreadableAnswer("it gave no reasons; a higher max_tokens leaves room for them", completion.text)
            return encodable(found.answer.strip())

        try:
            return await self.lm.complete(request, self.lm.call(request, prompt), messages, read)
        except UnreadableAnswer as error:
            raise UnreadableAnswer(self._why(request, error), error.text, final=True) from None

    async def _by_token(
        self, request: Request, prompt: Prompt, messages: list[dict[str, Any]], labels: Sequence[str]
    ) -> Verdict:
        noted: dict[str, Any] = {}

        def read(completion: Completion, extra: dict[str, Any]) -> Verdict:
            nonlocal noted
            extra["method"], noted = self.method, extra
            return read_verdict(completion, labels, extra)

        wanted: dict[str, Any] = {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP}
        call = self.lm.call(request, prompt)
        if len(messages) > 2:  # behind reasons
            call.labels["prompt"] = hash_of(messages)
        try:
            return await self.lm.complete(request, call, messages, read, **wanted)
        except UnreadableAnswer as error:
            if "mass" not in noted:  # the endpoint's fault, and no answer of the model
                raise AgentError(self._why(request, error)) from None
            raise UnreadableAnswer(self._why(request, error), error.text, final=True) from None

    def _why(self, request: Request, error: UnreadableAnswer) -> str:
        return f"step {request.step}: seat {request.seat}: {self.lm.model} gave no verdict: {error}"


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


def _and_token(found: Profile) -> Profile:
    """With one more call, for the answer's token."""
    most = None if found.written is None else found.written + LEAST
    return replace(found, calls=found.calls + 1, usual=found.usual + 1, most=most, reasons=found.answer or 0)


class StatedKind(JudgeKind):
    """A model that judges by the probabilities that it states."""

    name: ClassVar[str] = "stated"
    form: ClassVar[str | None] = "stated:MODEL"
    method: ClassVar[Method] = "stated"
    of: Held
    examples: str | None = None

    def make(self) -> ModelJudge:
        if not isinstance(self.of, LM):
            raise UsageError(f"only a language model (local, openai:MODEL) judges by {self.method}")
        return ModelJudge(self.of, self.method, examples=self.examples)

    def profile(self) -> Profile:
        found: Profile = self.of
        shown = 0 if self.examples is None else len(Examples.read(self.examples).prompt.encode())
        further = found.further + (1 + READS if found.further and self.method in ("logprobs", "reasoned") else 0)
        return replace(found, shown=found.shown + shown, further=further)


class LogprobsKind(StatedKind):
    """A model that judges by the log-probabilities of its answer tokens."""

    name: ClassVar[str] = "logprobs"
    form: ClassVar[str | None] = "logprobs:MODEL"
    method: ClassVar[Method] = "logprobs"


class ReasonedKind(StatedKind):
    """A model that gives its reasons first, and judges by the log-probabilities of its answer tokens behind them."""

    name: ClassVar[str] = "reasoned"
    form: ClassVar[str | None] = "reasoned:MODEL"
    method: ClassVar[Method] = "reasoned"

    def profile(self) -> Profile:
        return _and_token(super().profile())


class BothKind(ReasonedKind):
    """A model that states its verdict, with the log-probabilities of its answer tokens kept beside it."""

    name: ClassVar[str] = "stated-and-logprobs"
    form: ClassVar[str | None] = "stated-and-logprobs:MODEL"
    method: ClassVar[Method] = "both"
