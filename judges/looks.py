"""One judge who looks at the same transcript otherwise: with its answers in the other order, or twice, in both orders or with both
seatings of the debaters.

Rule of this file: what a look shows is a relabelling of what the seat may see, and every verdict is mapped back. No debater is
asked anything.

Models prefer an answer for its place (Zheng et al. 2023, arXiv 2306.05685, who judge in both orders and average; Wang et al. 2023,
arXiv 2305.17926), and a debater for its name (Khan et al. 2024, arXiv 2402.06782, judge every debate with names swapped).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, ClassVar, overload

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import copy_of
from moot.judges.panel import joined, on_record, verdicts_of
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.question import Question, reworded
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Brief, Facts, Request
from moot.protocols.engine.view import Entry, Source, View
from moot.protocols.market.moves import Stands


class Relabelling:
    """Other places for the choices, and other names for seats. order: the choice, from 0, that stands in each place; () leaves
    them. names: seat to what it is called; what is not there keeps its name."""

    def __init__(self, order: Sequence[int] = (), names: Mapping[str, str] | None = None) -> None:
        self.order, self.names = tuple(order), dict(names or {})

    def __str__(self) -> str:
        return f"{self.order} {sorted(self.names.items())}"

    def back(self) -> Relabelling:
        """The one that undoes it."""
        places = sorted(range(len(self.order)), key=self.order.__getitem__)
        return Relabelling(places, {new: old for old, new in self.names.items()})

    def question(self, question: Question) -> Question:
        if not self.order:
            return question
        return reworded(question, question.text, tuple(question.choices[choice] for choice in self.order))

    def brief(self, brief: Brief, facts: Facts | None = None) -> Brief:
        """facts: of the play, whose protocol says which of its details are numbers of choices."""
        changed: Any = dict(brief)
        for key in ("answer", "against"):
            if changed.get(key) in self.order:
                changed[key] = self.order.index(changed[key])
        for name in getattr(facts and facts.protocol, "choosing", ()) if self.order else ():
            if name in (details := changed.get("details") or {}):
                changed["details"] = {**details, name: [self.order.index(choice) for choice in details[name]]}
        return changed  # type: ignore[no-any-return]

    def facts(self, facts: Facts | None, asked: Question) -> Facts | None:
        """What is declared of a play, under this labelling. asked: the question whose choices are in other places; one that was
        made on the way (whether a proposed answer is right) is another than the play's, whose choices then stay."""
        if facts is None:
            return None
        known = list(facts.names)
        called = {seat: self.names.get(seat, seat) for seat in known}
        order = sorted(known, key=lambda seat: known.index(called[seat]) if called[seat] in known else len(known))
        seats = {called[seat]: facts.seats[seat] for seat in order}
        names = {called[seat]: facts.names[seat] for seat in order}
        same = sorted(facts.question.choices) == sorted(asked.choices)
        places = tuple((facts.order or range(len(asked.choices)))[place] for place in self.order) if same else ()
        return replace(facts, seats=seats, names=names, order=places or facts.order)

    def move(self, move: Move) -> Move:
        """A move whose probabilities, numbers of choices and names of seats are the relabelled ones. Its words stay."""
        changes: dict[str, Any] = {}
        stated = move.stated_probabilities()
        for name, field in type(move).model_fields.items():
            value = getattr(move, name)
            hint: Any = next((each for each in field.metadata if hasattr(each, "choices")), None)
            if stated and value == stated and len(stated) == len(self.order):
                changes[name] = tuple(stated[choice] for choice in self.order)
            elif getattr(hint, "choices", "") == "number" and value in self.order:
                changes[name] = self.order.index(value)
            elif getattr(hint, "among", "") == "to_seats" and value in self.names:
                changes[name] = self.names[value]
        return move.model_copy(update=changes) if changes else move

    def entry(self, entry: Entry) -> Entry:
        return Entry(entry.step, self.names.get(entry.seat, entry.seat), self.move(entry.move))


class Relabelled(View):
    """A view with other labels. It holds nothing but the view below, which charges for what is opened."""

    __slots__ = ("_below", "_by")

    def __init__(self, below: View, by: Relabelling) -> None:
        self._below, self._by = below, by

    def then(self, *entries: Entry, hide: bool = False, asking: Question | None = None) -> View:
        undo = self._by.back()
        below = self._below.then(*map(undo.entry, entries), hide=hide, asking=asking)
        return type(self)(below, self._by if asking is None else Relabelling((), self._by.names))

    @property
    def question(self) -> Question:
        return self._below.question

    @property
    def source(self) -> Source:
        return self._below.source

    @property
    def has_cells(self) -> bool:
        return self._below.has_cells

    @property
    def has_passage(self) -> bool:
        return self._below.has_passage

    @property
    def has_excerpts(self) -> bool:
        return self._below.has_excerpts

    @property
    def digest(self) -> bytes:
        return blake2b(self._below.digest + str(self._by).encode(), digest_size=16).digest()

    def __len__(self) -> int:
        return len(self._below)

    def __iter__(self) -> Iterator[Entry]:
        return map(self._by.entry, self._below)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        found = self._below[index]
        return list(map(self._by.entry, found)) if isinstance(found, list) else self._by.entry(found)

    def made(self, index: int) -> tuple[str, str]:
        step, seat = self._below.made(index)
        return step, self._by.names.get(seat, seat)

    def opened(self) -> list[Entry]:
        return list(map(self._by.entry, self._below.opened()))

    def at(self, step: str) -> Entry:
        return self._by.entry(self._below.at(step))

    def look(self, *address: int | str) -> Any:
        return self._below.look(*address)

    def excerpt(self, start: int, end: int) -> str:
        return self._below.excerpt(start, end)

    def probe(self, *address: int | str) -> Any:
        return self._below.probe(*address)

    def find(self, text: str, around: int = 0) -> list[tuple[int, str]]:
        return self._below.find(text, around)

    def outline(self, lengths: bool = True) -> str:
        return self._below.outline(lengths)

    def whole(self, cells: int, characters: int) -> Question | None:
        return self._below.whole(cells, characters)

    def repay(self, units: int) -> None:
        self._below.repay(units)


class _Reordered(Relabelled):
    """The same view with its question's choices in their other places: what is opened is charged where it is, and once."""

    __slots__ = ()

    @property
    def question(self) -> Question:
        return self._by.question(self._below.question)

    def whole(self, cells: int, characters: int) -> Question | None:
        found = self._below.whole(cells, characters)
        return None if found is None else self._by.question(found)


class Flipped(Wrapper):
    """A judge who is shown the choices in the reversed order, two of them exchanged, whatever it is asked.

    With the choices change their numbers, and with them probabilities and numbers of choices in what was said before, in its
    brief and in what it is told of the play; words stay, "answer 1" included. What it says is mapped back, so that on the
    record probability i is that of choice i of the question. What is no move stays as it came, to be rejected. It has the seed
    of the step, and reads what the judge reads. `moot.rejudge(t, judge, flip=True)` seats it.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = seatable(agent)
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The judge's move, mapped back. Raises whatever the judge raises."""
        other = Relabelling(range(len(request.view.question.choices) - 1, -1, -1))
        seen = copy_of(
            request,
            "look",
            0,
            shown=str(other),
            view=_Reordered(request.view, other),
            brief=other.brief(request.brief, request.facts),
            facts=other.facts(request.facts, request.view.question),
            rejected=_relabelled(request.rejected, other, request.kinds),
        )
        seen.note = request.note
        return _relabelled(await reply_of(act_of(self.agent), seen), other.back(), request.kinds)

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent="flipped")

    def describe(self) -> dict[str, Any]:
        return {"agent": "flipped", "members": [describe(self.agent)]}


def _relabelled(reply: Any, by: Relabelling, kinds: tuple[type[Move], ...]) -> Any:
    """A move, or one as data, under another labelling; what is none of these kinds as it is."""
    try:
        move = typed(reply, kinds)
    except Illegal:
        return reply
    made = by.move(move)
    return made if isinstance(reply, Move) else made.model_dump(mode="json")


class _Looks(Wrapper, ABC):
    """A judge who is asked once as things are and once under another labelling; the mean of both is the verdict."""

    by: ClassVar[str]

    def __init__(self, agent: Any) -> None:
        self.agent = seatable(agent)
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    @abstractmethod
    def _other(self, request: Request) -> Relabelling:
        """The other labelling."""

    @abstractmethod
    def _named(self, by: Relabelling) -> str:
        """What it is called in the record."""

    async def act(self, request: Request) -> Any:
        """The mean of two verdicts. Raises AgentError when a look gives none, and whatever the judge raises."""
        if Verdict not in request.kinds or not request.view.question.choices:
            return await reply_of(act_of(self.agent), request)
        count, other = len(request.view.question.choices), self._other(request)
        below = request.view.then(asking=other.question(request.view.question)) if other.order else request.view.then()
        first = copy_of(request, "look", 0)
        second = copy_of(
            request,
            "look",
            1,
            shown=str(other),
            view=Relabelled(below, other),
            brief=other.brief(request.brief, request.facts),
            facts=other.facts(request.facts, request.view.question),
        )
        said = await verdicts_of((self.agent, self.agent), (first, second))
        for each in said:
            if isinstance(each, Verdict) and len(each.probabilities) != count:
                came = f"{len(each.probabilities)} probabilities came for {count} choices"
                raise AgentError(f"step {request.step}: {came}")
        self._check(request)
        undo = other.back()
        given = [said[0], said[1] if isinstance(said[1], Stands) else undo.move(said[1])]
        one, two = (each.stated_probabilities() for each in given)
        request.note({
            "event": "looked", "by": self.by, "other": other.order or other.names,
            "verdicts": [on_record(each) for each in given if isinstance(each, (Verdict, Stands))],
            "difference": [p - q for p, q in zip(one, two, strict=True)] if one and two else None,
        })  # fmt: skip
        both = [each for each in given if isinstance(each, (Verdict, Stands))]
        return joined(both, "mean", request.step, ("1", f"2, {self._named(other)}"))

    def _check(self, request: Request) -> None:
        """Raise AgentError where the other look was the same look."""

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent=f"both-{self.by}")

    def describe(self) -> dict[str, Any]:
        return {"agent": f"both-{self.by}", "members": [describe(self.agent)]}


class BothOrders(_Looks):
    """A judge who is shown the choices as they stand, and in the reversed order; the mean of both verdicts is its verdict.

    In the second look the choices change their numbers, and with them the probabilities and numbers of choices in what was
    said before; what was said *in words* stays, "answer 1" included. Two choices are exchanged; of more, a preference that
    falls evenly from place to place is balanced. Both verdicts are kept, over the choices of the question, in an event
    "looked", with their `difference`: of two choices the first number is how much more the first one is believed for
    standing first. Each look is charged for what it reads, and has a seed of its own, the first that of the step.
    Requests for anything but a verdict are put to the judge once, as they are.
    """

    by: ClassVar[str] = "orders"

    def _other(self, request: Request) -> Relabelling:
        return Relabelling(range(len(request.view.question.choices) - 1, -1, -1))

    def _named(self, by: Relabelling) -> str:
        return "answers in the order " + ", ".join(str(choice + 1) for choice in by.order)


class BothSeatings(_Looks):
    """A judge who is shown who said what as it was, and with the names of two seats exchanged; the mean of both verdicts is
    its verdict.

    seats: those whose names are exchanged, over each statement and where a question is put to one of them. Names *in words*
    stay, and so does the order of statements. All else is as for `BothOrders`; `BothSeatings(BothOrders(judge))` looks four
    times. Raises AgentError in a play where the judge read statements and none is of these seats, UsageError for anything but
    two different names.
    """

    by: ClassVar[str] = "seatings"

    def __init__(self, agent: Any, seats: Sequence[str] = ("a", "b")) -> None:
        super().__init__(agent)
        named = [] if isinstance(seats, str) else list(seats)
        if len(named) != 2 or len(set(named)) != 2 or not all(isinstance(each, str) and each for each in named):
            raise UsageError(f"both seatings: seats is {seats!r}; it must be the names of two seats, as in ('a', 'b')")
        self.seats = (named[0], named[1])

    def _other(self, request: Request) -> Relabelling:
        one, two = self.seats
        return Relabelling((), {one: two, two: one})

    def _named(self, by: Relabelling) -> str:
        return "{} and {} exchanged".format(*self.seats)

    def _check(self, request: Request) -> None:
        spoke = {entry.seat for entry in request.view.opened()}
        if spoke and not spoke & {*self.seats}:
            raise AgentError(
                f"step {request.step}: neither {' nor '.join(self.seats)} has said anything here, but "
                f"{', '.join(sorted(spoke))}; say whose names are to be exchanged: seats="
            )

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent=f"both-{self.by}", seats=list(self.seats))

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "seats": list(self.seats)}


class BothOrdersKind(JudgeKind):
    """An agent that judges with the answers in both orders."""

    name: ClassVar[str] = "both-orders"
    form: ClassVar[str | None] = "both-orders:AGENT"
    of: Held

    def make(self) -> Any:
        return BothOrders(self.of)

    def profile(self) -> Profile:
        return Profile.asking((self.of, 2), joined=True)


class BothSeatingsKind(JudgeKind):
    """An agent that judges with both seatings of two debaters."""

    name: ClassVar[str] = "both-seatings"
    form: ClassVar[str | None] = "both-seatings:AGENT"
    of: Held
    seats: list[str] = ["a", "b"]

    def make(self) -> Any:
        return BothSeatings(self.of, self.seats)

    def profile(self) -> Profile:
        return Profile.asking((self.of, 2), joined=True)
