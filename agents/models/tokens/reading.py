"""The tokens of an answer, as endpoints list them.
Rule: JSON values in, tokens out; nothing is asked and nothing is recorded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moot.complexity.pressure.sampled import ROUNDING, Listed


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer, in their order.

    ids: their numbers in the model's vocabulary; None where the endpoint gives none. texts: of each; a token that ends the turn has "", or
    its name. logprobs: of each after those before it, in nats. raw: their bytes, which are the better text where a token
    is part of a character; None where they are not given. first: the alternatives at the first place.
    """

    ids: tuple[int, ...] | None
    texts: tuple[str, ...]
    logprobs: tuple[float, ...]
    raw: tuple[bytes, ...] | None = None
    first: tuple[Listed, ...] = ()

    def make(self, text: str) -> bool:
        """Whether the tokens together are a text."""
        return "".join(self.texts) == text or (
            self.raw is not None and b"".join(self.raw) == text.encode("utf-8", "surrogatepass")
        )

    def ended(self, text: str, finish: str | None) -> bool:
        """Whether the last token ends the turn: llama.cpp lists it without a text, vLLM by its name, OpenAI not at all."""
        if finish != "stop" or not self.texts:
            return False
        return self.make(text) if not self.texts[-1] else "".join(self.texts[:-1]) == text


def tokens_in(choice: Mapping[str, Any]) -> Tokens | None:
    """The tokens of a choice; None where they are not listed, or any of them has no log-probability. llama.cpp gives an `id` with
    each (tools/server/README.md), vLLM and SGLang `token_ids` beside them where `return_token_ids` asks for it (vllm-project/vllm#22587,
    sgl-project/sglang#30917)."""
    logprobs = choice.get("logprobs")
    listed = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(listed, list) or not listed:
        return None
    texts, found, raw = list[str](), list[float](), list[bytes]()
    for each in listed:
        if not isinstance(each, Mapping) or not isinstance(text := each.get("token"), str):
            return None
        if (logprob := _logprob(each.get("logprob"))) is None:
            return None
        texts.append(text)
        found.append(logprob)
        if isinstance(given := each.get("bytes"), list) and all(type(one) is int and 0 <= one < 256 for one in given):
            raw.append(bytes(given))
    ids = [each.get("id") for each in listed]
    beside = choice.get("token_ids")
    if not all(map(_id, ids)) and isinstance(beside, list) and len(beside) == len(listed):
        ids = beside
    return Tokens(
        tuple(ids) if all(map(_id, ids)) else None, tuple(texts), tuple(found),
        tuple(raw) if len(raw) == len(listed) else None, _alternatives(listed[0]),
    )  # fmt: skip


def _alternatives(place: Mapping[str, Any]) -> tuple[Listed, ...]:
    listed = place.get("top_logprobs")
    made: list[Listed] = []
    for each in listed if isinstance(listed, list) and listed else [place]:
        if isinstance(each, Mapping) and (logprob := _logprob(each.get("logprob"))) is not None:
            number = each.get("id")
            made.append((str(each.get("token")), number if _id(number) else None, logprob))
    return tuple(made)


def _id(value: Any) -> bool:
    return type(value) is int and value >= 0


def _logprob(value: Any) -> float | None:
    """A log-probability. -9999, which OpenAI and vLLM write where there is none that JSON can hold, is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -9999 < value <= ROUNDING else None  # nan is neither
