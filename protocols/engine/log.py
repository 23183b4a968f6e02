"""What was said, as a persistent chain of statements (`Log`).

Adding one is O(1), a view is a pointer to a link, and the hash of everything said so far is the hash of the last link. A play of
10,000 steps pays the same per step as one of ten. Any statement is reached in O(log n), as each link also points further back
(Myers 1983, An applicative random-access stack).

Rule of this file: statements, their hashes and their prices; who may read them, and pays, is the view's.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
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

    __slots__ = ("before", "entry", "length", "costs", "_back", "_digest")
    length: int
    _back: Log
    _digest: bytes | tuple[bytes]  # what the hash is made of, until it is

    def __init__(self, before: Log | None, entry: Said | None, payload: bytes = b"") -> None:
        self.before, self.entry = before, entry
        self.costs: tuple[str, int] | None = None  # the unit in which it was read last, and its price there
        if before is None:
            self.length, self._back, self._digest = 0, self, b""
        else:
            back = before._back
            further = back._back
            self.length = before.length + 1
            self._back = further if before.length + further.length == 2 * back.length else before
            self._digest = (payload,)

    @property
    def digest(self) -> bytes:
        """The hash of this statement and all before it, made when somebody wants it."""
        link: Any = self
        if type(made := link._digest) is bytes:
            return made
        if type(before := link.before._digest) is bytes:  # as it is where every statement is asked about
            made = link._digest = blake2b(before + made[0] + link.entry[1].encode(), digest_size=16).digest()
            return made
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
        if (move := entry.move.as_public()) is not entry.move:
            entry = entry._replace(move=move)
        return Log(self, entry, to_json(move))

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

    def link(self, index: int) -> Log:
        """The link of a statement by its place, from 0, in O(log n) steps."""
        link: Any = self
        length = index + 1
        while link.length != length:
            back = link._back
            link = back if back.length >= length else link.before
        return link  # type: ignore[no-any-return]

    def links(self, start: int = 0, end: int | None = None) -> list[Log]:
        """The links of the statements at [start, end), oldest first."""
        end = self.length if end is None else end
        if start >= end:
            return []
        link: Any = self.link(end - 1)
        found: list[Log] = []
        while link.length > start:
            found.append(link)
            link = link.before
        found.reverse()
        return found

    def each(self) -> Iterator[Log]:
        """The links, oldest first. Whoever stops early has paid for little more than those before."""
        starts = range(0, self.length, _BLOCK)
        return chain.from_iterable(self.links(start, min(start + _BLOCK, self.length)) for start in starts)

    def place(self, step: str) -> int | None:
        """The place of the statement made at `step`; None where there is none. Statements of one branch stand in the order of
        their steps, and are found in O(log n); where others were added out of order, all are looked at."""
        link: Any = self
        try:
            wanted = _path(step)
            while link.length and _path(link.entry[0]) > wanted:
                back = link._back
                link = back if back.length and _path(back.entry[0]) >= wanted else link.before
        except ValueError:  # a step that is no path
            pass
        if link.length and link.entry[0] == step:
            return link.length - 1  # type: ignore[no-any-return]
        return next((index for index, link in enumerate(self.each()) if link.entry[0] == step), None)  # type: ignore[index]

    def entries(self) -> list[Entry]:
        """The statements, oldest first."""
        return [link.read() for link in self.links()]


NOTHING = Log(None, None)
"""The chain before anything was said."""
_BLOCK = 64  # statements that are walked to together


def _path(step: str) -> list[int]:
    return [int(part) for part in step.split(".")]


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
