"""A play as accounting and display read it: by structure, so that both stand below the transcripts that are read.

Rule of this file: only what a fold over a recorded play needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


def scope_of(step: str, scopes: Iterable[str]) -> str:
    """The innermost sub-play that `step` belongs to, by its own step; the root question when to none."""
    inside = [scope for scope in scopes if step.startswith(scope + ".")]
    return max(inside, key=len) if inside else ROOT
