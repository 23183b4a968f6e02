"""Quotations as they stand in a text, between <quote> and </quote>.

Rule of this file: it says where they stand. Whether the passage holds them is for `protocols/quotes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

TAG = re.compile(r"<(/?)((?:[vu]_)?quote)>", re.IGNORECASE)


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
