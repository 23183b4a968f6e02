"""A mock of model endpoints: in process or over a real socket, with scripted faults.

    mock = MockOpenAI(script=[Fault.rate_limit(0.1), None, Fault.hang()])
    client = AsyncOpenAI(api_key="k", base_url="http://mock/v1", http_client=mock.http_client(), max_retries=0)
    with mock.serve() as base_url: ...                 # the same server on 127.0.0.1, for real time-outs and cut-offs
    with mock_process(latency_ms=50) as base_url: ...  # in a process of its own; see `process`

It speaks `POST /v1/chat/completions`, `/v1/messages` (Anthropic's) and `/v1/responses` (OpenAI's), whole or as a stream of
events, and `GET /v1/models`, with or without the `/v1`.

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
from moot.testing.server import calling, speaking, wire
from moot.testing.server.batches import Batches
from moot.testing.server.faults import Body, Fault, Faults, Script
from moot.testing.server.providers import provider, shaped
from moot.testing.server.replies import (
    count_tokens,
    default_reply,
    images_of,
    logprob_entry,
    schema_of,
    text_of,
    tokens_of,
)
from moot.testing.server.saying import Distribution, Logprobs
from moot.testing.server.saying import Reply as Reply
from moot.testing.server.tokens import forced
from moot.testing.server.wire import Answer, Receive, Scope, Send, failure, json_answer

if TYPE_CHECKING:
    import httpx2

IMAGE = 85  # tokens
Said = str | dict[str, Any] | Reply | Fault
ReplyFunction = Callable[[Body], Said | Awaitable[Said]]


@dataclass(slots=True)
class Call:
    """One recorded request for an answer.

    number: from 0, in order of arrival. body: as it was sent; path: over which API. when: `time.monotonic()` seconds at arrival. headers: names in lower case.
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

    @property
    def images(self) -> list[bytes]:
        """The images in its messages, in their order; b"" for one whose URL is no `data:` URL in base64."""
        return images_of(self.body)


class MockOpenAI:
    """A model endpoint as an ASGI app, and everything that it was asked.

    reply: what the model says to a request body (over any API, as a chat completion would put it): text, a dict (sent as JSON), a `Reply`, or a `Fault`; may be async.
        Default: `default_reply`, valid for any `response_format`.
    script: what goes wrong when; see `Faults`. model_names: another model is a 404. api_key: another key is a 401
        (None: any key, or none). schema_supported: False makes every `json_schema` request a 400. n_supported: False makes
        every request for several answers (`n`) a 400, "ignored" answers it with one. The answers to one request are made
        with seeds that count up from its own, as vLLM does (`ParentRequest` in vllm/v1/engine/parallel_sampling.py).
    logprobs: what is sent when a request asks for log-probabilities. A mapping of token to probability holds at the
        first token and wherever one of its keys is said (without `reply` or schema, the model then says the most
        probable one); a function gives the distribution in the place of each token; False: never any; None: 0.9 on the
        token said and 0.1 on another.
    profile: a provider whose endpoint this is, with what it refuses and how it answers: "openai-reasoning", "azure", "gemini",
        "anthropic", "openrouter", "vllm", "sglang", "ollama", "llamacpp", "lmstudio", "groq", "deepseek" or "mistral";
        `providers.PROVIDERS` has their sources. Raises UsageError for another.
    sees: False makes every request with images a 400, as a model for text makes it at OpenAI.
    batches: `Batches` that it keeps; without them it has none. latency: seconds before every answer. keep_calls: False for long runs, where `calls` would fill the memory.

    Usage counts four UTF-8 bytes of prompt as a token, and an image as 85 (OpenAI's low detail); `cached_tokens` is the longest prefix in common with a prompt
    answered earlier. Everything may be read from any thread.
    """

    def __init__(
        self, reply: ReplyFunction | None = None, script: Script = (), model_names: Sequence[str] = ("mock",),
        api_key: str | None = None, schema_supported: bool = True, logprobs: Logprobs = None, latency: float = 0.0,
        keep_calls: bool = True, profile: str | None = None, sees: bool = True,
        n_supported: bool | Literal["ignored"] = True, batches: Batches | None = None,
    ) -> None:  # fmt: skip
        self.provider = None if profile is None else provider(profile)
        if isinstance(model_names, str) or not model_names:
            raise UsageError(f"model_names is a tuple of one or more names, not {model_names!r}")
        self.reply, self.faults, self.model_names = reply, Faults(script), tuple(model_names)
        self.api_key, self.schema_supported, self.logprobs = api_key, schema_supported, logprobs
        self.latency, self.keep_calls, self.sees, self.n_supported = latency, keep_calls, sees, n_supported
        self.in_flight = self.max_in_flight = self.count = 0
        self.batches = batches
        self._calls: list[Call] = []
        self._prompts: list[bytes] = []
        self._kept = speaking.Kept()
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
            self._kept = speaking.Kept()

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
        """Serve on 127.0.0.1 at a free port, in a thread; gives the base URL (ending in /v1, or as the provider has it) and
        stops at the end.

        `reply` and the script's predicates are called in that thread. Raises UsageError when uvicorn is not installed.
        """
        from moot.testing.server.serving import thread

        return thread(self, "/v1" if self.provider is None else self.provider.path)

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
        base = "/v1" if self.provider is None else self.provider.base
        method, path = scope["method"], scope["path"].removeprefix(base).removeprefix("/v1").rstrip("/")
        headers[":query"] = scope.get("query_string", b"").decode("latin-1")
        if method == "POST" and path in speaking.PATHS:
            async with self._arrived(raw, headers, scope["path"]) as call:
                if (said := await self._answer(call, speaking.PATHS[path], receive)) is not None:
                    call.status = said.status
                    if said.events is not None:
                        await wire.send_events(said, send, receive)
                    else:
                        await wire.send_answer(said, send)
            return
        if self.batches is not None and self.batches.takes(method, path):

            async def one(body: Body, api: str) -> tuple[int, Any]:
                where = next(each for each, spoken in speaking.PATHS.items() if spoken == api)
                async with self._arrived(json.dumps(body).encode(), headers, f"batch:{where}") as call:
                    said = await self._answer(call, api, receive)
                    call.status = said.status if said is not None else 0
                    return call.status, None if said is None else json.loads(said.content)

            await wire.send_answer(await self.batches.answer(method, path, raw, headers, one), send)
            return
        if (method, path) == ("GET", "/models"):
            more = {} if self.provider is None else self.provider.model
            models = [
                {"id": name, "object": "model", "created": 0, "owned_by": "moot", **more} for name in self.model_names
            ]
            refused = self._refused_key(headers, "messages" if "anthropic-version" in headers else "chat")
            answer = failure(refused) if refused else json_answer({"object": "list", "data": models})
        else:
            status = 405 if path in (*speaking.PATHS, "/models") else 404
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

    async def _answer(self, call: Call, api: str, receive: Receive) -> Answer | None:
        """The answer to a call; None when there is nobody left to answer."""
        body, said = speaking.chat_of(api, call.body), list[Reply]()
        if self.provider is not None:
            body = self.provider.heeded(body)
        try:
            fault = call.fault = self.faults.at(call.number, call.body)
            if (refusal := self._refusal(call, api, body, fault)) is not None:
                return failure(refusal, api)
            many = 1 if self.n_supported == "ignored" else body.get("n") or 1
            for index in range(many) if fault is None or fault.kind != "hang" else ():
                one = await self._say(body if index == 0 else {**body, "seed": (body.get("seed") or 0) + index})
                if isinstance(one, Fault):
                    fault = call.fault = one
                    if one.kind == "status":
                        return failure(one, api)
                    one = Reply(default_reply(body))
                said.append(one)
        except Exception as error:
            call.error = f"{type(error).__name__}: {error}"
            return failure(Fault.http(500, f"the mock server could not answer: {call.error}"))
        fault = fault or Fault.slow(0)
        streams, silent = bool(call.body.get("stream")), fault.kind == "hang"
        silent = silent or (fault.kind == "stall" and not streams)
        late = 0.0 if fault.kind == "trickle" and streams else fault.seconds
        delay = self.latency + late + max((reply.delay for reply in said), default=0.0)
        if silent or delay > 0:
            if await wire.gone(receive, None if silent else delay):
                return None
        answer = self._completion(call.body, api, body, said, fault)
        if not streams or api == "chat" and fault.kind == "no_choices":
            return wire.spoilt(json_answer(answer), fault)
        return wire.stream(speaking.events(api, answer, call.body), fault, speaking.error_event(api, fault))

    def _refusal(self, call: Call, api: str, body: Body, fault: Fault | None) -> Fault | None:
        wanted = body.get("response_format")
        if fault is not None and fault.kind == "status":
            return fault
        if refused := self._refused_key(call.headers, api):
            return refused
        if api != "chat" and (refused := speaking.refused(api, call.body, call.headers)):
            return refused
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return Fault.http(400, "the request body must be a JSON object with a list of messages")
        if body.get("model") not in self.model_names:
            return Fault.unknown_model(str(body.get("model")))
        if api == "chat" and (wrong := calling.against_chat(body)):
            return Fault.http(400, wrong)
        if self.provider is not None and (found := self.provider.refusal(body, call.headers)) is not None:
            return Fault("status", found[0], content=found[1])
        if self.n_supported is False and (body.get("n") or 1) > 1:
            return Fault.http(400, "n must equal 1 (multi-choice is not supported)")
        if not self.schema_supported and isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            return Fault.no_schema()
        seen = images_of(body)
        if seen and not self.sees:
            return Fault.http(400, "Invalid content type. image_url is only supported by certain models.")
        if not all(seen):
            return Fault.http(400, "this mock server fetches no images: send each as a data: URL in base64")
        return None

    def _refused_key(self, headers: dict[str, str], api: str = "chat") -> Fault | None:
        name, key = ("x-api-key", self.api_key) if api == "messages" else ("authorization", f"Bearer {self.api_key}")
        right = self.api_key is None or headers.get(name) == key
        if self.provider is not None and self.provider.key != "authorization":
            right = right or headers.get(self.provider.key) == self.api_key
        return None if right else Fault.unauthorized()

    async def _say(self, body: Body) -> Reply | Fault:
        if self.provider is not None and (left := forced(body)) is not None:
            return Reply(left[0], "stop" if left[1] else "length")
        if self.reply is None:
            if isinstance(self.logprobs, Mapping) and body.get("logprobs") and schema_of(body) is None:
                return Reply(max(self.logprobs, key=self.logprobs.__getitem__))
            called = calling.default_calls(body)
            return Reply(calls=called) if called else Reply(default_reply(body))
        given = self.reply(body)
        said = await given if inspect.isawaitable(given) else given
        if isinstance(said, str | dict):
            return Reply(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))
        if isinstance(said, Reply | Fault):
            return said
        raise UsageError(f"a reply is text, a dict, a Reply or a Fault, not {said!r}")

    def _completion(self, sent: Body, api: str, body: Body, said: list[Reply], fault: Fault) -> Body:
        kind, choices, completion = fault.kind, list[Body](), 0
        error = {"code": fault.status, "message": fault.message}
        if kind == "inside" and not sent.get("stream"):
            return {"error": error}
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
            completion += count_tokens(text) + count_tokens(reply.thinking)
            message: Body = {"role": "assistant", "content": text, "refusal": reply.refusal}
            if reply.thinking:
                message["reasoning_content"] = reply.thinking
            if reply.calls:
                message["tool_calls"] = calling.listed(reply.calls, self.count)
                finish = "tool_calls" if finish == "stop" else finish
                completion += count_tokens(json.dumps(message["tool_calls"]))
            logprobs = self._logprobs(body, reply, text)
            choices.append({"index": index, "message": message, "finish_reason": finish, "logprobs": logprobs})
            if kind == "choice":
                message["content"] = text[: len(text) // 2]
                choices[-1] |= {"finish_reason": "error", "error": error}
        made: Body = {"id": f"chatcmpl-{os.urandom(6).hex()}", "object": "chat.completion", "created": int(time.time())}
        made |= {"model": body["model"], "choices": [] if kind == "no_choices" else choices}
        usage = said[0].usage
        if usage == "counted":
            if api == "messages":
                with self._lock:
                    usage = self._kept.usage(sent, completion)
            else:
                counted = self._usage(body, completion)
                usage = speaking.responses_usage(counted) if api == "responses" else counted
        if kind == "no_usage":
            usage = None
        if self.provider is not None and api == "chat":
            made = shaped(self.provider, {**made, "usage": usage}, body)
            usage = made.pop("usage")
        return speaking.whole(api, made, sent, usage)

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
        text, seen = -(-len(prompt) // 4), IMAGE * len(images_of(body))
        tokens = text + seen
        details = {"cached_tokens": tokens if cached == len(prompt) else cached // 4}
        made = {"prompt_tokens": tokens, "completion_tokens": completion, "total_tokens": tokens + completion}
        return {**made, "prompt_tokens_details": details}
