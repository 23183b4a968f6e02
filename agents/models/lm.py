"""A language model behind an endpoint, as an agent.

Rule of this file: it is about calling. What is said to a model and how its answer is read is in `agents/prompts`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from moot.agents.models.apis import choosing
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.apis.placing import endpoint_at
from moot.agents.models.attempts import Call, FormatRefused, move_of
from moot.agents.models.cache import Cache
from moot.agents.models.capabilities import Capabilities, Rung, asked_for, unformed
from moot.agents.models.client import Client, Messages, Record, Structured
from moot.agents.models.endpoint import RETRIES, Auth, Endpoint
from moot.agents.models.profiles.profile import OBJECT, SCHEMA, TOOLS, TOOLS_FORMED, Change
from moot.agents.models.profiles.profile import EndpointProfile as EndpointProfile
from moot.agents.models.profiles.store import untold
from moot.agents.models.secrets import shown, without_secrets
from moot.agents.models.tokens.scoring import Scored, first_tokens, score
from moot.agents.models.wire import Completion
from moot.agents.money.price_file import prices_for
from moot.agents.money.prices import Prices
from moot.agents.prompts import VERSION, Templates
from moot.agents.prompts.asking import prompt_for, repair_messages
from moot.agents.prompts.forms import Form
from moot.agents.prompts.render import Prompt
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.tools.aids import LOOKS, WHOLE, Aids, ToolsAPI
from moot.agents.tools.looks import Enough
from moot.agents.tools.tool import Tool
from moot.agents.tools.turn import Turn, hash_of
from moot.complexity.pressure.sampled import Listed
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

if TYPE_CHECKING:
    import httpx2

_BADLY = ("filtered", "failed")  # endings after which nothing counts
READS = 4  # answers read for one move: as asked, told why, and once in each form that is left
T = TypeVar("T")
Ask = Callable[[Request, Call, Form, Messages, Rung, Templates, Turn], Awaitable[T]]


class LM(Client):
    """An agent that asks a model for its moves.

    model: its name at the endpoint. base_url, api_key (or api_key_env, the variable that holds it): where it is; without
    them OPENAI_BASE_URL and OPENAI_API_KEY, and OpenAI's own address. A pickle or copy holds no key but that of a variable.
    headers, query: sent with every call, for gateways and Azure's api-version; auth: "bearer" or "api-key", the header of
    the key. structured: "schema" asks for JSON by a schema, "object" for a JSON object whose form the prompt says, "tags"
    for tagged text, "auto" for each of them until the endpoint refuses or ignores it. Tiny models keep to no tags (SmolLM2-135M
    never did), and to schemas where the server has a grammar (`guided`); `Small` is for those without one. profile: what the endpoint takes, where
    you know it (`EndpointProfile`). temperature: None leaves it to the endpoint. max_tokens: most tokens of one answer;
    max_tokens_limit: how far that is doubled for a model that spent all of it on thinking (8 times, unless given). seed:
    whether the step's own seed is sent. thinking: the most tokens that it may think in before each move, in a field or tag that
    is set apart and shown to no seat; a call then asks for these and max_tokens. None: no thinking is asked for. record:
    "prompts" keeps the whole messages of each call in the transcript, "answers" what came back alone, "tokens" the log-probabilities
    of its tokens as well. prompts: a folder with templates of
    your own, or the name of a version ("v2", "v2-small", "v1", "v1-small").
    prices: (prompt, completion) per million tokens, with cache reads and cache writes behind them where those differ, or the
    path of a price file (`moot.agents.money.price_file`); without them those of the price file in force, and without one the
    cost is unknown, which is not 0. What the provider itself states of a cost goes before. cache: path of a
    response cache. timeout, retries, backoff, http_client: as for `Endpoint`. extra_body: more fields of the request.
    api: what the model is asked over: "chat" (completions), "messages" (Anthropic's), "responses" (OpenAI's); "auto" is messages
    at Anthropic's own address, and chat elsewhere until the endpoint says that the model has responses alone. stream: whether
    answers come event by event; timeout is then the longest wait for the next one. "auto" streams where an endpoint says that
    it must be so.
    looks: how often in a turn it may look at what its seat may look at, or call a tool; 8 unless given. show_whole: the cells and
    characters up to which the source is shown in the prompt, and charged whole, instead; False: never. tools: what it may call
    (`moot.Tool`, typed functions, names of registered tools), each for tool_timeout seconds at most, and shown tool_limit characters
    of what that returns. tools_api: looks and tools are asked for as "text", in the form of an answer; "native", as the endpoint's own
    calls; "auto", natively where the endpoint is known to have them, by `profile` or `moot doctor`, and as text where it refuses.
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
        api: Choice = "auto", stream: bool | Literal["auto"] = "auto", thinking: int | None = None,
        record: Record = "answers", looks: int | None = None, show_whole: Sequence[int] | Literal[False] = WHOLE,
        tools: Iterable[Tool | Callable[..., Any] | str] = (), tool_timeout: float = 30.0, tool_limit: int = 4000,
        tools_api: ToolsAPI = "text",
    ) -> None:  # fmt: skip
        if not model:
            raise UsageError("a language model needs the model's name")
        if structured not in get_args(Structured):
            raise UsageError(f"structured is {structured!r}; it can be 'auto', 'schema', 'object' or 'tags'")
        if record not in get_args(Record):
            raise UsageError(f"record is {record!r}; it can be 'answers' or 'prompts', or 'tokens'")
        for name, count in (("max_tokens", max_tokens), ("image_tokens", image_tokens), ("thinking", thinking)):
            if (count is None and name == "max_tokens") or (
                count is not None and (type(count) is not int or count < 1)
            ):
                raise UsageError(f"{name} is {count!r}; it must be an integer of at least 1")
        if temperature is not None and not (isinstance(temperature, (int, float)) and 0 <= temperature <= 5):
            raise UsageError(f"temperature is {temperature!r}; it must be from 0 to 5")
        if (limit := max_tokens_limit) is not None and (type(limit) is not int or limit < max_tokens + (thinking or 0)):
            most = "max_tokens" if thinking is None else "max_tokens and thinking together"
            raise UsageError(f"max_tokens_limit is {limit!r}; it must be an integer of at least {most}")
        choosing.checked(api, stream)
        self.model, self.api, self.stream = model, api, stream
        self.profile, self._limit = EndpointProfile.of(profile), limit
        self.structured: Structured = structured
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed
        self.thinking, self.record = thinking, record
        self.templates = Templates(prompts, self._templates)
        self.prices: Prices | None = None if prices is None or isinstance(prices, (str, Path)) else Prices.of(prices)
        self.extra_body = dict(extra_body or {})
        self.guided, self.image_tokens = guided, image_tokens
        self.aids = Aids.of(
            self._looks if looks is None else looks, show_whole, tools, tool_timeout, tool_limit, tools_api
        )
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
            spoken = choosing.by_address(api, self._endpoint.base_url)
            spoken.body(first)
            if record == "tokens" and not spoken.logprobs:
                raise UsageError(f"{model}: record is 'tokens', and there are no log-probabilities over {spoken.path}")
            self.prices = self.prices or prices_for(prices, model, self._endpoint.base_url)

    _looks = LOOKS
    _templates = VERSION
    _plain = False  # whether a speech alone is asked for without JSON around it
    _tell_schema = True  # whether the prompt says in words what the schema says

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
            "api": self.api, "stream": self.stream, **self._thinks, **self.aids.told(),
            **({"tools": [each.name for each in self.aids.tools]} if self.aids.tools else {}),
        }  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What makes this model's answers what they are; not where it is, what it costs, or who pays."""
        return {
            "agent": "lm", "model": self.model, "structured": self.structured, "temperature": self.temperature,
            "max_tokens": self.max_tokens, "seed": self.seed, "prompts": self.templates.hash, "guided": self.guided,
            "extra_body": without_secrets(self.extra_body),
            "identity": self._identity, **self._thinks, **self.aids.told(),
            **({"tools": [each.identity() for each in self.aids.tools]} if self.aids.tools else {}),
        }  # fmt: skip

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        return tuple(each.function for each in self.aids.tools)

    @property
    def _thinks(self) -> dict[str, Any]:
        return {} if self.thinking is None else {"thinking": self.thinking}

    async def act(self, request: Request, templates: Templates | None = None, turn: Turn | None = None) -> Move:
        """Ask the model for a move. templates: instead of its own. turn: this one, which whoever asks further goes on with. Raises
        AgentError when none comes, BudgetExceeded when it costs too much."""
        found = await self.prompted(request, self._asked, templates, turn)
        assert isinstance(found, Move)
        return found

    async def prompted(
        self, request: Request, ask: Ask[T], templates: Templates | None = None, turn: Turn | None = None
    ) -> T:
        """What `ask` makes of the messages for a request, in the form that the endpoint takes, once the model has looked and called
        as it wants."""
        templates, turn = templates or self.templates, turn or self.turn(request)
        base, call, turn.native = self.form(request), None, self._natively(turn)
        while True:
            first = turn.form(base, first=True)
            rung = self._rung(first, call.trials if call else ())
            told = rung != "schema" or self._tell_schema
            prompt = turn.shown(prompt_for(request, templates=templates, tagged=rung == "tags", told=told, form=first))
            said = turn.said
            messages = [*prompt.messages(), *said]
            if call is None:
                call = self.call(request, prompt)
            elif not said:
                call.labels["prompt"] = prompt.hash
            if said:
                call.labels["prompt"] = hash_of(messages)
            try:
                found = await ask(request, call, turn.form(base), messages, rung, templates, turn)
            except FormatRefused as refused:
                if refused.change.about_tools and self.aids.api == "native":
                    beside = (
                        ""
                        if refused.change.option == TOOLS
                        else " beside the form of an answer; structured='tags' sends none"
                    )
                    why = f"{self.model}: tools_api is 'native', and the endpoint takes no tools{beside}; 'auto' goes on as text"
                    raise AgentError(f"{why} ({refused.change.because})") from None
                call.trials.append(refused.change)
                turn.native = turn.native and not refused.change.about_tools
                continue
            if not turn.takes(found):
                turn.ended(messages, found, rung == "tags")
                return found
            await turn.answer(found, base, rung == "tags", told)

    def prompt_of(self, request: Request, *, templates: Templates | None = None, tagged: bool = False) -> Prompt:
        """The prompt that this model is first sent for a request, with what it may look at and call. tagged: as where the endpoint
        takes no JSON. Raises BudgetExceeded where the seat may not read so much."""
        return self._first(self.turn(request), "tags" if tagged else "schema", templates or self.templates)

    def _first(self, turn: Turn, rung: Rung | None, templates: Templates) -> Prompt:
        """The prompt of a turn's first call. rung: how the answer is asked for; None: as `act` does."""
        turn.native = self._natively(turn)
        form = turn.form(self.form(turn.request), first=True)
        rung = rung or self._rung(form)
        told = rung != "schema" or self._tell_schema
        return turn.shown(prompt_for(turn.request, templates=templates, tagged=rung == "tags", told=told, form=form))

    async def score(self, request: Request, ids: Sequence[int], texts: Sequence[str] | None = None) -> Scored:
        """The log-probability of each given token as this model's answer to a request, behind the prompt that `act` sends first,
        with its own templates and at temperature 1, in nats. ids: in the model's vocabulary, as a `sampled` event has them, with the
        token that ends the turn or without; texts: theirs, compared with what they are to this model.

        The calls are of no play and charged to no seat (`usage` is theirs), but what a live, bounded seat is shown is charged as
        reading. Raises UsageError for tokens that are not scored one by one, of another vocabulary, or at an endpoint that cannot
        score given ones, as hosted ones cannot; AgentError where it fails.
        """
        return await score(self, request, self._alone(request), ids, texts)

    async def first_tokens(self, request: Request, top: int = 20) -> tuple[Listed, ...]:
        """The most probable first tokens of this model's answer to a request, behind the same prompt: text, id (None where the
        endpoint gives none) and log-probability of each. Raises UsageError for a bad `top`, AgentError without log-probabilities."""
        return await first_tokens(self, request, self._alone(request), top)

    def _alone(self, request: Request) -> Messages:
        """The messages of a request to which an answer is the next thing said."""
        turn = self.turn(request)
        if turn.offered:
            raise UsageError(
                f"{self.model} may look or call tools before it answers, and tokens are scored behind its first prompt: "
                "give looks=0 and no tools"
            )
        return self._first(turn, None, self.templates).messages()

    def turn(self, request: Request) -> Turn:
        """A turn of this model, in which it looks and calls."""
        return Turn(request, self.aids, None if self._endpoint is None else self._endpoint.secrets)

    async def looked(self, request: Request, turn: Turn, templates: Templates | None = None) -> Messages:
        """The messages of a turn in which the model looks and calls before it is asked for its answer; [] where there is nothing to
        look at or to call. Raises like `act`."""
        if turn.offered:
            own = copy(request)
            own.kinds, own.brief = (Enough,), {**request.brief, "task": "look"}
            await self.prompted(own, self._asked, templates, turn)
        return turn.messages

    def _natively(self, turn: Turn) -> bool:
        """Whether looks and tools are asked for as the endpoint's own calls, from the beginning of a turn."""
        if not turn.offered or turn.said or self.aids.api != "auto":
            return turn.offered and not turn.said and self.aids.api == "native"
        known = self.takes.known
        return TOOLS in known and known[TOOLS].to is True and TOOLS_FORMED not in known

    def _rung(self, form: Form, trials: Iterable[Change] = ()) -> Rung:
        """How the answer is asked for."""
        return self.structured if self.structured != "auto" else self.takes.rung(form.response_format, trials)

    def form(self, request: Request) -> Form:
        """The form of the answer that a request wants."""
        room = max(40, 2 * self.max_tokens - 160)  # characters that fit, beside the rest of the JSON
        return Form.of(request, room if self.guided else None, self._plain, self.thinking)

    def call(self, request: Request, prompt: Prompt) -> Call:
        """What the calls of one request have in common."""
        labels = {"prompt": prompt.hash, "template": prompt.template}
        if problem := untold():
            labels["profiles"] = problem
        return Call(request.note, request.step, request.seed, labels)

    async def _asked(
        self, request: Request, call: Call, form: Form, messages: Messages, rung: Rung, templates: Templates, turn: Turn
    ) -> Move | Completion:
        said = ""

        def read(completion: Completion, extra: dict[str, Any]) -> Move | Completion:
            nonlocal said
            said = completion.text
            if completion.calls and turn.native and not completion.refusal and completion.finish not in _BADLY:
                extra["calls"], extra["thoughts"] = len(completion.calls), parted(said).thoughts
                if turn.left:
                    return completion
                raise UnreadableAnswer("you called a tool, and may call none any more in this turn: answer now", said)
            return move_of(completion, request, form, rung == "tags", extra)

        asked, first, unheeded = messages, True, list[str]()
        while True:
            wanted = asked_for(form, rung)
            try:
                move = await self.complete(request, call, messages, read, response_format=wanted, **turn.fields(form))
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
                if error.overthought and form.thinking:
                    form = dataclasses.replace(form, thinking=max(1, form.thinking // 4))
                if falls:  # prose where JSON was asked for: perhaps it takes no such form
                    unheeded.append(SCHEMA if rung == "schema" else OBJECT)
                    rung = self._rung(form, [*call.trials, *map(Change, unheeded)])
                tagged = rung == "tags"
                messages = repair_messages(asked, error, request, templates=templates, tagged=tagged, form=form)
