"""The driver: agents that wait, fail, hang and are cancelled, on both event loops."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import FAIR, QUESTION, Slow, everywhere, speak

import moot
from moot.judges.bounded import Bounded
from moot.play import driver
from moot.testing.hostile import Hanging, Raises
from moot.transcripts.events import EventLog

DEBATE = moot.Debate(rounds=3, questions=True)
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_async_agents_play_what_programs_play(backend: Any, tmp_path: Path) -> None:
    plain = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=3)
    slow = moot.run(DEBATE, QUESTION, everywhere(DEBATE, Slow()), seed=3, backend=backend, out=tmp_path / "t.jsonl")
    assert slow.digest == plain.digest and slow.outcome == plain.outcome
    assert moot.load(tmp_path / "t.jsonl").digest == plain.digest
    asked = [event["step"] for event in slow.events() if event["event"] == "asked"]
    assert sorted(asked) == sorted(step.step for step in slow.steps())


@BACKENDS
def test_calls_of_a_round_are_in_flight_together(backend: Any) -> None:
    flying, most = 0, 0

    async def act(request: moot.Request) -> moot.Move:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await anyio.sleep(0.02)
        flying -= 1
        return speak(request)

    protocol = moot.Debate(rounds=1)
    moot.run(protocol, QUESTION, everywhere(protocol, act), backend=backend)
    assert most == 2


@BACKENDS
@pytest.mark.parametrize("late", [False, True])
def test_an_agent_that_raises_ends_in_errored(backend: Any, late: bool) -> None:
    async def fails(request: moot.Request) -> moot.Move:
        await anyio.sleep(0.001)
        raise ValueError("\ud800 no such thing")

    agent: Any = fails if late else Raises(ValueError("\ud800 no such thing"))
    transcript = moot.run(DEBATE, QUESTION, everywhere(DEBATE, Slow(), b=agent), backend=backend)
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Errored) and outcome.step == "0.1.0"
    assert "seat b failed: ValueError: \\ud800 no such thing (" in outcome.cause
    assert [event["event"] for event in transcript.events()][-2:] == ["failed", "ended"]
    assert moot.judge_reward(transcript) is None


def test_the_first_failure_is_the_outcome_and_the_rest_is_cancelled() -> None:
    started: list[str] = []

    async def hangs(request: moot.Request) -> moot.Move:
        started.append(request.seat)
        try:
            await anyio.sleep_forever()
        finally:
            started.append("gone")
        return FAIR

    protocol = moot.Debate(rounds=1)
    agents = everywhere(protocol, hangs, b=Raises(RuntimeError("down")))
    transcript = moot.run(protocol, QUESTION, agents)
    assert isinstance(transcript.outcome, moot.Errored) and "down" in transcript.outcome.cause
    async_fail = everywhere(protocol, hangs, b=lambda request: _later(RuntimeError("down")))
    started.clear()
    assert isinstance(moot.run(protocol, QUESTION, async_fail).outcome, moot.Errored)
    assert started == ["a", "gone"]


async def _later(error: Exception) -> moot.Move:
    await anyio.sleep(0.005)
    raise error


@BACKENDS
def test_cancellation_keeps_all_that_was_said(backend: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    calls = 0

    async def act(request: moot.Request) -> moot.Move:
        nonlocal calls
        calls += 1
        if calls > 4:
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()
        return speak(request)

    async def cut() -> None:
        with anyio.move_on_after(0.3):
            await moot.arun(DEBATE, QUESTION, everywhere(DEBATE, act), seed=3, out=path)

    anyio.run(cut, backend=backend)
    left = moot.load(path)
    events = [event["event"] for event in left.events()]
    assert events[-1] == "cancelled" and left.outcome is None
    assert events.count("moved") == 4
    assert left.ledger.total("lost") == events.count("asked") - 4 > 0
    said = {step.step for step in left.steps()}
    whole = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=3)
    again = Slow()
    resumed = moot.resume(path, everywhere(DEBATE, again), backend=backend)
    assert resumed.digest == whole.digest
    assert said.isdisjoint(again.calls) and len(again.calls) == len(set(again.calls))


@BACKENDS
@pytest.mark.parametrize(
    "error", [ValueError("odd"), GeneratorExit(), SystemExit(3)], ids=lambda error: type(error).__name__
)
def test_what_a_cancelled_agent_throws_changes_nothing_of_being_cancelled(
    error: BaseException, backend: Any, tmp_path: Path
) -> None:
    path, calls = tmp_path / "cut.jsonl", list[str]()
    outside: list[anyio.CancelScope] = []

    async def act(request: moot.Request) -> moot.Move:
        calls.append(request.step)
        outside[0].cancel()
        raise error

    async def cut() -> None:
        with anyio.CancelScope() as scope:
            outside.append(scope)
            await moot.arun(moot.Debate(rounds=1, order="sequential"), QUESTION, everywhere(DEBATE, act), out=path)

    anyio.run(cut, backend=backend)
    assert [event["event"] for event in moot.load(path).events()] == ["started", "asked", "cancelled"] and calls == [
        "0"
    ]


def test_inside_a_running_loop() -> None:
    async def notebook() -> moot.Transcript:
        return moot.run(DEBATE, QUESTION, everywhere(DEBATE, Slow()))

    assert isinstance(asyncio.run(notebook()).outcome, moot.Decided)

    async def awaited() -> moot.Transcript:
        return await moot.arun(DEBATE, QUESTION, everywhere(DEBATE, Slow()))

    assert isinstance(asyncio.run(awaited()).outcome, moot.Decided)


@BACKENDS
def test_a_hanging_judge_runs_out_of_seconds(backend: Any) -> None:
    protocol = moot.DirectQA()
    judge = Bounded(Hanging(), seconds=0.1)
    outcome = moot.run(protocol, QUESTION, {"judge": judge}, backend=backend).outcome
    assert isinstance(outcome, moot.Exhausted)
    assert (outcome.seat, outcome.measure, outcome.limit, outcome.step) == ("judge", "seconds", 0.1, "0")
    assert outcome.used > outcome.limit


@BACKENDS
def test_a_judge_asked_between_rounds_shares_its_seconds(backend: Any) -> None:
    protocol = moot.Debate(rounds=4, questions=True)

    async def judge(request: moot.Request) -> moot.Move:
        await anyio.sleep(0.06)
        return speak(request)

    transcript = moot.run(
        protocol, QUESTION, everywhere(protocol, speak, judge=Bounded(judge, seconds=0.15)), backend=backend
    )
    assert isinstance(transcript.outcome, moot.Exhausted) and transcript.outcome.measure == "seconds"
    assert 1 <= sum(step.seat == "judge" for step in transcript.steps()) <= 2
    assert moot.replay(transcript).digest == transcript.digest


@pytest.mark.parametrize("reads", [5, "0*n + 5"])
def test_a_judge_that_reads_too_much_is_exhausted(reads: int | str) -> None:
    def reader(request: moot.Request) -> moot.Move:
        list(request.view)
        return speak(request)

    protocol = moot.Debate(rounds=1)
    judge = Bounded(reader, reads=reads)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, lambda r: moot.Speech(text="four"), judge=judge))
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.measure, outcome.used, outcome.limit) == ("reads", 8, 5)
    assert not transcript.guarantee.holds


def test_seats_are_checked_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with pytest.raises(moot.UsageError, match="has no seat or role 'c'; its seats: a \\(debater\\)"):
        moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak, c=speak), out=path)
    with pytest.raises(moot.UsageError, match="nobody sits at 'b'"):
        moot.run(DEBATE, QUESTION, {"a": speak, "judge": speak}, out=path)
    with pytest.raises(moot.UsageError, match="cannot take a seat"):
        moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak, b=3), out=path)
    assert not path.exists()
    with pytest.raises(moot.UsageError, match="a Question or a Sample"):
        moot.run(DEBATE, "who?", everywhere(DEBATE, speak), out=path)  # type: ignore[arg-type]


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=path)
    before = path.read_bytes()
    with pytest.raises(moot.UsageError, match="exists already"):
        moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=path)
    assert path.read_bytes() == before


def test_a_reply_that_nobody_awaits_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []

    def act(request: moot.Request) -> Any:
        begun.append(_later(ValueError("never")))
        return begun[-1]

    event = EventLog.event

    def full(self: Any, name: str, *given: Any) -> None:
        if name == "asked":
            raise moot.TranscriptError("no room")
        event(self, name, *given)

    monkeypatch.setattr(EventLog, "event", full)
    with pytest.raises(moot.TranscriptError):
        moot.run(DEBATE, QUESTION, everywhere(DEBATE, act))
    assert begun and {inspect.getcoroutinestate(reply) for reply in begun} == {inspect.CORO_CLOSED}


@pytest.mark.parametrize("seconds", [1e-300, 1e-14, 1e12])
def test_a_bound_of_any_size_is_recorded_and_read(seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    played = moot.run(DEBATE, QUESTION, everywhere(DEBATE, Slow()), out=path, bounds={"judge": {"seconds": seconds}})
    assert moot.replay(moot.load(path)).digest == played.digest


# -- what a play keeps ---------------------------------------------------------------------------------------------


def test_a_game_that_has_ended_is_freed_without_being_searched_for(tmp_path: Path) -> None:
    """Circles that only a collection finds cost all plays of a process: it walks whatever is alive."""

    async def many(name: str) -> int:
        for number in range(3):
            seats = everywhere(DEBATE, Slow(), judge=Bounded(Slow(), reads=10**6))
            await moot.arun(DEBATE, QUESTION, seats, out=tmp_path / f"{name}{number}.jsonl")
        return gc.collect()

    asyncio.run(many("before"))  # imports, and what is made once
    with collected_by_hand():
        assert asyncio.run(many("then")) == 0
        game = moot.Game(DEBATE, QUESTION).start()
        game.close()
        freed = weakref.ref(game)
        del game
        assert freed() is None


def test_calls_that_are_answered_are_let_go_while_those_after_them_are_awaited() -> None:
    made: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def act(request: moot.Request) -> Any:
        async def reply() -> moot.Move:
            await anyio.lowlevel.checkpoint()
            alive.append(sum(each() is not None for each in made))
            return speak(request)

        made.append(weakref.ref(call := reply()))
        return call

    debate = moot.Debate(rounds=6)
    with collected_by_hand():
        moot.run(debate, QUESTION, everywhere(debate, act))
    assert len(alive) == 13 and max(alive) == 2, alive


@contextmanager
def collected_by_hand() -> Iterator[None]:
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@settings(deadline=None)
@given(st.lists(st.integers(0, 253_402_300_799_999), min_size=1, max_size=6), st.data())
def test_the_clock_is_told_as_the_standard_library_does(ticks: list[int], data: Any) -> None:
    """Whether it goes on, stands, jumps, or is set back."""
    near = data.draw(st.lists(st.integers(-2000, 2000), max_size=6))
    with pytest.MonkeyPatch.context() as patch:
        for tick in [*ticks, *(max(0, ticks[-1] + each) for each in near)]:
            tick = min(tick, 253_402_300_799_999)
            patch.setattr("time.time_ns", lambda now=tick: now * 1_000_000 + 999_999)
            told = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=tick)
            assert driver.now() == told.isoformat(timespec="milliseconds")
