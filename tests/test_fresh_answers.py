"""Fresh answers: what seats write is what they defend, what the judge decides about, and what is graded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import moot

QUESTION = moot.Question("What is 6 times 7?", passage="The product is between 40 and 45.", size=9)
SAMPLE = moot.Sample(QUESTION, answer="42", grade="math")


def seats(answers: dict[str, str], believed: tuple[float, ...] = (0.9, 0.1)) -> Any:
    def act(request: moot.Request) -> moot.Move:
        if moot.Verdict in request.kinds:
            return moot.Verdict(probabilities=believed)
        if moot.Proposal in request.kinds:
            return moot.Proposal(answer=answers[request.seat], text="because")
        return moot.Speech(text=f"{request.seat} speaks")

    return act


@pytest.mark.parametrize(
    ("written", "believed", "swap", "stands", "truth", "correct"),
    [
        ("42", (0.9, 0.1), False, "42", 0, True), ("84/2", (0.9, 0.1), False, "84/2", 0, True), ("41", (0.9, 0.1), False, "41", 1, False), ("41", (0.1, 0.9), False, None, 1, True),
        ("42", (0.9, 0.1), True, None, 1, False), ("42", (0.1, 0.9), True, "42", 1, True), ("42", (0.5, 0.5), False, None, 0, None),
    ],
)  # fmt: skip
def test_a_proposal_is_accepted_or_not(
    tmp_path: Path, written: str, believed: Any, swap: bool, stands: Any, truth: int, correct: Any
) -> None:
    path = tmp_path / "a.jsonl"
    play = moot.run(
        moot.ProposerCritic(swap=swap),
        SAMPLE,
        dict.fromkeys(("proposer", "critic", "judge"), seats({"proposer": written}, believed)),
        out=path,
    )
    assert isinstance(play.outcome, moot.Decided)
    found = moot.graded(play)
    grade = None if stands is None else float(written != "41")
    assert (found.answer, found.grade, found.truth, found.correct, found.proposed) == (
        stands,
        grade,
        truth,
        correct,
        (written,),
    )
    assert sum(play.outcome.payoffs.values()) == 0
    right = believed[1 if swap else 0]
    assert (play.outcome.payoffs["proposer"] > 0) == (right > 0.5)
    assert [step.seat for step in play.steps()] == ["proposer", "critic", "proposer", "critic", "judge"]
    under = {step.step: step.under for step in play.steps()}
    assert under == {"0": "q", "1": "0", "2": "1", "3": "2", "4": None}
    assert moot.replay(moot.load(path)).digest == play.digest


def test_the_judge_is_shown_two_ways_and_no_more_of_the_source_than_declared() -> None:
    seen: list[moot.Request] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append(request)
        return moot.Verdict.sure(0)

    for source in ("none", "metered", "all"):
        cast = {"proposer": seats({"proposer": "42"}), "critic": seats({}), "judge": judge}
        moot.run(moot.ProposerCritic(judge_source=source), SAMPLE, cast)
    assert {each.view.question.choices for each in seen} == {
        ("the proposed answer is right", "the proposed answer is wrong")
    }
    assert [each.view.question.passage for each in seen] == [None, None, QUESTION.passage]


def test_what_the_judge_reads_is_metered() -> None:
    """The exact count: the proposal with its answer, and three speeches; a limit one below exhausts."""
    cast = dict.fromkeys(("proposer", "critic"), seats({"proposer": "42"}))
    content = len("because\nAnswer: 42") + 2 * len("critic speaks") + len("proposer speaks")

    def judge(request: moot.Request) -> moot.Verdict:
        assert len(list(request.view)) == 4
        return moot.Verdict.sure(0)

    play = moot.run(moot.ProposerCritic(), SAMPLE, {**cast, "judge": moot.Bounded(judge, reads=str(content))})
    assert isinstance(play.outcome, moot.Decided) and play.ledger.seats["judge"].reads == content
    play = moot.run(moot.ProposerCritic(), SAMPLE, {**cast, "judge": moot.Bounded(judge, reads=str(content - 1))})
    assert isinstance(play.outcome, moot.Exhausted)


@pytest.mark.parametrize("swap", [False, True])
def test_debaters_keep_their_seats_and_answers_when_the_list_is_turned(swap: bool) -> None:
    """A judge who believes the answer 42 pays whoever wrote it, in whatever place it is listed."""
    shown: list[tuple[str, ...]] = []
    defended: dict[str, str] = {}

    def act(request: moot.Request) -> moot.Move:
        choices = request.view.question.choices
        if moot.Verdict in request.kinds:
            shown.append(choices)
            return moot.Verdict.sure(choices.index("42"))
        if moot.Proposal in request.kinds:
            return moot.Proposal(answer={"a": "41", "b": "42"}[request.seat])
        defended[request.seat] = choices[request.brief["answer"]]
        return moot.Speech(text="so")

    play = moot.run(moot.FreshDebate(swap=swap, params={"rounds": 1}), SAMPLE, dict.fromkeys(("a", "b", "judge"), act))
    assert isinstance(play.outcome, moot.Decided) and defended == {"a": "41", "b": "42"}
    assert shown == [("42", "41") if swap else ("41", "42")]
    assert play.outcome.payoffs["b"] > 0 > play.outcome.payoffs["a"]
    found = moot.graded(play)
    assert (found.answer, found.grade, found.correct, found.truth) == ("42", 1, True, 0 if swap else 1)
    assert moot.replay(play).digest == play.digest


def test_where_no_answer_or_several_are_right_nobody_knows_what_to_choose() -> None:
    cast = dict.fromkeys(("a", "b", "judge"), seats({"a": "40", "b": "41"}))
    none = moot.graded(moot.run(moot.FreshDebate(params={"rounds": 0}), SAMPLE, cast))
    assert (none.answer, none.grade, none.truth, none.correct, none.grades) == ("40", 0, None, None, (0, 0))
    cast = dict.fromkeys(("a", "b", "judge"), seats({"a": "42", "b": "84/2"}))
    both = moot.graded(moot.run(moot.FreshDebate(params={"rounds": 0}), SAMPLE, cast))
    assert (both.grade, both.truth, both.correct) == (1, None, None)
    unknown = moot.graded(moot.run(moot.FreshDebate(params={"rounds": 0}), QUESTION, cast))
    assert (unknown.answer, unknown.grade, unknown.correct) == ("42", None, None)


@pytest.mark.parametrize(
    ("one", "other"), [("42", "42"), ("42", " 42\u200b"), ("42", ""), ("42", "\u2060"), ("42", "x" * 1001)]
)
def test_an_answer_that_cannot_be_debated_is_refused_and_told(one: str, other: str) -> None:
    cast = dict.fromkeys(("a", "b", "judge"), seats({"a": one, "b": other}))
    play = moot.run(moot.FreshDebate(), SAMPLE, cast)
    assert isinstance(play.outcome, moot.Forfeited) and play.outcome.seat == "b"
    assert any(word in play.outcome.rule for word in ("written before", "empty", "at most 1000"))
    assert moot.graded(play).grade is None


@pytest.mark.parametrize("made", [moot.ProposerCritic(), moot.FreshDebate()])
def test_questions_with_choices_are_refused(made: moot.Protocol) -> None:
    with pytest.raises(moot.UsageError, match="for questions without choices"):
        made.roles(moot.Question("Who?", ("a", "b")))


def test_bad_parameters() -> None:
    for params, message in (
        ({"swap": True}, "swap is a parameter of its own"),
        ({"round": 1}, "round"),
        ({"rounds": None}, "never ends"),
    ):
        with pytest.raises(moot.UsageError, match=message):
            moot.FreshDebate(params=params).roles(QUESTION)


def test_the_truth_is_in_no_request(tmp_path: Path) -> None:
    secret = moot.Sample(QUESTION, answer="4242424242", grade="exact")
    play = moot.run(
        moot.ProposerCritic(),
        secret,
        dict.fromkeys(("proposer", "critic", "judge"), seats({"proposer": "42"})),
        out=tmp_path / "a.jsonl",
    )
    assert "4242424242" not in (tmp_path / "a.jsonl").read_text() and moot.graded(play).grade == 0


def test_a_file_that_names_a_program_runs_none() -> None:
    play = moot.run(
        moot.ProposerCritic(),
        moot.Sample(QUESTION, answer="x", grade="os:system"),
        dict.fromkeys(("proposer", "critic", "judge"), seats({"proposer": "true"})),
    )
    with pytest.raises(moot.UsageError, match=r"allow=\['os:system'\]"):
        moot.graded(play)
