"""Whether an argument hinges on small errors in the probabilities of its parts.
Rule: it computes; nothing here plays, and no move or view is known.

Brown-Cohen, Irving and Piliouras 2025 (arXiv 2506.13609, theorem 6.1) show that an honest prover wins where it does not:
(epsilon, rho)-stability. What is measured here is moot's own form of it, stated in full below, and is computed from the true
answers of the parts: it is a property of an instance. Compactness and A-provability (Irving) are not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from moot.protocols.engine.errors import UsageError


@dataclass(frozen=True)
class Rests:
    """A right claim and how it rests on its parts: a fold over them, from the first to the last.

    parts: for each whether it holds in truth. start: the state before the first; fold: the state after one more part, which
    holds or does not; right: whether the claim is right in the state after the last. States are hashable.
    """

    name: str
    parts: tuple[bool, ...]
    start: Hashable
    fold: Callable[[Any, bool], Hashable]
    right: Callable[[Any], bool]

    def value(self, parts: Sequence[bool]) -> bool:
        """Whether the claim comes out right when the parts hold as given."""
        state = self.start
        for part in parts:
            state = self.fold(state, part)
        return self.right(state)


@dataclass(frozen=True)
class Stability:
    """What was measured of the right claims of an instance, under errors of at most epsilon.

    shifts: for each claim the greatest probability with which coins make it come out wrong. gain: the largest factor by
    which an error grows on its way up, shift / epsilon (None when epsilon is 0). unstable: the share of claims that shift by
    more than epsilon; flipped: of those that come out wrong with probability 1/2 or more. holds: whether unstable <= rho.
    """

    epsilon: float
    rho: float
    shifts: tuple[float, ...]
    gain: float | None
    unstable: float
    flipped: float
    holds: bool


def shift(claim: Rests, epsilon: float) -> float:
    """The greatest probability that a right claim comes out wrong when every estimate errs by at most epsilon.

    Each estimate is the probability that a part holds, given the coins of the parts before it, and lies within epsilon of
    the truth, 0 or 1. The worst estimator is found by backward induction over parts and states; since the probability is
    linear in each estimate, it errs by 0 or by epsilon. UsageError when epsilon is no probability, or the claim is wrong
    when its parts are as they are in truth.
    """
    if not 0 <= epsilon <= 1:
        raise UsageError(f"epsilon is {epsilon}; an error of a probability is from 0 to 1")
    if not claim.value(claim.parts):
        raise UsageError(f"{claim.name}: the claim is not right when its parts are as they are in truth")
    layers: list[set[Hashable]] = [{claim.start}]
    for _ in claim.parts:
        layers.append({claim.fold(state, part) for state in layers[-1] for part in (True, False)})
    wrong = {state: float(not claim.right(state)) for state in layers.pop()}
    for part, states in zip(reversed(claim.parts), reversed(layers), strict=True):
        after, wrong = wrong, {}
        for state in states:
            true, other = after[claim.fold(state, part)], after[claim.fold(state, not part)]
            wrong[state] = max(true, (1 - epsilon) * true + epsilon * other)
    return wrong[claim.start]


def stability(claims: Iterable[Rests], epsilon: float, rho: float = 0.0) -> Stability:
    """Measure claims: an instance is (epsilon, rho)-stable when at most a share rho of its claims shifts by more than
    epsilon. UsageError when there are no claims, on a wrong claim, and on numbers that are no probabilities."""
    shifts = tuple(shift(claim, epsilon) for claim in claims)
    if not shifts:
        raise UsageError("stability is of the claims of an instance; there are none")
    if not 0 <= rho <= 1:
        raise UsageError(f"rho is {rho}; a share of the claims is from 0 to 1")
    unstable = sum(each > epsilon * (1 + 1e-12) for each in shifts) / len(shifts)
    flipped = sum(each >= 0.5 for each in shifts) / len(shifts)
    gain = max(shifts) / epsilon if epsilon else None
    return Stability(epsilon, rho, shifts, gain, unstable, flipped, unstable <= rho)
