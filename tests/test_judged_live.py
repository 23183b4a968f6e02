"""Judging a saved play again from the command line, with live seats, and what of it is on the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_calls import call, folder, recorded, refused, said

import moot
from moot.agents.models.lm import LM
from moot.protocols.engine.errors import UsageError
from moot.testing.server.server import MockOpenAI

__all__ = ["folder"]
QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"))


def speaking(words: str) -> Any:
    def speaker(request: moot.Request) -> moot.Move:
        return moot.Speech(text=f"{words}, in round {request.brief['round']}")

    return speaker


def even(request: moot.Request) -> moot.Move:
    return moot.Verdict(probabilities=(0.5, 0.5))


def nobody(request: moot.Request) -> moot.Move:
    raise RuntimeError("it was asked")


@pytest.fixture
def debate() -> moot.Transcript:
    return moot.run(moot.Debate(rounds=2), QUESTION, {"debater": speaking("so it was"), "judge": even}, seed=4)


def texts(play: moot.Transcript, seat: str) -> list[str]:
    return [step.move["text"] for step in play.steps() if step.seat == seat]


def test_a_live_seat_is_asked_at_every_step(debate: moot.Transcript) -> None:
    with pytest.raises(moot.ReplayDivergence):  # a is told what b says now
        moot.rejudge(debate, even, seats={"b": speaking("anew")}, live=["b"])
    both = {"debater": speaking("anew")}
    play = moot.rejudge(debate, even, seats=both, live=["debater"])
    assert all(text.startswith("anew") for seat in "ab" for text in texts(play, seat))
    assert play.parent and play.parent["live"] == ["a", "b"] and moot.replay(play).digest == play.digest
    stale = moot.rejudge(debate, even, seats={"b": speaking("anew")}, live=["b"], stale=True)
    assert texts(stale, "a") == texts(debate, "a") and texts(stale, "b")[0] == "anew, in round 1"
    kept = moot.rejudge(debate, even, seats=both)  # whose questions are the recorded ones is not asked
    assert texts(kept, "b") == texts(debate, "b") and "live" not in (kept.parent or {})


def test_a_live_seat_is_live_still_after_a_resumption(debate: moot.Transcript, tmp_path: Path) -> None:
    whole = moot.run(
        moot.Debate(rounds=2), QUESTION, {"debater": speaking("so it was"), "judge": even}, out=tmp_path / "d.jsonl"
    )
    live: dict[str, Any] = {"seats": {"debater": speaking("anew")}, "live": ["debater"]}
    path = tmp_path / "r.jsonl"
    moot.rejudge(whole, even, out=path, **live)
    lines = path.read_bytes().splitlines(keepends=True)
    moved = [number for number, line in enumerate(lines) if line.startswith(b'{"event":"moved"')]
    for cut in moved:
        path.write_bytes(b"".join(lines[:cut]))
        again = moot.resume(path, {"debater": speaking("anew"), "judge": even})
        assert again.digest == moot.rejudge(whole, even, **live).digest


@pytest.mark.parametrize(
    ("live", "told"),
    [
        (["c"], "there is no seat or role 'c'"),
        (["b"], "nobody was given who answers at 'b'"),
        ("debaters", "did you mean 'debater'"),
    ],
)
def test_what_cannot_be_live_is_refused(debate: moot.Transcript, live: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        moot.rejudge(debate, even, live=live)
    with pytest.raises(UsageError, match="live seats have no place"):
        moot.rejudge(debate, even, seats={"b": nobody}, live=["b"], upto=1)


@pytest.mark.usefixtures("folder")
def test_both_orders_of_samples_over_a_saved_transcript_at_the_command_line() -> None:
    recorded("d.jsonl")
    mock = MockOpenAI(logprobs={"1": 0.6, "2": 0.4})
    with mock.serve() as url:
        judge = f"both-orders:samples:3:stated-and-logprobs:openai:mock@{url}"
        assert "Decided" in said("rejudge", "d.jsonl", "--judge", judge, "-o", "r.jsonl", "--repetitions", "2")
    assert mock.count == 2 * 12 and all("judge" in str(call.body["messages"][0]) for call in mock.calls)
    assert (
        len({call.body["seed"] for call in mock.calls}) == 12
    )  # each sample of each look, asked twice of the one answer
    for path in ("r-0.jsonl", "r-1.jsonl"):
        play = moot.load(path)
        events = list(play.events())
        believed = [event for event in events if event["event"] == "believed"]
        assert len(believed) == 6 and all(event["stated"] and event["logprobs"] for event in believed)
        combined = [event for event in events if event["event"] == "combined"]
        (looked,) = (event for event in events if event["event"] == "looked")
        first, second = ([v["probabilities"] for v in event["verdicts"]] for event in combined)
        if combined[0]["look"] == 1:
            first, second = second, first
        one = [sum(column) / 3 for column in zip(*first, strict=True)]
        two = [sum(column) / 3 for column in zip(*second, strict=True)][::-1]
        assert looked["difference"] == pytest.approx([p - q for p, q in zip(one, two, strict=True)])
        assert isinstance(play.outcome, moot.Decided)
        mean = [(p + q) / 2 for p, q in zip(one, two, strict=True)]
        assert play.outcome.verdict.probabilities == pytest.approx(mean)
        for command in ("show", "verify", "replay", "cost"):
            assert said(command, path)
        for form in ("json", "jsonl", "mermaid", "dot", "graphml"):
            assert said("export", path, "-f", form)
    assert "cost: unknown" in said("cost", "r-0.jsonl")  # no price, and not 0
    assert json.loads(said("cost", "r-0.jsonl", "r-1.jsonl", "--json"))["cost"] is None


@pytest.mark.usefixtures("folder")
def test_a_live_seat_at_the_command_line() -> None:
    recorded("d.jsonl")
    words = ("rejudge", "d.jsonl", "--judge", "python:cli_agents:judge", "-o", "r.jsonl")
    seats = ("--seat", "a=python:cli_agents:speaker", "--seat", "b=python:cli_agents:speaker")
    assert "nobody was given" in refused(*words, "--live", "b")
    done = call(*words, *seats, "--live", "debater")
    assert done.exit_code == 0
    assert (moot.load("r.jsonl").parent or {})["live"] == ["a", "b"]


def test_a_judge_by_tokens_is_stopped_before_the_call_that_is_too_much(debate: moot.Transcript) -> None:
    mock = MockOpenAI()
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), max_tokens=200)
    for tokens in (3_000, 9_000, 40_000):
        before = mock.count
        play = moot.rejudge(debate, moot.Bounded(moot.Panel(lm, samples=5), tokens=tokens))
        used = [event for event in play.events() if event["event"] == "attempted"]
        spent = sum(event["prompt_tokens"] + event["completion_tokens"] for event in used)
        assert len(used) == mock.count - before and spent <= tokens
        assert isinstance(play.outcome, moot.Exhausted if tokens == 3_000 else moot.Decided)
