"""What a seat is shown: the request, its brief, and its view, which charges what is opened to the request's budget.

Rule of this file: nothing here knows what a protocol is, or who answers. Statements are kept in a chain (`log.py`), and a view
is a pointer to one of its links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, Literal, overload

from moot.protocols.engine.budget import Meter
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.log import NOTHING as NOTHING
from moot.protocols.engine.log import Entry as Entry
from moot.protocols.engine.log import Log as Log
from moot.protocols.engine.log import Said as Said
from moot.protocols.engine.log import price as price
from moot.protocols.engine.question import Held, Question, cell_at, cells_of, due, source_size, sourced
from moot.protocols.engine.question import Look as Look
from moot.protocols.engine.question import looker as looker
from moot.protocols.engine.values.frozen import UNCHANGING, frozen
from moot.protocols.engine.values.looking import outlined, places, small

Source = Literal["none", "all", "metered"]


class View(Sequence[Entry]):
    """What a role may see: a question (with its source only if the protocol says so) and statements, oldest first.

    In a request it is a `Shown`: each statement is charged to the seat's budget when it is first opened, by its `cost`, and
    a question that is not the play's own, or shows the source whole, when it is: a unit for each cell of the data and each
    character of the passage, and for each image what it costs.
    """

    __slots__ = ("_question", "_source", "_log", "_full")

    def __init__(self, question: Question, log: Log, source: Source = "none", bare: Question | None = None) -> None:
        self._full = question
        self._source: Source = source
        self._question = question if source == "all" else bare or question.without_source()
        self._log = log

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
        """What is asked, with the passage, the data and the images where this view shows them."""
        return self._question

    @property
    def source(self) -> Source:
        return self._source

    @property
    def has_cells(self) -> bool:
        """Whether there is data that `look` could show, for a reader who may."""
        return self._source != "none" and self._full.data is not None

    @property
    def has_passage(self) -> bool:
        """Whether the question has a passage, shown here or not: without one no quote can be found or missed."""
        return self._full.passage is not None

    @property
    def has_excerpts(self) -> bool:
        """Whether there is a passage that `excerpt` could show, for a reader who may."""
        return self._source != "none" and self._full.passage is not None

    @property
    def digest(self) -> bytes:
        return self._log.digest

    def __len__(self) -> int:
        return self._log.length

    def _entry(self, index: int) -> Entry:
        """The statement at a place, from 0."""
        return self._log.link(index).read()

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
        for link in self._log.each():
            yield link.read()

    def made(self, index: int) -> tuple[str, str]:
        """Step and seat of the statement at a place, from 0, which cost nothing: what is charged is what it says. Raises IndexError."""
        entry = self._log.link(index).entry if 0 <= index < len(self) else None
        if entry is None:
            raise IndexError(f"the view has {len(self)} statements, there is none at {index}")
        return entry[0], entry[1]

    def opened(self) -> list[Entry]:
        """The statements that were opened so far, which costs nothing more; all of them outside a request."""
        return self._log.entries()

    def at(self, step: str) -> Entry:
        """The statement made at `step`. Raises KeyError when this view does not hold it."""
        return self._entry(self._place(step))

    def _place(self, step: str) -> int:
        if (place := self._log.place(step)) is None:
            raise KeyError(f"no statement of step {step} in this view")
        return place

    def look(self, *address: int | str) -> Any:
        """One cell of the question's data by address (`look(3)`, `look("clauses", 0)`), charged one unit of reading; where
        a list or a table stands there, one unit for each cell in it.

        Raises UsageError when the protocol gives this view no access to the source, Illegal when there is no such cell.
        """
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return cell_at(self._full.data, address)

    def excerpt(self, start: int, end: int) -> str:
        """Characters [start, end) of the passage, charged one unit each, and one where none stand there. Raises like `look`."""
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return (self._full.passage or "")[start:end]

    def probe(self, *address: int | str) -> Any:
        """`look`, for a reader who does not know the form of the data: that there is no such cell is charged one unit, too."""
        return self.look(*address)

    def find(self, text: str, around: int = 0) -> list[tuple[int, str]]:
        """Where a text stands in the passage, by letters of either case: of the first `looking.PLACES` places, the first
        character, and what stands there with so much around it. Charged a unit for the answer, one for each place, and one
        for each character shown: that it stands nowhere is told at the price of 1. Raises like `look`."""
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return places(self._full.passage or "", text, around)

    def outline(self, lengths: bool = True) -> str:
        """What may be looked at, in words: types, names and lengths, two levels deep. Charged a unit for each number in it,
        and for each name after the first few. lengths: False leaves both out, and costs nothing. Raises UsageError like `look`."""
        if self.source == "none":
            raise UsageError(_HIDDEN)
        return outlined(self._full.data, self._full.passage, lengths)[0]

    def whole(self, cells: int, characters: int) -> Question | None:
        """The question with its data and passage, where they are no more than so many cells and characters; charged whole, then.
        None otherwise, which costs nothing: what that tells is no more than a few bits whatever the question is, as
        `looking.MOST` limits both numbers. It is the question as this view shows it: of the play's own no other text, and
        no image. Raises UsageError like `look`."""
        if self.source == "none":
            raise UsageError(_HIDDEN)
        full = self._full
        if small(full.data, full.passage, cells, characters) is None:
            return None
        return sourced(self._question, full.data, full.passage)

    def repay(self, units: int) -> None:
        """Charge so many units again, for what was shown before the play broke off and is shown once more from its record;
        outside a request, nothing. Raises UsageError on what is no whole number of at least 0."""


_HIDDEN = "this view gives no access to the source of the question"


class Shown(View):
    """A view in a request. What it holds is behind a closure, which charges for what it gives: no attribute leads around it.
    own: the texts of the play's question, which cost nothing; None: this one is. held: makes of a question the seat's."""

    __slots__ = ("_asked", "_do", "_look")

    def __init__(
        self, view: View, meter: Meter, own: Set[str] | None = None, held: Held | None = None, seat: str = ""
    ) -> None:
        reader: _Reader | None = None

        def do(what: str, *given: Any) -> Any:
            nonlocal reader
            if reader is None:
                reader = _Reader(view, meter, own, held, seat)
            return _READS[what](reader, *given)

        self._do: Callable[..., Any] = do
        self._look: Look | None = None
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
    def has_passage(self) -> bool:
        return self._do("has_passage")  # type: ignore[no-any-return]

    @property
    def has_excerpts(self) -> bool:
        return self._do("has_excerpts")  # type: ignore[no-any-return]

    @property
    def digest(self) -> bytes:
        return self._do("digest")  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return self._do("length")  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Entry]:
        return self._do("each")  # type: ignore[no-any-return]

    def __getitem__(self, index: int | slice) -> Any:  # (the types are those of a view)
        return self._do("last") if index == -1 else super().__getitem__(index)

    def _entry(self, index: int) -> Entry:
        return self._do("entry", index)  # type: ignore[no-any-return]

    def _place(self, step: str) -> int:
        return self._do("place", step)  # type: ignore[no-any-return]

    def made(self, index: int) -> tuple[str, str]:
        return self._do("made", index)  # type: ignore[no-any-return]

    def opened(self) -> list[Entry]:
        return self._do("opened")  # type: ignore[no-any-return]

    @property
    def look(self) -> Look:  # pyright: ignore[reportIncompatibleMethodOverride]  (called as ever; a call less a cell)
        look = self._look = self._look or self._do("looker")
        return look

    def excerpt(self, start: int, end: int) -> str:
        return self._do("excerpt", start, end)  # type: ignore[no-any-return]

    def probe(self, *address: int | str) -> Any:
        try:
            return self.look(*address)
        except Illegal:
            self._do("missed")
            raise

    def find(self, text: str, around: int = 0) -> list[tuple[int, str]]:
        return self._do("find", text, around)  # type: ignore[no-any-return]

    def outline(self, lengths: bool = True) -> str:
        return self._do("outline", lengths)  # type: ignore[no-any-return]

    def whole(self, cells: int, characters: int) -> Question | None:
        return self._do("whole", cells, characters)  # type: ignore[no-any-return]

    def repay(self, units: int) -> None:
        if type(units) is not int or units < 0:
            raise UsageError(f"{units!r} units cannot be charged again: give a whole number of at least 0")
        self._do("repay", units)


class _Reader:
    """What a `Shown` keeps to itself, and sets: one is made for every request of which anything is read."""

    __slots__ = ("asked", "held", "meter", "own", "paid", "seat", "view")

    def __init__(self, view: View, meter: Meter, own: Set[str] | None, held: Held | None, seat: str) -> None:
        self.view, self.meter, self.own, self.held, self.seat = view, meter, own, held, seat
        self.asked: Question | None = None
        self.paid: set[int | str] = set()  # places of statements, and what was paid for once besides

    def question(self) -> Question:
        if self.asked is None:
            made = asked = self.view._question
            own, amount = self.own, 0
            if asked.data is not None or asked.passage is not None or asked.images:
                made, size = (asked, source_size(asked)) if self.held is None else self.held.by(self.seat, asked)
                amount = size if self.view._source == "all" else 0
            if own is not None and asked.text not in own:
                amount += due(asked, own)
            if amount:
                self.meter.read(amount)
            self.asked = made
        return self.asked

    def entry(self, index: int) -> Entry:
        return self._read(self.view._log.link(index), index)

    def last(self) -> Entry:
        if not (link := self.view._log).length:
            raise IndexError("the view has 0 statements, there is none at -1")
        return self._read(link, link.length - 1)

    def _read(self, link: Log, index: int) -> Entry:
        if index not in self.paid:
            unit, costs = self.view._full.unit, link.costs
            self.meter.read(costs[1] if costs is not None and costs[0] == unit else link.price(unit))
            self.paid.add(index)
        entry = link.entry
        return entry if type(entry) is Entry else link.read()

    def each(self) -> Iterator[Entry]:
        view, paid, unit, read = self.view, self.paid, self.view._full.unit, self.meter.read
        for index, link in enumerate(view._log.each()):
            if index not in paid:
                costs = link.costs
                read(costs[1] if costs is not None and costs[0] == unit else link.price(unit))
                paid.add(index)
            entry = link.entry
            yield entry if type(entry) is Entry else link.read()

    def opened(self) -> list[Entry]:
        return [self.view._entry(index) for index in sorted(each for each in self.paid if isinstance(each, int))]

    def looker(self) -> Look:
        view, read = self.view, self.meter.read
        data, source = view._full.data, view._source

        def look(*address: int | str) -> Any:
            if source == "none":
                raise UsageError(_HIDDEN)
            if source == "all" and self.asked is not None:
                return cell_at(self.asked.data, address)
            found = cell_at(data, address)
            if type(found) in UNCHANGING:
                read(1)
                return found
            read(cells_of(found))
            return frozen(found)

        return look

    def excerpt(self, start: int, end: int) -> str:
        text = self.view.excerpt(start, end)
        if self.view._source != "all" or self.asked is None:
            nothing = type(start) is type(end) is int and start == end
            self.meter.read(len(text) or int(not nothing))
        return text

    def find(self, text: str, around: int) -> list[tuple[int, str]]:
        try:
            found = self.view.find(text, around)
        except Illegal:
            self.meter.read(1)
            raise
        self.meter.read(1 + sum(1 + len(shown) for _, shown in found))
        return found

    def outline(self, lengths: bool) -> str:
        told = self.view.outline(lengths)
        self._once("outline", outlined(self.view._full.data, self.view._full.passage, lengths)[1])
        return told

    def whole(self, cells: int, characters: int) -> Question | None:
        full = self.view.whole(cells, characters)
        if full is None or self.view._source == "all":
            return full and self.question()
        asked = self.question()
        self._once("whole", (0 if full.data is None else cells_of(full.data)) + len(full.passage or ""))
        held = self.view._full if self.held is None else self.held.by(self.seat, self.view._full)[0]
        return sourced(asked, held.data, held.passage)

    def _once(self, what: str, cost: int) -> None:
        if cost and what not in self.paid:
            self.meter.read(cost)
            self.paid.add(what)

    def more(self, entries: tuple[Entry, ...], hide: bool, asking: Question | None) -> View:
        own = self.own if self.own is None or asking is None else {*self.own, asking.text, *asking.choices}
        return Shown(self.view.then(*entries, hide=hide, asking=asking), self.meter, own, self.held, self.seat)


_READS: dict[str, Callable[..., Any]] = {
    "question": _Reader.question, "entry": _Reader.entry, "last": _Reader.last, "each": _Reader.each, "opened": _Reader.opened, "looker": _Reader.looker,
    "excerpt": _Reader.excerpt, "find": _Reader.find, "outline": _Reader.outline, "whole": _Reader.whole, "more": _Reader.more,
    "has_cells": lambda reader: reader.view.has_cells, "has_passage": lambda reader: reader.view.has_passage, "has_excerpts": lambda reader: reader.view.has_excerpts, "digest": lambda reader: reader.view.digest,
    "missed": lambda reader: reader.meter.read(1), "repay": lambda reader, units: reader.meter.read(units), "length": lambda reader: len(reader.view), "place": lambda reader, step: reader.view._place(step),
    "made": lambda reader, index: reader.view.made(index),
}  # fmt: skip
"""What a `Shown` may be asked for: what is charged for, and what costs nothing."""
