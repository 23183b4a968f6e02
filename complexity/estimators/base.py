"""What an estimator is, and the one place where what it returns is held to what it declares.

Rule of this file: no estimator stands here; those from rulings are in `sampled.py`, those that look inside in `inside.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar

from moot.complexity.estimators.evidence import Evidence
from moot.complexity.pressure.bounds import level
from moot.complexity.pressure.kinds import Bound, Kind
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.registry import Named, find

WEAKER: Mapping[Kind, tuple[Kind, ...]] = {
    "exact": ("exact", "valid bound"),
    "valid bound": ("valid bound",),
    "lower only": ("lower only",),
    "none": ("none",),
}
"""What an estimator of a kind may return: the kind itself, and where it can be had only in part, a weaker one. None turns into a better."""


class Estimator(ABC, Named, kind="estimator"):
    """How probable it is that the model violates its specification on an input of nature's.

    name: what it is called. gives: of which kind what it returns is, at best. by_proxy: whether it reads the answers of a proxy; all others read
    those of the model that is meant. One of your own is a subclass with both (and an entry point
    of the group `moot.estimators`, where it comes with a package); without arguments it can be had by its name.
    """

    name: ClassVar[str]
    gives: ClassVar[Kind]
    by_proxy: ClassVar[bool] = False

    @abstractmethod
    def estimate(self, evidence: Evidence, delta: float) -> Bound:
        """The probability of a violation. An input that is unknown counts as bad above, and as ok below. delta: how probably a side may fail."""


def estimated(estimator: Estimator | str, evidence: Evidence, delta: float) -> Bound:
    """What an estimator, or the one that is called so, makes of the evidence. Raises UsageError where it claims a better kind than it
    declares, where it needs to be made with arguments, and on a delta outside (0, 1)."""
    level(delta)
    if isinstance(estimator, str):
        made = find("estimator", estimator)
        try:
            estimator = made()
        except TypeError as error:
            raise UsageError(
                f"the estimator {estimator} looks inside the model and needs arguments: give {made.__name__}(…), not its name ({error})"
            ) from None
    if not isinstance(estimator, Estimator):
        raise UsageError(f"an estimator is {estimator!r:.80}; give one, or the name of one")
    name = estimator.name
    if evidence.proxy and not estimator.by_proxy:
        raise UsageError(f"{name} reads answers of the model, and these are a proxy's: take the estimator proxy")
    if estimator.by_proxy and not evidence.proxy:
        raise UsageError(f"{name} weighs answers of a proxy: say with of=… which model is meant")
    found: Any = estimator.estimate(evidence, delta)
    if not isinstance(found, Bound):
        raise UsageError(f"the estimator {name} returned {found!r:.80}; it must return a Bound")
    fields = {field: getattr(found, field) for field in Bound.model_fields}
    bound = Bound(**{**fields, "route": found.route or name})  # its sides are looked at again
    if bound.kind not in WEAKER[estimator.gives]:
        raise UsageError(
            f"the estimator {name} declares {estimator.gives!r} and returned {bound.kind!r}; a figure is worth no more than its estimator declares"
        )
    return bound


def missing(shares: Iterable[float], name: str) -> float:
    """By how much probabilities that are to sum to 1 miss it: what no part of them accounts for may be anywhere, and is no rounding to an
    event that is rarer. Raises UsageError where they are none, or miss it by more than 1e-9."""
    given = [*shares]
    if not given or any(isinstance(each, bool) or not isinstance(each, Real) or not 0 <= each <= 1 for each in given):
        raise UsageError(f"{name}: the probabilities are {given!r:.200}; give numbers in [0, 1] that sum to 1")
    if (off := abs(math.fsum(given) - 1)) > 1e-9:
        raise UsageError(
            f"{name}: the probabilities of {len(given)} parts sum to {math.fsum(given)!r}; give all, to sum to 1"
        )
    return off
