"""How a play ends when an agent throws what no Exception is, when it is cancelled from outside, and when it cannot be read.
Rule: agents that throw, and who else is told; what models and endpoints throw is tested with them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from cli_calls import call
from hypothesis import given, settings
from hypothesis import strategies as st
from players import FAIR, QUESTION, Slow, everywhere, speak

import moot
from moot.agents.base import describe
from moot.judges.panel import Panel
from moot.protocols.engine.replies import as_data
from moot.transcripts.display.words import ending
from moot.transcripts.events import EventLog, event_body, played_part

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
ORDERS = ("simultaneous", "sequential")


class Mute(Exception):
    """It has nothing to say, and says so by failing."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Strange(BaseException):
    """No Exception."""


THROWN: dict[str, Callable[[], BaseException]] = {
    "cancelled": asyncio.CancelledError, "exit": lambda: SystemExit(0), "generator": GeneratorExit, "mute": Mute, "strange": Strange,
    "group": lambda: ExceptionGroup("two", [ValueError("x"), TypeError("y")]), "stop": StopAsyncIteration, "value": ValueError,
    "base group": lambda: BaseExceptionGroup("two", [asyncio.CancelledError(), ValueError("x")]),
    "no budget": lambda: moot.BudgetExceeded("reads", "many", None),  # type: ignore[arg-type]
}  # fmt: skip


class Garbage:
    """An awaitable that waits for nothing that there is."""

    def __await__(self) -> Any:
        yield 3


async def cancels_itself(request: moot.Request) -> moot.Move:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await anyio.lowlevel.checkpoint()
    return speak(request)


async def awaits_what_was_cancelled(request: moot.Request) -> moot.Move:
    task = asyncio.ensure_future(asyncio.sleep(10))
    task.cancel()
    await task
    return speak(request)


def thrower(make: Callable[[], BaseException], late: bool) -> Any:
    async def later(request: moot.Request) -> moot.Move:
        await anyio.lowlevel.checkpoint()
        raise make()

    def at_once(request: moot.Request) -> moot.Move:
        raise make()

    return later if late else at_once


def ended(
    agent: Any, other: Any = speak, order: Any = ORDERS[0], backend: Any = "asyncio"
) -> tuple[moot.Transcript, int]:
    """A debate with `agent` at a and `other` at b, and how often `agent` was called."""
    calls = 0

    def counted(request: moot.Request) -> Any:
        nonlocal calls
        calls += 1
        return agent(request)

    protocol = moot.Debate(rounds=1, order=order)
    seats = everywhere(protocol, speak, a=counted, b=other)
    return moot.run(protocol, QUESTION, seats, backend=backend), calls


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(THROWN)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(ORDERS),
    st.sampled_from(["asyncio", "trio"]),
)
def test_whatever_an_agent_throws_is_one_failure_at_its_step(
    what: str, late: bool, beside: bool, order: str, backend: str
) -> None:
    transcript, calls = ended(thrower(THROWN[what], late), Slow() if beside else speak, order, backend)
    outcome, step = transcript.outcome, "0.0.0" if order == "simultaneous" else "0"
    assert isinstance(outcome, moot.Errored) and outcome.step == step and calls == 1
    assert [event["step"] for event in transcript.events() if event["event"] == "failed"] == [step]
    assert moot.replay(transcript).digest == transcript.digest


@pytest.mark.parametrize("agent", [cancels_itself, awaits_what_was_cancelled, lambda request: Garbage()])
@pytest.mark.parametrize("order", ORDERS)
def test_what_a_library_cancels_ends_there(agent: Any, order: str) -> None:
    other = Slow()
    transcript, calls = ended(agent, other, order)
    assert isinstance(transcript.outcome, moot.Errored) and transcript.outcome.cause.startswith("seat a failed: ")
    assert calls == 1 and len(other.calls) == (order == "simultaneous")


def test_a_member_that_cancels_itself_is_named() -> None:
    outcome = moot.run(moot.DirectQA(), QUESTION, {"judge": Panel(Slow(), cancels_itself)}).outcome
    assert isinstance(outcome, moot.Errored) and "it let out CancelledError" in outcome.cause


def test_a_cancellation_that_is_left_behind_loses_nothing() -> None:
    async def leaves(request: moot.Request) -> moot.Move:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return speak(request)

    other = Slow()
    protocol = moot.Debate(rounds=2)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, speak, a=leaves, b=other))
    assert isinstance(transcript.outcome, moot.Decided) and len(other.calls) == 2


@BACKENDS
@pytest.mark.parametrize("late", [False, True])
def test_ctrl_c_in_an_agent_cancels_the_play(backend: Any, late: bool, tmp_path: Path) -> None:
    makes: list[Callable[[], BaseException]] = [
        KeyboardInterrupt,
        lambda: BaseExceptionGroup("", [KeyboardInterrupt()]),
    ]
    for number, make in enumerate(makes):
        path = tmp_path / f"{number}.jsonl"
        protocol = moot.Debate(rounds=1)
        with pytest.raises(KeyboardInterrupt):
            seats = everywhere(protocol, Slow(), a=thrower(make, late))
            moot.run(protocol, QUESTION, seats, out=path, backend=backend)
        assert [event["event"] for event in moot.load(path).events()][-1] == "cancelled"
        assert isinstance(moot.resume(path, everywhere(protocol, speak)).outcome, moot.Decided)


@BACKENDS
@pytest.mark.parametrize("makes_of_it", [None, ValueError, SystemExit], ids=str)
def test_a_scope_outside_cancels_whatever_the_agents_make_of_it(backend: Any, makes_of_it: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    waiting: list[anyio.Event] = []

    async def hangs(request: moot.Request) -> moot.Move:
        try:
            waiting[0].set()
            await anyio.sleep_forever()
        except BaseException:
            if makes_of_it is None:
                raise
            raise makes_of_it from None
        return FAIR

    async def outside() -> None:
        waiting.append(anyio.Event())
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: moot.arun(moot.Debate(), QUESTION, everywhere(moot.Debate(), hangs), out=path))
            await waiting[0].wait()
            group.cancel_scope.cancel()

    anyio.run(outside, backend=backend)
    assert [event["event"] for event in moot.load(path).events()][-1] == "cancelled"


def test_a_cancelled_task_cancels_its_play(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    async def outside() -> None:
        play = asyncio.ensure_future(moot.arun(moot.DirectQA(), QUESTION, {"judge": hangs}, out=path))
        await waiting.wait()
        play.cancel()
        with pytest.raises(asyncio.CancelledError):
            await play

    async def hangs(request: moot.Request) -> moot.Move:
        waiting.set()
        return await asyncio.sleep(10, FAIR)

    waiting = asyncio.Event()
    asyncio.run(outside())
    assert [event["event"] for event in moot.load(path).events()][-1] == "cancelled"


class Around:
    """A speaker that throws when it is started, closed or asked what it is."""

    def __init__(self, where: str, make: Callable[[], Any]) -> None:
        self.where, self.make, self.closed = where, make, 0

    def act(self, request: moot.Request) -> moot.Move:
        return speak(request)

    async def start(self) -> None:
        await self._at("start")

    async def close(self) -> None:
        self.closed += 1
        await self._at("close")

    def describe(self) -> dict[str, Any]:
        if self.where == "describe":
            raise self.make()
        return {"agent": "around"}

    def identity(self) -> str:
        if self.where == "identity":
            raise self.make()
        return "around"

    async def _at(self, where: str) -> None:
        await anyio.lowlevel.checkpoint()
        if self.where == where:
            raise self.make()


@BACKENDS
@pytest.mark.parametrize("what", ["cancelled", "exit", "mute", "base group"])
def test_what_is_thrown_around_a_play_loses_none(what: str, backend: Any, tmp_path: Path) -> None:
    protocol = moot.Debate(rounds=1)
    for where in ("start", "close", "describe", "identity"):
        agent, beside, path = Around(where, THROWN[what]), Around("", ValueError), tmp_path / f"{where}.jsonl"
        seats = everywhere(protocol, speak, a=agent, b=beside)

        def play(seats: Any = seats, path: Path = path) -> moot.Transcript:
            return moot.run(protocol, QUESTION, seats, out=path, backend=backend)

        if where == "close":
            with pytest.warns(RuntimeWarning, match="seat a failed to close: .*; the play is kept"):
                transcript = play()
        else:
            transcript = play()
        assert agent.closed == 1 and beside.closed == (where != "start")
        if where == "start":
            assert (
                isinstance(transcript.outcome, moot.Errored) and "seat a failed to start: " in transcript.outcome.cause
            )
            assert moot.replay(transcript).digest == transcript.digest
            assert "before anybody was asked" in ending(transcript)
            assert isinstance(moot.resume(path, everywhere(protocol, speak)).outcome, moot.Decided)
        else:
            assert isinstance(transcript.outcome, moot.Decided)
        assert ("problem" in transcript.seats["a"]) == (where == "describe")


@BACKENDS
@pytest.mark.parametrize("what", ["cancelled", "exit", "strange"])
@pytest.mark.parametrize("late", [False, True])
def test_one_member_that_lets_anything_out_fails_as_any_failure_does(what: str, late: bool, backend: Any) -> None:
    stray = thrower(THROWN[what], late)
    protocol = moot.Debate(rounds=1)

    def played(**seats: Any) -> moot.Transcript:
        return moot.run(protocol, QUESTION, everywhere(protocol, speak, **seats), backend=backend)

    def sometimes(request: moot.Request) -> Any:
        return stray(request) if request.seed % 2 else speak(request)

    def first(request: moot.Request) -> moot.Move:
        return moot.Verdict(probabilities=(1.0, *(0.0,) * (len(request.view.question.choices) - 1)))

    outcome = played(judge=Panel(Slow(), stray)).outcome
    assert isinstance(outcome, moot.Errored) and "it let out" in outcome.cause, "a missing verdict is no vote"
    for agent in (
        moot.BestOf(sometimes, 8, score=lambda request, move: 1.0),
        moot.CritiqueAndRefine(speak, sometimes, first, critiques=8),
    ):
        transcript = played(a=agent)
        noted = next(event for event in transcript.events() if event["event"] in ("chose", "refined"))
        assert transcript.outcome is not None
        assert noted["failed"] and len(noted["failed"]) < 8
        assert all("it let out" in why for why in noted["failed"].values())


# -- what cannot be read ------------------------------------------------------------------------------------------------


def unreadable(request: moot.Request) -> moot.Move:
    raise moot.UnreadableAnswer("no probabilities in it", "I would rather not say")


def test_an_answer_that_cannot_be_read_has_an_outcome_of_its_own(tmp_path: Path) -> None:
    protocol, path = moot.Debate(rounds=1), tmp_path / "t.jsonl"
    for judge in (unreadable, Panel(speak, unreadable)):
        outcome = moot.run(protocol, QUESTION, everywhere(protocol, speak, judge=judge)).outcome
        assert outcome == moot.Unreadable(step="1", seat="judge", reason="no probabilities in it")
    best = moot.BestOf(unreadable, 3, score=lambda request, move: 1.0)
    outcome = moot.run(protocol, QUESTION, everywhere(protocol, speak, a=best), out=path).outcome
    assert isinstance(outcome, moot.Unreadable) and outcome.seat == "a"
    with pytest.raises(moot.UsageError, match="has ended .unreadable."):
        moot.resume(path, everywhere(protocol, speak))


AGENTS = """
import asyncio, moot
def said(request): return moot.Speech(text="so it is")
async def leaks(request):
    asked = request.view.question.text
    if "1" in asked: raise asyncio.CancelledError
    if "2" in asked: raise SystemExit(0)
    if "3" in asked: raise moot.UnreadableAnswer("no form in it")
    return said(request)
def judge(request): return moot.Verdict(probabilities=(1.0, 0.0))
def stops(request): raise KeyboardInterrupt
class Starts:
    act = staticmethod(said)
    def start(self): raise SystemExit(0)
starts = Starts()
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Plays a set of five questions, of which a judge who is sure is right about some."""
    monkeypatch.chdir(tmp_path)
    Path("ends_agents.py").write_text(AGENTS)
    rows = ({"id": f"q{n}", "question": f"Is it {n}?", "choices": ["yes", "no"], "truth": n % 2} for n in range(5))
    Path("set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def play(b: str, *more: str) -> Any:
        seats = ("a=python:ends_agents.py:said", f"b=python:ends_agents.py:{b}", "judge=python:ends_agents.py:judge")
        seated = [word for seat in seats for word in ("--seat", seat)]
        return call("run", "-P", "debate", "-p", "rounds=1", "--set", "set.jsonl", "-o", "out", *seated, *more)

    return play


def strictly(line: str) -> Any:
    def refused(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(line, parse_constant=refused)


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_a_set_has_a_row_for_every_job_whatever_an_agent_lets_out(asked: Any, jobs: str) -> None:
    ran = asked("leaks", "--json", "-j", jobs)
    *rows, totals = map(strictly, ran.stdout.splitlines())
    assert ran.exit_code == 1
    assert [row["outcome"] for row in rows] == ["decided", "errored", "errored", "unreadable", "decided"]
    assert totals["plays"] == 5 and totals["outcomes"] == {"decided": 2, "errored": 2, "unreadable": 1}
    assert rows[3]["problem"] == "no form in it" and rows[3]["reward"] is None
    again = asked("leaks", "--json", "-j", jobs)
    found = [(row["how"], row["problem"]) for row in map(strictly, again.stdout.splitlines()[:-1])]
    assert [how for how, _ in found] == ["kept", "resumed", "resumed", "kept", "kept"] and found[3][
        1
    ] == "no form in it"


def test_every_row_is_json_where_a_reward_is_infinite(asked: Any) -> None:
    ran = asked("said", "--json")
    *rows, totals = map(strictly, ran.stdout.splitlines())
    assert [row["reward"] for row in rows] == [0.0, "-Infinity", 0.0, "-Infinity", 0.0] and ran.exit_code == 0
    assert totals["scored"] == 5 and totals["mean_reward"] is None
    shown = call("show", "out/q1.jsonl", "--json")
    assert shown.exit_code == 0 and strictly(shown.stdout)["reward"] == "-Infinity"


def test_an_agent_that_does_not_start_has_a_row_for_every_job_too(asked: Any) -> None:
    ran = asked("starts", "--json")
    *rows, totals = map(strictly, ran.stdout.splitlines())
    assert ran.exit_code == 1 and totals["outcomes"] == {"errored": 5} and len(rows) == 5
    assert all("failed to start" in row["problem"] for row in rows)


def test_ctrl_c_in_a_set_says_how_many_have_ended(asked: Any) -> None:
    ran = asked("stops", "-j", "1")
    assert ran.exit_code == 130 and "interrupted; 0 of 5 plays have ended" in ran.stderr


# -- what is recorded of agents -----------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.sampled_from(["\ud800", ',"meta":{}']),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["meta", "chain", "x", "\udfff"]), inner),
    max_leaves=6,
)  # fmt: skip


class Described:
    """A speaker that describes itself, and notes, as it is told."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def act(self, request: moot.Request) -> moot.Move:
        request.note({"event": "mused", "of": self.value})
        return speak(request)

    def describe(self) -> dict[str, Any]:
        return {"x": self.value, "meta": self.value}


@given(JSON | st.just(object()) | st.just({1: {2, 3}}))
def test_what_an_agent_says_of_itself_takes_no_part_in_the_digest(value: Any) -> None:
    protocol = moot.DirectQA()
    transcript = moot.run(protocol, QUESTION, {"judge": Described(value)})
    assert transcript.digest == moot.run(protocol, QUESTION, {"judge": speak}).digest
    assert moot.replay(transcript).digest == transcript.digest
    json.dumps(describe(Described(value)), allow_nan=False, ensure_ascii=False).encode()


@given(JSON, JSON)
def test_the_play_of_a_line_ends_where_its_own_meta_begins(said: Any, meta: Any) -> None:
    lines: list[bytes] = []
    body = event_body("told", {"step": "0", "text": as_data({"x": said, "meta": said})})
    EventLog(lines.append).line(body, {"x": 1, "meta": as_data(meta), "y": {"z": 2, "meta": {}}})
    assert played_part(lines[0]) == body


@pytest.mark.parametrize("note", [{"event": 'x"}'}, {"event": "moved"}, {"event": "x", "step": "9"}, {"meta": 1}])
def test_a_note_cannot_pass_for_what_the_log_says(note: dict[str, Any]) -> None:
    def judge(request: moot.Request) -> moot.Move:
        with pytest.raises(moot.UsageError, match="seat judge notes an event"):
            request.note(note)
        return FAIR

    assert isinstance(moot.run(moot.DirectQA(), QUESTION, {"judge": judge}).outcome, moot.Decided)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_real_ctrl_c_interrupts_a_play_inside_a_running_loop(tmp_path: Path) -> None:
    """As in a notebook: the play runs in a thread of its own, and the signal arrives in this one."""
    path = tmp_path / "t.jsonl"

    async def hangs(request: moot.Request) -> moot.Move:
        signal.pthread_kill(main, signal.SIGINT)
        await anyio.sleep(15)
        return FAIR

    async def notebook() -> None:
        moot.run(moot.DirectQA(), QUESTION, {"judge": hangs}, out=path)

    main = threading.main_thread().ident or 0
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(notebook())
    finally:
        loop.close()
    assert [event["event"] for event in moot.load(path).events()][-1] == "cancelled"
