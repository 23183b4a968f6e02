"""Records of solib: what their transcripts become, and their scores computed again."""

from __future__ import annotations

import copy
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, imported, of_value

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.formats.importing import problems
from moot.transcripts.formats.records import json_value
from moot.transcripts.formats.solib_scores import expected, of_record, score_of, weights
from moot.transcripts.transcript import Transcript

RUN = "agent_judge"
probabilities = st.floats(0, 1, allow_nan=False)


def results(folder: str, line: int = 0) -> Any:
    lines = (FIXTURES / "solib" / folder / RUN / "results.jsonl").read_bytes().splitlines()
    return json_value(lines[line])


def plays(folder: str, tmp_path: Path) -> dict[str, Transcript]:
    found = by_name("solib", FIXTURES / "solib" / folder, tmp_path)
    return {name.removeprefix(f"{folder}-{RUN}-results-"): transcript for name, transcript in found.items()}


def said(transcript: Transcript) -> list[tuple[str, str]]:
    return [(step.seat, str(step.move.get("text", ""))) for step in transcript.steps()]


def given_to(transcript: Transcript) -> tuple[float, ...]:
    assert isinstance(transcript.outcome, Decided)
    return transcript.outcome.verdict.probabilities


def test_a_simultaneous_debate(tmp_path: Path) -> None:
    found = plays("Debate_t1_n4", tmp_path)
    assert set(found) == {"1-A", "1-B", "2-A", "2-B"}
    one, other = found["1-A"], found["1-B"]
    assert one.protocol == other.protocol == Debate(rounds=2)
    assert one.question.choices == ("240\nSix times forty is 240.", "46\nSix and forty make 46.")
    assert given_to(one) == (0.9, 0.1) and given_to(other) == (0.75, 0.25)
    assert said(one)[0] == ("a", "Forty seats, six times.") and one.sample.unseal() == 0
    # the record argues for B first there, and still seat a is the one that defends the first choice
    assert ("b", "It is one ferry.") in said(other) and said(other)[0] == ("a", "It crosses six times.")
    assert found["2-A"].sample.unseal() == 1
    assert one.seats["a"]["model"] == "agent-model" and one.seats["judge"]["model"] == "judge-model"


def test_a_sequential_debate_keeps_who_spoke_first(tmp_path: Path) -> None:
    found = plays("Debate_t0_n2", tmp_path)
    assert found["1-A"].protocol == Debate(rounds=1, order="sequential")
    assert found["1-B"].protocol == Debate(rounds=1, order="sequential", swap=True)
    assert [text for _, text in said(found["1-B"])] == ["One burnt.", "Nine trays.", ""]
    assert [seat for seat, _ in said(found["1-B"])] == ["a", "b", "judge"]


def test_a_consultancy_in_either_order(tmp_path: Path) -> None:
    first = plays("Consultancy_t1_n2", tmp_path / "1")["1-B"]
    assert isinstance(first.protocol, Consultancy) and first.protocol.answer == 1
    assert said(first) == [("consultant", "Count the ferry once."), ("judge", "Why once?"), ("judge", "")]
    second = plays("Consultancy_t0_n4", tmp_path / "2")["1-A"]
    assert [seat for seat, _ in said(second)] == ["judge", "consultant", "judge", "consultant", "judge"]
    assert second.ledger.seats["judge"].queries == 2


def test_propaganda_is_a_consultancy_of_one_speech(tmp_path: Path) -> None:
    found = plays("Propaganda", tmp_path)
    assert found["1-A"].protocol == Consultancy(rounds=1) and found["1-B"].protocol == Consultancy(rounds=1, answer=1)
    (quote,) = next(found["1-A"].steps()).move["quotes"]
    assert quote["verified"] and found["1-A"].question.passage == "The baker made nine trays of rolls. One tray burnt."


def test_blind_is_the_judge_alone(tmp_path: Path) -> None:
    found = plays("Blind", tmp_path)
    assert all(
        transcript.protocol == DirectQA() and given_to(transcript) == (1.0, 0.0) for transcript in found.values()
    )


def test_the_truth_is_sealed_and_not_in_the_order_of_the_choices() -> None:
    record = results("Debate_t1_n4", 1)
    assert record["answer_cases"][0]["value"] == 1.0, "files put the true answer first"
    other = json.loads(json.dumps(record).replace('"value": 1.0', '"value": 0').replace('"value": -1.0', '"value": 1.0')
                       .replace('"value": 0', '"value": -1.0'))  # fmt: skip
    for mine, theirs in zip(of_value("solib", record)[0], of_value("solib", other)[0], strict=True):
        assert (mine.sample.unseal(), theirs.sample.unseal()) == (1, 0)
        assert mine.digest == theirs.digest


def test_without_a_config_the_transcripts_show_what_they_can(tmp_path: Path) -> None:
    for folder in ("Debate_t1_n4", "Propaganda"):
        target = tmp_path / "bare" / folder
        target.mkdir(parents=True)
        shutil.copy(FIXTURES / "solib" / folder / RUN / "results.jsonl", target / "results.jsonl")
    named = imported("solib", tmp_path / "bare", tmp_path / "out")
    assert [each.problems for each in named] == [[]] * 6, "the name of the folder says that they spoke at the same time"
    target = tmp_path / "results.jsonl"
    shutil.copy(FIXTURES / "solib" / "Debate_t1_n4" / RUN / "results.jsonl", target)
    for each in imported("solib", target, tmp_path / "unnamed"):
        assert each.path is not None and len(each.problems) == 1
        assert "line" in each.problems[0] and "read as speaking in turn" in each.problems[0]


def test_a_broken_config_is_told_once_and_as_good_as_none(tmp_path: Path) -> None:
    for number, content in enumerate(
        [b"{", b"[1]", b'{"protocol": 3, "agent": {"dict": 1}}', b"\xff", b'{"protocol": {"__class__": 1}}']
    ):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_bytes(content)
        (folder / "results.jsonl").write_text(json.dumps(results("Propaganda")))
        first, second = imported("solib", folder, tmp_path / f"out{number}")
        assert first.path is not None and second.problems == []
        assert ["config.json beside it" in problem for problem in first.problems] == [True] * (number in (0, 1, 3))


def test_scores_as_published() -> None:
    certain = {"A": 1.0, "B": 0.0}
    assert score_of(certain, "A") == pytest.approx(
        {"log": -0.00010000500033334732, "brier": 0.0, "logodds": 9.210240366975848, "accuracy": 1.0}, rel=1e-15
    )
    assert score_of(certain, "B")["log"] == pytest.approx(-9.210340371976182, rel=1e-15)
    assert score_of(certain, "B")["brier"] == -2.0
    third = {"A": 1 / 3, "B": 2 / 3}
    assert score_of(third, "A")["brier"] == pytest.approx(-8 / 9) and score_of(third, "A")["accuracy"] == 0.0
    found = of_record({"A": certain, "B": third}, "A")
    assert found["judge_score_b1"][0]["log"] == pytest.approx(-0.4395312843442045, rel=1e-12)
    assert found["judge_score_b1"][0]["accuracy"] == pytest.approx(0.5999759985599136, rel=1e-12)
    assert found["agent_score_diff"][0]["logodds"] == pytest.approx(8.517093186415902, rel=1e-12)


def test_where_both_answers_are_best_they_count_in_full() -> None:
    found = of_record({"A": {"A": 1.0, "B": 0.0}, "B": {"A": 0.0, "B": 1.0}}, "A")
    full, shared = found["agent_score_b0"]
    assert (full["accuracy"], shared["accuracy"]) == (2.0, 1.0)
    assert full["log"] == pytest.approx(2 * -0.00010000500033334732)


@given(a=probabilities, b=probabilities, beta=st.floats(0.05, 50))
def test_weights_are_a_distribution_that_goes_from_the_best_to_even(a: float, b: float, beta: float) -> None:
    logs = {"A": math.log(max(a, 1e-4)), "B": math.log(max(b, 1e-4))}
    for given_beta in (beta, math.inf):
        assert math.isclose(sum(weights(logs, given_beta).values()), 1)
    assert math.isclose(sum(weights(logs, 0, shared=True).values()), 1)
    close = weights(logs, 1e9)
    assert close["A"] == pytest.approx(0.5, abs=1e-6)
    if logs["A"] > logs["B"]:
        assert weights(logs, beta)["A"] >= 0.5 and weights(logs, 0) == {"A": 1, "B": 0}


@given(p=probabilities, q=probabilities)
def test_the_scores_of_a_zero_sum_judge(p: float, q: float) -> None:
    reports = {"A": {"A": p, "B": 1 - p}, "B": {"A": q, "B": 1 - q}}
    mine, other = of_record(reports, "A"), of_record(reports, "B")
    for rule, value in mine["agent_score_diff"][0].items():
        assert value == pytest.approx(-other["agent_score_diff"][0][rule])
    assert mine["agent_score.A"] == mine["judge_score.A"] and other["agent_score.B"] == other["judge_score.B"]
    even = expected({"A": mine["judge_score.A"][0], "B": mine["judge_score.B"][0]}, {"A": 0.5, "B": 0.5})
    assert even == pytest.approx(mine["judge_score_binf"][0])


@pytest.mark.parametrize(
    ("place", "rule"),
    [(("agent_score_diff",), "log"), (("judge_score_b0",), "brier"), (("agent_score_binf",), "accuracy"),
     (("answer_cases", 0, "agent_score"), "logodds"), (("answer_cases", 1, "case_probs", "judge_score"), "log")],
)  # fmt: skip
def test_a_score_that_differs_is_reported_with_its_field(place: tuple[Any, ...], rule: str) -> None:
    record = copy.deepcopy(results("Propaganda"))
    holder = record
    for part in place:
        holder = holder[part]
    holder[rule] += 0.001
    found, told = of_value("solib", record)
    (problem,) = told
    assert ".".join(map(str, place)) + f".{rule} is " in problem and "from the probabilities it is" in problem
    assert len(found) == 2 and all(isinstance(transcript.outcome, Decided) for transcript in found)


def test_probabilities_that_are_none_leave_the_play_open() -> None:
    for wrong, says in ((None, "there is no judge_prob"), (-2.0, "which is no probability"), ("x", "not a number")):
        record = copy.deepcopy(results("Propaganda"))
        for answer in record["answer_cases"][0]["case_probs"]["answer_cases"]:
            answer["judge_prob"] = None if wrong is None else {"prob": wrong}
        first, second = of_value("solib", record)[0]
        assert first.outcome is None and second.outcome is not None
        assert any(says in problem for problem in problems(first))
    record = copy.deepcopy(results("Propaganda"))
    for answer in record["answer_cases"][0]["case_probs"]["answer_cases"]:
        answer["judge_prob"]["prob"] = 0.25
    first = of_value("solib", record)[0][0]
    assert given_to(first) == (0.5, 0.5) and any("sum to 1, not [0.25, 0.25]" in told for told in problems(first))


def test_what_contradicts_itself_is_refused_with_its_field() -> None:
    record = copy.deepcopy(results("Debate_t1_n4"))
    record["answer_cases"][0]["case_probs"]["transcript"][1]["role"] = "A"
    found, told = of_value("solib", record)
    assert len(found) == 1 and "answer_cases.0.case_probs.transcript: the debaters do not take turns" in told[0]
    record["answer_cases"][1]["short"] = "A"
    found, told = of_value("solib", record)
    assert not found and "answer_cases.1.short is 'A', which another answer has too" in told[0]
