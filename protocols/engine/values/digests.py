"""The hash of what a seat is shown and asked, which a request carries and a replay must find again.

Rule of this file: it covers the seat, the kinds, the question, every statement and the brief, and nothing else.
"""

from __future__ import annotations

from hashlib import blake2b

from pydantic_core import to_json

from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Held
from moot.protocols.engine.steps import AskEffect


class Digests:
    """The digests of one game's asks. held: what is known of the sources of its questions."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._heads: dict[tuple[str, tuple[type[Move], ...], str], bytes] = {}

    def of(self, ask: AskEffect) -> str:
        """The hash of one ask, 16 bytes in hex."""
        view = ask.view
        key = (ask.seat, ask.kinds, view._source)
        head = self._heads.get(key)
        if head is None:
            kinds = ",".join(kind.__name__ for kind in ask.kinds)
            head = self._heads[key] = f"{ask.seat}|{kinds}|{view._source}|".encode()
        asked, said = self._held.digest(view._question), view._log.digest
        return blake2b(head + asked + said + to_json(ask.brief), digest_size=16).hexdigest()
