"""OpenAI's Responses API, which some models have alone (https://platform.openai.com/docs/api-reference/responses; events:
`/responses-streaming`; as typed in openai 3, `openai/types/responses`).
Rule: one API. It has no seed, and keeps no copy of what it is asked: `store` is false unless extra_body says otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from moot.agents.models import wire
from moot.agents.models.apis import calling
from moot.agents.models.apis.api import API, Folding, checked, texts
from moot.agents.models.tokens.reading import tokens_in
from moot.agents.models.wire import Completion, ToolCall
from moot.agents.money.usage import usage_of
from moot.agents.prompts.values import ending

LEAST = (
    16  # "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16" (vectorize-io/hindsight#58)
)
LOGPROBS = "message.output_text.logprobs"
_FINAL = {"response.completed", "response.incomplete", "response.failed"}
_ALIVE = {"ping", "keepalive", "response.in_progress", "response.queued"}
_FINISHED = {"completed": "stop", "failed": "failed", "cancelled": "failed"}


class ResponsesFolding(Folding):
    """Events put together: the last one holds the whole response. ChatGPT's own backend leaves its output empty there, and
    has the items in `response.output_item.done` alone (sipeed/picoclaw#2437, BerriAI/litellm#32724)."""

    def __init__(self) -> None:
        super().__init__()
        self._final: dict[str, Any] | None = None
        self._items: dict[int, Any] = {}

    def take(self, event: dict[str, Any], data: str) -> bool:
        kind, response, index = event.get("type"), event.get("response"), event.get("output_index")
        if kind in _FINAL and isinstance(response, dict):
            self._final, self.done = response, True
        elif kind == "response.output_item.done" and isinstance(index, int):
            self._items[index] = event.get("item")
            self.size += len(data)
        return kind not in _ALIVE

    def complete(self) -> bool:
        return self._final is not None

    def made(self) -> dict[str, Any]:
        final = dict(self._final or {})
        if not final.get("output"):
            final["output"] = [self._items[index] for index in sorted(self._items)]
        return final


class Responses(API):
    """The Responses API."""

    spoken: ClassVar[str] = "responses"
    path: ClassVar[str] = "responses"
    least: ClassVar[int] = LEAST
    fields: ClassVar[Mapping[str, str]] = {
        "text": "response_format", "max_output_tokens": "max_tokens", "input": "messages", "instructions": "messages",
        "include": "logprobs",
    }  # fmt: skip

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        checked(request)
        more = dict(request)
        messages = list(more.pop("messages"))
        most = more.pop("max_completion_tokens", None) or more.pop("max_tokens", None)
        wanted, top = more.pop("response_format", None), more.pop("top_logprobs", None)
        listed = more.pop("logprobs", None)
        more.pop("max_tokens", None), more.pop("seed", None)
        made: dict[str, Any] = {"model": more.pop("model"), "store": False}
        if messages and messages[0]["role"] == "system":
            made["instructions"] = "".join(str(part.get("text", "")) for part in texts(messages.pop(0)["content"]))
        made["input"] = [item for each in messages for item in _items(each)]
        if functions := calling.functions(more):  # there a function is strict unless it is said not to be
            more["tools"] = [{"type": "function", "strict": False, **each} for each in functions]
        if most is not None:
            made["max_output_tokens"] = max(LEAST, most)
        if isinstance(wanted, Mapping):
            schema = wanted.get("json_schema")
            form = {"type": "json_schema", **schema} if isinstance(schema, Mapping) else dict(wanted)
            more["text"] = {"format": form, **(more.get("text") or {})}
        if listed:
            more["include"] = [*(more.get("include") or ()), LOGPROBS]
            made["top_logprobs"] = top or 0
        return {**made, **more}

    def completion(self, data: Any, cached: bool = False) -> Completion:
        output = data.get("output") if isinstance(data, dict) else None
        if not isinstance(output, list):
            raise wire.NotACompletion(f"the body is not a response: {json.dumps(data)[:80]}")
        said: list[str] = []
        refused: list[str] = []
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        first, listed = None, list[Any]()
        for item in output:
            kind = item.get("type") if isinstance(item, dict) else None
            if kind == "reasoning":
                thoughts += [wire.words_in(item.get("summary")), wire.words_in(item.get("content"))]
            elif kind == "function_call":
                calls.append(ToolCall.of(item.get("call_id"), item.get("name"), item.get("arguments")))
            parts = item.get("content") if kind == "message" else None
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and part.get("type") == "refusal":
                    refused.append(wire.words_in(part.get("refusal")))
                elif isinstance(part, dict):
                    said.append(wire.words_in(part.get("text")))
                    first = first or wire.first_token({"content": part.get("logprobs")})
                    listed += part["logprobs"] if isinstance(part.get("logprobs"), list) else ()
        text, status = "".join(said), data.get("status")
        if status in ("queued", "in_progress"):
            raise wire.NotACompletion(f"the response is {status}; ask for it without background")
        finish = _FINISHED.get(status) if isinstance(status, str) else None
        if status == "incomplete":
            details = data.get("incomplete_details")
            why = ending(str(details.get("reason"))) if isinstance(details, dict) else "stop"
            finish = "failed" if why == "stop" else why  # cut off for a reason that is not known
        return Completion(
            text, finish, usage_of(data, bool(text or calls)), first, "".join(refused) or None, cached,
            "\n\n".join(dict.fromkeys(filter(str.strip, thoughts))),
            calls=tuple(calls), given=("responses", output) if calls else None, tokens=tokens_in({"logprobs": {"content": listed}}),
        )  # fmt: skip

    def folding(self) -> Folding:
        return ResponsesFolding()


def _items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message as items. A call and its answer are one each (docs, "Function calling"). What was thought before it goes back where
    it came whole, encrypted: one that is named alone "is not found", as nothing is stored (vercel/ai#7543, langchain-ai/langchain#38372);
    `include = ["reasoning.encrypted_content"]` in extra_body asks for it. Other items go without the ids under which nothing is stored."""
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": message["content"]}]
    if "tool_calls" not in message:
        return [_item(message)]
    kept = [each for each in calling.given(message, "responses") or () if isinstance(each, Mapping)]
    thoughts = [dict(each) for each in kept if each.get("type") == "reasoning" and each.get("encrypted_content")]
    said = [_item({"role": "assistant", "content": message["content"]})] if message["content"] else []
    called = [{"type": "function_call", "call_id": each["id"], **each["function"]} for each in message["tool_calls"]]
    return [*thoughts, *said, *called]


def _item(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as an item. What the model said is output: llama.cpp's server takes it in no other form."""
    if message["role"] != "assistant":
        return {"role": message["role"], "content": _content(message["content"])}
    said = [{"type": "output_text", "text": part["text"]} for part in texts(message["content"])]
    return {"type": "message", "role": "assistant", "content": said}


def _content(content: Any) -> Any:
    """The content of a message; parts as this API names them."""
    if not isinstance(content, list):
        return content
    made = []
    for part in content:
        if part.get("type") == "text":
            part = {"type": "input_text", "text": part["text"]}
        elif part.get("type") == "image_url":
            url = part["image_url"]
            part = {"type": "input_image", **({"image_url": url} if isinstance(url, str) else _image(url))}
        made.append(part)
    return made


def _image(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"image_url": given["url"], "detail": given.get("detail", "auto")}
