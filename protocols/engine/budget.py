"""What a bounded seat may spend during a play. Spending is checked before and settled after."""

from __future__ import annotations

from collections.abc import Mapping

from moot.protocols.engine.errors import BudgetExceeded

MEASURES = ("reads", "queries", "calls", "tokens", "seconds", "reads_per_call")
PER_CALL = {"reads": "reads_per_call"}
"""Measures of a whole play, and those of a single call that go with them; the latter start at 0 with every call."""


class Account:
    """One seat's limits and spending in one branch of a play. Measures without a limit are counted all the same."""

    __slots__ = ("limits", "used")

    def __init__(self, limits: Mapping[str, int | float]) -> None:
        self.limits = dict(limits)
        self.used: dict[str, int | float] = {}

    def check(self, measure: str, amount: int | float) -> None:
        """Raise BudgetExceeded when `amount` more of `measure`, all for one call, would cross a limit."""
        each = PER_CALL.get(measure)
        if each is not None and (most := self.limits.get(each)) is not None and amount > most:
            raise BudgetExceeded(each, amount, most)
        limit = self.limits.get(measure)
        if limit is not None:
            would = self.used.get(measure, 0) + amount
            if would > limit:
                raise BudgetExceeded(measure, would, limit)

    def spend(self, measure: str, amount: int | float) -> None:
        """Check, then count."""
        self.check(measure, amount)
        self.used[measure] = self.used.get(measure, 0) + amount

    def left(self, measure: str) -> int | float | None:
        """What may still be spent; None when `measure` has no limit."""
        limit = self.limits.get(measure)
        return None if limit is None else limit - self.used.get(measure, 0)

    def split(self, parts: int) -> list[Account]:
        """Shares for branches that run at the same time: equal, fixed beforehand, so that no order of arrival matters."""
        share: dict[str, int | float] = {}
        for measure, limit in self.limits.items():
            left = limit - self.used.get(measure, 0)
            if measure not in PER_CALL.values():
                left = left // parts if isinstance(left, int) else left / parts
            share[measure] = left
        return [Account(share) for _ in range(parts)]

    def join(self, shares: list[Account]) -> None:
        """Take back what the branches did not spend."""
        for share in shares:
            for measure, amount in share.used.items():
                self.used[measure] = self.used.get(measure, 0) + amount
