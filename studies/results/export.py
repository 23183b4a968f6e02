"""Rows as files: CSV, JSON, JSON lines and Parquet, the same bytes for the same rows.
Rule: how rows are written; none is changed, left out or put elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from moot.protocols.engine.errors import UsageError, nearest
from moot.studies.results.rows import COLUMNS, FLAGS, NUMBERS, TABLES, WHOLE, Row

Format = Literal["csv", "json", "jsonl", "parquet"]


def columns(rows: Sequence[Row]) -> list[str]:
    """The names of the flat columns: those of every row in their order, each table by its entries in the order of their
    names ("axes.budget", "axes.judge"), and then what rows have beside, by name."""
    entries = {table: sorted({name for row in rows for name in row[table] or ()}) for table in TABLES}
    names = [
        name
        for column in COLUMNS
        for name in ([f"{column}.{e}" for e in entries[column]] if column in TABLES else [column])
    ]
    more = sorted({name for row in rows for name in row if name not in COLUMNS})
    if twice := set(names) & set(more):
        raise UsageError(
            f"rows have a column {min(twice)!r} and an entry of a table that is written as such a column; rename it"
        )
    return names + more


def flat(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """The flat columns and, for each row, what it has in them; None where it has nothing."""
    names = columns(rows)
    where = [
        (table, entry) if dot and table in TABLES else (name, None)
        for name in names
        for table, dot, entry in [name.partition(".")]
    ]
    return names, [[row.get(c) if entry is None else (row[c] or {}).get(entry) for c, entry in where] for row in rows]


def text(rows: Iterable[Row], to: Format) -> str:
    """The rows as CSV (flat, a header, lines end with a line feed, nothing for None, lists and tables as JSON, true and false),
    JSON (a list of rows as they are), or JSON lines. All but CSV's texts is ASCII. A text of CSV that a spreadsheet would take for a
    formula begins with an apostrophe. UsageError on what JSON cannot say."""
    rows = list(rows)
    if to == "csv":
        names, lines = flat(rows)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(map(_cell, names))
        writer.writerows([_cell(value) for value in line] for line in lines)
        return out.getvalue()
    if to not in ("json", "jsonl"):
        raise UsageError(f"rows cannot be written as the text {to!r}{nearest(to, ['csv', 'json', 'jsonl'])}")
    written = [_json(_ordered(row)) for row in rows]
    return "".join(f"{line}\n" for line in written) if to == "jsonl" else "[" + ",\n".join(written) + "]\n"


def write(rows: Iterable[Row], path: str | Path, to: Format | None = None) -> Path:
    """The rows in a file, which takes the place of an old one when it is whole. to: by default what the file's name ends in.
    Parquet needs the extra `moot[parquet]`. UsageError on another format, or a file that cannot be written."""
    path = Path(path)
    kind: Any = to or path.suffix.removeprefix(".").lower()
    if kind not in get_args(Format):
        raise UsageError(f"{path}: rows are not written as {kind!r}{nearest(kind, list(get_args(Format)))}")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            made = Path(folder) / "whole"
            if kind == "parquet":
                _parquet(list(rows), made, Path(folder))
            else:
                made.write_bytes(text(rows, kind).encode("utf-8", "backslashreplace"))
            os.replace(made, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _ordered(row: Row) -> dict[str, Any]:
    order = [*COLUMNS, *sorted(name for name in row if name not in COLUMNS)]
    return {name: _sorted(row[name]) for name in order}


def _sorted(value: Any) -> Any:
    """The same value with the entries of its tables in the order of their names."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [*map(_sorted, value)] if isinstance(value, list) else value


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a row holds what JSON cannot say: {error}; rows are plain data") from None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"  # OWASP, "CSV Injection": questions and causes are other people's texts
    return _json(_sorted(value)) if isinstance(value, (list, tuple, Mapping)) else value


def _parquet(rows: Sequence[Row], path: Path, folder: Path) -> None:
    """By DuckDB, from JSON lines with a type for each column, in one thread: its readers and writers of both come with it
    (https://duckdb.org/docs/stable/data/json/loading_json, …/sql/statements/copy), so nothing is fetched."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise UsageError("Parquet is written by duckdb, which is not installed: pip install 'moot[parquet]'") from None
    names, lines = flat(rows)
    types = [_type([line[place] for line in lines], name) for place, name in enumerate(names)]
    source = folder / "rows.jsonl"
    with source.open("w", encoding="ascii") as file:
        for line in lines:
            held = {f"c{place}": _text(v) if types[place] == "VARCHAR" else v for place, v in enumerate(line)}
            file.write(_json(held) + "\n")
    read = ", ".join(f"c{place}: '{kind}'" for place, kind in enumerate(types))
    folded = [str(_text(name)).lower() for name in names]
    twice = [name for name, fold in zip(names, folded, strict=True) if folded.count(fold) > 1]
    if twice:
        raise UsageError(
            f"Parquet's columns {' and '.join(map(repr, twice))} differ in case alone; write CSV, or rename them"
        )
    named = ", ".join(f"c{place} AS {_quoted(str(_text(name)), chr(34))}" for place, name in enumerate(names))
    options = "format='newline_delimited', maximum_object_size=268435456"
    table = f"SELECT {named} FROM read_json({_quoted(str(source))}, {options}, columns={{{read}}})"
    config: Any = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(":memory:", config=config) as database:
            database.execute(f"COPY ({table}) TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.Error as error:
        raise UsageError(f"duckdb cannot write these rows as Parquet: {error}") from None


def _text(value: Any) -> str | None:
    """A value as UTF-8 text without NUL, which JSON for DuckDB cannot have; what is neither is written out as \\x00, \\ud800."""
    if value is None:
        return None
    written = value if isinstance(value, str) else _json(_sorted(value))
    return written.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace(mark, mark * 2) + mark


def _type(values: Sequence[Any], name: str) -> str:
    """DuckDB's type of what a column holds; text where it holds several kinds, or a number that no other type has. Of one
    that holds nothing, the type that the contract of rows says."""
    held = [value for value in values if value is not None]
    if not held:
        return "BIGINT" if name in WHOLE else "DOUBLE" if name in NUMBERS else "BOOLEAN" if name in FLAGS else "VARCHAR"
    if all(isinstance(value, bool) for value in held):
        return "BOOLEAN"
    if name not in NUMBERS and all(type(value) is int for value in held):
        if all(-(2**63) <= value < 2**63 for value in held):
            return "BIGINT"
        return "UBIGINT" if all(0 <= value < 2**64 for value in held) else "VARCHAR"
    if all(type(value) in (int, float) for value in held):
        return "DOUBLE"
    if all(isinstance(value, list) and all(type(each) in (int, float) for each in value) for value in held):
        return "DOUBLE[]"
    return "VARCHAR"
