"""Moves: what a seat may say when it is asked. Frozen, typed, told apart by `kind`.

Rule of this file: the kinds that several families share; those of one protocol stand beside it.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

UNKNOWN = "?"
"""The answer "I do not know", where answers are texts."""


class Move(BaseModel):
    """The base of every kind of move. A kind of your own is a subclass with a `kind: Literal["name"] = "name"`.

    argues: whether such moves are nodes of the argument tree. filled: fields that the protocol fills in on the record, and
    that nobody is asked for. A move that an agent made without validation is validated when it is given, and what is in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    argues: ClassVar[bool] = False
    filled: ClassVar[tuple[str, ...]] = ()
    kind: str

    def content(self) -> str:
        """What a reader of this move reads, as text."""
        return self.model_dump_json(exclude={"kind"})

    def reading(self) -> int:
        """What reading this move costs a bounded judge, in the question's unit (characters, unless overridden)."""
        return len(self.content())

    def cells(self) -> int:
        """The same where the question's unit is a cell: a number, a symbol, a short answer."""
        return self.reading()

    def cost(self, unit: str) -> int:
        """What reading it costs in a given unit."""
        return self.cells() if unit == "cells" else self.reading()


class Quote(BaseModel):
    """A piece of the passage, as quoted. `span` gives characters [start, end) of the passage once it was found there."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    text: str
    verified: bool | None = None
    span: tuple[int, int] | None = None


class Speech(Move):
    """An argument in words. Quotes stand in the text as <quote>…</quote>; the protocol finds and verifies them."""

    argues: ClassVar[bool] = True
    kind: Literal["speech"] = "speech"
    text: str
    quotes: tuple[Quote, ...] = ()

    def content(self) -> str:
        return self.text

    def reading(self) -> int:
        return len(self.text)


class Verdict(Move):
    """A judge's belief over the choices: `probabilities[i]` for choice i, each in [0, 1], summing to 1.

    text: feedback or reasons, in words. end: the judge wants to hear no more.
    """

    kind: Literal["verdict"] = "verdict"
    probabilities: tuple[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)], ...]
    text: str = ""
    end: bool = False

    @field_validator("probabilities")
    @classmethod
    def _sum_to_one(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) < 2 or not math.isclose(sum(value), 1.0, abs_tol=1e-6):
            raise ValueError(f"a verdict needs two or more probabilities that sum to 1, not {list(value)}")
        return value

    @property
    def choice(self) -> int | None:
        """The index of the most probable choice; None when two or more share the first place."""
        best = max(self.probabilities)
        return None if self.probabilities.count(best) > 1 else self.probabilities.index(best)

    def content(self) -> str:
        return self.text


class Answer(Move):
    """The choice that an agent takes as its own (open consultancy and open debate)."""

    kind: Literal["answer"] = "answer"
    choice: Annotated[int, Field(ge=0)]
    text: str = ""

    def content(self) -> str:
        return self.text


class Ask(Move):
    """A question that the judge puts to a seat (or, with `to` None, to every debater)."""

    kind: Literal["ask"] = "ask"
    text: str
    to: str | None = None

    def content(self) -> str:
        return self.text


class Stop(Move):
    """Whether this seat agrees to end the play here."""

    kind: Literal["stop"] = "stop"
    stop: bool

    def content(self) -> str:
        return "agrees to end" if self.stop else "wants to go on"


class Concession(Move):
    """A debater gives its answer up. text: its words."""

    argues: ClassVar[bool] = True
    kind: Literal["concession"] = "concession"
    text: str = ""

    def content(self) -> str:
        return self.text or "concedes"
