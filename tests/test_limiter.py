"""The adaptive limiter: never over its limit, never stuck, nobody overtaken, nothing lost to a cancellation."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from moot.agents.models.limiter import Limiter
from moot.protocols.engine.errors import UsageError

calls = st.lists(
    st.tuples(
        st.floats(0, 3),  # when it comes
        st.floats(0.01, 2),  # how long it takes
        st.sampled_from(["ok", "ok", "ok", "crowded", "pause", "failed"]),
        st.one_of(st.none(), st.floats(0, 3)),  # when it is cancelled
    ),
    min_size=1,
    max_size=40,
)


def on_virtual_time(main: Any) -> Any:
    return anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


@settings(max_examples=150, deadline=None)
@given(calls, st.integers(1, 8))
def test_every_call_is_served_or_cancelled_and_places_come_back(plan: Any, start: int) -> None:
    async def main() -> None:
        limiter = Limiter(start, most=16)
        most_seen, served, cancelled = 0, 0, 0

        async def one(at: float, took: float, end: str, cancel: float | None) -> None:
            nonlocal most_seen, served, cancelled
            await anyio.sleep(at)
            with anyio.move_on_after(math.inf if cancel is None else cancel) as scope:
                ticket = await limiter.acquire()
                try:
                    most_seen = max(most_seen, limiter.running)
                    assert limiter.running <= 16
                    await anyio.sleep(took)
                finally:
                    limiter.release()
                if end == "ok":
                    limiter.grow()
                elif end in ("crowded", "pause"):
                    limiter.shrink(ticket)
                    if end == "pause":
                        limiter.pause(took)
                served += 1
            cancelled += scope.cancelled_caught

        with anyio.fail_after(10_000):  # of virtual time: stuck would be an error
            async with anyio.create_task_group() as group:
                for each in plan:
                    group.start_soon(one, *each)
        assert (limiter.running, limiter.waiting) == (0, 0)
        assert served + cancelled == len(plan)
        assert 1 <= limiter.limit <= 16 and most_seen <= 16

    on_virtual_time(main)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(2, 30))
def test_first_come_first_served_and_never_more_than_the_limit(start: int, count: int) -> None:
    async def main() -> None:
        limiter = Limiter(start)
        order: list[int] = []

        async def one(i: int) -> None:
            await anyio.sleep(i / 1000)
            await limiter.acquire()
            assert limiter.running <= start
            order.append(i)
            await anyio.sleep(1)
            limiter.release()

        async with anyio.create_task_group() as group:
            for i in range(count):
                group.start_soon(one, i)
        assert order == list(range(count))

    on_virtual_time(main)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 100), st.integers(1, 10))
def test_nobody_is_admitted_in_a_pause_even_those_already_waiting(seconds: float, count: int) -> None:
    async def main() -> None:
        limiter = Limiter(1)
        await limiter.acquire()
        admitted: list[float] = []

        async def one() -> None:
            await limiter.acquire()
            admitted.append(anyio.current_time())
            limiter.release()

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)
            await anyio.sleep(1)
            begun = anyio.current_time()
            limiter.pause(seconds)
            limiter.pause(seconds / 2)
            limiter.release()
        assert len(admitted) == count
        assert all(at >= begun + seconds - 1e-9 for at in admitted)

    on_virtual_time(main)


def test_a_burst_of_refusals_is_one_sign() -> None:
    async def main() -> int:
        limiter = Limiter(16)
        tickets = [await limiter.acquire() for _ in range(10)]
        for ticket in tickets:
            limiter.release()
            limiter.shrink(ticket)
        return limiter.limit

    assert on_virtual_time(main) == 8


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_grows_by_one_per_round_trip_after_a_decrease(backend: str) -> None:
    async def main() -> list[int]:
        limiter = Limiter(8)
        limiter.shrink(await limiter.acquire())
        limiter.release()
        sizes = []
        for _ in range(3):
            held = [await limiter.acquire() for _ in range(limiter.limit)]
            for _ in held:
                limiter.grow()
            for _ in held:
                limiter.release()
            sizes.append(limiter.limit)
        return sizes

    assert anyio.run(main, backend=backend) == [4, 5, 6] or anyio.run(main, backend=backend) == [5, 6, 7]


def test_idle_calls_do_not_raise_the_limit() -> None:
    async def main() -> int:
        limiter = Limiter(8)
        for _ in range(100):
            await limiter.acquire()
            limiter.release()
            limiter.grow()
        return limiter.limit

    assert on_virtual_time(main) == 8


def test_bad_bounds() -> None:
    with pytest.raises(UsageError, match="1 <= start <= most"):
        Limiter(0)
