"""Human debates whose platform let pass what its own rules forbid: played as they were held, with remarks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_kit import of_value, spoilt
from nyu_records import TOKENS, broken, consultancy, finished_debate, said

from moot.complexity.reward import continues
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.formats.importing import problems
from moot.transcripts.formats.nyu import export_debate, import_debate
from moot.transcripts.formats.nyu_passage import Passage, speech_of
from moot.transcripts.formats.nyu_rules import Segment
from moot.transcripts.replay import replay

PASSAGE = Passage.of(TOKENS)


@pytest.mark.parametrize("change", [
    "long quotes", "long feedback", "no distribution", "wrong round", "more rounds", "wrong order", "nobody's speech",
    "rules without end", "a rule of no protocol",
    "unfinished round", "after the end", "early offline judgment", "bad offline judgment",
])  # fmt: skip
def test_what_was_accepted_there_is_played_with_a_remark_and_keeps_its_verdict(change: str) -> None:
    given, message, step = broken(change)
    transcript = import_debate(given)
    (problem,) = problems(transcript)
    assert re.match(message, problem), problem
    assert export_debate(transcript) == given and replay(transcript).digest == transcript.digest
    assert isinstance(transcript.outcome, Decided) and transcript.outcome.verdict.probabilities == (0.99, 1 - 0.99)
    assert [each.step for each in transcript.steps() if each.remark] == ([step] if step else [])
    assert not [event for event in transcript.events() if event["event"] == "rejected"]


@pytest.mark.parametrize(("words", "rule"), [
    ("w" * 502, "the limit is 500 characters; this text has 502"), ("", "the speech is empty"), (" \n", "the speech is empty"),
])  # fmt: skip
def test_a_consultancy_whose_platform_let_a_speech_pass(words: str, rule: str) -> None:
    given = consultancy("A")
    given["setup"]["rules"]["repeatingStructure"][0]["SequentialSpeechesRound"]["charLimit"] = 500
    given["rounds"][1]["SequentialSpeeches"]["speeches"]["0"]["content"] = [{"Text": {"text": words}}] if words else []
    transcript = import_debate(given)
    (remark,) = [each.remark for each in transcript.steps() if each.remark]
    assert remark.startswith(rule) and problems(transcript) == [f"rounds.1.SequentialSpeeches.speeches.0: {remark}"]
    assert isinstance(transcript.outcome, Decided) and transcript.outcome.verdict.probabilities == (0.2, 0.8)
    assert continues(transcript) == 2 and export_debate(transcript) == given


SPOKEN = st.text("ab \n", max_size=90)
QUOTED = st.lists(st.tuples(st.integers(-2, len(TOKENS) + 2), st.integers(-2, len(TOKENS) + 2)), max_size=2)
WEIGHTS = st.tuples(st.floats(0, 9), st.floats(0.01, 9))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_people_said_their_verdict_is_the_outcome(data: st.DataObject) -> None:
    """Speeches of any length and of none, quotes of any part or of no part of the source, probabilities of any sum, speeches
    that are not there: each is a remark on its step, and nothing else is."""
    given, remarked = finished_debate(), list[str]()
    weights = {index: data.draw(WEIGHTS) for index in (0, 2, 4)}
    for index, pair in weights.items():
        given["rounds"][index]["JudgeFeedback"]["distribution"] = list(pair)
        remarked += [str({0: 0, 2: 2, 4: 5}[index])] * (abs(sum(pair) - 1) > 1e-6)
    for index, name, steps in ((1, "Simultaneous", ("1.0.0", "1.1.0")), (3, "Sequential", ("3", "4"))):
        spoken = given["rounds"][index][f"{name}Speeches"]["speeches"]
        for key, step in zip("01", steps, strict=True):
            if data.draw(st.integers(0, 5)) == 0:
                del spoken[key]
                remarked.append(step)
                continue
            text, spans = data.draw(SPOKEN), data.draw(QUOTED)
            spoken[key] = said("Ann", 1, text, *spans)
            move = speech_of([Segment.model_validate(each) for each in spoken[key]["content"]], PASSAGE)
            quoted = sum(len(quote["text"]) for quote in move["quotes"])
            empty = not text.strip() and not spans
            remarked += [step] * (empty or len(text) + quoted > 80 or quoted > 40)
    transcript = import_debate(given)
    expected = tuple(each / sum(weights[4]) for each in weights[4])
    assert isinstance(transcript.outcome, Decided) and transcript.outcome.verdict.probabilities == pytest.approx(
        expected
    )
    assert sorted(each.step for each in transcript.steps() if each.remark) == sorted(remarked)
    assert len(problems(transcript)) >= len(remarked)
    assert export_debate(transcript) == given and replay(transcript).digest == transcript.digest


def test_a_belief_that_is_none_leaves_the_play_open() -> None:
    for wrong in ([0.5, 0.25, 0.25], [0.0, 0.0], [1.5, -0.5], [1.0], []):
        given = finished_debate()
        given["rounds"][2]["JudgeFeedback"]["distribution"] = wrong
        transcript = import_debate(given)
        assert transcript.outcome is None and "rounds.2.JudgeFeedback cannot be played" in problems(transcript)[0]
        assert len(list(transcript.steps())) == 3 and replay(transcript).digest == transcript.digest


def test_rounds_that_the_rules_do_not_call_for_are_no_end_of_the_debate() -> None:
    given = broken("wrong round")[0]
    given["rounds"] = given["rounds"][:3]
    (problem,) = problems(import_debate(given, {"status": {"InProgress": {}}}))
    assert "the rules call for JudgeFeedback" in problem


@settings(max_examples=25, deadline=None)
@given(value=spoilt(finished_debate()))
def test_a_spoilt_record_is_imported_or_reported(value: Any) -> None:
    found, told = of_value("nyu", value)
    assert found or told
    for transcript in found:
        assert export_debate(transcript) == value
