"""What every request passes, and every answer: the host it was sent to, how large it is, how often it comes, where a form was sent from,
and the headers that keep what is hostile in a page from doing anything.

Rule of this file: refusals and headers; it knows no page. Each refusal says what was wrong, in plain text.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 1 << 16
"""The most bytes of a body."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer a form says of no origin where it comes from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "[::]")
"""What a server listens on that may be asked by whatever address its machine has."""


class Bucket:
    """How often each of many may come: `burst` at once, and `rate` a second in the long run. Those who have not come for longest are
    forgotten where there are more than `most`."""

    def __init__(
        self, rate: float, burst: float, most: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self.most, self.clock = rate, burst, most, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> bool:
        """Whether they may come now, which counts."""
        now = self.clock()
        left, then = self._held.pop(who, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.rate)
        allowed = left >= 1
        self._held[who] = (left - allowed, now)
        while len(self._held) > self.most:
            self._held.popitem(last=False)
        return allowed


class Refused(HTTPException):
    """A request that is not let in: the status and what to say."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why + "\n")


class Guarded:
    """An application behind its guard.

    hosts: the names under which it may be asked (no port), so that no other site's name leads here (DNS rebinding); with one of `EVERYWHERE`, also
    any address in numbers, which no site can make its own. origins: where forms may
    come from besides the address that was asked, for a proxy that is known to the world by another: "https://judge.example.org". most: requests a second of
    one client, in the long run; ten times as many at once.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK, origins: Collection[str] = (), most: float = 20
    ) -> None:
        self.app, self.hosts, self.origins = app, frozenset(map(str.lower, hosts)), frozenset(origins)
        self.bucket = Bucket(most, 10 * most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # there are no web sockets here
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name != "cache-control" or name not in headers:
                        headers[name] = value
            await send(message)

        try:
            self._let_in(scope)
            await self.app(scope, _bounded(receive, Headers(scope=scope)), sending)
        except Refused as problem:
            if begun:
                raise
            await PlainTextResponse(problem.detail, problem.status_code)(scope, receive, sending)
        except ClientDisconnect:  # in the middle of a body: there is nobody to answer
            pass

    def _let_in(self, scope: Scope) -> None:
        headers, client = Headers(scope=scope), scope.get("client")
        if not self.bucket.take(client[0] if client else ""):
            raise Refused(429, "too many requests; wait a moment")
        host = headers.get("host", "")
        name = _name(host)
        if name not in self.hosts and not (_in_numbers(name) and not self.hosts.isdisjoint(EVERYWHERE)):
            raise Refused(
                400, "this server is not known by that name; start it with --host, or --public-url behind a proxy"
            )
        if scope["method"] in ("GET", "HEAD"):
            return
        if scope["method"] != "POST":
            raise Refused(405, "there is only GET and POST here")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = {f"http://{host}", f"https://{host}"} if not self.origins else self.origins
        if origin not in own if origin is not None else site not in ("same-origin", "none"):
            raise Refused(403, "a form is taken only from this server's own pages")


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _in_numbers(name: str) -> bool:
    try:
        return bool(ip_address(name.strip("[]")))
    except ValueError:
        return False


def _bounded(receive: Receive, headers: Headers) -> Receive:
    """The body, up to `LARGEST` bytes. Raises Refused beyond."""
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told[:12]) > LARGEST:
        raise Refused(413, f"a body has at most {LARGEST} bytes here")
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST:
            raise Refused(413, f"a body has at most {LARGEST} bytes here")
        return message

    return bounded
