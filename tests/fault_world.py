"""A world whose faults are drawn: time that jumps, and a model endpoint that answers in bytes and keeps its own books.

Rule: nothing of moot's engine, client or ledger is used to count here. What the endpoint worked on, what it bills and
which bytes were taken from it are known from its own side alone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest import mock

import anyio
import httpcore2
import httpx2

from moot.testing.server.replies import count_tokens, default_reply, logprob_entry

MOST_REQUESTS = 400  # of one sequence; a play that asks for more goes round in a circle
MOST_ROUNDS = 20_000  # of the event loop in one session; a long one takes a few hundred
URL = "http://127.0.0.1:9/v1"  # nobody listens there: bytes go from hand to hand
TIMEOUT = 20.0


# -- time ----------------------------------------------------------------------------------------------------------


class _Jump(selectors.DefaultSelector):
    """Does not wait: when nothing is ready, the clock goes on to the next appointment."""

    now = 0.0
    rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        self.rounds += 1
        if self.rounds > MOST_ROUNDS:
            raise RuntimeError("the play goes round in a circle")
        if not ready and timeout is None:
            raise RuntimeError("the play waits for something that will never happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """asyncio, in a time that costs nothing."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jump.now


def in_no_time(call: Callable[[], Awaitable[Any]], backend: str) -> Any:
    """Run an async call in a loop of its own, where waiting takes no time and `time.perf_counter` is the loop's clock."""
    options: dict[str, Any] = {"loop_factory": JumpingLoop}
    if backend == "trio":
        from trio.testing import MockClock

        options = {"clock": MockClock(autojump_threshold=0)}
    # the client asks for the platform's name in a thread, for which such a clock does not wait
    with mock.patch("time.perf_counter", anyio.current_time), mock.patch("openai._base_client.asyncify", _at_once):
        return anyio.run(call, backend=backend, backend_options=options)


def _at_once(call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def made(*given: Any) -> Any:
        return call(*given)

    return made


# -- what goes wrong -----------------------------------------------------------------------------------------------

Known = Literal["exact", "nothing", "unknown"]
"""What whoever asked can know of the bill: what it says; that there is none; that there may be one."""


@dataclass(frozen=True)
class Fault:
    """Something that an endpoint does instead of answering well. at: how far it gets before, as a share of the whole."""

    name: str
    at: float = 0.5


HEADERS = {"content-type": "application/json"}
_STATUS = {
    "400": (400, {}), "401": (401, {}), "408": (408, {}), "429": (429, {}), "429 soon": (429, {"retry-after": "1"}),
    "429 a minute": (429, {"retry-after": "60"}), "429 ms": (429, {"retry-after-ms": "1500"}), "500": (500, {}), "502": (502, {}),
    "503": (503, {}), "503 later": (503, {"retry-after": "20"}), "504": (504, {}), "529": (529, {}),
    "redirect": (307, {"location": "http://127.0.0.1:10/v1"}),
}  # fmt: skip
IDLE = frozenset(
    {"400", "401", "408", "429", "429 soon", "429 a minute", "429 ms", "503", "503 later", "529", "refused"}
)
"""Faults after which it is sure that nothing was worked on, so that nothing is billed."""
OVERLOAD = IDLE - {"400", "401"} | {"429 in a 200", "503 in a 200"}
_BROKEN = (
    "hung up", "reset", "stall", "cut header", "cut body", "reset body", "garbled", "no HTTP", "half JSON", "html", "half chunk",
    "too long", "too short", "empty 200", "no choices", "bad gzip", "drip for ever",
)  # fmt: skip
Does = bytes | float | type[Exception]  # bytes to send, seconds to wait, an error to break off with
_DUMB: dict[str, tuple[Does, ...]] = {
    "hung up": (), "reset": (httpcore2.ReadError,), "stall": (1e9,), "no HTTP": (b"\x16\x03 what?\r\n\r\n",),
}  # fmt: skip
_INSIDE = {"503 in a 200": 503, "429 in a 200": 429, "402 in a 200": 402}
_USAGE: dict[str, Any] = {
    "no usage": None, "usage of 0": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "usage below 0": {"prompt_tokens": -3, "completion_tokens": 5}, "usage in words": {"prompt_tokens": "many", "completion_tokens": True},
    "usage beyond all": {"prompt_tokens": 10**400, "completion_tokens": 7}, "usage half": {"prompt_tokens": 12},
    "usage a list": [1, 2],
}  # fmt: skip
_WHOLE = ("chunked", "gzip", "drip")
TEXTS: dict[str, Callable[[str], tuple[str, str]]] = {
    "no text": lambda text: ("", "stop"),
    "prose": lambda text: ("I would rather not say.", "stop"),
    "thoughts only": lambda text: (f"<think>{text}", "stop"),
    "torn text": lambda text: (text[: max(1, len(text) // 2)], "stop"),
    "cut by length": lambda text: (text[: max(1, len(text) // 2)], "length"),
    "surrogate": lambda text: (text[:-1] + "\ud800", "stop"),
}
FAULTS = ("refused", *_STATUS, *_BROKEN, *_INSIDE, *_USAGE, *_WHOLE, *TEXTS)
LASTING = frozenset({"400", "401", "redirect", "402 in a 200"})


# -- the endpoint --------------------------------------------------------------------------------------------------


@dataclass
class Served:
    """One request that arrived. bill: tokens of prompt and answer, where it was worked on. known: what the client can know
    of that, once it has the `whole` answer. good: the answer can be read."""

    number: int
    step: str
    seat: str
    body: bytes
    fault: str
    bill: tuple[int, int] | None = None
    known: Known = "unknown"
    good: bool = False
    whole: bool = False


@dataclass
class World:
    """An endpoint, the connections to it, and everything that happened there. faults: by request of the session.
    happened: called with "arrived", "answered" or "asked" whenever that has happened."""

    faults: tuple[Fault | None, ...] = ()
    happened: Callable[[str], None] = lambda what: None
    served: list[Served] = field(default_factory=list)
    refused: int = 0
    met: Counter[str] = field(default_factory=Counter)
    turn: int = 0
    schemas: dict[str, Any] = field(default_factory=dict)

    def client(self) -> httpx2.AsyncClient:
        transport = httpx2.AsyncHTTPTransport(verify=_ssl())
        transport._pool = httpcore2.AsyncConnectionPool(
            network_backend=_Network(self), max_connections=None, max_keepalive_connections=0
        )
        return httpx2.AsyncClient(transport=transport, trust_env=False)

    def next_fault(self) -> Fault | None:
        fault = self.faults[self.turn] if self.turn < len(self.faults) else None
        self.turn += 1
        if fault is not None:
            self.met[fault.name] += 1
        return fault

    def answer(self, raw: bytes, fault: Fault | None) -> tuple[Served, list[Does]]:
        """What is done about a request."""
        content = raw.partition(b"\r\n\r\n")[2]
        body = json.loads(content)
        name = "" if fault is None else fault.name
        served = Served(len(self.served), body["metadata"]["step"], body["metadata"]["seat"], content, name)
        self.served.append(served)
        assert len(self.served) < MOST_REQUESTS, f"{MOST_REQUESTS} requests for one play: it goes round in a circle"
        # asked for tags where it was asked for JSON before, it says JSON again, which is read as well
        wanted = body.get("response_format")
        if not body["metadata"]["tags"]:
            wanted = self.schemas[served.step] = wanted or self.schemas.get(served.step)
        return served, list(_played(served, {**body, "response_format": wanted}, fault or Fault("")))


def _played(served: Served, body: dict[str, Any], fault: Fault) -> Iterator[Does]:
    name, at = fault.name, fault.at
    if name in _STATUS:
        status, headers = _STATUS[name]
        served.known = "nothing" if name in IDLE else "unknown"
        yield http(json.dumps({"error": {"message": f"scripted {name}", "type": "error"}}).encode(), status, headers)
        return
    if name in _INSIDE:
        served.known = "nothing"
        yield http(json.dumps({"error": {"message": f"scripted {name}", "code": _INSIDE[name]}}).encode())
        return
    if name in _DUMB:
        yield from _DUMB[name]
        return
    made = completion(served, body, name)
    content = json.dumps(made).encode()
    served.bill = served.bill or (0, 0)
    served.known = "unknown" if name in _BROKEN or name in _USAGE else "exact"
    served.good = name not in _BROKEN and name not in TEXTS
    cut = max(1, int(at * len(content)))
    if name in ("cut body", "reset body", "too long"):
        yield http(content, length=len(content) + (50 if name == "too long" else 0))[: -1 - len(content) + cut]
        if name == "reset body":
            yield httpcore2.ReadError
    elif name == "cut header":
        head = http(content).partition(b"\r\n\r\n")[0]
        yield head[: max(1, int(at * len(head)))]
    elif name == "garbled":
        yield http(content[:cut] + b"\xff" + content[cut + 1 :])
    elif name in ("half JSON", "too short"):
        yield http(content[:-1][:cut] if name == "half JSON" else content, length=cut if name == "too short" else None)
    elif name == "html":
        yield http(b"<!doctype html><h1>Bad gateway</h1>", headers={"content-type": "text/html"})
    elif name in ("chunked", "half chunk"):
        size = len(content) + (1000 if name == "half chunk" else 0)
        yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % size
        yield content if name == "half chunk" else content + b"\r\n0\r\n\r\n"
    elif name == "empty 200":
        yield http(b"")
    elif name in ("gzip", "bad gzip"):
        packed = gzip.compress(content) if name == "gzip" else b"no gzip at all " * 9
        yield http(packed, headers={**HEADERS, "content-encoding": "gzip"})
    elif name in ("drip", "drip for ever"):
        whole, parts = http(content), 8
        for part in range(parts):
            yield (TIMEOUT / 2 if name == "drip" else 3 * TIMEOUT) / parts
            yield whole[part * len(whole) // parts : (part + 1) * len(whole) // parts]
    else:
        yield http(content)


def completion(served: Served, body: dict[str, Any], name: str) -> dict[str, Any]:
    """A chat completion. What it bills names it: no two answers have the same number of tokens."""
    logprobs = body.get("logprobs")
    text = "1" if logprobs else _said(body)
    shown, finish = TEXTS[name](text) if name in TEXTS else (text, "stop")
    served.bill = (count_tokens("".join(str(m["content"]) for m in body["messages"])) % 1000 + 1, 1 + served.number)
    usage: Any = {
        "prompt_tokens": served.bill[0], "completion_tokens": served.bill[1], "total_tokens": sum(served.bill),
        "prompt_tokens_details": {"cached_tokens": served.bill[0] // 3},
    }  # fmt: skip
    usage = _USAGE[name] if name in _USAGE else usage
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": shown}}
    if logprobs:
        choice["logprobs"] = {"content": [logprob_entry("1", {"1": 0.7, "2": 0.3}, body.get("top_logprobs") or 2)]}
    made = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    if name == "no choices":
        made["choices"] = []
    return {key: value for key, value in made.items() if value is not None}


def _said(body: dict[str, Any]) -> str:
    """What the mock model says, with probabilities that are some."""
    text = default_reply(body)
    said = json.loads(text) if body.get("response_format") else None
    if isinstance(said, dict) and isinstance(said.get("probabilities"), dict):
        rest = len(said["probabilities"]) - 1
        said["probabilities"] = {key: 0.75 / rest if place else 0.25 for place, key in enumerate(said["probabilities"])}
        return json.dumps(said)
    return text


def http(content: bytes, status: int = 200, headers: dict[str, str] | None = None, length: int | None = None) -> bytes:
    """An HTTP answer, as bytes."""
    lines = {**HEADERS, **(headers or {}), "content-length": len(content) if length is None else length}
    return (
        f"HTTP/1.1 {status} X\r\n{''.join(f'{key}: {value}' + chr(13) + chr(10) for key, value in lines.items())}\r\n".encode()
        + content
    )


class _Network(httpcore2.AsyncNetworkBackend):
    def __init__(self, world: World) -> None:
        self.world = world

    async def connect_tcp(self, *args: Any, **options: Any) -> _Stream:
        fault = self.world.next_fault()
        await anyio.lowlevel.checkpoint()
        if fault is not None and fault.name == "refused":
            self.world.refused += 1
            self.world.happened("arrived")
            raise httpcore2.ConnectError("All connection attempts failed")
        return _Stream(self.world, fault)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, world: World, fault: Fault | None) -> None:
        self.world, self.fault = world, fault
        self.raw = b""
        self.served: Served | None = None
        self.doing: list[Any] = []

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self.raw += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        await anyio.lowlevel.checkpoint()
        if self.served is None:
            self.served, self.doing = self.world.answer(self.raw, self.fault)
            self.world.happened("arrived")
            await anyio.lowlevel.checkpoint()
        while self.doing:
            now = self.doing.pop(0)
            if isinstance(now, bytes):
                if not self.doing:
                    self.served.whole = True
                    self.world.happened("answered")
                return now
            if not isinstance(now, float):
                raise now("the connection was reset")
            with anyio.move_on_after(timeout) as waiting:
                await anyio.sleep(now)
            if waiting.cancelled_caught:
                raise httpcore2.ReadTimeout("nothing came")
        return b""

    async def aclose(self) -> None:
        pass


_made: list[Any] = []


def _ssl() -> Any:
    """A context that is never used; making one takes longer than a play."""
    import ssl

    if not _made:
        _made.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return _made[0]
