"""Which HTTP client carries the calls."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from moot.agents.models.wire import is_loopback

if TYPE_CHECKING:
    import httpx2


def client_for(base_url: str) -> httpx2.AsyncClient:
    """The HTTP client for the running event loop. A proxy from the environment is not asked about this machine."""
    import httpx2
    import openai

    trust = not is_loopback(base_url)
    limits = httpx2.Limits(max_connections=2048, max_keepalive_connections=512, keepalive_expiry=30)
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # on trio, which aiohttp does not know
        return openai.DefaultAsyncHttpxClient(trust_env=trust, limits=limits)
    return openai.DefaultAioHttpClient(trust_env=trust, limits=limits)


def in_process(client: httpx2.AsyncClient | None) -> bool:
    """Whether a client speaks to an app inside this process, and to no network at all."""
    import httpx2

    return isinstance(getattr(client, "_transport", None), (httpx2.ASGITransport, httpx2.MockTransport))


def connection_errors() -> tuple[type[BaseException], ...]:
    """What the clients raise when no whole answer comes. Some errors of aiohttp reach us as they are."""
    import httpx2
    import openai

    found = (OSError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, openai.APIConnectionError)
    aiohttp = sys.modules.get("aiohttp")
    return found if aiohttp is None else (*found, aiohttp.ClientError)
