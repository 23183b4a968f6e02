"""A keep-alive HTTP/1.1 responder that costs as little CPU per request as Python allows, for benchmarks."""

from __future__ import annotations

import asyncio
import json

from moot.protocols.engine.errors import UsageError
from moot.testing.server.replies import count_tokens, default_reply

_HEAD_LIMIT = 65_536
_BODY_LIMIT = 64_000_000
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required", 413: "Content Too Large"}


class LeanResponder:
    """Says one text to every chat completion, or fills the JSON schema that it asks for, after a latency in seconds.

    A filled schema is kept: equal schemas get equal content. Prompt tokens are the request's bytes by four. Models,
    keys and messages are not looked at.
    """

    def __init__(
        self, reply: str | None = None, model_names: tuple[str, ...] = ("mock",), latency: float = 0.0
    ) -> None:
        self.reply, self.latency = reply, latency
        self.model = model_names[0]
        self.models = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in model_names]})
        self.connections: set[_Connection] = set()
        text = "<speech>The text says so.</speech>" if reply is None else reply
        self._canned = self._prepared(text)
        self._filled: dict[str, tuple[bytes, int]] = {}

    def connection(self) -> asyncio.Protocol:
        """A new connection, for `loop.create_server`."""
        return _Connection(self)

    def abort(self) -> None:
        """Drop every connection."""
        for connection in list(self.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def completion(self, raw: bytes) -> bytes:
        """The whole HTTP response to a request body. Raises ValueError when the body is no JSON that it must read."""
        start, completion = self._canned
        if self.reply is None and b'"response_format"' in raw:
            wanted = json.loads(raw).get("response_format")
            key = json.dumps(wanted)
            if key not in self._filled:
                if len(self._filled) >= 256:
                    self._filled.clear()
                self._filled[key] = self._prepared(default_reply({"messages": [{}], "response_format": wanted}))
            start, completion = self._filled[key]
        prompt = len(raw) // 4
        usage = b'{"prompt_tokens": %d, "completion_tokens": %d, "total_tokens": %d}}'
        content = start + usage % (prompt, completion, prompt + completion)
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content
        )

    def _prepared(self, text: str) -> tuple[bytes, int]:
        """A response body up to its usage, and the tokens of its content."""
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        made = {
            "id": "chatcmpl-lean",
            "object": "chat.completion",
            "created": 0,
            "model": self.model,
            "choices": [choice],
        }
        return json.dumps(made)[:-1].encode() + b', "usage": ', count_tokens(text)


class _Connection(asyncio.Protocol):
    __slots__ = ("buffer", "busy", "need", "responder", "timer", "transport")

    def __init__(self, responder: LeanResponder) -> None:
        self.responder = responder
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.need = 0  # bytes of buffer below which there is no use in looking again
        self.busy = False  # one answer at a time: a pipelined request waits for its turn
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.responder.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.responder.connections.discard(self)
        self.transport = None
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy and len(self.buffer) >= self.need:
            self._look()

    def _look(self) -> None:
        """Answer the request at the start of the buffer, if it is all there."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > _HEAD_LIMIT:
                self._refuse(400, "the head of the request is too long")
            return
        request, _, fields = bytes(self.buffer[:end]).partition(b"\r\n")
        fields = b"\r\n" + fields.lower() + b"\r\n"
        if b"\r\ntransfer-encoding:" in fields:
            self._refuse(411, "send a Content-Length")
            return
        _, found, rest = fields.partition(b"\r\ncontent-length:")
        length = rest.partition(b"\r\n")[0].strip() if found else b"0"
        if not length.isdigit():
            self._refuse(400, "Content-Length is not a number")
            return
        size = end + 4 + int(length)
        if size > _BODY_LIMIT:
            self._refuse(413, "the request is too long")
            return
        if len(self.buffer) < size:
            if not self.need and b"\r\nexpect: 100-continue" in fields and self.transport is not None:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.need = size
            return
        body = bytes(self.buffer[end + 4 : size])
        del self.buffer[:size]
        self.need = 0
        close = b"\r\nconnection: close" in fields or request.endswith(b"HTTP/1.0")
        method, _, path = request.rpartition(b" ")[0].partition(b" ")
        if method == b"POST" and path in (b"/v1/chat/completions", b"/chat/completions"):
            try:
                response = self.responder.completion(body)
            except (ValueError, AttributeError, UsageError) as error:
                response = _plain(400, json.dumps({"error": {"message": f"the request cannot be answered: {error}"}}))
            latency = self.responder.latency
        else:
            listing = method == b"GET" and path in (b"/v1/models", b"/models")
            problem = json.dumps({"error": {"message": "there is nothing at this address"}})
            response, latency = _plain(200, self.responder.models) if listing else _plain(404, problem), 0.0
        self.busy = True
        if latency > 0:
            self.timer = asyncio.get_running_loop().call_later(latency, self._write, response, close)
        else:
            self._write(response, close)

    def _write(self, response: bytes, close: bool) -> None:
        self.busy = False
        if self.transport is None:
            return
        self.transport.write(response)
        if close:
            self.transport.close()
        elif self.buffer:
            self._look()

    def _refuse(self, status: int, problem: str) -> None:
        self.busy = True
        if self.transport is not None:
            self.transport.write(_plain(status, json.dumps({"error": {"message": problem}})))
            self.transport.close()


def _plain(status: int, content: str) -> bytes:
    body = content.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
