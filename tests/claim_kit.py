"""Seats for debates about whether a number is prime, by programs that tests write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings

import moot
from moot.protocols.trees.prover_estimator import Estimate
from moot.tasks.arithmetic.primality import Primality, PrimalityByBases
from moot.tasks.arithmetic.primality_programs import ClaimJudge

TASK, BASES = Primality(), PrimalityByBases()
FEW = settings(deadline=None, max_examples=25)


def seats(a: Any, b: Any, task: Any = TASK) -> dict[str, Any]:
    return {"a": a, "b": b, "judge": ClaimJudge(task)}


def by_place(odds: list[float]) -> Callable[[moot.Request], Estimate]:
    """An estimator that gives these probabilities one after the other, whatever is claimed, and other ones after a coin
    that fell against a claim."""

    def act(request: moot.Request) -> Estimate:
        coins = request.brief["details"]["coins"]
        place = 0 if not request.brief["round"] else 1 + len(coins)
        turned = any(not coin["holds"] for coin in coins)
        return Estimate(probability=odds[(place + 3 * turned) % len(odds)])

    return act


class Acts:
    def __init__(self, act: Callable[[moot.Request], moot.Move]) -> None:
        self.act = act
