"""What is said in amplification: sub-questions, replies, and what is opened behind a pointer.

Rule of this file: moves and what they say of themselves, no protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.protocols.engine.budget import beyond
from moot.protocols.engine.moves import UNKNOWN, Asked, Move
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.pointers import pointers_in

Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class Subquestions(Move, argues=True, filled=("of", "budgets"), pointing=("questions",)):
    """Questions whose answers the overseer wants before it goes on; they are answered at the same time.

    of: the question that is being answered (the protocol fills it in). budgets: what each may spend, where budgets are
    in use; None, or an entry of None, leaves it to the rule.
    """

    fixed_cells: ClassVar[int | None] = 0  # who asked knows what it asked
    kind: Literal["subquestions"] = "subquestions"
    of: str = ""
    questions: Annotated[tuple[Text, ...], Field(min_length=1), Asked(person="Your sub-questions")]
    budgets: Annotated[
        tuple[Annotated[int, Field(ge=0)] | None, ...] | None,
        Asked(person="A budget for each (none: a tenth of what is left)", when=lambda brief: "budget" in brief),
    ] = None

    def content(self) -> str:
        return "\n".join(self.questions)

    def excess(self) -> int:
        return beyond(*self.questions)

    def in_words(self) -> str:
        return f"{self.of} asks".lstrip() + "".join(f"\n({i}) {part}" for i, part in enumerate(self.questions, 1))

    def questions_asked(self) -> tuple[str, tuple[str, ...]]:
        return self.of, self.questions


class Reply(
    Move, argues=True, filled=("of",), fixed_cells=1, read_as="{answer}", pointing=("answer",), quoting=("answer",)
):
    """The answer to a question, or "?" for "I do not know". of: the question (the protocol fills it in)."""

    marked: ClassVar[Mapping[str, str]] = {"question": "of"}
    kind: Literal["reply"] = "reply"
    of: str = ""
    answer: Annotated[
        Text, Asked(person=f"Your answer; {UNKNOWN} when you do not know", choices="text", besides=(UNKNOWN,))
    ]
    quotes: Quotes = ()

    def in_words(self) -> str:
        return f"{self.of} → {self.answer}" if self.of else self.answer

    def excess(self) -> int:
        return beyond(self.answer)

    def question_answered(self) -> tuple[str, str]:
        return self.of, self.answer


class Open(Move, filled=("of", "text"), fixed_cells=1, read_as="{text}", pointing=("pointer",), quoting=("text",)):
    """Look behind a pointer (strong HCH): [what stands in brackets] in a question or an answer is passed on as one.

    of, text: the question, and what is behind it; the protocol fills them in.
    """

    marked: ClassVar[Mapping[str, str]] = {"pointer": "pointer"}
    kind: Literal["open"] = "open"
    of: str = ""
    pointer: Annotated[Text, Asked(person="Which pointer do you open", seen=pointers_in)]
    text: str = ""
    quotes: Quotes = ()

    def in_words(self) -> str:
        return f"{self.pointer} holds {self.text or 'nothing'}"
