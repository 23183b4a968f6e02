"""How long a speech may be: in characters, words or tokens.
Rule: limits, and the base of parameters like them; which texts a limit is for is said by whoever sets it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moot.protocols.engine.errors import Illegal, UsageError, first_problem
from moot.protocols.words import first_words, words

Tokenizer = Callable[[str], int]  # the number of tokens of a text

_WORD = re.compile(r"\S+")
_Bound = Annotated[int, Field(ge=1, strict=True)]


class Parameter(BaseModel):
    """A parameter with fields of its own. Raises UsageError on a field that is out of range or not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).lower()
            raise UsageError(f"{words}: {first_problem(error)}; given were {fields}") from None


class Limit(Parameter):
    """At most so many characters, words or tokens: give one of the three. A text over it is rejected, or clipped.

    Words are counted by `moot.protocols.words.words`: neither hyphens, nor invisible characters, nor a script without spaces
    hide any. Tokens are counted by the tokenizer that is passed in; without one, by the
    bytes of the text in UTF-8, an upper bound for byte-level vocabularies (each token covers at least one byte), so
    that a text which passes here passes there. English is then held to about a quarter of the tokens it may have.
    Raises UsageError unless exactly one bound is given, as an integer of at least 1.
    """

    chars: _Bound | None = None
    words: _Bound | None = None
    tokens: _Bound | None = None
    over: Literal["reject", "clip"] = "reject"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        given = [unit for unit in ("chars", "words", "tokens") if getattr(self, unit) is not None]
        if len(given) != 1:
            raise UsageError(f"a limit is in one of chars, words or tokens, not {' and '.join(given) or 'none'}")

    @property
    def most(self) -> int:
        """The bound itself, in its unit."""
        return next(bound for bound in (self.chars, self.words, self.tokens) if bound is not None)

    @property
    def unit(self) -> Literal["characters", "words", "tokens"]:
        return "characters" if self.chars is not None else "words" if self.words is not None else "tokens"

    def __str__(self) -> str:
        return f"at most {self.most} {self.unit}"

    def measure(self, text: str, tokenizer: Tokenizer | None = None) -> int:
        """The length of `text` in the unit of this limit."""
        if self.chars is not None:
            return len(text)
        if self.words is not None:
            return words(text)
        return len(text.encode("utf-8", "surrogatepass")) if tokenizer is None else tokenizer(text)

    def apply(self, text: str, tokenizer: Tokenizer | None = None) -> str:
        """`text` itself when it is within the limit; otherwise clipped to it, or Illegal with both numbers.

        Clipping cuts at the end of the last word that fits (inside the first word where not even that one does) and
        drops white space before the cut. It can leave a quote open; such a quote is then plain text.
        """
        length = self.measure(text, tokenizer)
        if length <= self.most:
            return text
        if self.over == "reject":
            counted = " (bytes, an upper bound)" if self.tokens is not None and tokenizer is None else ""
            raise Illegal(f"the limit is {self.most} {self.unit}; this text has {length}{counted}: shorten it")
        if self.words is not None:
            return first_words(text, self.words)
        if self.chars is not None:
            return _whole_words(text, self.chars)
        if tokenizer is None:
            fits = text.encode("utf-8", "surrogatepass")[: self.most].decode("utf-8", "ignore")
            return _whole_words(text, len(fits))
        return _longest_fit(text, self.most, tokenizer)


def _whole_words(text: str, end: int) -> str:
    """The longest prefix of `text` that ends with a word and is no longer than `end` < len(text) characters."""
    head = text[:end]
    before = head.rsplit(None, 1)
    cut = head and not text[end].isspace() and not head[-1].isspace() and len(before) == 2
    return before[0] if cut else head.rstrip()


def _longest_fit(text: str, most: int, tokenizer: Tokenizer) -> str:
    """The longest prefix found that ends with a word, or failing that anywhere, and has at most `most` tokens.

    Halving takes for granted that longer prefixes have more tokens. Tokenizers bend that by a token here and there, so
    the result is measured again and shortened until it fits: it may be a word short, never a token long.
    """
    for ends in ([match.end() for match in _WORD.finditer(text)], range(len(text) + 1)):
        for end in reversed(ends[: bisect_right(ends, most, key=lambda end: tokenizer(text[:end]))]):
            head = text[:end].rstrip()
            if tokenizer(head) <= most and head:
                return head
    return ""
