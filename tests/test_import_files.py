"""Which files an import reads, how, and what it calls the transcripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, imported, of_value

from moot.protocols.debate.debate import Debate
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.transcripts.formats import records
from moot.transcripts.formats.importing import Format, Play, file_name, format_named
from moot.transcripts.formats.records import Record, csv_rows, json_records
from moot.transcripts.transcript import load

SET = json.loads((FIXTURES / "codenames" / "sets.jsonl").read_bytes().splitlines()[0])
GIT_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"


def files(folder: Path, *names: str, content: Any = SET) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def refusal(name: str, file: Path, out: Path) -> str:
    (found,) = imported(name, file, out)
    assert found.path is None
    return found.problems[0]


def test_files_of_one_name_keep_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    files(tmp_path / "in", "0.json", "base/alpha-0.0/0.json", "critiques/alpha-0.0/0.json")
    made = {name.rpartition("-")[0] for name in by_name("codenames", tmp_path / "in", tmp_path / "out")}
    assert made == {"0", "base-alpha-0.0-0", "critiques-alpha-0.0-0"}


def test_hidden_files_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    files(tmp_path / "in", "._a.json", ".git/b.json", "x/.cache/c.json", "README.md", "d.csv", "e.JSON")
    assert {each.name[0] for each in imported("codenames", tmp_path / "in", tmp_path / "out")} == {"e"}


def test_what_an_import_wrote_is_not_read_by_the_next(tmp_path: Path) -> None:
    files(tmp_path, "a.json")
    first = imported("codenames", tmp_path, tmp_path / "out")
    again = imported("codenames", tmp_path, tmp_path / "out")
    assert [each.name for each in again] == [each.name for each in first]
    assert all(each.path is None and "exists already" in each.problems[0] for each in again)
    files(tmp_path / "out", "below/b.json")
    assert all(each.path for each in imported("codenames", tmp_path / "out" / "below", tmp_path / "out"))
    for out in (tmp_path, tmp_path / "x" / ".."):
        with pytest.raises(UsageError, match="is what is read; take another folder"):
            imported("codenames", tmp_path, out)


def test_several_paths_are_read_each_file_once(tmp_path: Path) -> None:
    files(tmp_path / "in", "a/0.json", "a/b/0.json", "c.json")
    inside = tmp_path / "in"
    paths = [inside / "a", inside / "c.json", inside, inside / "a" / ".." / "c.json"]
    found = list(format_named("codenames").imports(paths, tmp_path / "out"))
    plays = len(found) // 3
    assert all(each.path is not None for each in found)
    assert [each.name.rpartition("-")[0] for each in found[::plays]] == ["0", "b-0", "c"]
    with pytest.raises(UsageError, match="there is no file or folder .*gone"):
        format_named("codenames").imports([inside, tmp_path / "gone"], tmp_path / "other")


def test_what_is_too_large_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One record that is too large among others is refused by its place, and no more than the limit of it is read."""
    monkeypatch.setattr(records, "LARGEST", 100)
    long = b'{"a": "' + b"x" * 5_000_000 + b'"}'
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b"\n".join([b'{"a": 1}', long, b'{"a": 2}', long, b"", b"7"]) + b"\n" + long)
    told = [each if isinstance(each, str) else each.place for each in json_records(lines)]
    big = "it is too large: a line may have 0.0001 MB"
    assert told == ["line 1", f"line 2: {big}", "line 3", f"line 4: {big}", "line 6", f"line 7: {big}"]
    whole = tmp_path / "a.json"
    whole.write_bytes(long)
    with pytest.raises(ValueError, match="a file of one value may have 0.0001 MB; save one record on each line"):
        list(json_records(whole))
    for cells in (b"a,b\n1,2\n" + long, b'a,b\n1,2\n"' + b"x\n" * 60, b"a,b\n1,2\n" + b'"x\n",' * 30):
        (tmp_path / "a.csv").write_bytes(cells)
        rows = csv_rows(tmp_path / "a.csv")
        assert next(rows)[0] == 2
        with pytest.raises(ValueError, match=r"after row 2"):
            list(rows)
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"1,2\n" * 60)
    assert len(list(csv_rows(tmp_path / "a.csv"))) == 60, "a file of rows has no limit"
    for name in ("nyu", "lechmazur", "dc-debates"):
        assert "too large" in refusal(name, whole, tmp_path / "out")


def test_what_is_packed_is_named(tmp_path: Path) -> None:
    import bz2
    import gzip
    import lzma

    file = tmp_path / "a.json"
    for how, pack in (("gzip", gzip.compress), ("xz", lzma.compress), ("bzip2", bz2.compress)):
        file.write_bytes(pack(json.dumps(SET).encode()))
        for name in ("codenames", "nyu", "dc-debates"):
            assert f"it is compressed ({how}); unpack it" in refusal(name, file, tmp_path / "out")


class Careless(Format):
    """Its plays fail in ways that nobody thought of."""

    name: ClassVar[str] = "careless"
    about: ClassVar[str] = "records that a format trips over"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)

    def records(self, file: Path) -> Iterator[Record | str]:
        yield from json_records(file)
        if file.stem == "b":
            raise AttributeError("no such thing")

    def plays(self, record: Record) -> Iterator[Play]:
        question = Question("Who?", ("I", "you"))
        yield Play(Debate(rounds=0), question, {"judge": [Verdict(probabilities=record.value["p"])]})


def test_one_record_that_a_format_trips_over_loses_no_other(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text('{"p": [1, 0]}\n{}\n3\n{"p": [0, 1]}\n{"p": 7}\n')
    found = list(Careless().imports(tmp_path, tmp_path / "out"))
    assert [each.name for each in found if each.path] == [f"{name}-{line}" for name in "abc" for line in (1, 4)]
    told = [problem for each in found for problem in each.problems]
    assert "a.jsonl, line 2: unexpected KeyError: 'p'" in told[0] and "a.jsonl, line 3: unexpected TypeError" in told[1]
    assert [each.split("b.jsonl: ")[1] for each in told if "b.jsonl: " in each] == [
        "unexpected AttributeError: no such thing"
    ]
    assert len(told) == 10


def test_a_folder_with_nothing_to_read_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="holds no .jsonl or .json file, which codenames is read from"):
        imported("codenames", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "suffix"), [("codenames", ".json"), ("codenames", ".jsonl"), ("khan", ".csv"),
                                              ("dc-debates", ".json"), ("lechmazur", ".md")])  # fmt: skip
def test_what_is_no_text_is_said_once_and_in_words(name: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    for content, says in (
        (GIT_LFS, "fetch the file itself with `git lfs pull`"),
        ('{"a":\n1}\n{}\n'.encode("utf-16"), "it is a text in UTF-16; save it in UTF-8"),
    ):
        file.write_bytes(content)
        assert says in refusal(name, file, tmp_path / "out")
    file.write_bytes(b"a,transcript\n\xe9,\n")
    told = [problem for each in imported(name, file, tmp_path / "out") for problem in each.problems]
    assert "it is no text in UTF-8" in told[-1] and not any("codec" in each for each in told)


def test_lines_and_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    lines, rows = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_bytes(b'{"a": 1}\n' + b" " * 1_000_000)
    rows.write_bytes(b"a\n1\n" + b"\n" * 1_000_000)
    records, cells = json_records(lines), csv_rows(rows)
    assert getattr(next(records), "place", "") == "line 1" and next(cells) == (2, {"a": "1"})
    with lines.open("ab") as more, rows.open("ab") as others:
        more.write(b'\n{"a": 2}\n')
        others.write(b"2\n")
    assert [getattr(each, "place", each) for each in records] == ["line 3"]
    assert [row["a"] for _, row in cells] == ["2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"a": "b', "line 1: it is no JSON: Unterminated string at character 7"),
        (b'{"a": 1}\n{"a": }\r\n', "line 2: it is no JSON: Expecting value at character 7"),
    ],
)
def test_where_a_line_breaks_off(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert [each for each in json_records(tmp_path / "a.jsonl") if isinstance(each, str)] == [says]


@given(st.text(max_size=400))
def test_every_name_can_be_that_of_a_file(name: str) -> None:
    made = file_name(name)
    assert 1 <= len(made) <= 200 and made.isascii() and "/" not in made and not made.startswith((".", "-"))


def test_long_names_keep_both_ends() -> None:
    names = [file_name(f"{start}{'-long' * 60}{end}") for start in "ab" for end in "cd"]
    assert len(set(names)) == 4
    run = format_named("solib").plays(next(iter(_records("Debate_t0_n2", f"_A{'model-' * 15}"))))
    assert all("Debate_t0_n2" in getattr(play, "name", "") for play in run)


def _records(*folders: str) -> list[Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        file = Path(root, *folders, "results.jsonl")
        file.parent.mkdir(parents=True)
        file.write_bytes((FIXTURES / "solib" / "Debate_t1_n4" / "agent_judge" / "results.jsonl").read_bytes())
        return list(format_named("solib").records(file))


def test_a_clue_that_was_refused_has_no_verdict_and_one_remark() -> None:
    record = json.loads(json.dumps(SET))
    record["oversights"] = record["oversights"][:1]
    (oversight,) = record["oversights"]
    oversight |= {"expected_score": -1, "ground_truth_score": -1, "comparisons_performed": 0, "deciding_critique": None}
    oversight["clue_critiques"]["clue"]["clue"] = record["game"]["good_words"][0].title()
    (transcript,), (told,) = of_value("codenames", record)
    assert "is a word of the game, and refused with -1: there is no verdict" in told
    assert transcript.outcome is None and transcript.sample is not None and transcript.sample.unseal() is None


def test_an_empty_question_of_a_judge_asks_nothing() -> None:
    record = json.loads((FIXTURES / "khan" / "one.json").read_bytes())
    for held in record["rounds"]:
        held |= {"judge": "", "cross_examiner": None}
    (transcript,), _ = of_value("khan", record)
    assert not any(step.move["kind"] == "ask" for step in transcript.steps())


FORMAT_OF_A_PLUGIN = """
from typing import ClassVar
import moot
from moot.transcripts.formats.importing import Format, Play
from moot.transcripts.formats.records import Given, json_records, read

class Poll(Given):
    question: str
    choices: list[str]
    share: float

class Polls(Format):
    name: ClassVar[str] = "polls"
    about: ClassVar[str] = "polls, as verdicts"
    suffixes: ClassVar[tuple[str, ...]] = (".poll",)

    def records(self, file):
        return json_records(file)

    def plays(self, record):
        poll = read(Poll, record.value)
        verdict = moot.Verdict(probabilities=(poll.share, 1 - poll.share))
        yield Play(moot.DirectQA(), moot.Question(poll.question, tuple(poll.choices)), {"judge": [verdict]})
"""


def test_a_format_of_an_installed_plugin_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "polling.py").write_text(FORMAT_OF_A_PLUGIN)
    info = tmp_path / "polling-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[moot.formats]\npolls = polling:Polls\n")
    good = {"question": "Tea?", "choices": ["yes", "no"], "share": 0.75}
    (tmp_path / "a.poll").write_text(json.dumps([good, {**good, "share": "most"}, {**good, "share": 7}]))

    def moot(*words: str) -> tuple[int, str]:
        line, path = [sys.executable, "-m", "moot", "import", *words], os.pathsep.join([str(tmp_path), *sys.path])
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path})
        return done.returncode, done.stdout + done.stderr

    code, told = moot("list")
    assert code == 0 and "polls, as verdicts" in told
    code, told = moot("polls", str(tmp_path / "a.poll"), "-o", str(tmp_path / "out"))
    assert code == 1 and "a.poll, record 1: share is 'most', not a number" in told and "1 imported" in told
    assert "record 2: Verdict: probabilities.0: Input should be less than or equal to 1\n" in told
    outcome = load(tmp_path / "out" / "a-0.jsonl").outcome
    assert isinstance(outcome, Decided) and outcome.verdict.probabilities == (0.75, 0.25)
