"""The engine, stepped by hand: what it refuses, how it numbers, splits and ends."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import anyio
import pytest
from hypothesis import Phase, settings
from players import FAIR, QUESTION, everywhere, scripted, speak

import moot
from moot.protocols.engine.errors import ProtocolError
from moot.protocols.engine.floor import Floor
from moot.testing import ProtocolMachine

SAY = moot.Speech(text="so it is")


class DebateMachine(ProtocolMachine):
    protocol = moot.Debate(rounds=2, questions=True)


class PartsMachine(ProtocolMachine):
    protocol = moot.Debate(rounds=None, repeat=(moot.Speeches(), moot.Negotiate(), moot.Feedback()))


class BisectionMachine(ProtocolMachine):
    protocol = moot.Bisection()


class OpenDebateMachine(ProtocolMachine):
    protocol = moot.OpenDebate(rounds=1)


for _machine in (DebateMachine, PartsMachine, BisectionMachine, OpenDebateMachine):
    _machine.TestCase.settings = settings(
        max_examples=15, stateful_step_count=25, phases=(Phase.generate,), deadline=None
    )

TestDebate = DebateMachine.TestCase
TestParts = PartsMachine.TestCase
TestBisection = BisectionMachine.TestCase
TestOpenDebate = OpenDebateMachine.TestCase


def game_of(script: Any, **options: Any) -> moot.Game:
    return moot.Game(scripted(script), QUESTION, **options).start()


async def sleeps(floor: Floor) -> None:
    await asyncio.sleep(0.01)


async def yields(floor: Floor) -> None:
    await asyncio.sleep(0)


async def sleeps_anyio(floor: Floor) -> None:
    await anyio.sleep(0.01)


async def waits_for_a_future(floor: Floor) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("script", [sleeps, yields, sleeps_anyio, waits_for_a_future])
def test_a_foreign_await_names_protocol_and_line(script: Any) -> None:
    protocol = scripted(script)
    with pytest.raises(moot.ProtocolError, match=r"protocol scripted .*players\.py:\d+") as caught:
        moot.run(protocol, QUESTION, everywhere(protocol, speak))
    assert "awaits something that is not its floor" in str(caught.value)


def test_a_protocol_that_fails_names_its_line() -> None:
    async def fails(floor: Floor) -> None:
        raise KeyError("mine")

    with pytest.raises(moot.ProtocolError, match=r"failed at .*players\.py:\d+, after step none: KeyError: 'mine'"):
        game_of(fails)


def test_an_unknown_seat_is_the_protocols_fault() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("audience", moot.Speech)

    with pytest.raises(moot.ProtocolError, match="asked seat 'audience'; its seats are a, b, judge"):
        game_of(asks)


def test_what_is_no_kind_is_the_protocols_fault() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("a", str)  # type: ignore[type-var]

    with pytest.raises(moot.ProtocolError, match="a kind is a subclass of Move"):
        game_of(asks)


def test_kinds_are_asked_for_in_the_order_of_the_script() -> None:
    """Whatever was played before in this process: unions of the same classes are equal, and requests are not."""

    def asking(kinds: Any) -> tuple[Any, ...]:
        async def asks(floor: Floor) -> None:
            await floor.ask("a", kinds)

        return game_of(asks).open["0"].ask.kinds

    for order in ((moot.Speech, moot.Answer), (moot.Answer, moot.Speech)):
        assert asking(order[0] | order[1]) == order


def test_steps_are_paths_whatever_the_order() -> None:
    async def twice(floor: Floor) -> list[str]:
        steps = []
        for _ in range(2):
            await floor.ask("a", moot.Speech)
            steps.append(floor.step)
        return steps

    found: list[Any] = []

    async def nested(floor: Floor) -> None:
        async def inner() -> Any:
            return await floor.parallel(twice(floor), twice(floor))

        found.append(await floor.parallel(twice(floor), inner(), twice(floor)))

    game = game_of(nested)
    assert list(game.open) == ["0.0.0", "0.2.0", "0.1.0.0.0", "0.1.0.1.0"]
    while len(game.open) > 1 or "1" not in game.open:
        game.answer(list(game.open)[-1], SAY)
    assert found == [(["0.0.0", "0.0.1"], (["0.1.0.0.0", "0.1.0.0.1"], ["0.1.0.1.0", "0.1.0.1.1"]), ["0.2.0", "0.2.1"])]
    said = [entry.step for entry in game.request("1").view]
    assert said == ["0.0.0", "0.0.1", "0.1.0.0.0", "0.1.0.0.1", "0.1.0.1.0", "0.1.0.1.1", "0.2.0", "0.2.1"]


def test_nothing_together_is_nothing() -> None:
    async def none(floor: Floor) -> None:
        assert await floor.parallel() == ()

    assert list(game_of(none).open) == ["1"]


def test_coins_follow_from_seed_and_step() -> None:
    drawn: list[Any] = []

    async def flips(floor: Floor) -> None:
        drawn.append(
            (
                await floor.flip(),
                await floor.draw(1, 2, 0, 3),
                await floor.uniform(),
                await floor.flip(0),
                await floor.flip(1),
            )
        )

    for seed in (1, 1, 2):
        game_of(flips, seed=seed)
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(coin[3] is False and coin[4] is True and coin[1] != 2 and 0 <= coin[2] < 1 for coin in drawn)


@pytest.mark.parametrize(("odds", "count"), [((1.0, 3.0), 4000), ((0.2, 0.0, 0.8), 4000)])
def test_draws_come_in_proportion(odds: tuple[float, ...], count: int) -> None:
    game = game_of(lambda floor: floor.ask("a", moot.Speech))
    drawn = [game.chance(str(step), odds) for step in range(count)]
    for index, weight in enumerate(odds):
        expected = count * weight / sum(odds)
        assert abs(drawn.count(index) - expected) <= 5 * (expected + 1) ** 0.5


@pytest.mark.parametrize(
    "bad", [lambda f: f.flip(1.5), lambda f: f.draw(), lambda f: f.draw(-1, 2), lambda f: f.draw(0.0)]
)
def test_impossible_coins_are_the_protocols_fault(bad: Any) -> None:
    with pytest.raises(moot.ProtocolError, match="probability lies in|give weights"):
        game_of(bad)


def test_a_sub_play_has_its_own_statements_and_seats() -> None:
    inner = moot.Question("Was it windy?", ("yes", "no"))
    views: dict[str, list[str]] = {}

    def act(request: moot.Request) -> moot.Move:
        views[request.step] = [entry.step for entry in request.view]
        return speak(request)

    async def outer(floor: Floor) -> None:
        await floor.ask("a", moot.Speech)
        decided = await floor.play(moot.Debate(rounds=1), inner, seats={"a": "b", "b": "a", "judge": "judge"})
        assert decided.verdict == FAIR and floor.step == "1"

    protocol = scripted(outer)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, act))
    assert [(step.step, step.seat) for step in transcript.steps()] == [
        ("0", "a"), ("1.0.0.0", "b"), ("1.0.1.0", "a"), ("1.1", "judge"), ("2", "judge"),
    ]  # fmt: skip
    assert views["1.0.0.0"] == [] and views["1.1"] == ["1.0.0.0", "1.0.1.0"] and views["2"] == ["0"]
    assert transcript.tree.nodes["1"]["text"] == "Was it windy?"
    assert set(transcript.tree.edges) == {("q", "0"), ("q", "1"), ("1", "1.0.0.0"), ("1", "1.0.1.0")}
    assert moot.replay(transcript, protocol).digest == transcript.digest


def test_a_sub_play_that_forfeits_ends_the_play() -> None:
    async def outer(floor: Floor) -> None:
        await floor.play(moot.DirectQA(), QUESTION)

    game = game_of(outer)
    assert game.answer("0.0", None) is False and game.answer("0.0", None) is False
    assert isinstance(game.outcome, moot.Forfeited) and game.outcome.step == "0.0"


class GivesUp(moot.Protocol):
    """Ends without a verdict, though no move of it was rejected."""

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"judge": "judge"}

    async def play(self, floor: Floor, question: moot.Question) -> Any:
        return moot.Errored(step="0", cause="nobody here can decide this")


def test_a_sub_play_that_returns_another_outcome_ends_the_play() -> None:
    async def outer(floor: Floor) -> None:
        await floor.play(GivesUp(), QUESTION)
        await floor.ask("a", moot.Speech)

    game = game_of(outer)
    assert game.outcome == moot.Errored(step="0", cause="nobody here can decide this") and not game.open


def test_a_sub_play_without_its_seat_is_the_protocols_fault() -> None:
    async def outer(floor: Floor) -> None:
        await floor.play(moot.Consultancy(), QUESTION)

    with pytest.raises(moot.ProtocolError, match="needs seat 'consultant'"):
        game_of(outer)


def test_branches_draw_on_equal_shares() -> None:
    async def shares(floor: Floor) -> None:
        async def reads() -> None:
            for _ in range(2):
                await floor.ask("judge", moot.Speech)

        await floor.parallel(reads(), reads())

    game = game_of(shares, bounds={"judge": {"calls": 3}})
    assert game.answer("0.0.0", SAY) and not game.answer("0.0.1", SAY)
    assert game.outcome == moot.Exhausted(seat="judge", measure="calls", used=2, limit=1, step="0.0.1")
    game = game_of(shares, bounds={"judge": {"calls": 5}})
    for step in ("0.1.0", "0.1.1", "0.0.0", "0.0.1"):
        assert game.answer(step, SAY)
    assert game.account("1").left("calls") == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("measure", ["reads", "calls", "tokens", "seconds", "queries"])
def test_each_measure_runs_out(measure: str) -> None:
    async def asks(floor: Floor) -> None:
        for _ in range(5):
            await floor.charge("judge", "queries", 2)
            await floor.ask("judge", moot.Speech)

    game = game_of(asks, bounds={"judge": {measure: 5}})
    while game.outcome is None:
        step = next(iter(game.open))
        game.answer(step, SAY, reads=2, spent={"tokens": 2, "seconds": 2})
    used = 6
    assert isinstance(game.outcome, (moot.Exhausted, moot.Decided))
    if measure == "calls":
        assert game.outcome == moot.Exhausted(seat="judge", measure="calls", used=6, limit=5, step="10")
    else:
        assert isinstance(game.outcome, moot.Exhausted)
        assert (game.outcome.seat, game.outcome.measure, game.outcome.used, game.outcome.limit) == (
            "judge",
            measure,
            used,
            5,
        )
    assert not game.open


def test_a_charge_cannot_give_back() -> None:
    async def refund(floor: Floor) -> None:
        await floor.charge("judge", "queries", -1)

    with pytest.raises(moot.ProtocolError, match="-1"):
        game_of(refund)


def test_repairs_and_then_forfeit() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, repairs=2)

    game = game_of(asks)
    digest = game.request("0").digest
    for attempt in range(2):
        assert not game.answer("0", {"kind": "verdict"})
        request = game.request("0")
        assert (request.attempt, request.digest) == (attempt + 1, digest)
        assert "verdict" in (request.problem or "")
    assert not game.answer("0", {"kind": "speech", "text": 3})
    assert isinstance(game.outcome, moot.Forfeited)
    assert (game.outcome.seat, game.outcome.step) == ("a", "0") and "text" in game.outcome.rule


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "reply",
    [
        None, 3, "text", object(), Unprintable(), [], {}, {"\ud800": 1, "kind": "speech"}, moot.Stop(stop=True), {"text": "a" * 10_000_000, "kind": "no"}, ValueError("\ud800"),
    ],
)  # fmt: skip
def test_whatever_is_sent_is_rejected_and_written_down(reply: Any) -> None:
    protocol = moot.Debate(rounds=1)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, speak, a=lambda request: reply))
    assert isinstance(transcript.outcome, moot.Forfeited) and transcript.outcome.seat == "a"
    assert [event["event"] for event in transcript.events()].count("rejected") == 2
    assert moot.replay(transcript).digest == transcript.digest


@pytest.mark.parametrize(
    "reply", [{"text": "\ud800"}, moot.Speech(text="\ud800"), moot.Speech.model_construct(text="\ud800")]
)
def test_half_a_surrogate_pair_is_written_out(reply: Any) -> None:
    protocol = moot.Debate(rounds=1, limit=moot.Limit(chars=6))
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, speak, a=lambda request: reply))
    assert [step.move["text"] for step in transcript.steps() if step.seat == "a"] == ["\\ud800"]
    assert moot.replay(transcript).digest == transcript.digest


def test_an_answer_where_nothing_is_open() -> None:
    game = moot.Game(moot.DirectQA(), QUESTION).start()
    with pytest.raises(moot.ProtocolError, match="step 4 is not open; open: 0"):
        game.answer("4", FAIR)


def test_to_and_say() -> None:
    async def whispers(floor: Floor) -> None:
        await floor.ask("judge", moot.Speech, to=("a",))
        await floor.ask("judge", moot.Speech, say=False)
        await floor.ask("judge", moot.Speech)
        await floor.parallel(*(floor.ask(seat, moot.Speech) for seat in ("a", "b")))

    game = game_of(whispers)
    for step in ("0", "1", "2"):
        game.answer(step, SAY)
    seen = {request.seat: [entry.step for entry in request.view] for request in game.requests().values()}
    assert seen == {"a": ["0", "2"], "b": ["2"]}


def _unbegun(how: str) -> Any:
    """A script whose play ends before the branches of a `parallel` have begun."""

    async def script(floor: Floor) -> None:
        async def say(seat: str) -> None:
            await floor.ask(seat, moot.Speech, repairs=0)

        over = floor.charge("judge", "queries", 9)
        if how in ("too few seats", "no such seat"):
            over.close()
            await floor.parallel(say("a"), say("b"), seats=("a",) if how == "too few seats" else ("a", "nobody"))
        elif how == "another's seat":
            over.close()
            await floor.parallel(say("judge"), say("b"), floor.parallel(say("a")), seats=("a", "b", "a"))
        elif how == "spent":
            await floor.parallel(over, say("a"), floor.parallel(say("b"), floor.parallel(say("a"))))
        else:
            over.close()
            await floor.parallel(say("a"), floor.parallel(say("b"), say("a")))

    return script


@pytest.mark.parametrize("how", ["too few seats", "no such seat", "another's seat", "spent", "forfeits"])
def test_branches_that_never_begin_are_closed_without_a_warning(how: str) -> None:
    gc.collect()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        ended: Any = None
        try:
            game = game_of(_unbegun(how), bounds={"judge": {"queries": 1}})
            game.answer(next(iter(game.open), ""), "no move")
            ended = game.outcome
            del game
        except ProtocolError as error:
            ended = str(error)
        gc.collect()
    assert ended is not None and not [str(each.message) for each in warned]


def test_an_ask_allows_no_more_repairs_than_its_protocol_declares() -> None:
    """Those of a sub-play are held to what the whole play declares, as nothing else bounds its draws."""

    class Patient(moot.Protocol):
        most_repairs = 5

        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"a": "debater", "judge": "judge"}

        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            await floor.ask("a", moot.Speech, repairs=5)
            return moot.Decided(await floor.ask("judge", moot.Verdict))

    async def asks(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, repairs=4)

    async def plays(floor: Floor) -> None:
        await floor.play(Patient(), floor.question, seats={"a": "a", "judge": "judge"})

    moot.Game(Patient(), QUESTION).start()
    for script, allowed in ((asks, 4), (plays, 5)):
        with pytest.raises(
            moot.ProtocolError, match=f"try again {allowed} times, and scripted declares most_repairs = 3"
        ):
            game_of(script)
    with pytest.raises(moot.ProtocolError, match="most_repairs is -1; it must be a whole number of at least 0"):
        type("Negative", (Patient,), {"most_repairs": -1})
