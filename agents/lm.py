"""A language model in a seat."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any, Literal

from moot.agents.cache import Cache
from moot.agents.endpoint import Endpoint, FormatRefused, close_connections, usage
from moot.agents.forms import Unreadable, instruction, parse, schema
from moot.agents.render import Prompts
from moot.protocols.errors import AgentError, UsageError
from moot.protocols.moves import Move, Speech
from moot.protocols.view import Request

_MARGIN = 256
_KEPT = 20_000


class LM:
    """A model behind an OpenAI-compatible endpoint (hosted, vLLM, Ollama, llama.cpp).

    base_url, api_key: where and with what; by default OPENAI_BASE_URL and OPENAI_API_KEY.
    structured: "schema" (JSON schema), "tags" (JSON between tags), or "auto": schema until the endpoint refuses it.
    prices: cost of a million prompt, completion and cached prompt tokens, in any one currency. cache: a sqlite file of
    answers. prompts: a folder of templates that replace moot's own. extra_body: sent along with every call.

    A move that cannot be read is asked for once more; then AgentError. Raises UsageError on bad settings.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        structured: Literal["auto", "schema", "tags"] = "auto",
        temperature: float | None = 0.7,
        max_tokens: int = 1024,
        prompts: Path | str | None = None,
        prices: tuple[float, float, float] | None = None,
        cache: Path | str | None = None,
        timeout: float = 120.0,
        retries: int = 6,
        http_client: Any = None,
        extra_body: dict[str, Any] | None = None,
        seed: bool = True,
    ) -> None:
        import os

        url = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        key = api_key or os.environ.get("OPENAI_API_KEY")
        if key is None and base_url is None and "OPENAI_BASE_URL" not in os.environ and http_client is None:
            raise UsageError(f"model {model!r}: no key for {url}; set OPENAI_API_KEY, or name another endpoint by base_url")
        if structured not in ("auto", "schema", "tags"):
            raise UsageError(f"structured is {structured!r}; it can be auto, schema or tags")
        if max_tokens < 1:
            raise UsageError(f"max_tokens is {max_tokens}; an answer needs at least 1")
        self.model, self.structured, self.temperature, self.max_tokens = model, structured, temperature, max_tokens
        self.prices, self.extra_body, self.seed = prices, extra_body or {}, seed
        self.prompts = Prompts(prompts)
        self.endpoint = Endpoint(url, key, timeout=timeout, retries=retries, http_client=http_client)
        self.cache = Cache(cache) if cache is not None else None
        self._tagged = structured == "tags"

    async def act(self, request: Request) -> Move:
        problem: str | None = None
        for round_ in (0, 1):
            answer, record = await self._ask(request, problem, round_)
            choice = answer["choices"][0]
            text = choice["message"].get("content") or ""
            if choice.get("finish_reason") == "length":
                record["cut"] = True
            try:
                if record.get("cut") and request.kinds != (Speech,):
                    raise Unreadable(f"the answer was cut off at {self.max_tokens} tokens")
                move = parse(text, request, record)
            except Unreadable as error:
                problem = str(error)
                record.update(ok=False, error=problem, text=text[:_KEPT], **({"shortened": True} if len(text) > _KEPT else {}))
                request.note(record)
                continue
            request.note(record)
            return move
        raise AgentError(f"step {request.step}: {self.model} at seat {request.seat}: {problem} (asked twice)")

    async def _ask(
        self, request: Request, problem: str | None, round_: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        while True:
            body = self.body(request, problem)
            try:
                return await self._complete(request, body, round_)
            except FormatRefused:
                if self._tagged or self.structured == "schema":
                    raise
                self._tagged = True

    def body(self, request: Request, problem: str | None = None) -> dict[str, Any]:
        """What is sent for a request. Reading the statements charges the seat; raises BudgetExceeded when it may not."""
        shape = schema(request)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self.prompts.messages(request, instruction(request, self._tagged), problem),
            "max_tokens": self.max_tokens,
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.seed:
            body["seed"] = request.seed % 2**31
        if shape is not None and not self._tagged:
            body["response_format"] = {
                "type": "json_schema", "json_schema": {"name": "move", "schema": shape, "strict": True}
            }  # fmt: skip
        return body

    async def _complete(
        self, request: Request, body: dict[str, Any], round_: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        sent = json.dumps(body["messages"], ensure_ascii=False).encode("utf-8", "replace")
        about = {
            "model": self.model, "round": round_, "template": self.prompts.version,
            "prompt": hashlib.blake2b(sent, digest_size=16).hexdigest(),
        }  # fmt: skip
        # Every token covers at least one byte, so bytes bound tokens from above, whatever the tokenizer.
        most = len(sent) + _MARGIN + int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)
        request.meter.reserve("tokens", most)
        key = Cache.key(self.endpoint.base_url, {**body, **self.extra_body}, request.step, request.seed + round_)
        if self.cache is not None and (kept := self.cache.get(key)) is not None:
            return kept, {"event": "attempted", **about, "attempt": 0, "ok": True, "status": None, "cached": True,
                          "cost": 0.0, "seconds": 0.0, **usage(kept)}  # fmt: skip
        sending = {**body, "extra_body": self._extra(request)} if self._extra(request) else body
        answer, record = await self.endpoint.complete(sending, request.note, about, Random(request.seed))
        record["cost"] = self._cost(record)
        known = record["prompt_tokens"] is not None and record["completion_tokens"] is not None
        request.meter.settle("tokens", record["prompt_tokens"] + record["completion_tokens"] if known else most)
        if self.cache is not None:
            self.cache.put(key, answer)
        return answer, record

    def _extra(self, request: Request) -> dict[str, Any]:
        return self.extra_body

    def _cost(self, record: dict[str, Any]) -> float | None:
        prompt, completion = record["prompt_tokens"], record["completion_tokens"]
        if self.prices is None or prompt is None or completion is None:
            return None
        cached = record["cached_tokens"] or 0
        per_prompt, per_completion, per_cached = self.prices
        return float((prompt - cached) * per_prompt + cached * per_cached + completion * per_completion) / 1e6

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "lm", "model": self.model, "base_url": self.endpoint.base_url, "temperature": self.temperature,
            "max_tokens": self.max_tokens, "structured": self.structured, "prompts": self.prompts.version,
        }  # fmt: skip

    async def close(self) -> None:
        """Close the connections of this event loop."""
        await close_connections()
