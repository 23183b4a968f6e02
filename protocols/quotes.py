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
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import accumulate, islice
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from moot.protocols.engine.errors import Illegal, standing
from moot.protocols.engine.moves import Move, Quote, Speech
from moot.protocols.engine.values.quoting import requoted, segments
from moot.protocols.limits import Limit
from moot.protocols.text import unescape

M = TypeVar("M", bound=Move)
W = TypeVar("W", bound=Move)
Quoting = Literal["free", "required", "verified"]
"""What words must quote: anything or nothing; the passage at least once, rightly or not; at least once, and always rightly."""

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


def quoted(move: M, passage: str | None, *, alike: str | None = None) -> M:
    """The move with the quotes in its words found and, where there is a passage, verified there: itself where all is so already.

    The class of the move says in `quoting` which fields hold words. What was copied as a prompt shows the passage (&lt; for
    <) becomes the passage's own words. A quote that comes with a span of the passage holding exactly its text keeps that
    span; whatever else the speaker says about verification is replaced. alike: the passage as this protocol rewrites texts
    before they come here, in which a quote may stand as well (it then has no span); nothing is then rewritten once more.
    Raises Illegal where there are more than MOST_PIECES quotes; as history the move stands without any.
    """
    if not move.quoting or not (getattr(move, "quotes", ()) or _holds(move)):
        return move
    fields = {name: getattr(move, name) for name in move.quoting}
    if passage and alike is None:
        fields = {name: _each(value, partial(_unescaped, passage=passage)) for name, value in fields.items()}
    changed = {name: value for name, value in fields.items() if value is not getattr(move, name)}
    made = move.model_copy(update=changed) if changed else move
    text, given = made.quotable(), getattr(made, "quotes", ())
    inside = [part.text for part in segments(text) if part.quote] if "<" in text else []
    if not inside:
        return made.model_copy(update={"quotes": ()}) if given else made
    exact: list[Any] = [None] * len(inside)
    if passage and len(given) == len(inside):
        exact = [_exact(*pair, passage) for pair in zip(given, inside, strict=True)]
    with standing(lambda: made.model_copy(update={"quotes": ()})):
        found: Any = verify(text, passage) if None in exact else exact
        if passage and alike is not None and not all(quote.verified for quote in found):
            copied, rewritten = verify(_unescaped(text, passage), passage), verify(text, alike)
            found = [
                one
                if one.verified
                else one.model_copy(update={"verified": two.verified or three.verified, "span": two.span})
                for one, two, three in zip(found, copied, rewritten, strict=True)
            ]
    quotes = tuple(mine or theirs for mine, theirs in zip(exact, found, strict=True))
    return made if quotes == given else made.model_copy(update={"quotes": quotes})


def quoted_after(make: Callable[[], M], passage: str | None, alike: str | None = None) -> M:
    """`quoted`, of the move that `make`, the rest of a check, gives; and of what stands, as history, where that is illegal."""
    try:
        made = make()
    except Illegal as error:
        if error.stands is None:
            raise
        raise Illegal(str(error), partial(quoted_after, error.stands, passage, alike)) from None
    return quoted(made, passage, alike=alike)


def _holds(move: Move) -> bool:
    """Whether there may be a quote in the words of a move."""
    for name in move.quoting:
        value = getattr(move, name)
        if type(value) is not str or "<" in value:
            return True
    return False


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A text changed, or each text in a tuple or in the fields of a model; what stays as it is, is the same object."""
    if isinstance(value, BaseModel):
        fields = {name: _each(old, change) for name, old in value}
        return value if all(fields[name] is old for name, old in value) else value.model_copy(update=fields)
    if isinstance(value, tuple):
        changed = tuple(_each(each, change) for each in value)
        return value if all(new is old for new, old in zip(changed, value, strict=True)) else changed
    return change(value) if isinstance(value, str) else value


def _unescaped(text: str, passage: str) -> str:
    """A text whose quotes that were copied as a prompt shows the passage are in the passage's own characters."""
    if "&" not in text or text.count("</") > MOST_PIECES:
        return text
    changed = requoted(text, lambda inside: _as_the_passage_has_it(inside, passage))
    return text if changed == text else changed


def on_record(
    speech: W, passage: str | None, limit: Limit | None, quote_limit: Limit | None, need: Quoting = "free",
    last: bool = False,
) -> W:  # fmt: skip
    """The speech, or other move with a `text`, as it goes on the record: within its limits, its quotes verified against the passage.

    A quote that comes with a span of the passage holding exactly its text keeps that span. Whatever the speaker says
    about verification is replaced. need: what it must quote. last: there is no further attempt, so that what is too long
    is cut where the limit says "retry". Raises Illegal on an empty speech, one that is too long or too short, and one that
    does not quote as it must; as history it stands, with its quotes verified. What was cut is held to `need` as it was given.
    """
    text: str = speech.text  # type: ignore[attr-defined]
    if not text or text.isspace():
        raise Illegal("the speech is empty", stands=lambda: _saying(speech, text))
    if passage and "&" in text:
        text = _unescaped(text, passage)
    if need != "free":
        with standing(partial(on_record, speech, passage, limit, quote_limit, last=last)):
            must_quote(text, passage, need)
    parts = segments(text) if "<" in text else []
    plain = "".join(part.text for part in parts) if parts else text
    if limit is not None and not limit.fits(plain):
        with standing(partial(on_record, speech, passage, None, quote_limit)):
            text = limit.apply(text if limit.clips(last) and limit.measure(plain) > limit.most else plain, last=last)
        parts = segments(text) if parts else []
    stretch = "".join([part.text for part in parts if part.quote])
    if quote_limit is not None and not quote_limit.fits(stretch):
        with standing(partial(on_record, speech, passage, limit, None, last=last)):
            quote_limit.model_copy(update={"over": "reject"}).apply(stretch)
    made = speech if text == speech.text else speech.model_copy(update={"text": text})  # type: ignore[attr-defined]
    if not parts and made.quoting == ("text",) and not made.quotes:  # type: ignore[attr-defined]
        return made  # as `quoted` would say
    # in speeches a quote counts as not found where there is nothing to find it in: so it is in every record of one
    return quoted(made, passage or "" if isinstance(speech, Speech) else passage)


def _saying(speech: W, text: str) -> W:
    return speech.model_copy(update={"text": text, "quotes": ()})


def must_quote(text: str, passage: str | None, need: Quoting) -> None:
    """Raise Illegal where words do not quote the passage as they must."""
    if need == "free":
        return
    quotes = verify(_unescaped(text, passage) if passage else text, passage)
    if need == "verified" and (wrong := [quote.text for quote in quotes if not quote.verified]):
        raise Illegal(
            f"{_short(wrong[0])} does not stand in the passage word for word: quote it exactly, or not at all"
        )
    if not quotes:
        raise Illegal("the passage must be quoted at least once: <quote>its exact words</quote>")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


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
