"""Questions, and samples: a question with its sealed truth.

Rule of this file: a question holds no truth, and nothing here looks into a sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any
from unicodedata import category, normalize

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem

LARGEST = 1 << 63
"""The largest size: beyond it, sums of sizes are no numbers that a file holds."""
DEEPEST = 100
"""Levels of data: readers of JSON take about 200 in all."""


class Question(BaseModel):
    """What is asked. It holds no truth: that travels in a `Sample`, which only scoring opens.

    text: the question itself.
    choices: the answers to decide between, two or more, none empty; no two alike but for white space at their ends or its
        length, invisible characters, or the Unicode form of a character, as no judge can tell those apart. None for an
        open question.
    about: what everybody may know besides, seats and judge alike: how sub-questions are written, for instance.
    passage: source text that only those who know more may read (a view carries it when the protocol says so).
    data: source in any other JSON form (the integers to be summed, a formula); visible exactly where the passage is.
    size: the declared n in which every budget is stated; without one, the number of words of text, choices and passage.
    unit: what one unit of reading is ("characters" of statements, "cells" of data, "bits" of moves that count theirs, …).

    Raises UsageError on an empty text, a single choice, choices that are empty or alike, a size below 1, and what no file
    holds: half a surrogate pair, a number in the data that is not finite, data of more than 100 levels, a size over 2^63.
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

    def __init__(self, text: str, choices: Any = (), **fields: Any) -> None:
        if not isinstance(choices, list | tuple):
            raise UsageError(f"question {_named(text)}: choices is {_named(choices)}; give a tuple of answers")
        if "size" not in fields:
            texts = (text, *choices, fields.get("passage"))
            fields["size"] = max(1, sum(_count(each) for each in texts if isinstance(each, str)))
        self._read(text=text, choices=tuple(choices), **fields)
        seen: dict[str, str] = {}
        for choice in self.choices:
            if not (shown := as_shown(choice)):
                raise UsageError(
                    f"question {_named(text)}: the choice {_named(choice)} is empty; each must show something"
                )
            if (other := seen.setdefault(shown, choice)) != choice:
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
    def recorded(cls, fields: Mapping[str, Any]) -> Question:
        """A question as a transcript holds it: its choices were told apart when it was asked, by the rule of that time."""
        found = cls.__new__(cls)
        found._read(**fields)
        return found

    def without_source(self) -> Question:
        """The same question for those who may not see the passage or the data; its declared size stays."""
        if self.passage is None and self.data is None:
            return self
        return self.model_copy(update={"passage": None, "data": None})


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
    made, put = Question.__new__(Question), object.__setattr__
    put(made, "__dict__", {**question.__dict__, "text": text, "choices": choices, "id": None})
    put(made, "__pydantic_fields_set__", question.__pydantic_fields_set__)
    put(made, "__pydantic_extra__", None)
    put(made, "__pydantic_private__", None)
    return made


class Sample:
    """A question and, sealed beside it, the index of its true choice (None when nobody knows).

    task: the name of the task that made the question, by whose rule a guarantee is then checked. Only scoring calls
    `unseal()`; no protocol, view or agent is ever given a Sample. Raises UsageError when the truth is not the index of a
    choice, or the question is none.
    """

    __slots__ = ("question", "_truth", "task")

    def __init__(self, question: Question, truth: int | None = None, task: str | None = None) -> None:
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

    def unseal(self) -> int | None:
        """The index of the true choice. For scoring, and for nothing else."""
        return self._truth

    def __repr__(self) -> str:
        return f"Sample({self.question.text!r}, truth sealed)"


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
