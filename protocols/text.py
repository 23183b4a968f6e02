"""Text of others as it may be shown: nothing in it can move a cursor, colour, or reorder what stands around it.

Rule of this file: strings in, strings out.
"""

from __future__ import annotations

import re

# C0 and C1 controls, marks that reverse or hide text (bidirectional overrides, tags), line separators, lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` with everything shown that a terminal would obey or hide: ESC as ␛, an override as U+FFFD. Line feeds and
    tabs stay. Nothing in the result can move a cursor, colour, or reorder what stands around it."""
    return _HIDDEN.sub(_picture, text.replace("\r\n", "\n"))


def one_line(text: str, most: int = 200) -> str:
    """The same on one line of at most `most` characters, cut with "…"."""
    line = " ".join(visible(text[: 8 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
