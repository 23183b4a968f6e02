"""A mock OpenAI-compatible server: in process or over a real socket, with scripted faults.

    mock = MockOpenAI(script=[Fault.rate_limit(0.1), None, Fault.hang()])
    client = AsyncOpenAI(api_key="k", base_url="http://mock/v1", http_client=mock.http_client(), max_retries=0)
    with mock.serve() as base_url: ...                 # the same server on 127.0.0.1, for real time-outs and cut-offs
    with mock_process(latency_ms=50) as base_url: ...  # in a process of its own; see `process`

It speaks `POST /v1/chat/completions` (no streaming) and `GET /v1/models`, with or without the `/v1`.

Rule: what is answered to a request, and what is kept of it; sockets stand in `serving`, contents in `replies`.
"""

from __future__ import annotations

import bisect
import inspect
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio

from moot.protocols.engine.errors import UsageError
from moot.testing.server import wire
from moot.testing.server.faults import Body, Fault, Faults, Script
from moot.testing.server.replies import count_tokens, default_reply, logprob_entry, schema_of, text_of, tokens_of
from moot.testing.server.wire import Answer, Receive, Scope, Send, failure, json_answer

if TYPE_CHECKING:
    import httpx2

Distribution = Mapping[str, float]
Logprobs = Distribution | Callable[[Body, str], Distribution] | Literal[False] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The assistant's answer. Only `text` is needed.

    finish_reason: "stop" unless given ("length" also when `max_tokens` cut the text). usage: the `usage` object of the
    response, None for a response without one, "counted" for the mock's own count. delay: seconds to wait first.
    logprobs: as for MockOpenAI, for this reply alone. refusal: the message's `refusal`.
    """

    text: str
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | Literal["counted"] | None = "counted"
    delay: float = 0.0
    logprobs: Logprobs = None
    refusal: str | None = None


Said = str | dict[str, Any] | Reply | Fault
ReplyFunction = Callable[[Body], Said | Awaitable[Said]]


@dataclass(slots=True)
class Call:
    """One recorded chat completion request.

    number: from 0, in order of arrival. when: `time.monotonic()` seconds at arrival. headers: names in lower case.
    fault: what was scripted for it. status: the HTTP status it was answered with; None while it waits, and for good
    when it never was. error: why the server could not answer (a `reply` that raised).
    """

    number: int
    body: Body
    headers: dict[str, str]
    when: float
    path: str
    fault: Fault | None = None
    status: int | None = None
    error: str | None = None


class MockOpenAI:
    """An OpenAI-compatible endpoint as an ASGI app, and everything that it was asked.

    reply: what the model says to a request body: text, a dict (sent as JSON), a `Reply`, or a `Fault`; may be async.
        Default: `default_reply`, valid for any `response_format`.
    script: what goes wrong when; see `Faults`. model_names: another model is a 404. api_key: another key is a 401
        (None: any key, or none). schema_supported: False makes every `json_schema` request a 400.
    logprobs: what is sent when a request asks for log-probabilities. A mapping of token to probability holds at the
        first token and wherever one of its keys is said (without `reply` or schema, the model then says the most
        probable one); a function gives the distribution in the place of each token; False: never any; None: 0.9 on the
        token said and 0.1 on another.
    latency: seconds before every answer. keep_calls: False for long runs, where `calls` would fill the memory.

    Usage counts four UTF-8 bytes of prompt as a token; `cached_tokens` is the longest prefix in common with a prompt
    answered earlier. Everything may be read from any thread.
    """

    def __init__(
        self, reply: ReplyFunction | None = None, script: Script = (), model_names: Sequence[str] = ("mock",),
        api_key: str | None = None, schema_supported: bool = True, logprobs: Logprobs = None, latency: float = 0.0,
        keep_calls: bool = True,
    ) -> None:  # fmt: skip
        if isinstance(model_names, str) or not model_names:
            raise UsageError(f"model_names is a tuple of one or more names, not {model_names!r}")
        self.reply, self.faults, self.model_names = reply, Faults(script), tuple(model_names)
        self.api_key, self.schema_supported, self.logprobs = api_key, schema_supported, logprobs
        self.latency, self.keep_calls = latency, keep_calls
        self.in_flight = self.max_in_flight = self.count = 0
        self._calls: list[Call] = []
        self._prompts: list[bytes] = []
        self._lock = threading.Lock()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in order of arrival (a copy of the list)."""
        with self._lock:
            return list(self._calls)

    def reset(self) -> None:
        """Forget calls, counters and cached prompts; the script starts again at call 0."""
        with self._lock:
            self._calls, self._prompts, self.count, self.max_in_flight = [], [], 0, self.in_flight

    def http_client(self) -> httpx2.AsyncClient:
        """A client that reaches this server without a socket, for `AsyncOpenAI(http_client=…)`, on asyncio and trio.

        Read time-outs hold, and a cut-off is the `RemoteProtocolError` that a socket gives. Raises UsageError when httpx2
        (part of openai ≥ 3) is not installed.
        """
        try:
            import httpx2
        except ImportError as error:
            needs = f"the mock server in process needs httpx2 ({error}); pip install 'moot[testing]'"
            raise UsageError(needs) from error

        class InProcess(httpx2.ASGITransport):
            """The transport to an ASGI app, which alone knows no time-outs and fails on a half answer."""

            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                patience = request.extensions.get("timeout", {}).get("read")
                with anyio.move_on_after(patience):
                    try:
                        return await super().handle_async_request(request)
                    except wire.CutOff as error:
                        cut = "peer closed connection without sending complete message body"
                        raise httpx2.RemoteProtocolError(cut, request=request) from error
                raise httpx2.ReadTimeout(f"no answer within {patience} s", request=request)

        return httpx2.AsyncClient(transport=InProcess(app=self))

    def serve(self) -> AbstractContextManager[str]:
        """Serve on 127.0.0.1 at a free port, in a thread; gives the base URL (ending in /v1) and stops at the end.

        `reply` and the script's predicates are called in that thread. Raises UsageError when uvicorn is not installed.
        """
        from moot.testing.server.serving import thread

        return thread(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise UsageError(f"the mock server speaks HTTP; it got a {scope['type']} connection")
        raw = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            raw += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"].removeprefix("/v1").rstrip("/")
        if (method, path) == ("POST", "/chat/completions"):
            async with self._arrived(raw, headers, scope["path"]) as call:
                if (said := await self._chat(call, receive)) is not None:
                    call.status = said.status
                    await wire.send_answer(said, send)
            return
        if (method, path) == ("GET", "/models"):
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "moot"} for name in self.model_names]
            refused = self._refused_key(headers)
            answer = failure(refused) if refused else json_answer({"object": "list", "data": models})
        else:
            status = 405 if path in ("/chat/completions", "/models") else 404
            answer = failure(Fault.http(status, f"{method} {scope['path']} is not served here"))
        await wire.send_answer(answer, send)

    @asynccontextmanager
    async def _arrived(self, raw: bytes, headers: dict[str, str], path: str) -> AsyncIterator[Call]:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        with self._lock:
            call = Call(self.count, body if isinstance(body, dict) else {}, headers, time.monotonic(), path)
            self.count, self.in_flight = self.count + 1, self.in_flight + 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
            if self.keep_calls:
                self._calls.append(call)
        try:
            yield call
        finally:
            with self._lock:
                self.in_flight -= 1

    async def _chat(self, call: Call, receive: Receive) -> Answer | None:
        """The answer to a call; None when there is nobody left to answer."""
        body, said = call.body, list[Reply]()
        try:
            fault = call.fault = self.faults.at(call.number, body)
            if (refusal := self._refusal(call, fault)) is not None:
                return failure(refusal)
            for _ in range(body.get("n") or 1) if fault is None or fault.kind != "hang" else ():
                one = await self._say(body)
                if isinstance(one, Fault):
                    fault = call.fault = one
                    if one.kind == "status":
                        return failure(one)
                    one = Reply(default_reply(body))
                said.append(one)
        except Exception as error:
            call.error = f"{type(error).__name__}: {error}"
            return failure(Fault.http(500, f"the mock server could not answer: {call.error}"))
        fault = fault or Fault.slow(0)
        delay = self.latency + fault.seconds + max((reply.delay for reply in said), default=0.0)
        if fault.kind == "hang" or delay > 0:
            if await wire.gone(receive, None if fault.kind == "hang" else delay):
                return None
        return self._completion(body, said, fault)

    def _refusal(self, call: Call, fault: Fault | None) -> Fault | None:
        body, wanted = call.body, call.body.get("response_format")
        if fault is not None and fault.kind == "status":
            return fault
        if refused := self._refused_key(call.headers):
            return refused
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return Fault.http(400, "the request body must be a JSON object with a list of messages")
        if body.get("model") not in self.model_names:
            return Fault.unknown_model(str(body.get("model")))
        if body.get("stream"):
            return Fault.http(400, "this mock server does not stream")
        if not self.schema_supported and isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            return Fault.no_schema()
        return None

    def _refused_key(self, headers: dict[str, str]) -> Fault | None:
        right = self.api_key is None or headers.get("authorization") == f"Bearer {self.api_key}"
        return None if right else Fault.unauthorized()

    async def _say(self, body: Body) -> Reply | Fault:
        if self.reply is None:
            if isinstance(self.logprobs, Mapping) and body.get("logprobs") and schema_of(body) is None:
                return Reply(max(self.logprobs, key=self.logprobs.__getitem__))
            return Reply(default_reply(body))
        given = self.reply(body)
        said = await given if inspect.isawaitable(given) else given
        if isinstance(said, str | dict):
            return Reply(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))
        if isinstance(said, Reply | Fault):
            return said
        raise UsageError(f"a reply is text, a dict, a Reply or a Fault, not {said!r}")

    def _completion(self, body: Body, said: list[Reply], fault: Fault) -> Answer:
        kind, choices, completion = fault.kind, list[Body](), 0
        error = {"code": fault.status, "message": fault.message}
        if kind == "inside":
            return json_answer({"error": error})
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        for index, reply in enumerate(said):
            text, finish = reply.text, reply.finish_reason
            if kind in ("empty", "huge"):
                text = "x" * fault.size
            elif kind == "length":
                text, finish = text[: len(text) // 2], "length"
            elif kind == "malformed":
                text = text[: max(1, len(text) // 2)] if text.startswith("{") else '{"kind": "speech", "text": "It says'
            if limit and kind != "huge" and count_tokens(text) > limit:
                text, finish = "".join(tokens_of(text)[:limit]), "length"
            completion += count_tokens(text)
            message = {"role": "assistant", "content": text, "refusal": reply.refusal}
            logprobs = self._logprobs(body, reply, text)
            choices.append({"index": index, "message": message, "finish_reason": finish, "logprobs": logprobs})
            if kind == "choice":
                message["content"] = text[: len(text) // 2]
                choices[-1] |= {"finish_reason": "error", "error": error}
        made: Body = {"id": f"chatcmpl-{os.urandom(6).hex()}", "object": "chat.completion", "created": int(time.time())}
        made |= {"model": body["model"], "choices": [] if kind == "no_choices" else choices}
        usage = self._usage(body, completion) if said[0].usage == "counted" else said[0].usage
        if usage is not None and kind != "no_usage":
            made["usage"] = usage
        return wire.spoilt(json_answer(made), fault)

    def _logprobs(self, body: Body, reply: Reply, text: str) -> dict[str, Any] | None:
        source = self.logprobs if reply.logprobs is None else reply.logprobs
        if not body.get("logprobs") or source is False:
            return None
        content = []
        for place, token in enumerate(tokens_of(text)):
            bare = token.strip()
            if source is None:
                spread: Distribution = {token: 0.9, " or" if token == " the" else " the": 0.1}
            elif callable(source):
                spread = source(body, token)
            elif not isinstance(source, bool) and (place == 0 or token in source or bare in source):
                spread = {**source, token: source[bare]} if token not in source and bare in source else source
            else:
                spread = {token: 1.0}
            content.append(logprob_entry(token, spread, body.get("top_logprobs") or 0))
        return {"content": content, "refusal": None}

    def _usage(self, body: Body, completion: int) -> dict[str, Any]:
        said = "".join(f"<|{message.get('role')}|>{text_of(message)}" for message in body["messages"])
        prompt = said.encode("utf-8", "surrogatepass")
        with self._lock:
            # The longest prefix in common with any of a sorted list is that with one of the two neighbours.
            place = bisect.bisect_left(self._prompts, prompt)
            near = self._prompts[max(0, place - 1) : place + 1]
            cached = max((wire.common_prefix(prompt, other) for other in near), default=0)
            if prompt not in near:
                self._prompts.insert(place, prompt)
                if not self.keep_calls and len(self._prompts) > 1000:
                    del self._prompts[::2]
        tokens = -(-len(prompt) // 4)
        details = {"cached_tokens": tokens if cached == len(prompt) else cached // 4}
        made = {"prompt_tokens": tokens, "completion_tokens": completion, "total_tokens": tokens + completion}
        return {**made, "prompt_tokens_details": details}
