"""A model behind an endpoint: one answer for messages, within what its seat may spend.

Rule of this file: it knows messages and budgets, and no move; what is asked for and how it is read is `lm.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from moot.agents.models.apis import choosing
from moot.agents.models.apis.api import API
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.attempts import Call, FormatRefused, Refused, Spent
from moot.agents.models.cache import Cache
from moot.agents.models.capabilities import Capabilities, no_logprobs
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.profiles.profile import FORMAT, LOGPROBS, MOST, STREAM_USAGE, TOP, Change, EndpointProfile
from moot.agents.models.refusals import Refusal
from moot.agents.models.secrets import CopiedWhole, shown
from moot.agents.models.tokens.noting import sampled
from moot.agents.models.vision import images_in, most_tokens, no_images
from moot.agents.models.wire import Completion
from moot.agents.money.prices import FREE, Prices
from moot.agents.prompts.forms import characters_of
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import seed_of

MARGIN = 512  # tokens that a chat template may add
GROWS = 8  # times max_tokens: how far it is raised for a model that spends all of it on thinking
TRIALS = 12  # changes tried for one answer
Messages = list[dict[str, Any]]
Structured = Literal["auto", "schema", "object", "tags"]
Record = Literal["answers", "prompts", "tokens"]
T = TypeVar("T")


def seed_again(seed: int, attempt: int, reads: int) -> int:
    """The seed of a call: the step's own, and another one each time that an answer was not accepted, or could not be read."""
    return seed if not (attempt or reads) else seed_of(seed, f"again/{attempt}.{reads}")


class Client(CopiedWhole):
    """What `LM` calls. Its options are described there."""

    model: str
    api: Choice
    stream: bool | Literal["auto"]
    structured: Structured
    temperature: float | None
    max_tokens: int
    thinking: int | None
    record: Record
    seed: bool
    profile: EndpointProfile
    prices: Prices | None
    extra_body: dict[str, Any]
    image_tokens: int | None
    _limit: int | None
    _cache: Cache | None
    _options: dict[str, Any]
    _takes: Capabilities | None
    _endpoint: Endpoint | None

    _grows = GROWS
    _hosted = True  # whether the address is known from the start
    _sees = True  # whether it may be shown images, as far as is known before it is asked

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
        most = self._limit or (self.asked_tokens if self.thinking else self._grows * self.max_tokens)
        known = self.takes.known.get(MOST)
        return max(self.asked_tokens, most if known is None else min(most, known.to))

    @property
    def asked_tokens(self) -> int:
        """The tokens that one answer is asked for first: those of what is said, and of the thinking before it."""
        return self.max_tokens + (self.thinking or 0)

    def __getstate__(self) -> dict[str, Any]:
        if self._options["http_client"] is not None:
            raise UsageError(f"{self.model}: an http_client cannot be pickled; make the model without one")
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
        # llama.cpp lists no tokens where 0 alternatives are asked for
        listing: dict[str, Any] = {LOGPROBS: True, TOP: 1} if self.record == "tokens" else {}
        otherwise = "judge by 'stated'" if LOGPROBS in fields else "record 'answers' or 'prompts'"
        wanted = bool(listing) or LOGPROBS in fields
        if wanted and (none := takes.known.get(LOGPROBS)) is not None:
            raise AgentError(f"{self.model} gives no log-probabilities ({none.because}); {otherwise}")
        most = max(self.asked_tokens, min(takes.room, self.max_tokens_limit)) if max_tokens is None else max_tokens
        limited = request.budget.left("tokens") is not None
        prompt = MARGIN + most_tokens(messages, self.image_tokens, self.model, limited)
        if response_format is not None:
            prompt += characters_of(response_format)
        if "tools" in fields:  # an endpoint tells the model about them in words of its own
            prompt += MARGIN + 2 * len(json.dumps(fields["tools"]))
        own: dict[str, Any] = {"model": self.model, "messages": messages}
        if self.temperature is not None:
            own["temperature"] = self.temperature
        if self.seed:
            own["seed"] = seed_again(request.seed, request.attempt, call.reads) % 2**31
        if response_format is not None:
            own[FORMAT] = response_format
        api, streams = self.spoken(call.trials)
        if wanted and not api.logprobs:
            raise AgentError(f"{self.model} gives no log-probabilities over {api.path}; {otherwise}")
        grows = max_tokens is None and "max_tokens" not in fields
        asking = _Asking(self, request, call.trials, read, fields, prompt, most, seen > 0, grows, api, streams)
        prices = self.prices if self._hosted else self.prices or FREE
        call.hide = endpoint.secrets.hide if self.record == "prompts" else None
        if self.record == "tokens":
            call.besides = partial(sampled, base_url=endpoint.base_url, hide=endpoint.secrets.hide)
        call.reserve, call.adapts, call.waiting = asking.reserve, asking.adapts, request.budget.waiting
        with request.budget.calling():
            while True:
                try:
                    body = takes.fitted({**own, "max_tokens": asking.most, **listing, **fields}, call.trials)
                    if extra := {**self.extra_body, **self.placement(request)}:
                        body = {**body, **extra, **{name: body[name] for name in (*listing, *fields) if name in body}}
                    return await endpoint.complete(
                        body, asking.counted, call, api=asking.api, streams=asking.streams,
                        usage=not asking.streams or STREAM_USAGE not in self.known(call.trials),
                        prices=prices, cache=self._cache, batched=self._hosted and self.profile.batches is not False,
                    )  # fmt: skip
                except Spent:
                    pass
                except _Unlisted as error:
                    raise AgentError(f"{self.model} gives no log-probabilities: {error}; {otherwise}") from None
                except Refused as error:
                    change = asking.change
                    if asking.blind:
                        raise AgentError(f"{self.model} takes no images, and the question has some. {error}") from None
                    if asking.wants_logprobs:
                        raise AgentError(f"{self.model} gives no log-probabilities; {otherwise}. {error}") from None
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
                    asking.api, asking.streams = self.spoken(call.trials)
                    continue
                finally:
                    asking.settle()
                less, asking.most = asking.most, min(2 * asking.most, self.max_tokens_limit)
                if (left := request.budget.left("tokens")) is not None and less < int(left) - prompt < asking.most:
                    asking.most = int(left) - prompt
                asking.api, asking.streams = self.spoken(call.trials)

    def known(self, trials: Iterable[Change] = ()) -> dict[str, Change]:
        """What is done otherwise for this endpoint and model, with the changes that are on trial."""
        return {**self.takes.known, **{change.option: change for change in trials}}

    def spoken(self, trials: Iterable[Change] = ()) -> tuple[API, bool]:
        """The API that the model is asked over, and whether its answers are streamed."""
        return choosing.chosen(self.api, self.stream, self.endpoint.base_url, self.known(trials))

    def placement(self, request: Request) -> dict[str, Any]:
        """Fields of the body that say where a call should run."""
        return {}


class _Unlisted(UnreadableAnswer):
    """An answer came without the tokens that are to be recorded."""


class _Asking(Generic[T]):
    """What `Client.complete` knows of one answer while it is asked for. It holds no call: one that held itself would keep its
    model. prompt, most: the most tokens that may be sent, and that are asked for now; grows: whether these may become more.
    held, took: tokens set aside, and taken. blind, wants_logprobs, change: what the last refusal was about."""

    __slots__ = (
        "api", "blind", "change", "client", "fields", "grows", "held", "most", "prompt", "read", "request", "seen", "streams",
        "takes", "took", "trials", "wants_logprobs",
    )  # fmt: skip

    def __init__(
        self, client: Client, request: Request, trials: list[Change], read: Callable[[Completion, dict[str, Any]], T],
        fields: Mapping[str, Any], prompt: int, most: int, seen: bool, grows: bool, api: API, streams: bool,
    ) -> None:  # fmt: skip
        self.client, self.request, self.trials, self.read, self.fields = client, request, trials, read, fields
        self.prompt, self.most, self.seen, self.grows = prompt, most, seen, grows
        self.takes = client.takes
        self.api, self.streams = api, streams
        self.held = self.took = 0
        self.change: Change | None = None
        self.wants_logprobs = self.blind = False

    def may_take(self) -> int:
        return self.prompt + max(self.most, self.api.least) * int(self.fields.get("n", 1))

    def counted(self, completion: Completion, extra: dict[str, Any]) -> T:
        """What a completion is read as, once it is counted."""
        client, most, grows = self.client, self.most, self.grows
        self.takes.learn(self.trials)
        told = completion.usage.tokens
        self.took = self.may_take() if told is None else told
        answers = (completion, *completion.others)
        if client.record == "tokens" and any(each.text and each.tokens is None for each in answers):
            raise _Unlisted("it answered without those of its tokens", completion.text, final=True)
        if completion.finish == "length" and (completion.calls or not parted(completion.text).answer.strip()):
            if LOGPROBS in self.fields and completion.thinking:
                raise UnreadableAnswer(
                    "it thinks before it answers, so that its first token is no verdict; judge by 'stated'"
                )
            if grows and most < client.max_tokens_limit:
                raise Spent(f"thinking took all of the {most} tokens of max_tokens, and there is no answer")
            if grows and most > client.asked_tokens:  # a repair could not be answered either
                limit = f"thinking took all of the {most} tokens that max_tokens_limit allows"
                raise UnreadableAnswer(f"{limit}, and there is no answer; raise it", completion.text, final=True)
            if (
                grows and client.thinking and not completion.text.strip()
            ):  # nor one that thinks of its own accord think less
                limit = f"it thought of its own accord for all of the {most} tokens of max_tokens and thinking"
                why = f"{limit}, and there is no answer; give more, or a max_tokens_limit up to which they are doubled"
                raise UnreadableAnswer(why, completion.text, final=True)
        if grows and not client.thinking:
            self.takes.room = max(self.takes.room, most)
        return self.read(completion, extra)

    def reserve(self) -> None:
        if not self.held:
            self.request.budget.hold("tokens", asks := self.may_take())
            self.held = asks

    def settle(self) -> None:
        self.request.budget.settle("tokens", self.held, self.took)
        self.held = self.took = 0

    def adapts(self, refusal: Refusal, sent: Mapping[str, Any]) -> bool:
        client = self.client
        self.blind = self.seen and no_images(refusal)
        if self.blind:
            return True
        told = refusal, self.api, self.streams, client.api, client.stream, self.trials
        self.change = choosing.change_for(*told) or self.takes.change_for(refusal, sent, client.structured == "auto")
        self.wants_logprobs = self.change is None and LOGPROBS in sent and no_logprobs(refusal)
        if self.wants_logprobs and 400 <= refusal.status < 500 and client.profile.logprobs is None:
            self.takes.learn([Change(LOGPROBS, because=f"{refusal.status}: {refusal.words[:200]}")])
        return self.change is not None or self.wants_logprobs
