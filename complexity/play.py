"""A play as accounting and display read it: by structure, so that both stand below the transcripts that are read.

Rule of this file: only what a fold over a recorded play needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Protocol as Structural

from moot.complexity.spending import Ledger
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.outcomes import Outcome
from moot.protocols.engine.question import Question, Sample

ROOT = "q"


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded move. `move` is its JSON form as it went on the record; `raw` as it was given, where that differs. remark: the
    rule that it breaks, which another system let pass."""

    step: str
    seat: str
    move: Mapping[str, Any]
    raw: Mapping[str, Any] | None
    under: str | None
    relation: str | None
    size: int
    request: str
    reads: int
    remark: str | None = None


def reads_in(event: Mapping[str, Any]) -> int | None:
    """What a seat read for a recorded answer, or before it failed; None where nobody counted."""
    reads: int | None = event.get("reads", event["meta"].get("reads"))
    return reads


class Play(Structural):
    """What was recorded of one play; `moot.Transcript` is one."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def started(self) -> dict[str, Any]: ...
    @property
    def question(self) -> Question: ...
    @property
    def sample(self) -> Sample: ...
    @property
    def protocol(self) -> Protocol: ...
    @property
    def seed(self) -> int: ...
    @property
    def bounds(self) -> dict[str, dict[str, int | float]]: ...
    @property
    def seats(self) -> dict[str, Any]: ...
    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def digest(self) -> str: ...
    @property
    def ledger(self) -> Ledger: ...
    def events(self) -> Iterator[dict[str, Any]]: ...
    def steps(self) -> Iterator[Step]: ...


def path_of(step: str) -> tuple[int, ...]:
    """A step's path as numbers, for ordering: "2.0.1" is (2, 0, 1)."""
    return tuple(map(int, step.split(".")))


class Scopes:
    """The sub-plays of a play, by the steps at which they began. Both methods take time linear in the length of the step, however
    many sub-plays there are, and of what depth: a file may name steps of thousands of parts."""

    def __init__(self) -> None:
        self._steps: set[str] = set()
        self._marks: set[int] = set()  # hashes of these steps, each part's upon that of the parts before it

    def add(self, step: str) -> None:
        self._steps.add(step)
        mark = 0
        for part in step.split("."):
            mark = hash((mark, part))
        self._marks.add(mark)

    def of(self, step: str) -> str:
        """The innermost sub-play that a step belongs to, by its own step; the root question when to none."""
        marks, mark, end = self._marks, 0, -1
        found: list[int] = []  # where the names of those that it may belong to end
        for part in step.split(".")[:-1]:
            end += len(part) + 1
            if (mark := hash((mark, part))) in marks:
                found.append(end)
        while found:
            if (scope := step[: found.pop()]) in self._steps:
                return scope
        return ROOT
