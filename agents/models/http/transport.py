"""One request and its answer, whole or as events, which is read no further than it may be long, nor for longer than it may take.
Rule: all that is read is bounded here, whichever client brings it."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import anyio

from moot.agents.models.apis.api import Folding
from moot.agents.models.apis.events import Events, TooLong
from moot.agents.models.http.clients import Client, Reply, connection_errors
from moot.protocols.engine import __version__

REFUSAL_LIMIT = 200_000  # bytes read of an answer that is a refusal
SILENCES = 10
"""Time-outs for which a stream may say that it is still there and bring nothing on: models that think unseen, for minutes, are
announced so."""
WRAPPED = 64  # bytes of a stream for each byte that an answer may have: an event for each token has some 250
_ALL = nullcontext()
_MORE = 1.0  # seconds to wait for the end of a stream after its last event, so that its connection can be used again


class BrokenOff(OSError):
    """An answer that cannot be decoded to its end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. whole: whether all of its body is here. data: what a stream of events was put together to."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    whole: bool
    data: Any = None


async def send(
    client: Client, method: str, url: str, body: Mapping[str, Any] | bytes | None, headers: Mapping[str, str], limit: int,
    seconds: float, *, folding: Callable[[], Folding] | None = None, streams: bool = False,
) -> Answer:  # fmt: skip
    """Send a request and read the answer: at most `limit` bytes of it, fewer of a refusal. body: JSON, or bytes as they are.
    folding: makes what puts an answer in events together, whether they were asked for (`streams`) or not; without it such an
    answer is read as it is. The time allowed, in `seconds`, is for all of it, and with `streams` for the wait until the next
    event. Raises what the client raises, BrokenOff, CutShort, TimeoutError, NotACompletion."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json" if streams else "application/json",
        "accept-encoding": "identity" if streams else "gzip",
        "user-agent": f"moot/{__version__}",
        **headers,
    }

    if streams:
        with anyio.fail_after(seconds):
            reply = await client.open(method, url, content, sent, seconds)
        return await _taken(reply, limit, seconds, folding, streams)
    with anyio.CancelScope(deadline=anyio.current_time() + seconds):
        reply = await client.open(method, url, content, sent, seconds)
        return await _taken(reply, limit, seconds, folding, streams)
    raise TimeoutError


async def _taken(
    reply: Reply, limit: int, seconds: float, folding: Callable[[], Folding] | None, streams: bool
) -> Answer:
    """What a reply comes to, once it is read and its connection given back."""
    try:
        kind = reply.headers.get("content-type", "")
        if (
            folding is not None
            and reply.status == 200
            and kind.partition(";")[0].strip().lower() == "text/event-stream"
        ):
            fold = folding()
            whole = await _events(reply, fold, limit, seconds)
            return Answer(200, reply.headers, b"", whole, fold.whole() if whole else None)
        with anyio.fail_after(seconds) if streams else _ALL:  # what is all within one time has it already
            content, whole = await _read(reply, limit if reply.status == 200 else min(limit, REFUSAL_LIMIT))
    finally:
        await reply.close()
    return Answer(reply.status, reply.headers, content, whole)


async def _events(reply: Reply, folding: Folding, limit: int, seconds: float) -> bool:
    """Feed the events of an answer to a fold, and say whether they stayed within the limit. The wait for each is at most so
    many seconds. A connection that breaks once the answer is complete has taken nothing from it."""
    if encoding := reply.headers.get("content-encoding", "").strip().lower().replace("identity", ""):
        raise BrokenOff(f"its encoding {encoding[:80]} was not asked for")
    events, raw, last = Events(limit), 0, time.monotonic()
    chunks = reply.chunks()
    try:
        while True:
            with anyio.fail_after(_MORE if folding.done else seconds):
                chunk = await anext(chunks, None)
            raw += len(chunk or b"")
            for data in events.rest() if chunk is None else events.feed(chunk):
                if folding.feed(data):
                    last = time.monotonic()
            if chunk is None or (folding.done and time.monotonic() - last > _MORE):
                return True
            if folding.size > limit or raw > WRAPPED * limit:
                return False
            if time.monotonic() - last > SILENCES * seconds:
                raise TimeoutError
    except TooLong:
        return False
    except connection_errors():  # a time-out is one
        if not folding.ended():
            raise
        return True


async def _read(reply: Reply, limit: int) -> tuple[bytes, bool]:
    """The body, decoded; what is over the limit is neither decoded nor waited for."""
    named = reply.headers.get("content-encoding", "")
    encodings = [name for each in named.lower().split(",") if (name := each.strip())] if named else []
    if [name for name in encodings if name != "identity"] == []:
        unzip = None
    elif len(encodings) == 1 and encodings[0] in ("gzip", "x-gzip", "deflate"):
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 32)
    else:
        raise BrokenOff(f"its encoding {', '.join(encodings)[:80]} was not asked for")
    content, raw = bytearray(), 0
    async for chunk in reply.chunks():
        raw += len(chunk)
        try:
            content += chunk if unzip is None else unzip.decompress(chunk, limit + 1 - len(content))
        except zlib.error as error:
            raise BrokenOff(f"its {encodings[0]} body is broken: {error}") from None
        if len(content) > limit or raw > limit + limit // 100 + 10_000:
            return bytes(content[:limit]), False
    if unzip is not None and not unzip.eof:
        raise BrokenOff(f"its {encodings[0]} body ends too early")
    return bytes(content), True
