"""A gathered call, until what became of it is known. Rule: it holds, and knows neither files nor batches' states."""

from __future__ import annotations

import anyio

from moot.agents.models.batches.folder import Job
from moot.agents.models.batches.forms import Place, Result
from moot.agents.models.batches.turns import Standing, Unanswered


class Line:
    """A gathered call. raw: as it stands in a batch; job: in which; result: what became of it, or error."""

    __slots__ = ("error", "event", "id", "job", "place", "raw", "result", "stands", "where")

    def __init__(self, id: str, place: Place, where: tuple[str, str, str], raw: bytes) -> None:
        self.id, self.place, self.where, self.raw = id, place, where, raw
        self.job: Job | None = None
        self.result: Result | None = None
        self.error: Unanswered | None = None
        self.event, self.stands = anyio.Event(), Standing()

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None

    def end(self, result: Result | None = None, error: Unanswered | None = None) -> None:
        self.result, self.error = result, error
        self.stands.end()  # its play can move from now on
        self.event.set()
