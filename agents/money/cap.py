"""A cap on money and tokens: every call sets its upper bound aside before it is sent, and gives back what it did not take.
Rule: one account for all that runs inside it; a call that does not fit is not made, and its play stops so that it can be
resumed. A call of which nobody says what it took is charged its bound.

    with moot.Cap(5.00) as cap:
        transcript = moot.run(…)
    cap.spent
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel

from moot.agents.base import describe
from moot.agents.money.models import models_in, recorded
from moot.agents.money.prices import Prices
from moot.agents.money.usage import Usage, tokens_in
from moot.protocols.engine.errors import MootError, UsageError

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
TEMPLATE = 512  # tokens that a chat template may add
IMAGE = 50_000  # tokens that one image may take: gpt-4o-mini, 2833 and 5667 for each of up to 8 tiles (OpenAI, "Images and vision")


class CapReached(MootError):
    """The next call might cost more than a cap leaves. It was not made; the play can be resumed under a higher cap."""


@dataclass(slots=True)
class Hold:
    """What is set aside for one attempt. number: its place among those of the cap. cost, took: the money and tokens that it took,
    once it is known to be so much, or their bounds. bound is 0 where money has no limit."""

    cap: Cap
    number: int
    bound: float
    tokens: int = 0
    cost: float | None = None
    took: int = 0

    def charge(self, cost: float | None, tokens: int | None = None) -> None:
        """The attempt was made and took so much; None: nobody says."""
        if self.cost is None:
            self.cost = self.bound if cost is None else cost
            self.took = self.tokens if tokens is None else tokens
            self.cap._settle(self.cost, self.took)

    def release(self) -> bool:
        """Give it all back, if no attempt was made. Whether that was so."""
        unused = self.cost is None
        if unused:
            self.charge(0.0, 0)
        return unused


class Cap:
    """At most so much money, in the currency of the prices, and at most so many tokens, of prompts and answers together, for all
    model calls of plays that run inside it (`with`).

    most: the cap on money. spent: what counts against it already; then what was paid, with unknown costs at their bounds. held: what
    is set aside for calls in flight. tokens: the cap on tokens; used: what counts against it already, then what was taken; a
    call can take a token for each byte of what is sent, and all that it allows for its answers. refused: why a call was not made, once
    one was not. Calls that fit only if others take less than their bounds wait for those. What programs of one's own call without moot is
    not seen. Raises UsageError on what is no amount, or inside another cap.
    """

    def __init__(
        self, most: float | None = None, spent: float = 0.0, *, tokens: int | None = None, used: int = 0
    ) -> None:
        if (most is not None or tokens is None) and (
            isinstance(most, bool) or not isinstance(most, (int, float)) or not 0 < most < math.inf
        ):
            raise UsageError(f"the cap is {most!r}; it must be an amount of money over 0, such as 5.00")
        if tokens is not None and (type(tokens) is not int or tokens < 1):
            raise UsageError(f"the cap on tokens is {tokens!r}; it must be a whole number over 0, such as 1_000_000")
        self.most, self.spent = math.inf if most is None else float(most), spent
        self.tokens, self.used = tokens, used
        self.refused: str | None = None
        self.holds: dict[int, Hold] = {}  # of attempts under way, by number
        self._count, self._lock = 0, threading.Lock()
        self._loop: object = None  # the one in which there are holds
        self._freed: anyio.Event | None = None
        self._token: Token[Cap | None] | None = None

    def __enter__(self) -> Cap:
        if _cap.get() is not None:
            raise UsageError("there is a cap around this already; give one of them alone")
        self._token = _cap.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._token is not None
        _cap.reset(self._token)

    @property
    def held(self) -> float:
        """What is set aside for calls in flight; added up each time, so that nothing is left of it by rounding."""
        return math.fsum(hold.bound for hold in self.holds.values() if hold.cost is None)

    @property
    def paying(self) -> bool:
        """Whether money has a limit."""
        return self.most < math.inf

    @property
    def left(self) -> float:
        """What may still be spent, calls in flight not counted."""
        return max(0.0, self.most - self.spent)

    @property
    def tokens_left(self) -> float:
        """How many tokens may still be taken, calls in flight not counted."""
        return math.inf if self.tokens is None else max(0, self.tokens - self.used)

    @property
    def recorded(self) -> dict[str, Any]:
        """What the record of a play says of it."""
        tokens = {} if self.tokens is None else {"cap_tokens": self.tokens}
        return ({"cap": self.most} if self.paying else {}) | tokens

    def check(self, seats: Mapping[str, Any], left: float | None = None) -> None:
        """Raise UsageError, before anybody is called, where a seat's model has no known price, or one answer of it can cost
        more than the whole cap. left: instead, than this, which is left of it."""
        left = self.most if left is None else left
        for seat, agent in seats.items():
            for model in models_in(describe(agent)):
                if self.tokens is not None:
                    self._room_for(seat, model)
                if not self.paying:
                    continue
                if (prices := recorded(model)) is None:
                    raise UsageError(unpriced(str(model["model"]), f" of seat {seat}"))
                if prices.cache_write is None and writes(model):
                    raise UsageError(unwritten(f"{model['model']} of seat {seat}"))
                least = prices.most(TEMPLATE, float(model.get("max_tokens") or 0))
                if least > left:
                    raise UsageError(
                        f"seat {seat}: one answer of {model['model']} ({model['max_tokens']} tokens) can cost {least:.6g}, and "
                        f"{left:.6g} is left of the cap of {self.most:.6g}: raise the cap, or lower max_tokens"
                    )

    def _room_for(self, seat: str, model: Mapping[str, Any]) -> None:
        """Raise UsageError where one answer of a model can take more tokens than are left."""
        if not (answer := model.get("max_tokens")):
            raise UsageError(unlimited(f"{model['model']} of seat {seat}"))
        if (least := TEMPLATE + answer) > self.tokens_left:
            raise UsageError(
                f"seat {seat}: one answer of {model['model']} can take {least} tokens, its prompt not counted, and {self.tokens_left} "
                f"are left of the cap of {self.tokens}: raise the cap, or lower max_tokens"
            )

    async def hold(self, bound: float, waiting: Callable[[], AbstractContextManager[Any]], tokens: int = 0) -> Hold:
        """Set `bound` and `tokens` aside, once they fit. Raises CapReached, and stops the play, where they never will; UsageError
        where plays of another event loop have calls in flight."""
        while (hold := self._taken(bound, tokens)) is None:
            if (refused := self._never(bound, tokens)) is not None:
                self.refused = refused
                stop_play()
                raise CapReached(self.refused)
            self._freed = self._freed or anyio.Event()
            with waiting():
                await self._freed.wait()
        return hold

    def _never(self, bound: float, tokens: int) -> str | None:
        """Why a call does not fit, whatever those in flight give back."""
        if self.spent + bound > self.most:
            return f"the next call can cost {bound:.6g}, and {self.left:.6g} is left of the cap of {self.most:.6g}; it was not made"
        if self.tokens is not None and self.used + tokens > self.tokens:
            left = f"{self.tokens_left} are left of the cap of {self.tokens}"
            return f"the next call can take {tokens} tokens, and {left}; it was not made"
        return None

    def _taken(self, bound: float, tokens: int) -> Hold | None:
        with self._lock:
            loop = anyio.lowlevel.current_token()
            if self.holds and loop != self._loop:  # who waits in one loop cannot be woken from another
                raise UsageError(
                    "plays in several event loops, or threads, are under one cap at the same time: run them in one loop, with "
                    "moot.arun in a task group, or give each thread a cap"
                )
            if self.spent + self.held + bound > self.most:
                return None
            aside = sum(hold.tokens for hold in self.holds.values() if hold.cost is None)
            if self.tokens is not None and self.used + aside + tokens > self.tokens:
                return None
            self._loop, self._count = loop, self._count + 1
            self.holds[self._count] = hold = Hold(self, self._count, bound, tokens)
            return hold

    def _settle(self, cost: float, tokens: int) -> None:
        self.spent += cost if self.paying else 0.0
        self.used += tokens
        if self._freed is not None:
            self._freed.set()
            self._freed = None


_cap: ContextVar[Cap | None] = ContextVar("moot_cap", default=None)
_NOTHING_HELD: AbstractAsyncContextManager[None] = nullcontext()
_stop: ContextVar[Callable[[], None] | None] = ContextVar("moot_stop", default=None)


def begun(seats: Mapping[str, Any]) -> dict[str, Any]:
    """What is recorded of the cap in force when a play begins, once it is checked against whoever sits there: `cap`, `cap_tokens`."""
    if (cap := _cap.get()) is None:
        return {}
    cap.check(seats)
    return cap.recorded


def in_force() -> Cap | None:
    """The cap that this runs inside."""
    return _cap.get()


def stop_play() -> None:
    """Cancel the play that this runs in, since a call of it does not fit under a cap."""
    if (stop := _stop.get()) is not None:
        stop()


@contextmanager
def stoppable() -> Iterator[None]:
    """What runs inside ends, cancelled, where a call of it does not fit under the cap."""
    if _cap.get() is None:
        yield
        return
    with anyio.CancelScope() as scope:
        token = _stop.set(scope.cancel)
        try:
            yield
        finally:
            _stop.reset(token)


def paid(
    body: Mapping[str, Any], prices: Prices | None, note: Callable[[dict[str, Any]], None],
    waiting: Callable[[], AbstractContextManager[Any]],
) -> AbstractAsyncContextManager[Hold | None]:  # fmt: skip
    """What is set aside for one attempt to send a body, noted before it is sent; None where there is no cap. body: as its API
    has it. Raises UsageError where the most that it can cost is unknown, and CapReached."""
    cap = _cap.get()
    return _NOTHING_HELD if cap is None else _held(cap, body, prices, note, waiting)


@asynccontextmanager
async def _held(
    cap: Cap, body: Mapping[str, Any], prices: Prices | None, note: Callable[[dict[str, Any]], None],
    waiting: Callable[[], AbstractContextManager[Any]],
) -> AsyncIterator[Hold]:  # fmt: skip
    tokens = sum(tokens_of(body))
    bound = most_of(body, prices) if cap.paying else 0.0

    def most(number: int, bound: float, tokens: int) -> dict[str, Any]:
        told = {"at_most": bound} if cap.paying else {}
        return {"event": "reserved", "hold": number, **told, "most_tokens": tokens, "model": body.get("model")}

    try:
        hold = await cap.hold(bound, waiting, tokens)
    except CapReached:
        money = {"at_most": bound, "left": cap.left} if cap.paying else {}
        counted = {} if cap.tokens is None else {"most_tokens": tokens, "tokens_left": cap.tokens_left}
        note({"event": "capped", **money, **counted, **cap.recorded})
        raise
    try:
        note(most(hold.number, bound, tokens))
        yield hold
    finally:
        try:
            if hold.release():
                note(most(hold.number, 0.0, 0))
        finally:
            del cap.holds[hold.number]


def booked(name: str, event: Mapping[str, Any]) -> bool:
    """Whether an event that is about to be noted says of money what the cap in force has just done, so that no program can
    note that something was set aside, paid or refused."""
    cap = _cap.get()
    if cap is None:
        return False
    if name == "capped":
        return cap.refused is not None and cap.recorded.items() <= event.items()
    hold = cap.holds.get(event["hold"]) if type(event.get("hold")) is int else None
    if hold is None:
        return False
    if name == "reserved":
        bound, tokens = (hold.bound, hold.tokens) if hold.cost is None else (hold.cost, hold.took)
        return event.get("at_most") == (bound if cap.paying else None) and event.get("most_tokens") == tokens
    if name != "attempted" or hold.cost is None:
        return False
    cost, took = event.get("cost"), tokens_in(event)
    return hold.cost == (hold.bound if cost is None else cost) and hold.took == (hold.tokens if took is None else took)


def most_of(body: Mapping[str, Any], prices: Prices | None) -> float:
    """The most that an answer to a request can cost: a token for each byte of it, and every token that it allows. Raises
    UsageError where that is unknown."""
    model = str(body.get("model"))
    if prices is None:
        raise UsageError(unpriced(model))
    tokens = tokens_of(body)
    if prices.cache_write is None and '"cache_control"' in json.dumps(body, default=str):
        raise UsageError(unwritten(model))
    return prices.most(*tokens)


def tokens_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """The most tokens that the prompt and the answers to a request can take: one for each byte of it, and every one that it
    allows. Raises UsageError where nothing limits the answers."""
    limits = [body[name] for name in LIMITS if isinstance(body.get(name), int)]
    if not limits:
        raise UsageError(unlimited(str(body.get("model"))))
    text = json.dumps(body, ensure_ascii=False, default=str)
    images = text.count('"image_url":') + text.count('"type": "image"') + text.count('"input_image"')
    prompt = len(text.encode("utf-8", "surrogatepass")) + TEMPLATE + IMAGE * images
    return prompt, max(limits) * int(body.get("n") or 1)


def pricing(seats: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], float | None]:
    """What an attempt that was recorded without a cost has cost, by the prices that the seats' models have now."""
    known = {
        (seat, model["model"]): recorded(model) for seat, agent in seats.items() for model in models_in(describe(agent))
    }  # fmt: skip

    def priced(event: Mapping[str, Any]) -> float | None:
        prices = known.get((str(event["seat"]), event.get("model")))
        prompt, completion, read = map(event.get, ("prompt_tokens", "completion_tokens", "cached_tokens"))
        used = Usage(prompt, completion, read, cache_write_tokens=event.get("cache_write_tokens"))
        prices = prices.batched() if prices is not None and event.get("batch") else prices
        return None if prices is None else prices.cost(used)

    return priced


def unlimited(model: str) -> str:
    """That a cap cannot hold where answers have no limit."""
    return f"nothing limits the answers of {model}, so that a cap cannot hold: give max_tokens"


def unpriced(model: str, whose: str = "") -> str:
    """That a cap cannot hold without a price, and how one is given."""
    return (
        f"the price of {model}{whose} is unknown, so that a cap cannot hold: give --prices FILE, MOOT_PRICES, "
        "prices = [PROMPT, COMPLETION] in its [agents.NAME], or LM(prices=)"
    )


def writes(model: Mapping[str, Any]) -> bool:
    """Whether a model, by its description, is asked to write to its provider's cache: Anthropic's own API is, unless marks are
    turned off, as moot then sets them."""
    extra = model.get("extra_body")
    mark = extra.get("cache_control", 0) if isinstance(extra, Mapping) else 0
    return mark is not None if mark != 0 else model.get("api") == "messages"


def unwritten(model: str) -> str:
    """That a cap cannot hold without a price of what is written to a cache."""
    return (
        f"{model} is asked to write to its provider's cache, and what that costs is unknown, so that a cap cannot hold: give "
        "cache_write in the price file (a fourth number of prices), or turn it off: extra_body = {cache_control = None}"
    )
