"""An endpoint: retries of our own, every attempt noted, one limiter for all who share it.
Rule: when to ask again, and how long to wait, is decided here; bytes are moved in `transport.py` and refusals read in
`refusals.py`. What is noted or raised is without secrets, and what an attempt took is unknown unless the endpoint says it
or did not work on it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio
from anyio.lowlevel import RunVar

from moot.agents.failing import cancellations, cancelled
from moot.agents.models import wire
from moot.agents.models.apis.api import API, CutShort
from moot.agents.models.apis.choosing import CHAT
from moot.agents.models.attempts import TEXT_KEPT, Attempt, Call, Failure, FailureKind, Refused
from moot.agents.models.batches.turns import Gathering, Unanswered, in_force, standing
from moot.agents.models.cache import Cache, key_of
from moot.agents.models.http.clients import Client, OverHttpx, client_for, connection_errors, in_process, unsent
from moot.agents.models.http.transport import Answer, send
from moot.agents.models.limiter import Limiter, limiter_of
from moot.agents.models.refusals import WORDS, Refusal, refusal_in, refusal_of
from moot.agents.models.secrets import CopiedWhole, Secrets, checked_headers, checked_key, shown_url, without_secrets
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
    client: Client | None = None
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
    own (not closed here); without one requests go through aiohttp itself under asyncio, which costs least, and through httpx2
    on trio and where the environment names a proxy. source: what the key is called in messages: a variable, or the option. fields: what is sent
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
            table[place] = _Shared(limiter_of(repr((place[:2], place[3:]))))
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
                    await client.close()

    def _client(self, shared: _Shared) -> Client:
        if self.secrets.lost:
            raise UsageError(f"endpoint {self.base_url}: {self.secrets.lost}")
        if shared.client is None:
            own = self.http_client
            shared.client = client_for(self.base_url) if own is None else OverHttpx(own)
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
        try:
            answer = await self.fetch("GET", "models", api=api, seconds=min(self.timeout, 10.0))
        except connection_errors():
            return 0, None
        try:
            return answer.status, wire.body_of(self.secrets.hide(answer.content.decode("utf-8", "replace")).encode())
        except wire.NotACompletion:
            return answer.status, None

    async def fetch(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None, api: API = CHAT, *,
        seconds: float | None = None, limit: int | None = None, headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request, once: of a path below the base URL, or a whole address at the same host. Raises what connections raise."""
        self._allowed()
        url, client = path if "://" in path else wire.endpoint_of(self._url, path), self._client(self._share())
        sent = {**self._headers(api), **(headers or {})}
        return await send(client, method, url, body, sent, limit or self.body_limit, seconds or self.timeout)

    def _allowed(self) -> None:
        forbidden = os.environ.get(FORBID_REMOTE, "") not in ("", "0")
        if forbidden and not wire.is_loopback(self.base_url) and not in_process(self.http_client):
            raise UsageError(
                f"{FORBID_REMOTE} is set and {self.base_url} is not on this machine: the call was not made"
            )

    async def complete(
        self, body: Mapping[str, Any], read: Callable[[Completion, dict[str, Any]], T], call: Call, *,
        api: API = CHAT, streams: bool = False, usage: bool = True, prices: Prices | None = None, cache: Cache | None = None,
        batched: bool = False,
    ) -> T:  # fmt: skip
        """Ask for a completion and read it. Every attempt is noted once, whatever becomes of it. body: the request, as a chat
        completion's; api: what it is put into; streams: whether to have the answer as events; usage: and its usage with them.
        batched: whether it is gathered, inside a batch.

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
        failures: list[str] = []
        batch = in_force() if batched else None
        while True:
            call.reserve()
            async with paid(made, prices, call.note, partial(standing, call.waiting)) as call.hold:
                attempt = Attempt(call, body, time.perf_counter(), prices)
                completion, data, failure = await self._attempt(attempt, made, call, api, streams, usage, batch)
                if completion is not None:
                    result = attempt.finish(completion, read)
                    break
            assert failure is not None
            await self._before_another(failure, failures, attempt, call)
        if cache is not None:
            await cache.put(key, data)
        return result

    async def _attempt(
        self, attempt: Attempt, made: dict[str, Any], call: Call, api: API, streams: bool, usage: bool, batch: Gathering | None,
    ) -> tuple[Completion | None, Any, Failure | None]:  # fmt: skip
        """Make an attempt: its completion and the JSON that it was in, or why there is none, which is noted. made: its body over `api`."""
        shared, ticket = self._share(), 0
        client, limiter = self._client(shared), shared.limiter
        if batch is None and limiter.free:
            ticket = await limiter.acquire()
        elif batch is None:
            with call.waiting():
                ticket = await limiter.acquire()
        call.attempts += 1
        attempt.begun = time.perf_counter()
        completion: Completion | None = None
        failure: Failure | None = None
        data: Any = None
        try:
            url, headers = wire.endpoint_of(self._url, api.path), self._headers(api)
            if streams and wire.is_loopback(self.base_url):
                # llama.cpp's server announces keep-alive and hangs up after a stream: what is sent next would be lost
                headers = {**headers, "connection": "close"}
            if batch is None:
                sent = api.streamed(made, usage) if streams else made
                room = self.body_limit, self.timeout
                answer = await send(client, "POST", url, sent, headers, *room, folding=api.folding, streams=streams)
            else:
                batched = made, call.step, call.seed, call.waiting
                attempt.batch, answer = await batch.answer(self, api, *batched)
            attempt.status = answer.status
            completion, data, failure = self._read(answer, attempt, call, api)
        except wire.NotACompletion as error:
            failure = Failure(f"{self.base_url} answered, but {error}; is it the address of {api.called}?")
        except CutShort as error:
            attempt.status = 200
            failure = Failure(f"{self.base_url} broke off: {error}")
        except UnreadableAnswer as error:
            attempt.note(error=str(error), text=error.text)
            raise
        except Unanswered as error:
            attempt.batch = error.batch
            failure = Failure(str(error), "failed" if error.again else "final", worked=error.worked)
        except connection_errors() as error:
            failure = self._broken(error)
        except Exception as error:
            failure = Failure(
                f"{self.base_url} could not be called: {type(error).__name__}: {self._shown(str(error))}", "final"
            )
        except BaseException as error:
            attempt.note(error="cancelled" if cancelled() or cancellations() else f"it let out {type(error).__name__}")
            raise
        finally:
            if batch is None:
                # before the place is free: whoever waits for it must find the limit lowered and the pause begun
                if failure is not None and failure.kind == "crowded":
                    limiter.shrink(ticket)
                if failure is not None and failure.after is not None and failure.after <= self.patience:
                    limiter.pause(failure.after)
                limiter.release()
        if failure is None:
            if batch is None:
                limiter.grow()
        else:
            if not failure.worked and attempt.usage == Usage():
                attempt.usage = NOTHING
            attempt.note(error=failure.message)
        return completion, data, failure

    def _read(
        self, answer: Answer, attempt: Attempt, call: Call, api: API
    ) -> tuple[Completion | None, Any, Failure | None]:
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

    async def _before_another(self, failure: Failure, failures: list[str], attempt: Attempt, call: Call) -> None:
        """Wait until the next attempt may be made. Raises Refused or AgentError when there is to be none."""
        if failure.kind == "final":
            raise Refused(failure.message, failure.status or attempt.status or 0, failure.said)
        tried = len(failures)
        failures.append(failure.kind)
        call.hangs += failure.kind == "hung"
        if (
            tried >= self.retries
            or failures.count(failure.kind) > AGAIN.get(failure.kind, self.retries)
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

    def _broken(self, error: BaseException) -> Failure:
        """What to say of a call without a whole answer, and whether it was silence until the time was up."""
        causes = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        # aiohttp's transport reports a connection that was dropped through the class of those that are slow
        if isinstance(causes[-1], TimeoutError) or type(causes[-1]).__name__.endswith("Timeout"):
            return Failure(f"no answer from {self.base_url} within {self.timeout:g} s; raise timeout=, or see whether "
                            "the server is overloaded", "hung")  # fmt: skip
        why = self._shown(str(causes[-1])) or type(causes[-1]).__name__
        message = (
            f"cannot reach {self.base_url}, or it broke off: {why}; is the server running, and is the base URL right?"
        )
        return Failure(message, "unreached", worked=False) if unsent(causes) else Failure(message)

    def _judged(self, refusal: Refusal, answer: Answer, attempt: Attempt, call: Call, api: API) -> Failure:
        """What a refusal means, and what to do about it."""
        hide = self.secrets.hide if answer.whole else self.secrets.hide_cut
        said = hide(refusal.words)[:WORDS]
        quoted = f": {said}" if said else ""
        status = refusal.status or answer.status
        named = f"{status}, inside a 200" if refusal.inside and refusal.status else str(status)
        if call.adapts(replace(refusal, words=hide(refusal.words)), attempt.body):
            return Failure(
                f"{self.base_url} refused the request ({named}){quoted}", "final", status, said, worked=refusal.worked
            )
        if refusal.passing:
            message = f"{self.base_url} {'has too much to do' if refusal.crowded else 'failed'} ({named}){quoted}"
            kind: FailureKind = "crowded" if refusal.crowded else "failed"
            return Failure(message, kind, status, said, refusal.wait, refusal.worked)
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
        return Failure(
            f"{self.base_url} refused the request ({named}){why}", "final", status, said, worked=refusal.worked
        )

    def _shown(self, text: str) -> str:
        """The words of an error, on one line, without secrets: ours, or a proxy's password."""
        line = " ".join(self.secrets.hide(text).split())
        return re.sub(r"//[^/@\s]{1,200}@", "//", line)[:300]
