"""Questions: what is asked can be told apart, and written down; what was recorded stays readable."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import moot
from moot.play.recorded import header
from moot.transcripts.events import EventLog

CLEAN = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HIDDEN = st.sampled_from(
    ["\u200b", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u3164", "\ufe0f", "\x07", "\U000e0041", "\u202e"]
)


@given(st.text("ab \u00e9\u00c5\u1e9b\u0323", min_size=1, max_size=6), st.data())
def test_choices_that_look_the_same_are_refused(choice: str, data: st.DataObject) -> None:
    assume(choice.strip())
    words = choice.split()
    space = data.draw(st.sampled_from([" ", "  ", "\n", "\u00a0", "\u3000 "]))
    place = data.draw(st.integers(0, len(choice)))
    other = data.draw(st.sampled_from([
        space.join(words), f"{space}{choice}", f"{choice}{space}", unicodedata.normalize("NFD", choice),
        unicodedata.normalize("NFC", choice), choice[:place] + data.draw(HIDDEN) + choice[place:],
    ]))  # fmt: skip
    alike = "equal choices" if other == choice else "choices that look the same"
    with pytest.raises(moot.UsageError, match=f"has two {alike}, (.|\n)*; they must differ"):
        moot.Question("Which?", (choice, "z", other))


@given(st.text(" \t\n\u00a0\u200b\u2060\u3164\u2800\x00", max_size=5))
def test_a_choice_that_shows_nothing_is_refused(choice: str) -> None:
    with pytest.raises(moot.UsageError, match="is empty; each must show something"):
        moot.Question("Which?", ("z", choice))


@given(
    st.lists(
        st.text("abAB12\u00e9 -", min_size=1, max_size=3).map(lambda text: f"x{text.replace(' ', '')}y"),
        min_size=2,
        unique=True,
    )
)
def test_choices_that_differ_to_the_eye_are_taken(choices: list[str]) -> None:
    assert moot.Question("Which?", choices).choices == tuple(choices)


@pytest.mark.parametrize("place", ["text", "about", "passage", "id", "unit", "choices", "data"])
def test_half_a_surrogate_pair_is_no_text(place: str) -> None:
    given: dict[str, Any] = {"text": "Which?", "choices": ("a", "b"), "data": None}
    given[place] = {"choices": ("a", "b\udc00"), "data": {"x": [{"\udc00": 1}]}}.get(place, "x\ud800")
    with pytest.raises(moot.UsageError, match=f"question .*: {place} cannot be written down"):
        moot.Question(**given)


@pytest.mark.parametrize("data", [float("nan"), [float("inf")], {"x": ["\ud800"]}])
def test_data_that_no_file_holds_is_refused(data: Any) -> None:
    with pytest.raises(moot.UsageError, match="question 'Which.': data cannot be written down"):
        moot.Question("Which?", data=data)


@given(st.lists(CLEAN, min_size=2, max_size=3, unique=True))
def test_a_recorded_question_is_read_by_the_rule_of_its_time(choices: list[str]) -> None:
    lines: list[bytes] = []
    asked = moot.Question("Which?", ("a", "b", "c")[: len(choices)])
    fields = header(moot.DirectQA(), asked)
    fields["question"]["choices"] = choices
    EventLog(lines.append).event("started", fields)
    transcript = moot.Transcript(lines)
    assert transcript.question.choices == tuple(choices)
    assert moot.replay(transcript).transcript.sample.question == transcript.question
    json.dumps(transcript.question.model_dump(), allow_nan=False)


def test_without_choices_no_choice_is_true() -> None:
    with pytest.raises(moot.UsageError, match="truth is 0; without choices there is none to be true: give None"):
        moot.Sample(moot.Question("Which?"), truth=0)
    with pytest.raises(moot.UsageError, match="truth is 2; of 2 choices it must be 0 to 1"):
        moot.Sample(moot.Question("Which?", ("a", "b")), truth=2)
