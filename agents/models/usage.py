"""What a call took: tokens and money, in the words of each provider, and prices.
Rule: one table of names, here; what cannot be a count is unknown, and unknown is never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moot.protocols.engine.errors import UsageError

MOST = 10**12  # tokens; what is over it is no count

# A path through the body for each way to say the same thing; the first that holds a count is taken. `usage` is OpenAI's
# (vLLM, xAI, DeepSeek, Moonshot, OpenRouter) or Anthropic's, `usageMetadata` Gemini's, `timings` llama.cpp's, and a bare
# name Ollama's.
PROMPT = (
    "usage.prompt_tokens", "usage.input_tokens", "usageMetadata.promptTokenCount", "usage_metadata.prompt_token_count",
    "prompt_eval_count",
)  # fmt: skip
COMPLETION = (
    "usage.completion_tokens", "usage.output_tokens", "usageMetadata.candidatesTokenCount",
    "usage_metadata.candidates_token_count", "timings.predicted_n", "eval_count",
)  # fmt: skip
CACHED = (
    "usage.prompt_tokens_details.cached_tokens", "usage.input_tokens_details.cached_tokens", "usage.cache_read_input_tokens",
    "usage.prompt_cache_hit_tokens", "usage.cached_tokens", "usageMetadata.cachedContentTokenCount",
    "usage_metadata.cached_content_token_count", "timings.cache_n",
)  # fmt: skip
REASONING = (
    "usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.reasoning_tokens",
    "usage.reasoning_tokens",
)  # fmt: skip
THOUGHTS = ("usageMetadata.thoughtsTokenCount", "usage_metadata.thoughts_token_count")  # never inside the completion
TOTAL = ("usage.total_tokens", "usageMetadata.totalTokenCount", "usage_metadata.total_token_count")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the endpoint counts them, and what it says that they cost; None where it does not say.
    Reasoning counts as completion, cached prompt as prompt."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost: float | None = None


NOTHING = Usage(0, 0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost: of prompt, of answer, and of prompt that the provider had cached."""

    prompt: float
    completion: float
    cached: float

    @classmethod
    def of(cls, given: tuple[float, ...] | list[float] | None) -> Prices | None:
        """From (in, out) or (in, out, cached). Raises UsageError on anything else, negative or not finite."""
        if given is None:
            return None
        try:
            numbers = [] if isinstance(given, str) else [float(price) for price in given]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) not in (2, 3) or not all(0 <= price < float("inf") for price in numbers):
            raise UsageError(f"prices are (in, out) or (in, out, cached) per million tokens, not {given!r}")
        return cls(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else numbers[0])

    def cost(self, usage: Usage) -> float | None:
        """The cost of a call; None when a count is unknown. Prompt not reported as cached is billed in full."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        total = (usage.prompt_tokens - cached) * self.prompt + cached * self.cached
        return (total + usage.completion_tokens * self.completion) / 1_000_000


def usage_of(data: Any, answered: bool = True) -> Usage:
    """The usage that a response body reports. answered: whether there is a text beside it, which was not made of nothing."""
    prompt, completion = _first(data, PROMPT), _first(data, COMPLETION)
    cached, total, thoughts = _first(data, CACHED), _first(data, TOTAL), _first(data, THOUGHTS)
    reasoning = _first(data, REASONING) if thoughts is None else thoughts
    if prompt is None and (miss := _count(data, "usage.prompt_cache_miss_tokens")) is not None and cached is not None:
        prompt = miss + cached
    if prompt is None and (processed := _count(data, "timings.prompt_n")) is not None and cached is not None:
        prompt = processed + cached
    if (
        prompt is not None and _count(data, "usage.prompt_tokens") is None
    ):  # Anthropic counts the cached beside the rest
        beside = ("usage.cache_read_input_tokens", "usage.cache_creation_input_tokens")
        prompt += sum(_count(data, path) or 0 for path in beside)
    if completion is not None:
        # xAI and Gemini count reasoning beside the answer, OpenAI inside it: the total tells, or that it would not fit in
        apart = None if total is None or prompt is None else total - prompt - completion
        if apart is not None and apart > 0 and reasoning in (None, apart):
            completion += apart
        elif reasoning is not None and (reasoning > completion or (apart is None and thoughts is not None)):
            completion += reasoning
    if answered and not prompt and not completion:
        return Usage(cost=_cost(data) or None)
    if cached is not None and (prompt is None or cached > prompt):
        cached = None
    return Usage(prompt or None, completion if completion or not answered else None, cached, _cost(data))


def _first(data: Any, paths: tuple[str, ...]) -> int | None:
    return next((count for path in paths if (count := _count(data, path)) is not None), None)


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _count(data: Any, path: str) -> int | None:
    value = _at(data, path)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def _cost(data: Any) -> float | None:
    value = _at(data, "usage.cost")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= MOST else None
