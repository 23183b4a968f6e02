"""The ratchet: a candidate takes the place of what there is only where a fresh bound on its risk and its capability both allow it.
Rule: candidates may be anything; what they do is told by callbacks, and no numpy is needed.

The k-th look at a held-out sample may fail with probability delta_k = 6 delta / (pi^2 k^2); these sum to delta, so that with probability
1 - delta no bound that was ever looked at is false, however the candidates were chosen from what earlier looks showed (a union
bound). Each sample is looked at once. What the specification leaves unknown counts as a failure.

Sampling stalls: no sample of N draws bounds anything below 1 - delta_k^(1 / N) (`black_box_floor`), and this grows with every look.
Where it lies above the limit, a candidate is rejected without a look, and says how many draws would do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from numbers import Real
from typing import Any, Protocol

from moot.agents.wrappers.snapshot import Snapshot
from moot.complexity.pressure.bounds import black_box_floor, clopper_pearson
from moot.complexity.pressure.certificate import Certificate
from moot.complexity.pressure.kinds import Bound, upper_of
from moot.protocols.engine.errors import UsageError

Certified = Certificate | Bound | float

_bound = lru_cache(4096)(clopper_pearson)


class Sample(Sized, Iterable[Any], Protocol):
    """Held-out draws: a list, or an array whose rows they are."""


@dataclass(frozen=True)
class Decision:
    """What became of a candidate. accepted: whether it took the place of the one before. why: what spoke against it, nothing where
    it was accepted. capability: what it was measured at. look: the number of the look at held-out draws, None where there was none. delta: what the
    look may fail with. held_out: the bound from it. certified: what is certified of the candidate as it is used: by the ledger where there is
    one. floor: what no sample of this size could have been below. needed: so many draws without a failure would be
    enough at this look."""

    accepted: bool
    why: tuple[str, ...]
    capability: float
    look: int | None
    delta: float
    held_out: Bound | None
    certified: float | None
    floor: float
    needed: int


class Ratchet:
    """current: a copy of what was accepted last, as it was offered; at first of the start, of which nothing is certified. certified: what
    is of the current one, None at first. decisions: all of them. looks: how many samples were looked at.

    limit: the most that a candidate's risk may be certified at, in (0, 1). fails: of each held-out input whether the candidate violates
    the specification on it, None where that is unknown; a candidate that acts at random is to be drawn from. capability: how good a candidate
    is. least: what it has to be at least. pressure: what is certified of a candidate, as it is used, from the bound on its failures: a ledger's
    certificate (`moot.pressure(play, candidate, event=bound).certificate`), a bound or a number; None where it is used as it
    was held out. delta: how probably any certificate is false for the draws that were held out. Each callback is given a copy of its own,
    so that nothing that moves later, or there, is taken for what was certified.

    Raises UsageError without a measure of capability, since what never does anything never fails, on a limit or delta outside (0, 1), and
    on what cannot be copied.
    """

    def __init__(
        self, start: Any, *, limit: float, fails: Callable[[Any, Any], Iterable[bool | None]], least: float,
        pressure: Callable[[Any, Bound], Certified] | None, capability: Callable[[Any], float] | None = None, delta: float = 0.05,
    ) -> None:  # fmt: skip
        if capability is None or not callable(capability):
            raise UsageError(
                "a ratchet takes a measure of capability: without one it accepts a model that does nothing; give "
                "capability=, and least="
            )
        self._capability, self._fails, self._pressure = capability, fails, pressure
        self.limit, self.least, self.delta = _chance(limit, "limit"), _real(least, "least"), _chance(delta, "delta")
        self._kept = Snapshot(start)
        self.certified: float | None = None
        self.decisions, self.looks = list[Decision](), 0
        self._seen, self._seeds = set[str](), set[Any]()

    @property
    def current(self) -> Any:
        found: Any = self._kept.fresh()
        return found

    def tighten(self, limit: float) -> None:
        """From now on no more than this is allowed. A ratchet does not go back: UsageError above the limit that there is."""
        if _chance(limit, "limit") > self.limit:
            raise UsageError(
                f"a limit of {limit:g} is above {self.limit:g}; a ratchet is tightened, and never loosened"
            )
        self.limit = limit

    def offer(self, candidate: Any, inputs: Sample, seed: Any = None) -> Decision:
        """Decide on a candidate. inputs: fresh draws from the law that it will meet, independent of the candidate and of all that
        chose it. seed: what they were drawn with, where there is one. Whoever is not accepted is let go: `current` stays.

        Raises UsageError on inputs, in whatever order, or a seed that an earlier look had; on a certificate that holds nothing from above, is of
        an event less probable than the held-out bound, or spends a delta of its own; and on what the callbacks give that is not what they are to
        give. Then nothing was decided; a sample that was looked at stays so, and its share of delta is spent."""
        try:
            draws, known = len(inputs), seed is not None and seed in self._seeds
        except TypeError as error:
            raise UsageError(
                f"the held-out draws or their seed: {error}; give a list or an array, and a number"
            ) from None
        if known:
            raise UsageError(f"the held-out draws have the seed {seed!r}, which an earlier look had; draw anew")
        kept = Snapshot(candidate)
        capability = _real(self._capability(kept.fresh()), "the capability of a candidate")
        share = delta_of(self.delta, self.looks + 1)
        floor, needed = black_box_floor(draws, share), draws_needed(self.limit, share)
        why = [] if capability >= self.least else [f"its capability is {capability:g}, of {self.least:g} at least"]
        if floor > self.limit:
            why.append(
                f"sampling stalls: no {draws:,} draws bound anything below {floor:.4g} at look {self.looks + 1}, and the "
                f"limit is {self.limit:g}; {needed:,} without a failure would do"
            )
        if why:
            return self._decided(Decision(False, tuple(why), capability, None, share, None, None, floor, needed))
        if (digest := digest_of(inputs)) in self._seen:
            raise UsageError("the held-out draws are those of an earlier look; draw anew, with another seed")
        self.looks += 1
        look = self.looks
        self._seen.add(digest)
        if seed is not None:
            self._seeds.add(seed)
        found = _bound(_failures(self._fails(kept.fresh(), inputs), draws), draws, share)
        held = upper_of(found)
        if held > self.limit:
            why.append(f"its risk may be {held:.4g} by {draws:,} held-out draws, and the limit is {self.limit:g}")
        certified, refused = (
            (held, ()) if self._pressure is None else _certified(self._pressure(kept.fresh(), found), found)
        )
        if certified is None:
            why.append(f"the ledger certifies nothing: {'; '.join(refused)}")
        elif certified > self.limit >= held:
            why.append(f"as it is used its risk may be {certified:.4g}, and the limit is {self.limit:g}")
        decision = Decision(not why, tuple(why), capability, look, share, found, certified, floor, needed)
        if decision.accepted:
            self._kept, self.certified = kept, certified
        return self._decided(decision)

    def _decided(self, decision: Decision) -> Decision:
        self.decisions.append(decision)
        return decision


def delta_of(delta: float, look: int) -> float:
    """What the look of this number, from 1 on, may fail with: 6 delta / (pi look)^2."""
    return 6 * delta / (math.pi * look) ** 2


def draws_needed(limit: float, share: float) -> int:
    """So many draws without a failure bound the risk by the limit, at this delta: 1 - share^(1 / draws) <= limit."""
    least = max(1, math.ceil(math.log(share) / math.log1p(-limit)) - 1)
    return least if black_box_floor(least, share) <= limit else least + 1


def digest_of(inputs: Iterable[Any]) -> str:
    """A sample's digest, the same in whatever order it is given, and of numpy's numbers as of Python's. UsageError on draws that nothing
    tells apart but where they are in memory."""
    return sha256(b"".join(b"%d:%s" % (len(each), each) for each in sorted(map(_bytes, inputs)))).hexdigest()


def _bytes(draw: Any) -> bytes:
    return repr(_plain(draw)).encode("utf-8", "surrogatepass")


def _plain(draw: Any) -> Any:
    """A draw with lists for arrays and tuples, and Python's numbers for others."""
    if hasattr(draw, "tolist"):
        listed = draw.tolist()
        return _plain(listed) if getattr(getattr(draw, "dtype", None), "hasobject", False) else listed
    if isinstance(draw, (list, tuple)):
        return [*map(_plain, draw)]
    kind: Any = type(draw)
    if kind.__repr__ is object.__repr__:
        name = kind.__name__
        raise UsageError(f"held-out draws of {name} do not say what they are: give {name} a __repr__")
    return draw.rstrip("\0") if isinstance(draw, str) else draw  # as numpy's texts cannot end in nulls


def _failures(verdicts: Iterable[bool | None], draws: int) -> int:
    found = [*verdicts]
    if len(found) != draws or any(each is not None and each not in (False, True) for each in found):
        raise UsageError(f"fails gives {len(found)} verdicts for {draws} inputs; give True, False or None for each")
    return sum(each is None or bool(each) for each in found)


def _certified(found: Certified, held: Bound) -> tuple[float | None, tuple[str, ...]]:
    share, own = held.delta or 0.0, found.delta if isinstance(found, (Certificate, Bound)) else None
    upper = found.upper if isinstance(found, Certificate) else upper_of(found) if isinstance(found, Bound) else found
    if own is not None and not own <= share:
        raise UsageError(
            f"what the ledger certifies may fail with {own:g}, and this look with {share:g}: make it from the held-out bound"
        )
    if isinstance(found, Certificate):
        if not found.event >= upper_of(held):
            raise UsageError(
                f"the certificate is of an event of probability {found.event:g}, which by the held-out draws may be {upper_of(held):g}; "
                "give the held-out bound as its event"
            )
        if upper is None:
            return None, found.refused
    upper = _real(upper, "what the ledger certifies")
    if not 0 <= upper <= 1:
        raise UsageError(f"what the ledger certifies is {upper!r}; a risk lies in [0, 1]")
    return upper, ()


def _real(number: Any, name: str) -> float:
    if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
        raise UsageError(f"{name} is {number!r:.80}; give a finite number")
    return float(number)


def _chance(number: float, name: str) -> float:
    if not 0 < _real(number, name) < 1:
        raise UsageError(f"{name} is {number!r}; it lies strictly between 0 and 1")
    return number
