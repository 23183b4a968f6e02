"""What exact solving refuses, and what the ends that are no decision are worth."""

from __future__ import annotations

from typing import Any

import pytest
from players import FAIR, QUESTION, scripted

import moot
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import Question
from moot.protocols.games.claims import ClaimGame

WORDS = {seat: lambda request: [moot.Speech(text="x"), moot.Speech(text="yy")] for seat in "ab"}


def counts(request: moot.Request) -> moot.Verdict:
    """Believes whoever says more, one letter in ten."""
    more = sum(len(e.move.content()) * (1 if e.seat == "a" else -1) for e in request.view) / 10
    return moot.Verdict(probabilities=(0.5 + more, 0.5 - more))


def test_debates_in_turn_are_solved_and_those_at_once_are_not() -> None:
    found = moot.solve(moot.Debate(rounds=1, order="sequential"), QUESTION, moves=WORDS, seats={"judge": counts})
    assert [e.move.content() for e in found.line if e.seat != "judge"] == ["yy", "yy"] and found.value["a"] == 0
    with pytest.raises(moot.UsageError, match="seat 'b' does not see what 'a' said at step .*give the other an agent"):
        moot.solve(moot.Debate(rounds=1), QUESTION, moves=WORDS, seats={"judge": counts})
    alone = moot.solve(
        moot.Debate(rounds=1), QUESTION, moves={"a": WORDS["a"]}, seats={"b": WORDS["b"], "judge": counts}
        | {"b": lambda request: moot.Speech(text="x")},
    )  # fmt: skip
    assert alone.value["a"] > 0
    rest = {"b": lambda request: moot.Speech(text="x"), "judge": counts}
    twice = moot.solve(moot.Debate(rounds=2), QUESTION, moves={"a": WORDS["a"]}, seats=rest)
    assert [e.move.content() for e in twice.line if e.seat == "a"] == ["yy", "yy"] and twice.leaves == 4


def solved(script: Any, **options: Any) -> moot.Solution:
    given: dict[str, Any] = {"moves": WORDS, "seats": {"judge": lambda request: FAIR}, **options}
    return moot.solve(scripted(script), QUESTION, **given)


async def ends(floor: Floor) -> moot.Decided:
    return moot.Decided(FAIR, payoffs={"a": 1.0, "b": -1.0})


def test_what_is_told_to_one_seat_is_hidden_from_the_other() -> None:
    async def whispers(floor: Floor) -> moot.Decided:
        await floor.ask("a", moot.Speech, to=("judge",))
        await floor.ask("b", moot.Speech)
        return await ends(floor)

    with pytest.raises(moot.UsageError, match="at step 1 seat 'b' does not see what 'a' said at step 0"):
        solved(whispers)


def test_one_free_seat_in_branches_is_a_joint_choice_unless_a_coin_falls_beside_it() -> None:
    async def asks(floor: Floor) -> int:
        return len((await floor.ask("a", moot.Speech)).text)

    async def flips(floor: Floor) -> bool:
        return await floor.flip()

    async def joint(floor: Floor) -> moot.Decided:
        x, y = await floor.parallel(asks(floor), asks(floor))
        return moot.Decided(FAIR, payoffs={"a": 1.0 if (x, y) == (2, 1) else 0.0})

    async def beside(floor: Floor) -> moot.Decided:
        await floor.parallel(flips(floor), asks(floor))
        return await ends(floor)

    async def before(floor: Floor) -> moot.Decided:
        heads, _ = await floor.parallel(flips(floor), flips(floor))
        return moot.Decided(FAIR, payoffs={"a": float((await asks(floor) == 2) == heads)})

    rest = {"moves": {"a": WORDS["a"]}, "seats": {"b": lambda r: r, "judge": lambda r: FAIR}}
    found = solved(joint, **rest)
    assert found.value == {"a": 1.0} and [e.step for e in found.line] == ["0.0.0", "0.1.0"]
    with pytest.raises(moot.UsageError, match="does not see the coin of step 0.0.0"):
        solved(beside, **rest)
    assert solved(before, **rest).value == {"a": 1.0}


def test_a_coin_without_an_end_of_sides() -> None:
    async def draws(floor: Floor) -> moot.Decided:
        await floor.uniform()
        return await ends(floor)

    with pytest.raises(moot.UsageError, match=r"step 0: .*floor\.uniform"):
        solved(draws)


def test_seats_and_moves_are_told_apart() -> None:
    with pytest.raises(moot.UsageError, match="seat 'a' is in moves and in seats"):
        solved(ends, seats={"a": lambda r: r, "judge": lambda r: FAIR})
    with pytest.raises(moot.UsageError, match="no free seat"):
        solved(ends, moves={})
    with pytest.raises(moot.UsageError, match="nobody sits at 'judge'"):
        solved(ends, seats={})


def test_agents_that_wait_or_fail() -> None:
    async def slow(request: moot.Request) -> moot.Verdict:
        return FAIR

    def fails(request: moot.Request) -> moot.Verdict:
        raise KeyError("mine")

    async def judged(floor: Floor) -> None:
        await floor.ask("a", moot.Speech)

    with pytest.raises(moot.UsageError, match="seat 'judge' answers with an awaitable"):
        solved(judged, seats={"judge": slow})
    with pytest.raises(moot.AgentError, match="step 1: seat judge failed: KeyError"):
        solved(judged, seats={"judge": fails})
    with pytest.raises(moot.AgentError, match=r"ended in Forfeited\(.*seat='judge'"):
        solved(judged, seats={"judge": lambda request: {"no": "verdict"}})
    with pytest.raises(moot.AgentError, match=r"ended in Exhausted\(.*seat='judge'"):
        solved(judged, seats={"judge": moot.Bounded(lambda request: list(request.view), reads=0)})
    with pytest.raises(moot.UsageError, match="pays seat 'a' nothing"):
        solved(judged)


class Words(ClaimGame):
    """a and b name a word each, then the judge decides; a word that is too long is illegal."""

    def fit(self, question: Question) -> str | None:
        return None

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        def short(speech: moot.Speech) -> moot.Speech:
            if len(speech.text) > 2:
                raise moot.Illegal("too long")
            return speech

        for seat in "aba":
            await floor.ask(seat, moot.Speech, check=short)
        return self.decided(floor, await floor.ask("judge", moot.Verdict))


YES_OR_NO = Question("Is it so?", ("yes", "no"))


def test_who_forfeits_loses_the_stakes_and_who_mends_goes_on() -> None:
    def stubborn(request: moot.Request) -> moot.Speech:
        return moot.Speech(text="xxx" if len(request.view) else "x")

    def mends(request: moot.Request) -> moot.Speech:
        return moot.Speech(text="xx" if request.attempt else "xxx")

    asked: list[tuple[str, int]] = []

    def free(request: moot.Request) -> list[moot.Move]:
        asked.append((request.step, request.attempt))
        return [moot.Speech(text=text) for text in ("too long", "x", "yy")]

    lost = moot.solve(Words(), YES_OR_NO, moves={"b": free}, seats={"a": stubborn, "judge": counts})
    assert lost.value == {"a": -1.0, "b": 1.0} and lost.outcome.kind == "forfeited" and lost.outcome.seat == "a"
    bound = moot.Bounded(mends, calls=4)
    mended = moot.solve(Words(), YES_OR_NO, moves={"b": free}, seats={"a": bound, "judge": counts})
    assert [entry.move.content() for entry in mended.line] == ["xx", "yy", "xx", ""]
    assert mended.value == counts_pay(2)
    with pytest.raises(moot.AgentError, match=r"Exhausted\(.*measure='calls'"):
        bound = moot.Bounded(mends, calls=3)
        moot.solve(Words(), YES_OR_NO, moves={"b": free}, seats={"a": bound, "judge": counts})
    assert set(asked) == {("1", 0)}
    with pytest.raises(moot.UsageError, match=r"step 1: moves\['b'\] holds no legal Speech \(too long\)"):
        options = {"b": lambda request: [moot.Speech(text="long")]}
        moot.solve(Words(), YES_OR_NO, moves=options, seats={"a": mends, "judge": counts})


def counts_pay(more: int) -> dict[str, float]:
    pays = moot.ScoringRule(rule="brier")
    p = 0.5 + more / 10
    half = (pays.score((p, 1 - p), 0) - pays.score((p, 1 - p), 1)) / 2
    return {"a": pytest.approx(half), "b": pytest.approx(-half)}  # type: ignore[dict-item]


def test_endless_protocols_and_limits() -> None:
    async def endless(floor: Floor) -> None:
        while True:
            await floor.ask("a", moot.Speech)

    with pytest.raises(moot.UsageError, match=r"went \d+ moves deep"):
        solved(endless)
    with pytest.raises(moot.UsageError, match="more than 5 positions"):
        solved(endless, limit=5)


def test_a_protocol_that_is_no_pure_script() -> None:
    count = [0]

    async def counts_plays(floor: Floor) -> moot.Decided:
        count[0] += 1
        for _ in range(3):
            await floor.ask("a", moot.Speech)
        if count[0] > 1:
            return await ends(floor)
        await floor.ask("b", moot.Speech)
        return await ends(floor)

    with pytest.raises(moot.ProtocolError, match="did not come to step 3: it is no pure script"):
        solved(counts_plays)
