"""A play that a person sits in: the mailbox of their seat, who has spoken so far, how it ended.

Rule of this file: what the office keeps of it and the pages show; of what was said it holds nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import anyio

from moot.agents.people.browser import Browser, Turn
from moot.transcripts.transcript import Transcript

Sort = Literal["item", "practice"]


class Heard(NamedTuple):
    """That a seat has spoken: its name as the person knows it, how many have by then, and seconds since the play began."""

    who: str
    count: int  # type: ignore[assignment]
    seconds: float


@dataclass
class Seating:
    """One person in one seat of one play. id: of addresses, unguessable. title: what they are told it is ("Item 3"). names: seat to what the
    person is told it is called. asking: whom the play waits for, by that name; None where for nobody else. ended: the kind of outcome; problem: why it could
    not be played. transcript: once it has ended."""

    person: str
    seat: str
    title: str
    browser: Browser
    sort: Sort = "item"
    names: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    heard: list[Heard] = field(default_factory=list)
    asking: str | None = None
    ended: str | None = None
    problem: str | None = None
    transcript: Transcript | None = None
    version: int = 0
    _event: anyio.Event | None = None

    @property
    def turn(self) -> Turn | None:
        """The turn that waits for the person."""
        return next((each for each in self.browser.turns.values() if each.waiting), None)

    def changed(self) -> None:
        """Say that there is something new to show."""
        self.version += 1
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait(self, version: int, within: float) -> None:
        """Wait until there is something newer than `version`, `within` seconds at most."""
        if self.version > version:
            return
        event = self._event = self._event or anyio.Event()
        with anyio.move_on_after(within):
            await event.wait()
