"""Reading records of others: JSON, JSON lines and arrays of them, and fields that may be missing or of another type."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.transcripts.formats.importing import Record, check_start, json_value

LINES = (".jsonl", ".ndjson")
_REQUIRED: Any = object()
_NAMES: dict[type, str] = {
    str: "a text", list: "a list", dict: "an object", bool: "true or false", int: "an integer", float: "a number",
}  # fmt: skip


def json_records(file: Path) -> Iterator[Record | str]:
    """The records of a file: one, an array of them, or one on each line. What is none is a text that says where and why.
    Lines are read one after the other, so that a file of them may be larger than the memory.

    Raises OSError when the file cannot be read, ValueError when it is no JSON in any of these forms.
    """
    with file.open("rb") as handle:
        check_start(handle.read(64))
        handle.seek(0)
        lines: Iterator[tuple[int, bytes]] = (
            (number, line) for number, line in enumerate(handle, 1) if line.strip(b" \t\r\n\xef\xbb\xbf")
        )
        first = next(lines, None)
        if first is None:
            yield "the file is empty"
            return
        if file.suffix.lower() not in LINES:
            second = next(lines, None)
            if second is None or not _is_json(first[1]):
                handle.seek(0)
                yield from _each(Record(file.stem, json_value(handle.read())))
                return
            lines = chain([second], lines)
        for number, line in chain([first], lines):
            try:
                value = json_value(line.rstrip(b"\r\n"))
            except (ValueError, RecursionError) as error:
                yield f"line {number}: {_reason(error)}"
            else:
                yield from _each(Record(f"{file.stem}-{number}", value, f"line {number}"))


def csv_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, each with its number, the header being row 1, one after the other.

    Raises OSError when the file cannot be read, ValueError when it is no CSV in UTF-8 with a header.
    """
    with file.open("rb") as start:
        check_start(start.read(64))
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a cell may hold a whole story
    number = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            if not reader.fieldnames:
                raise ValueError("the file is empty")
            for number, row in enumerate(reader, 2):
                yield number, {key: text or "" for key, text in row.items() if isinstance(key, str)}
    except csv.Error as error:
        raise ValueError(f"not CSV after row {number}: {error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 after row {number}: {error.reason}") from None
    finally:
        csv.field_size_limit(before)


def field(record: Any, key: str, kind: type, default: Any = _REQUIRED, at: str = "") -> Any:
    """What a record has under `key`, which must be of this kind; null counts as missing.

    kind: str, list, dict, bool, int, or float for any number that a float can hold. at: where the record stands, for
    messages ("answer_cases.0"). Raises UsageError that names the field.
    """
    if not isinstance(record, dict):
        raise UsageError(f"{at or 'the record'} is {_shown(record)}, not an object")
    where = f"{at}.{key}" if at else key
    value = record.get(key)
    if value is None:
        if default is _REQUIRED:
            raise UsageError(f"{where} is missing")
        return default
    return of_kind(value, kind, where)


def of_kind(value: Any, kind: type, where: str) -> Any:
    """The value, when it is of this kind; see `field`. Raises UsageError that names the place."""
    kinds: Any = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind in (int, float)):
        raise UsageError(f"{where} is {_shown(value)}, not {_NAMES[kind]}")
    if kind is float:
        try:
            return float(value)
        except OverflowError:
            raise UsageError(f"{where} is {_shown(value)}, which is too large") from None
    return value


def objects(record: Any, key: str, at: str = "", default: Any = _REQUIRED) -> list[dict[str, Any]]:
    """A list of objects under `key`. Raises UsageError that names the field or the item."""
    items = field(record, key, list, default, at)
    where = f"{at}.{key}" if at else key
    return [of_kind(item, dict, f"{where}.{i}") for i, item in enumerate(items)]


def texts(record: Any, key: str, at: str = "", default: Any = _REQUIRED) -> list[str]:
    """A list of texts under `key`. Raises UsageError that names the field or the item."""
    items = field(record, key, list, default, at)
    where = f"{at}.{key}" if at else key
    return [of_kind(item, str, f"{where}.{i}") for i, item in enumerate(items)]


def _each(record: Record) -> Iterator[Record | str]:
    """A record, or those of a list."""
    if not isinstance(record.value, list):
        yield record
        return
    at = f"{record.place}, " if record.place else ""
    if not record.value:
        yield f"{at}the list of records is empty"
    for number, value in enumerate(record.value):
        yield Record(f"{record.name}-{number}", value, f"{at}record {number}")


def _is_json(line: bytes) -> bool:
    try:
        json_value(line)
    except (ValueError, RecursionError):
        return False
    return True


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _shown(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
