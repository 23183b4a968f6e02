"""Quotations as they stand in a text, between <quote> and </quote>, and what is recorded and shown of them.

Rule of this file: it says where they stand. Whether the passage holds them is for `protocols/quotes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import not_
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

TAG = re.compile(r"<(/?)((?:[vu]_)?quote)>", re.IGNORECASE)


class Part(NamedTuple):
    """A stretch of a move that is an element of its own in a prompt: a quotation, a citation.

    verified: whether it was found to be as it says; None where nobody checked.
    """

    text: str
    tag: str = "quote"
    verified: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()


class Quote(BaseModel):
    """A piece of the passage, as quoted. `span` gives characters [start, end) of the passage once it was found there."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    text: str
    verified: bool | None = None
    span: tuple[int, int] | None = None


Quotes = Annotated[tuple[Quote, ...], Field(exclude_if=not_), SkipJsonSchema()]  # pyright: ignore[reportCallIssue]
"""The quotes in the words of a move, once they were looked for: in its JSON where there are any, and never asked for."""


class Segment(NamedTuple):
    """A stretch of a speech: the inside of a quote, or the text between quotes."""

    quote: bool
    text: str


def requoted(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` made to the inside of each of its quotes."""
    made, plain = list[str](), 0
    for tag, following in pairwise(TAG.finditer(text)):
        if _pair(tag, following):
            made += [text[plain : tag.end()], change(text[tag.end() : following.start()])]
            plain = following.start()
    return "".join([*made, text[plain:]])


def unquoted(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` made to what stands outside of its quotes."""
    made, plain = list[str](), 0
    for tag, following in pairwise(TAG.finditer(text)):
        if _pair(tag, following):
            made += [change(text[plain : tag.start()]), text[tag.start() : following.end()]]
            plain = following.end()
    return "".join([*made, change(text[plain:])])


def segments(text: str) -> list[Segment]:
    """The quotes of `text` and the texts between them, in order.

    A quote is a tag <quote>, text without such tags, and </quote>. Tags in any letter case are read, and so are
    <v_quote> and <u_quote> (Khan et al. 2024), as quotes like any other: a debater cannot declare its own quote
    verified. Every tag without its partner is plain text.
    """
    found: list[Segment] = []
    plain = 0
    for tag, following in pairwise(TAG.finditer(text)):
        if _pair(tag, following):
            if plain < tag.start():
                found.append(Segment(False, text[plain : tag.start()]))
            found.append(Segment(True, text[tag.end() : following.start()]))
            plain = following.end()
    if plain < len(text):
        found.append(Segment(False, text[plain:]))
    return found


def _pair(tag: re.Match[str], following: re.Match[str]) -> bool:
    """Whether these tags, one after the other, are the two ends of a quote."""
    opens, closes = not tag.group(1), bool(following.group(1))
    return opens and closes and tag.group(2).lower() == following.group(2).lower()


def with_marks(text: str, quotes: Sequence[Quote]) -> list[str | Part]:
    """A text with the quotes in it as parts, each marked as these, which were found in it, say."""
    after, parts = 0, list[str | Part]()
    for quoted, stretch in segments(text):
        if not quoted:
            parts.append(stretch)
            continue
        # by its text and not by its place alone: a mark never lands on a quote that was not checked
        place = next((i for i in range(after, len(quotes)) if quotes[i].text == stretch), None)
        after = after if place is None else place + 1
        parts.append(Part(stretch, verified=None if place is None else quotes[place].verified))
    return parts
