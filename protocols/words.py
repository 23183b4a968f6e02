"""Words of a text, counted so that nothing in it can hide them.

Rule of this file: strings in, numbers and shorter strings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import category

from moot.protocols.engine.question import invisible
from moot.protocols.engine.values.quoting import TAG

LONGEST = 32
"""Characters of a word: what goes on for longer counts as several."""

# Scripts that are written without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, Tai Le and New Tai Lue, Tai Tham,
# Balinese, Han, kana, Bopomofo, Yi, Javanese, and the old scripts and rarer ideographs of the planes above.
_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fdf\u3005-\u3007"
    "\u3021-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua9df\uf900-\ufaff\uff66-\uff9f"
    "\U00011000-\U00018fff\U0001b000-\U0001b2ff\U00020000-\U0003ffff]"
)
_PART = re.compile(
    r"cm*|[adm]+(?:(?<=[am])'(?=a)[adm]+|(?<=d)[.](?=d)[adm]+)*"
    rf"|(?<!\S)[p'.]++(?!\S)|[p'.]{{{LONGEST + 1},}}"
)  # each alternative has one way only through a text, which is therefore read in time that grows with its length alone
_AFTER = re.compile(rf"[p'.]{{0,{LONGEST}}}+(?!\S)")


class _Classes(dict[int, str]):
    """The class of each character, found when it is first met: "a" part of a word, "m" a mark on it, "d" a digit, "c" a word
    by itself, "'" and "." what may stand within a word or number, " " white space, "p" anything else, which parts words."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = category(char)
        if char.isspace():
            found = " "
        elif char in "'\u2019":
            found = "'"
        elif char in ".,":
            found = "."
        elif invisible(char):
            found = "p"
        elif kind in ("So", "Co", "Cn") or (kind[0] == "L" or kind == "Nl") and _SPACELESS.match(char):
            found = "c"
        else:
            found = "d" if kind == "Nd" else "m" if kind[0] == "M" else "a" if kind[0] in "LN" else "p"
        self[code] = found
        return found


_CLASSES = _Classes()


def words(text: str) -> int:
    """How many words a text has, never fewer than white space parts it into.

    A word is a run of letters, marks and digits, parted from the next by anything else: a space, a hyphen, a slash, an
    invisible character. An apostrophe between letters ("don't"), and a point or comma between digits ("1,000.5"), part
    nothing. Every character of a script that is written without spaces, and every pictograph, is a word. So are signs that
    stand alone; and what goes on for more than 32 characters is a word for each 32 begun. The tags of quotes are signs.
    """
    return sum(1 + (len(part) - 1) // LONGEST for part in _PART.findall(_classes(text)))


def first_words(text: str, most: int) -> str:
    """The longest beginning of `text` that ends with a word, or after the signs that follow one, and has at most `most`."""
    end, left = 0, most
    for (start, stop), count in _parts(text):
        if count > left:
            if not end:  # inside the first word, as not even that one fits, but inside no tag
                end = start + left * LONGEST
                return text[: next((tag.start() for tag in TAG.finditer(text) if tag.start() < end < tag.end()), end)]
            break
        end, left = stop, left - count
    else:
        return text
    after = _AFTER.match(_classes(text), end)
    return text[: after.end() if after else end]


def _parts(text: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Where each word stands, and for how many it counts."""
    for part in _PART.finditer(_classes(text)):
        start, stop = part.span()
        yield (start, stop), 1 + (stop - start - 1) // LONGEST


def _classes(text: str) -> str:
    return TAG.sub(lambda tag: "-" * len(tag.group()), text).translate(_CLASSES)
