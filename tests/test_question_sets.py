"""`moot.questions`: tables of any form become the samples that they say, and whatever is wrong is named with its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import moot
from moot.cli.app import app
from moot.protocols.engine.question import as_shown

HERE = Path(__file__).parent / "data" / "sets"
CHOICES: Any = {"text": "question", "choices": ["A", "B", "C"], "truth": "answer as letter", "tags": ["subject"]}
QUALITY: Any = {
    "text": "question", "choices": "options", "truth": "gold_label as number", "passage": "article", "id": "question_unique_id",
    "tags": {"hard": "difficult"},
}  # fmt: skip
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(as_shown)


def test_sets_of_each_form() -> None:
    quality = moot.questions(HERE / "quality_like.jsonl", fields=QUALITY)
    assert [(s.question.id, s.unseal(), dict(s.question.tags)) for s in quality] == [
        ("t1_1", 1, {"hard": 0}),
        ("t1_2", 0, {"hard": 1}),
    ]
    assert quality[0].question.passage and quality[0].question.passage.startswith("The ferry")
    table = moot.questions(HERE / "choices.csv", fields=CHOICES)
    assert [s.unseal() for s in table] == [1, 1, 1] and table[2].question.choices[0] == "a feather, dry"
    assert [s.question.id for s in table] == ["choices-1", "choices-2", "choices-3"]
    free = moot.questions(
        HERE / "mathematics.jsonl", fields={"text": "problem", "answer": "solution", "tags": ["level"]}, grade="math"
    )
    assert free[0].unseal_answer() == (r"\frac{3}{8}", "math") and free[0].unseal() is None
    (code,) = moot.questions(HERE / "code.jsonl")
    known = code.unseal_answer()
    assert known is not None and known[1] == "code" and code.question.tags == {"language": "python"}


@given(
    st.lists(st.tuples(WORD, st.lists(WORD, min_size=3, max_size=3, unique_by=as_shown), st.integers(0, 2)), min_size=1, max_size=4),
    st.sampled_from(["index", "number", "letter", "text"]), st.booleans(),
)  # fmt: skip
def test_a_table_says_the_same_as_csv_and_as_rows(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, list[str], int]], kind: str, mark: bool
) -> None:
    rows = []
    for text, choices, truth in made:
        said = {"index": truth, "number": truth + 1, "letter": "ABC"[truth], "text": choices[truth]}[kind]
        rows.append({"q": text, "x": choices[0], "y": choices[1], "z": choices[2], "t": said})
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("set") / "t.csv"
    path.write_bytes((("\ufeff" if mark else "") + out.getvalue()).encode())
    fields: Any = {"text": "q", "choices": ["x", "y", "z"], "truth": f"t as {kind}"}
    one, other = moot.questions(path, fields=fields), moot.questions(rows, fields=fields)
    for (text, choices, truth), a, b in zip(made, one, other, strict=True):
        assert a.question.text == b.question.text == text and a.unseal() == b.unseal() == truth
        assert list(a.question.choices) == list(b.question.choices) == choices


def test_correct_and_incorrect_have_no_favourite_place() -> None:
    rows = [{"q": f"Question {i}?", "good": f"right {i}", "bad": [f"wrong {i}", f"false {i}"]} for i in range(300)]
    fields = {"text": "q", "correct": "good", "incorrect": "bad"}
    found = moot.questions(rows, fields=fields)
    places = [s.unseal() for s in found]
    assert all(s.question.choices[s.unseal() or 0] == f"right {i}" for i, s in enumerate(found))
    assert all(70 < places.count(place) < 130 for place in range(3))
    assert [s.unseal() for s in moot.questions([*rows], fields=fields)] == places


ROW = {"q": "Which?", "c": ["a", "b"], "t": 0, "m": {"level": 3}}
MAP: Any = {"text": "q", "choices": "c", "truth": "t"}


@pytest.mark.parametrize(
    ("change", "fields", "message"),
    [
        ({}, {"text": "Q"}, r"no column 'Q'.*there are q, c, t, m"), ({}, {"question": "q"}, "fields: 'question' is none"), ({}, {"choices": "c"}, "which column is the text"),
        ({}, {"text": "q", "correct": "t"}, "correct and incorrect go together"), ({}, {"text": "q", "truth": "t"}, "truth needs choices"), ({}, {**MAP, "answer": "t"}, "exclude each other"),
        ({}, {"text": 3}, "name a column"), ({}, {"text": "q", "choices": []}, "name columns"), ({"t": 2}, MAP, "column 't': truth is 2; of 2 choices it must be 0 to 1"),
        ({"t": -1}, MAP, "truth is -1"), ({"t": True}, MAP, "truth is True"), ({"t": 1.0}, MAP, "truth is 1.0"), ({"t": 0}, {**MAP, "truth": "t as number"}, r"must be 1 to 2 \(as number\)"),
        ({"t": "C"}, {**MAP, "truth": "t as letter"}, "must be A to B"), ({"t": "AB"}, {**MAP, "truth": "t as letter"}, "must be A to B"), ({"t": ""}, {**MAP, "truth": "t as letter"}, "must be A to B"),
        ({"t": "c"}, {**MAP, "truth": "t as text"}, "which is none of the choices"), ({"t": 0}, {**MAP, "truth": "t as word"}, "it can be as index, number, letter, text"),
        ({"t": [0, 1]}, MAP, r"truth is \[0, 1\]"), ({"c": ["a", "a "]}, MAP, "look the same"), ({"c": "ab"}, MAP, "written as JSON"), ({"c": None}, MAP, "column 'c': it is None, and no list"),
        ({"c": ["a", None]}, MAP, "column 'c': the choice is None"), ({"c": ["a"]}, MAP, "one choice"), ({"q": None}, MAP, "column 'q': the question is None"), ({"q": float("nan")}, MAP, "column 'q': it is nan"),
        ({"q": " "}, MAP, "needs a text"), ({"t": float("nan")}, MAP, "column 't': it is nan"), ({"m": {"level": None}}, {**MAP, "data": "m.lvl"}, "no column 'm.lvl'"), ({"m": None}, {**MAP, "data": "m.level"}, "no column 'm.level'"),
        ({"m": {"a": float("inf")}}, {**MAP, "data": "m"}, "it is inf"), ({"m": object()}, {**MAP, "data": "m"}, "it is a object"), ({"m": [1]}, {**MAP, "tags": ["m"]}, "tags"),
        ({"g": ["x", "y"], "b": ["z"]}, {"text": "q", "correct": "g", "incorrect": "b"}, "one choice is right, and several are given"), ({"g": "z", "b": ["z", "y"]}, {"text": "q", "correct": "g", "incorrect": "b"}, "equal choices"),
        ({"m": "x" * 70_000}, {"text": "q", "answer": "m"}, "at most are sealed"), ({"q": "\ud800"}, MAP, "cannot be written"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change: Any, fields: Any, message: str) -> None:
    with pytest.raises(moot.UsageError, match=message) as caught:
        moot.questions([ROW, {**ROW, **change}] if change else [ROW], fields=fields)
    if change and "fields" not in str(caught.value):
        assert "list, row 2: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "has no question"), ("a.csv", b"text,size\n", "has no question"), ("a.csv", b"text,size\nWho?,1,2\n", r"line 2: it has 3 cells, and there are 2 columns"), ("a.csv", b"text,size\nWho?\n", "line 2: it has 1 cells"),
        ("a.csv", b"text,text\nWho?,b\n", "two columns are called 'text'"), ("a.csv", b"text,\nWho?,b\n", "column 2 has no name"), ("a.csv", b'text\n"Who?\n', "no CSV"), ("a.csv", b"caf\xe9\n", "not UTF-8"),
        ("a.csv", b"text,size\nWho?,many\n", "size"), ("a.csv", b"text,colour\nWho?,1\n", "column 'colour' is no field"), ("a.csv", b"text,id\nWho?,1\nWhat?,1\n", "line 3: the id '1' was already used"), ("a.txt", b"x", "ends in .jsonl"),
        ("a.csv", b"text,choices\nWho?," + b"[" * 3000 + b"\n", "column 'choices': it is the text"), ("a.csv", b'text,choices\nWho?,"[1e999, 2]"\n', "column 'choices': it is inf"),
        ("a.parquet", b"PAR", "Parquet"), ("a.csv", b"text,choices\nWho?,a|b\n", "column 'choices': it is the text 'a|b'"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(moot.UsageError, match=message) as caught:
        moot.questions(tmp_path / name)
    assert name in str(caught.value) or "Parquet" in str(caught.value)


@pytest.mark.parametrize(
    "source", [{"train": [], "test": []}, 3, None, [], ["Who?"], "absent.csv", "name/of-a-dataset"]
)
def test_what_is_no_set(source: Any) -> None:
    with pytest.raises(moot.UsageError, match="set|cannot read|no mapping"):
        moot.questions(source)


def test_every_wrong_row_is_named_at_once_and_none_is_dropped() -> None:
    rows = [{**ROW, "t": 5 if i % 2 else 0} for i in range(100)]
    with pytest.raises(moot.UsageError) as caught:
        moot.questions(rows, fields=MAP)
    told = str(caught.value).split("\n")
    assert (
        len(told) == 11 and told[0].startswith("list, row 2: column 't'") and told[-1] == "and 40 more rows are wrong"
    )


class Counted:
    """A data set that counts what is read of it, as rows are asked for."""

    def __init__(self, count: int) -> None:
        self.count, self.rows, self.cells = count, 0, 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for number in range(self.count):
            self.rows += 1
            yield Cells(self, {"q": f"Question {number}?", "c": ["a", "b"], "t": 0})


class Cells(dict[str, Any]):
    def __init__(self, counted: Counted, cells: dict[str, Any]) -> None:
        super().__init__(cells)
        self.counted = counted

    def __getitem__(self, key: str) -> Any:
        self.counted.cells += 1
        return super().__getitem__(key)


def test_a_large_set_is_read_once_and_a_limit_reads_no_further() -> None:
    small, large = Counted(100), Counted(1000)
    assert len(moot.questions(small, fields=MAP)) == 100 and len(moot.questions(large, fields=MAP)) == 1000
    assert (small.rows, large.rows) == (100, 1000) and large.cells == 10 * small.cells
    first = Counted(10**5)
    assert len(moot.questions(first, fields=MAP, limit=3)) == 3 and first.rows <= 4


def test_shuffled_by_a_seed_before_the_limit() -> None:
    names = [
        [s.question.text for s in moot.questions(Counted(50), fields=MAP, shuffle=seed, limit=9)] for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2] and len(names[0]) == 9
    for bad in ({"limit": 0}, {"limit": True}, {"shuffle": "x"}):
        with pytest.raises(moot.UsageError, match="must be a whole number"):
            moot.questions([ROW], fields=MAP, **bad)


def test_parquet(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "a[1]*.parquet"
    made = tmp_path / "plain.parquet"
    with duckdb.connect() as database:
        database.execute(
            f"COPY (SELECT 'Which?' AS q, ['a', 'b'] AS c, 1 AS t, {{'level': 3}} AS m) TO '{made}' (FORMAT parquet)"
        )
    made.rename(path)
    (sample,) = moot.questions(path, fields={**MAP, "tags": {"level": "m.level"}})
    assert (sample.question.choices, sample.unseal(), dict(sample.question.tags)) == (("a", "b"), 1, {"level": 3})


def test_data_frames_and_datasets_by_their_form() -> None:
    class Frame:
        columns = ["q"]

        def itertuples(self) -> None: ...
        def to_dict(self, how: str) -> list[dict[str, Any]]:
            return [ROW]

    class Polars:
        def iter_rows(self, named: bool) -> Iterator[dict[str, Any]]:
            yield ROW

    for source in (Frame(), Polars(), iter([ROW]), (row for row in [ROW])):
        assert moot.questions(source, fields=MAP)[0].unseal() == 0


def test_a_set_is_played_from_the_command_line(tmp_path: Path) -> None:
    judge = tmp_path / "judge.py"
    judge.write_text("import moot\ndef act(request):\n    return moot.Verdict.sure(1, 3)\n")
    given = [
        "run",
        "-P",
        "direct-qa",
        "--seat",
        f"judge=python:{judge}:act",
        "--set",
        str(HERE / "choices.csv"),
        "-o",
        str(tmp_path / "out"),
        "--json",
    ]
    named = [
        "--field",
        "text=question",
        "--field",
        "choices=A,B,C",
        "--field",
        "truth=answer as letter",
        "--field",
        "tags=subject",
    ]
    run = CliRunner().invoke(app, [*given, *named])
    assert run.exit_code == 0, run.output
    play = moot.load(tmp_path / "out" / "choices-1.jsonl")
    assert play.question.tags == {"subject": "numbers"} and moot.graded(play).correct is True
    config = tmp_path / "c.toml"
    config.write_text(
        '[fields]\ntext = "question"\nchoices = ["A", "B", "C"]\ntruth = "answer as letter"\ntags = ["subject"]\n'
    )
    again = CliRunner().invoke(app, [*given, "--config", str(config)])
    assert again.exit_code == 0 and again.stdout.count('"how": "kept"') == 3, again.output
    for wrong, message in (
        (["--field", "text"], "write it as FIELD=COLUMN"),
        (["--field", "text=a", "--field", "text=b"], "has a column already"),
        (["--field", "text=nothing"], "no column 'nothing'"),
    ):
        bad = CliRunner().invoke(app, [*given, *wrong])
        assert bad.exit_code != 0
        assert message in bad.output + str(bad.exception)
