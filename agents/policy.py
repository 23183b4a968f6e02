"""Agents that draw, as what they draw from: the moves that a seat may make, each with its probability.

Rule of this file: it states and checks a distribution; who plays one is the driver's part, who averages over it the search's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moot.agents.base import Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import drawn

Shares = tuple[tuple[Reply, float], ...]


class Policy:
    """A behavioural strategy (Kuhn 1953): from a request to the moves that its seat may make, each with its probability.

        fair = moot.Policy(lambda request: {Assign(variable=1, value=value): 0.5 for value in (True, False)})

    moves: a function from a request to a mapping of moves to probabilities, or to pairs of both; it does not look at
    `request.seed`. In a play one of them is drawn by the step's seed; `moot.solve` and `moot.exploit` take the
    expectation over all, and nobody knows the draw before it falls.
    """

    def __init__(self, moves: Callable[[Request], Mapping[Any, float] | Iterable[tuple[Reply, float]]]) -> None:
        if not callable(moves):
            raise UsageError(f"a Policy is made of a function from a request to moves and probabilities, not {moves!r}")
        self.moves = moves

    def distribution(self, request: Request) -> Shares:
        """The moves that may be made, with probabilities above 0 that sum to 1. Raises UsageError when those given do not."""
        given = self.moves(request)
        pairs = tuple(given.items() if isinstance(given, Mapping) else given)
        where = f"step {request.step}: the policy of seat {request.seat!r}"
        for pair in pairs:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], (int, float))):
                raise UsageError(f"{where} gives {pair!r}; give pairs of a move and its probability")
        shares = [share for _, share in pairs]
        if not all(0 <= share <= 1 for share in shares) or abs(math.fsum(shares) - 1) > 1e-9:
            raise UsageError(f"{where} gives probabilities {shares}; they must lie in [0, 1] and sum to 1")
        return tuple((reply, float(share)) for reply, share in pairs if share > 0)

    def act(self, request: Request) -> Reply:
        """A move drawn by the seed of the step."""
        pairs = self.distribution(request)
        return pairs[int(drawn(request.seed, "policy", tuple(share for _, share in pairs)))][0]


def distribution_of(agent: object) -> Callable[[Request], Shares] | None:
    """The distribution that an agent draws from, where it states one: its method `distribution`."""
    found = getattr(agent, "distribution", None)
    stated: Any = found if callable(found) and not isinstance(agent, type) else None
    return stated  # type: ignore[no-any-return]
