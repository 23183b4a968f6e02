"""What is said about a model and its specification: inputs and their densities, what the model does, and rulings.

Rule of this file: moves and what they say of themselves, no protocol.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.engine.moves import Asked, Move

Finding = Literal["bad", "ok", "unknown"]
"""What a judge finds of an input and what the model did on it: it violates the specification, it does not, or the judge cannot say."""

Text = Annotated[str, Field(max_length=20_000)]
LogDensity = Annotated[float, Field(le=0, allow_inf_nan=False)]
"""The logarithm of how probable a text is: finite, and at most 0."""

_PROGRAMS = Asked(when=lambda brief: False)  # what a program may say of itself, and nobody is asked for


class Draw(Move, argues=True, bare_field="text", read_as="{text}"):
    """An input, drawn from the distribution that the model will meet.

    stratum: the part of the inputs that it lies in, where whoever draws tells parts apart.
    """

    kind: Literal["draw"] = "draw"
    text: Annotated[Text, Asked("the input, as the model is to be given it", "The input")]
    stratum: Annotated[str | None, _PROGRAMS] = None


class Attack(Move, argues=True, bare_field="text", read_as="{text}"):
    """An input on which its author expects the model to violate the specification.

    log_density: the logarithm of the probability with which this text was drawn, given all that its author had been shown. None: unknown.
    """

    kind: Literal["attack"] = "attack"
    text: Annotated[Text, Asked("the input, as the model is to be given it", "The input")]
    log_density: Annotated[LogDensity | None, _PROGRAMS] = None


class Density(Move, fixed_cells=1):
    """How probable an input is where inputs are drawn, as a logarithm; None: it is no input there."""

    kind: Literal["density"] = "density"
    log_density: Annotated[LogDensity | None, Asked("the logarithm of its probability", none="it is no input")] = None

    def content(self) -> str:
        return "no input" if self.log_density is None else f"log-probability {self.log_density:.6g}"


class Act(Move, argues=True, bare_field="text", read_as="{text}"):
    """What the model does on an input."""

    kind: Literal["act"] = "act"
    text: Annotated[Text, Asked("what you do", "What you do", empty=True)]


class Ruling(Move, argues=True, asked_first=("text",)):
    """Whether what the model did on an input violates the specification.

    credit: how near it came to a violation, from 0 to 1, where a program can say; for an adversary that learns.
    """

    marked: ClassVar[dict[str, str]] = {"finding": "finding"}
    kind: Literal["ruling"] = "ruling"
    finding: Annotated[Finding, Asked("bad, ok, or unknown where you cannot tell", "bad, ok or unknown")]
    text: Annotated[Text, Asked("why", "Why (may be empty)", empty=True)] = ""
    credit: Annotated[float | None, Field(ge=0, le=1), _PROGRAMS] = None

    def content(self) -> str:
        return f"{self.finding}: {self.text}" if self.text else self.finding

    def in_short(self, choices: Any) -> str:
        return self.finding
