"""What is said in amplification: sub-questions, replies, and what is opened behind a pointer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.protocols.engine.moves import Move

Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class Subquestions(Move):
    """Questions whose answers the overseer wants before it goes on; they are answered at the same time.

    of: the question that is being answered (the protocol fills it in). budgets: what each may spend, where budgets are
    in use; None, or an entry of None, leaves it to the rule.
    """

    argues: ClassVar[bool] = True
    filled: ClassVar[tuple[str, ...]] = ("of", "budgets")
    kind: Literal["subquestions"] = "subquestions"
    of: str = ""
    questions: Annotated[tuple[Text, ...], Field(min_length=1)]
    budgets: tuple[Annotated[int, Field(ge=0)] | None, ...] | None = None

    def content(self) -> str:
        return "\n".join(self.questions)

    def cells(self) -> int:
        """0: who asked knows what it asked."""
        return 0


class Reply(Move):
    """The answer to a question, or "?" for "I do not know". of: the question (the protocol fills it in)."""

    argues: ClassVar[bool] = True
    filled: ClassVar[tuple[str, ...]] = ("of",)
    kind: Literal["reply"] = "reply"
    of: str = ""
    answer: Text

    def content(self) -> str:
        return self.answer

    def cells(self) -> int:
        return 1


class Open(Move):
    """Look behind a pointer (strong HCH). of, text: the question, and what is behind it; the protocol fills them in."""

    filled: ClassVar[tuple[str, ...]] = ("of", "text")
    kind: Literal["open"] = "open"
    of: str = ""
    pointer: Text
    text: str = ""

    def content(self) -> str:
        return self.text

    def cells(self) -> int:
        return 1
