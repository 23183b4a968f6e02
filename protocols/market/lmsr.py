"""The logarithmic market scoring rule: a market maker that always quotes a price (Hanson 2003, Combinatorial Information
Market Design; 2007, Logarithmic Market Scoring Rules).
Rule: mathematics of prices and shares; what market and adversary are paid is in `payoffs.py`.

A trader holds shares; one share of outcome i pays 1 if i happens. After the maker has sold q_i shares of each outcome,
its cost function is C(q) = b log sum_i exp(q_i / b), its prices are the gradient, and a trade from q to q' costs
C(q') - C(q). Liquidity b is in the currency of the payments; logarithms are natural.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

from moot.protocols.engine.errors import UsageError


def cost(quantities: Sequence[float], b: float = 1.0) -> float:
    """C(q), without overflow: b * (max + log sum exp(q/b - max))."""
    return b * _log_sum(_scaled(quantities, b), repeat(1.0))


def prices(quantities: Sequence[float], b: float = 1.0) -> tuple[float, ...]:
    """The price of a share of each outcome: softmax(q / b). Each is at least 0, and they sum to 1."""
    scaled = _scaled(quantities, b)
    top = max(scaled)
    weights = [math.exp(x - top) for x in scaled]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def trade_cost(quantities: Sequence[float], shares: Sequence[float], b: float = 1.0) -> float:
    """What it costs to buy `shares` (to sell, where negative) when `quantities` were sold before."""
    _scaled(quantities, b)
    if len(shares) != len(quantities):
        raise UsageError(f"a trade of {len(shares)} outcomes in a market of {len(quantities)}")
    # From the prices, and not as a difference of two large costs, which would lose the small trades in rounding.
    return b * _log_sum(_scaled(shares, b), prices(quantities, b))


def shares_to(before: Sequence[float], after: Sequence[float], b: float = 1.0) -> tuple[float, ...]:
    """The shares to buy so that prices go from `before` to `after`, at least 0 each, and 0 of one outcome.

    For two outcomes it is b * log(r (1 - p) / (p (1 - r))) shares of the one that rises from p to r.
    Raises UsageError when a price is 0, which no finite trade reaches or leaves, or prices do not sum to 1.
    """
    logs = [b * math.log(r / p) for p, r in zip(_inner(before), _inner(after, len(before)), strict=True)]
    least = min(logs)
    return tuple(x - least for x in logs)


def profit(before: Sequence[float], after: Sequence[float], outcome: int, b: float = 1.0) -> float:
    """What a trader who moves prices from `before` to `after` gains if `outcome` happens: b * log(r_i / p_i), the
    difference of two logarithmic scores. Raises UsageError as in `shares_to`."""
    p, r = _inner(before), _inner(after, len(before))
    return b * math.log(r[outcome] / p[outcome])


def worst_loss(before: Sequence[float], b: float = 1.0) -> float:
    """The most that the maker can lose over all trades when it opens at these prices: b * log(1 / min p), which is
    b * log n at even prices. Raises UsageError as in `shares_to`."""
    return b * math.log(1 / min(_inner(before)))


def liquidity(funding: float, outcomes: int) -> float:
    """The b of a market that opens at even prices and can lose no more than `funding`."""
    if not funding > 0 or outcomes < 2:
        raise UsageError(f"a market needs two or more outcomes and funding above 0, not {outcomes} and {funding}")
    return funding / math.log(outcomes)


@dataclass(frozen=True, slots=True)
class Lmsr:
    """A market maker: what it has sold so far, and its liquidity. Immutable: a trade gives the market after it."""

    quantities: tuple[float, ...]
    b: float = 1.0

    def __post_init__(self) -> None:
        _scaled(self.quantities, self.b)

    @classmethod
    def at(cls, opening: Sequence[float], b: float = 1.0) -> Lmsr:
        """A market that has sold nothing worth mentioning and quotes these prices: q_i = b log p_i, so that C(q) = 0."""
        return cls(tuple(b * math.log(p) for p in _inner(opening)), b)

    @property
    def prices(self) -> tuple[float, ...]:
        return prices(self.quantities, self.b)

    @property
    def cost(self) -> float:
        return cost(self.quantities, self.b)

    def buy(self, shares: Sequence[float]) -> tuple[float, Lmsr]:
        """What `shares` cost, and the market after they were bought."""
        paid = trade_cost(self.quantities, shares, self.b)
        return paid, Lmsr(tuple(q + s for q, s in zip(self.quantities, shares, strict=True)), self.b)

    def move(self, to: Sequence[float]) -> tuple[float, Lmsr]:
        """The same for the shares that take its prices to `to`."""
        return self.buy(shares_to(self.prices, to, self.b))


def _log_sum(scaled: list[float], weights: Iterable[float]) -> float:
    top = max(scaled)
    return top + math.log(math.fsum(weight * math.exp(x - top) for weight, x in zip(weights, scaled, strict=False)))


def _scaled(quantities: Sequence[float], b: float) -> list[float]:
    if not (math.isfinite(b) and b > 0):
        raise UsageError(f"a market's liquidity b is {b!r}; it must be finite and above 0")
    scaled = [q / b for q in quantities]
    if len(scaled) < 2 or not all(map(math.isfinite, scaled)):
        raise UsageError(f"a market needs two or more finite quantities, not {list(quantities)} at b = {b}")
    return scaled


def _inner(belief: Sequence[float], count: int | None = None) -> list[float]:
    ps = list(belief)
    if len(ps) < 2 or not all(0 < p < 1 for p in ps) or not math.isclose(math.fsum(ps), 1.0, abs_tol=1e-6):
        raise UsageError(f"prices are above 0 and sum to 1, not {ps}")
    if count is not None and len(ps) != count:
        raise UsageError(f"{len(ps)} prices for {count} outcomes")
    return ps
