"""An OpenAI-compatible endpoint: one client and one limiter per event loop, our own retries, every attempt an event."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import sniffio
from anyio.lowlevel import RunVar

from moot.agents.limiter import Limiter
from moot.protocols.errors import AgentError, UsageError

if TYPE_CHECKING:
    import openai

FORBID_REMOTE = "MOOT_FORBID_REMOTE"
"""With this environment variable set, a call to anything but this machine is an error. For tests."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LOAD = frozenset({429, 503, 529})
_LONGEST_WAIT = 300.0
_LARGEST = 4_000_000

_connections: RunVar[dict[Any, _Connection]] = RunVar("moot_connections")


class _Connection:
    """The client and the limiter that all callers of one endpoint share within an event loop."""

    def __init__(self, client: openai.AsyncOpenAI, owned: bool) -> None:
        self.client, self.owned = client, owned
        self.limiter = Limiter()


class FormatRefused(AgentError):
    """The endpoint does not take `response_format` with a JSON schema."""


class Endpoint:
    """Where a model is asked: base URL and key of an OpenAI-compatible server.

    timeout: seconds for one attempt. retries: further attempts after one that failed for load, connection or time.
    http_client: an httpx2 client of the caller's own (in-process servers, proxies); never closed here.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout: float = 120.0,
        retries: int = 6,
        http_client: Any = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{base_url!r} is no endpoint; give a base URL such as http://127.0.0.1:8080/v1")
        self.base_url, self.timeout, self.retries = base_url.rstrip("/"), timeout, retries
        self._key, self._http = api_key, http_client
        self._host = parts.hostname

    async def complete(
        self, body: dict[str, Any], note: Callable[[dict[str, Any]], None], about: dict[str, Any], random: Random
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """One chat completion, retried. Returns the parsed answer and the record of the attempt that brought it (not yet
        noted: whoever reads the answer adds whether it could be read). Failed attempts are noted here.

        Raises AgentError saying what happened and what to do, FormatRefused when the schema was what failed.
        """
        if os.environ.get(FORBID_REMOTE) and self._http is None and not _is_local(self._host):
            raise UsageError(f"{FORBID_REMOTE} is set, so {self.base_url} is not called")
        connection = self._connection()
        for attempt in range(self.retries + 1):
            begun = time.perf_counter()
            record: dict[str, Any] = {"event": "attempted", **about, "attempt": attempt, "ok": False, "status": None}
            wait = min(30.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            try:
                async with connection.limiter.place():
                    begun = time.perf_counter()
                    answer = await self._once(connection.client, body)
                connection.limiter.went_well()
                record.update(ok=True, status=200, seconds=round(time.perf_counter() - begun, 6), **usage(answer))
                return answer, record
            except _Failed as failed:
                status = failed.status
                asked = failed.wait
                record.update(
                    status=status, error=str(failed), seconds=round(time.perf_counter() - begun, 6),
                    prompt_tokens=None, completion_tokens=None, cached_tokens=None, cost=None,
                )  # fmt: skip
                if status in (400, 401, 403, 404, 413, 422):
                    record.update(prompt_tokens=0, completion_tokens=0, cached_tokens=0, cost=0.0)
                note(record)
                if asked is not None:
                    wait = asked + random.uniform(0, 0.1 * asked + 0.05)
                if status in _LOAD:
                    connection.limiter.too_much(wait)
                self._give_up(failed, attempt, asked, body)
            await anyio.sleep(wait)
        raise AssertionError("unreachable")

    def _give_up(self, failed: _Failed, attempt: int, asked: float | None, body: dict[str, Any]) -> None:
        """Raise when another attempt makes no sense."""
        model, status = body.get("model"), failed.status
        if status == 400 and "response_format" in body and failed.about_format:
            raise FormatRefused(f"{self.base_url}: {failed}")
        if status in (401, 403):
            raise AgentError(f"{self.base_url} refused the key ({status}): {failed}. Set the right key for model {model!r}")
        if status == 404:
            raise AgentError(f"{self.base_url} does not know model {model!r} (404): {failed}. Check the model's name and URL")
        if status is not None and status not in _RETRIED:
            raise AgentError(f"{self.base_url} refused the request for model {model!r} ({status}): {failed}")
        if asked is not None and asked > _LONGEST_WAIT:
            raise AgentError(f"{self.base_url} asks to wait {asked:.0f} s; that is longer than {_LONGEST_WAIT:.0f} s: try later")
        if attempt >= self.retries:
            raise AgentError(f"{self.base_url}: model {model!r} failed {attempt + 1} times; the last time: {failed}")

    async def _once(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> dict[str, Any]:
        import openai

        try:
            # The raw response spares the client's own model of the answer, which costs more than the rest of the call.
            raw = await client.chat.completions.with_raw_response.create(**body)
            content = raw.http_response.content
        except openai.APITimeoutError:
            raise _Failed(None, f"no answer within {self.timeout:g} s") from None
        except openai.APIConnectionError as error:
            detail = error.__cause__ or error
            raise _Failed(None, f"cannot be reached: {type(detail).__name__}: {detail}") from None
        except openai.APIStatusError as error:
            raise _Failed(error.status_code, _message(error), _wait(error), _about_format(error)) from None
        except (openai.OpenAIError, ValueError) as error:
            raise _Failed(None, f"{type(error).__name__}: {error}") from None
        except Exception as error:  # a connection cut inside the body surfaces as the transport's own error
            raise _Failed(None, f"the answer broke off: {type(error).__name__}: {error}") from None
        if len(content) > _LARGEST:
            raise _Failed(422, f"the answer has {len(content):,} bytes; more than {_LARGEST:,} are not read")
        try:
            answer = json.loads(content)
            answer["choices"][0]["message"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise _Failed(None, f"the answer is no chat completion: {content[:200]!r}") from None
        return answer  # type: ignore[no-any-return]

    def _connection(self) -> _Connection:
        try:
            connections = _connections.get()
        except LookupError:
            connections = {}
            _connections.set(connections)
        key = (self.base_url, self._key, self.timeout, id(self._http) if self._http is not None else None)
        if key not in connections:
            connections[key] = self._connect()
        return connections[key]

    def _connect(self) -> _Connection:
        import openai

        http, owned = self._http, self._http is None
        if http is None:
            # Many open connections cost httpx2's own pool far more CPU than aiohttp's; aiohttp needs asyncio.
            wide: Any = openai.DefaultAsyncHttpxClient
            if sniffio.current_async_library() == "asyncio":
                try:
                    import aiohttp  # noqa: F401

                    wide = openai.DefaultAioHttpClient
                except ImportError:
                    pass
            http = wide(timeout=self.timeout)
        client = openai.AsyncOpenAI(
            base_url=self.base_url, api_key=self._key or "none", max_retries=0, timeout=self.timeout, http_client=http
        )
        return _Connection(client, owned)


async def close_connections() -> None:
    """Close every client that this event loop opened."""
    try:
        connections = _connections.get()
    except LookupError:
        return
    for connection in connections.values():
        if connection.owned:
            await connection.client.close()
    connections.clear()


class _Failed(Exception):
    def __init__(self, status: int | None, message: str, wait: float | None = None, about_format: bool = False) -> None:
        super().__init__(message)
        self.status, self.wait, self.about_format = status, wait, about_format


def usage(answer: dict[str, Any]) -> dict[str, int | None]:
    """Tokens as the endpoint reports them; None for what it does not say."""
    said = answer.get("usage") or {}
    details = said.get("prompt_tokens_details") or {}
    return {
        "prompt_tokens": said.get("prompt_tokens"),
        "completion_tokens": said.get("completion_tokens"),
        "cached_tokens": details.get("cached_tokens"),
    }


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("error") or body
    return str(body or error.message)[:500]


def _about_format(error: Any) -> bool:
    said = str(error.body or error.message).lower()
    return "response_format" in said or "json_schema" in said or "schema" in said


def _wait(error: Any) -> float | None:
    """What Retry-After asks for, in seconds: a number or a date."""
    asked = error.response.headers.get("retry-after")
    if not asked:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
