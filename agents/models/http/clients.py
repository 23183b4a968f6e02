"""The HTTP clients of endpoints: aiohttp itself under asyncio, and httpx2 for a client of the user's, trio and proxies.
Rule: how a request is sent and pieces of its answer come is here; how much of it is read, and for how long, is not."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from moot.agents.models import wire
from moot.agents.models.secrets import keep_out_of_logs
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import httpx2

CONNECTIONS = 2048
IDLE = 30.0  # seconds for which a connection is kept for the next request
WHOLE = (
    2**20
)  # bytes of a body that aiohttp sends in one piece; of a longer one it warns that this holds up everything else
OTHERS = 64  # files that a process has open besides connections and transcripts
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SCHEMES = ("http", "https", "socks5", "socks5h", "")


def connections() -> int:
    """How many connections a client may have at a time: what comes after them waits for one. Two thirds of the files that may be open
    here at most, once that limit is raised as far as it goes, as a play has its transcript open besides (`transcripts.store.room_for`)."""
    try:
        import resource
    except ImportError:  # this system sets no such limit
        return CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OTHERS + CONNECTIONS * 3 // 2
    if resource.RLIM_INFINITY != soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(2, min(CONNECTIONS, (soft - OTHERS) * 2 // 3))


class Reply(Protocol):
    """An answer whose head has come. headers: by names in lower case; what came several times is joined by commas."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, not decoded."""
        ...

    async def close(self) -> None:
        """Give the connection up, or back where all was read."""


class Client(Protocol):
    """What sends requests. `open` follows no redirect, and raises one of `connection_errors` when no head comes. seconds: that
    the next step may take, where the client counts too; whoever calls does so in any case."""

    async def open(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Reply: ...

    async def close(self) -> None: ...


class OverAiohttp:
    """aiohttp's own session, made for the first request. tls: by which peers are checked; True: as aiohttp does."""

    def __init__(self, tls: ssl.SSLContext | bool = True) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def _begun(self) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=connections(), keepalive_timeout=IDLE, ssl=self._tls)
        never = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=never, auto_decompress=False)
        return self._session

    async def open(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        data = BytesIO(content) if content is not None and len(content) > WHOLE else content
        session = self._session or self._begun()
        return _FromAiohttp(await session.request(method, url, data=data, headers=headers, allow_redirects=False))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _FromAiohttp:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response, self.status = response, response.status
        self.headers: dict[str, str] = {}
        for raw, value in response.raw_headers:  # what is no UTF-8 would be half characters in aiohttp's own
            name, text = raw.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace")
            self.headers[name] = f"{self.headers[name]}, {text}" if name in self.headers else text

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()

    async def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class OverHttpx:
    """A client of httpx2, or of openai, which is one."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def open(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        request = self._client.build_request(method, url, content=content, headers=dict(headers), timeout=seconds)
        return _FromHttpx(await self._client.send(request, stream=True, follow_redirects=False))

    async def close(self) -> None:
        await self._client.aclose()


class _FromHttpx:
    def __init__(self, response: httpx2.Response) -> None:
        self._response, self.status, self.headers = response, response.status_code, dict(response.headers.items())

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._response.is_stream_consumed:  # a client inside the process made it whole
            yield self._response.content
            return
        async for chunk in self._response.aiter_raw():
            yield chunk

    async def close(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._response.aclose()


def client_for(url: str) -> Client:
    """The HTTP client for the running event loop. A proxy from the environment is not asked about this machine. Raises
    UsageError, naming the variable, when the environment asks for what cannot be."""
    keep_out_of_logs()
    here = wire.is_loopback(url)
    try:
        return _made(url, here)
    except Exception as error:
        if not isinstance(error, (ValueError, OSError, ImportError, *_loaded("httpx2", "InvalidURL"))):
            raise
        raise UsageError(f"the environment keeps {url} from being called: {_culprits(error)}") from None


def _made(url: str, here: bool) -> Client:
    if on_asyncio := _on_asyncio():
        from urllib.request import getproxies  # as httpx2 finds them

        if here or not any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
            if here and not url.lower().startswith("https:"):
                return OverAiohttp()
            from httpx2 import create_ssl_context

            return OverAiohttp(create_ssl_context(trust_env=not here))
    import httpx2

    limits = httpx2.Limits(max_connections=connections(), max_keepalive_connections=512, keepalive_expiry=IDLE)
    made = httpx2.AsyncClient
    if on_asyncio and not any(_scheme(name).startswith("socks") for name in _PROXIES):  # aiohttp does not know these
        from openai import DefaultAioHttpClient as made
    return OverHttpx(made(trust_env=not here, limits=limits))


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # on trio, which aiohttp does not know
        return False
    return True


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


def _loaded(module: str, *names: str) -> tuple[type[BaseException], ...]:
    """Classes of a client's module; none where it was never imported, so that nobody can have raised them."""
    found: Any = sys.modules.get(module)
    return () if found is None else tuple(getattr(found, name) for name in names)


def connection_errors() -> tuple[type[BaseException], ...]:
    """What the clients raise when no whole answer comes."""
    return (
        OSError, *_loaded("httpx2", "HTTPError", "StreamError", "InvalidURL"), *_loaded("aiohttp", "ClientError"),
    )  # fmt: skip


def unsent(causes: list[BaseException]) -> bool:
    """Whether no connection came about, so that nothing was asked."""
    kinds = (*_loaded("httpx2", "ConnectError"), *_loaded("aiohttp", "ClientConnectorError"))
    return any(isinstance(cause, kinds) for cause in causes)


def in_process(client: httpx2.AsyncClient | None) -> bool:
    """Whether a client speaks to an app inside this process, and to no network at all."""
    inside = _loaded("httpx2", "ASGITransport", "MockTransport")
    return isinstance(getattr(client, "_transport", None), inside)
