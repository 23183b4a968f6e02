"""Moves drawn until a predicate holds: its law, that nothing else is played, what is recorded, and over a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from agent_kit import request_for
from candidates_kit import QUESTION, Request, Says, act, chose, debate, draws, draws_later, even, law_of
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.identity import identity
from moot.agents.models.lm import LM
from moot.agents.money.cap import CapReached
from moot.agents.spec import agent_from, profile_of
from moot.complexity.pressure import policies
from moot.protocols.engine.errors import AgentError, BudgetExceeded, UsageError
from moot.protocols.engine.moves import Speech
from moot.testing.server.server import MockOpenAI

few = settings(deadline=None, max_examples=40)


def short(request: Request, move: Any) -> bool:
    return len(move.content()) < 2


def says(*words: str) -> Any:
    return lambda request, move: move.text in words


async def says_later(request: Request, move: Any) -> bool:
    await anyio.lowlevel.checkpoint()
    return bool(move.text == "y")


# -- its law -----------------------------------------------------------------------------------------------------------


@few
@given(
    st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(lambda weights: sum(weights[:2]) > 0),
    st.integers(1, 4),
    st.sets(st.sampled_from("xyz")),
)
def test_its_law_is_the_agents_given_that_it_holds(weights: list[int], tries: int, good: set[str]) -> None:
    """And no move is more than `tries` times as probable as before, nor is any of them made that does not hold."""
    names: tuple[str | None, ...] = ("x", "y", "z", None)
    base = {text: weight / sum(weights) for text, weight in zip(names, weights, strict=True) if weight}
    found = law_of(lambda agent: moot.Conditioned(agent, says(*good), tries), base, tries)
    p = policies.probability(base, lambda text: text in good)
    if p:
        law = policies.condition(base, lambda text: text in good)
        for text in good:
            assert found.get(text, 0.0) == pytest.approx((1 - (1 - p) ** tries) * law.get(text, 0.0))
            assert found.get(text, 0.0) <= tries * base.get(text, 0.0) + 1e-12
    assert found.get(None, 0.0) == pytest.approx((1 - p) ** tries)
    assert {text for text, share in found.items() if share} <= {*good, None}


def test_the_ratio_is_attained() -> None:
    found = law_of(lambda agent: moot.Conditioned(agent, says("x"), 4), {"x": 1e-6, "y": 1 - 1e-6}, 4)
    assert found["x"] / 1e-6 == pytest.approx(4, rel=1e-4)


# -- what is played ----------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["x", "y", None]), min_size=5, max_size=5), st.integers(1, 5), st.booleans())
@few
def test_the_first_that_holds_is_the_move(texts: list[str | None], tries: int, later: bool) -> None:
    notes: list[dict[str, Any]] = []
    agent = moot.Conditioned(Says(*texts), says_later if later else says("y"), tries)
    place = texts.index("y") if "y" in texts[:tries] else None
    request = request_for(Speech, notes=notes)
    if place is None:
        with pytest.raises(
            AgentError, match=f"step 0.9: seat a: the predicate held of none of {tries} tries"
        ) as raised:
            anyio.run(agent.act, request)
        assert ("out of order" in str(raised.value)) == (None in texts[:tries])
    else:
        assert anyio.run(agent.act, request) == Speech(text="y")
    made = tries if place is None else place + 1
    assert chose(notes) == {
        "event": "chose", "of": made, "tries": tries, "chosen": place,
        "scores": [None if text is None else text == "y" for text in texts[:made]],
        "candidates": [None if text is None else Speech(text=text).model_dump(mode="json") for text in texts[:made]],
        "failed": {str(index): "out of order" for index in range(made) if texts[index] is None},
    }  # fmt: skip


@pytest.mark.parametrize("answer", [1, 0, None, "yes", [True], float("nan")])
def test_what_is_no_bool_holds_of_nothing(answer: Any) -> None:
    with pytest.raises(
        AgentError, match="none of 2 tries, 0 of which .*; try 0: the predicate failed: of try 0 it says "
    ):
        act(moot.Conditioned(draws, lambda request, move: answer, 2))


def test_a_predicate_that_raises_fails_that_try_alone() -> None:
    def sharp(request: Request, move: Any) -> bool:
        if move.text == "x":
            raise ZeroDivisionError("no such thing")
        return bool(move.text == "y")

    move, notes = act(moot.Conditioned(Says("x", "z", "y", "y"), sharp, 4))
    found = chose(notes)
    assert move.text == "y" and found["scores"] == [None, False, True] and found["chosen"] == 2
    assert found["failed"] == {"0": "the predicate failed: ZeroDivisionError: no such thing"}


@pytest.mark.parametrize("error", [BudgetExceeded("reads", 2, 1), UsageError("no"), CapReached("too dear")])
@pytest.mark.parametrize("where", ["agent", "predicate"])
def test_what_ends_a_play_is_no_failure_of_a_try(error: Exception, where: str) -> None:
    calls: list[int] = []

    def stops(request: Request, move: Any = None) -> Any:
        calls.append(1)
        raise error

    agent = moot.Conditioned(stops, short, 3) if where == "agent" else moot.Conditioned(draws, stops, 3)
    with pytest.raises(type(error)):
        act(agent)
    assert len(calls) == 1


def test_a_move_over_the_limit_counts_as_a_try_and_what_is_judged_is_what_would_stand() -> None:
    move, notes = act(
        moot.Conditioned(Says("one two three", "one", "two"), says("one", "two"), 3),
        limit={"words": 2, "over": "reject"},
    )
    assert move.text == "one" and list(chose(notes)["failed"]) == ["0"]
    assert chose(notes)["failed"]["0"].startswith("Illegal"), "the predicate was not asked about it"
    with pytest.raises(AgentError, match="none of 1 tries, 1 of which"):  # "safe" would be cut off, and is not played
        ends = lambda request, move: move.text.endswith("safe")  # noqa: E731
        act(moot.Conditioned(Says("poison is safe"), ends, 1), limit={"words": 2, "over": "clip"})
    seen: list[bool] = []

    def quotes(request: Request, move: Any) -> bool:
        seen.append(move.quotes[0].verified)
        return seen[-1]

    texts = "<quote>Ten ships</quote>", "<quote>Nine ships</quote>"
    assert act(moot.Conditioned(Says(*texts), quotes, 2))[0].text == texts[1] and seen == [False, True]


def test_moves_of_every_kind_are_checked() -> None:
    """A predicate that were asked about speeches alone would let a verdict through."""
    asked: list[str] = []

    def none(request: Request, move: Any) -> bool:
        asked.append(move.kind)
        return bool(move.kind != "verdict")

    seats = {"debater": draws, "judge": moot.Conditioned(even, none, 2)}
    outcome = moot.run(moot.Debate(), QUESTION, seats).outcome
    assert isinstance(outcome, moot.Errored) and "seat judge" in outcome.cause and asked == ["verdict"] * 2


def test_the_first_try_is_what_the_agent_alone_would_say() -> None:
    alone, checked = debate(draws, seed=5), debate(moot.Conditioned(draws, lambda request, move: True, 1), seed=5)
    assert checked.digest == alone.digest
    found = [event for event in checked.events() if event["event"] == "chose"]
    assert [(event["of"], event["tries"], event["chosen"], event["scores"]) for event in found] == [
        (1, 1, 0, [True])
    ] * 2
    failed = debate(moot.Conditioned(draws, lambda request, move: False, 3), seed=5)
    assert isinstance(failed.outcome, moot.Errored)
    assert "seat a: the predicate held of none of 3 tries" in failed.outcome.cause and not [
        s for s in failed.steps() if s.seat == "a"
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_play_is_recorded_and_replayed(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "d.jsonl"
    play = debate(moot.Conditioned(draws_later, short, 200), out=path, backend=backend)
    assert isinstance(play.outcome, moot.Decided) and moot.replay(moot.load(path)).digest == play.digest
    found = [event for event in play.events() if event["event"] == "chose"]
    made = [step.move["text"] for step in play.steps() if step.seat == "a"]
    assert len(made) == 2 and all(len(text) == 1 for text in made) and max(event["of"] for event in found) > 2
    for event, text in zip(found, made, strict=True):
        assert event["candidates"][event["chosen"]]["text"] == text and event["chosen"] == event["of"] - 1
        assert event["scores"] == [False] * (event["of"] - 1) + [True]
    about = play.seats["a"]
    assert (about["agent"], about["tries"], about["predicate"]) == ("conditioned", 200, "test_conditioned:short")


# -- over a language model ---------------------------------------------------------------------------------------------


def model_says(body: dict[str, Any]) -> str:
    return json.dumps({"kind": "speech", "text": str(body["seed"] % 7)})


def test_tries_of_a_model_are_calls_of_their_own_until_one_holds() -> None:
    mock = MockOpenAI(reply=model_says)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, prices=(1.0, 1.0))
        play = debate(moot.Conditioned(lm, says("3"), 60), seed=2)
    assert isinstance(play.outcome, moot.Decided) and moot.replay(play).digest == play.digest
    tries = [event["of"] for event in play.events() if event["event"] == "chose"]
    attempts = [event["candidate"] for event in play.events() if event["event"] == "attempted"]
    assert mock.count == sum(tries) > 2 and attempts == [number for of in tries for number in range(of)]
    assert len({call.body["seed"] for call in mock.calls}) == mock.count and {
        call.body.get("n") for call in mock.calls
    } == {None}


def test_budgets_and_caps_end_a_play_before_the_try_that_is_too_much() -> None:
    mock = MockOpenAI(reply=model_says)
    never = lambda request, move: False  # noqa: E731
    with mock.serve() as url:
        lm = LM("mock", base_url=url, prices=(1.0, 1.0), max_tokens=64)
        outcome = debate(moot.Bounded(moot.Conditioned(lm, never, 500), tokens=6_000)).outcome
        assert isinstance(outcome, moot.Exhausted) and outcome.measure == "tokens" and 1 < mock.count < 20
        mock.reset()
        play = debate(moot.Conditioned(lm, never, 500), max_cost=0.01)
        assert play.outcome is None and 0 < mock.count < 20
        assert not [event for event in play.events() if event["event"] == "chose"]


def test_an_answer_that_cannot_be_read_is_a_try_that_failed() -> None:
    mock = MockOpenAI(reply=lambda body: "I would rather not." if body["seed"] % 2 else model_says(body))
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), structured="schema")
    found = chose(act(moot.Conditioned(lm, says("0", "1", "2"), 40))[1])
    assert found["failed"] and found["chosen"] is not None
    assert all("kind" in why or "JSON" in why or "Unreadable" in why for why in found["failed"].values())

    def unreadable(request: Request) -> Any:
        raise moot.UnreadableAnswer("no form in it", "no")

    assert isinstance(debate(moot.Conditioned(unreadable, short, 2)).outcome, moot.Unreadable)


# -- by name -----------------------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {"agents": {
    "speaker": {"kind": "python", "target": "candidates_kit:draws"},
    "c": {"kind": "conditioned", "of": "speaker", "predicate": "test_conditioned:short", "tries": 200},
    "far": {"kind": "conditioned", "of": "openai:m", "predicate": "test_conditioned:short", "tries": 5},
}}  # fmt: skip


def test_by_name(tmp_path: Path) -> None:
    agent = agent_from("c", CONFIG)
    assert isinstance(agent, moot.Conditioned) and agent.predicate is short and agent.tries == 200
    file = tmp_path / "mine.py"
    file.write_text("def sober(request, move):\n    return 'surely' not in move.content()\n")
    other = agent_from(
        "c", {"agents": {**CONFIG["agents"], "c": {**CONFIG["agents"]["c"], "predicate": f"{file}:sober"}}}
    )
    assert isinstance(debate(other).outcome, moot.Decided) and identity(other) not in (None, identity(agent))
    one, five = profile_of("openai:m"), profile_of("far", CONFIG)
    assert (five.calls, five.usual, five.answers, five.asides) == (
        5 * one.calls,
        1,
        None,
        0,
    ) and five.models == one.models
    assert five.written == 5 * (one.written or 0) and five.further == 5 * one.further
    assert profile_of("c", CONFIG).program


def test_identity_tells_what_differs() -> None:
    others = [
        identity(moot.Conditioned(*given)) for given in ((draws, short, 3), (draws, says("x"), 2), (even, short, 2))
    ]
    assert (
        identity(moot.Conditioned(draws, short, 2))
        == identity(moot.Conditioned(draws, short, 2))
        not in [None, *others]
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: moot.Conditioned(draws, short, 0), "conditioned: tries is 0; it must be a whole number from 1 to 10000"),
        (lambda: moot.Conditioned(draws, short, True), "tries is True"),
        (lambda: moot.Conditioned(draws, short, 2.0), "tries is 2.0"),  # type: ignore[arg-type]
        (lambda: moot.Conditioned(draws, "short", 2), "predicate is 'short'; it must be a function"),  # type: ignore[arg-type]
        (lambda: moot.Conditioned(draws, bool, 2), "predicate is <class 'bool'>"),  # type: ignore[arg-type]
        (lambda: moot.Conditioned(3, short, 2), "3 cannot take a seat"),
        (lambda: agent_from("conditioned:human"), "kind 'conditioned' needs predicate"),
        *(
            (lambda of=of, change=change: of("c", {"agents": {**CONFIG["agents"], "c": {**CONFIG["agents"]["c"], **change}}}),
             problem)
            for of in (agent_from, profile_of)
            for change, problem in (
                ({"tries": 0}, "tries is 0"),
                ({"predicate": "short"}, "'short': write it as MODULE:NAME or FILE.py:NAME"),
                ({"predicate": "test_conditioned:nothing"}, "there is no 'nothing' in test_conditioned"),
                ({"predicate": "test_conditioned:CONFIG"}, "predicate is .*; it must be a function"),
                ({"by": "speaker"}, "no option 'by' .known: of, predicate, tries"),
            )
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        make()
