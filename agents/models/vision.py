"""Messages with images: how many there are, what they may cost, and whether a refusal is about them.
Rule: messages and refusals are read here; nothing is sent.

What an image costs in tokens is the provider's to say, by rules that differ from model to model, and no bound on them
follows from the bytes: `LM(image_tokens=…)` declares it, and docs/images.md has the rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from moot.agents.models.refusals import Refusal
from moot.protocols.engine.errors import AgentError

_STATUSES = frozenset({0, 400, 404, 415, 422, 500, 501})
_REFUSED = re.compile(
    r"\bimage_url\b.{0,60}?\b(?:only supported by certain models|not supported|unsupported)"  # OpenAI, Azure: browser-use/web-ui#274
    r"|\bis not a multimodal model\b"  # vLLM: vllm-project/vllm#19144
    r"|\bimage input is not supported\b"  # llama.cpp, in a 500: ggml-org/llama.cpp#13566, #15377
    r"|\bunsupported content part type\b.{0,20}?\bimage_url\b"  # llama.cpp, in a 500: ggml-org/llama.cpp#12947
    r"|\bno endpoints found that support image input\b"  # OpenRouter, in a 404: github/app#2163
    r"|\bunknown variant [`'\"]?image_url\b"  # DeepSeek's, and other servers in Rust: rikkahub/rikkahub#1433
    r"|\buntagged enum ChatCompletionRequestContent\b"  # the same, earlier: deepseek-ai/DeepSeek-V3#337
    r"|\bmessages\[\d+\]: invalid type: sequence, expected a string\b"  # the same, in a 422: chatboxai/chatbox#1740
    r"|\b(?:does not|doesn't|do not|don't|cannot|can't) (?:support|accept|take|process|read)\b.{0,30}?\b(?:images?|vision)\b"
    r"|\bimages? (?:inputs? )?(?:are|is) not (?:supported|accepted|allowed|enabled)\b",
    re.IGNORECASE,
)


def images_in(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many images the messages hold."""
    lists = [message["content"] for message in messages if isinstance(message["content"], list)]
    return sum(part.get("type") == "image_url" for parts in lists for part in parts) if lists else 0


def text_bytes(messages: Sequence[Mapping[str, Any]]) -> int:
    """The UTF-8 bytes of the messages' texts, and of calls with what was thought before them; images left out."""
    size = 0
    for message in messages:
        content = message["content"]
        for part in content if isinstance(content, list) else ({"text": content},):
            size += _bytes(str(part.get("text", "")))
        if "tool_calls" in message:
            size += _bytes(json.dumps([message["tool_calls"], message.get("given")]))
    return size


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def most_tokens(messages: Sequence[Mapping[str, Any]], image_tokens: int | None, model: str, limited: bool) -> int:
    """The most tokens that the messages may take. limited: the seat has a bound on them, so that what an image takes must be
    known. Raises AgentError where it must and is not."""
    count = images_in(messages)
    if count and image_tokens is None and limited:
        raise AgentError(
            f"{model} is shown {count} image{'s' * (count > 1)} within a bound on tokens, and nothing says how many one may "
            "take: give image_tokens= (docs/images.md has the providers' rules)"
        )
    return text_bytes(messages) + count * (image_tokens or 0)


def no_images(refusal: Refusal) -> bool:
    """Whether a refusal of messages with images says that the model takes none."""
    return refusal.status in _STATUSES and not refusal.crowded and _REFUSED.search(refusal.words[:4000]) is not None
