"""What a seat may spend during a play, and what one of its requests has spent of it.

Rule of this file: it counts and refuses, and knows nothing of views, moves or protocols.

    check, reserve    raise BudgetExceeded when so much more would cross a limit; nothing is counted
    charge            check, then count
    hold, settle      keep an upper bound free while a call is in flight, whatever others spend; then count what it took
    left, limit       what may still be spent, and what might be in all; None without a limit
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from moot.protocols.engine.errors import BudgetExceeded, UsageError

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
        if limit is not None and (would := self.used.get(measure, 0) + amount) > limit:
            raise BudgetExceeded(measure, would, limit)

    def charge(self, measure: str, amount: int | float) -> None:
        """Check, then count."""
        self.check(measure, amount)
        self.used[measure] = self.used.get(measure, 0) + amount

    def left(self, measure: str) -> int | float | None:
        """What may still be spent; None when `measure` has no limit."""
        limit = self.limits.get(measure)
        return None if limit is None else limit - self.used.get(measure, 0)

    def split(self, parts: int) -> list[Account]:
        """Shares for branches that run at the same time: equal, fixed beforehand, so that no order of arrival matters."""
        share = {measure: limit - self.used.get(measure, 0) for measure, limit in self.limits.items()}
        for measure, left in share.items():
            if measure not in PER_CALL.values():
                share[measure] = left // parts if isinstance(left, int) else left / parts
        return [Account(share) for _ in range(parts)]

    def join(self, shares: list[Account]) -> None:
        """Take back what the branches did not spend."""
        for share in shares:
            for measure, amount in share.used.items():
                self.used[measure] = self.used.get(measure, 0) + amount


class Meter:
    """What one request spends, within what its seat's account still allows; without an account, without limits.

    reads: in the question's unit. spent: of every other measure. The account is charged with both when the move is given.
    clock: told when the seat's time stands still (True), as it waits for a provider, and when it goes on (False).
    """

    __slots__ = ("_calls", "_stands", "_waits", "account", "clock", "held", "reads", "spent")

    def __init__(self, account: Account | None = None) -> None:
        self.account = account
        self.reads = 0
        self.spent: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.clock: Callable[[bool], None] | None = None
        self._calls = self._waits = 0
        self._stands = False

    def reserve(self, measure: str, amount: int) -> None:
        """Check an upper bound (for instance the tokens of prompt and answer) before a call. Raises BudgetExceeded."""
        if self.account is not None:
            self.account.check(measure, self._used(measure) + amount)

    def charge(self, measure: str, amount: int) -> None:
        """Check, then count. Raises BudgetExceeded; a view charges what it shows before it shows it."""
        self.reserve(measure, amount)
        if measure == "reads":
            self.reads += amount
        else:
            self.spent[measure] = self.spent.get(measure, 0) + amount

    def hold(self, measure: str, amount: int) -> None:
        """Reserve an upper bound that stays reserved until it is settled: calls at the same time cannot overshoot together."""
        self.reserve(measure, amount)
        self.held[measure] = self.held.get(measure, 0) + amount

    def settle(self, measure: str, held: int, amount: int) -> None:
        """Give back what was held for a call and charge what it took."""
        self.held[measure] = self.held.get(measure, 0) - held
        self.charge(measure, amount)

    def calling(self) -> AbstractContextManager[None]:
        """A call to a provider. The time of a request with several calls stands only while all of them wait."""
        return self._during(calls=1)

    def waiting(self) -> AbstractContextManager[None]:
        """A wait that a provider ordered, or for a place among the calls to it: no time of the seat's."""
        return self._during(waits=1)

    @contextmanager
    def _during(self, calls: int = 0, waits: int = 0) -> Iterator[None]:
        self._count(calls, waits)
        try:
            yield
        finally:
            self._count(-calls, -waits)

    def _count(self, calls: int, waits: int) -> None:
        self._calls += calls
        self._waits += waits
        stands = self._waits > 0 and self._waits >= self._calls
        if stands != self._stands:
            self._stands = stands
            if self.clock is not None:
                self.clock(stands)

    def left(self, measure: str) -> int | float | None:
        """What this request may still spend ("seconds": as of its beginning; "calls": this one counts); None when nothing
        limits it. Raises UsageError when there is no such measure."""
        limit = self.limit(measure)
        if limit is None or self.account is None:
            return None
        whole = next((play for play, call in PER_CALL.items() if call == measure), measure)
        return limit - self.account.used.get(measure, 0) - self._used(whole)

    def limit(self, measure: str) -> int | float | None:
        """What the seat may spend in all, in this branch of the play; None when nothing limits it. Raises like `left`."""
        if measure not in MEASURES:
            raise UsageError(f"no measure is called {measure!r}; there are {', '.join(MEASURES)}")
        return None if self.account is None else self.account.limits.get(measure)

    def _used(self, measure: str) -> int:
        return self.reads if measure == "reads" else self.spent.get(measure, 0) + self.held.get(measure, 0)
