"""Records of Khan et al. 2024: positions, rounds, judgements and quotes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, of_value

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Questions, Speeches
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.formats.khan import judgement_of
from moot.transcripts.formats.records import json_value
from moot.transcripts.transcript import Transcript

ONE = json_value((FIXTURES / "khan" / "one.json").read_bytes())


def plays(tmp_path: Path) -> dict[str, Transcript]:
    return by_name("khan", FIXTURES / "khan", tmp_path)


def verdict(transcript: Transcript) -> tuple[float, ...] | None:
    return transcript.outcome.verdict.probabilities if isinstance(transcript.outcome, Decided) else None


def test_positions_are_where_the_judges_saw_them(tmp_path: Path) -> None:
    found = plays(tmp_path)
    plain, swapped = found["one"], found["lines-1"]
    assert plain.question.choices == ("Mara did.", "The keeper did.") and plain.sample.unseal() == 0
    assert swapped.question.choices == ("The keeper did.", "Mara did.") and swapped.sample.unseal() == 1
    first = {step.seat: step.move["text"] for step in list(plain.steps())[:2]}
    other = {step.seat: step.move["text"] for step in list(swapped.steps())[:2]}
    assert first["a"] == other["b"] and first["a"].startswith("She did") and first["b"] == other["a"]
    assert plain.seats == {"a": {"name": "Ada"}, "b": {"name": "Ben"}}


def test_rounds(tmp_path: Path) -> None:
    found = plays(tmp_path)
    assert found["one"].protocol == Debate(rounds=2)
    sequential = found["lines-2"].protocol
    assert sequential == Debate(rounds=0, opening=(Speeches(), Speeches(order="sequential")))
    asked = found["lines-3"]
    assert asked.protocol == Debate(rounds=0, opening=(Speeches(), Questions(), Speeches(), Questions(), Speeches()))
    questions = [step.move["text"] for step in asked.steps() if step.seat == "judge"]
    assert questions == ["Ada, who is Mara?", "Ben, where is a keeper named?"]
    assert found["array-0"].protocol == Consultancy(rounds=2) and found["array-0"].sample.unseal() == 1
    assert found["array-2"].protocol == DirectQA()
    assert [step.seat for step in found["array-1"].steps()] == ["a", "b", "a"]


def test_judgements(tmp_path: Path) -> None:
    found = plays(tmp_path)
    assert {name: verdict(found[f"judged-{name}"]) for name in range(2, 8)} == {
        2: (1.0, 0.0), 3: (0.0, 1.0), 4: (0.7311, 0.2689), 5: (0.7, pytest.approx(0.3)), 6: None, 7: (1.0, 0.0),
    }  # fmt: skip
    assert isinstance(found["judged-5"].outcome, Decided)
    assert found["judged-5"].outcome.verdict.text == "It sounded sure."


def test_quotes_are_found_again_in_the_story() -> None:
    (transcript,), told = of_value("khan", ONE)
    quotes = [quote for step in transcript.steps() for quote in step.move.get("quotes", ())]
    assert [(quote["text"], quote["verified"]) for quote in quotes] == [
        ("Mara rowed out at dusk", True), ("the keeper climbed", False),
    ]  # fmt: skip
    assert told == []
    text = (
        json.dumps(ONE)
        .replace("the keeper climbed", "Nobody thanked her")
        .replace("Mara rowed out at", "Mara flew off at")
    )
    changed = json.loads(text)
    changed["story"] = ONE["story"]
    (transcript,), told = of_value("khan", changed)
    assert [problem.partition(": ")[2] for problem in told] == [
        "of the quotes marked as verified, 1 not found in the story", "of the quotes marked as unverified, 1 found in the story",
    ]  # fmt: skip
    without = {key: value for key, value in ONE.items() if key != "story"}
    assert of_value("khan", without)[1] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Answer: A", (1.0, 0.0)), ("x\nFinal Answer: <B>\ny", (0.0, 1.0)), ("A", (1.0, 0.0)), ("B)", (0.0, 1.0)),
        ("so the correct answer is most likely to be (B) the keeper", (0.0, 1.0)),
        ("Final answer when all is considered: Answer: <A>", (1.0, 0.0)),
        ("Prob A: 0.2500, Prob B: 0.7500\nAnswer: B", (0.25, 0.75)), ("Confidence correct: 0.2", (0.8, 0.2)),
        ("Answer: <A|B>", None), ("Answer: A\nAnswer: B", None), ("I cannot say", None), ("C", None), ("", None),
        ("Prob A: 0.0000, Prob B: 0.0000\nAnswer: B", None), ("Confidence correct: 1.2.3", None),
    ],
)  # fmt: skip
def test_answers_in_words(text: str, says: tuple[float, float] | None) -> None:
    told: list[str] = []
    found = judgement_of({"answer_judge": text}, True, told)
    if says is None:
        assert found is None and bool(told) == bool(text)
    else:
        assert isinstance(found, Verdict) and found.probabilities == pytest.approx(says) and told == []


@given(confidence=st.floats(0, 1), swap=st.booleans(), correct=st.booleans())
def test_the_confidence_of_people(confidence: float, swap: bool, correct: bool) -> None:
    found = judgement_of({"confidence_correct": str(confidence)}, swap, [])
    assert isinstance(found, Verdict) and found.probabilities[swap] == pytest.approx(confidence)
    found = judgement_of({"confidence": confidence, "correct": correct}, swap, [])
    assert isinstance(found, Verdict) and found.probabilities[swap == correct] == pytest.approx(confidence)


def test_what_contradicts_is_reported() -> None:
    for row, says in (
        ({"answer_judge": "Answer: A", "correct": "False"}, "correct is False, and the judgement says True"),
        ({"confidence_correct": "0.9", "correct": False}, "correct is False, and the judgement says True"),
        ({"confidence_correct": "90"}, "confidence_correct is 90, which is read as percent"),
        ({"confidence_correct": "nan"}, "confidence_correct is 'nan', which is no probability"),
        ({"transcript": ONE, "swap": "True"}, "swap is True, and transcript.swap is False: the transcript's is taken"),
    ):
        (_,), told = of_value("khan", {"transcript": json.dumps(ONE), **row})
        assert len(told) == 1 and told[0].endswith(says)


def test_a_missing_round_type_is_not_guessed_silently() -> None:
    record: Any = copy.deepcopy(ONE)
    for held in record["rounds"]:
        held["type"] = None
    (transcript,), told = of_value("khan", record)
    assert told == [] and transcript.protocol == Debate(rounds=2), "the rollout is said to be quality_sim"
    record["rollout_type"] = None
    (transcript,), told = of_value("khan", record)
    assert transcript.protocol == Debate(rounds=2, order="sequential")
    assert ["rounds.0.type is None" in told[0], "rounds.1.type is None" in told[1]] == [True, True]


def test_a_question_that_nobody_answers_comes_before_the_verdict() -> None:
    last = {"judge": "And who says so?", "correct": None, "incorrect": None, "type": "sim"}
    record = {**ONE, "rounds": [*ONE["rounds"], last]}
    (transcript,), told = of_value("khan", {"transcript": record, "answer_judge": "A"})
    assert [step.seat for step in transcript.steps()][-2:] == ["judge", "judge"] and verdict(transcript) == (1.0, 0.0)
    assert told[0].endswith("transcript.rounds.2: nobody answers the judge")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    from import_kit import imported

    file = tmp_path / "a.csv"
    file.write_text("id,question\n1,Who?\n")
    (each,) = imported("khan", file, tmp_path / "out")
    assert each.problems == [f"{file}: there is no column transcript; the columns are id, question"]
