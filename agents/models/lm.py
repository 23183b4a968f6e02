"""A language model behind an OpenAI-compatible endpoint, as an agent.

Rule of this file: it is about calling. What is said to a model and how its answer is read is in `agents/prompts`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from moot.agents.kinds import AgentKind, Profile
from moot.agents.models.attempts import Call, Refused
from moot.agents.models.cache import Cache
from moot.agents.models.capabilities import FORMAT, Capabilities, Change, no_logprobs, unformed
from moot.agents.models.endpoint import RETRIES, Endpoint
from moot.agents.models.refusals import Refusal
from moot.agents.models.secrets import CopiedWhole, shown, without_secrets
from moot.agents.models.usage import Prices
from moot.agents.models.wire import Completion, checked_url
from moot.agents.prompts import VERSION, Templates
from moot.agents.prompts.asking import prompt_for, read_move, repair_messages
from moot.agents.prompts.forms import Form
from moot.agents.prompts.render import Prompt
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

if TYPE_CHECKING:
    import httpx2

HOSTED = "https://api.openai.com/v1"
MARGIN = 512  # tokens that a chat template may add
Messages = list[dict[str, str]]
T = TypeVar("T")


class LM(CopiedWhole):
    """An agent that asks a model for its moves.

    model: its name at the endpoint. base_url, api_key (or api_key_env, the variable that holds it): where it is; without
    them OPENAI_BASE_URL and OPENAI_API_KEY, and OpenAI's own address. A pickle or copy holds no key but that of a variable.
    structured: "schema" asks for JSON by a schema, "tags" for tagged text, "auto" for the first until the endpoint refuses
    or ignores it. temperature: None leaves it to the endpoint. max_tokens: most tokens of one
    answer. seed: whether the step's own seed is sent. prompts: a folder with templates of your own, by file.
    prices: (in, out, cached) per million tokens; without them the cost is unknown, which is not 0. cache: path of a
    response cache. timeout, retries, backoff, http_client: as for `Endpoint`. extra_body: more fields of the request.
    identity: what tells this model from others of its name. guided: the endpoint holds the model to the schema by a
    grammar, as local servers do; then limits in characters, lengths that fit into max_tokens, and lists of
    probabilities that sum to 1 stand in it. Raises UsageError for bad options, and when a hosted endpoint gets no key.
    """

    def __init__(
        self, model: str, *, base_url: str | None = None, api_key: str | None = None, api_key_env: str | None = None,
        structured: Literal["auto", "schema", "tags"] = "auto", temperature: float | None = None, max_tokens: int = 1024,
        seed: bool = True, prompts: str | Path | None = None, prices: tuple[float, ...] | list[float] | None = None,
        cache: str | Path | None = None, http_client: httpx2.AsyncClient | None = None, timeout: float = 120.0,
        retries: int = RETRIES, backoff: float = 0.5, extra_body: Mapping[str, Any] | None = None, guided: bool = False,
        identity: str | None = None,
    ) -> None:  # fmt: skip
        if not model:
            raise UsageError("a language model needs the model's name")
        if structured not in ("auto", "schema", "tags"):
            raise UsageError(f"structured is {structured!r}; it can be 'auto', 'schema' or 'tags'")
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise UsageError(f"max_tokens is {max_tokens!r}; it must be an integer of at least 1")
        if temperature is not None and not (isinstance(temperature, (int, float)) and 0 <= temperature <= 5):
            raise UsageError(f"temperature is {temperature!r}; it must be from 0 to 5")
        self.model = model
        self.structured, self.temperature, self.max_tokens, self.seed = structured, temperature, max_tokens, seed
        self.templates = Templates(prompts, self._templates)
        self.prices = Prices.of(prices)
        self.extra_body = dict(extra_body or {})
        self.guided = guided
        if identity is not None and not (isinstance(identity, str) and identity):
            raise UsageError(f"identity is {identity!r}; it must be a text that tells models of one name apart")
        self._identity = identity
        self._cache = Cache(cache) if cache is not None else None
        self._options: dict[str, Any] = {
            "timeout": timeout, "retries": retries, "backoff": backoff, "http_client": http_client
        }  # fmt: skip
        self._takes: Capabilities | None = None
        self._endpoint: Endpoint | None = None
        if self._hosted:
            own = checked_url(os.environ.get("OPENAI_BASE_URL") or HOSTED)
            url = own if base_url is None else checked_url(base_url)
            # a key from the environment belongs to the address from the environment: no other host is sent it
            variable = api_key_env or ("OPENAI_API_KEY" if url == own else None)
            key = api_key or (os.environ.get(variable) if variable else None)
            if api_key_env and not key:
                raise UsageError(f"the environment variable {api_key_env} holds no key")
            source = variable if variable and key == os.environ.get(variable) else "api_key"
            if not key and url == HOSTED and http_client is None:
                raise UsageError(
                    f"{model}: no key for {url}; set OPENAI_API_KEY, give api_key=, or name an endpoint of "
                    f"your own, as in openai:{model}@http://127.0.0.1:8080/v1"
                )
            self._endpoint = Endpoint(url, key, source=source, fields=self.extra_body, **self._options)

    _hosted = True  # whether the address is known from the start
    _templates = VERSION
    _plain = False  # whether a speech alone is asked for without JSON around it
    _tell_schema = True  # whether the prompt says in words what the schema says

    @property
    def endpoint(self) -> Endpoint:
        """Where the model is. Raises UsageError before a local server has started."""
        if self._endpoint is None:
            raise UsageError(f"{self.model}: the server has not started; call `await start()` first")
        return self._endpoint

    @property
    def takes(self) -> Capabilities:
        """What the endpoint takes for this model, as far as any agent here has found out."""
        if self._takes is None:
            place = self._endpoint.base_url if self._hosted and self._endpoint is not None else "local"
            self._takes = Capabilities.of(place, self.model, self._options["http_client"])
        return self._takes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_takes": None, "extra_body": shown(self.extra_body)}

    async def ready(self) -> Endpoint:
        """The endpoint, once it can be called."""
        return self.endpoint

    async def start(self) -> None:
        await (await self.ready()).start()

    async def close(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()

    def describe(self) -> dict[str, Any]:
        """What is recorded of this agent. Never the key."""
        named = {} if self._identity is None else {"identity": self._identity}
        return {
            "agent": "lm", "model": self.model, **named,
            "endpoint": self.endpoint.base_url if self._hosted else "local", "structured": self.structured,
            "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed, "template": self.templates.version,
            "prices": list(astuple(self.prices)) if self.prices else None, "extra_body": shown(self.extra_body),
        }  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What makes this model's answers what they are; not where it is, what it costs, or who pays."""
        return {
            "agent": "lm", "model": self.model, "structured": self.structured, "temperature": self.temperature,
            "max_tokens": self.max_tokens, "seed": self.seed, "prompts": self.templates.hash, "guided": self.guided,
            "extra_body": without_secrets(self.extra_body),
            "identity": self._identity,
        }  # fmt: skip

    async def act(self, request: Request) -> Move:
        """Ask the model for a move. Raises AgentError when none comes, BudgetExceeded when it costs too much."""
        form = self.form(request)
        tagged = self.structured == "tags" or (
            self.structured == "auto" and not self.takes.takes(form.response_format())
        )
        told = tagged or self._tell_schema
        prompt = prompt_for(request, templates=self.templates, tagged=tagged, told=told, form=form)
        call = self.call(request, prompt)
        try:
            return await self._asked(request, call, form, prompt.messages(), tagged)
        except _SchemaRefused as refused:
            call.trials.append(refused.change)
            prompt = prompt_for(request, templates=self.templates, tagged=True, form=form)
            call.labels["prompt"] = prompt.hash
            return await self._asked(request, call, form, prompt.messages(), True)

    def form(self, request: Request) -> Form:
        """The form of the answer that a request wants."""
        room = max(40, 2 * self.max_tokens - 160)  # characters that fit, beside the rest of the JSON
        return Form.of(request, room if self.guided else None, self._plain)

    def call(self, request: Request, prompt: Prompt) -> Call:
        """What the calls of one request have in common."""
        labels = {"prompt": prompt.hash, "template": prompt.template}
        return Call(request.note, request.step, request.seed, labels)

    async def _asked(self, request: Request, call: Call, form: Form, messages: Messages, tagged: bool) -> Move:
        said = ""

        def read(completion: Completion, extra: dict[str, Any]) -> Move:
            nonlocal said
            said = completion.text
            if completion.refusal and not completion.text:
                raise UnreadableAnswer(f"the model refused: {completion.refusal[:500]}", completion.refusal)
            return read_move(completion.text, request, tagged=tagged, finish=completion.finish, note=extra, form=form)

        wanted = None if tagged or form.bare else form.response_format()
        first, unheeded = True, False
        while True:
            try:
                move = await self.complete(request, call, messages, read, response_format=wanted)
                if unheeded and unformed(said):
                    self.takes.ignored(FORMAT)
                return move
            except UnreadableAnswer as error:
                if error.final or not first:
                    told = "" if first else ", even when told why"
                    why = f"step {request.step}: seat {request.seat}: {self.model} gave no move{told}: {error}"
                    raise UnreadableAnswer(why, error.text, final=True) from None
                first = False
                if wanted is not None and self.structured == "auto" and unformed(said):
                    unheeded = tagged = True  # prose where JSON was asked for: perhaps it takes no schema
                    wanted = None
                messages = repair_messages(messages, error, request, templates=self.templates, tagged=tagged, form=form)

    async def complete(
        self, request: Request, call: Call, messages: Messages, read: Callable[[Completion, dict[str, Any]], T], *,
        max_tokens: int | None = None, response_format: Mapping[str, Any] | None = None, **fields: Any,
    ) -> T:  # fmt: skip
        """One answer of the model, read by `read`. What it may cost is checked against the seat's budget before, and
        what it did cost is charged after. An option that the endpoint does not know is left out from then on."""
        endpoint = await self.ready()
        most = self.max_tokens if max_tokens is None else max_tokens
        bound = MARGIN + most + sum(len(m["content"].encode("utf-8", "replace")) for m in messages)
        if response_format is not None:
            bound += len(json.dumps(response_format))
        own: dict[str, Any] = {"model": self.model, "messages": messages, "max_tokens": most}
        if self.temperature is not None:
            own["temperature"] = self.temperature
        if self.seed:
            own["seed"] = request.seed % 2**31
        if response_format is not None:
            own[FORMAT] = response_format
        held, took = 0, 0
        change: Change | None = None
        wants_logprobs = False

        def counted(completion: Completion, extra: dict[str, Any]) -> T:
            nonlocal took
            self.takes.learn(call.trials)
            usage = completion.usage
            known = usage.prompt_tokens is not None and usage.completion_tokens is not None
            took = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0) if known else bound
            return read(completion, extra)

        def reserve() -> None:
            nonlocal held
            if not held:
                request.budget.hold("tokens", bound)
                held = bound

        def adapts(refusal: Refusal, sent: Mapping[str, Any]) -> bool:
            nonlocal change, wants_logprobs
            change = self.takes.change_for(refusal, sent, self.structured == "auto")
            wants_logprobs = change is None and "logprobs" in sent and no_logprobs(refusal)
            return change is not None or wants_logprobs

        call.reserve, call.adapts, call.waiting = reserve, adapts, request.budget.waiting
        with request.budget.calling():
            try:
                while True:
                    fitted = self.takes.fitted({**own, **fields}, call.trials)
                    extra = {**self.extra_body, **self.placement(request)}
                    body = {**fitted, **extra, **{name: fitted[name] for name in fields if name in fitted}}
                    try:
                        return await endpoint.complete(body, counted, call, prices=self.prices, cache=self._cache)
                    except Refused as error:
                        if wants_logprobs:
                            raise AgentError(
                                f"{self.model} gives no log-probabilities; judge by 'stated'. {error}"
                            ) from None
                        if change is None or change in call.trials:
                            raise
                    if change.about_format:
                        raise _SchemaRefused(change)
                    call.trials.append(change)
            finally:
                request.budget.settle("tokens", held, took)

    def placement(self, request: Request) -> dict[str, Any]:
        """Fields of the body that say where a call should run."""
        return {}


class _SchemaRefused(Exception):
    """The endpoint takes no such schema: ask for tagged text."""

    def __init__(self, change: Change) -> None:
        super().__init__(change.because)
        self.change = change


class ModelKind(AgentKind):
    """The options that models have in common: those of `LM`."""

    structured: Literal["auto", "schema", "tags"] = "auto"
    temperature: float | None = None
    max_tokens: int = 1024
    seed: bool = True
    prompts: str | None = None
    prices: list[float] | None = None
    cache: str | None = None
    timeout: float = 120.0
    retries: int = RETRIES
    backoff: float = 0.5
    extra_body: dict[str, Any] | None = None
    identity: str | None = None

    def profile(self) -> Profile:
        return Profile(self.max_tokens, calls=2)  # an answer that cannot be read is asked for once more


class OpenAIKind(ModelKind):
    """A model at an OpenAI-compatible endpoint. api_key_env: the environment variable that holds the key."""

    name: ClassVar[str] = "openai"
    form: ClassVar[str | None] = "openai:MODEL or openai:MODEL@http://HOST/v1"
    model: str
    base_url: str | None = None
    api_key_env: str | None = None

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        for scheme in ("@http://", "@https://"):  # a model's own name may hold an @
            model, found, host = text.partition(scheme)
            if found:
                return {"model": model, "base_url": scheme[1:] + host}
        return {"model": text} if text else {}

    def make(self) -> LM:
        return LM(**self.given())
