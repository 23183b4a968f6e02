"""How Hypothesis draws texts, moves and orders of completion.

Rule: one value at a time, from a request or from nothing; what needs a game or a protocol stands in `strategies`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.testing.schemas import WORDS, Chooser, T
from moot.testing.shapes import move_of

Moves = Callable[[Request], st.SearchStrategy[Any]]
"""From a request to a strategy of replies to it."""


_LETTERS = dict(zip("abcdefghijklm", WORDS, strict=True))
"""A letter for each word: one drawn text is then a sentence, where a list of words would be a draw for each of them."""


def sentences(most: int) -> st.SearchStrategy[str]:
    """One to `most` words."""
    letters = st.text("".join(_LETTERS), min_size=1, max_size=most)
    return letters.map(lambda drawn: " ".join(_LETTERS[letter] for letter in drawn))


@lru_cache(maxsize=256)
def texts(least: int = 0, most: int = 60) -> st.SearchStrategy[str]:
    """Texts as people write them, and as they do not: words, and any characters that are text at all."""
    plain = sentences(6).filter(lambda text: least <= len(text) <= most)
    wild = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=most)
    return (plain | wild) if least <= 8 and most >= 12 else wild


_integers = lru_cache(maxsize=256)(st.integers)
_reals = lru_cache(maxsize=256)(st.floats)


class Drawn(Chooser):
    """Choices that Hypothesis makes, and shrinks. Strategies are made once: making one takes longer than drawing from it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(_integers(low, high))

    def real(self, low: float, high: float) -> float:
        return self._draw(_reals(low, high))

    def text(self, least: int, most: int) -> str:
        return self._draw(texts(least, most))

    def pick(self, among: Sequence[T]) -> T:
        return among[0] if len(among) == 1 else among[self._draw(_integers(0, len(among) - 1))]

    def pattern(self, regex: str, least: int, most: float) -> str:
        return self._draw(st.from_regex(regex).filter(lambda text: least <= len(text) <= most))


@st.composite
def moves(draw: st.DrawFn, request: Request) -> Move:
    """Moves of the kinds that `request` asks for, made from their schemas and legal as far as request and question tell.

    Raises UsageError when a kind has conditions that its schema does not show; give `check_protocol` your own then.
    """
    return move_of(request, Drawn(draw))


def orders() -> st.SearchStrategy[list[int]]:
    """Orders of completion: which of the open steps is answered next, as an index modulo their number; then the first."""
    return st.lists(st.integers(0, 5), max_size=12)
