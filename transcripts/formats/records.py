"""Reading records of others: JSON, JSON lines and arrays of them, CSV, and records as pydantic models.

Rule: files and values, of any format; what a record means, and what is played, stands elsewhere.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from moot.protocols.engine.errors import MootError, UsageError

LINES = frozenset({".jsonl", ".ndjson"})
LARGEST = 64_000_000
"""Most bytes of what is read as a whole: a file that is one value or text, a line, a row. Files of lines or rows have no limit."""
_KINDS = {
    "string_type": "a text", "string_unicode": "a text", "list_type": "a list", "dict_type": "an object",
    "model_type": "an object", "bool_type": "true or false", "int_type": "an integer", "float_type": "a number",
}  # fmt: skip


_PACKED = {
    b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstandard", b"PK\x03\x04": "zip", b"BZh": "bzip2",
    b"7z\xbc\xaf": "7z",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file. place: where in the file it stands, for messages ("line 3"; "" when it is all of it).
    named: the name says already which folder the file is in."""

    name: str
    value: Any
    place: str = ""
    named: bool = False


class Given(BaseModel):
    """An object as others save it: strictly of these types, null counts as missing, other fields are passed over."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, value: Any) -> Any:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


G = TypeVar("G", bound=BaseModel)


def read(kind: type[G], value: Any, at: str = "") -> G:
    """The value as a model. at: where it stands ("answer_cases.0"). Raises UsageError that names the first field that is
    missing or of another kind."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise UsageError(_invalid(error, at, "the record")) from None


def _invalid(error: ValidationError, at: str, whole: str) -> str:
    """The first thing that a model finds wrong, in one line. whole: what it is of, where it is no field."""
    first = error.errors(include_url=False)[0]
    where = ".".join(filter(None, [at, *map(str, first["loc"])]))
    if first["type"] == "missing":
        return f"{where} is missing"
    if what := _KINDS.get(first["type"]):
        return f"{where or whole} is {_shown(first['input'])}, not {what}"
    return f"{where or whole}: {first['msg'].removeprefix('Value error, ')}"


def json_records(file: Path) -> Iterator[Record | str]:
    """The records of a file: one, an array of them, or one on each line, read one after the other. What is none is a text
    that says where and why. Raises OSError when the file cannot be read, ValueError when it is no JSON in these forms."""
    with file.open("rb") as handle:
        check_start(handle.read(64))
        handle.seek(0)
        lines = ((number, line) for number, line in enumerate(_lines(handle), 1) if line.strip(b" \t\r\n\xef\xbb\xbf"))
        first = list(islice(lines, 1 if (told := file.suffix.lower() in LINES) else 2))
        if not first:
            yield "the file is empty"
        elif not told and (len(first) < 2 or not _is_json(first[0][1])):
            yield from _each(Record(file.stem, json_value(content_of(file))))
            return
        for number, line in chain(first, lines):
            try:
                _check_size(line, "a line")
                value = json_value(line.rstrip(b"\r\n"))
            except (ValueError, RecursionError) as error:
                yield f"line {number}: {reason(error)}"
            else:
                yield from _each(Record(f"{file.stem}-{number}", value, f"line {number}"))


def content_of(file: Path) -> bytes:
    """All of a file. Raises OSError when it cannot be read, ValueError when it is too large to be read as a whole."""
    with file.open("rb") as handle:
        content = handle.read(LARGEST + 1)
    _check_size(content, "a file of one value", "; save one record on each line, as .jsonl, where the format has that")
    return content


def _check_size(content: bytes, what: str, do: str = "") -> None:
    if len(content) > LARGEST:
        raise ValueError(f"it is too large: {what} may have {LARGEST / 1e6:g} MB{do}")


def _lines(handle: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, one that is too long cut after one byte too many."""
    while line := handle.readline(LARGEST + 1):
        yield line
        torn = len(line) > LARGEST and line[-1:] != b"\n"
        while torn and (rest := handle.readline(1 << 20)):
            torn = rest[-1:] != b"\n"


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


def csv_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, each with its number, the header being row 1, one after the other. Raises OSError
    when the file cannot be read, ValueError when it is no CSV in UTF-8 with a header."""
    with file.open("rb") as start:
        check_start(start.read(64))
    before = csv.field_size_limit(LARGEST)  # a cell may hold a whole story
    number, size = 1, 0

    def lines(handle: TextIO) -> Iterator[str]:
        nonlocal size
        while line := handle.readline(LARGEST + 1):
            if (size := size + len(line)) > LARGEST:
                raise ValueError(f"too large after row {number}: a row may have {LARGEST / 1e6:g} MB")
            yield line

    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(lines(handle))
            if not reader.fieldnames:
                raise ValueError("the file is empty")
            for number, row in enumerate(reader, 2):
                size = 0
                yield number, {key: text or "" for key, text in row.items() if isinstance(key, str)}
    except csv.Error as error:
        raise ValueError(f"not CSV after row {number}: {error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 after row {number}: {error.reason}") from None
    finally:
        csv.field_size_limit(before)


def json_value(text: bytes) -> Any:
    """A JSON value, without the numbers that JSON has not. Raises ValueError that says where it ends to be one."""

    def finite(digits: str) -> float:
        if not math.isfinite(number := float(digits)):
            raise ValueError(f"{digits} is not JSON" if digits[-1] in "Ny" else f"{digits[:20]} is too large a number")
        return number

    try:
        return json.loads(text_of(text), parse_constant=finite, parse_float=finite)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting")
        where = f"character {error.colno}" if error.lineno == 1 else f"line {error.lineno}, character {error.colno}"
        raise ValueError(f"it is no JSON: {what} at {where}") from None


def _is_json(line: bytes) -> bool:
    try:
        json_value(line)
    except (ValueError, RecursionError):
        return False
    return True


def refuse_constants(line: bytes) -> None:
    """Raise ValueError where a line holds NaN or an infinity, which a record read otherwise than by `json_value` may."""
    if b"NaN" in line or b"Infinity" in line:  # as numbers, or as words in a text
        json_value(line)


def text_of(content: bytes) -> str:
    """A text in UTF-8, without the mark that may stand before it. Raises ValueError, in words, on what is none."""
    check_start(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from None


def check_start(content: bytes) -> None:
    """Raises ValueError where a file begins as one in UTF-16 does, or as what Git LFS leaves in the place of a file."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is a text in UTF-16; save it in UTF-8")
    if content.startswith(b"version https://git-lfs.github.com/spec/"):
        raise ValueError("it is what Git LFS leaves in the place of a file; fetch the file itself with `git lfs pull`")
    if packed := next((how for start, how in _PACKED.items() if content.startswith(start)), None):
        raise ValueError(f"it is compressed ({packed}); unpack it")


def reason(error: Exception) -> str:
    """Why something cannot be read, in words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, ValidationError):
        return f"{error.title}: {_invalid(error, '', 'it')}"
    if isinstance(error, OSError):
        return str(error.strerror)
    return str(error) if isinstance(error, ValueError | MootError) else f"unexpected {type(error).__name__}: {error}"


def _shown(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
