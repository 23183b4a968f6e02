"""Multilevel splitting: the probability of a score so high that draws never show it, by copying those that come nearer.
Rule: a sampler, a score and a kernel are given; no agent is asked, and no confidence bound is made here.

At a level that was fixed beforehand, k of N walkers reach it: the estimate is multiplied by k / N, the others become copies of those
that did, each as probably, and *all* of them are moved by a kernel that leaves the law above the level as it is. So for any f, the mean
of estimate * mean f(walkers) is E[f; score >= level] after each level, by induction, however badly the kernel mixes (Del Moral 2004): the
estimate is unbiased. Two usual short cuts are not: levels that are read off the very walkers that then pass them, and moving the copies
alone; with two walkers on three fair bits both together come out 1/24 too high. So levels that are not given are chosen by a pilot of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Generic, TypeVar

from moot.protocols.engine.errors import UsageError

T = TypeVar("T")


def splitting(
    draw: Callable[[Random], T], score: Callable[[T], float], moved: Callable[[T, Random], T], target: float, *,
    walkers: int, sweeps: int, random: Random, levels: Sequence[float] | None = None,
) -> float:  # fmt: skip
    """An estimate of P(score(x) >= target), x as it is drawn, whose mean is just that (Kahn and Harris 1951).

    draw: an independent draw. moved: a step from one x to another that is reversible for the law of the draws (one bit drawn
    anew); a step to below the level is not taken. walkers: how many there are, two at least. sweeps: so many steps of each at
    each level. random: where all chance comes from. levels: increasing, all below the target, fixed before anything was drawn; else a pilot of as
    many walkers, which is not counted, chooses them so that about half pass each.

    It is 0 where no walker passes a level: a draw of the estimate, and no claim that the probability is 0. From above it says nothing at
    all; of independent runs the mean has a lower bound by `betting_lower`. Raises UsageError on a target that is not finite, a score or level that is no
    number, on levels that do not increase to the target, and unless there are two walkers and a sweep.
    """
    for name, number, least in (("walkers", walkers, 2), ("sweeps", sweeps, 1)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise UsageError(f"splitting with {number!r} {name}; give a whole number of at least {least}")
    way = _Way(draw, score, moved, walkers, sweeps, random)
    if not math.isfinite(target):
        raise UsageError(f"the target is {target!r}; give a finite score")
    levels = way.pilot(target) if levels is None else levels
    fixed = [*(_number(each, "a level") for each in levels), target]
    if any(low >= high for low, high in zip(fixed, fixed[1:], strict=False)):
        raise UsageError(f"the levels are {fixed[:-1]!r:.200}; they increase, and stay below the target, {target!r}")
    return way.up(fixed)


class _Way(Generic[T]):
    def __init__(
        self, draw: Callable[[Random], T], score: Callable[[T], float], moved: Callable[[T, Random], T], walkers: int, sweeps: int,
        random: Random,
    ) -> None:  # fmt: skip
        self.draw, self.score, self.moved = draw, score, moved
        self.walkers, self.sweeps, self.random = walkers, sweeps, random

    def start(self) -> list[tuple[T, float]]:
        drawn = [self.draw(self.random) for _ in range(self.walkers)]
        return [(each, _number(self.score(each), "a score")) for each in drawn]

    def up(self, levels: Sequence[float]) -> float:
        found, estimate = self.start(), 1.0
        for level in levels:
            alive = [each for each in found if each[1] >= level]
            estimate *= len(alive) / self.walkers
            if not alive or level == levels[-1]:
                break
            found = self.renewed(alive, level)
        return estimate

    def renewed(self, alive: list[tuple[T, float]], level: float) -> list[tuple[T, float]]:
        """As many walkers again, of those that reached a level, each moved above it."""
        copies = [self.random.choice(alive) for _ in range(self.walkers - len(alive))]
        return [self._walked(each, level) for each in (*alive, *copies)]

    def _walked(self, at: tuple[T, float], level: float) -> tuple[T, float]:
        for _ in range(self.sweeps):
            there = self.moved(at[0], self.random)
            if (height := _number(self.score(there), "a score")) >= level:
                at = there, height
        return at

    def pilot(self, target: float) -> list[float]:
        """Levels below a target, each the median of those that passed the last one, or the least score above it."""
        found, levels, last = self.start(), list[float](), float("-inf")
        while True:
            scores = sorted(each for _, each in found)
            level = scores[self.walkers // 2]
            if level <= max(last, scores[0]):
                level = next((each for each in scores if each > max(last, scores[0])), target)
            if level >= target:
                return levels
            levels.append(level)
            found, last = self.renewed([each for each in found if each[1] >= level], level), level


def _number(value: float, name: str) -> float:
    if value != value:
        raise UsageError(f"{name} is {value!r}, which is no number: nothing is above or below it")
    return value
