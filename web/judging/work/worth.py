"""What plays with people came to: who sat in them, how they ended, what is paid for them. Read from their transcripts.

Rule of this file: None is unknown, and never 0. Who may be told is said elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moot.complexity.reward import correct, judge_reward
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.outcomes import Decided
from moot.studies.rows import FINAL
from moot.transcripts.index import ended_at
from moot.transcripts.transcript import Transcript
from moot.web.judging.rules import Pay
from moot.web.judging.work.desk import items_of, people_of


@dataclass
class Found:
    """What a transcript says. people: seat to person; outcome: its kind, None while it has not ended; judge: the seat whose reward is meant."""

    path: Path
    people: dict[str, str] = field(default_factory=dict)
    items: frozenset[str] = frozenset()
    outcome: str | None = None
    judge: str | None = None
    problem: str | None = None
    reward: float | None = None
    right: bool | None = None
    scored: bool = False


class Worth:
    """The plays that people sit in, by key."""

    def __init__(self, pay: Pay | None) -> None:
        self.pay = pay
        self.plays: dict[str, Found] = {}
        self._whose: dict[str, dict[str, None]] = {}

    def read(self, key: str, path: Path) -> Found:
        """Read a transcript as far as its first and last event."""
        found = self.plays[key] = found_in(path)
        for person in found.people.values():
            self._whose.setdefault(person, {})[key] = None
        return found

    def of(self, person: str) -> list[Found]:
        """The plays of a person that have ended for good."""
        return [each for key in self._whose.get(person, ()) if (each := self.plays[key]).outcome in FINAL]

    def paid(self, person: str) -> tuple[float | None, int]:
        """What a person has earned as far as it is known, and of how many plays it is not. None without a rule of payment."""
        known = [paid_for(self.pay, each, person) for each in self.of(person)]
        if self.pay is None:
            return None, 0
        return sum(each for each in known if each is not None), known.count(None)


def found_in(path: Path) -> Found:
    """What a transcript says, as far as it can be read."""
    found = Found(path)
    try:
        found.outcome = ended_at(path)
        play = Transcript(path=path)
        found.people = {seat: name for seat, name in people_of(play.seats).items() if name is not None}
        found.items = items_of(play.question)
        roles = play.started["roles"]
        found.judge = next((seat for seat, role in roles.items() if role == play.protocol.judge), None)
    except (MootError, OSError) as error:
        found.problem = str(error)
    return found


def scored(found: Found) -> Found:
    """The same with its reward and whether it is right, read once: as far as the truth is to be had."""
    if not found.scored and found.outcome is not None:
        found.scored = True
        try:
            play = Transcript(path=found.path)
            found.reward, found.right = judge_reward(play), correct(play)
        except (MootError, OSError) as error:
            found.problem = str(error)
    return found


def paid_for(pay: Pay | None, found: Found, person: str) -> float | None:
    """What a person is paid for a play; None where that is not known: no truth, no verdict, or another seat than the judge's."""
    if pay is None or found.judge is None or found.people.get(found.judge) != person:
        return None
    reward = scored(found).reward
    return None if reward is None else pay.of(reward)


def feedback_of(play: Transcript, seat: str, pay: Pay | None) -> dict[str, Any]:
    """{"truth": the place of the right choice, "choices", "belief": probabilities, "reward", "paid"}; what is not known is None."""
    outcome = play.outcome
    roles = play.started["roles"]
    judged = isinstance(outcome, Decided) and roles.get(seat) == play.protocol.judge
    try:
        truth, reward = play.sample.unseal(), judge_reward(play) if judged else None
    except (MootError, OSError):
        truth, reward = None, None
    return {
        "truth": truth,
        "choices": list(play.question.choices),
        "belief": list(outcome.verdict.probabilities) if judged and isinstance(outcome, Decided) else None,
        "reward": reward,
        "paid": None if pay is None or reward is None else pay.of(reward),
    }
