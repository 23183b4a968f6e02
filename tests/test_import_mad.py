"""Records of Multi-Agents-Debate: speeches, the moderator's beliefs, and the judge's answer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, of_value

from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Feedback, Speeches
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.formats.multi_agent_debate import _side
from moot.transcripts.formats.records import json_value
from moot.transcripts.transcript import Transcript

ONE, TWO, THREE = (json_value((FIXTURES / "mad" / f"{number}.json").read_bytes()) for number in range(3))
REPEATED = (Speeches(order="sequential"), Feedback())


def said(transcript: Transcript) -> list[tuple[str, Any]]:
    return [(step.seat, step.move.get("probabilities") or step.move["text"]) for step in transcript.steps()]


def test_the_speeches_in_their_order_and_a_moderator_who_ends_them(tmp_path: Path) -> None:
    found = by_name("multi-agent-debate", FIXTURES / "mad", tmp_path)
    assert set(found) == {"0", "1", "2", "3"}, "settings are no debates"
    assert found["0"].protocol == Debate(rounds=2, repeat=REPEATED)
    assert said(found["0"]) == [
        ("a", "Ropes, for reason 0."), ("b", "It is raining cats and dogs, for reason 0."), ("judge", [0.5, 0.5]),
        ("a", "Ropes, for reason 1."), ("b", "It is raining cats and dogs, for reason 1."), ("judge", [0.0, 1.0]),
    ]  # fmt: skip
    outcome = found["0"].outcome
    assert isinstance(outcome, Decided) and outcome.verdict.end and "isn't it" in outcome.verdict.text
    question = found["0"].question
    assert question.choices == ("the affirmative side", "the negative side") and found["0"].sample.unseal() is None
    assert question.text == 'What is the correct English translation of the following text: "Il pleut des cordes."'
    assert question.about is not None and question.about.endswith("starts from: It rains ropes.")


def test_a_judge_after_the_moderator(tmp_path: Path) -> None:
    found = by_name("multi-agent-debate", FIXTURES / "mad", tmp_path)
    assert said(found["1"])[-2:] == [("judge", [0.5, 0.5]), ("judge", [0.0, 1.0])]
    assert found["2"].outcome is None, "the judge's answer is that of neither side"


def test_both_versions_of_the_program(tmp_path: Path) -> None:
    found = by_name("multi-agent-debate", FIXTURES / "mad", tmp_path)
    assert said(found["3"]) == [
        ("a", "It rains ropes, for reason 0."), ("b", "It is raining cats and dogs, for reason 0."), ("judge", [0.0, 1.0]),
    ]  # fmt: skip


def test_debates_about_anything() -> None:
    record = copy.deepcopy(THREE)
    del record["source"]
    record |= {"debate_topic": "Is it raining?", "base_answer": "Yes.", "debate_answer": "No."}
    for key in ("base translation", "debate translation"):
        del record[key]
    record["players"]["Affirmative side"][2]["content"] = "Yes."
    record["players"]["Negative side"][2]["content"] = "No. It is dry."
    (transcript,), told = of_value("multi-agent-debate", record)
    assert told == [] and transcript.question.text == "Is it raining?"
    assert said(transcript)[-1] == ("judge", [0.0, 1.0])


def test_what_the_moderator_says_must_be_readable() -> None:
    record = copy.deepcopy(ONE)
    record["players"]["Moderator"][2]["content"] = "They are both so good!"
    (transcript,), told = of_value("multi-agent-debate", record)
    (before,), _ = of_value("multi-agent-debate", ONE)
    assert [seat for seat, _ in said(transcript)] == [seat for seat, _ in said(before)], "the debate went on after it"
    assert "players.Moderator: message 0 states no readable preference, and the debate went on" in told[0]
    verdict = next(step.move for step in transcript.steps() if step.seat == "judge")
    assert tuple(verdict["probabilities"]) == (0.5, 0.5) and verdict["text"] == "They are both so good!"


def test_the_last_word_of_a_moderator_must_be_readable() -> None:
    record = copy.deepcopy(ONE)
    record["players"].pop("Judge", None)
    record["players"]["Moderator"][-1]["content"] = "They are both so good!"
    (transcript,), told = of_value("multi-agent-debate", record)
    assert transcript.outcome is None and "states no readable preference: " in told[0]
    assert [seat for seat, _ in said(transcript)][-1] == "b", "no value is made up for it"


def test_the_model_is_who_plays() -> None:
    (transcript,), _ = of_value("multi-agent-debate", {**ONE, "model_name": "model-x", "temperature": 0})
    assert transcript.seats["a"] == {"agent": "lm", "model": "model-x", "temperature": 0}


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ('{"Whether there is a preference": "Yes", "Supported Side": "Affirmative", "Reason": "x"}', "affirmative"),
        ("{'Whether there is a preference': 'Yes', 'Supported Side': 'Negative side'}", "negative"),
        ("```json\n{'Whether there is a preference' : 'No', 'Supported Side': 'Affirmative'}\n```", "none"),
        ('{"Supported Side": "negative"}', "negative"), ('{"Supported Side": "-"}', None), ("", None), ("{{{", None),
    ],
)  # fmt: skip
def test_preferences(text: str, side: str | None) -> None:
    assert _side(text) == side


@given(st.text(max_size=200))
def test_any_text_of_a_moderator_is_read_or_not(text: str) -> None:
    assert _side(text) in {None, "none", "affirmative", "negative"}


def test_nobody_said_anything() -> None:
    record = copy.deepcopy(ONE)
    record["players"] = {"Affirmative side": [], "Negative side": [], "Moderator": []}
    found, told = of_value("multi-agent-debate", record)
    assert not found and told[0].endswith("neither 'Affirmative side' nor 'Negative side' said anything")
