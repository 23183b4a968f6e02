"""What a seat is shown: the request, its brief, and its view, which charges what is opened to the request's budget.

Rule of this file: nothing here knows what a protocol is, or who answers.

Statements are kept in a persistent chain (`Log`): adding one is O(1), a view is a pointer to a link, and the hash of
everything said so far is the hash of the last link. A play of 10,000 steps pays the same per step as one of ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, overload

from pydantic import JsonValue
from pydantic_core import to_json

from moot.protocols.engine.budget import Budget, Meter
from moot.protocols.engine.errors import CostError, UsageError
from moot.protocols.engine.frozen import fixed, frozen
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Held, Question, cell_at, cells_of, due, source_size
from moot.protocols.engine.question import Look as Look
from moot.protocols.engine.question import looker as looker

Source = Literal["none", "all", "metered"]


class Entry(NamedTuple):
    """One statement on the record: who said what, at which step."""

    step: str
    seat: str
    move: Move


Said = tuple[str, str, Move | tuple[type[Move], bytes]]
"""A statement as it is kept: step, seat, and the move or, until somebody reads it, its kind and JSON."""


class Log:
    """A link of the persistent chain of statements. `digest` covers this statement and all before it."""

    __slots__ = ("before", "entry", "length", "digest")

    def __init__(self, before: Log | None, entry: Said | None, payload: bytes = b"") -> None:
        self.before, self.entry = before, entry
        self.length: int = 0 if before is None else before.length + 1
        self.digest: bytes = b"" if before is None else blake2b(before.digest + payload, digest_size=16).digest()

    def then(self, entry: Entry) -> Log:
        """The chain with one more statement."""
        move = entry.move.as_public()
        return Log(self, (entry.step, entry.seat, move), to_json(move) + entry.seat.encode())

    def read(self) -> Entry:
        """The statement of this link."""
        assert self.entry is not None
        step, seat, move = self.entry
        if type(move) is tuple:
            kind, payload = move
            move = fixed(kind.model_validate_json(payload))
            self.entry = (step, seat, move)
        return Entry(step, seat, move)  # type: ignore[arg-type]

    def entries(self) -> list[Entry]:
        """The statements, oldest first."""
        found: list[Entry] = []
        link: Log | None = self
        while link is not None and link.entry is not None:
            found.append(link.read())
            link = link.before
        found.reverse()
        return found


NOTHING = Log(None, None)
"""The chain before anything was said."""


class View(Sequence[Entry]):
    """What a role may see: a question (with its source only if the protocol says so) and statements, oldest first.

    In a request it is a `Shown`: each statement is charged to the seat's budget when it is first opened, by its `cost`, and
    a question that is not the play's own, or shows the source whole, when it is: a unit for each cell of the data and each
    character of the passage.
    """

    __slots__ = ("_question", "_source", "_log", "_cached", "_full")

    def __init__(self, question: Question, log: Log, source: Source = "none", bare: Question | None = None) -> None:
        self._full = question
        self._source: Source = source
        self._question = question if source == "all" else bare or question.without_source()
        self._log = log
        self._cached: list[Entry] | None = None

    def then(self, *entries: Entry, hide: bool = False, asking: Question | None = None) -> View:
        """This view with more statements, for another reader. hide: without the source. asking: about another question.

        In a request what that reader opens is charged to the same budget, and anew.
        """
        log = self._log
        for entry in entries:
            log = log.then(entry)
        shown = asking or self._question
        source: Source = "none" if hide else self._source
        full = shown if source == "all" else self._full
        return View(full, log, source, shown.without_source() if hide else shown)

    @property
    def question(self) -> Question:
        """What is asked, with the passage and the data where this view shows them."""
        return self._question

    @property
    def source(self) -> Source:
        return self._source

    @property
    def has_cells(self) -> bool:
        """Whether there is data that `look` could show, for a reader who may."""
        return self._source != "none" and self._full.data is not None

    @property
    def digest(self) -> bytes:
        return self._log.digest

    def __len__(self) -> int:
        return self._log.length

    def _entry(self, index: int) -> Entry:
        """The statement at a place, from 0."""
        if self._cached is None:
            if index == self._log.length - 1:
                return self._log.read()
            self._cached = self._log.entries()
        return self._cached[index]

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self._entry(i) for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"the view has {len(self)} statements, there is none at {index}")
        return self._entry(place)

    def __iter__(self) -> Iterator[Entry]:
        for index in range(len(self)):
            yield self._entry(index)

    def opened(self) -> list[Entry]:
        """The statements that were opened so far, which costs nothing more; all of them outside a request."""
        return self._log.entries()

    def at(self, step: str) -> Entry:
        """The statement made at `step`. Raises KeyError when this view does not hold it."""
        return self._entry(self._place(step))

    def _place(self, step: str) -> int:
        for index, entry in enumerate(self._log.entries()):
            if entry.step == step:
                return index
        raise KeyError(f"no statement of step {step} in this view")

    def look(self, *address: int | str) -> Any:
        """One cell of the question's data by address (`look(3)`, `look("clauses", 0)`), charged one unit of reading; where
        a list or a table stands there, one unit for each cell in it.

        Raises UsageError when the protocol gives this view no access to the source, Illegal when there is no such cell.
        """
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return cell_at(self._full.data, address)

    def excerpt(self, start: int, end: int) -> str:
        """Characters [start, end) of the passage, charged one unit each. Raises like `look`."""
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return (self._full.passage or "")[start:end]


_HIDDEN = "this view gives no access to the source of the question"


class Shown(View):
    """A view in a request. What it holds is behind a closure, which charges for what it gives: no attribute leads around it.
    own: the texts of the play's question, which cost nothing; None: this one is. held: makes of a question the seat's."""

    __slots__ = ("_asked", "_do")

    def __init__(
        self, view: View, meter: Meter, own: Set[str] | None = None, held: Held | None = None, seat: str = ""
    ) -> None:
        reader = _Reader(view, meter, own, held, seat)
        self._do: Callable[..., Any] = lambda what, *given: _READS[what](reader, *given)
        self._asked: Question | None = None  # once it is paid for
        self._source: Source = view._source

    def then(self, *entries: Entry, hide: bool = False, asking: Question | None = None) -> View:
        return self._do("more", entries, hide, asking)  # type: ignore[no-any-return]

    @property
    def question(self) -> Question:
        asked: Question = self._asked or self._do("question")
        self._asked = asked
        return asked

    @property
    def has_cells(self) -> bool:
        return self._do("has_cells")  # type: ignore[no-any-return]

    @property
    def digest(self) -> bytes:
        return self._do("digest")  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return self._do("length")  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Entry]:
        return self._do("each")  # type: ignore[no-any-return]

    def __getitem__(self, index: int | slice) -> Any:  # (the types are those of a view)
        return self._do("entry", index) if index == -1 and len(self) else super().__getitem__(index)

    def _entry(self, index: int) -> Entry:
        return self._do("entry", index)  # type: ignore[no-any-return]

    def _place(self, step: str) -> int:
        return self._do("place", step)  # type: ignore[no-any-return]

    def opened(self) -> list[Entry]:
        return self._do("opened")  # type: ignore[no-any-return]

    def look(self, *address: int | str) -> Any:
        return self._do("look", address)

    def excerpt(self, start: int, end: int) -> str:
        return self._do("excerpt", start, end)  # type: ignore[no-any-return]


class _Reader:
    """What a `Shown` keeps to itself."""

    __slots__ = ("asked", "held", "meter", "own", "paid", "seat", "view")

    def __init__(self, view: View, meter: Meter, own: Set[str] | None, held: Held | None, seat: str) -> None:
        self.view, self.meter, self.own, self.held, self.seat = view, meter, own, held, seat
        self.asked: Question | None = None
        self.paid: set[int] = set()

    def question(self) -> Question:
        if self.asked is None:
            asked, own, held = self.view._question, self.own, self.held
            made, size = (asked, source_size(asked)) if held is None else held.by(self.seat, asked)
            amount = size if self.view._source == "all" else 0
            if own is not None and asked.text not in own:
                amount += due(asked, own)
            if amount:
                self.meter.read(amount)
            self.asked = made
        return self.asked

    def entry(self, index: int) -> Entry:
        index = self.view._log.length - 1 if index == -1 else index
        found = self.view._entry(index)
        if index not in self.paid:
            self.meter.read(price(found.move, self.view._full.unit))
            self.paid.add(index)
        return found

    def each(self) -> Iterator[Entry]:
        view, paid, unit = self.view, self.paid, self.view._full.unit
        view._cached = view._cached or view._log.entries()
        for index, found in enumerate(view._cached):
            if index not in paid:
                self.meter.read(price(found.move, unit))
                paid.add(index)
            yield found

    def opened(self) -> list[Entry]:
        return [self.view._entry(index) for index in sorted(self.paid)]

    def look(self, address: tuple[int | str, ...]) -> Any:
        if self.view._source == "all" and self.asked is not None:
            return cell_at(self.asked.data, address)
        found = self.view.look(*address)
        whole = isinstance(found, (list, dict))
        self.meter.read(cells_of(found) if whole else 1)
        return frozen(found) if whole else found

    def excerpt(self, start: int, end: int) -> str:
        text = self.view.excerpt(start, end)
        if self.view._source != "all" or self.asked is None:
            self.meter.read(len(text))
        return text

    def more(self, entries: tuple[Entry, ...], hide: bool, asking: Question | None) -> View:
        own = self.own if self.own is None or asking is None else {*self.own, asking.text, *asking.choices}
        return Shown(self.view.then(*entries, hide=hide, asking=asking), self.meter, own, self.held, self.seat)


_READS: dict[str, Callable[..., Any]] = {
    "question": _Reader.question, "entry": _Reader.entry, "each": _Reader.each, "opened": _Reader.opened, "look": _Reader.look,
    "excerpt": _Reader.excerpt, "more": _Reader.more,
    "has_cells": lambda reader: reader.view.has_cells, "digest": lambda reader: reader.view.digest,
    "length": lambda reader: len(reader.view), "place": lambda reader, step: reader.view._place(step),
}  # fmt: skip
"""What a `Shown` may be asked for: what is charged for, and what costs nothing."""


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


class Brief(TypedDict, total=False):
    """What a protocol tells a seat about its turn. Prompts, forms, the terminal and `moot.testing` know these keys; only those
    that were given are there. They tell, and forbid nothing: the `check` of the ask is the rule.

    task: what the turn is ("speech"), by which instructions are chosen. answer, against: the index of the choice that the
    seat defends, or criticises. round, rounds: where the play stands, and how many there are (None: nobody knows). limit,
    quote_limit: on its words, and on what it quotes, as `Limit` is written. asks: a question put to it. to_seats: whom a
    question may go to. one_of: field to the texts that it, or an entry of it, may be. least, most: field to how long the list
    is. below: field to the first whole number that is too large. budget: what it may hand on to sub-questions. claim: the
    step, or "q" for the question, that the turn is about; with claimed, a question of which that answer is disputed. label:
    the response to it. details: what else there is, in the protocol's own words.
    """

    task: str
    answer: int
    against: int
    round: int
    rounds: int | None
    limit: Mapping[str, JsonValue]
    quote_limit: Mapping[str, JsonValue]
    asks: str
    to_seats: Sequence[str]
    one_of: Mapping[str, Sequence[str]]
    least: Mapping[str, int]
    most: Mapping[str, int]
    below: Mapping[str, int]
    budget: int
    claim: str
    claimed: str
    label: str
    details: Mapping[str, Any]


@dataclass(slots=True)
class Request:
    """What an agent is asked for, and all that it may know.

    step: the path of this step ("0.2.1"). seat: who is asked ("a", "judge"). role: what the seat is ("debater").
    kinds: the move types that may be returned. view: what this seat may see. brief: what the protocol tells this seat
    about its turn. seed: a number of this step's own, equal in every run with the same seed. attempt: 0, then 1 and up when
    an earlier answer to this request was rejected; problem: why it was. budget: what the seat may still spend
    (`budget.left("reads")`). note: records an event of the call (an attempt, with cost).
    """

    step: str
    seat: str
    role: str
    kinds: tuple[type[Move], ...]
    view: View
    brief: Brief
    digest: str
    seed: int = 0
    attempt: int = 0
    problem: str | None = None
    budget: Budget = field(default_factory=Budget)
    note: Callable[[dict[str, Any]], None] = lambda event: None
    later: Callable[[str], Any] | None = field(default=None, repr=False, compare=False)

    def postponed(self, later: Callable[[str], Any]) -> Request:
        """This request, whose digest, seed and budget are found by `later("digest")` when somebody wants to know them."""
        self.later = later
        del self.digest, self.seed, self.budget
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # called where a slot is empty
            if name not in ("digest", "seed", "budget"):
                raise AttributeError(f"a request has no {name!r}")
            value = self.later(name)
            setattr(self, name, value)
            return value
