"""Chance that follows from the seed and the step alone."""

from __future__ import annotations

from hashlib import blake2b


def seed_of(seed: int, step: str) -> int:
    """The number that belongs to a step: the same in every run with this seed."""
    return int.from_bytes(blake2b(f"{seed}/{step}".encode(), digest_size=6).digest(), "big")


def drawn(seed: int, step: str, weights: tuple[float, ...] | None) -> int | float:
    """The value of a coin: an index in proportion to the weights, or a number in [0, 1) when there are none."""
    fraction = int.from_bytes(blake2b(f"{seed}:{step}".encode(), digest_size=8).digest(), "big") >> 11
    value = fraction / (1 << 53)
    if weights is None:
        return value
    mark, total = value * sum(weights), 0.0
    for index, weight in enumerate(weights):
        total += weight
        if mark < total:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
