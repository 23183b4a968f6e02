"""Few-shot examples: verdicts as they should be given, from a file of the user's.

    {"question": "Who sank the fleet?", "choices": ["a storm", "the admiral"], "transcript": "a: It blew. b: He fled.",
     "verdict": {"probabilities": [0.8, 0.2], "text": "Only the storm is on record."}}

one JSON object a line; `transcript` and the verdict's `text` may be left out, and empty lines are passed over.

Rule of this file: it reads and words examples; who is shown them is a judge's affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from moot.agents.prompts.elements import record
from moot.protocols.engine.errors import AgentError, UsageError, first_problem
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.text import escape, one_line

LARGEST = 1 << 20  # bytes of a file: more than a context of 200,000 tokens holds
LED = "Here are other exchanges, each with the verdict that it deserves. They are over, and no part of the one that you judge."


class Example(BaseModel):
    """An exchange about a question, as a text, and the verdict on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    question: str
    choices: list[str]
    transcript: str = ""
    verdict: dict[str, Any]

    def asked(self) -> Question:
        return Question(self.question, tuple(self.choices))

    def given(self) -> Verdict:
        return Verdict.model_validate({"kind": "verdict", **self.verdict})


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a file: how they are shown, which questions they are about, and a hash of what is shown."""

    name: str
    prompt: str
    questions: frozenset[tuple[str, frozenset[str]]]

    @classmethod
    def read(cls, path: str | Path) -> Examples:
        """Those of a file. Raises UsageError, naming the line, on what is no example, and on a file that cannot be read, holds
        none, or has over 1 MiB."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
        except OSError as error:
            raise UsageError(f"examples: {path}: {error.strerror or error}") from None
        if len(raw) > LARGEST:
            raise UsageError(f"examples: {path} has over {LARGEST:,} bytes, more than a model reads each time")
        found = list(_lines(path, raw))
        if not found:
            raise UsageError(f"examples: {path} holds none; each is a JSON object on a line of its own")
        shown = "\n".join((LED, "<examples>", *map(_shown, found), "</examples>"))
        return cls(str(path), shown, frozenset(_key(each.asked()) for each in found))

    @property
    def hash(self) -> str:
        return sha256(self.prompt.encode()).hexdigest()[:16]

    def check(self, request: Request) -> None:
        """Raise AgentError where the question that is judged is one of the examples, whose answer they give away."""
        question = request.view.question
        if _key(question) in self.questions:
            raise AgentError(
                f"step {request.step}: the question {one_line(question.text, 80)!r} is one of the examples in {self.name}, "
                "which give its verdict away; take it out of the file"
            )


def _key(question: Question) -> tuple[str, frozenset[str]]:
    return question.text, frozenset(question.choices)


def _lines(path: Path, raw: bytes) -> Iterator[Example]:
    for number, line in enumerate(raw.split(b"\n"), 1):
        where = f"examples: {path}, line {number}"
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
            example = Example.model_validate(found)
            asked, given = example.asked(), example.given()
        except ValidationError as error:
            raise UsageError(f"{where}: {first_problem(error, 'it')}") from None
        except (UsageError, ValueError, RecursionError) as error:
            raise UsageError(f"{where}: {error}") from None
        if len(given.probabilities) != len(asked.choices):
            raise UsageError(f"{where}: {len(given.probabilities)} probabilities for {len(asked.choices)} choices")
        yield example


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _shown(example: Example) -> str:
    given = example.given()
    shares = " ".join(f"{p:.4g}" for p in given.probabilities)
    said = f"<exchange>\n{escape(example.transcript)}\n</exchange>\n" if example.transcript.strip() else ""
    verdict = f'<verdict probabilities="{shares}">{escape(given.text)}</verdict>'
    return f"<example>\n{record(example.asked(), ())}{said}{verdict}\n</example>"
