"""The APIs beside chat completions, against servers that refuse what each does not know: what is sent, what is read, what is
learnt, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import anyio
import openai
import pytest
from agent_kit import QUESTION, log_of, request_for
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.agents.models.apis.choosing import APIS, CHAT, MESSAGES, RESPONSES, change_for
from moot.agents.models.apis.messages import BLOCK, fitted, pieces
from moot.agents.models.lm import LM
from moot.agents.models.refusals import Refusal
from moot.agents.models.wire import NotACompletion
from moot.agents.money.usage import Usage
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.spec import agent_from as agent
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Speech, Verdict
from moot.testing.server.faults import Fault, when
from moot.testing.server.server import MockOpenAI, Reply
from moot.testing.server.speaking import chat_of, whole

KEY = "sk-ant-0123456789abcdef"
NATIVE = ("messages", "responses")


def ask(mock: MockOpenAI, *kinds: Any, heard: list[Any] | None = None, notes: list[Any] | None = None, lm: LM | None = None,
        key: str | None = None, log: Any = None, **options: Any) -> Any:  # fmt: skip
    """What a model says over a socket to a request, or why it says nothing."""

    async def main(url: str) -> Any:
        model = lm or LM("mock", base_url=url, api_key=key, backoff=1e-3, **{"timeout": 5, **options})
        await model.start()
        try:
            return await model.act(request_for(*(kinds or (Speech,)), heard=heard, notes=notes, log=log))
        except AgentError as error:
            return error
        finally:
            await model.close()

    with mock.serve() as url:
        return anyio.run(main, url)


@pytest.mark.parametrize("api", NATIVE)
@pytest.mark.parametrize("stream", [False, True])
def test_a_move_by_schema_over_each_api(api: Any, stream: bool) -> None:
    mock = MockOpenAI(lambda body: Reply(json.dumps({"kind": "speech", "text": "A storm."}), thinking="Which one?"))
    notes: list[Any] = []
    heard: list[Any] = []
    move = ask(mock, heard=heard, notes=notes, api=api, stream=stream, temperature=0.5)
    assert move == Speech(text="A storm.")
    (call,) = mock.calls
    assert call.path == f"/v1/{api}" and bool(call.body.get("stream")) is stream
    assert "seed" not in call.body and call.body["temperature"] == 0.5
    assert next(each["text"] for each in heard if each["event"] == "thought") == "Which one?"
    (note,) = notes
    assert note["ok"] and note["prompt_tokens"] > 0 and note["completion_tokens"] > 0


def test_what_is_sent_over_messages() -> None:
    mock = MockOpenAI(api_key=KEY)
    assert isinstance(ask(mock, Verdict, api="messages", key=KEY, extra_body={"top_k": 5}), Verdict)
    (call,) = mock.calls
    assert call.headers["x-api-key"] == KEY and call.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in call.headers
    body = call.body
    assert (
        body["max_tokens"] == 1024 and body["top_k"] == 5 and body["output_config"]["format"]["type"] == "json_schema"
    )
    assert [each["role"] for each in body["messages"]] == ["user"] and body["system"][-1]["cache_control"]


def test_what_is_sent_over_responses() -> None:
    mock = MockOpenAI(api_key=KEY)
    extra = {"reasoning": {"effort": "low"}, "text": {"verbosity": "low"}}
    assert isinstance(ask(mock, Verdict, api="responses", key=KEY, extra_body=extra), Verdict)
    body = mock.calls[0].body
    assert body["store"] is False and body["max_output_tokens"] == 1024 and body["instructions"]
    assert body["text"]["format"]["type"] == "json_schema" and body["text"]["verbosity"] == "low"
    assert body["reasoning"] == {"effort": "low"} and {each["role"] for each in body["input"]} == {"user"}


@pytest.mark.parametrize("api", NATIVE)
def test_an_answer_that_cannot_be_read_is_asked_for_again(api: Any) -> None:
    answers = iter(["<b>", '{"kind": "speech", "text": "A storm."}'])
    mock = MockOpenAI(lambda body: next(answers))
    assert ask(mock, api=api) == Speech(text="A storm.")
    turns = mock.calls[1].body["messages" if api == "messages" else "input"]
    assert [each["role"] for each in turns] == ["user", "assistant", "user"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", list(APIS))
def test_what_the_model_refuses_is_no_move(api: Any, stream: bool) -> None:
    mock = MockOpenAI(lambda body: Reply("", refusal="against the policy"))
    said = ask(mock, api=api, stream=stream)
    assert isinstance(said, UnreadableAnswer) and "against the policy" in str(said)


@pytest.mark.parametrize("api", NATIVE)
def test_an_answer_that_was_cut_off_says_so(api: Any) -> None:
    notes: list[Any] = []
    said = ask(MockOpenAI(script=[Fault.length(), Fault.length()]), Verdict,
               api=api, notes=notes, structured="schema")  # fmt: skip
    assert isinstance(said, UnreadableAnswer) and "max_tokens" in str(said)


def test_a_model_that_has_responses_alone_is_learnt_and_not_asked_again() -> None:
    """https://github.com/aaif-goose/goose/issues/2564"""
    only = "This model is only supported in v1/responses and not in v1/chat/completions."
    mock = MockOpenAI(script=[when(lambda body: "messages" in body, Fault.http(404, only))])

    async def main(url: str) -> None:
        first, second = LM("mock", base_url=url), LM("mock", base_url=url)
        await first.act(request_for(Speech))
        await second.act(request_for(Speech))
        told = LM("mock", base_url=url, api="chat")
        with pytest.raises(AgentError, match="only supported in v1/responses"):
            await told.act(request_for(Speech))
        await told.close()

    with mock.serve() as url:
        anyio.run(main, url)
    assert [each.path.removeprefix("/v1/") for each in mock.calls] == [
        "chat/completions", "responses", "responses", "chat/completions"
    ]  # fmt: skip


@pytest.mark.parametrize("streams", [False, True])
def test_what_was_learnt_of_the_api_and_the_stream_is_given_up_where_it_is_no_longer_so(streams: bool) -> None:
    """An endpoint that changes its mind, and then again."""
    only = Fault.http(404, "This model is only supported in v1/responses and not in v1/chat/completions.")
    streamed = Fault.http(400, "Stream must be set to true")
    plain = Fault("status", 400, "Unsupported value: 'stream' does not support true with this model.", param="stream")
    chat, responses = (lambda body: "messages" in body), (lambda body: "input" in body)
    scripts = {
        False: ([when(chat, only)], [when(responses, Fault.http(404, "Not found"))]),
        True: (
            [when(lambda body: not body.get("stream"), streamed)],
            [when(lambda body: bool(body.get("stream")), plain)],
        ),
    }[streams]
    option = "stream" if streams else "api"

    async def main() -> None:
        for times, script in enumerate([*scripts, scripts[0]]):
            mock.faults = type(mock.faults)(script)
            before = mock.count
            await lm.act(request_for(Speech))
            await lm.act(request_for(Speech))
            assert mock.count == before + 3  # one refusal, and then it is known
            assert lm.takes.learnt[option].to == ((times != 1) if streams else ("responses", "chat")[times % 2])
        mock.faults = type(mock.faults)([when(chat, only), when(responses, Fault.http(404, "Not found"))])
        before = mock.count
        with pytest.raises(AgentError, match="Not found"):
            await lm.act(request_for(Speech))
        assert mock.count <= before + 3

    mock = MockOpenAI()
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client())
    anyio.run(main)


def test_a_key_in_another_header_leaves_the_version_there() -> None:
    """With auth="api-key", as at Azure, messages need the header anthropic-version as ever."""
    mock = MockOpenAI()
    lm = LM(
        "mock",
        base_url="http://mock/v1",
        http_client=mock.http_client(),
        api="messages",
        api_key="k" * 9,
        auth="api-key",
    )
    anyio.run(lm.act, request_for(Speech))
    headers = mock.calls[0].headers
    assert headers["api-key"] == "k" * 9 and "x-api-key" not in headers and headers["anthropic-version"]


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_no_api_without_it_is_asked_for_several_answers(api: Any) -> None:
    mock = MockOpenAI()
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), api=api)
    anyio.run(moot.BestOf(lm, 3, score=lambda request, move: 1.0).act, request_for(Speech))
    assert [call.status for call in mock.calls] == [200, 200, 200]


@pytest.mark.parametrize(
    ("words", "param", "api", "streams", "option"),
    [
        (
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint.",
            "model",
            CHAT,
            False,
            "api",
        ),
        ("/v1/chat/completions is not supported. Please use /v1/responses.", "", CHAT, False, "api"),
        ("This model only support stream mode, please enable the stream parameter", "", CHAT, False, "stream"),
        ("Stream must be set to true", "", RESPONSES, False, "stream"),
        ("parameter.enable_thinking must be set to false for non-streaming calls", "", CHAT, False, "stream"),
        ("enable thinking can not be support when `stream=False`.", "", CHAT, False, "stream"),
        ("Requests with max_tokens > 4096 must have stream=true", "max_tokens", CHAT, False, "stream"),
        ("Extra inputs are not permitted", "include_usage", CHAT, True, "stream_options"),
        ("Your organization must be verified to stream this model.", "stream", CHAT, True, "stream"),
        ("Unsupported value: 'stream' does not support true with this model.", "stream", RESPONSES, True, "stream"),
        ("Unsupported value: 'stream' does not support true with this model.", "stream", CHAT, False, None),
        ("The model `x` does not exist", "model", CHAT, False, None),
        ("Use a streaming response to see the text", "", CHAT, False, None),
        ("stream must be true", "", CHAT, True, None),
        ("only supported in v1/responses", "", RESPONSES, False, None),
    ],
)
def test_refusals_about_the_api_and_the_stream(
    words: str, param: str, api: Any, streams: bool, option: str | None
) -> None:
    change = change_for(Refusal(400, param=param, words=words), api, streams, "auto", "auto")
    assert (change and change.option) == option
    assert change_for(Refusal(429, param=param, words=words), api, streams, "auto", "auto") is None
    if option in ("api", "stream"):
        assert change_for(Refusal(400, param=param, words=words), api, streams, "chat", False) is None


@pytest.mark.parametrize("words", ["output_config.format: Extra inputs are not permitted",
                                   "output_format: Extra inputs are not permitted"])  # fmt: skip
def test_a_model_of_anthropics_without_schemas_is_asked_by_tags(words: str) -> None:
    mock = MockOpenAI(script=[when(lambda body: "output_config" in body, Fault.http(400, words))])
    assert isinstance(ask(mock, Verdict, api="messages"), Verdict)
    assert len(mock.calls) == 2 and "output_config" not in mock.calls[1].body


def test_a_temperature_that_anthropic_no_longer_takes_is_left_out() -> None:
    """https://github.com/The-PR-Agent/pr-agent/issues/2456"""
    gone = Fault.http(400, "`temperature` is deprecated for this model.")
    mock = MockOpenAI(script=[when(lambda body: "temperature" in body, gone)])
    assert isinstance(ask(mock, api="messages", temperature=0.2), Speech) and len(mock.calls) == 2
    said = ask(mock := MockOpenAI(), api="messages", temperature=1.5)
    assert "range: 0..1" in str(said) and len(mock.calls) == 1  # and is not left out behind the caller's back


def test_log_probabilities_over_responses_and_none_over_messages() -> None:
    mock = MockOpenAI(logprobs={"1": 0.6, "2": 0.2, "x": 0.2})
    notes: list[Any] = []

    async def main(url: str) -> Any:
        for stream in (False, True):
            judge = moot.ModelJudge(LM("mock", base_url=url, api="responses", stream=stream), "logprobs")
            verdict: Any = await judge.act(request_for(Verdict, notes=notes))
            assert verdict.probabilities == pytest.approx((0.75, 0.25))
        await judge.lm.close()
        with pytest.raises(AgentError, match="no log-probabilities over messages"):
            await moot.ModelJudge(LM("mock", base_url=url, api="messages"), "logprobs").act(request_for(Verdict))

    with mock.serve() as url:
        anyio.run(main, url)
    assert [each.body["max_output_tokens"] for each in mock.calls] == [16, 16]


def test_what_was_said_already_is_read_from_anthropics_cache() -> None:
    mock, notes = MockOpenAI(), list[Any]()
    speeches = [("b", Speech(text=f"Speech {i}.\n" + "Nine ships sank before dawn. " * 160)) for i in range(4)]
    for said in (2, 3, 4):
        ask(mock, api="messages", notes=notes, log=log_of(*speeches[:said]))
    read = [note["cached_tokens"] for note in notes]
    assert read[0] == 0 and read[1] > 1024 and read[2] > read[1] + 500
    assert all(note["cached_tokens"] < note["prompt_tokens"] for note in notes)
    off = MockOpenAI()
    for _ in range(2):
        ask(off, api="messages", log=log_of(*speeches), extra_body={"cache_control": None})
    assert "cache_control" not in json.dumps(off.calls[0].body)


@given(st.lists(st.sampled_from(["word ", "\n", "x" * 900, "é", " " * 5000]), max_size=40), st.text(max_size=30))
def test_pieces_of_a_text_stay_when_it_grows(parts: list[str], more: str) -> None:
    text = "".join(parts)
    made, grown = pieces(text), pieces(text + more)
    assert "".join(made) == text and "".join(grown) == text + more
    assert grown[: len(made) - 2] == made[: len(made) - 2]
    assert len(made) < 2 or all(each.strip() for each in made)
    if " " * 4096 not in text:
        assert all(len(each) <= BLOCK for each in made[:-1])


def test_a_schema_as_anthropic_takes_it() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 1, "description": "A place"}},
              "required": ["minimum"], "oneOf": [{"type": "array", "minItems": 2, "items": {"type": "string"}}]}  # fmt: skip
    assert fitted(schema) == {
        "type": "object", "additionalProperties": False, "required": ["minimum"],
        "properties": {"minimum": {"type": "integer", "description": "A place (minimum: 1)"}},
        "anyOf": [{"type": "array", "description": "minItems: 2", "items": {"type": "string"}}],
    }  # fmt: skip


def test_every_move_can_be_asked_for_over_messages() -> None:
    """The mock refuses what the API does of a schema; every kind of move of moot's own is asked for."""
    from agent_kit import built_in_kinds

    from moot.agents.prompts.forms import Form
    from moot.testing.server.speaking import refused

    for kind in built_in_kinds():
        try:
            wanted = Form.of(request_for(kind)).response_format()
        except UsageError:
            continue
        body = MESSAGES.body(
            {"model": "m", "messages": [{"role": "user", "content": "?"}], "max_tokens": 9, "response_format": wanted}
        )
        assert refused("messages", body, {"anthropic-version": ""}) is None, kind


def test_thinking_that_does_not_fit_is_refused_before_a_call() -> None:
    with pytest.raises(UsageError, match="max_tokens is 1024 and counts what is thought too, 2000 tokens"):
        LM("m", base_url="http://127.0.0.1:9/v1", api="messages",
           extra_body={"thinking": {"type": "enabled", "budget_tokens": 2000}})  # fmt: skip


@pytest.mark.parametrize(
    ("options", "match"),
    [({"api": "grpc"}, "'auto', 'chat'"), ({"stream": "yes"}, "true, false"), ({"extra_body": {"stream": True}}, "stream=True")],
)  # fmt: skip
def test_options_that_are_none(options: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        LM("m", base_url="http://127.0.0.1:9/v1", **options)


def test_addresses_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    lm = LM("claude", base_url="https://api.anthropic.com/v1")
    assert lm.spoken() == (MESSAGES, False) and lm.endpoint.secrets.key == KEY
    lm = agent("anthropic:claude", {})
    assert lm.spoken()[0] is MESSAGES and lm.endpoint.base_url == "https://api.anthropic.com/v1"
    assert lm.endpoint.secrets.key == KEY and KEY not in json.dumps([lm.describe(), lm.identity()])
    elsewhere = agent("anthropic:claude@http://127.0.0.1:9/v1", {})
    assert elsewhere.endpoint.secrets.key is None and elsewhere.spoken()[0] is MESSAGES
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert agent("anthropic:claude", {}).endpoint.base_url == "http://127.0.0.1:9/v1"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    with pytest.raises(UsageError, match="set ANTHROPIC_API_KEY"):
        agent("anthropic:claude", {})
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        agent("openai:gpt", {})


@pytest.mark.parametrize("status", [429, 529, 500])
def test_anthropics_refusals(status: int) -> None:
    notes: list[Any] = []
    said = ask(MockOpenAI(script=[Fault.http(status, "too much")]), api="messages", notes=notes)
    assert isinstance(said, Speech) and [note["ok"] for note in notes] == [False, True]
    assert notes[0]["prompt_tokens"] == (None if status == 500 else 0)
    wrong = ask(MockOpenAI(api_key="right"), api="messages", key="wrong-key-wrong")
    assert "401" in str(wrong) and "ANTHROPIC_API_KEY" in str(wrong) and "wrong-key" not in str(wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["content", "output", "type", "text", "thinking", "status", "usage", "summary", "logprobs", "refusal",
                         "message", "reasoning", "incomplete_details", "stop_reason"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(NATIVE), JSON, st.sampled_from(["content", "output"]))
def test_any_json_is_an_answer_or_none(api: str, value: Any, name: str) -> None:
    for data in (value, {name: value}, {name: [value], "status": "completed", "stop_reason": "end_turn"}):
        try:
            completion = APIS[api].completion(data)
        except NotACompletion:
            continue
        assert isinstance(completion.text, str) and isinstance(completion.thinking, str)


def test_usage_of_each_api_and_a_response_that_is_not_there_yet() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 300,
        "output_tokens": 7,
    }
    said = MESSAGES.completion({"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "usage": usage})
    assert said.usage == Usage(2310, 7, 2000, cache_write_tokens=300)
    with pytest.raises(NotACompletion, match="queued"):
        RESPONSES.completion({"output": [], "status": "queued"})
    cut = RESPONSES.completion({"output": [], "status": "incomplete", "incomplete_details": {"reason": "who knows"}})
    assert cut.finish == "failed"


def test_the_mock_is_read_by_openais_own_client() -> None:
    mock = MockOpenAI(lambda body: Reply("Nine ships sank.", thinking="How many?"))

    async def main(url: str) -> None:
        client = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
        answer = await client.responses.create(model="mock", input="?", store=False)
        assert answer.output_text == "Nine ships sank." and answer.usage and answer.usage.output_tokens > 0
        async with client.responses.stream(model="mock", input="?") as stream:
            kinds = [event.type async for event in stream]
            assert (await stream.get_final_response()).output_text == "Nine ships sank."
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
        messages: Any = [{"role": "user", "content": "?"}]
        said, usage = "", None
        async for chunk in await client.chat.completions.create(
            model="mock", messages=messages, stream=True, stream_options={"include_usage": True}
        ):
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
        assert said == "Nine ships sank." and usage and usage.completion_tokens > 0
        await client.close()

    with mock.serve() as url:
        anyio.run(main, url)


def test_a_cached_answer_serves_whether_streamed_or_not(tmp_path: Any) -> None:
    mock = MockOpenAI()

    async def main(url: str) -> None:
        for api in APIS:
            for stream in (True, False):
                lm = LM("mock", base_url=url, api=api, stream=stream, cache=tmp_path / "cache.db")  # type: ignore[arg-type]
                await lm.act(request_for(Speech))
        await lm.close()

    with mock.serve() as url:
        anyio.run(main, url)
    assert len(mock.calls) == 3  # one for each API: their bodies differ, and their answers


def test_bodies_of_every_api_hold_the_same_request() -> None:
    request = {"model": "m", "messages": [{"role": "system", "content": "Rules."}, {"role": "user", "content": QUESTION.text}],
               "max_tokens": 77, "temperature": 0.5}  # fmt: skip
    for name, api in APIS.items():
        back = chat_of(name, api.body({**request, "seed": 3}))
        assert back["max_tokens"] == 77 and back["temperature"] == 0.5 and len(back["messages"]) == 2
    made: Any = {"id": "x", "model": "m", "created": 0, "choices": [
        {"index": 0, "message": {"content": "Yes.", "reasoning_content": "Hm."}, "finish_reason": "length"}]}  # fmt: skip
    for name, api in APIS.items():
        completion = api.completion(whole(name, made, {}, None))
        assert (completion.text, completion.thinking, completion.finish) == ("Yes.", "Hm.", "length")


def test_images_are_put_as_each_api_has_them() -> None:
    parts = [{"type": "text", "text": "What is this?"},
             {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]  # fmt: skip
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": parts}]}
    image = MESSAGES.body(request)["messages"][0]["content"][1]
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": "aGk="}
    text, image = RESPONSES.body(request)["input"][0]["content"]
    assert text["type"] == "input_text" and image["image_url"].startswith("data:") and image["type"] == "input_image"
    assert CHAT.body(request) == request


def test_what_is_not_told_is_charged_as_the_fewest_tokens_that_an_api_allows() -> None:
    """A judge by one token over responses may have been given 16 of them."""
    spent: dict[str, int] = {}
    apis: tuple[Any, ...] = ("chat", "responses")
    for api in apis:
        mock = MockOpenAI(lambda body: Reply("1", usage=None), logprobs={"1": 0.7, "2": 0.3})
        model = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), api=api)
        judge = moot.Bounded(moot.ModelJudge(model, "logprobs"), tokens=100_000)
        play = moot.run(moot.DirectQA(), moot.Question("Who?", ("x", "y")), {"judge": judge})
        assert isinstance(play.outcome, moot.Decided)
        assert play.ledger.spent("judge", "tokens") is None  # of the record it is unknown
        (moved,) = (event for event in play.events() if event["event"] == "moved")
        spent[api] = moved["meta"]["spent"]["tokens"]
    assert spent["responses"] - spent["chat"] == 15
