"""The passages that ship with moot, and question sets in JSON Lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import moot
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample, as_shown
from moot.tasks import extras
from moot.tasks.reading.reading import Passage, load_set, passages, samples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda s: bool(re.search(r"\S", s))
)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """An object as a user might write it: any mixture of the optional fields."""
    value: dict[str, Any] = {draw(st.sampled_from(["question", "text"])): draw(TEXT)}
    choices = draw(st.just([]) | st.lists(TEXT.filter(as_shown), min_size=2, max_size=4, unique_by=as_shown))
    if choices:
        value["choices"] = choices
        value |= draw(st.fixed_dictionaries({}, optional={"truth": st.none() | st.integers(0, len(choices) - 1)}))
    optional = {"passage": TEXT, "size": st.integers(1, 10**9), "data": DATA, "unit": TEXT, "id": TEXT}
    return value | draw(st.fixed_dictionaries({}, optional=optional))


@given(
    st.lists(objects(), min_size=1, max_size=4, unique_by=lambda o: o.get("id", id(o))), st.booleans(), st.booleans()
)
def test_a_set_says_what_its_lines_say(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]], ascii_only: bool, crlf: bool
) -> None:
    path = tmp_path_factory.mktemp("set") / "mine.jsonl"
    end = "\r\n" if crlf else "\n"
    path.write_bytes("".join(json.dumps(o, ensure_ascii=ascii_only) + end for o in written).encode())
    read = load_set(path)
    assert len(read) == len(written)
    for number, (o, sample) in enumerate(zip(written, read, strict=True), start=1):
        extra = {name: o[name] for name in ("passage", "size", "data", "unit") if name in o}
        text = o["question"] if "question" in o else o["text"]
        assert sample.question == Question(text, o.get("choices", ()), id=o.get("id", f"mine-{number}"), **extra)
        assert sample.unseal() == o.get("truth")


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_file_is_read_or_refused_with_its_name(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = tmp_path_factory.mktemp("set") / "any.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        load_set(path)
    except UsageError as error:
        assert "any.jsonl" in str(error)


def test_the_shipped_passages_survive_a_set(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    lines = []
    for passage in passages():
        (tmp_path / "texts" / f"{passage.id}.txt").write_text(passage.text, encoding="utf-8")
        for q in passage.questions:
            line = {"question": q.text, "choices": q.choices, "truth": q.truth, "id": f"{passage.id}/{q.id}"}
            lines.append(json.dumps(line | {"passage_file": f"texts/{passage.id}.txt"}))
    path = tmp_path / "all.jsonl"
    path.write_text("\n\n".join(lines), encoding="utf-8")
    assert [(s.question, s.unseal()) for s in load_set(path)] == [(s.question, s.unseal()) for s in samples()]


GOOD = {"question": "Who?", "choices": ["a storm", "the admiral"], "truth": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"question": "Who?", "size": ' + "9" * 5000 + "}", "not JSON"),
        ('["Who?"]', "expected a JSON object, in braces; found list"),
        ('{"choices": ["a", "b"]}', '"question" or as "text"'),
        ('{"question": "Who?", "text": "Who?"}', '"question" or as "text"'),
        ('{"question": "Who?", "question": "Which?"}', "'question' is given twice"),
        ('{"question": "Who?", "data": NaN}', "NaN is not a finite number"),
        ('{"question": "Who?", "data": -1e999}', "-1e999 is not a finite number"),
        ('{"question": "\\ud800"}', "not JSON"),
        ('{"question": "  "}', "needs a text"),
        ('{"question": "Who?", "answers": ["a", "b"]}', "unknown field 'answers'"),
        ('{"question": "Who?", "choices": "ab"}', "choices"),
        ('{"question": "Who?", "choices": ["a"]}', "one choice"),
        ('{"question": "Who?", "choices": ["a", "a"]}', "equal choices"),
        ('{"question": "Who?", "choices": ["a", 2]}', "choices.1"),
        ('{"question": "Who?", "choices": ["a", "b"], "truth": 2}', "truth is 2"),
        ('{"question": "Who?", "choices": ["a", "b"], "truth": -1}', "truth is -1"),
        ('{"question": "Who?", "choices": ["a", "b"], "truth": true}', "truth"),
        ('{"question": "Who?", "choices": ["a", "b"], "truth": "1"}', "truth"),
        ('{"question": "Who?", "truth": 0}', "truth is 0"),
        ('{"question": "Who?", "size": 0}', "size"),
        ('{"question": "Who?", "id": ""}', "id"),
        ('{"question": "Who?", "passage": "p", "passage_file": "p.txt"}', "not both"),
        ('{"question": "Who?", "passage_file": "absent.txt"}', "absent.txt"),
        ('{"question": "Who?", "passage_file": "."}', "cannot read"),
        ('{"question": "Who?", "passage_file": "latin.txt"}', "not UTF-8"),
        ('{"question": "Who?", "passage_file": "\\u0000"}', "cannot read"),
        ('{"question": "Who?", "id": "first"}', "'first' was already used on line 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(GOOD | {"id": "first"}) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_set(path)
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert message in str(caught.value)


def test_a_default_id_may_not_repeat_a_given_one(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(GOOD | {"id": "s-2"}) + "\n" + json.dumps(GOOD), encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 2: the id 's-2' was already used on line 1"):
        load_set(path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "no question"), (b" \n\n", "no question"), (b"\xff", "not UTF-8")]
)
def test_a_file_without_questions_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_set(path)
    with pytest.raises(UsageError, match="absent.jsonl"):
        load_set(tmp_path / "absent.jsonl")


def test_every_wrong_line_is_named_at_once(tmp_path: Path) -> None:
    """Who mends a set of a thousand lines sees all that is wrong with it, shortly, and nothing of it is played."""
    lines = [json.dumps(GOOD)] * 1000
    for number, bad in (
        (7, "{"),
        (400, json.dumps({"question": "q" * 10**5, "choices": ["c" * 10**5]})),
        (999, '{"truth": NaN}'),
    ):
        lines[number - 1] = bad
    path = tmp_path / "set.jsonl"
    path.write_text("\r\n".join(lines))
    with pytest.raises(UsageError) as caught:
        load_set(path)
    told = str(caught.value).split("\n")
    assert [each.split(": ")[0] for each in told] == [f"{path}, line {number}" for number in (7, 400, 999)]
    assert "at character 2" in told[0] and all(len(each) < 700 for each in told)
    path.write_text("{\n" * 1000)
    with pytest.raises(UsageError, match=r"line 10: .*\nand 990 more lines of .*set.jsonl are wrong$"):
        load_set(path)


@given(st.lists(st.sampled_from(["\n", "\r\n", "\r", "\n\ufeff", "\n \n"]), min_size=2, max_size=6), st.booleans())
def test_however_lines_end_and_whatever_marks_them(ends: list[str], mark: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.jsonl"
        text = "".join(json.dumps(GOOD) + end for end in ends)
        path.write_bytes(("\ufeff" * mark + text).encode())
        assert len(load_set(path)) == len(ends)


def test_what_is_read_can_be_played_and_loaded_again(tmp_path: Path) -> None:
    """No question is taken that no transcript holds."""
    path = tmp_path / "s.jsonl"
    deepest = json.dumps({**GOOD, "data": 0})[:-2]
    for data, refused in (
        ("[" * 100 + "]" * 100, ""), ("[" * 101 + "]" * 101, "more than 100 levels"), ('{"a":' * 101 + "1" + "}" * 101, "100 levels"),
        ("[" * 900 + "]" * 900, "data"), (f'0, "size": {2**63}', ""), (f'0, "size": {2**63 + 1}', "over 2^63"),
        ("9" * 4000, ""), ('"\\ud83d\\ude00"', ""), ('{"\\ud83d": 1}', "half a surrogate pair"),
    ):  # fmt: skip
        path.write_text(f"{deepest}{data}}}")
        if refused:
            with pytest.raises(UsageError, match=f"line 1: .*{re.escape(refused)}"):
                load_set(path)
            continue
        (sample,) = load_set(path)
        file = tmp_path / "t.jsonl"
        file.unlink(missing_ok=True)
        moot.run(moot.DirectQA(), sample, seats={"judge": lambda request: moot.Verdict.sure(0)}, out=file)
        again = moot.load(file)
        assert again.question == sample.question and moot.replay(again).digest == again.digest


def test_a_file_that_is_too_large_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "LARGEST", 100)
    (tmp_path / "s.jsonl").write_text(json.dumps(GOOD) + "\n" * 100)
    with pytest.raises(UsageError, match="s.jsonl: it has more than 0.0001 MB; split it"):
        load_set(tmp_path / "s.jsonl")
    (tmp_path / "s.jsonl").write_text(json.dumps(GOOD))
    assert len(load_set(tmp_path / "s.jsonl")) == 1


def test_a_byte_order_mark_and_a_line_separator_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"question": "one\u2028two?"}, ensure_ascii=False).encode())
    assert [s.question.text for s in load_set(str(path))] == ["one\u2028two?"]


def test_there_are_ten_passages_with_their_own_ids() -> None:
    ids = [passage.id for passage in passages()]
    assert len(ids) == 10
    assert ids == sorted(set(ids))
    names = [sample.question.id for sample in samples()]
    assert len(set(names)) == len(names) == sum(len(passage.questions) for passage in passages())


@pytest.mark.parametrize("passage", passages(), ids=lambda passage: passage.id)
def test_a_passage_is_well_made(passage: Passage) -> None:
    assert 400 <= len(passage.text.split()) <= 1500
    assert passage.text.isascii()  # straight quotes and plain dashes, so that a quotation can match exactly
    assert passage.licence == "CC0-1.0"
    assert 4 <= len(passage.questions) <= 5
    assert len({q.id for q in passage.questions}) == len(passage.questions)
    for q in passage.questions:
        assert 2 <= len(q.choices) <= 4
        assert len(set(q.choices)) == len(q.choices)
        assert 0 <= q.truth < len(q.choices)
        assert q.evidence
        for span in q.evidence:
            assert span in passage.text, f"{passage.id}/{q.id}: not in the text: {span!r}"
    assert any(len(q.evidence) >= 2 for q in passage.questions)
    with pytest.raises(ValidationError):
        passage.title = "another"


def test_the_form_of_the_answers_does_not_give_them_away() -> None:
    """Always taking the first, the last, the longest, the shortest, "yes" or "no" is near chance."""
    pairs = [q for passage in passages() for q in passage.questions if len(q.choices) == 2]
    everything = [q for passage in passages() for q in passage.questions]
    assert len(pairs) > len(everything) / 2
    assert 0.4 <= sum(q.truth == 0 for q in pairs) / len(pairs) <= 0.6
    assert 0.4 <= sum(q.truth == 0 for q in everything) / len(everything) <= 0.6
    assert 0.3 <= sum(len(q.choices[q.truth]) > len(q.choices[1 - q.truth]) for q in pairs) / len(pairs) <= 0.7
    polar = [q for q in pairs if all(re.match(r"(yes|no)\b", choice, re.IGNORECASE) for choice in q.choices)]
    assert 0.3 <= sum(q.choices[q.truth].lower().startswith("yes") for q in polar) / len(polar) <= 0.7
    assert {q.truth for q in everything} >= {0, 1, 2}


def test_samples_of_one_passage() -> None:
    found = samples("harbour-inquiry")
    passage = next(p for p in passages() if p.id == "harbour-inquiry")
    assert [s.question.id for s in found] == [f"harbour-inquiry/{q.id}" for q in passage.questions]
    assert all(isinstance(s, Sample) and s.question.passage == passage.text for s in found)
    assert [s.unseal() for s in found] == [q.truth for q in passage.questions]
    assert "truth" not in found[0].question.model_dump()


def test_an_unknown_passage_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        samples("harbor-inquiry")
    assert "harbor-inquiry" in str(caught.value)
    assert all(passage.id in str(caught.value) for passage in passages())
