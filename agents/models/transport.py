"""The HTTP client of an endpoint, and answers, whole or as events, that are read no further than they may be long.
Rule: one request, one answer, all of it bounded; what an answer means, and whether to ask again, is not known here."""

from __future__ import annotations

import asyncio
import json
import os
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from moot.agents.models import wire
from moot.agents.models.apis.api import Folding
from moot.agents.models.apis.events import Events, TooLong
from moot.agents.models.secrets import keep_out_of_logs
from moot.protocols.engine import __version__
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    import httpx2

REFUSAL_LIMIT = 200_000  # bytes read of an answer that is a refusal
SILENCES = 10
"""Time-outs for which a stream may say that it is still there and bring nothing on: models that think unseen, for minutes, are
announced so."""
WRAPPED = 64  # bytes of a stream for each byte that an answer may have: an event for each token has some 250
_MORE = 1.0  # seconds to wait for the end of a stream after its last event, so that its connection can be used again
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SCHEMES = ("http", "https", "socks5", "socks5h", "")


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


async def post(
    client: httpx2.AsyncClient, url: str, body: Mapping[str, Any], headers: Mapping[str, str], limit: int, seconds: float, *,
    folding: Folding, streams: bool = False,
) -> Answer:  # fmt: skip
    """Send a body as JSON and read the answer: at most `limit` bytes of it, fewer of a refusal. An answer in events is put
    together by `folding`, whether they were asked for (`streams`) or not. The time allowed, in `seconds`, is for all of it, and
    with `streams` for the wait until the next event. Raises what the client raises, BrokenOff, CutShort, TimeoutError,
    NotACompletion."""
    return await send(client, "POST", url, body, headers, limit, seconds, folding=folding, streams=streams)


async def send(
    client: httpx2.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str], limit: int,
    seconds: float, *, folding: Folding | None = None, streams: bool = False,
) -> Answer:  # fmt: skip
    """Send a request and read the answer, as `post` does; without `folding` one in events is read as it is."""
    content = None if body is None else json.dumps(body).encode()
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json" if streams else "application/json",
        "accept-encoding": "identity" if streams else "gzip",
        "user-agent": f"moot/{__version__}",
    }
    with anyio.fail_after(None if streams else seconds):
        request = client.build_request(method, url, content=content, headers={**sent, **headers}, timeout=seconds)
        with anyio.fail_after(seconds):
            response = await client.send(request, stream=True, follow_redirects=False)
        try:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if folding is not None and response.status_code == 200 and kind == "text/event-stream":
                whole = await _events(response, folding, limit, seconds)
                return Answer(200, response.headers, b"", whole, folding.whole() if whole else None)
            with anyio.fail_after(seconds):
                most = limit if response.status_code == 200 else min(limit, REFUSAL_LIMIT)
                content, whole = await _read(response, most)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await response.aclose()
        return Answer(response.status_code, response.headers, content, whole)


async def _events(response: httpx2.Response, folding: Folding, limit: int, seconds: float) -> bool:
    """Feed the events of an answer to a fold, and say whether they stayed within the limit. The wait for each is at most so
    many seconds. A connection that breaks once the answer is complete has taken nothing from it."""
    if encoding := response.headers.get("content-encoding", "").strip().lower().replace("identity", ""):
        raise BrokenOff(f"its encoding {encoding[:80]} was not asked for")
    events, raw, last = Events(limit), 0, time.monotonic()
    chunks = _chunks(response)
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


async def _chunks(response: httpx2.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:  # a client inside the process made it whole
        yield response.content
        return
    async for chunk in response.aiter_raw():
        yield chunk


async def _read(response: httpx2.Response, limit: int) -> tuple[bytes, bool]:
    """The body, decoded; what is over the limit is neither decoded nor waited for."""
    if response.is_stream_consumed:  # a client inside the process made it whole
        return response.content[:limit], len(response.content) <= limit
    encodings = [
        name
        for each in response.headers.get_list("content-encoding", split_commas=True)
        if (name := each.strip().lower())
    ]
    if [name for name in encodings if name != "identity"] == []:
        unzip = None
    elif len(encodings) == 1 and encodings[0] in ("gzip", "x-gzip", "deflate"):
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 32)
    else:
        raise BrokenOff(f"its encoding {', '.join(encodings)[:80]} was not asked for")
    content, raw = bytearray(), 0
    chunks: AsyncIterator[bytes] = response.aiter_raw()
    async for chunk in chunks:
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


def client_for(url: str) -> httpx2.AsyncClient:
    """The HTTP client for the running event loop. A proxy from the environment is not asked about this machine. Raises
    UsageError, naming the variable, when the environment asks for what cannot be."""
    import httpx2

    keep_out_of_logs()
    limits = httpx2.Limits(max_connections=2048, max_keepalive_connections=512, keepalive_expiry=30)
    options: dict[str, Any] = {"trust_env": not wire.is_loopback(url), "limits": limits}
    made = httpx2.AsyncClient
    with suppress(RuntimeError):  # raised on trio, which aiohttp does not know
        asyncio.get_running_loop()
        if not any(_scheme(name).startswith("socks") for name in _PROXIES):  # nor does it know these
            from openai import DefaultAioHttpClient as made
    try:
        return made(**options)
    except (ValueError, OSError, ImportError, httpx2.InvalidURL) as error:
        raise UsageError(f"the environment keeps {url} from being called: {_culprits(error)}") from None


def _culprits(error: Exception) -> str:
    """Which variables ask for what cannot be. Their values are not shown: a proxy's may hold a password."""
    certificates = [name for name in _CERTIFICATES if os.environ.get(name)]
    if isinstance(error, OSError) and certificates:
        missing = [name for name in certificates if not os.path.exists(os.environ[name])] or certificates
        return f"{' and '.join(missing)} must name certificates that can be read; mend or unset it"
    proxies = [name for name in _PROXIES if os.environ.get(name)]
    strange = [name for name in proxies if _scheme(name) not in _SCHEMES] or proxies
    if isinstance(error, ImportError):
        strange = [name for name in proxies if _scheme(name).startswith("socks")] or proxies
        return f"{' and '.join(strange)} names a SOCKS proxy, which needs the package socksio; install or unset it"
    if strange:
        return f"{' and '.join(strange)} names no proxy that can be used; its address begins with http://, or unset it"
    return f"{type(error).__name__}: {error}"


def _scheme(name: str) -> str:
    """The scheme of the proxy that a variable names."""
    return os.environ.get(name, "").partition("://")[0].lower() if "://" in os.environ.get(name, "") else ""


def connection_errors() -> tuple[type[BaseException], ...]:
    """What the clients raise when no whole answer comes. Some errors of aiohttp reach us as they are."""
    import sys

    import httpx2

    found = (OSError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL)
    aiohttp = sys.modules.get("aiohttp")
    return found if aiohttp is None else (*found, aiohttp.ClientError)


def unsent(causes: list[BaseException]) -> bool:
    """Whether no connection came about, so that nothing was asked."""
    import sys

    import httpx2

    aiohttp = sys.modules.get("aiohttp")
    kinds = (httpx2.ConnectError, *(() if aiohttp is None else (aiohttp.ClientConnectorError,)))
    return any(isinstance(cause, kinds) for cause in causes)


def in_process(client: httpx2.AsyncClient | None) -> bool:
    """Whether a client speaks to an app inside this process, and to no network at all."""
    import httpx2

    return isinstance(getattr(client, "_transport", None), (httpx2.ASGITransport, httpx2.MockTransport))
