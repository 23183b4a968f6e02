"""The messages of a call as a transcript keeps them: texts whole, images by their hash, secrets taken out.

Rule of this file: messages in, JSON values out. Which call is kept is said by whoever makes it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from moot.agents.prompts.values import encodable


def kept_messages(messages: Iterable[Mapping[str, Any]], hide: Callable[[str], str]) -> list[dict[str, Any]]:
    """Each message: its role, and its text as `content`, or `parts` where it has several. hide: takes the secrets out of a
    text."""
    made = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            told: dict[str, Any] = {"parts": [_part(part, hide) for part in content]}
        else:
            told = {"content": hide(encodable(content if isinstance(content, str) else json.dumps(content)))}
        if calls := message.get("tool_calls"):
            functions = [each["function"] for each in calls]
            told["calls"] = [
                {"tool": each["name"], "arguments": hide(encodable(each["arguments"]))} for each in functions
            ]
        made.append({"role": str(message.get("role")), **told})
    return made


def _part(part: Mapping[str, Any], hide: Callable[[str], str]) -> dict[str, Any]:
    """A part of a message. An image is kept by the sha256 of its bytes, which the question has as well."""
    if part.get("type") == "text":
        return {"type": "text", "content": hide(encodable(str(part.get("text", ""))))}
    image = part.get("image_url")
    if part.get("type") == "image_url" and isinstance(image, Mapping):
        head, found, data = str(image.get("url", "")).partition(";base64,")
        if found:
            return {
                "type": "image",
                "media_type": head.removeprefix("data:"),
                "sha256": sha256(b64decode(data)).hexdigest(),
            }
    return {"type": str(part.get("type")), "content": hide(encodable(json.dumps(part, default=str)))}
