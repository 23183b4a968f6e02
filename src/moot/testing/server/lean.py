"""A keep-alive HTTP/1.1 responder that costs little CPU per request, for benchmarks.

Rule: no checks, faults or log-probabilities; whoever needs them takes `MockOpenAI`.
"""

from __future__ import annotations

import asyncio
import json

from moot.protocols.engine.errors import UsageError
from moot.testing.server.replies import count_tokens, default_reply

_HEAD_LIMIT = 65_536
_BODY_LIMIT = 64_000_000
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required", 413: "Content Too Large"}


class _Refused(Exception):
    """Ends a connection: status and why."""


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
        self._talks: set[asyncio.Task[None]] = set()
        self._canned = self._prepared("<speech>The text says so.</speech>" if reply is None else reply)
        self._filled: dict[str, tuple[bytes, int]] = {}

    def connection(self) -> asyncio.Protocol:
        """A new connection, for `loop.create_server`."""
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_HEAD_LIMIT), self._accept)

    async def abort(self) -> None:
        """Drop every connection."""
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def completion(self, raw: bytes) -> bytes:
        """The body of the answer to a request. Raises ValueError when the request is no JSON that it must read."""
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
        return start + usage % (prompt, completion, prompt + completion)

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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer request after request, one at a time, until the client goes or wants no more."""
        try:
            while await self._answer(reader, writer):
                pass
        except _Refused as refused:
            status, problem = refused.args
            writer.write(_response(status, json.dumps({"error": {"message": problem}}).encode()))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read and answer one request. False when the connection is to be closed after it."""
        try:
            request, _, fields = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        except asyncio.LimitOverrunError:
            raise _Refused(400, "the head of the request is too long") from None
        fields = b"\r\n" + fields.lower()
        if b"\r\ntransfer-encoding:" in fields:
            raise _Refused(411, "send a Content-Length")
        _, found, rest = fields.partition(b"\r\ncontent-length:")
        length = rest.partition(b"\r\n")[0].strip() if found else b"0"
        if not length.isdigit():
            raise _Refused(400, "Content-Length is not a number")
        if int(length) > _BODY_LIMIT:
            raise _Refused(413, "the request is too long")
        if b"\r\nexpect: 100-continue" in fields:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length))
        method, _, path = request.rpartition(b" ")[0].partition(b" ")
        status, problem = 404, "there is nothing at this address"
        if method == b"POST" and path in (b"/v1/chat/completions", b"/chat/completions"):
            try:
                status, content = 200, self.completion(body)
            except (ValueError, AttributeError, UsageError) as error:
                status, problem = 400, f"the request cannot be answered: {error}"
            if self.latency > 0:
                await asyncio.sleep(self.latency)
        elif method == b"GET" and path in (b"/v1/models", b"/models"):
            status, content = 200, self.models.encode()
        writer.write(
            _response(status, content if status == 200 else json.dumps({"error": {"message": problem}}).encode())
        )
        return b"\r\nconnection: close" not in fields and not request.endswith(b"HTTP/1.0")


def _response(status: int, content: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content
