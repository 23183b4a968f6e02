"""What a seat may spend during a play, what one of its requests has spent of it, and what the seat holds of that.

Rule of this file: it counts and refuses, and knows nothing of views, moves or protocols.

    check, reserve    raise BudgetExceeded when so much more would cross a limit; nothing is counted
    charge            check, then count
    hold, settle      keep an upper bound free while a call is in flight, whatever others spend; then count what it took
    left, limit       what may still be spent, and what might be in all; None without a limit
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from moot.protocols.engine.errors import BudgetExceeded, UsageError, near

MEASURES = ("reads", "queries", "calls", "tokens", "seconds", "reads_per_call", "computes")
PER_CALL = {"reads": "reads_per_call"}
"""Measures of a whole play, and those of a single call that go with them; the latter start at 0 with every call."""
REPORTED = ("tokens", "queries", "computes")
"""Measures that an agent itself knows best, and counts; every other is the engine's to count."""
CELL = 64
"""Characters, of what somebody wrote, that one cell may hold."""
QUESTION = 2 * CELL
"""Characters of the one question that the measures of single calls include."""


def short(values: Iterable[object]) -> bool:
    """Whether these fields of a move hold so little that it fits a cell, whatever they are called."""
    length = 0
    for value in values:
        kind = type(value)
        if kind is str:
            length += len(value)  # type: ignore[arg-type]
        elif kind is int:
            if not -(10**8) < value < 10**8:  # type: ignore[operator]
                return False
            length += 8
        elif kind is float:
            length += 24
        elif kind is bool or value is None:
            length += 8
        else:
            return False
    return length < CELL


def beyond(*texts: str) -> int:
    """What texts cost beyond the cell that each may be already: one more for each further 64 characters."""
    over = 0
    for text in texts:
        if (size := len(text)) > CELL:
            over += (size - 1) // CELL
    return over


class Account:
    """One seat's limits and spending in one branch of a play. Measures without a limit are counted all the same. most: what one
    call may read now, kept, as looking at cells is all that some judges do."""

    __slots__ = ("limits", "used", "most")

    def __init__(self, limits: Mapping[str, int | float]) -> None:
        self.limits = dict(limits)
        self.used: dict[str, int | float] = {}
        self.most = min(self.limits.get("reads_per_call", math.inf), self.limits.get("reads", math.inf))

    def check(self, measure: str, amount: int | float) -> None:
        """Raise BudgetExceeded when `amount` more of `measure`, all for one call, would cross a limit, and UsageError when
        it is below 0, or no finite number."""
        if not 0 <= amount < math.inf:
            raise UsageError(f"{amount} {measure} cannot be charged: give a number of at least 0")
        each = PER_CALL.get(measure)
        if each is not None and (most := self.limits.get(each)) is not None and amount > most:
            raise BudgetExceeded(each, amount, most)
        limit = self.limits.get(measure)
        if limit is not None and (would := self.used.get(measure, 0) + amount) > limit:
            raise BudgetExceeded(measure, would, limit)

    def charge(self, measure: str, amount: int | float) -> None:
        """Check, then count."""
        self.check(measure, amount)
        self._count(measure, amount)

    def answered(self, reads: int) -> None:
        """Charge a call, and what was read for it. Raises like `check`."""
        if "calls" not in self.limits and 0 <= reads <= self.most:  # nothing can be refused
            used = self.used
            used["calls"] = used.get("calls", 0) + 1
            self._count("reads", reads)
            return
        self.charge("calls", 1)
        self.charge("reads", reads)

    def _count(self, measure: str, amount: int | float) -> None:
        used = self.used[measure] = self.used.get(measure, 0) + amount
        if measure == "reads" and amount:
            limits = self.limits
            self.most = min(limits.get("reads_per_call", math.inf), limits.get("reads", math.inf) - used)

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
                self._count(measure, amount)


def dealt(accounts: Mapping[str, Account], asking: Sequence[Set[str] | None]) -> list[dict[str, Account]]:
    """The accounts of branches that run at the same time, each with the seats that it may ask (None: all): every account
    in equal shares among those that may ask its seat."""
    shares: list[dict[str, Account]] = [{} for _ in asking]
    for seat, account in accounts.items():
        among = [own for own, seats in zip(shares, asking, strict=True) if seats is None or seat in seats]
        for own, share in zip(among, account.split(len(among)) if among else (), strict=True):
            own[seat] = share
    return shares


class Meter:
    """What one request spends, within what its seat's account still allows; without an account, without limits. It is the
    engine's: the seat is given a `Budget` of it.

    reads: in the question's unit. spent: of every other measure. The account is charged with both when the move is given;
    the meter is closed then, and nothing more is read or spent on it. most: what may be read on it in all, as of its
    beginning, since nobody else spends of an account while its seat is asked; below 0 once it is closed.
    refused: the first limit that it would have crossed. clock: told when the seat's time stands still (True), as it waits for a provider, when it goes on (False), and
    of seconds taken before.
    """

    reads = 0  # defaults stand in the class, as most requests change none but this one
    spent: Mapping[str, int] = MappingProxyType({})
    held: Mapping[str, int] = MappingProxyType({})
    clock: Callable[..., None] | None = None
    refused: BudgetExceeded | None = None
    closed = False
    _calls = _waits = 0
    _stands = False

    def __init__(self, account: Account | None = None) -> None:
        self.account = account
        self.most = math.inf if account is None else account.most

    def read(self, amount: int) -> None:
        """Charge what a view shows, before it shows it. Raises BudgetExceeded, and UsageError on a meter that is closed."""
        reads = self.reads + amount
        if reads > self.most:
            if self.closed:
                raise UsageError(
                    "this request has been answered: what it shows can be read no more; read the view of your own"
                )
            self._check("reads", reads)
        self.reads = reads

    def close(self) -> None:
        """Let nothing more be read or spent."""
        self.closed, self.most = True, -math.inf

    def reserve(self, measure: str, amount: int) -> None:
        """Check an upper bound (for instance the tokens of prompt and answer) before a call. Raises BudgetExceeded, and
        UsageError on a measure that is not the seat's to count, or what is no whole number of at least 0."""
        if measure not in REPORTED:
            own = f"; the engine counts {measure}" if measure in MEASURES else near(measure, REPORTED)
            raise UsageError(f"an agent reports {' and '.join(REPORTED)}, and no {measure!r}{own}")
        _whole(measure, amount)
        if self.closed:
            raise UsageError(f"this request has been answered: no {measure} are spent on it any more")
        self._check(measure, self._used(measure) + amount)

    def _check(self, measure: str, amount: int) -> None:
        if self.account is not None:
            try:
                self.account.check(measure, amount)
            except BudgetExceeded as error:
                self.refused = self.refused or error
                raise

    def charge(self, measure: str, amount: int) -> None:
        """Check, then count. Raises like `reserve`."""
        self.reserve(measure, amount)
        self.spent = {**self.spent, measure: self.spent.get(measure, 0) + amount}

    def hold(self, measure: str, amount: int) -> None:
        """Reserve an upper bound that stays reserved until it is settled: calls at the same time cannot overshoot together."""
        self.reserve(measure, amount)
        self.held = {**self.held, measure: self.held.get(measure, 0) + amount}

    def settle(self, measure: str, held: int, amount: int) -> None:
        """Give back what was held for a call and charge what it took. Raises UsageError on more than is held."""
        _whole(measure, held)
        if held > (all_held := self.held.get(measure, 0)):
            raise UsageError(f"{held} {measure} are to be settled, and {all_held} are held")
        if held:
            self.held = {**self.held, measure: all_held - held}
        self.charge(measure, amount)

    def calling(self) -> AbstractContextManager[None]:
        """A call to a provider. The time of a request with several calls stands only while all of them wait."""
        return _During(self, calls=1)

    def waiting(self) -> AbstractContextManager[None]:
        """A wait that a provider ordered, or for a place among the calls to it: no time of the seat's."""
        return _During(self, waits=1)

    def took(self, seconds: float) -> None:
        """Count so many seconds that this request took before the play broke off. Raises UsageError on no number of at least 0."""
        if not 0 <= seconds < math.inf:
            raise UsageError(f"{seconds} seconds cannot have been taken: give a number of at least 0")
        if self.clock is not None:
            self.clock(self._stands, seconds)

    def count(self, calls: int, waits: int) -> None:
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


class _During(AbstractContextManager[None]):
    """Calls, or waits, that are under way on a meter; a plain class, as one stands around every call."""

    __slots__ = ("_calls", "_meter", "_waits")

    def __init__(self, meter: Meter, calls: int = 0, waits: int = 0) -> None:
        self._meter, self._calls, self._waits = meter, calls, waits

    def __enter__(self) -> None:
        self._meter.count(self._calls, self._waits)

    def __exit__(self, *error: object) -> None:
        self._meter.count(-self._calls, -self._waits)


class Budget:
    """What a seat holds of a request's meter: `left` and `limit` to ask, `reserve`, `charge`, `hold` and `settle` to report
    what only it knows, its tokens and queries, and `calling` and `waiting` for calls to a provider, `took` for time before a break. What was counted can be
    read and not written."""

    __slots__ = ("_ask",)

    def __init__(self, meter: Meter | None = None) -> None:
        own = meter or Meter()

        def ask(what: str, *given: Any) -> Any:  # a closure: no attribute leads from here to the meter
            if what in _METHODS:
                return getattr(own, what)(*given)
            return (
                own.reads
                if what == "reads"
                else own.refused
                if what == "refused"
                else own.account is not None
                if what == "bounded"
                else dict(own.spent if what == "spent" else own.held)
            )

        self._ask = ask

    @property
    def reads(self) -> int:
        """What was read so far, in the question's unit."""
        return self._ask("reads")  # type: ignore[no-any-return]

    @property
    def spent(self) -> Mapping[str, int]:
        """What was spent so far of the other measures."""
        return MappingProxyType(self._ask("spent"))

    @property
    def held(self) -> Mapping[str, int]:
        """What is held for calls in flight."""
        return MappingProxyType(self._ask("held"))

    @property
    def refused(self) -> BudgetExceeded | None:
        """The first limit that this request would have crossed."""
        return self._ask("refused")  # type: ignore[no-any-return]

    @property
    def bounded(self) -> bool:
        """Whether the seat has a bound at all."""
        return self._ask("bounded")  # type: ignore[no-any-return]

    def left(self, measure: str) -> int | float | None:
        return self._ask("left", measure)  # type: ignore[no-any-return]

    def limit(self, measure: str) -> int | float | None:
        return self._ask("limit", measure)  # type: ignore[no-any-return]

    def reserve(self, measure: str, amount: int) -> None:
        self._ask("reserve", measure, amount)

    def charge(self, measure: str, amount: int) -> None:
        self._ask("charge", measure, amount)

    def hold(self, measure: str, amount: int) -> None:
        self._ask("hold", measure, amount)

    def settle(self, measure: str, held: int, amount: int) -> None:
        self._ask("settle", measure, held, amount)

    def calling(self) -> AbstractContextManager[None]:
        return self._ask("calling")  # type: ignore[no-any-return]

    def waiting(self) -> AbstractContextManager[None]:
        return self._ask("waiting")  # type: ignore[no-any-return]

    def took(self, seconds: float) -> None:
        self._ask("took", seconds)


for _name in (_METHODS := ("left", "limit", "reserve", "charge", "hold", "settle", "calling", "waiting", "took")):
    getattr(Budget, _name).__doc__ = getattr(Meter, _name).__doc__


def _whole(measure: str, amount: int) -> None:
    if type(amount) is not int or amount < 0:
        raise UsageError(f"{amount!r} {measure} cannot be charged: give a whole number of at least 0")
