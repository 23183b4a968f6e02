"""Quotes in speeches, checked against the passage.
Rule: it compares and cuts texts; where a speech holds its quotes is found in `engine/values/quoting.py`.

A quote stands in a speech as <quote>…</quote>. It is verified when its words stand in the passage, in order and without
a gap, after normalising white space, case and punctuation (the strict match of Khan et al. 2024, arXiv 2402.06782), or
with gaps where the quote itself shows them by an ellipsis.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import accumulate, islice
from typing import Any

from moot.protocols.engine.errors import Illegal, standing
from moot.protocols.engine.moves import Quote, Speech
from moot.protocols.engine.values.quoting import requoted, segments
from moot.protocols.limits import Limit
from moot.protocols.text import unescape

GAP = 500  # most characters of normalised passage that an ellipsis in a quote may stand for
MOST_PIECES = 1000  # most quotes in one speech, the pieces of quotes with ellipses counted singly
MOST_PLACES = 1000  # most places tried for one quote; a second one is needed only where a place cuts a character in two

_ELLIPSIS = re.compile(r"…|\.(?:\s?\.){2,}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def normalise(text: str) -> str:
    """The form in which quotes are compared: words and symbols, one space between them, no space at either end.

    Letters, digits and marks are case-folded and canonically decomposed one by one; invisible format characters are
    dropped. Punctuation of every kind (straight and curly quotes, dashes and minus, ellipses, *emphasis*) is only a
    separator, like white space. Symbols with a meaning of their own (< + $ % …) stay, each as a word.
    """
    return " ".join(text.translate(_FOLDED).split())


def verify(text: str, passage: str | None) -> tuple[Quote, ...]:
    """Each quote of the speech `text`, in order, marked verified or not, with its span [start, end) of `passage`.

    The span is in characters of the passage as given, and is where the quote stands first. A quote without a letter or
    digit is never verified. An ellipsis (… or three dots) may stand for up to GAP characters; then each piece must be
    made of whole words, or letters could be stitched into any sentence, and the span reaches from the first to the last.
    Without a passage nothing can be said: `verified` is None. Lone surrogates, which are not text, become U+FFFD.
    Raises Illegal when the speech holds more than MOST_PIECES quotes.
    """
    quotes = [segment.text for segment in segments(text) if segment.quote]
    pieces = sum(1 + sum(1 for _ in _ELLIPSIS.finditer(quote)) for quote in quotes)
    if pieces > MOST_PIECES:
        raise Illegal(f"a speech may hold at most {MOST_PIECES} quotes; this one holds {pieces}: quote less")
    if passage is None:
        return tuple(Quote(text=_SURROGATE.sub("\ufffd", quote)) for quote in quotes)
    index = _index(passage)
    spans = {quote: index.find(quote) for quote in dict.fromkeys(quotes)}
    found = ((_SURROGATE.sub("\ufffd", quote), spans[quote]) for quote in quotes)
    return tuple(Quote(text=text, verified=span is not None, span=span) for text, span in found)


class _Folded(dict[int, str]):
    """What `normalise` makes of a code point, for `str.translate`; filled as code points are met."""

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", chr(code)).casefold())
        self[code] = result = "".join(_fold(char) for char in folded)
        return result


_SEPARATING_SYMBOLS = "`´\u2212"  # used as quotation marks and as a dash
_MEANINGFUL_PUNCTUATION = "%‰&@#"


def _fold(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":
        return ""
    if char in _SEPARATING_SYMBOLS or char.isspace() or category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if category[0] == "S" or char in _MEANINGFUL_PUNCTUATION:
        return f" {char} "
    return " " if category[0] == "P" else char


_FOLDED = _Folded()


class _Lengths(dict[str, int]):
    """How many characters other than spaces `normalise` makes of a character."""

    def __missing__(self, char: str) -> int:
        self[char] = length = len(_FOLDED[ord(char)].replace(" ", ""))
        return length


_LENGTHS = _Lengths()


class _Index:
    """A passage ready for searching. The way back to its own positions is built when a quote is first found."""

    def __init__(self, passage: str) -> None:
        self.passage = passage
        self.text = f" {normalise(passage)} "
        self._counts: array[int] | None = None

    def find(self, quote: str) -> tuple[int, int] | None:
        whole = normalise(quote)
        if not any(char.isalnum() for char in whole):
            return None
        for start in islice(self._occurrences(whole), MOST_PLACES):
            span = self._span(start, start + len(whole))
            if span is not None:
                return span
        pieces = [normalise(piece) for piece in _ELLIPSIS.split(quote)]
        return self._chain([piece for piece in pieces if piece]) if len(pieces) > 1 else None

    def _occurrences(self, needle: str) -> Iterator[int]:
        start = self.text.find(needle)
        while start >= 0:
            yield start
            start = self.text.find(needle, start + 1)

    def _chain(self, pieces: list[str]) -> tuple[int, int] | None:
        """Where the pieces stand in order, each at most GAP after the one before.

        Every end that a chain of the first pieces can reach is kept, with where its chain starts: a piece may stand in
        many places, and the first of them need not be the one from which the next is within reach.
        """
        reached: list[tuple[int, int]] = []  # (end, start of the chain), by end
        for number, piece in enumerate(pieces):
            ends: list[tuple[int, int]] = []
            before = -1
            for space in self._occurrences(f" {piece} "):
                start, end = space + 1, space + 1 + len(piece)
                if number == 0:
                    ends.append((end, start))
                    continue
                while before + 1 < len(reached) and reached[before + 1][0] <= start:
                    before += 1
                if before >= 0 and start - reached[before][0] <= GAP:
                    ends.append((end, reached[before][1]))
            reached = ends
            if not reached:
                return None
        spans = (self._span(start, end) for end, start in reached[:MOST_PLACES])
        return next((span for span in spans if span is not None), None)

    def _span(self, start: int, end: int) -> tuple[int, int] | None:
        """Characters of the passage that give exactly [start, end) of the normalised text; None where that would cut
        one of its characters (the first s of ß, which folds to ss)."""
        if self._counts is None:
            self._counts = array("Q", accumulate(map(_LENGTHS.__getitem__, self.passage), initial=0))
        first = start - self.text.count(" ", 0, start)
        last = first + (end - start) - self.text.count(" ", start, end)
        left, right = bisect_right(self._counts, first) - 1, bisect_left(self._counts, last)
        return (left, right) if self._counts[left] == first and self._counts[right] == last else None


_index = lru_cache(maxsize=4)(_Index)


def on_record(speech: Speech, passage: str | None, limit: Limit | None, quote_limit: Limit | None) -> Speech:
    """The speech as it goes on the record: within its limits, its quotes verified against the passage.

    A quote that comes with a span of the passage holding exactly its text keeps that span. Whatever the speaker says
    about verification is replaced. Raises Illegal on an empty speech or one over a limit that rejects; as history it
    stands, with its quotes verified.
    """
    text = speech.text
    if not text or text.isspace():
        raise Illegal("the speech is empty", stands=lambda: Speech(text=text))
    if passage and "&" in text and text.count("</") <= MOST_PIECES:
        text = requoted(text, lambda quoted: _as_the_passage_has_it(quoted, passage))
    parts = segments(text) if "<" in text else []
    plain = "".join(part.text for part in parts) if parts else text
    if limit is not None and limit.measure(plain) > limit.most:
        with standing(partial(on_record, speech, passage, None, quote_limit)):
            text = limit.apply(plain if limit.over == "reject" else text)
        parts = segments(text) if parts else []
    quoted = [segment.text for segment in parts if segment.quote]
    if not quoted:
        return speech if text == speech.text and not speech.quotes else Speech(text=text)
    if quote_limit is not None and quote_limit.measure(stretch := "".join(quoted)) > quote_limit.most:
        with standing(partial(on_record, speech, passage, limit, None)):
            quote_limit.model_copy(update={"over": "reject"}).apply(stretch)
    exact: list[Quote | None] = [None] * len(quoted)
    if len(speech.quotes) == len(quoted):
        exact = [_exact(*pair, passage or "") for pair in zip(speech.quotes, quoted, strict=True)]
    with standing(lambda: Speech(text=text)):
        found = verify(text, passage or "") if None in exact else exact
    quotes: Any = tuple(mine or theirs for mine, theirs in zip(exact, found, strict=True))
    return speech if text == speech.text and quotes == speech.quotes else Speech(text=text, quotes=quotes)


def _as_the_passage_has_it(quoted: str, passage: str) -> str:
    """A quote that was copied as prompts show the passage (&lt; for <), in the passage's own characters; any other as it is."""
    meant = unescape(quoted)
    if meant == quoted or segments(f"<quote>{meant}</quote>")[0].text != meant:
        return quoted
    index = _index(passage)
    return meant if index.find(quoted) is None and index.find(meant) is not None else quoted


def _exact(quote: Quote, text: str, passage: str) -> Quote | None:
    """The quote, verified, where its span of the passage holds exactly what the speech quotes."""
    start, end = quote.span or (0, 0)
    if not (0 <= start < end <= len(passage) and passage[start:end] == quote.text == text):
        return None
    return quote if quote.verified else quote.model_copy(update={"verified": True})
