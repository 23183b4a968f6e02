"""What a worker may do only with the owner's leave: begin a call at an endpoint, and spend money.

Rule of this file: each call asks, over the connection that is open anyway; so one limiter and one cap hold for all workers, and nothing
that was lent lies idle with one of them. What a lost worker had been granted, its owner takes back (`owner.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import anyio

from moot.agents.models.limiter import Limiter
from moot.agents.money.cap import Cap, CapReached, Hold, stop_play

Send = Callable[..., None]


class Asking:
    """Questions to the owner that wait for their answers."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self._count = 0
        self._waiting: dict[int, tuple[anyio.Event, list[dict[str, Any]]]] = {}

    async def ask(self, say: str, **told: Any) -> dict[str, Any]:
        """The owner's answer. When cancelled, what was asked for is given back once it comes."""
        self._count += 1
        number = self._count
        event, found = self._waiting[number] = anyio.Event(), []
        self.send(say=say, id=number, **told)
        try:
            await event.wait()
        except BaseException:
            for answer in found:  # it came, and nobody makes use of it
                self._return(answer)
            raise
        finally:
            del self._waiting[number]
        return found[0]

    def heard(self, answer: dict[str, Any]) -> None:
        """Hand on an answer; where nobody waits for it any more, what it grants goes back."""
        if (waiting := self._waiting.get(answer["id"])) is None:
            return self._return(answer)
        waiting[1].append(answer)
        waiting[0].set()

    def _return(self, answer: dict[str, Any]) -> None:
        if answer["do"] == "admitted":
            self.send(say="release", place=answer["place"])
        elif answer["refused"] is None:
            self.send(say="charge", hold=answer["hold"], cost=0.0)


class LeasedLimiter(Limiter):
    """The owner's limiter of a place, as `Limiter`."""

    def __init__(self, place: str, asking: Asking) -> None:
        self._place, self._asking = place, asking

    @property
    def free(self) -> bool:
        return False  # it must always be asked for, and the seat's clock stands meanwhile

    async def acquire(self) -> int:
        return int((await self._asking.ask("acquire", place=self._place))["ticket"])

    def release(self) -> None:
        self._asking.send(say="release", place=self._place)

    def grow(self) -> None:
        self._asking.send(say="grow", place=self._place)

    def shrink(self, ticket: int) -> None:
        self._asking.send(say="shrink", place=self._place, ticket=ticket)

    def pause(self, seconds: float) -> None:
        self._asking.send(say="pause", place=self._place, seconds=seconds)


class LeasedHold(Hold):
    """Money that the owner has set aside."""

    __slots__ = ()

    def charge(self, cost: float | None, tokens: int | None = None) -> None:
        if self.cost is None:
            super().charge(cost, tokens)
            assert isinstance(self.cap, LeasedCap)
            self.cap.asking.send(say="charge", hold=self.number, cost=self.cost)


class LeasedCap(Cap):
    """The owner's cap. `spent` is as of what was last heard."""

    def __init__(self, most: float, asking: Asking) -> None:
        super().__init__(most)
        self.asking = asking

    async def hold(self, bound: float, waiting: Callable[[], AbstractContextManager[Any]], tokens: int = 0) -> Hold:
        with waiting():
            answer = await self.asking.ask("hold", bound=bound)
        self.spent = float(answer["spent"])
        if answer["refused"] is not None:
            self.refused = str(answer["refused"])
            stop_play()
            raise CapReached(self.refused)
        made = self.holds[answer["hold"]] = LeasedHold(self, int(answer["hold"]), bound, tokens)
        return made
