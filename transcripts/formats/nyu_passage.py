"""Source texts and speeches of the human debates of Michael et al. 2023: tokens as a passage, quotes as its spans.

Each translation has its way back, exact for what the platform of that study wrote.

Rule: texts alone, fast: a corpus has millions of tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain
from operator import getitem, or_
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.transcripts.formats.nyu_rules import Segment

_SHOWN = {
    "``": '"', "''": '"', "`": "'", "--": "—",
    "-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}",
}  # fmt: skip
_CLOSES = frozenset(
    ". , ! ? ; : !? ... '' ' 's 'S 're 've 'll 'm 'd 'D n't N'T % - -- + ° ) ] } -RRB- -RSB- -RCB-".split()
)
_OPENS = frozenset("`` ` $ £ € # - -- ( [ { -LRB- -LSB- -LCB-".split())
_PARTED = frozenset({("gon", "na"), ("got", "ta")})
_SECOND = frozenset(second for _, second in _PARTED)


class Passage:
    """A source text, made readable from its Penn Treebank tokens, with the place of each token in it.

    The platform counted quotes in a rendering of its own, in which a dash takes one character; this one is nowhere
    longer, so what kept the limits there keeps them here, and unlike that one it is the same text for every quote.
    text: the passage. tokens: as the source spells them.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        # A story has thousands of tokens and few different ones: what follows from a token alone is found once for each.
        self.tokens, kinds = list(tokens), _kinds(tokens)
        closes = {token for token in kinds if not token or token in _CLOSES or token[0].isspace()}
        opens = {token for token in kinds if token in _OPENS or token[-1:].isspace()}
        forms = {token: (f" {shown}", shown) for token in kinds for shown in (_SHOWN.get(token, token),)}
        tight = list(map(or_, map(closes.__contains__, tokens), chain((True,), map(opens.__contains__, tokens))))
        for second in kinds & _SECOND:
            for index in [index for index, token in enumerate(tokens) if token == second and index]:
                tight[index] |= (tokens[index - 1].lower(), second) in _PARTED
        pieces: list[str] = list(map(getitem, map(forms.__getitem__, tokens), tight))
        self._ends = list(accumulate(map(len, pieces)))
        self.text = "".join(pieces)

    @staticmethod
    def of(tokens: Sequence[str]) -> Passage:
        """The passage that `tokens` make. The last few are remembered: the same story comes in many debates, one after the
        other. Raises UsageError naming a token that is no text."""
        for passage in _LATEST:
            if passage.tokens == tokens:
                return passage
        made = Passage(tokens)
        _LATEST.appendleft(made)
        return made

    @cached_property
    def recorded(self) -> dict[str, Any]:
        """The tokens as they are recorded: one text with a character between them that is in none, {"between": "\t", "text":
        "…"}, which is parsed ten times as fast as a list of them; {"tokens": […]} where there is no such character."""
        for between in ("|", "~", "^", "\t", "\x1f"):
            text = between.join(self.tokens)
            if self.tokens and text.count(between) == len(self.tokens) - 1:
                return {"between": between, "text": text}
        return {"tokens": self.tokens}

    def characters(self, first: int, last: int) -> tuple[int, int] | None:
        """Where tokens [first, last) stand, as far as there are such tokens; None when there are none of them."""
        first, last = max(first, 0), min(last, len(self.tokens))
        if first >= last:
            return None
        token = self.tokens[first]
        return self._ends[first] - len(_SHOWN.get(token, token)), self._ends[last - 1]


_LATEST: deque[Passage] = deque(maxlen=4)


def _kinds(tokens: Sequence[str]) -> set[str]:
    try:
        kinds = set(tokens)
        if set(map(type, kinds)) <= {str}:
            return kinds
    except TypeError:  # a list, or an object
        pass
    place = next(place for place, token in enumerate(tokens) if type(token) is not str)
    raise UsageError(f"setup.sourceMaterial: contents.{place} is {tokens[place]!r:.40}, which is no text")


def tokens_of(recorded: Mapping[str, Any]) -> list[str]:
    """The tokens that `Passage.recorded` holds."""
    return recorded["text"].split(recorded["between"]) if "between" in recorded else list(recorded["tokens"])


def speech_of(content: Iterable[Segment], passage: Passage) -> dict[str, Any]:
    """A speech in segments as a move: text with its quotes marked, and their spans of the passage."""
    text, quotes = [], []
    for segment in content:
        if segment.Text is not None:
            text.append(segment.Text.text)
        else:
            assert segment.Quote is not None
            span = passage.characters(*segment.Quote.span)
            quote = passage.text[slice(*span)] if span else ""
            quotes.append({"text": quote, "verified": span is not None, "span": span})
            text.append(f"<quote>{quote}</quote>")
    return {"kind": "speech", "text": "".join(text), "quotes": quotes}
