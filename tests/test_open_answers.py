"""Tags, which nobody is shown, and the sealed right answer of a question without choices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import moot
from moot.transcripts.truth import sealed

TWO = ("a storm", "the admiral")


def judge(request: moot.Request) -> moot.Verdict:
    return moot.Verdict.sure(0)


def test_tags_are_shown_to_nobody_and_change_no_digest(tmp_path: Path) -> None:
    seen: list[moot.Request] = []

    def looks(request: moot.Request) -> moot.Verdict:
        seen.append(request)
        return judge(request)

    plain = moot.Question("Who?", TWO, id="q")
    tagged = moot.Question("Who?", TWO, id="q", tags={"subject": "sea", "year": 1805, "hard": True})
    one = moot.run(moot.DirectQA(), moot.Sample(plain, 0), {"judge": looks}, out=tmp_path / "a.jsonl")
    two = moot.run(moot.DirectQA(), moot.Sample(tagged, 0), {"judge": looks}, out=tmp_path / "b.jsonl")
    assert one.digest == two.digest and seen[0].digest == seen[1].digest
    assert all(not each.view.question.tags for each in seen)
    assert two.question == tagged and moot.load(tmp_path / "b.jsonl").question.tags == tagged.tags
    assert "tags" not in one.started["meta"] and "tags" not in two.started["question"]
    assert moot.replay(two).digest == two.digest
    again = moot.rejudge(two, judge)
    assert again.question.tags == tagged.tags


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"a": [1]}, "tags"), ({"a": None}, "tags"), ({1: "a"}, "tags"), ({"a": float("nan")}, "tags cannot be written"),
        ({"a": "\ud800"}, "tags"), ("law", "tags"),
    ],
)  # fmt: skip
def test_a_tag_that_is_no_plain_value_is_refused(tags: Any, message: str) -> None:
    with pytest.raises(moot.UsageError, match=message):
        moot.Question("Who?", TWO, tags=tags)


def test_tags_cannot_be_changed_and_an_edited_one_is_told(tmp_path: Path) -> None:
    question = moot.Question("Who?", TWO, tags={"subject": "sea"})
    with pytest.raises(TypeError):
        question.tags["subject"] = "truth: 0"
    path = tmp_path / "a.jsonl"
    moot.run(moot.DirectQA(), question, {"judge": judge}, out=path)
    path.write_text(path.read_text().replace('"tags":{"subject":"sea"}', '"tags":{"subject":[1]}'))
    with pytest.raises(moot.TranscriptError, match="chain|tags"):
        moot.load(path)


def test_an_answer_is_sealed_beside_the_play(tmp_path: Path) -> None:
    sample = moot.Sample(moot.Question("6 times 7?"), answer="42", grade="math")
    assert sample.unseal() is None and sample.unseal_answer() == ("42", "math") and "42" not in repr(sample)
    held = sealed(sample)
    assert held.unseal_answer() == ("42", "math") and held.unseal() is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answer": "a"}, "has choices"), ({"grade": "math"}, "has choices"),
    ],
)  # fmt: skip
def test_a_question_with_choices_has_no_answer(given: Any, message: str) -> None:
    with pytest.raises(moot.UsageError, match=message):
        moot.Sample(moot.Question("Who?", TWO), 0, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"grade": "math"}, "no answer to grade by"), ({"answer": "1", "grade": 3}, "name a checker"),
        ({"answer": "x" * 60_000}, "at most are sealed"), ({"answer": float("nan")}, "written down"),
        ({"answer": {1}}, "written down"), ({"answer": "\ud800"}, "written down"), ({"answer": "1", "grade": ""}, "name a checker"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_refused(given: Any, message: str) -> None:
    with pytest.raises(moot.UsageError, match=message):
        moot.Sample(moot.Question("How many?"), **given)


def test_a_fingerprint_is_that_of_the_content_in_every_process() -> None:
    question = moot.Question("How many?", id="q", tags={"b": 1, "a": "x"}, data={"k": [1, 2]})
    sample = moot.Sample(question, answer={"z": 1, "a": 2}, grade="exact")
    code = (
        "import moot\nq = moot.Question('How many?', id='q', tags={'a': 'x', 'b': 1}, data={'k': [1, 2]})\n"
        "print(moot.Sample(q, answer={'a': 2, 'z': 1}).fingerprint)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == sample.fingerprint
    others = [
        moot.Sample(question, answer={"z": 1, "a": 3}), moot.Sample(question, answer={"z": 1, "a": 2}, grade="math"), moot.Sample(question),
        moot.Sample(question.model_copy(update={"id": "r"}), answer={"z": 1, "a": 2}),
        moot.Sample(moot.Question("How many?", id="q", tags={"b": 2}, data={"k": [1, 2]}), answer={"z": 1, "a": 2}),
    ]  # fmt: skip
    assert len({sample.fingerprint, *(each.fingerprint for each in others)}) == 6
    assert sealed(sample).fingerprint == sample.fingerprint


def test_an_altered_answer_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sample = moot.Sample(moot.Question("Who sank it?"), answer="Bo", grade="exact")

    class Asked(moot.Protocol):
        name = "asked-once-openly"

        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"judge": "judge"}

        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            return moot.Decided(await floor.ask("judge", moot.Verdict), step=floor.step)

    play = moot.run(Asked(), sample, {"judge": judge}, out=path)
    assert "Bo" not in path.read_text() and play.sample.unseal_answer() == ("Bo", "exact")
    truth = tmp_path / "a.truth.json"
    held = json.loads(truth.read_text())
    assert held["answer"] == "Bo" and held["truth"] is None and len(held["salt"]) == 64
    truth.write_text(json.dumps({**held, "answer": "Al"}))
    with pytest.raises(moot.TranscriptError, match="altered"):
        moot.load(path).sample.unseal_answer()
    truth.unlink()
    with pytest.raises(moot.SealedElsewhere):
        moot.load(path).sample.unseal_answer()
