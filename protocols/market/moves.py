"""The moves of market making: prices, statements with citations, queries of the market, cross-examination.

Rule of this file: moves and what they say of themselves, no protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from moot.protocols.amplification.moves import Text
from moot.protocols.checks import fill
from moot.protocols.engine.budget import beyond
from moot.protocols.engine.moves import Asked, Move, Part, Verdict
from moot.protocols.engine.values.quoting import Quotes, with_marks


class Price(Verdict):
    """The market's prediction of the judge's final belief: `probabilities[i]` for choice i."""

    kind: Literal["price"] = "price"  # type: ignore[assignment]


class Stands(Move, asked_first=("text",), read_as="{text}"):
    """Nothing that was said moves you, so that the market's price stands, the one from before anything was said.

    A judge's word for it, and no belief: even probabilities are one. It is not shown the price. text: reasons.
    """

    kind: Literal["stands"] = "stands"
    text: Annotated[str, Asked("your reasons", "Your reasons (may be empty)")] = ""

    def in_short(self, choices: Sequence[str]) -> str:
        return "lets the price stand"


class Citation(BaseModel):
    """ "M(question) = answer": what the market says to a question. verified: whether it does, once that was checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    question: Text
    answer: Text
    verified: SkipJsonSchema[bool | None] = None

    def __str__(self) -> str:
        mark = "" if self.verified is None else " (verified)" if self.verified else " (not what M says)"
        return f"M({self.question}) = {self.answer}{mark}"


class Statement(
    Move, argues=True, marked={"claims": "answer"}, pointing=("text", "answer", "cites"), quoting=("text",)
):
    """What the adversary says to the judge. answer: the answer that it claims, if any. cites: what the market says.

    Whatever the adversary says about verification is replaced by what the protocol finds.
    """

    kind: Literal["statement"] = "statement"
    text: Annotated[str, Field(max_length=400_000), Asked(person="Your statement (may be empty)")] = ""
    answer: Annotated[Text | None, Asked(person="Which answer does it claim", choices="text")] = None
    cites: Annotated[tuple[Citation, ...], Asked(person="What you cite of the market (may be empty)")] = ()
    quotes: Quotes = ()

    def content(self) -> str:
        claim = [] if self.answer is None else [f"Claimed answer: {self.answer}"]
        return "\n".join([*filter(None, [self.text]), *claim, *map(str, self.cites)])

    def reading(self) -> int:
        texts = [self.text, self.answer or "", *(text for cite in self.cites for text in (cite.question, cite.answer))]
        return sum(map(len, texts))

    def cells(self) -> int:
        """A cell for each word of the text, for the claimed answer, and for each cited answer (the reader knows which
        questions its rule asks)."""
        return len(self.text.split()) + (self.answer is not None) + len(self.cites)

    def excess(self) -> int:
        cited = (text for cite in self.cites for text in (cite.question, cite.answer))
        return beyond(self.answer or "", *cited, *self.text.split())

    def prompt_body(self) -> list[str | Part]:
        """The text, and an element for each citation, which no text can be taken for."""
        cited = (Part(cite.answer, "cited", cite.verified, (("question", cite.question),)) for cite in self.cites)
        return [*with_marks(self.text, self.quotes), *cited]

    def questions_asked(self) -> tuple[None, list[str]]:
        return None, [cite.question for cite in self.cites]


class Query(Move, argues=True, pointing=("question", "suppose"), quoting=("question", "suppose")):
    """A question that the adversary puts to the market. suppose: what it might say, which the market is shown as said."""

    fixed_cells: ClassVar[int | None] = 0  # who asked knows what it asked
    kind: Literal["query"] = "query"
    question: Text
    suppose: Annotated[str, Field(max_length=20_000)] = ""
    quotes: Quotes = ()

    def content(self) -> str:
        return f"{self.question}\nSuppose it is said: {self.suppose}" if self.suppose else self.question


class Examine(Move, argues=True, marked={"of": "turn"}, pointing=("question",), quoting=("question",)):
    """A question to the adversary as it was when it made a statement. turn: the step of that statement."""

    read_as: ClassVar[str] = "To the author of the statement of step {turn}: {question}"
    kind: Literal["examine"] = "examine"
    turn: str
    question: Text
    quotes: Quotes = ()

    def cells(self) -> int:
        return len(self.question.split())


def stamped(statement: Statement, modal: Callable[[str], str | None]) -> Statement:
    """The statement with each citation marked verified or not, or None where it is not known what the market says."""

    def stamp(cite: Citation) -> Citation:
        says = modal(cite.question)
        return cite.model_copy(update={"verified": None if says is None else says == cite.answer})

    return fill(statement, cites=tuple(map(stamp, statement.cites)))
