"""Resume, fork and rejudge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from players import FAIR, QUESTION, Slow, everywhere, speak

import moot

DEBATE = moot.Debate(rounds=3)
ASKING = moot.Debate(rounds=2, questions=True)
SURE = moot.Verdict(probabilities=(0.0, 1.0))


def sure(request: moot.Request) -> moot.Move:
    """A judge that decides otherwise, and asks other questions."""
    return SURE if moot.Verdict in request.kinds else moot.Ask(text=f"what of {request.step}?")


@pytest.fixture
def whole(tmp_path: Path) -> moot.Transcript:
    return moot.run(
        DEBATE, moot.Sample(QUESTION, truth=0), everywhere(DEBATE, Slow(0.001)), seed=9, out=tmp_path / "whole.jsonl"
    )


def test_resume_at_every_event(whole: moot.Transcript, tmp_path: Path) -> None:
    lines = list(whole.lines())
    for count in range(1, len(lines)):
        path = tmp_path / f"{count}.jsonl"
        path.write_bytes(b"".join(lines[:count]))
        said = {step.step for step in moot.load(path).steps()}
        agent = Slow(0)
        resumed = moot.resume(path, everywhere(DEBATE, agent))
        assert resumed.digest == whole.digest
        assert said.isdisjoint(agent.calls) and len(said) + len(agent.calls) == 7
        assert moot.replay(resumed).digest == whole.digest
        assert resumed.sample.unseal() == 0


def test_a_play_that_has_ended_is_not_resumed(whole: moot.Transcript) -> None:
    before = whole.path.read_bytes()  # type: ignore[union-attr]
    with pytest.raises(moot.UsageError, match="has ended \\(decided\\).*moot.fork"):
        moot.resume(whole.path, everywhere(DEBATE, speak))  # type: ignore[arg-type]
    assert whole.path.read_bytes() == before  # type: ignore[union-attr]


def test_a_failed_play_is_taken_up_where_it_failed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    def fails(request: moot.Request) -> moot.Move:
        if request.step.startswith("1"):
            raise ConnectionError("down")
        return speak(request)

    failed = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak, b=fails), out=path)
    assert isinstance(failed.outcome, moot.Errored)
    agent = Slow(0)
    resumed = moot.resume(path, everywhere(DEBATE, agent))
    assert resumed.digest == moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak)).digest
    assert "0.0.0" not in agent.calls and "1.1.0" in agent.calls
    assert moot.replay(resumed).digest == resumed.digest


def test_a_changed_protocol_diverges(whole: moot.Transcript, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(b"".join(list(whole.lines())[:-3]))
    with pytest.raises(moot.ReplayDivergence) as caught:
        moot.resume(path, everywhere(DEBATE, speak), protocol=moot.Debate(rounds=3, order="sequential"))
    assert caught.value.step in ("0.0.0", "0.1.0")
    with pytest.raises(moot.ReplayDivergence) as caught:
        moot.replay(whole, moot.Debate(rounds=4))
    assert caught.value.step in ("0.0.0", "0.1.0") and caught.value.field == "request"


def test_fork_takes_what_came_before(whole: moot.Transcript, tmp_path: Path) -> None:
    asked: list[str] = []

    def other(request: moot.Request) -> moot.Move:
        asked.append(request.step)
        return SURE if moot.Verdict in request.kinds else moot.Speech(text=f"otherwise at {request.step}")

    out = tmp_path / "fork.jsonl"
    forked = moot.fork(whole, "1.1.0", everywhere(DEBATE, other), out=out)
    assert asked == ["1.1.0", "2.0.0", "2.1.0", "3"]
    before, after = {s.step: s.move for s in whole.steps()}, {s.step: s.move for s in forked.steps()}
    assert {step for step in before if before[step] == after[step]} == {"0.0.0", "0.1.0", "1.0.0"}
    assert forked.outcome != whole.outcome and moot.load(out).digest == forked.digest == moot.replay(forked).digest
    assert forked.parent == {
        "digest": whole.digest, "at": "1.1.0", "seats": whole.seats, "path": str(whole.path),
    }  # fmt: skip
    assert forked.ledger.seats["a"].recorded == 2 and forked.ledger.seats["a"].calls == 3
    assert forked.sample.unseal() == 0


def test_fork_with_the_same_agents_is_the_same_play(whole: moot.Transcript) -> None:
    for step in [each.step for each in whole.steps()]:
        assert moot.fork(whole, step, everywhere(DEBATE, speak)).digest == whole.digest


@pytest.mark.parametrize(
    "at, near",
    [
        ("8", "2.0.0, 2.1.0, 3"),
        ("x", "0.0.0, 0.1.0, 1.0.0"),
        ("1", "0.0.0, 0.1.0, 1.0.0, 1.1.0, 2.0.0"),
    ],
)
def test_fork_at_no_step(at: str, near: str, whole: moot.Transcript) -> None:
    with pytest.raises(moot.UsageError, match=f"no move was recorded at step {at!r}; the nearest: {near}$"):
        moot.fork(whole, at, everywhere(DEBATE, speak))


def test_a_fork_needs_those_alone_who_are_asked(whole: moot.Transcript, tmp_path: Path) -> None:
    forked = moot.fork(whole, "3", {"judge": sure})
    assert isinstance(forked.outcome, moot.Decided) and forked.outcome.verdict == SURE
    out = tmp_path / "f.jsonl"
    asked: list[str] = []

    def debater(request: moot.Request) -> moot.Move:
        asked.append(request.step)
        return speak(request)

    with pytest.raises(
        moot.UsageError, match=r"step 3: nobody sits at 'judge' \(judge\).*f.jsonl holds the \d+ events"
    ):
        moot.fork(whole, "2.1.0", {"debater": debater}, out=out)
    assert asked == ["2.1.0"]
    assert len(list(moot.load(out).steps())) == 6
    assert moot.resume(out, {"debater": debater, "judge": speak}).digest == whole.digest and asked == ["2.1.0"]


def test_a_wait_is_not_left_behind_where_a_seat_is_empty(whole: moot.Transcript) -> None:
    with pytest.raises(moot.UsageError, match="nobody sits at 'b'"):
        moot.fork(whole, "1.0.0", {"a": Slow(0), "judge": speak})


def test_roles_stand_for_their_seats(whole: moot.Transcript, tmp_path: Path) -> None:
    one, other = Slow(0), Slow(0)
    path = tmp_path / "t.jsonl"
    assert (
        moot.run(DEBATE, QUESTION, {"debater": one, "b": other, "judge": speak}, seed=9, out=path).digest
        == whole.digest
    )
    assert {step.split(".")[1] for step in one.calls} == {"0"} and {step.split(".")[1] for step in other.calls} == {"1"}
    path.write_bytes(b"".join(list(whole.lines())[:4]))
    assert moot.resume(path, {"debater": speak, "judge": speak}).digest == whole.digest
    assert moot.rejudge(whole, speak, seats={"debater": speak}).digest == whole.digest
    for play in (
        lambda seats: moot.run(DEBATE, QUESTION, seats),
        lambda seats: moot.fork(whole, "3", seats),
        lambda seats: moot.rejudge(whole, speak, seats=seats),
        lambda seats: moot.solve(moot.Debate(rounds=0), QUESTION, moves={"a": None, "b": None}, seats=seats),
    ):
        with pytest.raises(moot.UsageError, match="no seat or role 'juge'; did you mean 'judge'\\?.*a \\(debater\\)"):
            play({"debater": speak, "juge": speak})


def test_rejudge_asks_the_judge_alone(whole: moot.Transcript) -> None:
    rejudged = moot.rejudge(whole, sure)
    assert isinstance(rejudged.outcome, moot.Decided) and rejudged.outcome.verdict == SURE
    assert [s.move for s in rejudged.steps()][:-1] == sorted_moves(whole, rejudged)
    assert moot.rejudge(whole, lambda request: FAIR).digest == whole.digest
    assert rejudged.ledger.seats["judge"].recorded == 0 and rejudged.ledger.seats["a"].recorded == 3
    assert moot.judge_reward(rejudged) == float("-inf")


def sorted_moves(whole: moot.Transcript, like: moot.Transcript) -> list[Any]:
    moves = {step.step: step.move for step in whole.steps()}
    return [moves[step.step] for step in like.steps()][:-1]


def test_rejudge_where_the_debaters_heard_the_judge() -> None:
    heard = moot.run(ASKING, QUESTION, everywhere(ASKING, speak))
    with pytest.raises(moot.ReplayDivergence) as caught:
        moot.rejudge(heard, sure)
    assert caught.value.field == "request" and caught.value.step.startswith(("2.", "3."))
    stale = moot.rejudge(heard, sure, stale=True)
    assert isinstance(stale.outcome, moot.Decided) and stale.outcome.verdict == SURE
    marked = [event["step"] for event in stale.events() if event["event"] == "moved" and event["meta"].get("stale")]
    assert marked and all(step > "1" for step in marked)
    live = moot.rejudge(heard, sure, seats={"a": speak, "b": speak})
    assert isinstance(live.outcome, moot.Decided) and not any(
        e["meta"].get("stale") for e in live.events() if "meta" in e
    )
    assert moot.replay(live).digest == live.digest


def test_nobody_to_rejudge() -> None:
    from players import scripted

    async def nothing(floor: Any) -> None: ...

    protocol = scripted(nothing)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, speak))
    object.__setattr__(transcript, "protocol", protocol)
    assert moot.rejudge(transcript, sure, protocol=protocol).outcome != transcript.outcome
