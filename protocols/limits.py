"""How long a speech may be, and must be: in characters, words or tokens.
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
    """At most so many characters, words or tokens: give one of the three; and, if wanted, at `least` so many of them.

    over: what becomes of a longer text. "reject": it is sent back, and its author forfeits where no attempt is left; "clip":
    it is cut; "retry": it is sent back while attempts are left, and cut at the last. One that is too short is sent back.

    Words are counted by `moot.protocols.words.words`: neither hyphens, nor invisible characters, nor a script without spaces
    hide any. Tokens are counted by the tokenizer that is passed in; without one, by the
    bytes of the text in UTF-8, an upper bound for byte-level vocabularies (each token covers at least one byte), so
    that a text which passes here passes there. English is then held to about a quarter of the tokens it may have.
    Raises UsageError unless exactly one bound is given, as an integer of at least 1, and no smaller than `least`.
    """

    chars: _Bound | None = None
    words: _Bound | None = None
    tokens: _Bound | None = None
    over: Literal["reject", "clip", "retry"] = "reject"
    least: _Bound | None = Field(None, exclude_if=lambda least: least is None)

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        given = [unit for unit in ("chars", "words", "tokens") if getattr(self, unit) is not None]
        if len(given) != 1:
            raise UsageError(f"a limit is in one of chars, words or tokens, not {' and '.join(given) or 'none'}")
        if self.least is not None and self.least > self.most:
            raise UsageError(
                f"limit: no text has at least {self.least} and at most {self.most} {self.unit}; lower `least`"
            )

    @property
    def most(self) -> int:
        """The bound itself, in its unit."""
        return next(bound for bound in (self.chars, self.words, self.tokens) if bound is not None)

    @property
    def unit(self) -> Literal["characters", "words", "tokens"]:
        return "characters" if self.chars is not None else "words" if self.words is not None else "tokens"

    def __str__(self) -> str:
        return f"{f'{self.least} to' if self.least else 'at most'} {self.most} {self.unit}"

    @property
    def told(self) -> str:
        """What becomes of a longer text, in a sentence; "" where it is only sent back."""
        if self.over == "reject":
            return ""
        again = "A longer text is sent back; if it is too long again" if self.over == "retry" else "A longer text"
        return f"{again}{', it' if self.over == 'retry' else ''} is cut off there."

    def measure(self, text: str, tokenizer: Tokenizer | None = None) -> int:
        """The length of `text` in the unit of this limit."""
        if self.chars is not None:
            return len(text)
        if self.words is not None:
            return words(text)
        return len(text.encode("utf-8", "surrogatepass")) if tokenizer is None else tokenizer(text)

    def fits(self, text: str) -> bool:
        """Whether a text is neither too long nor too short."""
        return (self.least or 0) <= self.measure(text) <= self.most

    def clips(self, last: bool) -> bool:
        """Whether a longer text is cut. last: no attempt is left after this one."""
        return self.over == "clip" or (last and self.over == "retry")

    def apply(self, text: str, tokenizer: Tokenizer | None = None, last: bool = False) -> str:
        """`text` itself when it is within the limit; otherwise clipped to it, or Illegal with both numbers.

        Clipping cuts at the end of the last word that fits (inside the first word where not even that one does, and inside any
        where less than `least` would be left) and drops white space before the cut. It can leave a quote open; such a quote is
        then plain text.
        """
        length = self.measure(text, tokenizer)
        counted = " (bytes, an upper bound)" if self.tokens is not None and tokenizer is None else ""
        if self.least is not None and length < self.least:
            raise Illegal(f"at least {self.least} {self.unit} are wanted; this text has {length}{counted}: say more")
        if length <= self.most:
            return text
        if not self.clips(last):
            raise Illegal(f"the limit is {self.most} {self.unit}; this text has {length}{counted}: shorten it")
        if self.words is not None:
            return first_words(text, self.words)
        if self.tokens is not None and tokenizer is not None:
            return _longest_fit(text, self.most, tokenizer)
        end = self.most
        if self.tokens is not None:
            end = len(text.encode("utf-8", "surrogatepass")[:end].decode("utf-8", "ignore"))
        cut = _whole_words(text, end)
        return cut if self.least is None or self.measure(cut) >= self.least else text[:end].rstrip()


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
