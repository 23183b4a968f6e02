"""One adaptive limiter per endpoint: how many calls may be in flight, and a pause that all of them share.

The number in flight follows additive increase, multiplicative decrease (Chiu and Jain 1989, "Analysis of the increase
and decrease algorithms for congestion avoidance"): it doubles per round trip until the endpoint first pushes back
(slow start), then grows by one per round trip, and halves when the endpoint says that it has too much.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from moot.protocols.engine.errors import UsageError


class _Waiter:
    __slots__ = ("event", "admitted")

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.admitted = False


class Limiter:
    """Admits calls first come, first served; for one event loop.

    start, least, most: calls in flight at first, at the fewest and at the most. clock: seconds, monotonic (the event
    loop's own, unless given). Raises UsageError unless 1 <= least <= start <= most.

    Use: `ticket = await limiter.acquire()`, the call, and in a `finally` `limiter.release()`; then one of
    `grow()`, `shrink(ticket)`; `pause(seconds)` where the endpoint asks for one.
    """

    def __init__(
        self, start: int = 32, *, least: int = 1, most: int = 1024, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        if not 1 <= least <= start <= most:
            raise UsageError(f"a limiter needs 1 <= least <= start <= most, not {least}, {start}, {most}")
        self.least, self.most = least, most
        self._limit = float(start)
        self._slow_start = True
        self._epoch = 0
        self._running = 0
        self._paused_until = float("-inf")
        self._waiting: dict[_Waiter, None] = {}
        self._clock = clock

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    @property
    def running(self) -> int:
        """How many calls are in flight."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many calls wait to be admitted."""
        return len(self._waiting)

    async def acquire(self) -> int:
        """Wait for a place. Returns a ticket for `shrink`. When cancelled it holds no place."""
        if not self._waiting and self._running < self.limit and self._clock() >= self._paused_until:
            self._running += 1
            return self._epoch
        waiter = _Waiter()
        self._waiting[waiter] = None
        try:
            self._admit()
            while not waiter.admitted:
                left = self._paused_until - self._clock()
                if left > 0:
                    with anyio.move_on_after(left):
                        await waiter.event.wait()
                else:
                    await waiter.event.wait()
                if not waiter.admitted:
                    waiter.event = anyio.Event()
                    self._admit()
        except BaseException:
            if waiter.admitted:
                self.release()
            else:
                self._waiting.pop(waiter, None)
            raise
        return self._epoch

    def release(self) -> None:
        """Give a place back."""
        self._running -= 1
        self._admit()

    def grow(self) -> None:
        """A call went through. The limit grows only while it is what holds calls back."""
        if self._running + 1 >= self.limit or self._waiting:
            step = 1.0 if self._slow_start else 1.0 / self._limit
            self._limit = min(float(self.most), self._limit + step)
            self._admit()

    def shrink(self, ticket: int) -> None:
        """The endpoint has too much. Calls that started before the last decrease do not count again: a burst of
        refusals is one sign, not many."""
        if ticket < self._epoch:
            return
        self._epoch += 1
        self._slow_start = False
        self._limit = max(float(self.least), self._limit / 2)

    def pause(self, seconds: float) -> None:
        """Admit nobody for this long. A longer pause that is under way stays."""
        until = self._clock() + max(0.0, seconds)
        if until > self._paused_until:
            self._paused_until = until
            for waiter in self._waiting:
                waiter.event.set()

    def _admit(self) -> None:
        if not self._waiting or self._clock() < self._paused_until:
            return
        while self._waiting and self._running < self.limit:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.admitted = True
            self._running += 1
            waiter.event.set()
