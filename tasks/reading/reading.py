"""Questions about a passage that only some roles may read: the ten passages that ship with moot, and a user's own sets.
Rule: texts and questions; no program stands here, as only people and models can read.

The setting is hidden-passage reading (Parrish et al. 2022; Michael et al. 2023): debaters hold the passage and may
quote it, and the judge sees only what they say. The passages were written for moot, and their licence is CC0-1.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.question import Question, Sample
from moot.tasks.extras import content_of, decoded, gathered

Text = Annotated[str, Field(pattern=r"\S")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageFile(_Frozen):
    """An image of a question in a set, as written. file: relative to the set. sha256: what its bytes must be."""

    model_config = ConfigDict(strict=True)

    file: Text
    alt: str | None = None
    cells: int | None = None
    sha256: str | None = None

    def read(self, folder: Path) -> Image:
        """Raises UsageError where there is no such image."""
        image = Image(folder / self.file, alt=self.alt, cells=self.cells)
        if self.sha256 is not None and self.sha256.lower() != image.sha256:
            raise UsageError(f"image {folder / self.file} is no longer what the set says: its sha256 is {image.sha256}")
        return image


class PassageQuestion(_Frozen):
    """A question whose answer is in the passage. truth: the index of the one true choice. evidence: spans of the passage,
    verbatim, that together settle it."""

    id: Text
    text: Text
    choices: tuple[Text, ...]
    truth: int
    evidence: tuple[Text, ...]


class Passage(_Frozen):
    """A passage of 400 to 1,500 words and its questions."""

    id: Text
    title: Text
    text: Text
    licence: Text
    questions: tuple[PassageQuestion, ...]


@cache
def passages() -> tuple[Passage, ...]:
    """Every passage that ships with moot, in order of id.
    Raises UsageError when the installation has lost its passage files."""
    folder = resources.files("moot.tasks").joinpath("passages")
    files = [file for file in folder.iterdir() if file.name.endswith(".json")] if folder.is_dir() else []
    if not files:
        raise UsageError("this installation of moot has no passages (moot/tasks/passages/*.json); reinstall moot")
    read = (Passage.model_validate_json(file.read_bytes()) for file in files)
    return tuple(sorted(read, key=lambda passage: passage.id))


def samples(passage_id: str | None = None) -> list[Sample]:
    """The questions of one passage, or of all ten, each with its passage and its sealed truth.
    A question's id is "passage/question", as in "harbour-inquiry/speed". Raises UsageError on an unknown passage."""
    if not (chosen := [passage for passage in passages() if passage_id in (None, passage.id)]):
        known = ", ".join(passage.id for passage in passages())
        raise UsageError(f"there is no passage {passage_id!r}; the passages are: {known}")
    return [
        Sample(Question(q.text, q.choices, passage=passage.text, id=f"{passage.id}/{q.id}"), q.truth)
        for passage in chosen
        for q in passage.questions
    ]


def load_set(path: str | Path) -> list[Sample]:
    """Read a question set: JSON Lines in UTF-8, one object a line; blank lines are passed over.

    Each object has "question" (or "text"), and may have "choices" (a list of two or more answers), "truth" (the index
    of the true one), "passage" or "passage_file" (a UTF-8 text file, relative to the set), "id" ("FILE-LINE" by default),
    "size", "data", "unit", "about" and "tags", as in `Question`, without choices "answer" and "grade", as in `Sample`, and "images": a list of files relative to the set, or of objects with a "file"
    and, as may be, "alt", "cells" and "sha256", which is then compared. UsageError, which names the file and every line (the first ten), on anything
    else, on an id that was used before, and on a file that is missing, too large or has no question: a set is played whole."""
    path = Path(path)
    found, lines, wrong = list[Sample](), dict[str, int](), list[str]()
    with gathered():
        for number, line in enumerate(_read(path).split("\n"), start=1):
            line = line.lstrip("\ufeff")  # where files with a byte order mark were put together
            if not line.strip():
                continue
            try:
                sample = _sample(line, path, f"{path.stem}-{number}")
                name = str(sample.question.id)
                if lines.setdefault(name, number) != number:
                    raise UsageError(f"the id {name[:80]!r} was already used on line {lines[name]}; ids must differ")
            except UsageError as error:
                wrong.append(f"{path}, line {number}: {error!s:.500}")
            else:
                found.append(sample)
    if wrong:
        more = [f"and {len(wrong) - _TOLD} more lines of {path} are wrong"] if len(wrong) > _TOLD else []
        raise UsageError("\n".join([*wrong[:_TOLD], *more]))
    if not found:
        raise UsageError(f"{path} has no question; give one JSON object a line")
    return found


_TOLD = 10


class _Line(BaseModel):
    """One line of a set, as written; strict, because a truth of "1" or true is more likely a slip than an index."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    question: str | None = None
    text: str | None = None
    choices: list[str] = Field(default_factory=list)  # made for each line at less than a copy of a default
    truth: int | None = None
    passage: str | None = None
    passage_file: str | None = None
    id: Text | None = None
    size: int | None = None
    data: JsonValue = None
    unit: str | None = None
    about: str | None = None
    tags: dict[str, str | bool | int | float] = Field(default_factory=dict)
    answer: JsonValue = None
    grade: Text | None = None
    images: list[Text | ImageFile] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_each(self) -> _Line:
        if (self.question is None) == (self.text is None):
            raise ValueError('give the question as "question" or as "text", one of the two')
        if self.passage is not None and self.passage_file is not None:
            raise ValueError('give "passage" or "passage_file", not both')
        return self


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is given twice")
        found[key] = value
    return found


def _finite(number: str) -> float:
    if not isfinite(value := float(number)):
        raise ValueError(f"{number} is not a finite number")
    return value


_decode = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite).decode


def json_object(line: str) -> dict[str, Any]:
    """A line of JSON that is an object. Raises UsageError on anything else, a key given twice and a number that is none."""
    try:
        value = _decode(line)
        if "\\u" in line:  # half a surrogate pair is no text: no file or model can hold it
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        what = str(error)
        if isinstance(error, UnicodeEncodeError):
            what = "half a surrogate pair, which is no text"
        elif isinstance(error, json.JSONDecodeError):
            what = f"{error.msg} at character {error.colno}"
        raise UsageError(f"this is not JSON that moot can read: {what}") from None
    if not isinstance(value, dict):
        raise UsageError(f"expected a JSON object, in braces; found {type(value).__name__}")
    return value


def _sample(line: str, path: Path, default_id: str) -> Sample:
    value = json_object(line)
    try:
        read = _Line.model_validate(value)
    except ValidationError as error:
        raise UsageError("; ".join(_problems(error))) from None
    text = read.question if read.question is not None else read.text or ""
    given: dict[str, Any] = {
        name: value
        for name in ("size", "unit", "about", "passage", "data")
        if (value := getattr(read, name)) is not None
    }  # nothing that is not there: a question keeps the names of all that it was given
    if read.passage_file is not None:
        given["passage"] = _read(path.parent / read.passage_file)
    given |= {"tags": read.tags} if read.tags else {}
    if read.images:
        files = (ImageFile(file=each) if isinstance(each, str) else each for each in read.images)
        given["images"] = [each.read(path.parent) for each in files]
    asked = Question(text, tuple(read.choices), id=read.id or default_id, **given)
    return Sample(asked, read.truth, answer=read.answer, grade=read.grade)


def _read(path: Path) -> str:
    text = decoded(content_of(path), path, "not UTF-8 text {}; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"unknown field {field!r}; the fields are: {', '.join(_Line.model_fields)}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{field}: {message}" if field else message
