"""Attempts to get an answer, what is noted of each, and how they can fail for good.
Rule: it notes and reads attempts; when one is made again is decided in `endpoint.py`, bytes are read in `wire.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moot.agents.models.wire import Completion, Prices, Usage
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError

TEXT_KEPT = 20_000  # characters kept of a rejected answer
T = TypeVar("T")


class Refused(AgentError):
    """The endpoint refused a request for good; `status` is the HTTP status and `said` its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


@dataclass(slots=True)
class Call:
    """The calls made for one request: how many attempts there were, what is noted with each, and who listens."""

    note: Callable[[dict[str, Any]], None]
    step: str = ""
    seed: int = 0
    labels: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    hangs: int = 0
    reserve: Callable[[], None] = lambda: None
    lost: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Attempt:
    """One attempt, and the single note that is made of it."""

    call: Call
    body: Mapping[str, Any]
    begun: float
    prices: Prices | None
    status: int | None = None

    def finish(self, completion: Completion, read: Callable[[Completion, dict[str, Any]], T]) -> T:
        extra: dict[str, Any] = {}
        try:
            result = read(completion, extra)
        except UnreadableAnswer as error:
            self.note(error=str(error), text=error.text or completion.text, completion=completion, **extra)
            raise
        self.note(completion=completion, **extra)
        return result

    def note(
        self, error: str | None = None, text: str | None = None, completion: Completion | None = None, **extra: Any
    ) -> None:
        usage, hit = (Usage(), False) if completion is None else (completion.usage, completion.cached)
        # what the endpoint refused to work on (400 to 499) was not worked on; what it failed at may have been, in part
        refused = self.status is not None and 400 <= self.status < 500
        usage = Usage(0, 0, 0) if refused else usage
        if completion is None and not refused:
            self.call.lost()  # it may have been worked on, and billed, all the same
        cost = 0.0 if hit or refused else self.prices.cost(usage) if self.prices is not None else None
        event = {
            "event": "attempted", "attempt": self.call.attempts, "model": self.body.get("model"), "ok": error is None,
            "status": self.status, "error": error, "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens, "cached_tokens": usage.cached_tokens, "cost": cost,
            "seconds": round(time.perf_counter() - self.begun, 6), **self.call.labels, "cached": hit, **extra,
        }  # fmt: skip
        if text is not None:
            kept = text.encode("utf-8", "replace").decode()
            more = f"… [cut: {len(kept):,} characters in all]" if len(kept) > TEXT_KEPT else ""
            event["text"] = kept[:TEXT_KEPT] + more
        self.call.note(event)
