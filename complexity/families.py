"""What the guarantees of plays at several n say together: a bound at one n says nothing of a family.
Rule: finished plays in, one record out; what a single play is worth is said in `guarantee.py`, how fits are made in `estimates.py`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from moot.complexity.estimates import Growth, growth
from moot.complexity.guarantee import Guarantee, guarantee_of
from moot.complexity.play import Play
from moot.protocols.engine.errors import UsageError

FEWEST = 3
"""Different n from which on a fit says anything."""


class FamilyGuarantee(BaseModel):
    """The guarantees of one protocol at several n, taken together.

    complexity_class: what every play decides at its own parameters; the protocol's own class where these grew with n, so
    that the classes of single plays differ. measure: as in `Guarantee`. sizes, used: n and the most spent at it, in order of n.
    fit: how `used` grows, the better of a polynomial and an exponential, with a 95 % interval; evidence, and no proof.
    stays_under: a polynomial that no play exceeded: the declared one where all plays declared the same, else c * n^k with
    the fitted degree rounded up. assumes: all that any of them assumes. plays: how many; holding: in how many the guarantee
    holds. holds: in all of them, under the same declared polynomial or with a polynomial as the better fit.
    """

    model_config = ConfigDict(frozen=True)
    protocol: str
    complexity_class: str | None
    measure: str
    sizes: tuple[int, ...]
    used: tuple[int | float, ...]
    fit: Growth
    stays_under: str | None
    assumes: tuple[str, ...]
    plays: int
    holding: int
    holds: bool
    because: str


def guarantee_over(transcripts: Iterable[Play]) -> FamilyGuarantee:
    """One guarantee over plays of a protocol at several n: what is spent is fitted against n, and a polynomial is named that it
    stays under. Raises UsageError on plays of different protocols or seats, at fewer than three n, or with unknown spending."""
    plays = list(transcripts)
    found = [guarantee_of(play) for play in plays]
    kinds = {(each.protocol, each.measure) for each in found}
    if len(kinds) != 1:
        raise UsageError(f"one guarantee is over plays of one protocol; these are {sorted(kinds) or 'none'}")
    ((protocol, measure),) = kinds
    most: dict[int, int | float] = {}
    for each in found:
        if each.used is None:
            raise UsageError(f"a play at n = {each.n} has unknown {measure}: {each.because}")
        most[each.n] = max(most.get(each.n, 0), each.used)
    if len(most) < FEWEST:
        raise UsageError(f"growth shows at {FEWEST} different n or more; these plays are at {sorted(most)}")
    sizes = tuple(sorted(most))
    used = tuple(most[n] for n in sizes)
    fit = growth(sizes, [max(1, amount) for amount in used])
    declared = {each.polynomial for each in found}
    common = next(iter(declared)) if len(declared) == 1 else None
    failing = next((each for each in found if not each.holds), None)
    if failing is not None:
        holds, because = False, f"at n = {failing.n}: {failing.because}"
    elif common is not None:
        holds, because = True, f"every play stayed under {common}, as was declared"
    elif fit.kind == "exponential":
        holds, because = False, f"no polynomial was declared for all of them, and {measure} grow like {fit}"
    else:
        holds, because = True, f"{measure} grow like {fit}; no polynomial was declared for all of them"
    if len({play.question.size for play in plays}) > 1 and common is None and len({each.budget for each in found}) == 1:
        because += "; the budget was the same number at every n"
    under = common if common is not None and failing is None else _above(fit, sizes, used)
    return FamilyGuarantee(
        protocol=protocol, complexity_class=_class(plays, found), measure=measure, sizes=sizes, used=used, fit=fit,
        stays_under=under, assumes=tuple(dict.fromkeys(name for each in found for name in each.assumes)),
        plays=len(found), holding=sum(each.holds for each in found), holds=holds, because=because,
    )  # fmt: skip


def _class(plays: Sequence[Play], found: Sequence[Guarantee]) -> str | None:
    """The class of all, or the protocol's own where parameters grew with n. Of classes that only differ, nothing is claimed."""
    by_size: dict[int, set[str | None]] = {}
    for each in found:
        by_size.setdefault(each.n, set()).add(each.complexity_class)
    classes = {name for names in by_size.values() for name in names}
    if len(classes) == 1:
        return classes.pop()
    if any(len(names) > 1 for names in by_size.values()):
        return None
    depths = [_depth(next(iter(by_size[n]))) for n in sorted(by_size)]
    grows = all(one is not None and other is not None and one < other for one, other in pairwise(depths))
    return plays[0].protocol.metadata().complexity_class if grows else None


def _depth(name: str | None) -> int | None:
    """The level of the polynomial hierarchy that a class is, or the one at which it stands; None for others."""
    known = {"P": 0, "NP": 1, "S2P": 1}
    found = re.fullmatch(r"Sigma(\d+)P", name or "")
    return int(found[1]) if found else known.get(name or "")


def _above(fit: Growth, sizes: Sequence[int], used: Sequence[int | float]) -> str | None:
    """The least c for which c * n^k is at least all that was spent, k the fitted degree rounded up; None where an exponential
    fits better."""
    if fit.kind == "exponential":
        return None
    degree = max(0, math.ceil(fit.rate - 1e-9))
    factor = max(1, math.ceil(max(amount / n**degree for n, amount in zip(sizes, used, strict=True)) - 1e-9))
    power = "" if degree == 0 else "n" if degree == 1 else f"n^{degree}"
    return str(factor) if not power else power if factor == 1 else f"{factor}*{power}"
