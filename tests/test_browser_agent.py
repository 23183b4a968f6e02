"""A person at a browser as an agent: turns in a mailbox, answered once, with a clock that a closed page may stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import moot
from moot.agents.people import browser as module
from moot.agents.people.browser import Browser, Turn
from moot.agents.spec import agent_from, seatable

Q = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"))
HALF = moot.Verdict(probabilities=(0.5, 0.5))


def say(request: moot.Request) -> moot.Speech:
    return moot.Speech(text=f"I am {request.seat}.")


def played(desk: Any, serve: Callable[[], Awaitable[None]], **more: Any) -> moot.Transcript:
    """A debate with `desk` as its judge, beside whoever serves it."""
    out: list[moot.Transcript] = []

    async def play() -> None:
        out.append(await moot.arun(moot.Debate(rounds=1), Q, {"debater": say, "judge": desk}, **more))

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(play)
            await serve()

    anyio.run(both)
    return out[0]


def test_a_turn_is_answered_once() -> None:
    desk, said = Browser("Ann"), list[bool]()

    async def serve() -> None:
        turn = await desk.next()
        assert [entry.move.content() for entry in turn.request.view] == ["I am a.", "I am b."]
        said.append(turn.answer({"kind": "verdict", "probabilities": [0.3, 0.7]}))
        said.append(turn.answer(moot.Verdict(probabilities=(0.9, 0.1))))

    t = played(desk, serve)
    assert said == [True, False] and not desk.turns
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.probabilities == (0.3, 0.7)
    assert t.seats["judge"] == {"agent": "browser", "name": "Ann"}
    (acted,) = (event for event in t.events() if event["event"] == "acted")
    assert (acted["action"], acted["step"], acted["seat"]) == ("answered", "1", "judge") and acted["meta"]["at"]


def test_a_move_that_is_illegal_comes_back_as_another_turn() -> None:
    desk, seen = Browser(), list[tuple[str, str | None]]()

    async def serve() -> None:
        for move in ({"kind": "verdict", "probabilities": [0.3, 0.3, 0.4]}, HALF):
            turn = await desk.next()
            seen.append((turn.id, turn.problem))
            turn.answer(move)

    t = played(desk, serve)
    assert t.outcome is not None and t.outcome.kind == "decided"
    assert len({name for name, _ in seen}) == 2
    assert [problem is None for _, problem in seen] == [True, False]


def test_nobody_serves_the_mailbox() -> None:
    t = moot.run(moot.Debate(rounds=1), Q, {"debater": say, "judge": "browser:Ann"})
    assert isinstance(t.outcome, moot.Errored) and "moot judge serve" in t.outcome.cause


def test_a_turn_is_over_when_its_play_is() -> None:
    desk, turns = Browser(), list[Turn]()
    play = partial(moot.arun, moot.Debate(rounds=1), Q, {"debater": say, "judge": desk})

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(play)
            turns.append(await desk.next())
            group.cancel_scope.cancel()

    anyio.run(both)
    assert turns[0].closed == "over" and not turns[0].answer(HALF) and not desk.turns
    turns[0].note("late")  # is recorded nowhere, and fails nowhere
    turns[0].attend(True)


def test_one_mailbox_serves_several_plays() -> None:
    desk, out = Browser(), list[moot.Transcript]()

    async def play(name: str) -> None:
        out.append(await moot.arun(moot.DirectQA(), moot.Question(name, choices=("x", "y")), {"judge": desk}))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(play, name)
            for _ in range(3):
                turn = await desk.next()
                share = "abc".index(turn.request.view.question.text) / 4
                turn.answer(moot.Verdict(probabilities=(share, 1 - share)))

    anyio.run(all_of_them)
    found = {t.question.text: t.outcome.verdict.probabilities[0] for t in out if isinstance(t.outcome, moot.Decided)}
    assert found == {"a": 0.0, "b": 0.25, "c": 0.5}


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_the_clock_runs_while_a_page_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    time, desk = Time(), Browser()
    monkeypatch.setattr(module, "time", time)

    async def serve() -> None:
        turn = await desk.next()
        for here, later, seconds in ((False, 50, 0), (True, 3, 3), (True, 2, 5), (False, 100, 5), (True, 4, 9)):
            turn.attend(here)
            time.now += later
            assert turn.seconds == seconds
        turn.answer(HALF)

    t = played(desk, serve)
    acted = [(event["action"], event["seconds"]) for event in t.events() if event["event"] == "acted"]
    assert acted == [("back", 0.0), ("away", 5.0), ("back", 5.0), ("answered", 9.0)]


def bounded(desk: Browser, seconds: float) -> Any:
    return moot.Bounded(desk, seconds=seconds)


def test_time_that_a_page_is_closed_is_not_the_seats() -> None:
    desk = Browser()

    async def serve() -> None:
        turn = await desk.next()
        await anyio.sleep(0.6)  # more than the seat has
        assert turn.waiting
        turn.attend(True)
        turn.answer(HALF)

    t = played(bounded(desk, 0.5), serve)
    assert t.outcome is not None and t.outcome.kind == "decided"
    assert t.ledger.seats["judge"].seconds < 0.5


@pytest.mark.parametrize("away", ["stops", "runs"])
def test_time_that_a_page_is_open_is(away: Any) -> None:
    desk, turns = Browser(away=away), list[Turn]()

    async def serve() -> None:
        turns.append(await desk.next())
        turns[0].attend(True)

    t = played(bounded(desk, 0.1), serve)
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.measure == "seconds"
    assert turns[0].closed == "over"


def test_where_the_clock_runs_on_nobody_need_be_there() -> None:
    desk = Browser(away="runs")

    async def serve() -> None:
        await desk.next()

    t = played(bounded(desk, 0.05), serve)
    assert t.outcome is not None and t.outcome.kind == "exhausted"


def test_time_before_a_play_broke_off_counts(tmp_path: Path) -> None:
    path, desk = tmp_path / "t.jsonl", Browser()
    seats = {"debater": say, "judge": bounded(desk, 100)}

    async def broken_off() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(moot.arun, moot.Debate(rounds=1), Q, seats, out=path))
            turn = await desk.next()
            turn.attend(True)
            turn._active += 60  # as if so much had passed
            turn.note("draft")
            group.cancel_scope.cancel()

    anyio.run(broken_off)
    assert moot.load(path).outcome is None

    async def taken_up() -> moot.Transcript:
        async with anyio.create_task_group() as group:
            found: list[moot.Transcript] = []

            async def again() -> None:
                found.append(await moot.aresume(path, seats))

            group.start_soon(again)
            turn = await desk.next()
            assert 60 <= turn.seconds < 90
            turn.attend(True)
            turn._active += 60
            turn._changed()
        return found[0]

    t = anyio.run(taken_up)
    assert isinstance(t.outcome, moot.Exhausted) and 100 <= t.outcome.used < 180


def test_what_was_spent_before_a_play_broke_off_is_in_the_ledger_once(tmp_path: Path) -> None:
    path, found = tmp_path / "t.jsonl", list[moot.Transcript]()
    asked = moot.Debate(rounds=2, repeat=(moot.Speeches(), moot.Feedback()))

    def seats(desk: Browser) -> dict[str, Any]:
        return {"debater": say, "judge": moot.Bounded(desk, reads=1000, seconds=100)}

    async def broken_off() -> None:
        desk = Browser()
        async with anyio.create_task_group() as group:
            group.start_soon(partial(moot.arun, asked, Q, seats(desk), out=path))
            turn = await desk.next()
            turn.attend(True)
            turn._active += 60  # as if so much had passed
            _ = turn.request.view[0]
            await anyio.wait_all_tasks_blocked()
            turn._changed = lambda: None  # the play does not come to hear of it
            assert turn.answer(HALF)
            group.cancel_scope.cancel()  # before the move was recorded

    async def taken_up() -> None:
        desk = Browser()

        async def again() -> None:
            found.append(await moot.aresume(path, seats(desk)))

        async with anyio.create_task_group() as group:
            group.start_soon(again)
            with anyio.fail_after(5):
                turn = await desk.next()
            assert turn.request.step != "1", "what was answered is not asked for again"
            assert 39 < (turn.request.budget.left("seconds") or 0) <= 40
            assert turn.request.budget.left("reads") == 1000 - len("I am a.")
            assert turn.answer(moot.Verdict(probabilities=(0.5, 0.5), end=True))

    anyio.run(broken_off)
    anyio.run(taken_up)
    (first,) = [each for each in found[0].events() if each["event"] == "moved" and each["step"] == "1"]
    assert first["reads"] == len("I am a.") and 60 <= first["meta"]["spent"]["seconds"] < 61


def test_people_count_by_name() -> None:
    assert Browser("Ann").identity() == Browser("Ann", away="runs").identity() != Browser("Bob").identity()
    assert isinstance(seatable("browser"), Browser) and seatable("browser:Ann").name == "Ann"
    assert agent_from("x", {"agents": {"x": {"kind": "browser", "name": "Bo", "away": "runs"}}}).away == "runs"


@pytest.mark.parametrize(
    ("given", "problem"), [({"name": " "}, "name"), ({"name": 3}, "name"), ({"away": "waits"}, "away")]
)
def test_what_is_no_person_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(moot.UsageError, match=problem):
        Browser(**given)


def test_it_is_offered() -> None:
    import moot.agents

    assert moot.agents.Browser is moot.Browser is Browser
    with pytest.raises(AttributeError, match="Browzer"):
        _ = moot.agents.Browzer
