"""What was said, as a persistent chain of statements (`Log`).

Adding one is O(1), a view is a pointer to a link, and the hash of everything said so far is the hash of the last link. A play of
10,000 steps pays the same per step as one of ten.

Rule of this file: statements, their hashes and their prices; who may read them, and pays, is the view's.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic_core import to_json

from moot.protocols.engine.errors import CostError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.values.frozen import fixed


class Entry(NamedTuple):
    """One statement on the record: who said what, at which step."""

    step: str
    seat: str
    move: Move


Said = tuple[str, str, Move] | tuple[str, str, type[Move], bytes]
"""A statement as it is kept: step, seat, and the move or, until somebody reads it, its kind and JSON."""


class Log:
    """A link of the persistent chain of statements: one of them, with its move as JSON. `digest` covers it, its seat, and all
    before it."""

    __slots__ = ("before", "entry", "length", "costs", "_digest")

    def __init__(self, before: Log | None, entry: Said | None, payload: bytes = b"") -> None:
        self.before, self.entry = before, entry
        self.length: int = 0 if before is None else before.length + 1
        self.costs: tuple[str, int] | None = None  # the unit in which it was read last, and its price there
        self._digest: bytes | tuple[bytes] = (
            b"" if before is None else (payload,)
        )  # what the hash is made of, until it is

    @property
    def digest(self) -> bytes:
        """The hash of this statement and all before it, made when somebody wants it."""
        link: Any = self
        late: list[Any] = []
        while type(digest := link._digest) is tuple:
            late.append(link)
            link = link.before
        while late:
            link = late.pop()
            link._digest = digest = blake2b(digest + link._digest[0] + link.entry[1].encode(), digest_size=16).digest()
        return digest  # type: ignore[no-any-return]

    def then(self, entry: Entry) -> Log:
        """The chain with one more statement."""
        move = entry.move.as_public()
        return Log(self, (entry.step, entry.seat, move), to_json(move))

    def read(self) -> Entry:
        """The statement of this link."""
        entry = self.entry
        if type(entry) is Entry:
            return entry
        assert entry is not None
        move = entry[2] if len(entry) == 3 else fixed(entry[2].model_validate_json(entry[3]))
        self.entry = made = Entry(entry[0], entry[1], move)
        return made

    def price(self, unit: str) -> int:
        """What reading this statement costs. Raises CostError where its class says what cannot be charged."""
        if self.costs is None or self.costs[0] != unit:
            self.costs = unit, price(self.read().move, unit)
        return self.costs[1]

    def links(self) -> list[Log]:
        """The links of the statements, oldest first."""
        found: list[Log] = []
        link: Log | None = self
        while link is not None and link.entry is not None:
            found.append(link)
            link = link.before
        found.reverse()
        return found

    def entries(self) -> list[Entry]:
        """The statements, oldest first."""
        return [link.read() for link in self.links()]


NOTHING = Log(None, None)
"""The chain before anything was said."""


def price(move: Move, unit: str) -> int:
    """What reading a move costs. Raises CostError where its class says what cannot be charged."""
    try:
        size: Any = move.cost(unit)
    except Exception as error:
        size = error
    if type(size) is not int or size < 0:
        counts = "a move's cost(), cells() and reading() are whole numbers of at least 0"
        raise CostError(f"reading a {type(move).__name__} costs {size!r} {unit} by its own account; {counts}")
    return size
