"""The moves of argument trees: claims that cite earlier ones, responses to a claim, and reactions at any of them.

Rule of this file: moves, what they say of themselves, and the check that claims share; no protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from moot.protocols.amplification.moves import Text
from moot.protocols.checks import fill, shortened
from moot.protocols.engine.budget import beyond
from moot.protocols.engine.errors import Illegal, standing
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting, must_quote, quoted_after

Label = Literal["yes", "yes but", "secondary objection", "main objection"]
"""What a debater thinks of a claim: it agrees; it agrees, and something of weight is left out; it objects on the
side; this is what it objects to above all. The labels are those of the recursive debates that people wrote
(dc-debates, 2026)."""

RELATIONS = {
    "yes": "supports", "yes but": "adds to", "no": "attacks", "secondary objection": "secondary objection",
    "main objection": "main objection", "": "supports",
}  # fmt: skip
"""How a claim that follows a response stands to the claim that was responded to."""


class Assertion(
    Move, argues=True, filled=("to", "label", "missing"), marked={"to": "to", "label": "label"}, quoting=("text",)
):
    """A claim, a node of the argument tree. cites: ids (steps) of earlier claims that it rests on.

    The protocol fills in `to` and `label`, the claim that it stands under ("" for the question) and the response that
    it follows; and in `missing`, the cited ids that name no claim made before it.
    """

    kind: Literal["assertion"] = "assertion"
    text: Annotated[str, Field(max_length=400_000), Asked(person="Your claim")]
    cites: Annotated[tuple[Text, ...], Asked(person="Earlier claims that it rests on, by step (may be empty)")] = ()
    to: str = ""
    label: str = ""
    missing: tuple[str, ...] = ()
    quotes: Quotes = ()

    @field_validator("cites", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Ids as models and people write them: one text, numbers, nothing."""
        if isinstance(value, (str, int, float)):
            return tuple(re.findall(r"[\w.\-]+", str(value)))
        if not isinstance(value, (list, tuple)):
            return () if value is None else value
        return tuple(str(each) if isinstance(each, (int, float)) else each for each in value)

    def content(self) -> str:
        cited = ", ".join(f"{each} (no claim)" if each in self.missing else each for each in self.cites)
        return f"{self.text}\n(cites {cited})" if cited else self.text

    def reading(self) -> int:
        return len(self.text) + sum(map(len, self.cites))

    def cells(self) -> int:
        """A cell for each word, and for each citation."""
        return len(self.text.split()) + len(self.cites)

    def excess(self) -> int:
        return beyond(*self.text.split(), *self.cites)

    def in_short(self, choices: Sequence[str]) -> str:
        return f"{self.label or 'under'}, to {self.to}" if self.to else ""

    def prompt_attributes(self) -> dict[str, str]:
        cites = " ".join(self.steps_cited())
        return super().prompt_attributes() | ({"cites": cites} if cites else {})

    def steps_cited(self) -> list[str]:
        return [each for each in self.cites if each not in self.missing]


class Response(Move, filled=("to",), fixed_cells=1, read_as="{label}, to claim {to}"):
    """What a debater says to the claim of the step `to`, which the protocol fills in."""

    marked: ClassVar[Mapping[str, str]] = {"to": "to", "label": "label"}
    kind: Literal["response"] = "response"
    label: Label
    to: str = ""


class Reaction(Move, fixed_cells=1):
    """What a seat does in an argument tree: a response to the claim `to` ("q": the question), or none (""), and how
    many claims of its own it then puts under it."""

    kind: Literal["reaction"] = "reaction"
    to: Text
    label: Literal["", "yes", "no", "yes but", "secondary objection", "main objection"] = ""
    claims: Annotated[int, Field(ge=0, le=16)] = 0

    def content(self) -> str:
        words = [self.label] if self.label else list[str]()
        words += [f"{self.claims} claims" if self.claims != 1 else "1 claim"] if self.claims else []
        return f"{', '.join(words) or 'nothing'}, to {'the question' if self.to == 'q' else f'claim {self.to}'}"


def stated(
    known: Container[str], most: int, limit: Limit | None, to: str, label: str, passage: str | None, need: Quoting,
    last: bool, check_quotes: bool,
) -> Callable[[Assertion], Assertion]:  # fmt: skip
    """The check of a claim under `to`, after the response `label`: it says something, within the limit, quotes as it must,
    and cites at most `most` claims, which are looked up in `known`, the claims made before it. Nothing can then rest on
    itself by its citations: each leads to an earlier step. last: no attempt is left after this one."""

    def check(move: Assertion) -> Assertion:
        missing = tuple(each for each in dict.fromkeys(move.cites) if each not in known)
        filled = fill(move, to=to, label=label, missing=missing)
        if not move.text.strip():
            raise Illegal("the claim is empty", stands=lambda: shortened(filled, limit))
        if len(move.cites) > most:
            raise Illegal(
                f"at most {most} claims may be cited, not {len(move.cites)}", lambda: shortened(filled, limit)
            )
        with standing(partial(shortened, filled, limit, last)):
            must_quote(move.text, passage, need)
        return shortened(filled, limit, last)

    return (lambda move: quoted_after(partial(check, move), passage)) if check_quotes else check
