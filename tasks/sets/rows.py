"""Rows: what a file or a table holds, one mapping after the other, each with the place where it stands.
Rule: values become plain JSON values here; which of them mean what, `questions.py` says."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import LARGEST, content_of, decoded, needed

Row = tuple[str, Mapping[str, Any] | UsageError]
"""Where it stands ("set.csv, line 3"), and what it holds, or what is wrong with it."""
ENDS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def rows_of(source: Any) -> Iterator[Row]:
    """The rows of a file (JSON Lines, CSV, TSV, Parquet), a Hugging Face `Dataset`, a data frame (pandas, polars), or any iterable
    of mappings, as they are asked for. Raises UsageError on anything else, and on a file that cannot be read as a whole."""
    if isinstance(source, str | Path):
        path = Path(source)
        end = path.suffix.lower()
        if end not in ENDS:
            raise UsageError(
                f"{path}: a question set is a file that ends in {', '.join(ENDS)}; give its rows otherwise"
            )
        if end == ".parquet":
            return _parquet(path)
        text = decoded(content_of(path), path, "not UTF-8 text {}; save it as UTF-8")
        return (
            _lines(path, text)
            if end.endswith("l") or end == ".ndjson"
            else _csv(path, text, "\t" if end == ".tsv" else ",")
        )
    if isinstance(source, Mapping):
        splits = ", ".join(map(str, source))[:200]
        raise UsageError(f"the set is a mapping, of {splits}; where these are its splits, give one of them")
    name = type(source).__name__
    if hasattr(source, "iter_rows"):
        source = source.iter_rows(named=True)
    elif hasattr(source, "to_dict") and hasattr(source, "itertuples"):
        source = source.to_dict("records")
    if not isinstance(source, Iterable):
        raise UsageError(f"a question set is a file, a dataset or an iterable of mappings, not {source!r:.80}")
    return _given(source, name)


def _given(source: Iterable[Any], name: str) -> Iterator[Row]:
    for number, row in enumerate(source, start=1):
        where = f"{name}, row {number}"
        yield where, row if isinstance(row, Mapping) else UsageError(f"it is {row!r:.80}, and no mapping of columns")


def _lines(path: Path, text: str) -> Iterator[Row]:
    from moot.tasks.reading.reading import json_object

    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        line = line.lstrip("\ufeff")
        if line.strip():
            try:
                yield f"{path}, line {number}", json_object(line)
            except UsageError as error:
                yield f"{path}, line {number}", error


def _csv(path: Path, text: str, delimiter: str) -> Iterator[Row]:
    before = csv.field_size_limit(LARGEST)  # the csv module has one limit for the process
    try:
        read = list(_csv_rows(path, csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)))
    finally:
        csv.field_size_limit(before)
    yield from read


def _csv_rows(path: Path, reader: Any) -> Iterator[Row]:
    header: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{path}, line {reader.line_num}: this is no CSV: {error}") from None
        where = f"{path}, line {reader.line_num}"
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            if wrong := next((name for name in header if not name or header.count(name) > 1), None):
                raise UsageError(f"{where}: two columns are called {wrong!r}; rename one")
            if "" in header:
                raise UsageError(
                    f"{where}: column {header.index('') + 1} has no name; the first line names the columns"
                )
        elif len(cells) != len(header):
            yield (
                where,
                UsageError(
                    f"it has {len(cells)} cells, and there are {len(header)} columns; quote cells that hold a comma"
                ),
            )
        else:
            yield where, dict(zip(header, (cell if cell.strip() else None for cell in cells), strict=True))


def _parquet(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise UsageError(f"cannot read {path}: there is no such file")
    duckdb = needed("to read Parquet needs", "duckdb", "parquet")
    with closing(duckdb.connect()) as database:
        try:
            named = str(path).replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")  # a name, and no pattern
            table = database.execute("SELECT * FROM read_parquet(?)", [named])
            names, number = [column[0] for column in table.description or ()], 0
            while chunk := table.fetchmany(1000):
                for cells in chunk:
                    number += 1
                    yield f"{path}, row {number}", dict(zip(names, cells, strict=True))
        except duckdb.Error as error:
            raise UsageError(f"cannot read {path} as Parquet: {str(error).splitlines()[0]:.300}") from None


def plain(value: Any, depth: int = 0) -> Any:
    """A cell as a JSON value: arrays become lists, numbers of libraries Python's. Raises UsageError on what is none."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise UsageError(f"it is {value}, which is no value; leave the cell empty where there is none")
        return value
    if depth > 100:
        raise UsageError("it is nested more than 100 levels deep")
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return plain(value.tolist(), depth + 1)
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, depth + 1) for each in value]
    raise UsageError(f"it is a {type(value).__name__}, {value!r:.60}, which is no text, number, list or mapping")


def listed(value: Any) -> list[Any]:
    """A list in a cell, which where cells are texts is written as JSON. Raises UsageError on anything else."""
    if isinstance(value, str):
        try:
            value = plain(json.loads(value))
        except (ValueError, RecursionError):
            raise UsageError(f'it is the text {value!r:.80}; a list in a text is written as JSON: ["a", "b"]') from None
    if not isinstance(value, list):
        raise UsageError(f"it is {value!r:.80}, and no list")
    return value
