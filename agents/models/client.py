"""A model behind an endpoint: one answer for messages, within what its seat may spend.

Rule of this file: it knows messages and budgets, and no move; what is asked for and how it is read is `lm.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from moot.agents.models.apis import choosing
from moot.agents.models.apis.api import API
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.attempts import Call, FormatRefused, Refused, Spent
from moot.agents.models.cache import Cache
from moot.agents.models.capabilities import Capabilities, no_logprobs
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.profiles.profile import FORMAT, LOGPROBS, MOST, STREAM_USAGE, Change, EndpointProfile
from moot.agents.models.refusals import Refusal
from moot.agents.models.secrets import CopiedWhole, shown
from moot.agents.models.vision import images_in, most_tokens, no_images
from moot.agents.models.wire import Completion
from moot.agents.money.prices import FREE, Prices
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
Record = Literal["answers", "prompts"]
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
        if LOGPROBS in fields and (none := takes.known.get(LOGPROBS)) is not None:
            raise AgentError(f"{self.model} gives no log-probabilities ({none.because}); judge by 'stated'")
        grows = max_tokens is None and "max_tokens" not in fields
        most = max(self.asked_tokens, min(takes.room, self.max_tokens_limit)) if max_tokens is None else max_tokens
        limited = request.budget.left("tokens") is not None
        answers = int(fields.get("n", 1))
        prompt = MARGIN + most_tokens(messages, self.image_tokens, self.model, limited)
        if response_format is not None:
            prompt += len(json.dumps(response_format))
        if "tools" in fields:  # an endpoint tells the model about them in words of its own
            prompt += MARGIN + 2 * len(json.dumps(fields["tools"]))
        own: dict[str, Any] = {"model": self.model, "messages": messages}
        if self.temperature is not None:
            own["temperature"] = self.temperature
        if self.seed:
            own["seed"] = seed_again(request.seed, request.attempt, call.reads) % 2**31
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
            if completion.finish == "length" and (completion.calls or not parted(completion.text).answer.strip()):
                if LOGPROBS in fields and completion.thinking:
                    raise UnreadableAnswer(
                        "it thinks before it answers, so that its first token is no verdict; judge by 'stated'"
                    )
                if grows and most < self.max_tokens_limit:
                    raise Spent(f"thinking took all of the {most} tokens of max_tokens, and there is no answer")
                if grows and most > self.asked_tokens:  # a repair could not be answered either
                    limit = f"thinking took all of the {most} tokens that max_tokens_limit allows"
                    raise UnreadableAnswer(f"{limit}, and there is no answer; raise it", completion.text, final=True)
                if (
                    grows and self.thinking and not completion.text.strip()
                ):  # nor one that thinks of its own accord think less
                    limit = f"it thought of its own accord for all of the {most} tokens of max_tokens and thinking"
                    why = f"{limit}, and there is no answer; give more, or a max_tokens_limit up to which they are doubled"
                    raise UnreadableAnswer(why, completion.text, final=True)
            if grows and not self.thinking:
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
        call.hide = endpoint.secrets.hide if self.record == "prompts" else None
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
                        prices=prices, cache=self._cache, batched=self._hosted and self.profile.batches is not False,
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
