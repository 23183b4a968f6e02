"""`moot.questions`: samples of any table, by which of its columns is what.
Rule: it reads rows into samples, and plays nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from string import ascii_uppercase
from typing import Any

from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.question import Question, Sample, as_shown
from moot.tasks.extras import gathered
from moot.tasks.sets.rows import Row, listed, plain, rows_of

FIELDS = (
    "text",
    "choices",
    "correct",
    "incorrect",
    "truth",
    "answer",
    "passage",
    "data",
    "about",
    "tags",
    "size",
    "unit",
    "id",
)
KINDS = ("index", "number", "letter", "text")
_TOLD = 10
Fields = Mapping[str, str | Sequence[str] | Mapping[str, str]]


def questions(
    source: Any, *, fields: Fields | None = None, id: str | None = None, grade: str | None = None, limit: int | None = None,
    shuffle: int | None = None,
) -> list[Sample]:  # fmt: skip
    """The samples of a set: a file (.jsonl, .csv, .tsv, .parquet), a Hugging Face `Dataset`, a data frame, or an iterable of mappings.

    fields: what is in which column; columns that are not named are not read. "text", "passage", "data", "about", "size", "unit" and "id"
    are a column each ("meta.level" is the entry "level" of the column "meta"). "choices" is a column that holds a list, or several columns. "truth" is a column with
    the index of the true choice, from 0; "COLUMN as number" counts from 1, "COLUMN as letter" from A, "COLUMN as text" holds the true choice
    itself. In place of both, "correct" is the column of the one right choice, and "incorrect" a column with a list, or several columns; their
    order then follows from their texts alone, so that no place is always right. "answer": the right answer of a question without choices, which `grade`
    checks ("exact", "math", "code", "module:function"). "tags": columns, or tag to column; an empty cell is no tag.
    Without fields, columns have these names, and a .jsonl file may have whatever `moot run --set` takes.
    id: the column of the ids; without one they are "FILE-1" and so on. limit: so many, read no further than that; shuffle: the seed of a new order, before the limit.

    Raises UsageError that names the file, the row and the column of the first ten mistakes, on a set without questions, and on an
    id that was used before: a set is read whole, or not at all.
    """
    for name, value in (("limit", limit), ("shuffle", shuffle)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or (name == "limit" and value < 1)
        ):
            raise UsageError(f"{name} is {value!r}; it must be a whole number{', 1 or more' * (name == 'limit')}")
    lines = isinstance(source, str | Path) and Path(source).suffix.lower() in (".jsonl", ".ndjson")
    if lines and fields is None and id is None and grade is None:
        from moot.tasks.reading.reading import load_set

        found = load_set(source)
    else:
        with gathered():
            found = _read(source, Columns(fields, id, grade), limit if shuffle is None else None)
    if shuffle is not None:
        Random(shuffle).shuffle(found)
    return found[:limit]


def _read(source: Any, columns: Columns, limit: int | None) -> list[Sample]:
    found, places, wrong, more = list[Sample](), dict[str, str](), list[str](), 0
    name = Path(source).stem if isinstance(source, str | Path) else "question"
    rows: Iterable[Row] = rows_of(source)
    for number, (where, row) in enumerate(rows if limit is None else islice(rows, limit), start=1):
        try:
            if isinstance(row, UsageError):
                raise row
            sample = columns.sample(row, f"{name}-{number}")
            if (first := places.setdefault(str(sample.question.id), where)) != where:
                raise UsageError(f"the id {str(sample.question.id)[:80]!r} was already used ({first}); ids must differ")
            found.append(sample)
        except UsageError as error:
            more += len(wrong) >= _TOLD
            wrong += [f"{where}: {error!s:.500}"] if len(wrong) < _TOLD else []
    if wrong:
        raise UsageError("\n".join([*wrong, *([f"and {more} more rows are wrong"] if more else [])]))
    if not found:
        raise UsageError(f"{source if isinstance(source, str | Path) else 'the set'} has no question: it has no rows")
    return found


class Columns:
    """Which column is what; checked once, before a row is read. Raises UsageError."""

    def __init__(self, fields: Fields | None, id: str | None, grade: str | None) -> None:
        self.given, self.grade = fields is not None, grade
        named: dict[str, Any] = dict(fields or {})
        if id is not None:
            if "id" in named:
                raise UsageError("the column of the ids is given twice: as id= and in fields")
            named["id"] = id
        for name, columns in named.items():
            if name not in FIELDS:
                raise UsageError(f"fields: {name!r} is none{near(name, FIELDS)}; there are {', '.join(FIELDS)}")
            several = name in ("choices", "incorrect", "tags") and isinstance(columns, list | tuple)
            named_tags = columns.values() if name == "tags" and isinstance(columns, Mapping) else None
            texts = named_tags if named_tags is not None else columns if several else [columns]
            if not texts or not all(isinstance(each, str) and each for each in texts):
                raise UsageError(
                    f"fields: {name} is {columns!r:.80}; name {'columns' if name in ('choices', 'incorrect', 'tags') else 'a column'}"
                )
        if self.given:
            if "text" not in named:
                raise UsageError('fields: say which column is the text of the question: {"text": "question"}')
            if ("correct" in named) != ("incorrect" in named):
                raise UsageError("fields: correct and incorrect go together")
            for one, other in (
                ("correct", "choices"),
                ("correct", "truth"),
                ("answer", "choices"),
                ("answer", "correct"),
            ):
                if one in named and other in named:
                    raise UsageError(f"fields: {one} and {other} exclude each other")
            if "truth" in named and "choices" not in named:
                raise UsageError("fields: truth needs choices")
        self.named = named

    def sample(self, row: Mapping[str, Any], default: str) -> Sample:
        """The sample of a row. Raises UsageError that names the column."""
        named = self.named if self.given else {**_same(row), **self.named}
        read = {
            name: _cell(row, columns)
            for name, columns in named.items()
            if name not in ("choices", "correct", "incorrect", "truth", "tags")
        }
        text = read.pop("text", None)
        if not isinstance(text, str):
            raise UsageError(f"column {named.get('text', 'text')!r}: the question is {text!r:.80}; it must be a text")
        known: dict[str, Any] = {name: value for name, value in read.items() if value is not None}
        answer = known.pop("answer", None)
        known["id"] = default if known.get("id") is None else str(known["id"])
        if isinstance(known.get("size"), str) and known["size"].strip().isdecimal():
            known["size"] = int(known["size"])
        if "tags" in named:
            known["tags"] = _tags(row, named["tags"])
        choices, truth = self._choices(row, named, text)
        grade = (self.grade or "exact") if answer is not None else None
        if answer is None and self.grade is not None and "answer" in named:
            raise UsageError(f"column {named['answer']!r}: there is no answer")
        return Sample(Question(text, choices, **known), truth, answer=answer, grade=grade)

    def _choices(
        self, row: Mapping[str, Any], named: Mapping[str, Any], text: str
    ) -> tuple[tuple[str, ...], int | None]:
        if "correct" in named:
            right = _texts([_cell(row, named["correct"])], named["correct"])
            wrong = _several(row, named["incorrect"])
            ordered = sorted(
                (*right, *wrong),
                key=lambda each: blake2b(f"{text}\0{each}".encode("utf-8", "replace"), digest_size=8).digest(),
            )
            return tuple(ordered), ordered.index(right[0])
        if "choices" not in named:
            return (), None
        choices = tuple(_several(row, named["choices"]))
        if "truth" not in named:
            return choices, None
        column, _, kind = named["truth"].partition(" as ")
        if named["truth"] in row:
            column, kind = named["truth"], "index"
        value = _cell(row, column)
        return choices, None if value is None else _index(value, kind or "index", choices, column)


def _same(row: Mapping[str, Any]) -> dict[str, str]:
    """Columns that have the names of fields. UsageError on any other."""
    names = {"text" if name == "question" else name: str(name) for name in row}
    if unknown := next((name for name in names if name not in FIELDS), None):
        raise UsageError(
            f"column {unknown!r} is no field ({', '.join(FIELDS)}); say which column is what: fields={{'text': 'COLUMN', …}}"
        )
    return names


def _cell(row: Mapping[str, Any], column: str) -> Any:
    """What stands in a column, as a JSON value; None where it is empty. UsageError where there is no such column."""
    value: Any = row
    for part in (column,) if column in row else column.split("."):
        if value is None or not isinstance(value, Mapping) or part not in value:
            raise UsageError(
                f"there is no column {column!r}{near(column, list(map(str, row)))}; there are {', '.join(map(str, row))}"
            )
        value = value[part]
    try:
        return plain(value)
    except UsageError as error:
        raise UsageError(f"column {column!r}: {error}") from None


def _several(row: Mapping[str, Any], columns: Any) -> list[str]:
    if not isinstance(columns, str):
        return [text for column in columns for text in _texts([_cell(row, column)], column)]
    try:
        return _texts(listed(_cell(row, columns)), columns)
    except UsageError as error:
        raise UsageError(str(error) if str(error).startswith("column") else f"column {columns!r}: {error}") from None


def _texts(values: list[Any], column: str) -> list[str]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            more = "; one choice is right, and several are given" if isinstance(value, list) else ""
            raise UsageError(f"column {column!r}: the choice is {value!r:.80}; it must be a text or a number{more}")
    return [str(value) for value in values]


def _index(value: Any, kind: str, choices: tuple[str, ...], column: str) -> int:
    """The index of the true choice, from what a cell says of it."""
    where, count = f"column {column!r}: truth is {value!r:.80}", len(choices)
    if kind not in KINDS:
        raise UsageError(f"fields: truth as {kind!r}{near(kind, KINDS)}: it can be as {', '.join(KINDS)}")
    if kind == "text":
        found = [index for index, choice in enumerate(choices) if as_shown(choice) == as_shown(str(value))]
        if len(found) != 1:
            raise UsageError(f"{where}, which is {'none' if not found else 'more than one'} of the choices")
        return found[0]
    if kind == "letter":
        letter = value.strip().upper() if isinstance(value, str) else ""
        if len(letter) != 1 or letter not in ascii_uppercase[:count]:
            raise UsageError(f"{where}; of {count} choices it must be A to {ascii_uppercase[min(count, 26) - 1]}")
        return ascii_uppercase.index(letter)
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    first = kind == "number"
    if type(number) is not int or not first <= number < count + first:
        raise UsageError(
            f"{where}; of {count} choices it must be {int(first)} to {count - 1 + first}{' (as number)' if first else ''}"
        )
    return number - first


def _tags(row: Mapping[str, Any], columns: Any) -> dict[str, Any]:
    named = (
        columns
        if isinstance(columns, Mapping)
        else {each: each for each in ([columns] if isinstance(columns, str) else columns)}
    )
    return {tag: value for tag, column in named.items() if (value := _cell(row, column)) is not None}
