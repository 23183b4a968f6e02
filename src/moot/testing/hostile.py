"""What a broken or hostile agent may send back, as strategies.

Rule: replies and texts that no protocol has to take; nothing here plays.
"""

from __future__ import annotations

import math
from typing import Any

import anyio
from hypothesis import strategies as st

from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Stop, Verdict
from moot.protocols.engine.request import Request
from moot.testing.drawing import moves
from moot.testing.forgeries import FORGERIES


def hostile_text(most: int = 100_000) -> st.SearchStrategy[str]:
    """Texts that try to close tags, forge roles, break terminals and encodings, or overwhelm: up to `most` characters."""
    forged = st.sampled_from(FORGERIES)
    wild = st.text(st.characters(), max_size=50)
    mixed = st.tuples(wild, forged, wild).map("".join)
    huge = st.sampled_from(("a", "𝔞", "<quote>", "\n", "\x00")).map(lambda part: part * (most // len(part)))
    return st.one_of(forged, wild, mixed, st.just(""), st.just(" \n\t"), huge)


class Raises:
    """A reply that is none: the agent raises `error` instead. `seat_of` turns it into an agent that does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"Raises({self.error!r})"

    def __call__(self, request: Request) -> Any:
        raise self.error


class Hanging:
    """A reply that never comes: an agent that waits until it is cancelled."""

    def __repr__(self) -> str:
        return "Hanging()"

    async def __call__(self, request: Request) -> Any:
        await anyio.sleep_forever()


def _strangers(request: Request) -> list[Move]:
    """Well-formed moves of kinds that were not asked for."""
    others: list[Move] = [
        Speech(text="so it is"), Verdict(probabilities=(0.5, 0.5)), Answer(choice=0), Ask(text="why?"), Stop(stop=True),
    ]  # fmt: skip
    return [move for move in others if not isinstance(move, request.kinds)]


def illegal_replies(request: Request) -> st.SearchStrategy[Any]:
    """Replies that no protocol may accept: not a move, a move of another kind, or a form with what its kind does not have."""
    nonsense: list[Any] = [
        None, 3, math.nan, True, "yes", b"bytes", (), [], ["speech"], {"kind": "nonesuch"}, {"kind": None, "": 0},
        {"kind": 7}, {1: 2}, object(), ValueError("returned, not raised"), Move, {"text": "\ud800", "kind": "?"},
    ]  # fmt: skip
    extra = st.sampled_from(["extra", "payoffs", "seat", "\ud800"])
    return st.one_of(
        st.sampled_from(nonsense), st.sampled_from(_strangers(request) or nonsense),
        st.builds(lambda form, name: {**form, name: 1}, moves(request).map(_form), extra),
    )  # fmt: skip


def hostile_replies(request: Request, most: int = 100_000) -> st.SearchStrategy[Any]:
    """Anything that an agent might send in answer to `request`: illegal replies, and forms of the right kind with broken
    numbers, forged or huge texts. Some may be legal moves: whatever happens, only a rejection or a move may come of it.
    """
    texts = hostile_text(most)

    def spoilt(form: dict[str, Any], text: str, number: Any, where: int) -> dict[str, Any]:
        names = [name for name in form if name != "kind"] or ["text"]
        name = names[where % len(names)]
        value, new = form.get(name), number
        if isinstance(value, str):
            new = text
        elif isinstance(value, (list, tuple)):
            new = [number, *list(value)[1:]] if where % 2 else [*value, number]
        return {**form, name: new}

    odd: list[Any] = [math.nan, math.inf, -math.inf, -1, 2, 10**400, 1e308, "0.5", None, [], {}, True, 0.1 + 0.2]
    numbers = st.sampled_from(odd)
    forms = moves(request).map(_form)
    broken = st.builds(spoilt, forms, texts, numbers, st.integers(0, 5))
    speeches = st.builds(lambda form, text: {**form, "text": text}, forms, texts)
    return st.one_of(illegal_replies(request), broken, speeches, broken)


def _form(move: Move) -> dict[str, Any]:
    return move.model_dump(mode="python")
