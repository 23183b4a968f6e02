"""The mock OpenAI server, in process on both event loops and over a socket: answers, records and faults."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI
from pydantic import TypeAdapter

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech
from moot.testing.server.faults import Fault, Faults, at, rate, when
from moot.testing.server.server import MockOpenAI, Reply

MESSAGES: Any = [{"role": "system", "content": "You debate."}, {"role": "user", "content": "Who sank the fleet?"}]
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def request_for(kind: Any, said: str = "Go on.") -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    return {
        "model": "mock",
        "messages": [{"role": "user", "content": said}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "move", "schema": schema}},
    }


def in_process(mock: MockOpenAI, **options: Any) -> AsyncOpenAI:
    options = {"api_key": "k", "base_url": "http://mock/v1", "max_retries": 0, "timeout": 5, **options}
    return AsyncOpenAI(http_client=mock.http_client(), **options)


def on_socket(url: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "k", "base_url": url, "max_retries": 0, "timeout": 5, **options})


async def ask(client: AsyncOpenAI, **options: Any) -> Any:
    return await client.chat.completions.create(**{"model": "mock", "messages": MESSAGES, **options})


def through(mode: str, mock: MockOpenAI, use: Callable[[AsyncOpenAI], Awaitable[Any]], **options: Any) -> Any:
    """Run `use(client)` in process on asyncio or trio, or over a socket."""

    async def run(client: AsyncOpenAI) -> Any:
        async with client:
            return await use(client)

    if mode == "socket":
        with mock.serve() as url:
            return anyio.run(lambda: run(on_socket(url, **options)))
    return anyio.run(lambda: run(in_process(mock, **options)), backend=mode)


MODES = pytest.mark.parametrize("mode", ["asyncio", "trio", "socket"])


# Properties of scripts.


@settings(deadline=None)
@given(seed=st.integers(), probability=st.floats(0.1, 0.9))
def test_a_rate_is_a_function_of_its_seed(seed: int, probability: float) -> None:
    one, two = (Faults([rate(probability, Fault.hang(), seed)]) for _ in range(2))
    drawn = [one.at(number, {}) for number in range(400)]
    assert drawn == [two.at(number, {}) for number in range(400)]
    assert abs(sum(fault is not None for fault in drawn) / 400 - probability) < 0.2


# What a good answer is.


@MODES
def test_an_answer_and_its_record(mode: str) -> None:
    mock = MockOpenAI(reply=lambda body: {"kind": "speech", "text": body["messages"][-1]["content"]})
    before = time.monotonic()
    answer = through(mode, mock, ask)
    assert Speech.model_validate_json(answer.choices[0].message.content).text == "Who sank the fleet?"
    assert answer.choices[0].finish_reason == "stop" and answer.model == "mock"
    [call] = mock.calls
    assert call.body["messages"] == MESSAGES and call.headers["authorization"] == "Bearer k"
    assert call.status == 200 and call.number == 0 and before <= call.when <= time.monotonic() and call.fault is None
    assert (mock.in_flight, mock.max_in_flight) == (0, 1)
    mock.reset()
    assert mock.calls == [] and mock.count == 0


@MODES
def test_models_and_paths_without_v1(mode: str) -> None:
    mock = MockOpenAI(model_names=("small", "large"))

    async def use(client: AsyncOpenAI) -> list[str]:
        bare = client.with_options(base_url=str(client.base_url).replace("/v1", ""))
        await ask(bare, model="large")
        return [model.id async for model in bare.models.list()] + [model.id async for model in client.models.list()]

    assert through(mode, mock, use) == ["small", "large"] * 2
    assert mock.calls[0].path == "/chat/completions"


@MODES
def test_usage_reports_the_cached_prefix(mode: str) -> None:
    mock = MockOpenAI()
    said = [{"role": "user", "content": "p" * 400}]

    async def use(client: AsyncOpenAI) -> list[Any]:
        longer = [*said, {"role": "assistant", "content": "q" * 400}]
        other = [{"role": "user", "content": "z" * 400}]
        return [(await ask(client, messages=messages)).usage for messages in (said, longer, other, longer)]

    first, second, third, fourth = through(mode, mock, use)
    assert first.prompt_tokens == 102 and first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens == 102
    assert third.prompt_tokens_details.cached_tokens < 5
    assert fourth.prompt_tokens_details.cached_tokens == fourth.prompt_tokens == second.prompt_tokens
    assert first.total_tokens == first.prompt_tokens + first.completion_tokens and first.completion_tokens > 0


@BACKENDS
def test_log_probabilities(backend: str) -> None:
    async def use(client: AsyncOpenAI) -> Any:
        return (await ask(client, logprobs=True, top_logprobs=2, max_tokens=1)).choices[0]

    choice = through(backend, MockOpenAI(logprobs={"A": 0.7, "B": 0.2, "C": 0.1}), use)
    assert choice.message.content == "A"
    [entry] = choice.logprobs.content
    assert [(top.token, round(math.exp(top.logprob), 6)) for top in entry.top_logprobs] == [("A", 0.7), ("B", 0.2)]
    assert entry.token == "A" and entry.bytes == [65]

    said = MockOpenAI(reply=lambda body: "C", logprobs=lambda body, token: {"yes": 0.25, token: 0.5})
    entry = through(backend, said, use).logprobs.content[0]
    assert (entry.token, math.exp(entry.logprob)) == ("C", 0.5) and entry.top_logprobs[1].token == "yes"
    assert through(backend, MockOpenAI(logprobs=False), use).logprobs is None
    own = MockOpenAI(reply=lambda body: Reply("D", logprobs={"E": 1.0}))
    assert through(backend, own, use).logprobs.content[0].logprob == -9999.0

    async def plain(client: AsyncOpenAI) -> Any:
        return (await ask(client)).choices[0].logprobs

    assert through(backend, MockOpenAI(logprobs={"A": 1.0}), plain) is None


@BACKENDS
def test_max_tokens_cuts_the_text(backend: str) -> None:
    mock = MockOpenAI(reply=lambda body: "one two three four")
    answer = through(backend, mock, lambda client: ask(client, max_tokens=2, n=2))
    assert [choice.message.content for choice in answer.choices] == ["one two"] * 2
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 4


@MODES
def test_replies_may_be_asynchronous_faults_or_wrong(mode: str) -> None:
    async def later(body: dict[str, Any]) -> Reply:
        await anyio.sleep(0.01)
        return Reply("late", finish_reason="content_filter", usage={"prompt_tokens": 1})

    answer = through(mode, MockOpenAI(reply=later), ask)
    assert answer.choices[0].message.content == "late" and answer.choices[0].finish_reason == "content_filter"
    assert answer.usage.prompt_tokens == 1
    assert through(mode, MockOpenAI(reply=lambda body: Reply("free", usage=None)), ask).usage is None
    with pytest.raises(openai.RateLimitError):
        through(mode, MockOpenAI(reply=lambda body: Fault.rate_limit()), ask)
    broken = MockOpenAI(reply=lambda body: body["absent"])
    with pytest.raises(openai.InternalServerError, match="KeyError: 'absent'"):
        through(mode, broken, ask)
    assert broken.calls[0].error == "KeyError: 'absent'" and broken.in_flight == 0


# Faults.


@MODES
@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        (Fault.rate_limit(1.5), openai.RateLimitError, 429, "rate_limit_exceeded"),
        (Fault.server_error(), openai.InternalServerError, 500, None),
        (Fault.unavailable(), openai.InternalServerError, 503, None),
        (Fault.unauthorized(), openai.AuthenticationError, 401, "invalid_api_key"),
        (Fault.unknown_model("mock"), openai.NotFoundError, 404, "model_not_found"),
        (Fault.no_schema(), openai.BadRequestError, 400, None),
        (Fault.http(418), openai.APIStatusError, 418, None),
    ],
)
def test_statuses(mode: str, fault: Fault, error: type[openai.APIStatusError], status: int, code: str | None) -> None:
    mock = MockOpenAI(script=[fault])

    async def use(client: AsyncOpenAI) -> None:
        with pytest.raises(error) as caught:
            await ask(client)
        assert caught.value.status_code == status and caught.value.code == code
        assert caught.value.response.headers.get("retry-after") == ("1.5" if status == 429 else None)
        await ask(client)

    through(mode, mock, use)
    assert [call.status for call in mock.calls] == [status, 200] and mock.calls[0].fault == fault


@BACKENDS
def test_retry_after_as_a_date(backend: str) -> None:
    when_ = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    mock = MockOpenAI(script=[Fault.rate_limit(when_), Fault.unavailable(timedelta(seconds=90)), Fault.rate_limit()])

    async def use(client: AsyncOpenAI) -> list[str | None]:
        found = []
        for _ in range(3):
            with pytest.raises(openai.APIStatusError) as caught:
                await ask(client)
            found.append(caught.value.response.headers.get("retry-after"))
        return found

    fixed, far, none = through(backend, mock, use)
    assert fixed == "Tue, 06 May 2031 07:08:09 GMT" and none is None
    assert 80 < (parsedate_to_datetime(far) - datetime.now(UTC)).total_seconds() <= 90


@MODES
def test_a_hang_lasts_until_the_client_gives_up(mode: str) -> None:
    mock = MockOpenAI(script=[Fault.hang(), Fault.hang()])

    async def use(client: AsyncOpenAI) -> None:
        start = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            await ask(client, timeout=0.2)
        assert time.monotonic() - start > 0.15
        with anyio.move_on_after(0.1) as scope:
            await ask(client)
        assert scope.cancelled_caught
        while mock.in_flight:  # noqa: ASYNC110 - the server sees the client go
            await anyio.sleep(0.01)
        await ask(client)

    through(mode, mock, use)
    assert [call.status for call in mock.calls] == [None, None, 200]


@MODES
def test_slow_answers_are_late_and_right(mode: str) -> None:
    mock = MockOpenAI(script=[Fault.slow(0.2), Fault.slow(60)])

    async def use(client: AsyncOpenAI) -> None:
        start = time.monotonic()
        assert (await ask(client)).choices[0].message.content.startswith("<speech>")
        assert time.monotonic() - start >= 0.2
        with pytest.raises(openai.APITimeoutError):
            await ask(client, timeout=0.1)

    through(mode, mock, use)


@MODES
def test_a_cut_off_breaks_the_connection(mode: str) -> None:
    mock = MockOpenAI(script=[Fault.cut_off()])

    async def use(client: AsyncOpenAI) -> None:
        with pytest.raises(openai.APIConnectionError) as caught:
            await ask(client)
        assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError)
        assert not isinstance(caught.value, openai.APITimeoutError)
        await ask(client)

    through(mode, mock, use)


@MODES
@pytest.mark.parametrize("form", ["json", "bytes", "html"])
def test_garbage_is_never_a_completion(mode: str, form: Any) -> None:
    mock = MockOpenAI(script=[Fault.garbage(form)])

    async def use(client: AsyncOpenAI) -> Any:
        try:
            return await ask(client)
        except (openai.APIError, ValueError) as error:  # what the client makes of broken JSON is its own affair
            return error

    got = through(mode, mock, use)
    if form == "html":  # the client hands a page over as it is
        assert isinstance(got, str) and "<h1>Bad gateway" in got
    else:
        assert isinstance(got, Exception) and not isinstance(got, openai.APIStatusError)


@MODES
def test_the_wrong_content_type(mode: str) -> None:
    mock = MockOpenAI(script=[Fault.garbage("type")])

    async def use(client: AsyncOpenAI) -> Any:
        return await client.chat.completions.with_raw_response.create(model="mock", messages=MESSAGES)

    raw = through(mode, mock, use)
    assert raw.status_code == 200 and raw.headers["content-type"].startswith("text/plain")
    assert json.loads(raw.text)["object"] == "chat.completion"


@MODES
def test_contents_gone_wrong(mode: str) -> None:
    kinds = ["empty", "huge", "malformed", "length", "no_usage", "no_choices"]
    mock = MockOpenAI(script=[Fault.parse(kind) for kind in kinds])
    wanted = request_for(Speech)

    async def use(client: AsyncOpenAI) -> list[Any]:
        return [await ask(client, **wanted) for _ in kinds]

    empty, huge, malformed, length, no_usage, no_choices = through(mode, mock, use)
    assert empty.choices[0].message.content == "" and empty.usage.completion_tokens == 0
    assert len(huge.choices[0].message.content) == 10_000_000
    with pytest.raises(ValueError, match="Invalid JSON"):
        Speech.model_validate_json(malformed.choices[0].message.content)
    assert malformed.choices[0].finish_reason == "stop" and length.choices[0].finish_reason == "length"
    with pytest.raises(ValueError, match="Invalid JSON"):
        Speech.model_validate_json(length.choices[0].message.content)
    assert no_usage.usage is None
    Speech.model_validate_json(no_usage.choices[0].message.content)
    assert no_choices.choices == []


@MODES
def test_what_the_endpoint_refuses(mode: str) -> None:
    mock = MockOpenAI(api_key="right", schema_supported=False)

    async def use(client: AsyncOpenAI) -> None:
        with pytest.raises(openai.AuthenticationError):
            await ask(client)
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
        client = client.with_options(api_key="right")
        await ask(client)
        with pytest.raises(openai.NotFoundError, match="`other` does not exist"):
            await ask(client, model="other")
        with pytest.raises(openai.BadRequestError, match="response_format") as caught:
            await ask(client, **request_for(Speech))
        assert caught.value.param == "response_format"
        with pytest.raises(openai.BadRequestError, match="messages"):
            await ask(client, messages=[])
        with pytest.raises(openai.NotFoundError, match="not served"):
            await client.embeddings.create(model="mock", input="x")

    through(mode, mock, use)


def test_scripts() -> None:
    late, limited, gone = Fault.slow(1), Fault.rate_limit(), Fault.server_error()
    assert [Faults({1: limited}).at(i, {}) for i in range(3)] == [None, limited, None]
    mixed = Faults([None, late, when(lambda body: body.get("model") == "x", gone), limited, at((4, 5), gone)])
    assert [mixed.at(i, {}) for i in range(6)] == [None, late, limited, None, gone, gone]
    assert mixed.at(0, {"model": "x"}) == gone
    assert [Faults([rate(1, gone)]).at(i, {}) for i in range(3)] == [gone] * 3
    for text in ("429", "429:2.5", "503:1", "slow:2", "garbage:html", "hang", "no_schema", "huge:5", "500"):
        assert isinstance(Fault.parse(text), Fault)
    assert str(Fault.parse("429:2.5")) == "429" and Fault.parse("429:2.5").headers() == {"retry-after": "2.5"}


@pytest.mark.parametrize("make", [
    lambda: Fault.parse("fire"), lambda: Fault.parse("slow:x"), lambda: Fault.http(200), lambda: rate(2, Fault.hang()),
    lambda: Faults(["hang"]), lambda: MockOpenAI(model_names="gpt"),  # type: ignore[list-item]
])  # fmt: skip
def test_bad_scripts_say_so(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()
