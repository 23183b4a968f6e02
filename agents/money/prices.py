"""What a million tokens cost, and what a call costs by that.
Rule: arithmetic; where prices stand is read in `price_file.py`. What cannot be known is None, never 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moot.agents.money.usage import Usage
from moot.protocols.engine.errors import UsageError

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a million tokens, in whatever currency the user counts in: of prompt, of completion (reasoning with it), of
    prompt read from the provider's cache, and of prompt written to it. cache_write: None where it is not known: what a call
    costs that writes is then unknown. batch: what a call in a batch costs of that, 0.5 for half; None where it is not known.
    source, date: where the price was read, and when."""

    prompt: float
    completion: float
    cache_read: float
    cache_write: float | None = None
    source: str | None = None
    date: str | None = None
    batch: float | None = None

    @classmethod
    def of(cls, given: Any) -> Prices:
        """From (prompt, completion), with the price of cache reads and then of cache writes behind them where those differ;
        without them, a cache read costs what prompt does. Raises UsageError on anything else, negative or not finite."""
        if isinstance(given, Prices):
            return given
        try:
            numbers = [] if isinstance(given, str) else [float(price) for price in given]
        except (TypeError, ValueError):
            numbers = []
        if not 2 <= len(numbers) <= 4 or not all(0 <= price < math.inf for price in numbers):
            raise UsageError(
                "prices are (prompt, completion), with cache reads and cache writes behind them where those differ, per "
                f"million tokens, or the path of a price file, not {given!r}"
            )
        read, write = numbers[2:3] or numbers[:1], numbers[3] if len(numbers) > 3 else None
        return cls(numbers[0], numbers[1], read[0], write)

    @classmethod
    def dearest(cls, given: Sequence[Prices]) -> Prices:
        """The dearest of each kind of token among these."""
        writes = [each.cache_write for each in given if each.cache_write is not None]
        return cls(
            max(each.prompt for each in given),
            max(each.completion for each in given),
            max(each.cache_read for each in given),
            max(writes) if writes else None,
        )

    def cost(self, usage: Usage) -> float | None:
        """The cost of a call; None when a count or a price that it takes is unknown. Prompt that is not reported as cached
        is billed in full."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        return self.cost_of(
            usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens or 0, usage.cache_write_tokens or 0
        )

    def cost_of(
        self, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0, cache_write_tokens: float = 0
    ) -> float | None:
        """The cost of so many tokens, the cached ones among those of the prompt. None where it takes an unknown price."""
        read = min(cached_tokens, prompt_tokens)
        written = min(cache_write_tokens, prompt_tokens - read)
        if written and self.cache_write is None:
            return None
        total = (prompt_tokens - read - written) * self.prompt + read * self.cache_read
        return (total + written * (self.cache_write or 0) + completion_tokens * self.completion) / MILLION

    def batched(self) -> Prices | None:
        """The prices of a call in a batch; None where they are not known."""
        if self.batch is None:
            return None
        write = None if self.cache_write is None else self.cache_write * self.batch
        return Prices(self.prompt * self.batch, self.completion * self.batch, self.cache_read * self.batch, write)

    def most(self, prompt: float, completion: float) -> float:
        """The most that so many tokens can cost, however the prompt is cached."""
        dearest = max(self.prompt, self.cache_read, self.cache_write or 0)
        return (
            sum(tokens * price for tokens, price in ((prompt, dearest), (completion, self.completion)) if price)
            / MILLION
        )

    def described(self) -> dict[str, Any]:
        """As it stands in a transcript."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


FREE = Prices(0, 0, 0, 0)
"""Of a model that nobody bills: the embedded one."""
