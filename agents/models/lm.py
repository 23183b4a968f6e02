"""A language model behind an endpoint, as an agent.

Rule of this file: it is about calling. What is said to a model and how its answer is read is in `agents/prompts`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from moot.agents.models.apis import choosing
from moot.agents.models.apis.api import API
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.apis.placing import endpoint_at
from moot.agents.models.attempts import Call, FormatRefused, Refused, Spent, move_of
from moot.agents.models.cache import Cache
from moot.agents.models.capabilities import Capabilities, Rung, asked_for, no_logprobs, unformed
from moot.agents.models.endpoint import RETRIES, Auth, Endpoint
from moot.agents.models.profiles.profile import FORMAT, LOGPROBS, MOST, OBJECT, SCHEMA, STREAM_USAGE, Change
from moot.agents.models.profiles.profile import EndpointProfile as EndpointProfile
from moot.agents.models.profiles.store import untold
from moot.agents.models.refusals import Refusal
from moot.agents.models.secrets import CopiedWhole, shown, without_secrets
from moot.agents.models.vision import images_in, most_tokens, no_images
from moot.agents.models.wire import Completion
from moot.agents.money.price_file import prices_for
from moot.agents.money.prices import FREE, Prices
from moot.agents.prompts import VERSION, Templates
from moot.agents.prompts.asking import prompt_for, repair_messages
from moot.agents.prompts.forms import Form
from moot.agents.prompts.render import Prompt
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

if TYPE_CHECKING:
    import httpx2

MARGIN = 512  # tokens that a chat template may add
GROWS = 8  # times max_tokens: how far it is raised for a model that spends all of it on thinking
TRIALS = 12  # changes tried for one answer
READS = 4  # answers read for one move: as asked, told why, and once in each form that is left
Structured = Literal["auto", "schema", "object", "tags"]
Messages = list[dict[str, Any]]
T = TypeVar("T")
Ask = Callable[[Request, Call, Form, Messages, Rung, Templates], Awaitable[T]]


class LM(CopiedWhole):
    """An agent that asks a model for its moves.

    model: its name at the endpoint. base_url, api_key (or api_key_env, the variable that holds it): where it is; without
    them OPENAI_BASE_URL and OPENAI_API_KEY, and OpenAI's own address. A pickle or copy holds no key but that of a variable.
    headers, query: sent with every call, for gateways and Azure's api-version; auth: "bearer" or "api-key", the header of
    the key. structured: "schema" asks for JSON by a schema, "object" for a JSON object whose form the prompt says, "tags"
    for tagged text, "auto" for each of them until the endpoint refuses or ignores it. profile: what the endpoint takes, where
    you know it (`EndpointProfile`). temperature: None leaves it to the endpoint. max_tokens: most tokens of one answer;
    max_tokens_limit: how far that is doubled for a model that spent all of it on thinking (8 times, unless given). seed:
    whether the step's own seed is sent. prompts: a folder with templates of your own, by file.
    prices: (prompt, completion) per million tokens, with cache reads and cache writes behind them where those differ, or the
    path of a price file (`moot.agents.money.price_file`); without them those of the price file in force, and without one the
    cost is unknown, which is not 0. What the provider itself states of a cost goes before. cache: path of a
    response cache. timeout, retries, backoff, http_client: as for `Endpoint`. extra_body: more fields of the request.
    api: what the model is asked over: "chat" (completions), "messages" (Anthropic's), "responses" (OpenAI's); "auto" is messages
    at Anthropic's own address, and chat elsewhere until the endpoint says that the model has responses alone. stream: whether
    answers come event by event; timeout is then the longest wait for the next one. "auto" streams where an endpoint says that
    it must be so.
    identity: what tells this model from others of its name. guided: the endpoint holds the model to the schema by a
    grammar, as local servers do; then limits in characters, lengths that fit into max_tokens, and lists of
    probabilities that sum to 1 stand in it. image_tokens: the most tokens that an image of the question takes, by the
    provider's rule; a bound on tokens needs it. Raises UsageError for bad options, and when a hosted endpoint gets no key.
    """

    def __init__(
        self, model: str, *, base_url: str | None = None, api_key: str | None = None, api_key_env: str | None = None,
        structured: Structured = "auto", temperature: float | None = None, max_tokens: int = 1024, seed: bool = True,
        prompts: str | Path | None = None, prices: tuple[float, ...] | list[float] | Prices | str | Path | None = None,
        cache: str | Path | None = None, http_client: httpx2.AsyncClient | None = None, timeout: float = 120.0,
        retries: int = RETRIES, backoff: float = 0.5, extra_body: Mapping[str, Any] | None = None, guided: bool = False,
        identity: str | None = None, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None,
        auth: Auth | None = None, profile: Mapping[str, Any] | EndpointProfile | None = None,
        max_tokens_limit: int | None = None, image_tokens: int | None = None,
        api: Choice = "auto", stream: bool | Literal["auto"] = "auto",
    ) -> None:  # fmt: skip
        if not model:
            raise UsageError("a language model needs the model's name")
        if structured not in get_args(Structured):
            raise UsageError(f"structured is {structured!r}; it can be 'auto', 'schema', 'object' or 'tags'")
        for name, count in (("max_tokens", max_tokens), ("image_tokens", image_tokens)):
            if (count is None and name == "max_tokens") or (
                count is not None and (type(count) is not int or count < 1)
            ):
                raise UsageError(f"{name} is {count!r}; it must be an integer of at least 1")
        if temperature is not None and not (isinstance(temperature, (int, float)) and 0 <= temperature <= 5):
            raise UsageError(f"temperature is {temperature!r}; it must be from 0 to 5")
        if (limit := max_tokens_limit) is not None and (type(limit) is not int or limit < max_tokens):
            raise UsageError(f"max_tokens_limit is {limit!r}; it must be an integer of at least max_tokens")
        choosing.checked(api, stream)
        self.model, self.api, self.stream = model, api, stream
        self.profile, self._limit = EndpointProfile.of(profile), limit
        self.structured: Structured = structured
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed
        self.templates = Templates(prompts, self._templates)
        self.prices: Prices | None = None if prices is None or isinstance(prices, (str, Path)) else Prices.of(prices)
        self.extra_body = dict(extra_body or {})
        self.guided, self.image_tokens = guided, image_tokens
        if identity is not None and not (isinstance(identity, str) and identity):
            raise UsageError(f"identity is {identity!r}; it must be a text that tells models of one name apart")
        self._identity = identity
        self._cache = Cache(cache) if cache is not None else None
        self._options: dict[str, Any] = {
            "timeout": timeout, "retries": retries, "backoff": backoff, "http_client": http_client, "headers": headers,
            "auth": auth,
        }  # fmt: skip
        self._takes: Capabilities | None = None
        self._endpoint: Endpoint | None = None
        if self._hosted:
            self._endpoint = endpoint_at(
                model, base_url, api_key, api_key_env, api=api, query=query, fields=self.extra_body, **self._options
            )
            first = {"model": model, "messages": [], "max_tokens": max_tokens, **self.extra_body}
            choosing.by_address(api, self._endpoint.base_url).body(first)
            self.prices = self.prices or prices_for(prices, model, self._endpoint.base_url)

    _grows = GROWS
    _hosted = True  # whether the address is known from the start
    _templates = VERSION
    _plain = False  # whether a speech alone is asked for without JSON around it
    _sees = True  # whether it may be shown images, as far as is known before it is asked
    _tell_schema = True  # whether the prompt says in words what the schema says

    @property
    def endpoint(self) -> Endpoint:
        """Where the model is. Raises UsageError before a local server has started."""
        if self._endpoint is None:
            raise UsageError(f"{self.model}: the server has not started; call `await start()` first")
        return self._endpoint

    @property
    def embedded(self) -> bool:
        """Whether the model runs in this process."""
        return not self._hosted

    @property
    def takes(self) -> Capabilities:
        """What the endpoint takes for this model, as far as any agent here has found out."""
        if self._takes is None:
            place = self._endpoint.base_url if self._hosted and self._endpoint is not None else "local"
            self._takes = Capabilities.of(place, self.model, self._options["http_client"], self.profile)
        return self._takes

    @property
    def max_tokens_limit(self) -> int:
        """The most tokens that one answer is ever asked for, as far as it is known what the endpoint allows."""
        most, known = self._limit or self._grows * self.max_tokens, self.takes.known.get(MOST)
        return max(self.max_tokens, most if known is None else min(most, known.to))

    def __getstate__(self) -> dict[str, Any]:
        options = {**self._options, "headers": shown(self._options["headers"])}
        return {**self.__dict__, "_takes": None, "_options": options, "extra_body": shown(self.extra_body)}

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
        named: dict[str, Any] = {} if self._identity is None else {"identity": self._identity}
        if said := self.profile.table():
            named["profile"] = said
        if headers := self._options["headers"]:
            named["headers"] = sorted(headers)  # names alone: any value may be a secret
        return {
            "agent": "lm", "model": self.model, **named,
            "endpoint": self.endpoint.base_url if self._hosted else "local", "structured": self.structured,
            "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed, "template": self.templates.version,
            "prices": self.prices.described() if self.prices else None, "extra_body": shown(self.extra_body),
            "api": self.api, "stream": self.stream,
        }  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What makes this model's answers what they are; not where it is, what it costs, or who pays."""
        return {
            "agent": "lm", "model": self.model, "structured": self.structured, "temperature": self.temperature,
            "max_tokens": self.max_tokens, "seed": self.seed, "prompts": self.templates.hash, "guided": self.guided,
            "extra_body": without_secrets(self.extra_body),
            "identity": self._identity,
        }  # fmt: skip

    async def act(self, request: Request, templates: Templates | None = None) -> Move:
        """Ask the model for a move. templates: instead of its own. Raises AgentError when none comes, BudgetExceeded when it
        costs too much."""
        return await self.prompted(request, self._asked, templates)

    async def prompted(self, request: Request, ask: Ask[T], templates: Templates | None = None) -> T:
        """What `ask` makes of the messages for a request, in the form that the endpoint takes."""
        templates = templates or self.templates
        form, call = self.form(request), None
        while True:
            rung = self._rung(form, call.trials if call else ())
            told = rung != "schema" or self._tell_schema
            prompt = prompt_for(request, templates=templates, tagged=rung == "tags", told=told, form=form)
            call = call or self.call(request, prompt)
            call.labels["prompt"] = prompt.hash
            try:
                return await ask(request, call, form, prompt.messages(), rung, templates)
            except FormatRefused as refused:
                call.trials.append(refused.change)

    def _rung(self, form: Form, trials: Iterable[Change] = ()) -> Rung:
        """How the answer is asked for."""
        return self.structured if self.structured != "auto" else self.takes.rung(form.response_format(), trials)

    def form(self, request: Request) -> Form:
        """The form of the answer that a request wants."""
        room = max(40, 2 * self.max_tokens - 160)  # characters that fit, beside the rest of the JSON
        return Form.of(request, room if self.guided else None, self._plain)

    def call(self, request: Request, prompt: Prompt) -> Call:
        """What the calls of one request have in common."""
        labels = {"prompt": prompt.hash, "template": prompt.template}
        if problem := untold():
            labels["profiles"] = problem
        return Call(request.note, request.step, request.seed, labels)

    async def _asked(
        self, request: Request, call: Call, form: Form, messages: Messages, rung: Rung, templates: Templates
    ) -> Move:
        said = ""

        def read(completion: Completion, extra: dict[str, Any]) -> Move:
            nonlocal said
            said = completion.text
            return move_of(completion, request, form, rung == "tags", extra)

        asked, first, unheeded = messages, True, list[str]()
        while True:
            wanted = asked_for(form, rung)
            try:
                move = await self.complete(request, call, messages, read, response_format=wanted)
                if unheeded and (unformed(said) or rung == "object"):
                    self.takes.ignored([*unheeded, *([OBJECT] if rung == "object" and unformed(said) else [])])
                return move
            except UnreadableAnswer as error:
                call.reads += 1
                falls = wanted is not None and self.structured == "auto" and unformed(said)
                if error.final or not (first or falls) or call.reads >= READS:
                    told = "" if first else ", even when told why"
                    why = f"step {request.step}: seat {request.seat}: {self.model} gave no move{told}: {error}"
                    raise UnreadableAnswer(why, error.text, final=True) from None
                first = False
                if falls:  # prose where JSON was asked for: perhaps it takes no such form
                    unheeded.append(SCHEMA if rung == "schema" else OBJECT)
                    rung = self._rung(form, [*call.trials, *map(Change, unheeded)])
                tagged = rung == "tags"
                messages = repair_messages(asked, error, request, templates=templates, tagged=tagged, form=form)

    async def complete(
        self, request: Request, call: Call, messages: Messages, read: Callable[[Completion, dict[str, Any]], T], *,
        max_tokens: int | None = None, response_format: Mapping[str, Any] | None = None, **fields: Any,
    ) -> T:  # fmt: skip
        """One answer of the model, read by `read`. What it may cost is checked against the seat's budget before, and
        what it did cost is charged after. An option that the endpoint does not know is left out from then on."""
        endpoint, takes = await self.ready(), self.takes
        if too_long := takes.too_long(messages):
            raise AgentError(f"{self.model}: {too_long}")
        seen = images_in(messages)
        if seen and not self._sees:
            raise AgentError(
                f"step {request.step}: seat {request.seat}: {self.model} reads text only, and the question has images"
            )
        if LOGPROBS in fields and (none := takes.known.get(LOGPROBS)) is not None:
            raise AgentError(f"{self.model} gives no log-probabilities ({none.because}); judge by 'stated'")
        grows = max_tokens is None and "max_tokens" not in fields
        most = max(self.max_tokens, min(takes.room, self.max_tokens_limit)) if max_tokens is None else max_tokens
        limited = request.budget.left("tokens") is not None
        answers = int(fields.get("n", 1))
        prompt = MARGIN + most_tokens(messages, self.image_tokens, self.model, limited)
        if response_format is not None:
            prompt += len(json.dumps(response_format))
        own: dict[str, Any] = {"model": self.model, "messages": messages}
        if self.temperature is not None:
            own["temperature"] = self.temperature
        if self.seed:
            own["seed"] = request.seed % 2**31
        if response_format is not None:
            own[FORMAT] = response_format
        held, took = 0, 0
        api, streams = self.spoken()
        if fields.get("logprobs") and not api.logprobs:
            raise AgentError(f"{self.model} gives no log-probabilities over {api.path}; judge by 'stated'")
        change: Change | None = None
        wants_logprobs, blind, trials = False, False, call.trials  # a call that held itself would keep its model

        def may_take() -> int:
            return prompt + max(most, api.least) * answers

        def counted(completion: Completion, extra: dict[str, Any]) -> T:
            nonlocal took
            takes.learn(call.trials)
            told = completion.usage.prompt_tokens, completion.usage.completion_tokens
            took = may_take() if told[0] is None or told[1] is None else told[0] + told[1]
            if completion.finish == "length" and not parted(completion.text).answer.strip():
                if LOGPROBS in fields and completion.thinking:
                    raise UnreadableAnswer(
                        "it thinks before it answers, so that its first token is no verdict; judge by 'stated'"
                    )
                if grows and most < self.max_tokens_limit:
                    raise Spent(f"thinking took all of the {most} tokens of max_tokens, and there is no answer")
                if grows and most > self.max_tokens:  # a repair could not be answered either
                    limit = f"thinking took all of the {most} tokens that max_tokens_limit allows"
                    raise UnreadableAnswer(f"{limit}, and there is no answer; raise it", completion.text, final=True)
            if grows:
                takes.room = max(takes.room, most)
            return read(completion, extra)

        def reserve() -> None:
            nonlocal held
            if not held:
                request.budget.hold("tokens", asks := may_take())
                held = asks

        def adapts(refusal: Refusal, sent: Mapping[str, Any]) -> bool:
            nonlocal blind, change, wants_logprobs
            if blind := seen > 0 and no_images(refusal):
                return True
            change = choosing.change_for(refusal, api, streams, self.api, self.stream, trials)
            change = change or takes.change_for(refusal, sent, self.structured == "auto")
            wants_logprobs = change is None and LOGPROBS in sent and no_logprobs(refusal)
            if wants_logprobs and 400 <= refusal.status < 500 and self.profile.logprobs is None:
                takes.learn([Change(LOGPROBS, because=f"{refusal.status}: {refusal.words[:200]}")])
            return change is not None or wants_logprobs

        prices = self.prices if self._hosted else self.prices or FREE
        call.reserve, call.adapts, call.waiting = reserve, adapts, request.budget.waiting
        with request.budget.calling():
            while True:
                try:
                    api, streams = self.spoken(call.trials)
                    fitted = takes.fitted({**own, "max_tokens": most, **fields}, call.trials)
                    extra = {**self.extra_body, **self.placement(request)}
                    body = {**fitted, **extra, **{name: fitted[name] for name in fields if name in fitted}}
                    return await endpoint.complete(
                        body, counted, call, api=api, streams=streams, usage=STREAM_USAGE not in self.known(call.trials),
                        prices=prices, cache=self._cache,
                    )  # fmt: skip
                except Spent:
                    pass
                except Refused as error:
                    if blind:
                        raise AgentError(f"{self.model} takes no images, and the question has some. {error}") from None
                    if wants_logprobs:
                        raise AgentError(
                            f"{self.model} gives no log-probabilities; judge by 'stated'. {error}"
                        ) from None
                    if change is None or change in call.trials or len(call.trials) >= TRIALS:
                        raise
                    if said := self.profile.says(change):
                        raise AgentError(
                            f"{self.model}: the profile says {said} = {json.dumps(self.profile.table()[said])}, and the "
                            f"endpoint says otherwise: mend the profile, or leave {said} out of it. {error}"
                        ) from None
                    if change.about_format:
                        raise FormatRefused(change) from None
                    call.trials.append(change)
                    continue
                finally:
                    request.budget.settle("tokens", held, took)
                    held = took = 0
                less, most = most, min(2 * most, self.max_tokens_limit)
                if (left := request.budget.left("tokens")) is not None and less < int(left) - prompt < most:
                    most = int(left) - prompt

    def known(self, trials: Iterable[Change] = ()) -> dict[str, Change]:
        """What is done otherwise for this endpoint and model, with the changes that are on trial."""
        return {**self.takes.known, **{change.option: change for change in trials}}

    def spoken(self, trials: Iterable[Change] = ()) -> tuple[API, bool]:
        """The API that the model is asked over, and whether its answers are streamed."""
        return choosing.chosen(self.api, self.stream, self.endpoint.base_url, self.known(trials))

    def placement(self, request: Request) -> dict[str, Any]:
        """Fields of the body that say where a call should run."""
        return {}
