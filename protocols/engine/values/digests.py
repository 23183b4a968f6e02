"""The hash of what a seat is shown and asked, which a request carries and a replay must find again.

Rule of this file: it covers the seat, the kinds, the question, every statement and the brief, and nothing else.
"""

from __future__ import annotations

from hashlib import blake2b

from pydantic_core import to_json

from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Held, Question
from moot.protocols.engine.steps import AskEffect


class Digests:
    """The digests of one game's asks. held: what is known of the sources of its questions."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._heads: dict[tuple[str, tuple[type[Move], ...], str, int], tuple[Question, bytes]] = {}

    def of(self, ask: AskEffect) -> str:
        """The hash of one ask, 16 bytes in hex."""
        question = ask.view.question
        key = (ask.seat, ask.kinds, ask.view.source, id(question))
        known = self._heads.get(key)
        if known is None:
            kinds = ",".join(kind.__name__ for kind in ask.kinds)
            known = question, f"{ask.seat}|{kinds}|{ask.view.source}|".encode() + self._held.digest(question)
            if len(self._heads) < 64:  # those shown first come again; the questions of a large DAG do not
                self._heads[key] = known
        return blake2b(known[1] + ask.view._log.digest + to_json(ask.brief), digest_size=16).hexdigest()
