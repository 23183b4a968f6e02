"""One adaptive limit per endpoint on the calls in flight: halved when the endpoint says that it is too much, grown by one
for every round of calls that went well (additive increase, multiplicative decrease)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Limiter:
    """At most `limit` calls at a time, and none before a pause that the endpoint asked for is over. Waiters are served
    in the order in which they came; a cancelled one gives up its place."""

    def __init__(self, start: int = 32, most: int = 1024) -> None:
        self.most = most
        self._places = anyio.CapacityLimiter(start)
        self._good = 0
        self._until = 0.0
        self._shrunk = 0.0

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._places.total_tokens)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place for the length of a call."""
        borrower = object()
        await self._places.acquire_on_behalf_of(borrower)
        try:
            while anyio.current_time() < self._until:  # another call may have put it off meanwhile
                await anyio.sleep_until(self._until)
            yield
        finally:
            self._places.release_on_behalf_of(borrower)

    def went_well(self) -> None:
        """A call came back: after as many as the limit, allow one more at a time."""
        self._good += 1
        if self._good >= self.limit and self.limit < self.most:
            self._good = 0
            self._places.total_tokens += 1

    def too_much(self, pause: float) -> None:
        """The endpoint refused for load. Halve the limit (once per pause: calls in flight together are one signal)
        and start nothing for `pause` seconds."""
        now = anyio.current_time()
        if now >= self._shrunk:
            self._places.total_tokens = max(1, self.limit // 2)
            self._shrunk = now + max(pause, 0.1)
            self._good = 0
        self._until = max(self._until, now + pause)
