"""Who sits where just now, as the office keeps it: the seating that pages know, and what only the office knows of it.

Rule of this file: names, counts and times of one person in one play; which play that is was decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from moot.agents.people.browser import Away
from moot.studies.cells import Ended
from moot.web.judging.seating import Heard, Seating, Sort
from moot.web.judging.work.desk import Desk, names_of
from moot.web.judging.work.source import Play

GONE = 15.0
"""Seconds without a sign of a page, after which nobody is at it."""


class Sitting:
    """One person in a seat of a play. key: of the play; title: what they are told it is. here: whether a page of theirs is open."""

    def __init__(
        self, person: str, key: str, seat: str, roles: Mapping[str, str], seed: int, title: str, away: Away, sort: Sort = "item"
    ) -> None:  # fmt: skip
        self.key, self.here = key, False
        self.seating = Seating(
            person, seat, title, Desk(person, away, self._news), sort, names_of(roles, seat, seed, person, key)
        )
        self._began = self._sign = time.monotonic()
        self._asked: set[str] = set()

    @property
    def over(self) -> bool:
        """Whether the play has ended, or could not be had."""
        return self.seating.ended is not None or self.seating.problem is not None

    def _news(self) -> None:
        """There is something new in the mailbox."""
        if (turn := self.seating.turn) is not None:
            turn.attend(self.here)
        self.seating.changed()

    def attend(self, here: bool) -> None:
        """A page is open, or no longer."""
        self.here, self._sign = here, time.monotonic()
        if (turn := self.seating.turn) is not None:
            turn.attend(here)

    def look(self) -> None:
        """Without a sign for `GONE` seconds, nobody is there."""
        if self.here and time.monotonic() - self._sign > GONE:
            self.attend(False)

    def heard(self, what: str, seat: str) -> None:
        """A seat was "asked", or has "answered"."""
        seating = self.seating
        (self._asked.add if what == "asked" else self._asked.discard)(seat)
        if what == "answered":
            seconds = round(time.monotonic() - self._began, 1)
            seating.heard.append(Heard(seating.names.get(seat, seat), len(seating.heard) + 1, seconds))
        others = sorted(seating.names.get(each, each) for each in self._asked if each != seating.seat)
        seating.asking = ", ".join(others) or None
        seating.changed()

    def end(self, ended: Ended) -> None:
        """How it came out."""
        seating = self.seating
        outcome = None if ended.transcript is None else ended.transcript.outcome
        seating.asking, seating.transcript = None, ended.transcript
        if outcome is None:
            seating.problem = ended.problem or "it did not come to an end"
        else:
            seating.ended = outcome.kind
        seating.changed()

    def cannot(self, why: str) -> None:
        """It cannot be had after all."""
        self.seating.problem = why
        self.seating.changed()


@dataclass
class Waiting:
    """A play that waits for its people. came: who has sat down, by seat; lost: whether its seats cannot all be taken any more."""

    play: Play
    came: dict[str, Sitting] = field(default_factory=dict)
    ready: anyio.Event = field(default_factory=anyio.Event)
    lost: bool = False

    def come(self, seat: str, sitting: Sitting) -> None:
        """Somebody sits down."""
        self.came[seat] = sitting
        if self.came.keys() == self.play.job.seats.keys():
            self.ready.set()

    def lose(self) -> None:
        """Nobody else can come, unless all have."""
        if not self.ready.is_set():
            self.lost = True
            self.ready.set()
