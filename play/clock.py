"""The time that a seat takes, without what a provider makes it wait.
Rule: it measures one request, and moves the deadline that hangs on it; what is too long, the driver says.
"""

from __future__ import annotations

import math
import time

import anyio


class Clock:
    """The time that a seat takes to answer one request. It stands while a provider has the call wait, and a deadline that
    hangs on it moves along. before: what the call itself took, before there was anything to await, and what
    it had taken before the play broke off."""

    __slots__ = ("before", "waited", "scope", "_begun", "_stood", "_left")

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.waited = before, 0.0
        self.scope: anyio.CancelScope | None = None
        self._begun = time.perf_counter()
        self._stood: float | None = None
        self._left = math.inf

    def __call__(self, stands: bool, before: float = 0.0) -> None:
        if before:
            self.before += before
            self._left -= before
            if self.scope is not None:
                self.scope.deadline -= before
            return
        now = time.perf_counter()
        if stands:
            self._stood = now
            if self.scope is not None:
                self._left, self.scope.deadline = self.scope.deadline - anyio.current_time(), math.inf
        elif self._stood is not None:
            self.waited, self._stood = self.waited + now - self._stood, None
            if self.scope is not None:
                self.scope.deadline = anyio.current_time() + self._left

    @property
    def seconds(self) -> float:
        """What was taken so far, without what was waited."""
        now = time.perf_counter() if self._stood is None else self._stood
        return self.before + max(0.0, now - self._begun - self.waited)  # differences are rounded
