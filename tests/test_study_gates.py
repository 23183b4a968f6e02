"""Gates that are said beforehand, the table of a study, and its rows as files."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_kit import arm_of, told, undecided

from moot.experiments.statistics.intervals import Bootstrap
from moot.protocols.engine.errors import UsageError
from moot.studies.results import export
from moot.studies.results.gates import Gate, gates_of
from moot.studies.results.results import Results
from moot.studies.results.summary import summary

ROWS = [*arm_of("clean", [True, True, True, False]), *arm_of("alone", [False, False, True, False])]


@pytest.mark.parametrize(
    ("gate", "state", "reason"),
    [
        (Gate("g", arm="clean", at_least=0.75), "passed", ""),
        (Gate("g", arm="clean", at_least=0.76), "failed", "at_least"),
        (Gate("g", arm="clean", metric="wrong", at_most=0.25), "passed", ""),
        (Gate("g", arm="clean", at_least=0.5, interval_above=0.5), "failed", "interval_above"),
        (Gate("g", arm="clean", interval_below=0.99), "passed", ""),
        (Gate("g", contrast={"clean": 1, "alone": -1}, at_least=0.5), "passed", ""),
        (Gate("g", contrast={"clean": 1, "alone": -1}, at_least=0.1, interval_above=0.04), "failed", "interval_above"),
        (Gate("g", contrast={"clean": 1, "lost": -1}, at_least=0), "no evidence", "no row of lost"),
        (Gate("g", where={"axes.budget": 2}, at_least=0), "no evidence", "no row of what it is about"),
        (Gate("g", where={"question": "q0"}, arm="clean", interval_above=0), "no evidence", "have no interval"),
        (Gate("g", arm="clean", at_least=0, questions=5), "no evidence", "4 questions of the 5"),
        (Gate("g", metric="cost", at_most=1), "no evidence", "nothing that it is about was decided"),
    ],
    ids=lambda each: str(each)[:60],
)  # fmt: skip
def test_a_gate_is_ruled_as_it_was_written(gate: Gate, state: str, reason: str) -> None:
    ruling = gate.rule(Results(ROWS))
    assert ruling.state == state and reason in ruling.reason, str(ruling)
    assert Gate(**json.loads(json.dumps(ruling.plain()))["gate"]) == gate


def test_no_gate_is_passed_before_its_cells_are_played() -> None:
    gate = Gate("g", arm="clean", at_least=0.5)
    ruling = gate.rule(Results([*ROWS, undecided("q9", "not played", arm="clean")]))
    assert (ruling.state, ruling.estimate.value) == ("no evidence", 0.75)
    assert "1 of 5 cells are not played to an end" in ruling.reason
    assert gate.rule(Results([*ROWS, undecided("q9", "not played", arm="alone")])).state == "passed"


def test_a_gate_counts_what_was_not_decided_as_it_says() -> None:
    results = Results(arm_of("clean", [True, True, None, None]))
    states = [
        Gate("g", arm="clean", at_least=0.6, undecided=how).rule(results).state for how in (None, "right", "wrong")
    ]
    assert states == ["passed", "passed", "failed"]


def test_the_interval_of_a_gate_is_of_its_own_confidence() -> None:
    rows = arm_of("clean", [True] * 9 + [False])
    results = Results(rows, Bootstrap(resamples=40))
    wide = Gate("g", arm="clean", interval_above=0.5, confidence=0.999).rule(results)
    assert (wide.state, Gate("g", arm="clean", interval_above=0.5).rule(results).state) == ("failed", "passed")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "asks nothing; give at_least"),
        ({"at_lest": 1}, "at_lest: .*did you mean 'at_least'"),
        ({"at_least": math.nan}, "at_least: "),
        ({"at_least": "many"}, "at_least: "),
        ({"metric": "acuracy", "at_least": 1}, "there is no metric 'acuracy'"),
        ({"metric": "cost", "undecided": "right", "at_least": 1}, "only accuracy and wrong"),
        ({"contrast": {"a": 1, "b": -2}, "at_least": 0}, "sum to -1, not to 0"),
        ({"contrast": {}, "at_least": 0}, "needs arms with weights"),
        ({"contrast": {"a": 1, "b": -1}, "arm": "a", "at_least": 0}, "not both"),
        ({"at_least": 0.6, "at_most": 0.5}, "cannot be passed: at_least is 0.6 and at_most is 0.5"),
        ({"interval_above": 0.6, "interval_below": 0.5}, "cannot be passed"),
        ({"confidence": 1, "at_least": 0}, "confidence: "),
    ],
)
def test_a_gate_that_means_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"^gate 'g'.*{said}"):
        Gate("g", **fields)


def test_gates_have_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="two gates are called 'g'"):
        gates_of([{"name": "g", "at_least": 0}, {"name": "g", "at_least": 1}])
    with pytest.raises(UsageError, match="gate '': name: "):
        gates_of([{"at_least": 0}])


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_what_was_not_decided_beside_every_figure() -> None:
    rows = [*arm_of("clean", [True, True, None], reads=4, tokens=10, cost=0.5), *arm_of("al\x1bone", [False, True]),
            undecided("q7", "not played", arm="clean")]  # fmt: skip
    assert summary(Results(rows), gates=[Gate("few", arm="clean", at_least=0.5)]).splitlines() == [
        "arm        accuracy        interval  verdicts                   undecided  ties    reads   tokens     cost",
        "─" * 106,
        "clean         1.000  0.342 to 1.000         2  1 not played, 1 unreadable              4       30      1.5",
        "al\\x1bone     0.500  0.095 to 0.905         2                           0        unknown  unknown  unknown",
        "",
        "1 of 6 cells are not played to an end",
        "95% intervals: Wilson",
        "gate few: no evidence (1 of 4 cells are not played to an end); accuracy of clean: at least 0.5; "
        "measured 1 [0.34238, 1] of 2 (+2 undecided)",
    ]
    assert summary(Results([])) == "no rows"


# -- files -------------------------------------------------------------------------------------------------------------

HOSTILE = 'a,"b"\n;\u2028=1+1\ud800\x00'
FULL = [
    told("q0", True, arm=HOSTILE, seed=2**64 - 1, axes={"budget": 1, "a.b": None}, payoffs={"alice": 0.1}, cost=1e-9),
    told("q1", False, arm="", seed=0, axes={"budget": "all"}, tags={"x": [1]}, cost=3),
]


def _shuffled(row: dict[str, Any]) -> dict[str, Any]:
    turned = dict(reversed(row.items()))
    return {name: dict(reversed(v.items())) if isinstance(v, dict) else v for name, v in turned.items()}


@pytest.mark.parametrize("to", ["csv", "json", "jsonl"])
def test_the_same_rows_are_the_same_bytes(to: str, tmp_path: Path) -> None:
    one = export.write(FULL, tmp_path / f"one.{to}").read_bytes()
    assert one == export.write(map(_shuffled, FULL), tmp_path / "two", to).read_bytes()  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{to}", "two"]
    assert b"\r" not in one


def test_json_keeps_rows_and_csv_flattens_them(tmp_path: Path) -> None:
    assert json.loads(export.text(FULL, "json")) == FULL
    assert [json.loads(line) for line in export.text(FULL, "jsonl").splitlines()] == FULL
    assert json.loads(export.text([], "json")) == []
    first, second = csv.DictReader(export.text(FULL, "csv").splitlines(keepends=True))
    assert (
        first["arm"] == HOSTILE
        and first["seed"] == "18446744073709551615"
        and first["belief"] == "[0.9, 0.09999999999999998]"
    )
    assert (first["axes.budget"], second["axes.budget"], first["axes.a.b"]) == ("1", "all", "")
    assert (first["correct"], second["correct"], first["tokens"]) == ("true", "false", "")
    names = export.columns(FULL)
    assert names[:3] == ["study", "arm", "cell"] and names[8:10] == ["axes.a.b", "axes.budget"] and "axes" not in names


TEXTS = st.text('a",;\n\x00é\u2028\ud800', max_size=4)


@given(st.lists(TEXTS, max_size=4), st.dictionaries(TEXTS, st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)))  # fmt: skip
@settings(max_examples=40)
def test_any_text_and_any_axis_come_back_from_json(arms: list[str], axes: dict[str, Any]) -> None:
    rows = [told(f"q{i}", True, arm=arm, axes=axes) for i, arm in enumerate(arms)]
    assert json.loads(export.text(rows, "json")) == rows
    names, lines = export.flat(rows)
    assert all(line[names.index("arm")] == arm for line, arm in zip(lines, arms, strict=True))


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "rows.json"
    old.write_text("old")
    for wrong in (math.nan, {1, 2}):
        with pytest.raises(UsageError, match="what JSON cannot say"):
            export.write([{**FULL[0], "more": wrong}], old)
    with pytest.raises(UsageError, match="rows have a column 'axes.a' and an entry"):
        export.columns([told("q", True, axes={"a": 1}) | {"axes.a": 2}])
    with pytest.raises(UsageError, match="not written as 'cvs'; did you mean 'csv'"):
        export.write(FULL, tmp_path / "rows.cvs")
    with pytest.raises(UsageError, match="cannot write .*: No such file"):
        export.write(FULL, tmp_path / "none" / "rows.csv")
    assert old.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["rows.json"]


def test_parquet_without_duckdb_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"pip install 'moot\[parquet\]'"):
        export.write(FULL, tmp_path / "rows.parquet")
    assert not list(tmp_path.iterdir())


def test_parquet_keeps_types_and_is_the_same_bytes(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = [{**FULL[0], "arm": "a'b\x00\\u0000\ud800", "more": {"b": 1, "a": 2}}, {**FULL[1], "more": None}]
    one = export.write(rows, tmp_path / "it's.parquet")
    assert one.read_bytes() == export.write(map(_shuffled, rows), tmp_path / "two.parquet").read_bytes()
    found = duckdb.connect(":memory:").read_parquet(str(tmp_path / "two.parquet"))
    lines = [dict(zip(found.columns, line, strict=True)) for line in found.fetchall()]
    assert found.columns == export.columns(rows)
    assert [line["seed"] for line in lines] == [2**64 - 1, 0]
    assert [line["arm"] for line in lines] == ["a'b\\x00\\u0000\\ud800", ""]
    assert [line["axes.budget"] for line in lines] == ["1", "all"] and lines[1]["tags.x"] == [1]
    assert [line["cost"] for line in lines] == [1e-9, 3.0] and lines[0]["tokens"] is None
    assert [line["belief"] for line in lines] == [row["belief"] for row in rows]
    kinds = dict(zip(found.columns, map(str, found.types), strict=True))
    assert (kinds["tokens"], kinds["seconds"], kinds["guarantee"]) == ("BIGINT", "DOUBLE", "BOOLEAN")
    assert lines[0]["more"] == '{"a": 2, "b": 1}'
    export.write([], tmp_path / "none.parquet")
    with pytest.raises(UsageError, match="'axes.A' and 'axes.a' differ in case alone"):
        export.write([told("q", True, axes={"A": 1, "a": 2})], tmp_path / "case.parquet")


def test_a_frame_without_a_library_says_that_rows_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="needs pandas or polars, which is not installed; .rows are the same"):
        Results(ROWS).frame()
