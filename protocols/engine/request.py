"""What a seat is asked for: the brief of its turn, what its protocol declares of the play, and the request.

Rule of this file: records that hold what a seat may know; what is found late is found once, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pydantic import JsonValue

from moot.protocols.engine.budget import Budget
from moot.protocols.engine.moves import Answer, Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Source, View


class Brief(TypedDict, total=False):
    """What a protocol tells a seat about its turn. Prompts, forms, the terminal and `moot.testing` know these keys; only those
    that were given are there. They tell, and forbid nothing: the `check` of the ask is the rule.

    task: what the turn is ("speech"), by which instructions are chosen. answer, against: the index of the choice that the
    seat defends, or criticises. round, rounds: where the play stands, and how many there are (None: nobody knows). limit,
    quote_limit: on its words, and on what it quotes, as `Limit` is written. quotes: what it must quote, where that is not free
    ("required", "verified"). asks: a question put to it. to_seats: whom a
    question may go to. one_of: field to the texts that it, or an entry of it, may be. least, most: field to how long the list
    is. below: field to the first whole number that is too large. budget: what it may hand on to sub-questions. claim: the
    step, or "q" for the question, that the turn is about; with claimed, a question of which that answer is disputed. label:
    the response to it. notes: private notes of whoever sits there, which no protocol gives. details: what else there is, in
    the protocol's own words.
    """

    task: str
    answer: int
    against: int
    round: int
    rounds: int | None
    limit: Mapping[str, JsonValue]
    quote_limit: Mapping[str, JsonValue]
    quotes: str
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
    notes: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Facts:
    """What everybody in a play may know of it.

    protocol: the one that asks, inside another its own. question: what that is about, without passage, data and images (its text
    only where the reader is shown it: of a part of it, it is the part's), and source: which of these it has ("passage", "data", "images"). seats: seat to role, in the protocol's order; inside another
    play by the names there. names: the protocol's own name of each of them. settled: seat to the choice that it defends, as
    far as that is settled before anybody has chosen, and declared: seat to the most that it is shown of the source
    ("all", "metered" or "none"), of those of whom that is said; both by the protocol's own names. order: the choice, from 0, that
    stands in each place where the reader is shown them in another order.
    """

    protocol: Any
    question: Question
    source: tuple[str, ...]
    seats: Mapping[str, str]
    names: Mapping[str, str]
    settled: Mapping[str, int]
    declared: Mapping[str, Source]
    order: tuple[int, ...] = ()

    def answers(self, entries: Iterable[Entry] = ()) -> dict[str, int]:
        """Seat to the index of the choice that it defends, as far as everybody knows. entries: what was shown to the reader,
        in which seats may have chosen."""
        names, place = self.names, self.order.index if self.order else int
        chosen = {names[entry.seat]: self.order[entry.move.choice] if self.order else entry.move.choice
                  for entry in entries if isinstance(entry.move, Answer) and entry.seat in names}  # fmt: skip
        found, count = self.settled, len(self.question.choices)
        if chosen:
            found = self.protocol.defended(self.question, chosen)
        return {seat: place(found[name]) for seat, name in names.items() if name in found and 0 <= found[name] < count}

    @property
    def choices(self) -> tuple[str, ...]:
        """The choices of the question, each in the place where the reader is shown it."""
        return tuple(self.question.choices[place] for place in self.order) or self.question.choices

    @property
    def sources(self) -> dict[str, Source]:
        """Seat to how it sees the source, of those of whom that is declared."""
        return {seat: self.declared[name] for seat, name in self.names.items() if name in self.declared}


@dataclass
class Request:
    """What an agent is asked for, and all that it may know.

    step: the path of this step ("0.2.1"). seat: who is asked ("a", "judge"). role: what the seat is ("debater").
    kinds: the move types that may be returned. view: what this seat may see. brief: what the protocol tells this seat
    about its turn. seed: a number of this step's own, equal in every run with the same seed. attempt: 0, then 1 and up when
    an earlier answer to this request was rejected; problem: why it was, rejected: that answer as JSON values. facts: what the
    protocol declares of the play; None where nobody asks but a test. budget: what the seat may still spend
    (`budget.left("reads")`). note: records an event of the call (an attempt, with cost). noted: what was noted at this step
    before the play broke off, where it is taken up again.
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
    rejected: Any = None
    facts: Facts | None = None
    budget: Budget = field(default_factory=Budget)
    note: Callable[[dict[str, Any]], None] = lambda event: None
    noted: Sequence[Mapping[str, Any]] = ()
    later: Callable[[str], Any] | None = field(default=None, repr=False, compare=False)


class _Later:
    """A field of a request that is found when somebody wants to know it, and kept."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, request: Request | None, owner: type) -> Any:
        if request is None or request.later is None:
            raise AttributeError(f"a request without {self.name}")
        value = request.__dict__[self.name] = request.later(self.name)
        return value


for _name in ("brief", "digest", "seed", "budget", "facts"):
    setattr(Request, _name, _Later(_name))


def postponed(
    step: str, seat: str, role: str, kinds: tuple[type[Move], ...], view: View, attempt: int, problem: str | None,
    later: Callable[[str], Any], note: Callable[[dict[str, Any]], None] | None, rejected: Any = None,
) -> Request:  # fmt: skip
    """A request whose brief, digest, seed, budget and facts are found by `later("digest")` when somebody wants to know them."""
    made = _new(Request)
    made.__dict__ = {
        "step": step, "seat": seat, "role": role, "kinds": kinds, "view": view, "attempt": attempt, "problem": problem,
        "later": later, "note": note or _unnoted, "rejected": rejected,
    }  # fmt: skip
    return made


def _unnoted(event: dict[str, Any]) -> None:
    """What notes of nobody are given to."""


_new: Callable[[type[Request]], Request] = object.__new__
