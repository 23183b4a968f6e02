"""Questions, and samples: a question with its sealed truth.

Rule of this file: a question holds no truth, and nothing here looks into a sample.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem


class Question(BaseModel):
    """What is asked. It holds no truth: that travels in a `Sample`, which only scoring opens.

    text: the question itself.
    choices: the answers to decide between, two or more, distinct; empty for an open question.
    about: what everybody may know besides, seats and judge alike: how sub-questions are written, for instance.
    passage: source text that only those who know more may read (a view carries it when the protocol says so).
    data: source in any other JSON form (the integers to be summed, a formula); visible exactly where the passage is.
    size: the declared n in which every budget is stated; without one, the number of words of text, choices and passage.
    unit: what one unit of reading is ("characters" of statements, "cells" of data, "bits" of moves that count theirs, …).

    Raises UsageError on an empty text, a single choice, equal choices, or a size below 1.
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
            raise UsageError(f"question {text!r}: choices is {choices!r}; give a tuple of answers")
        if "size" not in fields:
            texts = (text, *choices, fields.get("passage"))
            fields["size"] = max(1, sum(_count(each) for each in texts if isinstance(each, str)))
        try:
            super().__init__(text=text, choices=tuple(choices), **fields)
        except ValidationError as error:
            raise UsageError(f"question {text!r}: {first_problem(error)}") from None
        if not self.text.strip():
            raise UsageError("a question needs a text; this one is empty")
        if len(self.choices) == 1:
            raise UsageError(f"question {text!r} has one choice, {self.choices[0]!r}; give two or more, or none")
        if len(set(self.choices)) < len(self.choices):
            raise UsageError(f"question {text!r} has two equal choices among {self.choices}; they must differ")
        if self.size < 1:
            raise UsageError(f"question {text!r} declares size {self.size}; the size n must be at least 1")

    def without_source(self) -> Question:
        """The same question for those who may not see the passage or the data; its declared size stays."""
        if self.passage is None and self.data is None:
            return self
        return self.model_copy(update={"passage": None, "data": None})


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
            raise UsageError(f"question {question.text!r}: truth is {truth!r}; of {n} choices it must be 0 to {n - 1}")
        self.question, self._truth, self.task = question, truth, task

    def unseal(self) -> int | None:
        """The index of the true choice. For scoring, and for nothing else."""
        return self._truth

    def __repr__(self) -> str:
        return f"Sample({self.question.text!r}, truth sealed)"


@lru_cache(maxsize=16)
def _count(text: str) -> int:
    """The words of a text; the last ones are remembered, because many questions are asked about one passage."""
    return len(text.split())
