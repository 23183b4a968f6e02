"""One adaptive limiter per endpoint: how many calls may be in flight, and a pause that all of them share.
Rule: it counts and waits; nothing is sent here, and what counts as being pushed back is the endpoint's to say.

The number in flight follows additive increase, multiplicative decrease (Chiu and Jain 1989, "Analysis of the increase
and decrease algorithms for congestion avoidance"): it doubles per round trip until the endpoint first pushes back
(slow start), then grows by one per round trip, and halves when the endpoint says that it has too much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar

import anyio

from moot.protocols.engine.errors import UsageError


class Limiter:
    """Admits calls first come, first served; for one event loop.

    start, most: calls in flight at first, and at the most. running: how many are in flight, or have a place and wait for the
    end of a pause. Raises UsageError unless 1 <= start <= most.

    Use: `ticket = await limiter.acquire()`, the call, and in a `finally` `limiter.release()`; then one of
    `grow()`, `shrink(ticket)`; `pause(seconds)` where the endpoint asks for one.
    """

    def __init__(self, start: int = 32, *, most: int = 1024) -> None:
        if not 1 <= start <= most:
            raise UsageError(f"a limiter needs 1 <= start <= most, not {start}, {most}")
        self.most = most
        self._limit = float(start)
        self._slow_start = True
        self._epoch = 0
        self._paused_until = float("-inf")
        self.running = 0
        self._queue: deque[anyio.Event] = deque()  # of those who wait for a place

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._queue)

    @property
    def free(self) -> bool:
        """Whether a call would be let in at once."""
        paused = self._paused_until > float("-inf") and self._paused_until > anyio.current_time()
        return not self._queue and self.running < self.limit and not paused

    async def acquire(self) -> int:
        """Wait for a place, and for the end of a pause. Returns a ticket for `shrink`. When cancelled it holds no place."""
        if self._queue or self.running >= self.limit:
            await self._turn()
        else:
            self.running += 1
        until = float("-inf")
        if self._paused_until == until:
            return self._epoch
        try:
            while (left := self._paused_until - anyio.current_time()) > 0 and self._paused_until > until:  # it may grow
                until = self._paused_until
                await anyio.sleep(left)
        except BaseException:
            self.release()
            raise
        return self._epoch

    async def _turn(self) -> None:
        """Wait for a place, behind those who wait already."""
        turn = anyio.Event()
        self._queue.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.release()
            else:
                self._queue.remove(turn)
            raise

    def release(self) -> None:
        """Give a place back."""
        self.running -= 1
        self._admit()

    def _admit(self) -> None:
        """Give the places that there are to those who wait, first come, first served."""
        while self._queue and self.running < self.limit:
            self.running += 1
            self._queue.popleft().set()

    def grow(self) -> None:
        """A call went through. The limit grows only while it is what holds calls back."""
        if self.running + 1 >= self.limit:
            step = 1.0 if self._slow_start else 1.0 / self._limit
            self._set(min(float(self.most), self._limit + step))

    def shrink(self, ticket: int) -> None:
        """The endpoint has too much. Calls from before the last decrease do not count again: a burst is one sign."""
        if ticket >= self._epoch:
            self._epoch += 1
            self._slow_start = False
            self._set(max(1.0, self._limit / 2))

    def pause(self, seconds: float) -> None:
        """Let nobody begin for this long. A longer pause that is under way stays."""
        self._paused_until = max(self._paused_until, anyio.current_time() + seconds)

    def _set(self, limit: float) -> None:
        self._limit = limit
        self._admit()


shared: ContextVar[Callable[[str], Limiter] | None] = ContextVar("moot_limiters", default=None)
"""Makes the limiter of a place, where other processes share it; without one each event loop has its own."""


def limiter_of(place: str) -> Limiter:
    """A limiter for an endpoint that was not asked before in this event loop."""
    make = shared.get()
    return Limiter() if make is None else make(place)
