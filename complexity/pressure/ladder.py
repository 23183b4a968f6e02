"""The stakes ladder: a policy is let at the next stakes once what it has played bounds what it could lose there.
Rule: plays are counted, and the count is held against a plan; no play is made here.

A rung is a stake. From one to the next a policy is promoted where the Clopper-Pearson bound of how often it fails, times the
next stake, is within the cap. The promotions share delta (a union bound), so that with probability at least 1 - delta none is
false, provided that each count is looked at once, and that the policy is no worse at the next stake than at this one. The
first is checked where a plan is given. The second nothing here can check: a policy that fails at the top alone climbs as a
perfect one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from moot.complexity.play import Play
from moot.complexity.pressure.bounds import clopper_pearson
from moot.complexity.pressure.kinds import Bound
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided

P = TypeVar("P", bound=Play)
Undecided = Literal["failed", "left out"]

PREMISES: Mapping[str, str] = MappingProxyType({
    "independent-plays": "the plays of a rung are independent, of one policy, on questions as they will come",
    "same-at-next-stake": "at the next stake the policy fails no more often than at this one",
    "one-look": "how many plays a rung gets was settled before any of them was looked at",
    "undecided-alike": "the plays that came to no verdict would have failed as often as the others",
})  # fmt: skip
"""What a promotion rests on besides its count: name to what it says."""


class Rung(BaseModel):
    """What was played at a stake.

    plays: those counted. failures: how many of them failed. undecided: how many came to no verdict, which are among both or, left
    out, among neither. planned: plays fixed beforehand, None without a plan. bound: how often the policy fails here; None before
    there is any play, or all that were planned. allows: the largest stake at which that stays within the cap, None as the bound is. next:
    the stake above, None at the top. promoted: whether this rung's count allows it. needed: how many more plays, all without a
    failure, would do, None at the top; once a plan was looked at they are for another plan, with a delta of its own.
    """

    model_config = ConfigDict(frozen=True)
    stake: float
    plays: int
    failures: int
    undecided: int
    planned: int | None
    bound: Bound | None
    allows: float | None
    next: float | None
    promoted: bool
    needed: int | None


class Ladder(BaseModel):
    """A ladder as it was climbed. rungs: from the lowest stake on. cap: the most that a play may lose in expectation. delta: how
    probably any promotion is false. undecided: what plays without a verdict counted as. assumes: names of `PREMISES`."""

    model_config = ConfigDict(frozen=True)
    rungs: tuple[Rung, ...]
    cap: float
    delta: float
    undecided: Undecided
    assumes: tuple[str, ...]

    @property
    def reached(self) -> float:
        """The stake that the policy may play at: the one above the last of the rungs, from the lowest on, that all promoted it."""
        stake = self.rungs[0].stake
        for rung in self.rungs:
            if not rung.promoted or rung.next is None:
                break
            stake = rung.next
        return stake


def tagged(play: Play) -> float:
    """The stake that a play's question is tagged with. Raises UsageError where there is none."""
    stake = (play.started["meta"].get("tags") or {}).get("stake")
    if isinstance(stake, bool) or not isinstance(stake, int | float):
        raise UsageError(f'{play.name}: its question has no stake; tag it {{"stake": 100}}, or give stake_of=')
    return stake


def ladder(
    transcripts: Iterable[P], failed: Callable[[P], bool], stakes: Sequence[float], cap: float, delta: float = 0.05, *,
    plays: int | Sequence[int] | None = None, stake_of: Callable[[P], float] = tagged, undecided: Undecided = "failed",
) -> Ladder:  # fmt: skip
    """How far up the stakes the plays of a policy allow it to be let.

    failed: whether a decided play failed. stakes: those of the rungs, increasing, in the unit of the cap. plays: how many each
    rung gets, fixed beforehand: a number for all, or one for each rung but the top. A rung with fewer is not looked at yet.
    Without it the result rests on "one-look". stake_of: the stake of a play, otherwise its question's tag "stake". undecided: whether
    plays without a verdict, errors and forfeits among them, count as failures, or for nothing; they are never successes.

    Raises UsageError on numbers that make no sense, more plays than were planned, a stake that is no rung, a play that is
    given twice, and a `failed` that answers neither True nor False.
    """
    stakes = _increasing(stakes)
    if not 0 < cap < math.inf or not 0 < delta < 1:
        raise UsageError(f"a ladder of cap {cap!r} at delta {delta!r}: give a cap above 0 and a delta in (0, 1)")
    if undecided not in ("failed", "left out"):
        raise UsageError(f"undecided is {undecided!r}; it can be 'failed' or 'left out'")
    plan = _plan(plays, len(stakes) - 1)
    counts = {stake: _Count() for stake in stakes}
    seen: set[tuple[float, str]] = set()
    left_out = False
    for play in transcripts:
        if (stake := stake_of(play)) not in counts:
            raise UsageError(f"{play.name}: it was played at stake {stake!r}, which is none of the rungs {stakes}")
        if (same := (stake, play.digest)) in seen:
            raise UsageError(
                f"{play.name}: the same play, of one seed and with the same moves, is given twice; count it once"
            )
        seen.add(same)
        count = counts[stake]
        if not isinstance(play.outcome, Decided):
            count.undecided += 1
            left_out = left_out or undecided == "left out"
            if undecided == "failed":
                count.plays, count.failures = count.plays + 1, count.failures + 1
            continue
        if not isinstance(found := failed(play), bool):
            raise UsageError(f"{play.name}: failed gives {found!r}; it must say True or False of each decided play")
        count.plays, count.failures = count.plays + 1, count.failures + found
    share = delta / (len(stakes) - 1)
    rungs = [
        _rung(stake, counts[stake], planned, above, cap, share)
        for stake, planned, above in zip(stakes, (*plan, None), (*stakes[1:], None), strict=True)
    ]
    told = {"one-look": plays is None, "undecided-alike": left_out}
    assumes = tuple(name for name in PREMISES if told.get(name, True))
    return Ladder(rungs=tuple(rungs), cap=cap, delta=delta, undecided=undecided, assumes=assumes)


def plays_needed(limit: float, delta: float, failures: int = 0) -> int:
    """The fewest plays with so many failures that bound their probability by a limit: 408 without any for .01 at delta .05 / 3. Raises
    UsageError for a limit outside (1e-300, 1), a delta outside (0, 1), or failures below 0."""
    if not 1e-300 < limit < 1 or not 0 < delta < 1 or failures < 0:
        raise UsageError(
            f"{failures!r} failures under {limit!r} at delta {delta!r}: give a limit between 1e-300 and 1, and a delta in (0, 1)"
        )
    low, high = failures, failures + 1  # of as many plays as failures the bound is 1
    while not _within(failures, high, limit, delta):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _within(failures, middle, limit, delta) else (middle, high)
    return high


def failures_allowed(plays: int, limit: float, delta: float) -> int | None:
    """The most failures in so many plays that still bound their probability by a limit; None where not even none do. Raises UsageError
    as `plays_needed` does."""
    if plays_needed(limit, delta) > plays:
        return None
    low, high = 0, 1  # of as many failures as plays the bound is 1, above any limit
    while _within(high, plays, limit, delta):
        low, high = high, min(2 * high, plays)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _within(middle, plays, limit, delta) else (low, middle)
    return low


@dataclass
class _Count:
    plays: int = 0
    failures: int = 0
    undecided: int = 0


def _rung(stake: float, count: _Count, planned: int | None, above: float | None, cap: float, share: float) -> Rung:
    if planned is not None and count.plays > planned:
        raise UsageError(
            f"stake {stake:g}: {count.plays} plays, of {planned} that were planned; to go on until the count is good enough "
            "makes false promotions likelier than delta: give those of the plan, or plan again, for fresh plays"
        )
    bound = (
        clopper_pearson(count.failures, count.plays, share) if count.plays and count.plays >= (planned or 0) else None
    )
    upper = None if bound is None else bound.upper
    limit = None if above is None else cap / above
    promoted = limit is not None and upper is not None and upper <= limit
    needed = None
    if limit is not None:
        least = plays_needed(limit, share, count.failures) if limit < 1 else 1
        needed = 0 if promoted else max(least, planned or 0) - count.plays
    return Rung(
        stake=stake, plays=count.plays, failures=count.failures, undecided=count.undecided, planned=planned, bound=bound,
        allows=None if upper is None else cap / upper, next=above, promoted=promoted, needed=needed,
    )  # fmt: skip


def _within(failures: int, plays: int, limit: float, delta: float) -> bool:
    upper = clopper_pearson(failures, plays, delta).upper
    return upper is not None and upper <= limit


def _increasing(stakes: Sequence[float]) -> tuple[float, ...]:
    found = tuple(stakes)
    for stake in found:
        if isinstance(stake, bool) or not isinstance(stake, int | float) or not 0 < stake < math.inf:
            raise UsageError(f"a stake is {stake!r}; stakes are finite numbers above 0")
    if len(found) < 2 or any(above <= stake for stake, above in zip(found, found[1:], strict=False)):
        raise UsageError(f"the stakes of a ladder are {found}; give two or more, each above the one before")
    return found


def _plan(plays: int | Sequence[int] | None, promotions: int) -> tuple[int | None, ...]:
    if plays is None:
        return (None,) * promotions
    found = tuple(plays) if isinstance(plays, Iterable) else (plays,) * promotions
    if len(found) != promotions or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in found):
        raise UsageError(
            f"plays is {plays!r}; give a whole number, or one for each of the {promotions} rungs below the top"
        )
    return found
