"""Judging one transcript many times: seeds of rejudgements and forks, and what a judge believes after each round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.agents.models.lm import LM
from moot.testing.server.server import MockOpenAI

DEBATE = moot.Debate(rounds=3)
SAMPLE = moot.Sample(QUESTION, truth=0)


def drawing(request: moot.Request) -> moot.Move:
    p = request.seed % 1001 / 1000
    return moot.Verdict(probabilities=(p, 1 - p)) if moot.Verdict in request.kinds else moot.Ask(text="Why?")


def counting(request: moot.Request) -> moot.Move:
    """Believes the first answer by how many statements it was shown."""
    if moot.Verdict not in request.kinds:
        return moot.Ask(text=f"What of {request.step}?")
    p = len(request.view) / 100
    return moot.Verdict(probabilities=(p, 1 - p))


def believed(play: moot.Transcript) -> tuple[float, ...]:
    assert isinstance(play.outcome, moot.Decided)
    return play.outcome.verdict.probabilities


def nobody(request: moot.Request) -> moot.Move:
    raise RuntimeError("a debater was asked")


@pytest.fixture(scope="module")
def debate() -> moot.Transcript:
    return moot.run(DEBATE, SAMPLE, everywhere(DEBATE, speak), seed=9)


def test_twenty_rejudgements_are_twenty_different_requests(debate: moot.Transcript) -> None:
    mock = MockOpenAI()
    judge = moot.ModelJudge(LM("mock", base_url="http://mock/v1", http_client=mock.http_client()))
    plays = [moot.rejudge(debate, judge, seed=seed) for seed in range(20)]
    again = moot.rejudge(debate, judge, seed=3)
    kept = [moot.rejudge(debate, judge), moot.rejudge(debate, judge, seed=9)]
    seeds = [call.body["seed"] for call in mock.calls]
    assert len(set(seeds[:20])) == 20 and len(seeds) == 23  # no debater was asked
    assert seeds[20] == seeds[3] and seeds[21] == seeds[22] == seeds[9]
    assert all(moot.replay(play).digest == play.digest for play in plays)
    assert plays[4].parent and plays[4].parent["seed"] == 4 and plays[4].parent["digest"] == debate.digest
    assert "seed" not in (kept[0].parent or {}) and again.digest == plays[3].digest


@settings(max_examples=10, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_a_seed_decides_what_is_drawn_and_no_coin(seed: int) -> None:
    class Flips(moot.Protocol):
        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            drawn = [await floor.flip() for _ in range(3)]
            verdict = await floor.ask("judge", moot.Verdict, details={"coins": drawn}, task="verdict")
            return moot.Decided(verdict)

        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"judge": "judge"}

    whole = moot.run(Flips(), SAMPLE, {"judge": drawing}, seed=5)
    again = moot.rejudge(whole, drawing, seed=seed, protocol=Flips())
    coins = [[event for event in play.events() if event["event"] == "flipped"] for play in (whole, again)]
    assert [c["value"] for c in coins[0]] == [c["value"] for c in coins[1]] and coins[0]
    assert moot.replay(again, Flips()).digest == again.digest
    assert believed(moot.rejudge(again, drawing, protocol=Flips())) == believed(again)  # the seed is handed down
    assert believed(moot.rejudge(again, drawing, seed=5, protocol=Flips())) == believed(whole)


def test_forks_draw_anew(debate: moot.Transcript) -> None:
    def talk(request: moot.Request) -> moot.Move:
        return drawing(request) if moot.Verdict in request.kinds else moot.Speech(text=f"said {request.seed}")

    forks = [moot.fork(debate, "1.0.0", everywhere(DEBATE, talk), seed=seed) for seed in range(5)]
    assert len({play.digest for play in forks}) == 5
    assert moot.fork(debate, "1.0.0", everywhere(DEBATE, talk), seed=2).digest == forks[2].digest
    for play in forks:
        assert moot.replay(play).digest == play.digest


def test_a_rejudgement_that_was_broken_off_keeps_its_seed(debate: moot.Transcript, tmp_path: Path) -> None:
    whole = moot.rejudge(debate, drawing, seed=77, out=tmp_path / "whole.jsonl")
    lines = list(whole.lines())
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"".join(lines[:-2]))
    resumed = moot.resume(path, {"a": nobody, "b": nobody, "judge": drawing})
    assert resumed.digest == whole.digest and believed(resumed) != believed(moot.rejudge(debate, drawing))


def test_a_broken_off_rejudgement_asks_no_debater(tmp_path: Path) -> None:
    """Wherever it was broken off, resuming it takes the others' words from the play that it was derived from."""
    asking = moot.Debate(rounds=2, questions=True)
    source = moot.run(asking, SAMPLE, everywhere(asking, speak), seed=9, out=tmp_path / "source.jsonl")
    judge = counting
    options: dict[str, Any]
    for name, options in (("whole", {"stale": True}), ("upto", {"upto": 1})):
        whole = moot.rejudge(source, judge, seed=3, out=tmp_path / f"{name}.jsonl", **options)
        lines = list(whole.lines())
        for count in range(1, len(lines)):
            path = tmp_path / f"{name}-{count}.jsonl"
            path.write_bytes(b"".join(lines[:count]))
            assert moot.resume(path, {"judge": judge}).digest == whole.digest
        path = tmp_path / f"{name}-seated.jsonl"
        path.write_bytes(b"".join(lines[:2]))
        assert moot.resume(path, {"a": nobody, "b": nobody, "judge": judge}).digest == whole.digest
    (tmp_path / "source.jsonl").unlink()
    path = tmp_path / "orphan.jsonl"
    path.write_bytes(b"".join(lines[:2]))
    with pytest.raises(moot.UsageError, match="nobody sits at 'b'"):
        moot.resume(path, {"a": nobody, "b": nobody, "judge": judge})


@pytest.mark.parametrize("seed", [True, 1.0, "1", [1]])
def test_a_seed_is_a_whole_number(debate: moot.Transcript, seed: Any) -> None:
    with pytest.raises(moot.UsageError, match="seed is .*; it must be a whole number"):
        moot.rejudge(debate, drawing, seed=seed)
    with pytest.raises(moot.UsageError, match="seed is .*; it must be a whole number"):
        moot.fork(debate, "3", {"judge": drawing}, seed=seed)


# -- after so many rounds ----------------------------------------------------------------------------------------------


def test_beliefs_after_each_round(debate: moot.Transcript) -> None:
    found = moot.beliefs(debate, counting)
    assert [each.rounds for each in found] == [0, 1, 2, 3]
    assert [each.probabilities for each in found] == [(n / 100, 1 - n / 100) for n in (0, 2, 4, 6)]
    for each in found:
        assert moot.replay(each.transcript).digest == each.transcript.digest
        assert each.transcript.parent and each.transcript.parent["upto"] == each.rounds
        assert each.transcript.protocol == moot.Debate(rounds=each.rounds)
    assert found[-1].transcript.digest == moot.rejudge(debate, counting).digest


@pytest.mark.parametrize("protocol", [
    moot.Debate(rounds=3, order="sequential"), moot.Debate(rounds=3, questions=True, order="sequential"),
    moot.InteractiveDebate(rounds=3), moot.Consultancy(rounds=3), moot.OpenConsultancy(rounds=3), moot.OpenDebate(rounds=3),
    moot.InteractiveDebate(rounds=3, examiner=True),
    moot.Debate(rounds=3, opening=(moot.Speeches(),), closing=(moot.Speeches(),)),
    moot.Debate(rounds=3, repeat=(moot.Speeches(order="sequential"), moot.Feedback())),
])  # fmt: skip
def test_what_was_said_until_then_is_as_recorded(protocol: moot.Debate) -> None:
    whole = moot.run(protocol, SAMPLE, everywhere(protocol, speak), seed=2)
    said = {step.step: step for step in whole.steps()}
    counts = []
    for rounds in range(4):
        verdicts: list[int] = []

        def judge(request: moot.Request) -> moot.Move:
            verdicts.append(len(list(request.view)))  # noqa: B023
            return counting(request)

        play = moot.rejudge(whole, judge, upto=rounds)
        steps = list(play.steps())
        assert [(s.seat, s.move) for s in steps[:-1]] == [(said[s.step].seat, said[s.step].move) for s in steps[:-1]]
        assert steps[-1].seat == "judge" and len(verdicts) == 1  # the one question that is put to the new judge
        assert not any(
            event["event"] == "rejected" for event in play.events()
        )  # nobody's words are taken for another's
        assert moot.replay(play).digest == play.digest
        counts.append(verdicts[0])
    assert counts == sorted(set(counts))  # each round shows more
    before = 2 * len(protocol.opening) + (protocol.name in ("open-debate", "open-consultancy"))
    assert counts[0] == before  # and what came after the last round is not shown
    if protocol.closing:
        assert counts == [2, 4, 6, 8]


@pytest.mark.parametrize("upto, problem", [
    (4, "upto is 4; there were 3 rounds"), (-1, "number of rounds"), (True, "number of rounds"), ("1", "number of rounds"),
])  # fmt: skip
def test_no_such_round(debate: moot.Transcript, upto: Any, problem: str) -> None:
    with pytest.raises(moot.UsageError, match=problem):
        moot.rejudge(debate, counting, upto=upto)


def test_what_has_no_rounds(tmp_path: Path) -> None:
    direct = moot.run(moot.DirectQA(), SAMPLE, {"judge": counting})
    for call in (lambda: moot.rejudge(direct, counting, upto=1), lambda: moot.beliefs(direct, counting)):
        with pytest.raises(moot.UsageError, match="direct-qa has no rounds to stop after"):
            call()
    endless = moot.Debate(rounds=None, repeat=(moot.Speeches(), moot.Feedback()))
    ends = lambda request: moot.Verdict(probabilities=(0.5, 0.5), end=len(request.view) > 3)  # noqa: E731
    play = moot.run(endless, SAMPLE, everywhere(endless, speak, judge=ends))
    with pytest.raises(moot.UsageError, match="left open"):
        moot.beliefs(play, counting)
    assert believed(moot.rejudge(play, counting, upto=1)) == (0.03, 0.97)
    with pytest.raises(moot.UsageError, match="nobody sits at 'a'"):
        moot.rejudge(play, counting, upto=3)


def test_a_judge_that_fails_believes_nothing(debate: moot.Transcript) -> None:
    def fails(request: moot.Request) -> moot.Move:
        if len(request.view) == 2:
            raise RuntimeError("down")
        return counting(request)

    assert [each.probabilities is None for each in moot.beliefs(debate, fails)] == [False, True, False, False]


def test_at_the_command_line(debate: moot.Transcript, tmp_path: Path, capsys: Any) -> None:
    from moot.cli import main

    path = debate.save(tmp_path / "d.jsonl")

    def call(*arguments: str) -> tuple[int, list[Any], str]:
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), [json.loads(line) for line in out.splitlines()], err

    judged = ["rejudge", str(path), "--judge", "python:test_rejudged_again:drawing", "--json"]
    code, rows, _ = call(*judged, "-o", str(tmp_path / "r.jsonl"), "--repetitions", "3", "--seed", "5")
    assert code == 0 and len({row["digest"] for row in rows}) == 3
    assert sorted(each.name for each in tmp_path.glob("r-*.jsonl")) == ["r-5.jsonl", "r-6.jsonl", "r-7.jsonl"]
    code, _, err = call(*judged, "-o", str(tmp_path / "r.jsonl"), "--repetitions", "3", "--seed", "4")
    assert code == 2 and "r-5.jsonl exists already" in err and not (tmp_path / "r-4.jsonl").exists()
    code, rows, _ = call(*judged, "-o", str(tmp_path / "u.jsonl"), "--upto", "1")
    assert code == 0 and moot.load(tmp_path / "u.jsonl").protocol == moot.Debate(rounds=1)
    code, _, err = call(*judged, "-o", str(tmp_path / "v.jsonl"), "--upto", "9")
    assert code == 2 and "there were 3 rounds" in err
