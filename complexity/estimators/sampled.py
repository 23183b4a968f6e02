"""Estimators from rulings: on inputs that nature drew, with their strata, and on those that an adversary proposed.
Rule: what was ruled and nothing else; `unknown` is bad above and ok below."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import ClassVar

from moot.complexity.estimators.base import Estimator, missing
from moot.complexity.estimators.evidence import Evidence
from moot.complexity.pressure.bounds import clopper_pearson, importance
from moot.complexity.pressure.kinds import Bound, Kind, upper_of
from moot.protocols.engine.errors import UsageError

RULED = ("right-judge", "memoryless-model")
"""What rests on rulings: that they are right, and that the model does on an input what it does on it when nobody looks."""


class MonteCarlo(Estimator):
    """Held-out draws alone (Clopper and Pearson 1934): valid on both sides, and never below 1 - delta^(1 / draws)."""

    name: ClassVar[str] = "monte_carlo"
    gives: ClassVar[Kind] = "valid bound"

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        draws, bad, unknown = len(evidence.held_out), evidence.count("bad"), evidence.count("unknown")
        if not draws:
            raise UsageError("monte_carlo: no input was drawn; play with held_out of at least 1")
        above, below = clopper_pearson(bad + unknown, draws, delta), clopper_pearson(bad, draws, delta)
        return Bound(
            kind="valid bound", estimate=None if unknown else bad / draws, lower=below.lower, upper=above.upper, delta=delta,
            route="Clopper-Pearson of held-out draws", assumes=(*above.assumes, *RULED),
        )  # fmt: skip


class Tilted(Estimator):
    """Proposals with densities, weighted by importance: a lower bound by betting, whatever the adversary learnt on the way, as each
    density is that given all before. From above it says nothing: what the adversary never proposes is not in it."""

    name: ClassVar[str] = "tilted"
    gives: ClassVar[Kind] = "lower only"

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        weights = [each.weight for each in evidence.proposed if each.weight is not None]
        if missing := [each.step for each in evidence.proposed if each.weight is None]:
            raise UsageError(
                f"tilted: {len(missing)} of {len(evidence.proposed)} proposals have no density, the first at step {missing[0]}; the "
                "adversary states log_density and nature answers it, or leave this estimator out"
            )
        if not weights:
            raise UsageError("tilted: nothing was proposed; play with proposals of at least 1")
        found = importance(weights, [each.finding == "bad" for each in evidence.proposed], delta)
        # Capital is bet on one after another, and each weight is unbiased given those before: nothing need be independent.
        return found.model_copy(update={"assumes": ("right-weights", *RULED)})


class Proxy(Estimator):
    """Answers of a proxy in the model's seat, an unsafe prompt of the same model, weighed by how probable they are of the model itself: a lower
    bound, by betting. What the proxy never answers is not in it. With texts whose end is not among the tokens, that the model ends
    an answer there no less often than the proxy is one premise more."""

    name: ClassVar[str] = "proxy"
    gives: ClassVar[Kind] = "lower only"
    by_proxy: ClassVar[bool] = True

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        given = [(each.weight, each.finding == "bad") for each in evidence.held_out]
        if not given:
            raise UsageError("proxy: no input was drawn; play with held_out of at least 1")
        found = importance([weight or 0.0 for weight, _ in given], [hit for _, hit in given], delta)
        ends = ("ends-as-often",) if evidence.unended else ()
        return found.model_copy(update={"assumes": ("independent-draws", "right-weights", *ends, *RULED)})


class Cover(Estimator):
    """Strata that cover all inputs, of known probability: the sum over them of probability times an upper bound of the held-out draws
    that fell there, each at delta / strata; likewise below. Valid as, given how many fell where, they are independent draws of their stratum.
    It pays where strata differ and some were counted exactly, and cannot beat plain draws where nothing was hit.

    strata: name to probability, which sum to 1; by what they miss it both sides give way. known: of some, the exact probability of a
    violation in it (for instance 0, by enumeration). Raises UsageError on strata that are no distribution, on a draw of none of them, and
    on a ruling that what is known rules out.
    """

    name: ClassVar[str] = "cover"
    gives: ClassVar[Kind] = "valid bound"

    def __init__(self, strata: Mapping[str, float], known: Mapping[str, float] | None = None) -> None:
        for given in (strata, {} if known is None else known):
            if not isinstance(given, Mapping):
                raise UsageError(f"cover: strata are {given!r:.80}; give a mapping from names to probabilities")
        self.strata, self.known = dict(strata), dict(known or {})
        self.missing = missing(self.strata.values(), "cover")
        for name, p in self.known.items():
            if name not in self.strata or isinstance(p, bool) or not isinstance(p, Real) or not 0 <= p <= 1:
                raise UsageError(f"cover: {name!r:.60} is known to be {p!r:.60}; name a stratum, and a probability")

    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        strange = [each for each in evidence.held_out if each.text is not None and each.stratum not in self.strata]
        if strange:
            raise UsageError(
                f"cover: step {strange[0].step}: an input was drawn in stratum {strange[0].stratum!r}, which is none of "
                f"{', '.join(self.strata)}; nature says of each draw in which it lies"
            )
        ruled_out: dict[float, str] = {0: "bad", 1: "ok"}
        for each in evidence.held_out:
            if each.stratum in self.known and each.finding == ruled_out.get(self.known[each.stratum]):
                raise UsageError(
                    f"cover: step {each.step}: {each.finding} in stratum {each.stratum!r}, where a violation is known to have probability "
                    f"{self.known[each.stratum]:g}"
                )
        # What was never drawn may have been in any stratum.
        lost = sum(each.text is None for each in evidence.held_out)
        open_strata = [name for name in self.strata if name not in self.known]
        lower = upper = 0.0
        for name, share in self.strata.items():
            low = high = self.known.get(name, 0.0)
            if name not in self.known:
                low, high = self._within(name, evidence, lost, delta / len(open_strata))
            lower, upper = lower + share * low, upper + share * high
        sums = 1e-12  # what rounding of the sum may come to, as a share
        return Bound(
            kind="valid bound", lower=max(0.0, lower * (1 - sums) - self.missing), upper=min(1.0, upper * (1 + sums) + self.missing),
            delta=delta, route="Clopper-Pearson by strata",
            assumes=("independent-draws", "draws-fixed-beforehand", "right-strata", *(("known-strata",) if self.known else ()), *RULED),
        )  # fmt: skip

    def _within(self, name: str, evidence: Evidence, lost: int, delta: float) -> tuple[float, float]:
        here = [each.finding for each in evidence.held_out if each.text is not None and each.stratum == name]
        if not here or lost:  # how many would have fallen here is not known
            return 0.0, 1.0
        bad, unknown = here.count("bad"), here.count("unknown")
        below = clopper_pearson(bad, len(here), delta).lower
        return below or 0.0, upper_of(clopper_pearson(bad + unknown, len(here), delta))
