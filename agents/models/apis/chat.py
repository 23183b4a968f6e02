"""Chat completions, which nearly every endpoint speaks (https://platform.openai.com/docs/api-reference/chat, and its chunks in
`/chat-streaming`).
Rule: one API; whole answers are read in `wire.py`, where providers' ways to say the same thing stand."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from moot.agents.models import wire
from moot.agents.models.apis import calling
from moot.agents.models.apis.api import API, Folding, checked
from moot.agents.models.wire import Completion


class ChatFolding(Folding):
    """Chunks put together. A part of a stream is a part of a choice's message; the last usage that is given counts, as vLLM
    gives it with every chunk where it is told to, and others in a chunk without choices."""

    def __init__(self) -> None:
        super().__init__()
        self._whole: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._said: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._logprobs: dict[int, list[Any]] = defaultdict(list)
        self._ids: dict[int, list[Any]] = defaultdict(list)
        self._calls: dict[int, list[dict[str, Any]]] = defaultdict(list)

    def take(self, event: dict[str, Any], data: str) -> bool:
        for name in ("id", "model", "created", "usage", "timings"):
            if event.get(name) is not None:
                self._whole[name] = event[name]
        choices = event.get("choices")
        on = bool(self._whole.get("usage")) and not choices
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and isinstance(index := choice.get("index", 0), int):
                on = self._choice(index, choice, data) or on
        return on

    def _choice(self, index: int, choice: dict[str, Any], data: str) -> bool:
        kept = self._choices.setdefault(index, {"index": index, "finish_reason": None})
        before = self.size
        for name in ("finish_reason", "error"):
            if choice.get(name) is not None:
                kept[name] = choice[name]
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list) and logprobs["content"]:
            self._logprobs[index] += logprobs["content"]
            self.size += len(data)
        if isinstance(choice.get("token_ids"), list):  # vLLM's, where they are asked for
            self._ids[index] += choice["token_ids"]
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            content = delta.get("content")
            for part in content if isinstance(content, list) else [content]:  # Mistral's reasoning models send lists
                self._add(index, "thinking" if wire.is_thought(part) else "content", wire.words_in(part))
            for name in (*wire.THOUGHT, "refusal"):
                self._add(index, name, wire.words_in(delta.get(name)))
            listed = delta.get("tool_calls")
            for part in listed if isinstance(listed, list) else ():
                if isinstance(part, dict):
                    self._call(self._calls[index], part)
                    self.size += len(data)
        return self.size > before or choice.get("finish_reason") is not None

    def _add(self, index: int, name: str, words: str) -> None:
        if words:
            self._said[index][name].append(words)
            self.size += len(words)

    def _call(self, calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
        """Add a part of a call. Its place says of which; Gemini's endpoint leaves that out, or gives each call the first
        (open-webui/computer#224, NousResearch/hermes-agent#62937): another id, or another name, begins another call."""
        of = part["function"] if isinstance(part.get("function"), dict) else {}
        place, id, name = part.get("index"), part.get("id"), of.get("name")
        kept = calls[-1] if calls else None
        if isinstance(place, int):
            kept = next((each for each in reversed(calls) if each.get("index") == place), None)
        if kept is None or (id and kept.get("id") and id != kept["id"]) or (not id and name and kept["written"]):
            kept = {"index": place, "function": {}, "written": []}
            calls.append(kept)
        kept |= {key: value for key, value in part.items() if key != "function" and value is not None}
        if name:
            kept["function"]["name"] = name
        arguments = of.get("arguments")
        words = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        if words:
            kept["written"].append(words)

    def complete(self) -> bool:
        return bool(self._choices) and all(
            choice["finish_reason"] is not None or choice.get("error") for choice in self._choices.values()
        )

    def made(self) -> dict[str, Any]:
        choices = []
        for index in sorted(self._choices):
            message: dict[str, Any] = {"role": "assistant", "content": None}
            message |= {name: "".join(words) for name, words in self._said[index].items()}
            if index in self._calls:
                message["tool_calls"] = [
                    {**each, "function": {**each["function"], "arguments": "".join(each.pop("written"))}}
                    for each in map(dict, self._calls[index])
                ]
            logprobs = {"content": self._logprobs[index]} if index in self._logprobs else None
            ids = {"token_ids": self._ids[index]} if index in self._ids else {}
            choices.append({**self._choices[index], "message": message, "logprobs": logprobs, **ids})
        return {**self._whole, "object": "chat.completion", "choices": choices}


class Chat(API):
    """Chat completions."""

    spoken: ClassVar[str] = "chat"
    several: ClassVar[bool] = True
    path: ClassVar[str] = "chat/completions"

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        checked(request)
        if not any("given" in each or "tool_calls" in each or "failed" in each for each in request["messages"]):
            return dict(request)
        return {**request, "messages": [_message(each) for each in request["messages"]]}

    def streamed(self, body: Mapping[str, Any], usage: bool = True) -> dict[str, Any]:
        """Usage comes in a stream only if it is asked for (`stream_options`, OpenAI's reference)."""
        return {**body, "stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}

    def completion(self, data: Any, cached: bool = False) -> Completion:
        found = wire.completion_from(data, cached)
        return replace(found, given=("chat", found.given)) if found.calls else found

    def folding(self) -> Folding:
        return ChatFolding()


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as this API has it. What was thought before a call goes back in the field that it came in, which DeepSeek demands
    (https://api-docs.deepseek.com/guides/thinking_mode#tool-calls), as OpenRouter and Mistral want it, and so does what stands
    beside a call: Gemini's `extra_content`, with its signature (https://ai.google.dev/gemini-api/docs/thought-signatures)."""
    if "tool_calls" not in message:
        return {name: value for name, value in message.items() if name not in ("given", "failed")}
    said = calling.given(message, "chat") or {}
    beside = [each if isinstance(each, Mapping) else {} for each in said.get("tool_calls") or ()]
    beside += [{}] * (len(message["tool_calls"]) - len(beside))
    calls = [
        {**{name: value for name, value in more.items() if name not in ("index", "id", "type", "function")}, **call}
        for call, more in zip(message["tool_calls"], beside, strict=True)
    ]
    made = {"role": "assistant", "content": message["content"] or None, "tool_calls": calls}
    if isinstance(parts := said.get("content"), list) and any(map(wire.is_thought, parts)):
        text = [{"type": "text", "text": message["content"]}] if message["content"] else []
        made["content"] = [*filter(wire.is_thought, parts), *text]
    thoughts = {name: said[name] for name in wire.THOUGHT if said.get(name)}
    if not isinstance(thoughts.get("reasoning_details"), list):  # of a stream only its words are kept
        thoughts.pop("reasoning_details", None)
    return {**made, **thoughts}
