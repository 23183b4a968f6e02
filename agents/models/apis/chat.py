"""Chat completions, which nearly every endpoint speaks (https://platform.openai.com/docs/api-reference/chat, and its chunks in
`/chat-streaming`).
Rule: one API; whole answers are read in `wire.py`, where providers' ways to say the same thing stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

from moot.agents.models import wire
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
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            content = delta.get("content")
            for part in content if isinstance(content, list) else [content]:  # Mistral's reasoning models send lists
                self._add(index, "thinking" if wire.is_thought(part) else "content", wire.words_in(part))
            for name in (*wire.THOUGHT, "refusal"):
                self._add(index, name, wire.words_in(delta.get(name)))
        return self.size > before or choice.get("finish_reason") is not None

    def _add(self, index: int, name: str, words: str) -> None:
        if words:
            self._said[index][name].append(words)
            self.size += len(words)

    def complete(self) -> bool:
        return bool(self._choices) and all(
            choice["finish_reason"] is not None or choice.get("error") for choice in self._choices.values()
        )

    def made(self) -> dict[str, Any]:
        choices = []
        for index in sorted(self._choices):
            message = {"role": "assistant", "content": None}
            message |= {name: "".join(words) for name, words in self._said[index].items()}
            logprobs = {"content": self._logprobs[index]} if index in self._logprobs else None
            choices.append({**self._choices[index], "message": message, "logprobs": logprobs})
        return {**self._whole, "object": "chat.completion", "choices": choices}


class Chat(API):
    """Chat completions."""

    spoken: ClassVar[str] = "chat"
    several: ClassVar[bool] = True
    path: ClassVar[str] = "chat/completions"

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        checked(request)
        return dict(request)

    def streamed(self, body: Mapping[str, Any], usage: bool = True) -> dict[str, Any]:
        """Usage comes in a stream only if it is asked for (`stream_options`, OpenAI's reference)."""
        return {**body, "stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}

    def completion(self, data: Any, cached: bool = False) -> Completion:
        return wire.completion_from(data, cached)

    def folding(self) -> Folding:
        return ChatFolding()
