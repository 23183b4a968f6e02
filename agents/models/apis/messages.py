"""Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages; events: `/build-with-claude/streaming`; as typed
in anthropics/anthropic-sdk-python, `types/`).
Rule: one API. It has no seed and no log-probabilities; what it refuses of a schema goes into the words of its description."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from moot.agents.models import wire
from moot.agents.models.apis import calling
from moot.agents.models.apis.api import API, Folding, checked, texts
from moot.agents.models.refusals import Refusal
from moot.agents.models.wire import Completion, ToolCall
from moot.agents.money.usage import usage_of
from moot.agents.prompts.values import ending
from moot.protocols.engine.errors import UsageError

VERSION = "2023-06-01"
_NO_TEMPERATURE = re.compile(r"\btemperature\W{0,2} is deprecated\b")
BLOCK = 4096
"""Characters of a block of text, some 1024 tokens: the least that is cached. What is marked is found again by the hash of all
before it, if it ends a block then too (docs, "Prompt caching"), and cutting from the front gives a prompt that has only
grown the same blocks again."""
MARKS = 4  # the most marks of a request
_MARK = {"cache_control": {"type": "ephemeral"}}
_MARKED = ("text", "image", "tool_result")  # thinking cannot be marked (docs, "Prompt caching")
_THOUGHT = ("thinking", "redacted_thinking")
_NAMED = ("properties", "$defs")  # keywords that hold schemas by name
_UNKNOWN = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "maxItems", "uniqueItems", "minProperties", "maxProperties", "prefixItems", "contains",
})  # fmt: skip
"""Keywords of which the API says "For 'integer' type, property 'minimum' is not supported" (agentjido/req_llm#302); its own
SDK moves them into the description (`lib/_parse/_transform.py`)."""


class MessagesFolding(Folding):
    """Events put together, as anthropic's own SDK does (`tests/lib/streaming`). Counts of usage are cumulative, so later ones
    replace earlier ones; the first count of output tokens is of none of the answer, and is not taken for all of it."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._said: dict[tuple[int, str], list[str]] = {}
        self._usage: dict[str, Any] = {}

    def take(self, event: dict[str, Any], data: str) -> bool:
        kind, index, delta = event.get("type"), event.get("index"), event.get("delta")
        if kind == "message_start" and isinstance(message := event.get("message"), dict):
            self._message = {**message, "stop_reason": None}
            self._count(message.get("usage"))
            self._usage.pop("output_tokens", None)
        elif kind == "content_block_start" and isinstance(index, int) and isinstance(event.get("content_block"), dict):
            self._blocks[index] = event["content_block"]
            self.size += len(data)
            for name in ("text", "thinking", "signature"):
                self._add(index, name, event["content_block"].get(name))
        elif kind == "content_block_delta" and isinstance(index, int) and isinstance(delta, dict):
            for name in ("text", "thinking", "signature", "partial_json"):
                self._add(index, name, delta.get(name))
        elif kind == "message_delta":
            self._message |= {name: value for name, value in (delta or {}).items() if value is not None}
            self._count(event.get("usage"))
        elif kind == "message_stop":
            self.done = True
        return kind != "ping"

    def _add(self, index: int, name: str, words: Any) -> None:
        if isinstance(words, str) and words:
            self._said.setdefault((index, name), []).append(words)
            self.size += len(words)

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def complete(self) -> bool:
        return isinstance(self._message.get("stop_reason"), str)

    def made(self) -> dict[str, Any]:
        blocks = []
        for index in sorted(self._blocks):
            said = {name: "".join(words) for (at, name), words in self._said.items() if at == index}
            if "partial_json" in said:
                said = {"input": _json(said.pop("partial_json")), **said}
            blocks.append({**self._blocks[index], **said})
        return {**self._message, "content": blocks, "usage": self._usage}


class Messages(API):
    """The Messages API. Thinking is asked for as it has it, extra_body={"thinking": {"type": "enabled", "budget_tokens": 2000}}
    or {"type": "adaptive", "display": "summarized"}; max_tokens counts it too. With "cache_control" in extra_body (None for
    none) moot sets no marks of its own."""

    spoken: ClassVar[str] = "messages"
    path: ClassVar[str] = "messages"
    called: ClassVar[str] = "an Anthropic-compatible API"
    host: ClassVar[str] = "https://api.anthropic.com/v1"
    base_variable: ClassVar[str] = "ANTHROPIC_BASE_URL"
    key_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    logprobs: ClassVar[bool] = False
    fields: ClassVar[Mapping[str, str]] = {
        "tools": "tools", "tool_choice": "tool_choice",
        "output_config": "response_format", "output_format": "response_format", "system": "messages",
    }  # fmt: skip

    def own(self) -> str:
        """The variable is without /v1, as Anthropic's SDKs have it."""
        url = super().own()
        return url if urlsplit(url).path not in ("", "/") else urlsplit(url)._replace(path="/v1").geturl()

    def headers(self, key: str | None) -> dict[str, str]:
        return {"anthropic-version": VERSION, **({} if key is None else {"x-api-key": key})}

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        checked(request)
        more = dict(request)
        messages = list(more.pop("messages"))
        renamed, most = more.pop("max_completion_tokens", None), more.pop("max_tokens", None)
        most = renamed or most
        wanted = more.pop("response_format", None)
        for name in ("seed", "logprobs", "top_logprobs"):
            more.pop(name, None)
        thinking = more.get("thinking")
        budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
        if isinstance(budget, int) and isinstance(most, int) and budget >= most:
            raise UsageError(
                f"max_tokens is {most} and counts what is thought too, {budget} tokens by extra_body; give more max_tokens"
            )
        marked = "cache_control" not in more
        if more.get("cache_control", 0) is None:
            del more["cache_control"]
        made: dict[str, Any] = {"model": more.pop("model"), "max_tokens": most}
        if messages and messages[0]["role"] == "system":
            made["system"] = [_block(part) for part in texts(messages.pop(0)["content"])]
        made["messages"] = _turns(messages)
        if functions := calling.functions(more):
            asked, _ = more.pop("tool_choice", None), more.pop("parallel_tool_calls", None)
            alone = {"type": "none"} if asked == "none" else {"type": "auto", "disable_parallel_tool_use": True}
            made["tools"] = [
                {"name": each["name"], "description": each["description"], "input_schema": fitted(each["parameters"])}
                for each in functions
            ]
            made["tool_choice"] = alone
            del more["tools"]
        if marked:
            mark(made.get("system", []), made["messages"])
        schema = wanted.get("json_schema", {}).get("schema") if isinstance(wanted, Mapping) else None
        if schema is not None:
            form = {"type": "json_schema", "schema": fitted(schema)}
            more["output_config"] = {"format": form, **(more.get("output_config") or {})}
        return {**made, **more}

    def completion(self, data: Any, cached: bool = False) -> Completion:
        content = data.get("content") if isinstance(data, dict) else None
        if not isinstance(content, list):
            raise wire.NotACompletion(f"the body is not a message: {json.dumps(data)[:80]}")
        said: list[str] = []
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        for block in content:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                said.append(wire.words_in(block.get("text")))
            elif kind == "thinking":
                thoughts.append(wire.words_in(block.get("thinking")))
            elif kind == "tool_use":
                calls.append(ToolCall.of(block.get("id"), block.get("name"), block.get("input")))
        text, stop, refusal = "".join(said), data.get("stop_reason"), None
        finish = ending(stop) if isinstance(stop, str) else None
        if stop == "refusal":  # what was said before is no answer (docs, "Streaming refusals")
            details = data.get("stop_details")
            why = details.get("explanation") if isinstance(details, dict) else None
            refusal, finish = why if isinstance(why, str) and why else "stop_reason is refusal", "filtered"
        return Completion(
            text, finish, usage_of(data, bool(text or calls)), None, refusal, cached, "\n\n".join(filter(str.strip, thoughts)),
            calls=tuple(calls), given=("messages", content) if calls else None,
        )  # fmt: skip

    def folding(self) -> Folding:
        return MessagesFolding()

    def neutral(self, refusal: Refusal) -> Refusal:
        """Models from Opus 4.7 on take no temperature (The-PR-Agent/pr-agent#2456); one out of range is another matter."""
        if _NO_TEMPERATURE.search(refusal.words):
            return replace(refusal, param="temperature")
        return super().neutral(refusal)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _block(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a message as this API has it."""
    if part.get("type") != "image_url":
        return dict(part)
    url = part["image_url"] if isinstance(part["image_url"], str) else part["image_url"]["url"]
    kind, _, held = url.removeprefix("data:").partition(";base64,")
    if held:
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": held}}
    return {"type": "image", "source": {"type": "url", "url": url}}


def _turns(messages: list[Any]) -> list[dict[str, Any]]:
    """Messages as turns. The answers to all calls of a turn stand in one, in their order ("Each `tool_use` block must have a
    corresponding `tool_result` block in the next message", anthropics/claude-code#7929)."""
    made: list[dict[str, Any]] = []
    for each in messages:
        if each["role"] == "tool":
            failed = {"is_error": True} if each.get("failed") else {}
            result = {"type": "tool_result", "tool_use_id": each["tool_call_id"], "content": each["content"], **failed}
            if made and made[-1]["role"] == "user" and made[-1]["content"][-1]["type"] == "tool_result":
                made[-1]["content"].append(result)
            else:
                made.append({"role": "user", "content": [result]})
        elif "tool_calls" in each:
            made.append({"role": "assistant", "content": _called(each)})
        elif each["content"]:
            made.append({"role": each["role"], "content": _blocks(each["content"])})
    return made


def _called(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a turn with calls. What was thought stands where it stood, as it was: "`thinking` or `redacted_thinking` blocks
    in the latest assistant message cannot be modified" (anthropics/claude-code#63284; docs, "Extended thinking with tool use")."""
    calls = [{"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in calling.calls(message)]
    said = [{"type": "text", "text": message["content"]}] if message["content"].strip() else []
    kept = [each for each in calling.given(message, "messages") or () if isinstance(each, Mapping)]
    places = [each.get("type") for each in kept if each.get("type") in (*_THOUGHT, "text", "tool_use")]
    if places.count("tool_use") != len(calls):
        return [*said, *calls]
    thoughts, made, left = (
        iter(dict(each) for each in kept if each.get("type") in _THOUGHT),
        list[dict[str, Any]](),
        iter(calls),
    )
    for place in places:
        if place == "text":
            made += said  # what stands in several blocks is said in the first
            said = []
        else:
            made.append(next(left) if place == "tool_use" else next(thoughts))
    return made


def _blocks(content: Any) -> list[dict[str, Any]]:
    """The blocks of a message: its text in pieces that stay the same when more is said after it."""
    made: list[dict[str, Any]] = []
    for part in texts(content):
        if part.get("type") == "text":
            made += [{"type": "text", "text": piece} for piece in pieces(part["text"])]
        else:
            made.append(_block(part))
    return made


def pieces(text: str) -> list[str]:
    """A text in pieces of at most BLOCK characters, cut after a line where there is one: those of a longer text that begins
    with it are the same, but for the last. None is blank, as the API refuses such ("text content blocks must contain
    non-whitespace text")."""
    made: list[str] = []
    start = 0
    while len(text) - start > BLOCK:
        line = text.rfind("\n", start, start + BLOCK) + 1
        end = line if line > start and text[start:line].strip() else start + BLOCK
        if not text[start:end].strip():
            break
        made.append(text[start:end])
        start = end
    rest = text[start:]
    if made and not rest.strip():
        made[-1] += rest
    elif rest:
        made.append(rest)
    return made


def mark(system: list[dict[str, Any]], messages: list[dict[str, Any]]) -> None:
    """Mark, for the cache, the system's words, and the last whole blocks of what was said: the very last ones hold what is
    asked in this turn alone, and will not come again."""
    if system:
        system[-1] |= _MARK
    blocks = [each for message in messages for each in message["content"] if each["type"] in _MARKED]
    for block in blocks[-MARKS:-1]:
        block |= _MARK


def fitted(schema: Any) -> Any:
    """A JSON schema as the API takes it. Keywords that it does not know go, as they are, into the description."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _UNKNOWN or (name == "minItems" and value not in (0, 1)):
            told[name] = value
        elif name in _NAMED and isinstance(value, Mapping):
            made[name] = {each: fitted(inner) for each, inner in value.items()}
        elif isinstance(value, list) and name not in ("enum", "required"):
            made["anyOf" if name == "oneOf" else name] = [fitted(each) for each in value]
        else:
            made[name] = fitted(value) if name not in ("enum", "const", "required") else value
    if made.get("type") == "object":
        made["additionalProperties"] = False
    if told:
        words = ", ".join(f"{name}: {json.dumps(value)}" for name, value in told.items())
        made["description"] = f"{made['description']} ({words})" if "description" in made else words
    return made
