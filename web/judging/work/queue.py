"""Which play is a person's next: never one of a question that they have seen any side of, and the seatings in balance.

Rule of this file: names and counts. It waits for nobody, writes nothing, and knows neither plays nor pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

Kind = tuple[str | bool, ...]
"""What is to be balanced: in a study the arm, whether the rivals are exchanged, and whether the answers are."""


@dataclass(frozen=True, slots=True)
class Job:
    """A play with seats for people. key: of the play. items: what its question is known by; who has seen one of these never gets
    another play of it. kind: its seating. seats: seat to the one person whose seat it is, None where it is anybody's."""

    key: str
    items: frozenset[str]
    kind: Kind
    seats: Mapping[str, str | None]


class Place(NamedTuple):
    """A seat of a play."""

    key: str
    seat: str


class Queue:
    """The jobs, and who took what. people: in any order. most: plays for one person; None: as many as there are."""

    def __init__(self, people: Iterable[str], most: int | None = None) -> None:
        self.people, self.most = tuple(people), most
        self.seen: dict[str, set[str]] = {person: set() for person in self.people}
        self.taken: dict[str, dict[str, str]] = {}  # key to seat to person
        self.counts: dict[str, Counter[Kind]] = {person: Counter() for person in self.people}
        self.totals: Counter[Kind] = Counter()
        self._jobs: dict[str, Job] = {}  # not over yet
        self._offered: dict[str, None] = {}
        self._free: dict[Kind, dict[Place, None]] = {}  # seats that may be taken now
        self._begun: dict[str, None] = {}  # keys, of whose seats some are taken and some free
        self._back: dict[str, dict[Place, None]] = {
            person: {} for person in self.people
        }  # taken, and left by a restart
        self._done: set[str] = (
            set()
        )  # people for whom there is nothing any more, unless a play comes or a seat is given back

    # -- what there is ----------------------------------------------------------------------------------------------------

    def know(self, job: Job) -> None:
        """There is, or will be, such a play."""
        self._jobs[job.key] = job
        self._done.clear()

    def offer(self, job: Job) -> None:
        """Its seats may be taken from now on; those that were taken before are for the same people alone."""
        self.know(job)
        self._offered[job.key] = None
        held = self.taken.get(job.key, {})
        for seat in job.seats:
            if (person := held.get(seat)) is None:
                self._free.setdefault(job.kind, {})[Place(job.key, seat)] = None
            elif person in self._back:
                self._back[person][Place(job.key, seat)] = None
        self._mark(job)

    def drop(self, key: str) -> None:
        """Nobody takes it any more: it is over, or cannot be had."""
        job = self._jobs.pop(key, None)
        self._offered.pop(key, None)
        self._begun.pop(key, None)
        for seat in job.seats if job is not None else ():
            self._free.get(job.kind, {}).pop(Place(key, seat), None) if job is not None else None
            for back in self._back.values():
                back.pop(Place(key, seat), None)

    def _mark(self, job: Job) -> None:
        held = len(self.taken.get(job.key, {}))
        if job.key in self._offered and 0 < held < len(job.seats):
            self._begun[job.key] = None
        else:
            self._begun.pop(job.key, None)

    # -- who has what -----------------------------------------------------------------------------------------------------

    def saw(self, person: str, items: Iterable[str]) -> None:
        """A person has seen these, wherever that was."""
        if person in self.seen:
            self.seen[person] |= {*items}

    def restore(self, person: str, place: Place, kind: Kind, items: Iterable[str]) -> None:
        """Somebody took this seat before a restart."""
        if self.taken.setdefault(place.key, {}).setdefault(place.seat, person) != person:
            raise ValueError(f"two people sit at {place}")
        self.saw(person, items)
        if person in self.counts:
            self.counts[person][kind] += 1
        self.totals[kind] += 1

    def number(self, person: str) -> int:
        """How many plays a person has been given."""
        return self.counts[person].total()

    def take(self, person: str) -> Place | None:
        """A seat for this person, which nobody else gets from then on. First what they left, then plays that wait for one more, then
        the kind that they have had least, and of those the one that all have had least, in the order of offering."""
        if (back := next(iter(self._back[person]), None)) is not None:
            del self._back[person][back]
            return back
        if self.most is not None and self.number(person) >= self.most:
            return None
        if (place := self._chosen(person)) is None:
            return None
        job = self._jobs[place.key]
        del self._free[job.kind][place]
        self.restore(person, place, job.kind, job.items)
        self._mark(job)
        return place

    def can(self, person: str) -> bool:
        """Whether there is something for a person now."""
        if self._back[person]:
            return True
        if person in self._done:
            return False
        return (self.most is None or self.number(person) < self.most) and self._chosen(person) is not None

    def _chosen(self, person: str) -> Place | None:
        for key in self._begun:
            job = self._jobs[key]
            for seat in job.seats:
                if (place := Place(key, seat)) in self._free.get(job.kind, {}) and self._may(person, place):
                    return place
        own = self.counts[person]
        for kind in sorted(self._free, key=lambda kind: (own[kind], self.totals[kind])):
            for place in self._free[kind]:
                if self._may(person, place):
                    return place
        return None

    def _may(self, person: str, place: Place) -> bool:
        """Whether a person may take a free seat: a question that is new to them, and the seat of theirs where one has their name."""
        job = self._jobs[place.key]
        if not job.items.isdisjoint(self.seen[person]):
            return False
        whom = job.seats[place.seat]
        return whom == person if whom is not None else person not in job.seats.values()

    def put_back(self, person: str, place: Place) -> None:
        """Somebody could not go on with what they left: it stays theirs."""
        self._back[person][place] = None
        self._done.discard(person)

    def give_back(self, person: str, place: Place, items: Iterable[str]) -> None:
        """Somebody took a seat and was shown nothing of the play, which cannot be had."""
        if self.taken.get(place.key, {}).pop(place.seat, None) != person:
            return
        self._done.clear()
        if person in self.seen:
            self.seen[person] -= {*items}
        job = self._jobs.get(place.key)
        if job is not None:
            if person in self.counts:
                self.counts[person][job.kind] -= 1
            self.totals[job.kind] -= 1
            if place.key in self._offered:
                self._free.setdefault(job.kind, {})[place] = None
            self._mark(job)

    # -- what can still come ----------------------------------------------------------------------------------------------

    def possible(self, person: str) -> bool:
        """Whether there may still be something for a person, now or later."""
        if person in self._done:
            return False
        if not (found := self._possible(person)):
            self._done.add(person)
        return found

    def _possible(self, person: str) -> bool:
        if self._back[person]:
            return True
        if self.most is not None and self.number(person) >= self.most:
            return any(held.get(seat) == person for key, held in self._left() for seat in held)
        for key, job in self._jobs.items():
            held = self.taken.get(key, {})
            if person in held.values() and key not in self._offered:
                return True
            if any(seat not in held and self._may(person, Place(key, seat)) for seat in job.seats):
                return True
        return False

    def _left(self) -> Iterator[tuple[str, dict[str, str]]]:
        return ((key, self.taken[key]) for key in self._jobs if key in self.taken and key not in self._offered)

    def lost(self) -> list[str]:
        """The plays on offer whose seats cannot all be taken any more, by anybody."""
        open_to = [each for each in self.people if self.most is None or self.number(each) < self.most]
        return [key for key in self._offered if self._is_lost(self._jobs[key], open_to)]

    def _is_lost(self, job: Job, people: list[str]) -> bool:
        held = self.taken.get(job.key, {})
        if any(person not in self.seen for person in held.values()):
            return True
        free = [Place(job.key, seat) for seat in job.seats if seat not in held]
        sits: dict[str, list[str]] = {}
        return not all(
            _sits([*islice((each for each in people if self._may(each, place)), len(free))], sits, set())
            for place in free
        )


def _sits(able: list[str], sits: dict[str, list[str]], asked: set[str]) -> bool:
    """Seat one of those who are able, where others who sit may move to seats for which they are able too. sits: person to whoever is
    able to take their seat. Of the able there need not be more than there are free seats."""
    for each in able:
        if each not in asked:
            asked.add(each)
            if each not in sits or _sits(sits[each], sits, asked):
                sits[each] = able
                return True
    return False
