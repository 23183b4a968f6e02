"""What a call took: tokens and money, in the words of each provider.
Rule: one table of names, here; what cannot be a count is unknown, and unknown is never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

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
WRITTEN = (  # Anthropic's, LiteLLM's after it, and OpenRouter's
    "usage.cache_creation_input_tokens", "usage.prompt_tokens_details.cache_write_tokens",
    "usage.input_tokens_details.cache_write_tokens", "usage.input_tokens_details.cache_creation_input_tokens",
)  # fmt: skip
REASONING = (
    "usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.reasoning_tokens",
    "usage.reasoning_tokens", "usage.output_tokens_details.thinking_tokens",
)  # fmt: skip
THOUGHTS = ("usageMetadata.thoughtsTokenCount", "usage_metadata.thoughts_token_count")  # never inside the completion
TOTAL = ("usage.total_tokens", "usageMetadata.totalTokenCount", "usage_metadata.total_token_count")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the endpoint counts them, and what it says that they cost; None where it does not say.
    cached_tokens, cache_write_tokens: those of the prompt that were read from the provider's cache, and written to it;
    both count in the prompt. reasoning_tokens: those of the completion that were thought, and count in it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost: float | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def tokens(self) -> int | None:
        """Those of prompt and answers together; None where one of the two was not told."""
        told = self.prompt_tokens, self.completion_tokens
        return None if told[0] is None or told[1] is None else told[0] + told[1]


def tokens_in(event: Mapping[str, Any]) -> int | None:
    """The tokens of a recorded attempt, of prompt and answers together; None where one of the two was not told."""
    return Usage(event.get("prompt_tokens"), event.get("completion_tokens")).tokens


NOTHING = Usage(0, 0, 0, 0.0)


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
    written = _first(data, WRITTEN)
    if written is not None and (prompt is None or written + (cached or 0) > prompt):
        written = None
    if reasoning is not None and (completion is None or reasoning > completion):
        reasoning = None
    said = completion if completion or not answered else None
    return Usage(prompt or None, said, cached, _cost(data), written, None if said is None else reasoning)


def _first(data: Any, paths: tuple[str, ...]) -> int | None:
    for names in _split(paths):
        value = data
        for name in names:
            if not isinstance(value, dict) or (value := value.get(name)) is None:
                break
        else:
            if type(value) is int and 0 <= value <= MOST:
                return value
    return None


@cache
def _split(paths: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in paths)


def _count(data: Any, path: str) -> int | None:
    return _first(data, (path,))


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(data, dict) or name not in data:  # as JSON has them
            return None
        data = data[name]
    return data


def _cost(data: Any) -> float | None:
    """What the provider says that the call cost: OpenRouter's `cost`, which with a provider's key of one's own is OpenRouter's fee
    alone; then what that provider takes stands in `cost_details` (https://openrouter.ai/docs/use-cases/usage-accounting)."""
    cost = _amount(_at(data, "usage.cost"))
    if cost is not None and _at(data, "usage.is_byok") is True:
        upstream = _amount(_at(data, "usage.cost_details.upstream_inference_cost"))
        return None if upstream is None else cost + upstream
    return cost


def _amount(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= MOST else None
