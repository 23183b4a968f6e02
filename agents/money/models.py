"""Which models an agent asks, by its description.
Rule: descriptions are data, read here; no agent is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moot.agents.money.prices import FREE, Prices


def models_in(described: Any) -> Iterator[Mapping[str, Any]]:
    """Every model in an agent's description."""
    if isinstance(described, Mapping):
        if "endpoint" in described and "model" in described:
            yield described
        described = list(described.values())
    if isinstance(described, list):
        for each in described:
            yield from models_in(each)


def recorded(model: Mapping[str, Any]) -> Prices | None:
    """The prices in a model's description; None where they are unknown. The embedded model costs nothing."""
    prices = model.get("prices")
    if model.get("endpoint") == "local":
        return FREE
    if isinstance(prices, Mapping):
        return Prices(**prices)
    return Prices.of(prices) if prices else None  # as transcripts had them before: a list
