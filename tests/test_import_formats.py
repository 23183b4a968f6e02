"""What holds for every import format: nothing raises, nothing is lost, nothing tells the truth."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cli_calls import said
from hypothesis import given, settings
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, imported, kept, of_bytes, of_value, spoilt

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request
from moot.testing.golden import puppet
from moot.transcripts.formats.importing import known_formats
from moot.transcripts.formats.records import csv_rows, json_records, json_value


def first(path: str) -> Any:
    file = FIXTURES / path
    content = file.read_bytes()
    return json_value(content.split(b"\n")[0] if file.suffix == ".jsonl" else content)


RECORDS: list[tuple[str, Any]] = [
    ("solib", first("solib/Debate_t1_n4/agent_judge/results.jsonl")),
    ("solib", first("solib/Consultancy_t1_n2/agent_judge/results.jsonl")),
    ("solib", first("solib/Propaganda/agent_judge/results.jsonl")),
    ("khan", first("khan/one.json")),
    ("khan", first("khan/array.json")[0]),
    ("khan", {"transcript": first("khan/lines.jsonl"), "answer_judge": "Answer: A", "confidence_correct": 0.25}),
    ("multi-agent-debate", first("mad/0.json")),
    ("multi-agent-debate", first("mad/1.json")),
    ("codenames", first("codenames/sets.jsonl")),
]
FOLDERS = {"solib": "solib", "khan": "khan", "multi-agent-debate": "mad", "codenames": "codenames"}


def test_every_format_is_known() -> None:
    assert set(FOLDERS) | {"nyu"} <= set(known_formats())
    for form in known_formats().values():
        assert form.about and form.suffixes


@pytest.mark.parametrize(("name", "record"), RECORDS)
@settings(max_examples=35, deadline=None)
@given(data=st.data())
def test_a_spoilt_record_is_imported_or_reported(name: str, record: Any, data: st.DataObject) -> None:
    value = data.draw(spoilt(record))
    found, problems = of_value(name, value)
    assert found or problems
    values = value if isinstance(value, list) else [value]
    for transcript in found:
        assert any(kept(transcript, each) for each in values)


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_unknown_fields_are_kept(name: str, record: Any) -> None:
    value = {**record, "added later": {"by": ["someone", 1.5, None]}}
    found, problems = of_value(name, value)
    assert found and all("at the same time" in problem for problem in problems)
    assert all(kept(transcript, value) for transcript in found)


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_what_is_no_json_is_reported_with_its_line_and_stops_nothing(name: str, record: Any, tmp_path: Path) -> None:
    good = json.dumps(record).encode()
    bad = [
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'"\xff"',
        b"{",
        b"7",
        b"null",
    ]
    found, problems = of_bytes(name, b"\n".join([good, *bad, b"", good]), ".jsonl", tmp_path)
    assert len(found) == 2 * len(of_value(name, record)[0])
    for number in range(2, len(bad) + 2):
        assert any(f"line {number}" in problem for problem in problems), number
    assert any("nested too deeply" in problem for problem in problems)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    "content", [b"", b" \n\n", b"[]", b"\xff\xfe", b"[" * 100_000, b"nonsense", b"{}", b'"text"', b"[1]"]
)
def test_a_file_that_holds_nothing_is_reported(name: str, content: bytes, tmp_path: Path) -> None:
    for suffix in (".json", ".jsonl", ".csv"):
        folder = tmp_path / suffix
        folder.mkdir()
        found, problems = of_bytes(name, content, suffix, folder)
        assert not found and problems


@settings(max_examples=40, deadline=None)
@given(
    content=st.binary(max_size=60),
    suffix=st.sampled_from([".json", ".jsonl", ".csv"]),
    name=st.sampled_from(sorted(FOLDERS)),
)
def test_any_bytes_are_reported(content: bytes, suffix: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found, problems = of_bytes(name, content, suffix, Path(folder))
        assert not found and problems


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_one_array_and_lines_give_the_same_plays(name: str, record: Any, tmp_path: Path) -> None:
    text = json.dumps(record)
    forms = {".json": text, ".jsonl": f"{text}\n", "-array.json": f"[{text}]", "-pretty.json": json.dumps(record, indent=2),
             "-lines.json": f"{text}\n\n{text}\r\n", "-bom.json": f"\ufeff{text}"}  # fmt: skip
    digests = []
    for number, (suffix, content) in enumerate(forms.items()):
        file = tmp_path / f"r{suffix}"
        file.write_bytes(content.encode())
        made = by_name(name, file, tmp_path / f"out{number}")
        plays = {bare(transcript) for transcript in made.values()}
        digests.append((plays, len(made) // (2 if "lines" in suffix else 1)))
    assert len(digests[0][0]) >= 1 and all(each == digests[0] for each in digests)


def bare(transcript: Any) -> tuple[str, ...]:
    """What was said, by whom, at which step."""
    return tuple(f"{step.step} {step.seat} {json.dumps(step.move)}" for step in transcript.steps())


@pytest.mark.parametrize("name", FOLDERS)
def test_the_fixtures_are_imported_from_their_folder_with_names_of_their_own(name: str, tmp_path: Path) -> None:
    results = imported(name, FIXTURES / FOLDERS[name], tmp_path)
    names = [each.name for each in results]
    assert len(set(names)) == len(names) == len(results) > 3
    again = imported(name, FIXTURES / FOLDERS[name], tmp_path)
    assert all(each.path is None and "already" in each.problems[0] for each in again if each.name in names[:1])
    assert all(each.path is None for each in again)


@pytest.mark.parametrize("name", FOLDERS)
def test_nobody_who_judges_again_is_shown_the_truth_or_the_record(name: str, tmp_path: Path) -> None:
    import moot

    shown: list[str] = []

    def judge(request: Request) -> Any:
        shown.append(request.view.question.model_dump_json() + json.dumps(dict(request.brief), default=str))
        return puppet(request)

    for transcript in by_name(name, FIXTURES / FOLDERS[name], tmp_path).values():
        assert not {"correct", "incorrect", "true", "false"} & set(transcript.protocol.roles(transcript.question))
        shown.clear()
        moot.rejudge(
            transcript, judge, stale=True, seats=dict.fromkeys(transcript.protocol.roles(transcript.question), puppet)
        )
        assert shown
        for text in shown:
            for leak in ('"value"', "correct", "similarities", "judge_prob", "ground_truth", "reference"):
                assert leak not in text.replace("the correct translation", "").replace("the correct English", "")


def test_the_command_line(tmp_path: Path) -> None:
    listed = said("import", "list")
    assert all(name in listed for name in FOLDERS)
    out = tmp_path / "out"
    done = said("import", "codenames", str(FIXTURES / "codenames"), "-o", str(out))
    assert done == f"10 imported to {out}, 0 refused, 0 with remarks\n"
    done = said("import", "khan", str(FIXTURES / "khan" / "judged.csv"), "-o", str(tmp_path / "khan"), code=1)
    assert "judged-8: not imported:" in done and "row 8: transcript is no JSON" in done
    assert done.endswith(f"6 imported to {tmp_path / 'khan'}, 1 refused, 3 with remarks\n")
    said("verify", str(out / "sets-1-0.jsonl"))


def test_reading_records(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    with pytest.raises(OSError):
        next(csv_rows(file))
    file.write_text("a,b\n1,2,3\n4\n", encoding="utf-8")
    assert list(csv_rows(file)) == [(2, {"a": "1", "b": "2"}), (3, {"a": "4", "b": ""})]
    file.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="the file is empty"):
        next(csv_rows(file))
    lines = tmp_path / "a.jsonl"
    lines.write_text('[{"a": 1}, 2]\n', encoding="utf-8")
    assert [record if isinstance(record, str) else (record.name, record.place) for record in json_records(lines)] == [
        ("a-1-0", "line 1, record 0"), ("a-1-1", "line 1, record 1"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="there is no file or folder"):
        imported("khan", tmp_path / "none", tmp_path / "out")
