"""How the price moved in a play of market making: a fold over its transcript.

Rule of this file: it is about market making alone, and draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from moot.complexity.play import Play
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.payoffs import Losses, distance

Belief = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PricePath:
    """The prices of one play. prices: p_0 … p_n, one before each of the n statements and one after the last. statements:
    their steps. final: the judge's belief p*, and losses, of market and adversary by step: None while not decided.
    converged: the statements until the price had settled, or None. queries: what the adversary asked the market or copies."""

    prices: tuple[Belief, ...]
    statements: tuple[str, ...]
    final: Belief | None
    losses: Losses | None
    converged: int | None
    queries: int

    @property
    def moves(self) -> tuple[float, ...]:
        """How far each statement moved the price, in total variation."""
        return tuple(distance(one, other) for one, other in pairwise(self.prices))

    @property
    def length(self) -> float:
        """The length of the path: the sum of its moves."""
        return math.fsum(self.moves)

    @property
    def net(self) -> float:
        """The distance from the first price to the last."""
        return distance(self.prices[0], self.prices[-1]) if self.prices else 0.0

    @property
    def variation(self) -> float:
        """The quadratic variation (`quadratic_variation`)."""
        return quadratic_variation(self.prices)


def quadratic_variation(prices: Sequence[Sequence[float]]) -> float:
    """Half the sum of squared changes of all prices, over the path; for two choices sum (p_{t+1} - p_t)^2.

    When prices are exact expectations of the judge's final belief, its expectation is half the summed variance of that
    belief, at most 1/4 for two choices: a market that shows more on average is not calibrated to its adversary.
    """
    return math.fsum((q - p) ** 2 for one, other in pairwise(prices) for p, q in zip(one, other, strict=True)) / 2


def price_path(transcript: Play) -> PricePath:
    """The price path of a play of market making, finished or not, without what the market answered to queries. Raises
    UsageError when the transcript is of another protocol."""
    protocol = transcript.protocol
    if not isinstance(protocol, MarketMaking):
        raise UsageError(f"{transcript.name} is a play of {protocol.name}, which has no prices")
    prices: list[Belief] = []
    statements: list[str] = []
    queries = 0
    for step in transcript.steps():
        kind = step.move.get("kind")
        if kind == "price" and step.under is None:
            prices.append(tuple(step.move["probabilities"]))
        elif kind == "statement":
            statements.append(step.step)
        elif kind in ("query", "examine"):
            queries += 1
    moved = enumerate((distance(one, other) for one, other in pairwise(prices)), 1)
    settled = (at for at, move in moved if protocol.tolerance is not None and move <= protocol.tolerance)
    outcome = transcript.outcome
    final = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
    paid = None if final is None else protocol.losses(prices, final)
    return PricePath(tuple(prices), tuple(statements), final, paid, next(settled, None), queries)
