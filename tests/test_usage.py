"""What a call took, as each provider says it: one number for one thing, and unknown where it is not a count."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.money.prices import Prices
from moot.agents.money.usage import MOST, Usage, usage_of

ANTHROPIC = {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 10}
GEMINI = {"promptTokenCount": 100, "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "cachedContentTokenCount": 80}
OPENAI = {"prompt_tokens": 100, "completion_tokens": 9}
DIALECTS: dict[str, dict[str, Any]] = {
    "OpenAI": {"usage": {**OPENAI, "total_tokens": 109, "prompt_tokens_details": {"cached_tokens": 80}}},
    "OpenAI responses": {
        "usage": {"input_tokens": 100, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 80}}
    },
    "Anthropic": {"usage": ANTHROPIC},
    "LiteLLM": {"usage": {**OPENAI, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 10}},
    "Gemini": {"usageMetadata": {**GEMINI, "totalTokenCount": 109}},
    "Gemini without a total": {"usageMetadata": GEMINI},
    "DeepSeek": {"usage": {**OPENAI, "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20}},
    "DeepSeek in parts": {
        "usage": {"completion_tokens": 9, "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20}
    },
    "Moonshot": {"usage": {**OPENAI, "cached_tokens": 80}},
    "vLLM": {"usage": {**OPENAI, "total_tokens": 109, "prompt_tokens_details": None, "cached_tokens": 80}},
    "llama.cpp": {"usage": OPENAI, "timings": {"cache_n": 80, "prompt_n": 20, "predicted_n": 9}},
    "llama.cpp alone": {"timings": {"cache_n": 80, "prompt_n": 20, "predicted_n": 9}},
}


@pytest.mark.parametrize("name", DIALECTS)
def test_each_provider_is_understood(name: str) -> None:
    found = usage_of(DIALECTS[name])
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens, found.cost) == (100, 9, 80, None)
    assert found.cache_write_tokens == (10 if "cache_creation" in str(DIALECTS[name]) else None)
    assert found.reasoning_tokens == (4 if "thoughts" in str(DIALECTS[name]) else None)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 10**6), st.booleans())
def test_reasoning_counts_once_beside_or_inside_the_answer(prompt: int, said: int, thought: int, details: bool) -> None:
    known: dict[str, Any] = {"completion_tokens_details": {"reasoning_tokens": thought}} if details else {}
    total = prompt + said + thought
    beside = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": total, **known}
    inside = {"prompt_tokens": prompt, "completion_tokens": said + thought, "total_tokens": total, **known}
    told = Usage(prompt, said + thought, reasoning_tokens=thought if details else None)
    assert usage_of({"usage": beside}) == usage_of({"usage": inside}) == told


odd: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, -1, 0, 1, 2.5, 1e400, math.nan, "7", 10**4000, MOST + 1, [], {}])
    | st.integers(0, 200),
    lambda inner: st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), inner),
    max_leaves=3,
)
NAMES = ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "cached_tokens", "prompt_tokens_details",
         "completion_tokens_details", "reasoning_tokens", "cache_read_input_tokens", "prompt_cache_miss_tokens", "cost"]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["usage", "usageMetadata", "timings"]), odd | st.dictionaries(st.sampled_from(NAMES), odd)
    )
)
def test_whatever_is_reported_becomes_counts_or_nothing(body: dict[str, Any]) -> None:
    used = usage_of(body)
    for count in (used.prompt_tokens, used.completion_tokens):
        assert count is None or (type(count) is int and 0 < count <= 4 * MOST)
    assert used.cached_tokens is None or 0 <= used.cached_tokens <= (used.prompt_tokens or 0)
    for cost in (used.cost, Prices(1, 2, 3).cost(used)):
        assert cost is None or math.isfinite(cost) >= 0


@pytest.mark.parametrize("body", [{}, None, [], {"usage": None}, {"usage": "none"}, {"usage": dict.fromkeys(OPENAI, 0)},
                                  {"usage": {**dict.fromkeys(OPENAI, 0), "cost": 0}}])  # fmt: skip
def test_nothing_beside_an_answer_is_unknown(body: Any) -> None:
    assert usage_of(body) == Usage()


def test_what_a_router_says_that_it_cost() -> None:
    assert usage_of({"usage": {**OPENAI, "cost": 0.00014}}).cost == 0.00014
    assert [usage_of({"usage": {**OPENAI, "cost": odd}}).cost for odd in (-1, "1", True, math.nan, None)] == [None] * 5
