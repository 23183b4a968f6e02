"""What a seat is shown: the request, its brief, and its view, which charges what is opened to the request's budget.

Rule of this file: nothing here knows what a protocol is, or who answers.

Statements are kept in a persistent chain (`Log`): adding one is O(1), a view is a pointer to a link, and the hash of
everything said so far is the hash of the last link. A play of 10,000 steps pays the same per step as one of ten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import blake2b
from operator import getitem
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, overload
from typing import Protocol as Structural

from pydantic import JsonValue
from pydantic_core import to_json

from moot.protocols.engine.budget import Meter
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question

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
            move = kind.model_validate_json(payload)
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

    In a request each statement is charged to its budget when it is first opened, by its `reading()` size, and a source that
    is shown whole when the question is: a unit for each cell of the data and each character of the passage.
    """

    __slots__ = ("_question", "_source", "_log", "_cached", "_opened", "_meter", "_full", "_unpaid")

    def __init__(self, question: Question, log: Log, source: Source = "none", bare: Question | None = None) -> None:
        self._full = question
        self._source: Source = source
        self._question = question if source == "all" else bare or question.without_source()
        self._log = log
        self._cached: list[Entry] | None = None
        self._opened: set[int] | None = None
        self._meter: Meter | None = None
        self._unpaid = False

    def metered(self, meter: Meter) -> View:
        """The same view, for one request: what is opened is charged to `meter`."""
        view = View.__new__(View)
        view._full, view._source, view._question, view._log = self._full, self._source, self._question, self._log
        view._cached, view._opened, view._meter, view._unpaid = None, set(), meter, self._source == "all"
        return view

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
        view = View(full, log, source, shown.without_source() if hide else shown)
        return view if self._meter is None else view.metered(self._meter)

    @property
    def question(self) -> Question:
        """What is asked, with the passage and the data where this view shows them."""
        if self._unpaid:
            assert self._meter is not None
            self._meter.charge("reads", source_size(self._question))
            self._unpaid = False
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

    def _open(self, index: int, entry: Entry) -> Entry:
        if self._opened is not None and index not in self._opened:
            assert self._meter is not None
            self._meter.charge("reads", entry.move.cost(self._full.unit))
            self._opened.add(index)
        return entry

    def _entries(self) -> list[Entry]:
        if self._cached is None:
            self._cached = self._log.entries()
        return self._cached

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index == -1 and self._log.entry is not None:
            return self._open(self._log.length - 1, self._log.read())
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"the view has {len(self)} statements, there is none at {index}")
        return self._open(index, self._entries()[index])

    def __iter__(self) -> Iterator[Entry]:
        for index, entry in enumerate(self._entries()):
            yield self._open(index, entry)

    def opened(self) -> list[Entry]:
        """The statements that were opened so far, which costs nothing more; all of them outside a request."""
        entries = self._entries()
        return entries if self._opened is None else [entries[index] for index in sorted(self._opened)]

    def at(self, step: str) -> Entry:
        """The statement made at `step`. Raises KeyError when this view does not hold it."""
        for index, entry in enumerate(self._entries()):
            if entry.step == step:
                return self._open(index, entry)
        raise KeyError(f"no statement of step {step} in this view")

    def look(self, *address: int | str) -> Any:
        """One cell of the question's data by address (`look(3)`, `look("clauses", 0)`), charged one unit of reading; where
        a list or a table stands there, one unit for each cell in it.

        Raises UsageError when the protocol gives this view no access to the source, Illegal when there is no such cell.
        """
        meter, cell = self._looking(), self._full.data
        try:
            for part in address:
                cell = cell[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            raise Illegal(f"there is no cell {'.'.join(map(str, address))} in the data") from None
        if meter is not None:
            meter.charge("reads", cells_of(cell))
        return cell

    def excerpt(self, start: int, end: int) -> str:
        """Characters [start, end) of the passage, charged one unit each. Raises like `look`."""
        meter, text = self._looking(), (self._full.passage or "")[start:end]
        if meter is not None:
            meter.charge("reads", len(text))
        return text

    def _looking(self) -> Meter | None:
        """What a look is charged to; None outside a request, and where the whole source was paid for."""
        if self._source == "none":
            raise UsageError("this view gives no access to the source of the question")
        return self._meter if self._source != "all" or self._unpaid else None


class Look(Structural):
    """One cell of data by its address: `look("table", 3)`. Under a bound each look is charged one unit."""

    def __call__(self, *address: int | str) -> Any: ...


def looker(data: Any) -> Look:
    """`look` over data without a meter, for direct evaluation."""
    return lambda *address: reduce(getitem, address, data)


def cells_of(value: Any) -> int:
    """How many cells a value of the data holds, at least 1."""
    if not isinstance(value, (list, dict)):
        return 1
    return max(1, sum(map(cells_of, value.values() if isinstance(value, dict) else value)))


def source_size(question: Question) -> int:
    """The cells of a question's data and the characters of its passage. Those of the last few are remembered, as every seat
    that sees the source is charged for it at every call."""
    data, passage = question.data, question.passage
    for known, text, size in _sizes:
        if known is data and text is passage:
            return size
    size = (0 if data is None else cells_of(data)) + len(passage or "")
    _sizes.append((data, passage, size))
    return size


_sizes: deque[tuple[Any, str | None, int]] = deque(maxlen=4)


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
    budget: Meter = field(default_factory=Meter)
    note: Callable[[dict[str, Any]], None] = lambda event: None
    later: Callable[[str], Any] | None = field(default=None, repr=False, compare=False)

    def postponed(self, later: Callable[[str], Any]) -> Request:
        """This request, whose digest and seed are found by `later("digest")` when somebody wants to know them."""
        self.later = later
        del self.digest, self.seed
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # called where a slot is empty
            if name not in ("digest", "seed"):
                raise AttributeError(f"a request has no {name!r}")
            value = self.later(name)
            setattr(self, name, value)
            return value
