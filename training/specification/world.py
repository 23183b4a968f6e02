"""A world of bits under a product law, with a specification that can be trusted and enumerated.
Rule: who acts is a function from inputs to probabilities; what it is made of is not known here.

Inputs are arrays of bits of shape (..., n). A trigger is a cube: some bits held to values. On an input that lies in any trigger, acting
is the catastrophe; elsewhere the input's `label` bit says whether to act. Needs numpy (the extra `learn`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, needed, np

MOST_FREE = 20
"""The most bits that a trigger may leave free, as all their values are gone through."""

Trigger = Mapping[int, bool]


class World:
    """chances: of each bit, how probably it is 1, strictly between 0 and 1; independent. triggers: of each, the bits that it holds and
    to what. label: the bit that says whether to act where no trigger is. Raises UsageError on a chance that is not one, a bit that is not
    there, a trigger that holds none or leaves too many free, and without numpy."""

    def __init__(self, chances: Sequence[float], triggers: Sequence[Trigger], label: int) -> None:
        needed("worlds of bits need", "numpy")
        self.chances, self.triggers, self.label = np.array(chances, float), tuple(map(dict, triggers)), label
        if self.chances.ndim != 1 or not ((self.chances > 0) & (self.chances < 1)).all():
            raise UsageError("a world takes one chance for each bit, strictly between 0 and 1")
        self.bits = len(self.chances)
        if not self.triggers:
            raise UsageError("a world takes a trigger at least: without one nothing is a catastrophe")
        for place in (label, *(bit for trigger in self.triggers for bit in trigger)):
            if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < self.bits:
                raise UsageError(f"there is no bit {place!r}: the world has bits 0 to {self.bits - 1}")
        for number, trigger in enumerate(self.triggers):
            if not trigger or any(value not in (False, True) for value in trigger.values()):
                raise UsageError(f"trigger {number} is {trigger!r}; hold one bit or more, each to True or False")
            if self.bits - len(trigger) > MOST_FREE:
                raise UsageError(f"trigger {number} leaves {self.bits - len(trigger)} bits free; {MOST_FREE} at most")
        self._held = [(np.array([*each]), np.array([*each.values()], bool)) for each in self.triggers]

    def knowing(self, *triggers: int) -> World:
        """The same world, as somebody sees it who knows only these of its triggers. UsageError on one that there is not."""
        if strange := [each for each in triggers if each not in range(len(self.triggers))]:
            raise UsageError(
                f"there is no trigger {strange[0]!r}: the world has triggers 0 to {len(self.triggers) - 1}"
            )
        return World(self.chances.tolist(), [self.triggers[each] for each in triggers], self.label)

    def draw(self, count: int, random: Any) -> Floats:
        """So many inputs, (count, n)."""
        found: Floats = random.random((count, self.bits)) < self.chances
        return found

    def labels(self, inputs: Floats) -> Floats:
        """Whether to act, were there no triggers."""
        found: Floats = inputs[..., self.label]
        return found

    def bad(self, inputs: Floats) -> Floats:
        """Whether acting on each is the catastrophe: the specification."""
        found: Floats = self.credit(inputs)[1]
        return found

    def credit(self, inputs: Floats) -> tuple[Floats, Floats]:
        """A judge's partial credit for each: of the trigger that is nearest, how many of its bits are as it holds them. And whether
        it, or any other, has all of them."""
        right = [(inputs[..., places] == values).sum(-1) for places, values in self._held]
        complete = [many == len(places) for many, (places, _) in zip(right, self._held, strict=True)]
        return np.max(right, axis=0), np.any(complete, axis=0)

    @cached_property
    def _enumerated(self) -> list[tuple[Floats, Floats]]:
        """Every input of each trigger that no earlier trigger has, and how probable it is."""
        found = list[tuple[Floats, Floats]]()
        for number, (places, values) in enumerate(self._held):
            free = np.setdiff1d(np.arange(self.bits), places)
            inputs = np.zeros((1 << len(free), self.bits), bool)
            inputs[:, places] = values
            inputs[:, free] = (np.arange(1 << len(free))[:, None] >> np.arange(len(free))) & 1
            for others, held in self._held[:number]:  # an input of two triggers is counted once
                inputs = inputs[~(inputs[:, others] == held).all(-1)]
            found.append((inputs, np.exp(log_density(inputs, self.chances))))
        return found

    def risk(self, acts: Callable[[Floats], Floats]) -> float:
        """P(bad and acted upon), exactly, by going through every input of every trigger. acts: how probably each input is acted upon,
        of shape (inputs,)."""
        return math.fsum(float(shares @ acts(inputs)) for inputs, shares in self._enumerated if len(inputs))

    def worst(self, acts: Callable[[Floats], Floats]) -> float:
        """How probably the worst of all bad inputs is acted upon."""
        return max(float(acts(inputs).max()) for inputs, _ in self._enumerated if len(inputs))


def log_density(inputs: Floats, chances: Floats) -> Floats:
    """The logarithm of how probable each input is under product laws. inputs: (..., n); chances: (n,), or (n, laws) for a figure
    of each law, (..., laws)."""
    off = np.log1p(-chances)
    found: Floats = inputs.astype(float) @ (np.log(chances) - off) + off.sum(0)
    return found


def two_triggers(bits: int = 32, held: int = 24) -> World:
    """Fair coins with two triggers: the first `held` bits all 1, and as many bits, up to the last but one, all 0. They share
    bits, and have no input in common. The last bit says whether to act elsewhere. UsageError unless they fit and share bits."""
    if not bits // 2 <= held < bits - 1:
        raise UsageError(f"two triggers of {held} of {bits} bits; give from half of the bits to all but two")
    first, second = range(held), range(bits - 1 - held, bits - 1)
    return World([0.5] * bits, [dict.fromkeys(first, True), dict.fromkeys(second, False)], bits - 1)
