"""What recorded moves say, in words: every kind that a protocol of ours has, and the choices that verdicts are over."""

from __future__ import annotations

import re
from typing import Any

import pytest
from agent_kit import built_in_kinds
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.base import known_protocols
from moot.protocols.engine.moves import Move
from moot.protocols.recorded import words_of
from moot.tasks.base import known_tasks
from moot.transcripts.display.notebook import as_html
from moot.transcripts.display.scenes import scenes
from moot.transcripts.display.show import as_text, ledger_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
)


@settings(max_examples=2 * settings().max_examples // 5)  # of what the profile says: a kind's fields take long to make
@given(
    st.sampled_from(list(map(kind_name, built_in_kinds()))),
    st.dictionaries(st.text() | st.sampled_from(["of", "p", "values"]), json_values),
)
def test_any_fields_under_any_kind_can_be_shown(kind: str, fields: dict[str, Any]) -> None:
    assert isinstance(words_of({**fields, "kind": kind}), str)


def _ours(made: Any) -> bool:
    """Whether a task or a protocol is moot's own, and none that another test has made."""
    return str(getattr(made, "__module__", "")).startswith(("moot.protocols.", "moot.tasks."))


def test_every_play_by_programs_is_shown_in_words() -> None:
    """No list or dictionary as Python writes it, no field by its name, nothing empty."""
    shown: dict[str, str] = {}
    for task in filter(_ours, known_tasks().values()):
        for protocol in (name for name, made in known_protocols().items() if _ours(made) and task.cast(name)):
            sample = task.sample(4, seed=1)
            script, seats = task.staged(protocol, sample)
            transcript = moot.run(script, sample, seats)
            for event in transcript.events():
                if event["event"] == "moved":
                    shown.setdefault(event["move"]["kind"], words_of(event["move"]))
    assert len(shown) > 25
    for kind, text in shown.items():
        if kind not in ("answer", "verdict", "price"):  # shown beside the text
            assert text.strip(), kind
        assert not re.search(r"\{|\['|\[-?\d+, |\b(True|False|None)\b", text), (kind, text)


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (moot.Pixel(row=3, column=5, value=17), "row 3, column 5: 17"),
        ({"kind": "probability", "of": "bit(0)", "p": 0.123456789, "queries": 40355}, "Pr(bit(0) = 1) = 0.123457, after 40\u202f355 queries"),
        ({"kind": "check", "accept": False, "queries": 1}, "challenged, after 1 query"),
        ({"kind": "call", "sign": -1}, "the estimate is too low"),
        ({"kind": "pick", "claim": "0"}, "the claim does not follow"),
        ({"kind": "gate-values", "values": [1, 0, 1]}, "the values of gates 0 to 2: 101"),
        ({"kind": "concession", "text": ""}, "concedes"),
        ({"kind": "claim", "answer": "7", "text": ""}, "7"),
        ({"kind": "of-a-plug-in", "many_words": ["x", "y"], "sure": True, "p": 0.25}, "many words x, y, sure yes, p 0.25"),
    ],
)  # fmt: skip
def test_moves_in_words(move: Any, words: str) -> None:
    assert words_of(move.model_dump(mode="json") if isinstance(move, Move) else move) == words


def _swapped() -> moot.Transcript:
    question = moot.Question("Who sank it?", ("a storm", "the admiral"))
    talk = lambda request: moot.Speech(text="So it was.")  # noqa: E731
    judge = lambda request: moot.Verdict(probabilities=(0.9, 0.1))  # noqa: E731
    protocol = moot.SideSwapped(protocol="debate", params={"rounds": 1})
    return moot.run(protocol, question, {"a": talk, "b": talk, "judge": judge})


def test_a_verdict_is_shown_over_the_choices_that_were_put_to_the_judge() -> None:
    """Where answers are swapped the judge was asked about the other order, and each debater defends the other answer."""
    transcript = _swapped()
    found = scenes(transcript)
    verdicts = [scene for scene in found if scene.kind == "verdict"]
    assert [scene.choices for scene in verdicts] == [("a storm", "the admiral"), ("the admiral", "a storm")]
    assert [s.defends for s in found if s.seat == "a" and s.kind == "speech"] == ["“a storm”", "“the admiral”"]
    text = as_text(transcript)
    assert "a storm or the admiral" in text and "the admiral or a storm" in text
    assert "  a  debater: program" in text and "program; defends" not in text
    assert text.count("speech for “a storm”") == text.count("speech for “the admiral”") == 2


def test_a_verdict_about_a_claim_says_what_was_asked() -> None:
    task = known_tasks()["primality"]
    sample = task.of(221)  # type: ignore[attr-defined]
    protocol, seats = task.staged("decomposition-debate", sample)
    transcript = moot.run(protocol, sample, seats)
    text = as_text(transcript)
    assert "is said of those that it rests on?" in text and "\n  right  " in text and "\n  wrong  " in text
    assert "is said of those that it rests on?" in as_html(transcript)


def test_a_game_says_who_defends_which_answer() -> None:
    task = known_tasks()["oracle-chain"]
    sample = task.sample(4, seed=1)
    protocol, seats = task.staged("doubly-efficient", sample)
    transcript = moot.run(protocol, sample, seats)
    text, choices = as_text(transcript), sample.question.choices
    assert f"program honest; defends “{choices[0]}”" in text and f"program honest; defends “{choices[1]}”" in text
    assert "decides P^O, by what is read" in ledger_text(transcript.ledger, transcript.guarantee)
