"""An endpoint: retries of our own, every attempt noted, one limiter for all who share it.
Rule: when to ask again, and how long to wait, is decided here; bytes are moved in `transport.py` and refusals read in
`refusals.py`. What is noted or raised is without secrets, and what an attempt took is unknown unless the endpoint says it
or did not work on it."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio
from anyio.lowlevel import RunVar

from moot.agents.failing import cancellations, cancelled
from moot.agents.models import wire
from moot.agents.models.apis.api import API, CutShort
from moot.agents.models.apis.choosing import CHAT
from moot.agents.models.attempts import TEXT_KEPT, Attempt, Call, Refused
from moot.agents.models.cache import Cache, key_of
from moot.agents.models.limiter import Limiter
from moot.agents.models.refusals import WORDS, Refusal, refusal_in, refusal_of
from moot.agents.models.secrets import (
    CopiedWhole,
    Secrets,
    checked_headers,
    checked_key,
    shown_url,
    without_secrets,
)  # fmt: skip
from moot.agents.models.transport import Answer, client_for, connection_errors, in_process, post, send, unsent
from moot.agents.models.wire import Completion
from moot.agents.money.cap import paid
from moot.agents.money.prices import Prices
from moot.agents.money.usage import NOTHING, Usage, usage_of
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError, UsageError

if TYPE_CHECKING:
    import httpx2

FORBID_REMOTE = "MOOT_FORBID_REMOTE"  # set to 1, a call to any host but this machine is an error: for tests
RETRIES = 9
"""Without a word from the endpoint they wait more than two minutes in all, which outlasts a window of one minute."""
HANGS = 1  # calls that ran out of time and are made again; each has cost a whole timeout already
AGAIN = {"failed": 6, "unreached": 4}  # retries after failures that no limit on the rate explains: some 30 s, some 8 s
Auth = Literal["bearer", "api-key"]
T = TypeVar("T")


@dataclass(slots=True)
class _Shared:
    """What everybody who speaks to one endpoint within one event loop shares."""

    limiter: Limiter
    client: httpx2.AsyncClient | None = None
    users: int = 0


_shared: RunVar[dict[Any, _Shared]] = RunVar("moot_endpoints")


class Endpoint(CopiedWhole):
    """A place that answers for models, over one API or several.

    base_url: for instance "http://127.0.0.1:8080/v1"; a query stays with it. api_key: sent as a bearer token, or in the
    header api-key where auth says so or the address is Azure's; never recorded or shown, and in no pickle. headers: sent
    besides; one of the key's own name takes its place. timeout: seconds for one attempt, from sending to the last byte, or of a
    stream from one event to the next. retries: attempts
    after the first, fewer where nothing answers or the server fails, one after a call that ran out of time. patience: the
    longest wait, in seconds, that the endpoint may ask for. backoff: seconds before the first retry, doubled for each
    further one up to 60, and jittered. body_limit: bytes of a response to read. http_client: an httpx2.AsyncClient of your
    own (not closed here); without one aiohttp is the transport under asyncio (at 64 connections and more it costs less), and
    httpx2's own otherwise. source: what the key is called in messages: a variable, or the option. fields: what is sent
    besides, for the secrets in it.
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, timeout: float = 120.0, retries: int = RETRIES,
        patience: float = 600.0, backoff: float = 0.5, body_limit: int = 4_000_000,
        http_client: httpx2.AsyncClient | None = None, identity: str | None = None, source: str = "api_key", fields: Any = None,
        headers: Mapping[str, str] | None = None, auth: Auth | None = None,
    ) -> None:  # fmt: skip
        self._url = wire.checked_url(base_url)
        self.base_url = shown_url(self._url)
        if not timeout > 0 or retries < 0:
            raise UsageError(f"endpoint {self.base_url}: timeout must be over 0 and retries at least 0")
        self.timeout, self.retries, self.patience, self.backoff = timeout, retries, patience, backoff
        self.body_limit, self.http_client = body_limit, http_client
        if auth not in (None, "bearer", "api-key"):
            raise UsageError(f"auth is {auth!r}; it can be 'bearer' or 'api-key', the header that the key is sent in")
        self.auth: Auth = auth or ("api-key" if wire.is_azure(self._url) else "bearer")
        self._extra = checked_headers(headers)
        self.secrets = Secrets(checked_key(api_key, source), source, url=self._url, fields=[fields, self._extra])
        self.identity = identity or self.base_url

    def __getstate__(self) -> dict[str, Any]:
        if self.http_client is not None:
            raise UsageError(f"endpoint {self.base_url}: an http_client cannot be pickled; make the model without one")
        return {**self.__dict__, "_url": self.base_url, "_extra": without_secrets(self._extra)}

    def _share(self) -> _Shared:
        try:
            table = _shared.get()
        except LookupError:
            _shared.set(table := {})
        place = (self._url, self.secrets.key, self.http_client, *sorted(self._extra.items()))
        if place not in table:
            table[place] = _Shared(Limiter())
        return table[place]

    @property
    def limiter(self) -> Limiter:
        """The limiter of this endpoint in the running event loop."""
        return self._share().limiter

    async def start(self) -> None:
        """Note one more user. The connections stay open until every user has closed. Raises UsageError when no call could
        be made: the environment asks for what cannot be, or the key is missing since a pickle left it out."""
        shared = self._share()
        self._client(shared)
        shared.users += 1

    async def close(self) -> None:
        """Note one user less; the last one closes the connections of this event loop."""
        shared = self._share()
        shared.users = max(0, shared.users - 1)
        if shared.users == 0 and shared.client is not None:
            client, shared.client = shared.client, None
            if self.http_client is None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                    await client.aclose()

    def _client(self, shared: _Shared) -> httpx2.AsyncClient:
        if self.secrets.lost:
            raise UsageError(f"endpoint {self.base_url}: {self.secrets.lost}")
        if shared.client is None:
            shared.client = self.http_client if self.http_client is not None else client_for(self.base_url)
        return shared.client

    def _headers(self, api: API) -> dict[str, str]:
        key = self.secrets.key
        headers = (
            api.headers(key) if self.auth != "api-key" else {**api.headers(None), **({"api-key": key} if key else {})}
        )
        if (
            key
            and self.auth == "bearer"
            and api.key_variable == "OPENAI_API_KEY"
            and key == os.environ.get("OPENAI_API_KEY")
        ):  # these are meant for the account whose key is there
            for name, variable in (("organization", "OPENAI_ORG_ID"), ("project", "OPENAI_PROJECT_ID")):
                if value := os.environ.get(variable):
                    headers[f"openai-{name}"] = value
        return {**headers, **self._extra}

    async def models(self, api: API = CHAT) -> tuple[int, Any]:
        """The HTTP status and the JSON of the list of models; 0 where it is not to be had. One attempt, of 10 s at most. api:
        whose headers are sent."""
        self._allowed()
        url, client = wire.endpoint_of(self._url, "models"), self._client(self._share())
        headers, seconds = self._headers(api), min(self.timeout, 10.0)
        try:
            answer = await send(client, "GET", url, None, headers, self.body_limit, seconds)
        except connection_errors():
            return 0, None
        try:
            return answer.status, wire.body_of(self.secrets.hide(answer.content.decode("utf-8", "replace")).encode())
        except wire.NotACompletion:
            return answer.status, None

    def _allowed(self) -> None:
        forbidden = os.environ.get(FORBID_REMOTE, "") not in ("", "0")
        if forbidden and not wire.is_loopback(self.base_url) and not in_process(self.http_client):
            raise UsageError(
                f"{FORBID_REMOTE} is set and {self.base_url} is not on this machine: the call was not made"
            )

    async def complete(
        self, body: Mapping[str, Any], read: Callable[[Completion, dict[str, Any]], T], call: Call, *,
        api: API = CHAT, streams: bool = False, usage: bool = True, prices: Prices | None = None, cache: Cache | None = None,
    ) -> T:  # fmt: skip
        """Ask for a completion and read it. Every attempt is noted once, whatever becomes of it. body: the request, as a chat
        completion's; api: what it is put into; streams: whether to have the answer as events; usage: and its usage with them.

        read: turns the completion into what is wanted, or raises UnreadableAnswer; what it puts into its second argument is
        noted. An answer is cached once it has been read, and one from the cache that cannot be read is asked for again.
        Raises UnreadableAnswer, Refused (for good, or where `call.adapts`), AgentError when the endpoint cannot be reached
        or keeps failing, UsageError when MOOT_FORBID_REMOTE forbids the call, CapReached when it does not fit under a cap.
        """
        made = api.body(body)
        key = "" if cache is None else key_of(self.identity, made, call.step, call.seed)
        if cache is not None:
            begun = time.perf_counter()
            if (stored := await cache.get(key)) is not None:
                with suppress(UnreadableAnswer, wire.NotACompletion):
                    if refusal_in(stored) is None:
                        kept = api.completion(self.secrets.clean(stored), cached=True)
                        call.attempts, call.hold = call.attempts + 1, None
                        return Attempt(call, body, begun, None).finish(kept, read)
                await cache.drop(key, stored)
        self._allowed()
        failures: Counter[str] = Counter()
        while True:
            call.reserve()
            async with paid(lambda: made, prices, call.note, call.waiting) as call.hold:
                attempt, completion, data, failure = await self._attempt(body, call, prices, api, streams, usage)
                if completion is not None:
                    result = attempt.finish(completion, read)
                    break
            assert failure is not None
            await self._before_another(failure, failures, attempt, call)
        if cache is not None:
            await cache.put(key, data)
        return result

    async def _attempt(
        self, body: Mapping[str, Any], call: Call, prices: Prices | None, api: API, streams: bool, usage: bool
    ) -> tuple[Attempt, Completion | None, Any, _Failure | None]:
        """One attempt: its completion and the JSON that it was in, or why there is none, which is noted."""
        shared = self._share()
        client, limiter = self._client(shared), shared.limiter
        if limiter.free:
            ticket = await limiter.acquire()
        else:
            with call.waiting():
                ticket = await limiter.acquire()
        call.attempts += 1
        attempt = Attempt(call, body, time.perf_counter(), prices)
        completion: Completion | None = None
        failure: _Failure | None = None
        data: Any = None
        try:
            url, headers = wire.endpoint_of(self._url, api.path), self._headers(api)
            if streams and wire.is_loopback(self.base_url):
                # llama.cpp's server announces keep-alive and hangs up after a stream: what is sent next would be lost
                headers = {**headers, "connection": "close"}
            sent = api.streamed(api.body(body), usage) if streams else api.body(body)
            answer = await post(
                client, url, sent, headers, self.body_limit, self.timeout, folding=api.folding(), streams=streams
            )
            attempt.status = answer.status
            completion, data, failure = self._read(answer, attempt, call, api)
        except wire.NotACompletion as error:
            failure = _Failure(f"{self.base_url} answered, but {error}; is it the address of {api.called}?")
        except CutShort as error:
            attempt.status = 200
            failure = _Failure(f"{self.base_url} broke off: {error}")
        except UnreadableAnswer as error:
            attempt.note(error=str(error), text=error.text)
            raise
        except connection_errors() as error:
            failure = self._broken(error)
        except Exception as error:
            failure = _Failure(
                f"{self.base_url} could not be called: {type(error).__name__}: {self._shown(str(error))}", "final"
            )
        except BaseException as error:
            attempt.note(error="cancelled" if cancelled() or cancellations() else f"it let out {type(error).__name__}")
            raise
        finally:
            # before the place is free: whoever waits for it must find the limit lowered and the pause begun
            if failure is not None and failure.kind == "crowded":
                limiter.shrink(ticket)
            if failure is not None and failure.after is not None and failure.after <= self.patience:
                limiter.pause(failure.after)
            limiter.release()
        if failure is None:
            limiter.grow()
        else:
            if not failure.worked and attempt.usage == Usage():
                attempt.usage = NOTHING
            attempt.note(error=failure.message)
        return attempt, completion, data, failure

    def _read(
        self, answer: Answer, attempt: Attempt, call: Call, api: API
    ) -> tuple[Completion | None, Any, _Failure | None]:
        """What an answer holds: a completion and its JSON, without secrets, or a failure."""
        if answer.status != 200:
            refusal = api.neutral(refusal_of(answer.status, answer.headers, answer.content))
            return None, None, self._judged(refusal, answer, attempt, call, api)
        if not answer.whole:
            text = answer.content[: 4 * TEXT_KEPT].decode("utf-8", "replace")
            raise UnreadableAnswer(
                f"the answer of {self.base_url} is over {self.body_limit:,} bytes and was not read; lower max_tokens",
                self.secrets.hide_cut(text)[:TEXT_KEPT], final=True,
            )  # fmt: skip
        streamed = answer.data is not None
        data = answer.data if streamed else wire.body_of(answer.content, self.secrets.hide)
        if (found := refusal_in(data, answer.headers)) is not None:
            if (used := usage_of(data, answered=False)).prompt_tokens:
                attempt.usage = used
            failure = self._judged(api.neutral(found), answer, attempt, call, api)
            # an error amid a stream: what was said before it was worked on, whatever its status
            return None, None, replace(failure, worked=True) if streamed else failure
        if streamed or self.secrets.found(answer.content.decode("utf-8", "replace")):
            data = self.secrets.clean(data)
        return api.completion(data), data, None

    async def _before_another(self, failure: _Failure, failures: Counter[str], attempt: Attempt, call: Call) -> None:
        """Wait until the next attempt may be made. Raises Refused or AgentError when there is to be none."""
        if failure.kind == "final":
            raise Refused(failure.message, failure.status or attempt.status or 0, failure.said)
        tried = failures.total()
        failures[failure.kind] += 1
        call.hangs += failure.kind == "hung"
        if (
            tried >= self.retries
            or failures[failure.kind] > AGAIN.get(failure.kind, self.retries)
            or call.hangs > HANGS
        ):
            tries = f" after {tried + 1} attempts" if tried else ""
            raise AgentError(f"{failure.message} (given up{tries})")
        after = failure.after or 0.0
        if after > self.patience:
            raise AgentError(f"{failure.message}; it asks for a wait of {after:.0f} s, over {self.patience:.0f} s")
        wait = min(60.0, self.backoff * 2**tried) * Random(f"{call.seed}:{call.step}:{tried}").uniform(0.75, 1.25)
        with call.waiting():
            await anyio.sleep(max(wait, after + wait / 10))

    def _broken(self, error: BaseException) -> _Failure:
        """What to say of a call without a whole answer, and whether it was silence until the time was up."""
        causes = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        # aiohttp's transport reports a connection that was dropped through the class of those that are slow
        if isinstance(causes[-1], TimeoutError) or type(causes[-1]).__name__.endswith("Timeout"):
            return _Failure(f"no answer from {self.base_url} within {self.timeout:g} s; raise timeout=, or see whether "
                            "the server is overloaded", "hung")  # fmt: skip
        why = self._shown(str(causes[-1])) or type(causes[-1]).__name__
        message = (
            f"cannot reach {self.base_url}, or it broke off: {why}; is the server running, and is the base URL right?"
        )
        return _Failure(message, "unreached", worked=False) if unsent(causes) else _Failure(message)

    def _judged(self, refusal: Refusal, answer: Answer, attempt: Attempt, call: Call, api: API) -> _Failure:
        """What a refusal means, and what to do about it."""
        hide = self.secrets.hide if answer.whole else self.secrets.hide_cut
        said = hide(refusal.words)[:WORDS]
        quoted = f": {said}" if said else ""
        status = refusal.status or answer.status
        named = f"{status}, inside a 200" if refusal.inside and refusal.status else str(status)
        if call.adapts(replace(refusal, words=hide(refusal.words)), attempt.body):
            return _Failure(
                f"{self.base_url} refused the request ({named}){quoted}", "final", status, said, worked=refusal.worked
            )
        if refusal.passing:
            message = f"{self.base_url} {'has too much to do' if refusal.crowded else 'failed'} ({named}){quoted}"
            kind: _Kind = "crowded" if refusal.crowded else "failed"
            return _Failure(message, kind, status, said, refusal.wait, refusal.worked)
        advice = f"set {api.key_variable}, or give api_key= (in TOML: api_key_env), with a key that may use this model"
        if refusal.no_credit:
            why = f": the account has no credit left{quoted}"
        elif status == 401:
            why = f": no key, or not a good one{quoted}; {advice}"
        elif status == 403:
            why = f": it is not allowed{quoted}; where that is for want of a key, {advice}"
        elif status == 404:
            why = (f"{quoted}; there is no model {attempt.body.get('model')!r} there, or no API at this address: check the "
                   "name, and that the base URL ends in /v1 or what the server wants")  # fmt: skip
        elif 300 <= status < 400:
            where = hide(answer.headers.get("location", "elsewhere"))[:200]
            why = f": it redirects to {where}; give that address as base URL"
        else:
            why = quoted
        return _Failure(
            f"{self.base_url} refused the request ({named}){why}", "final", status, said, worked=refusal.worked
        )

    def _shown(self, text: str) -> str:
        """The words of an error, on one line, without secrets: ours, or a proxy's password."""
        line = " ".join(self.secrets.hide(text).split())
        return re.sub(r"//[^/@\s]{1,200}@", "//", line)[:300]


_Kind = Literal["crowded", "failed", "unreached", "hung", "final"]


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why there is no completion, in words without secrets. worked: whether it may have been worked on all the same."""

    message: str
    kind: _Kind = "failed"
    status: int = 0
    said: str = ""
    after: float | None = None
    worked: bool = True
