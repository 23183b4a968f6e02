"""A model of some hundred million parameters, behind an endpoint that holds it to no grammar.
Rule: what such models need, and no more; what is asked in which words is in `agents/prompts/fields.py`.

What was measured of SmolLM2-135M on llama.cpp's server: docs/endpoints/small_models.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar, Literal

from moot.agents.kinds import Profile
from moot.agents.models.attempts import Call
from moot.agents.models.capabilities import Rung
from moot.agents.models.client import Messages
from moot.agents.models.kinds import OpenAIKind
from moot.agents.models.lm import LM
from moot.agents.models.profiles.profile import LOGPROBS
from moot.agents.models.wire import Completion
from moot.agents.prompts import Templates
from moot.agents.prompts.asking import read_move
from moot.agents.prompts.fields import MOST, Asking, Field, walk
from moot.agents.prompts.forms import Form
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.tools.turn import Turn
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.protocols.text import escape, own_words

TOKENS = 256  # of one answer
TOP = 20  # alternatives of a token: the most that hosted endpoints give


class Small(LM):
    """A tiny model at an endpoint: it gets short prompts and is asked for plain words, never for JSON or tags.

    A speech is its whole answer. Of any other move each field is a question of its own, in one conversation that ends with
    the move; an answer that cannot be read is asked for once more, with the reason. So a move of k fields takes k calls, 24
    at most. guided=True, where the server has a grammar (llama.cpp, vLLM, Ollama): all in one call, by a schema. Other
    options: those of `LM`, but `structured`. Verdicts are better taken by `ModelJudge(small, "logprobs")`, one call each, where
    the endpoint has log-probabilities. Raises UsageError for bad options.
    """

    _grows = 1
    _templates = "v2-small"
    _plain = True
    _tell_schema = False

    def __init__(
        self, model: str, *, max_tokens: int = TOKENS, temperature: float | None = 0.2, **options: Any
    ) -> None:
        if "structured" in options:
            raise UsageError(
                "a small model takes no structured; guided=True asks by a schema, and without it field by field"
            )
        if options.get("thinking") is not None and not options.get("guided"):
            raise UsageError("a small model thinks apart with guided=True alone: thinking is a field of the schema")
        if options.get("tools_api", "text") != "text" and not options.get("guided"):
            raise UsageError("a small model has tools_api with guided=True alone: otherwise it is asked field by field")
        super().__init__(model, max_tokens=max_tokens, temperature=temperature, structured="schema", **options)

    def form(self, request: Request) -> Form:
        """The form of the answer, whose texts and lists have an end, as no field may take the whole of max_tokens."""
        return Form.of(request, max(40, 2 * self.max_tokens - 160), self._plain, self.thinking)

    async def _asked(
        self, request: Request, call: Call, form: Form, messages: Messages, rung: Rung, templates: Templates, turn: Turn
    ) -> Move | Completion:
        if self.guided or form.bare:
            return await super()._asked(request, call, form, messages, rung, templates, turn)
        try:
            data = await self._by_fields(request, call, walk(form), list(messages))
            return read_move(json.dumps(data), request, form=form)
        except UnreadableAnswer as error:
            why = f"step {request.step}: seat {request.seat}: {self.model} gave no move, field by field: {error}"
            raise UnreadableAnswer(why, error.text, final=True) from None

    async def _by_fields(self, request: Request, call: Call, asking: Asking, said: Messages) -> Any:
        """What `asking` makes of the model's answers."""
        value = None
        while True:
            try:
                field = asking.send(value)
            except StopIteration as done:
                return done.value
            value = await self._field(request, call, field, said)

    async def _field(self, request: Request, call: Call, field: Field, said: Messages) -> Any:
        """The value of one field. `said` grows by the question and the answer that was read. The second try has all of
        max_tokens, as a model may have thought before it answered."""
        _ask(said, field.told)
        try:
            value, text = await self._answer(request, call, field, said)
        except UnreadableAnswer as error:
            if error.final:
                raise
            call.reads += 1
            again = [*said, {"role": "assistant", "content": _own(error.text)}]
            _ask(again, f"That cannot be used: {escape(str(error))}. {field.told}")
            value, text = await self._answer(request, call, replace(field, most=None), again)
        said.append({"role": "assistant", "content": _own(text)})
        return value

    async def _answer(self, request: Request, call: Call, field: Field, messages: Messages) -> tuple[Any, str]:
        """One answer, with the alternatives of its first token where it is one of a few and the endpoint gives them."""

        def read(completion: Completion, extra: dict[str, Any]) -> tuple[Any, str]:
            value, text = field.read(completion.text, completion.first_token if field.labels else None)
            if text not in completion.text:
                extra["by_token"] = text
            return value, text

        most = None if field.most is None else min(field.most, self.max_tokens)
        if field.labels and LOGPROBS not in self.takes.known and self.spoken()[0].logprobs:
            try:
                return await self.complete(
                    request, call, messages, read, max_tokens=most, logprobs=True, top_logprobs=TOP
                )
            except UnreadableAnswer:
                raise
            except AgentError:
                if LOGPROBS not in self.takes.known:
                    raise
        return await self.complete(request, call, messages, read, max_tokens=most)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "agent": "small", "guided": self.guided}

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "agent": "small"}


def _ask(said: Messages, told: str) -> None:
    """Put a question at the end: in the user's last message, as some chat templates refuse two in a row."""
    if said[-1]["role"] == "user":
        shown = said[-1]["content"]
        more = f"{shown}\n{told}" if isinstance(shown, str) else [*shown, {"type": "text", "text": told}]
        said[-1] = {"role": "user", "content": more}
    else:
        said.append({"role": "user", "content": told})


def _own(text: str) -> str:
    return own_words(text[:2000], ()) or "…"


class SmallKind(OpenAIKind):
    """A tiny model at an OpenAI-compatible endpoint, asked in plain words."""

    name: ClassVar[str] = "small"
    form: ClassVar[str | None] = "small:MODEL or small:MODEL@http://HOST/v1"
    structured: Literal["schema"] = "schema"
    max_tokens: int = TOKENS
    temperature: float | None = 0.2
    guided: bool = False
    grows: ClassVar[int] = 1

    def make(self) -> Small:
        return Small(**self.given("takes", "structured"), profile=self.takes)

    def profile(self) -> Profile:
        """As many calls as a move may have fields, each twice; each is shown all that was answered before."""
        found = super().profile()
        if self.guided:
            return found
        calls, answer = 2 * MOST, found.answer or self.max_tokens
        return replace(found, calls=calls, usual=3, most=calls * answer, retold=calls * MOST * answer)
