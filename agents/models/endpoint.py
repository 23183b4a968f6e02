"""An OpenAI-compatible endpoint: retries of our own, every attempt noted, one limiter for all who share it.
Rule: the one place that sends requests to a model; answers are read in `wire.py`, calls paced in `limiter.py`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.lowlevel import RunVar

from moot.agents.models import wire
from moot.agents.models.attempts import TEXT_KEPT, Attempt, Call, Refused
from moot.agents.models.cache import Cache, key_of
from moot.agents.models.limiter import Limiter
from moot.agents.models.wire import Completion, Prices
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError

if TYPE_CHECKING:
    import httpx2
    import openai

FORBID_REMOTE = "MOOT_FORBID_REMOTE"  # set to 1, a call to any host but this machine is an error: for tests
HANGS = 1  # calls that ran out of time and are made again; each has cost a whole timeout already
RETRIED = frozenset({408, 409, 425, 429})
T = TypeVar("T")


@dataclass(slots=True)
class _Shared:
    """What everybody who speaks to one endpoint within one event loop shares."""

    limiter: Limiter
    client: openai.AsyncOpenAI | None = None
    users: int = 0


_shared: RunVar[dict[Any, _Shared]] = RunVar("moot_endpoints")


class Endpoint:
    """A place that answers chat completions.

    base_url: for instance "http://127.0.0.1:8080/v1". api_key: sent as a bearer token; never recorded or shown.
    timeout: seconds for one attempt, from sending to the last byte. retries: attempts after the first (one only after a
    call that ran out of time). patience: the longest wait, in seconds, that the endpoint may ask for. backoff: seconds
    before the first retry, doubled for each further one up to 60, and jittered. body_limit: bytes of a response to read.
    http_client: an httpx2.AsyncClient of your own (not closed here); without one aiohttp is the transport under asyncio
    (at 64 connections and more it costs less), and httpx2's own otherwise.
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, timeout: float = 120.0, retries: int = 6, patience: float = 600.0,
        backoff: float = 0.5, body_limit: int = 4_000_000, http_client: httpx2.AsyncClient | None = None,
        identity: str | None = None,
    ) -> None:  # fmt: skip
        self.base_url = wire.checked_url(base_url)
        if not timeout > 0 or retries < 0:
            raise UsageError(f"endpoint {base_url}: timeout must be over 0 and retries at least 0")
        self.timeout, self.retries, self.patience, self.backoff = timeout, retries, patience, backoff
        self._key, self.body_limit, self.http_client = api_key, body_limit, http_client
        self.identity = identity or self.base_url

    def _share(self) -> _Shared:
        try:
            table = _shared.get()
        except LookupError:
            _shared.set(table := {})
        place = (self.base_url, self._key, self.http_client)
        if place not in table:
            table[place] = _Shared(Limiter())
        return table[place]

    @property
    def limiter(self) -> Limiter:
        """The limiter of this endpoint in the running event loop."""
        return self._share().limiter

    async def start(self) -> None:
        """Note one more user. The connections stay open until every user has closed."""
        self._share().users += 1

    async def close(self) -> None:
        """Note one user less; the last one closes the connections of this event loop."""
        shared = self._share()
        shared.users = max(0, shared.users - 1)
        if shared.users == 0 and shared.client is not None:
            client, shared.client = shared.client, None
            if self.http_client is None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                    await client.close()

    def _client(self, shared: _Shared) -> openai.AsyncOpenAI:
        if shared.client is None:
            import openai

            http = self.http_client
            shared.client = openai.AsyncOpenAI(
                api_key=self._key or "none", base_url=self.base_url, max_retries=0, timeout=self.timeout,
                http_client=_client_for(self.base_url) if http is None else http,
            )  # fmt: skip
            if self._key != os.environ.get("OPENAI_API_KEY"):
                # the client takes these from the environment; they are meant for the account whose key is there
                shared.client.organization = shared.client.project = None
        return shared.client

    async def complete(
        self, body: Mapping[str, Any], read: Callable[[Completion, dict[str, Any]], T], call: Call, *,
        prices: Prices | None = None, cache: Cache | None = None,
    ) -> T:  # fmt: skip
        """Ask for a chat completion and read it. Every attempt is noted once, whatever becomes of it.

        read: turns the completion into what is wanted, or raises UnreadableAnswer; what it puts into its second argument is
        noted. Raises UnreadableAnswer, Refused (400, 401, 403, 404 and the like), AgentError when the endpoint cannot be
        reached or keeps failing, UsageError when MOOT_FORBID_REMOTE forbids the call.
        """
        key = "" if cache is None else key_of(self.identity, body, call.step, call.seed)
        if cache is not None:
            begun = time.perf_counter()
            if (stored := await cache.get(key)) is not None:
                call.attempts += 1
                return Attempt(call, body, begun, None).finish(wire.completion_from(stored, cached=True), read)
        forbidden = os.environ.get(FORBID_REMOTE, "") not in ("", "0")
        if forbidden and not wire.is_loopback(self.base_url) and not _in_process(self.http_client):
            raise UsageError(
                f"{FORBID_REMOTE} is set and {self.base_url} is not on this machine: the call was not made"
            )
        tried = 0
        while True:
            call.reserve()
            completion, data, attempt = await self._attempt(body, call, prices, tried)
            if completion is not None:
                break
            tried += 1
        if cache is not None:
            await cache.put(key, data)
        return attempt.finish(completion, read)

    async def _attempt(
        self, body: Mapping[str, Any], call: Call, prices: Prices | None, tried: int
    ) -> tuple[Completion | None, Any, Attempt]:
        """One attempt, after `tried` others. An empty completion stands for: wait is over, try again."""
        shared = self._share()
        ticket = await shared.limiter.acquire()
        call.attempts += 1
        attempt = Attempt(call, body, time.perf_counter(), prices)
        completion: Completion | None = None
        failure: _Failure | None = None
        data: Any = None
        try:
            status, headers, content = await self._post(self._client(shared), body)
            attempt.status = status
            if status == 200:
                data = wire.body_of(content)
                completion = wire.completion_from(data)
            else:
                failure = self._judge(status, headers, content, str(body.get("model")))
        except wire.NotACompletion as error:
            failure = _Failure(f"{self.base_url} answered, but {error}; is it the address of an OpenAI-compatible API?")
        except UnreadableAnswer as error:
            attempt.note(error=str(error), text=error.text)
            raise
        except _connection_errors() as error:
            failure = self._broken(error)
        except BaseException:
            attempt.note(error="cancelled")
            raise
        finally:
            # before the place is free: whoever waits for it must find the limit lowered and the pause begun
            if failure is not None and failure.crowded:
                shared.limiter.shrink(ticket)
            if failure is not None and failure.after is not None and failure.after <= self.patience:
                shared.limiter.pause(failure.after)
            shared.limiter.release()
        if failure is None:
            shared.limiter.grow()
            return completion, data, attempt
        attempt.note(error=failure.message)
        if not failure.again:
            raise Refused(failure.message, attempt.status or 0, failure.said)
        call.hangs += failure.hung
        if tried >= self.retries or call.hangs > HANGS:
            tries = f" after {tried + 1} attempts" if tried else ""
            raise AgentError(f"{failure.message} (given up{tries})")
        after = failure.after or 0.0
        if after > self.patience:
            raise AgentError(f"{failure.message}; it asks for a wait of {after:.0f} s, over {self.patience:.0f} s")
        wait = min(60.0, self.backoff * 2**tried) * Random(f"{call.seed}:{call.step}:{tried}").uniform(0.5, 1.0)
        await anyio.sleep(max(wait, after + wait / 10))
        return None, None, attempt

    async def _post(self, client: openai.AsyncOpenAI, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        import httpx2
        import openai

        content = bytearray()
        with anyio.fail_after(self.timeout):
            try:
                response = await client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=dict(body),
                    options={"headers": {"X-Stainless-Raw-Response": "stream"}, "follow_redirects": False},
                )  # fmt: skip
            except openai.APIStatusError as error:
                return error.status_code, error.response.headers, error.response.content
            try:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > self.body_limit:
                        raise UnreadableAnswer(
                            f"the answer of {self.base_url} is over {self.body_limit:,} bytes and was not read; "
                            "lower max_tokens", content[:TEXT_KEPT].decode("utf-8", "replace"), final=True,
                        )  # fmt: skip
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                    await response.aclose()
            return response.status_code, response.headers, bytes(content)

    def _broken(self, error: BaseException) -> _Failure:
        """What to say of a call without a whole answer, and whether it was silence until the time was up."""
        causes = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        # aiohttp's transport reports a connection that was dropped through the class of those that are slow
        if isinstance(causes[-1], TimeoutError) or type(causes[-1]).__name__.endswith("Timeout"):
            return _Failure(f"no answer from {self.base_url} within {self.timeout:g} s; raise timeout=, or see whether "
                            "the server is overloaded", hung=True)  # fmt: skip
        why = self._redact(" ".join(str(causes[-1]).split())[:300]) or type(causes[-1]).__name__
        return _Failure(f"cannot reach {self.base_url}, or it broke off: {why}; is the server running, and is the base "
                        "URL right?")  # fmt: skip

    def _judge(self, status: int, headers: Mapping[str, str], content: bytes, model: str) -> _Failure:
        """What a status other than 200 means, and what to do about it."""
        said = self._redact(wire.error_message(content))
        quoted = f": {said}" if said else ""
        if status == 429 and b"insufficient_quota" in content:
            why = f": the account has no credit left{quoted}"
        elif status in RETRIED or status >= 500 and status != 501:
            crowded = status in (429, 503)
            message = f"{self.base_url} {'has too much to do' if crowded else 'failed'} ({status}){quoted}"
            return _Failure(message, said=said, again=True, after=wire.retry_after(headers), crowded=crowded)
        elif status in (401, 403):
            advice = "set OPENAI_API_KEY, or give api_key= (in TOML: api_key_env), with a key that may use this model"
            why = f": no key, or not a good one{quoted}; {advice}"
        elif status == 404:
            advice = (
                "no API at this address: check the name, and that the base URL ends in /v1 or what the server wants"
            )
            why = f"{quoted}; there is no model {model!r} there, or {advice}"
        elif 300 <= status < 400:
            why = f": it redirects to {headers.get('location', 'elsewhere')}; give that address as base URL"
        else:
            why = quoted
        return _Failure(f"{self.base_url} refused the request ({status}){why}", said=said, again=False)

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str
    said: str = ""
    again: bool = True
    after: float | None = None
    crowded: bool = False
    hung: bool = False  # no answer came in the time that there was


def _client_for(base_url: str) -> httpx2.AsyncClient:
    """The HTTP client for the running event loop. A proxy from the environment is not asked about this machine."""
    import httpx2
    import openai

    trust = not wire.is_loopback(base_url)
    limits = httpx2.Limits(max_connections=2048, max_keepalive_connections=512, keepalive_expiry=30)
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # on trio, which aiohttp does not know
        return openai.DefaultAsyncHttpxClient(trust_env=trust, limits=limits)
    return openai.DefaultAioHttpClient(trust_env=trust, limits=limits)


def _in_process(client: httpx2.AsyncClient | None) -> bool:
    """Whether a client speaks to an app inside this process, and to no network at all."""
    import httpx2

    return isinstance(getattr(client, "_transport", None), (httpx2.ASGITransport, httpx2.MockTransport))


def _connection_errors() -> tuple[type[BaseException], ...]:
    """What the clients raise when no whole answer comes. Some errors of aiohttp reach us as they are."""
    import httpx2
    import openai

    found = (OSError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, openai.APIConnectionError)
    aiohttp = sys.modules.get("aiohttp")
    return found if aiohttp is None else (*found, aiohttp.ClientError)
