"""Questions, and samples: a question with its sealed truth.

Rule of this file: a question holds no truth, and nothing here looks into a sample.
"""

from __future__ import annotations

import json
import operator
from collections import deque
from collections.abc import Mapping, Set
from functools import lru_cache, reduce
from hashlib import blake2b
from operator import getitem
from typing import Annotated, Any
from typing import Protocol as Structural
from unicodedata import category, normalize

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import to_json

from moot.protocols.engine.budget import CELL, QUESTION
from moot.protocols.engine.errors import Illegal, UsageError, first_problem
from moot.protocols.engine.images.image import Image, images_of
from moot.protocols.engine.values.frozen import FrozenList, frozen, remade

LARGEST = 1 << 63
"""The largest size: beyond it, sums of sizes are no numbers that a file holds."""
DEEPEST = 100
"""Levels of data: readers of JSON take about 200 in all."""
Tag = StrictStr | StrictBool | StrictInt | StrictFloat
"""A value to group by."""


class Question(BaseModel):
    """What is asked. It holds no truth: that travels in a `Sample`, which only scoring opens.

    text: the question itself.
    choices: the answers to decide between, two or more, none empty; no two alike but for white space at their ends or its
        length, invisible characters, or the Unicode form of a character, as no judge can tell those apart. None for an
        open question.
    about: what everybody may know besides, seats and judge alike: how sub-questions are written, for instance.
    passage: source text that only those who know more may read (a view carries it when the protocol says so).
    data: source in any other JSON form (the integers to be summed, a formula); visible exactly where the passage is. It
        is a copy of what was given, of lists and dicts that cannot be changed.
    images: source that is to be seen: paths, bytes or `Image`; visible exactly where the passage is, whole or not at all.
    size: the declared n in which every budget is stated; without one, the number of words of text, choices and passage, and
        what the images cost a reader, a unit for each byte at most.
    id: what studies, sets and files call it. No seat is shown it.
    tags: names to plain values (text, number, true, false) by which results are grouped: {"subject": "law"}. No seat is shown
        them and no request's hash or digest has them; they stand open in the transcript's meta. So they are no place for the truth.
    unit: what one unit of reading is ("characters" of statements, "cells" of data, "bits" of moves that count theirs, …).

    Raises UsageError on an empty text, a single choice, choices that are empty or alike, a size below 1, an image that
    is none, tags that are no plain values, and what no file holds: half a surrogate pair, a number in the data that is not finite, data of more than 100
    levels, a size over 2^63, images of more than 12 MB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    choices: tuple[str, ...] = ()
    about: str | None = None
    passage: str | None = None
    data: JsonValue = None
    size: Annotated[int, Field(strict=True)] = 0
    unit: str = "characters"
    id: str | None = None
    tags: Annotated[dict[str, Tag], Field(exclude_if=operator.not_)] = {}
    images: Annotated[tuple[Image, ...], Field(exclude_if=operator.not_)] = ()  # what has none is written as ever

    def __init__(self, text: str, choices: Any = (), **fields: Any) -> None:
        if not isinstance(choices, list | tuple):
            raise UsageError(f"question {_named(text)}: choices is {_named(choices)}; give a tuple of answers")
        if "images" in fields:
            try:
                fields["images"] = images_of(fields["images"])
            except UsageError as error:
                raise UsageError(f"question {_named(text)}: {error}") from None
        if "size" not in fields:
            texts, seen = (text, *choices, fields.get("passage")), fields.get("images", ())
            words = sum(_count(each) for each in texts if isinstance(each, str))
            fields["size"] = max(1, words + sum(min(image.cost, image.size) for image in seen))
        self._read(text=text, choices=tuple(choices), **fields)
        looks: dict[str, str] = {}
        for choice in self.choices:
            if not (shown := as_shown(choice)):
                raise UsageError(
                    f"question {_named(text)}: the choice {_named(choice)} is empty; each must show something"
                )
            if (other := looks.setdefault(shown, choice)) != choice:
                raise UsageError(
                    f"question {_named(text)} has two choices that look the same, {_named(other)} and {_named(choice)}; "
                    "they must differ"
                )

    def _read(self, **fields: Any) -> None:
        """Validate all but how alike the choices are. Raises UsageError."""
        where = f"question {_named(fields.get('text'))}"
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise UsageError(f"{where}: {first_problem(error):.300}") from None
        place = "data"
        try:
            if self.data is not None:
                if _deep(self.data):
                    raise ValueError(f"it is nested more than {DEEPEST} levels deep")
                json.dumps(self.data, ensure_ascii=False, allow_nan=False).encode()
                vars(self).update(data=frozen(self.data))
            place = "tags"
            json.dumps(self.tags, ensure_ascii=False, allow_nan=False).encode()
            vars(self).update(tags=frozen(self.tags))
            for place in ("text", "about", "passage", "unit", "id"):
                (getattr(self, place) or "").encode()
            place = "choices"
            "".join(self.choices).encode()
        except ValueError as error:
            raise UsageError(f"{where}: {place} cannot be written down: {error}") from None
        if not self.text.strip():
            raise UsageError("a question needs a text; this one is empty")
        if len(self.choices) == 1:
            raise UsageError(f"{where} has one choice, {_named(self.choices[0])}; give two or more, or none")
        if len(set(self.choices)) < len(self.choices):
            twice = next(choice for choice in self.choices if self.choices.count(choice) > 1)
            raise UsageError(f"{where} has two equal choices, {_named(twice)}; they must differ")
        if self.size > LARGEST:
            raise UsageError(f"{where} declares a size over 2^63; no transcript holds that")
        if self.size < 1:
            raise UsageError(f"{where} declares size {self.size}; the size n must be at least 1")

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], images: Any = None) -> Question:
        """A question as a transcript holds it: its choices were told apart when it was asked, by the rule of that time.
        images: the bytes of its images in base64, by hash, as far as they are there."""
        found = cls.__new__(cls)
        if "images" in fields:
            fields = {**fields, "images": images_of(fields["images"], images if isinstance(images, Mapping) else None)}
        found._read(**fields)
        return found

    def unnamed(self) -> Question:
        """The same question without its id and tags, as it is asked: what a question is called may say where it comes from."""
        return self if self.id is None and not self.tags else self.model_copy(update={"id": None, "tags": frozen({})})

    @property
    def has_source(self) -> bool:
        """Whether there is anything that only those see who know more: a passage, data or images."""
        return self.passage is not None or self.data is not None or bool(self.images)

    def without_source(self) -> Question:
        """The same question for those who may not see the passage, the data or the images; its declared size stays."""
        return remade(self, {"passage": None, "data": None, "images": ()}) if self.has_source else self


def _named(text: object) -> str:
    """A question's text in a message, whatever its length."""
    return repr(text if len(text) <= 200 else f"{text[:199]}…") if isinstance(text, str) else f"{text!r:.200}"


def _deep(data: Any) -> bool:
    """Whether data has more levels than a transcript can hold."""
    level = [data]
    for _ in range(DEEPEST):
        held = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [inner for each in held for inner in each if isinstance(inner, dict | list)]
    return bool(level)


def reworded(question: Question, text: str, choices: tuple[str, ...]) -> Question:
    """The same question with another text and other choices, and no id. Nothing is validated: this is made for each step
    of a play, and costs a quarter of `model_copy`."""
    return remade(question, {"text": text, "choices": choices, "id": None})


def sourced(question: Question, data: Any, passage: str | None) -> Question:
    """The same question with this data and this passage."""
    return remade(question, {"data": data, "passage": passage})


def owned(question: Question) -> Question:
    """The same question with data of its own, where it has data that is a list or a dict."""
    data = question.data
    return question if not isinstance(data, (list, dict)) else remade(question, {"data": frozen(data)})


class Held:
    """Questions as one game holds them: their hashes, and copies of their data for each seat, so that what a seat manages
    to do to the data, it does to itself. A copy is made when a seat first opens the data."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._last: dict[str, tuple[Question, tuple[Question, int]]] = {}
        self._hashed: dict[int, tuple[Question, bytes]] = {}

    def digest(self, question: Question) -> bytes:
        """The hash of a question; those of the last few dozen are kept."""
        known = self._hashed.get(id(question))
        if known is None:
            if len(self._hashed) >= 64:
                self._hashed.clear()
            known = self._hashed[id(question)] = question, blake2b(to_json(question), digest_size=16).digest()
        return known[1]

    def by(self, seat: str, question: Question) -> tuple[Question, int]:
        """The question for `seat`, and the size of its source; the last few dozen copies of data are kept."""
        last = self._last.get(seat)
        if last is not None and last[0] is question:
            return last[1]
        data, size = question.data, source_size(question)
        if not isinstance(data, (list, dict)):
            self._last[seat] = question, (question, size)
            return question, size
        if (key := (seat, id(data))) not in self._copies:
            if len(self._copies) >= 64:
                self._copies.clear()
            self._copies[key] = data, frozen(data)
        made = remade(question, {"data": self._copies[key][1]})
        self._last[seat] = question, (made, size)
        return made, size


def cells_of(value: Any) -> int:
    """How many cells a value of the data holds, at least 1."""
    if type(value) is FrozenList and getattr(value, "flat", False):
        return len(value) or 1
    if not isinstance(value, (list, dict)):
        return 1
    return max(1, sum(map(cells_of, value.values() if isinstance(value, dict) else value)))


def due(question: Question, own: Set[str]) -> int:
    """What the text of a question costs, and its choices, as far as they are not the play's own: the question that a
    measure includes has up to 128 characters; each further one costs a character, or each further 64 begun a cell."""
    amount, characters = 0, question.unit == "characters"
    for text in (question.text, *question.choices):
        if (over := len(text) - QUESTION) > 0 and text not in own:
            amount += over if characters else -(-over // CELL)
    return amount


def cell_at(data: Any, address: tuple[int | str, ...]) -> Any:
    """What stands at an address in the data; a number where a name is due is that name. Raises Illegal when nothing does."""
    try:
        return reduce(getitem, address, data)
    except IndexError:  # a list ends before it
        raise _no_cell(address) from None
    except (KeyError, TypeError):
        pass
    try:
        for part in address:
            data = data[str(part) if type(part) is int and isinstance(data, dict) else part]
    except (KeyError, IndexError, TypeError):
        raise _no_cell(address) from None
    return data


def _no_cell(address: tuple[int | str, ...]) -> Illegal:
    return Illegal(f"there is no cell {'.'.join(map(str, address))[:200]} in the data")


class Look(Structural):
    """One cell of data by its address: `look("table", 3)`. Under a bound each look is charged one unit."""

    def __call__(self, *address: int | str) -> Any: ...


def looker(data: Any) -> Look:
    """`look` over data without a meter, for direct evaluation."""
    return lambda *address: reduce(getitem, address, data)


def source_size(question: Question) -> int:
    """The cells of a question's data, the characters of its passage, and what its images cost. Those of the last few are
    remembered, as every seat that sees the source is charged for it at every call."""
    data, passage, images = question.data, question.passage, question.images
    for known, text, seen, size in _sizes:
        if known is data and text is passage and seen is images:
            return size
    size = (0 if data is None else cells_of(data)) + len(passage or "") + sum(image.cost for image in images)
    _sizes.append((data, passage, images, size))
    return size


_sizes: deque[tuple[Any, str | None, tuple[Image, ...], int]] = deque(maxlen=4)


class Sample:
    """A question and, sealed beside it, the index of its true choice, or the right answer of a question without choices.

    truth: the index; None when nobody knows it. answer: what is right where there are no choices: a text, a number, or what
    else its checker takes. grade: the checker by which an answer is graded from 0 to 1 ("exact", "math", "code", or
    "module:function", see `moot.tasks.answers`). task: the name of the task that made the question, by whose rule a guarantee is then
    checked. Only scoring calls `unseal()` and `unseal_answer()`; no protocol, view or agent is ever given a Sample. Raises UsageError when
    the truth is not the index of a choice, the answer is none that a file holds, or the question is none.
    """

    __slots__ = ("question", "_truth", "task", "_answer")

    def __init__(
        self, question: Question, truth: int | None = None, task: str | None = None, *, answer: JsonValue = None,
        grade: str | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(question, Question):
            raise UsageError(f"a sample is made of a Question, not of {question!r}")
        n = len(question.choices)
        if truth is not None and (isinstance(truth, bool) or not isinstance(truth, int) or not 0 <= truth < n):
            known = (
                f"of {n} choices it must be 0 to {n - 1}"
                if n
                else "without choices there is none to be true: give None"
            )
            raise UsageError(f"question {_named(question.text)}: truth is {truth!r}; {known}")
        self.question, self._truth, self.task = question, truth, task
        self._answer = None if answer is None and grade is None else _key(question, answer, grade)

    def unseal(self) -> int | None:
        """The index of the true choice. For scoring, and for nothing else."""
        return self._truth

    def unseal_answer(self) -> tuple[JsonValue, str] | None:
        """The right answer of a question without choices, and the checker that grades by it; None when nobody knows it. For
        scoring, and for nothing else."""
        return self._answer

    @property
    def fingerprint(self) -> str:
        """A hash of the question, its id and tags and its sealed truth, the same in every process: another one, and the
        sample was changed. Raises as `unseal` does. It is a hash without salt, so it may tell the truth to whoever tries: it belongs in no transcript."""
        asked = self.question.model_dump(mode="json", exclude_defaults=True)
        whole = [asked, self.unseal(), self.unseal_answer(), self.task]
        return blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"Sample({self.question.text!r}, truth sealed)"


_LONGEST_ANSWER = 60_000  # bytes of a sealed answer, as JSON: the file of a truth holds 64 KiB


def _key(question: Question, answer: JsonValue, grade: str | None) -> tuple[JsonValue, str]:
    where = f"question {_named(question.text)}"
    if question.choices:
        raise UsageError(f"{where} has choices: give truth, the index of the true one, and no answer or grade")
    if answer is None:
        raise UsageError(f"{where}: grade is {grade!r}, and there is no answer to grade by: give answer=")
    if grade is not None and (not isinstance(grade, str) or not grade):
        raise UsageError(f"{where}: grade is {grade!r}; name a checker: exact, math, code or module:function")
    try:
        size = len(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{where}: the answer cannot be written down: {error}") from None
    if size > _LONGEST_ANSWER:
        raise UsageError(f"{where}: the answer has {size} bytes as JSON; {_LONGEST_ANSWER} at most are sealed")
    return frozen(answer), grade or "exact"


def invisible(char: str) -> bool:
    """Whether a character shows nothing and takes no room: controls, format characters, fillers, variation selectors."""
    return (
        category(char) in ("Cc", "Cf", "Cs") or char in _FILLERS or "\ufe00" <= char <= "\ufe0f" or char >= "\U000e0000"
    )


_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"


def as_shown(text: str) -> str:
    """A text as a reader tells it from others."""
    bare = "".join(char for char in text if char.isspace() or not invisible(char))
    return " ".join(normalize("NFC", bare).split())


@lru_cache(maxsize=16)
def _count(text: str) -> int:
    """The words of a text; the last ones are remembered, because many questions are asked about one passage."""
    return len(text.split())
