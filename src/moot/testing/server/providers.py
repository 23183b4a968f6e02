"""What the endpoints of well-known providers refuse, in what words, and how their answers differ from OpenAI's.

Rule: data, and functions of a request; no server. Each has the source that it was taken from; what no source says, it does
not do. They are small: what is here is what clients have to adapt to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from moot.protocols.engine.errors import UsageError, nearest
from moot.testing.server import tokens
from moot.testing.server.faults import Body
from moot.testing.server.replies import count_tokens, text_of, tokens_of

Refusal = tuple[int, Any]  # a status, and the JSON of its body
Refuses = Callable[[Body], Refusal | None]
Wrong = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """How one kind of endpoint behaves.

    base: the path before /chat/completions. source: where it was taken from. refuses: asked in this order with each body.
    wrong: the JSON of an error, from its message. needs: headers and parameters without which nothing is answered, each with
    the refusal. thinks: tokens of thinking before each answer; thought: the field of the message that has it, where one has.
    logprobs: whether a request for log-probabilities is heeded. cap: the names of the most tokens of an answer that are.
    usage: what the usage of an answer becomes. model: more of each entry in the list of models. choice: more of each choice.
    fenced: whether JSON comes in a fence, with words before it. listed: numbers a choice's tokens, and says how many more there are. query: the end of its base URL.
    """

    base: str
    source: str
    refuses: tuple[Refuses, ...] = ()
    wrong: Wrong = field(default=lambda message, **more: {"error": {"message": message, **more}})
    needs: Callable[[Mapping[str, str], str], Refusal | None] = lambda headers, query: None
    key: str = "authorization"
    thinks: int = 0
    thought: str | None = None
    logprobs: bool = True
    cap: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    usage: Callable[[dict[str, Any], int], dict[str, Any]] = lambda usage, thought: usage
    model: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    fenced: bool = False
    query: str = ""
    listed: Callable[[Body, Body], int | None] = lambda choice, body: None

    @property
    def path(self) -> str:
        """The end of the base URL: the path, and the parameters without which nothing is answered."""
        return self.base + self.query

    def refusal(self, body: Body, headers: Mapping[str, str]) -> Refusal | None:
        """What is said instead of an answer; None where there is one. headers: with the query under ":query"."""
        needed = self.needs(headers, headers.get(":query", ""))
        return needed or next((found for each in self.refuses if (found := each(body)) is not None), None)

    def heeded(self, body: Body) -> Body:
        """The body without what is not heeded."""
        less = {"max_tokens", "max_completion_tokens"} - {*self.cap} | (set() if self.logprobs else {"logprobs"})
        return {name: value for name, value in body.items() if name not in less}


def _openai(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


def _bare(message: str, **more: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400, **more}


def _google(message: str, **more: Any) -> list[Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"description": message}]}]
    return [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details, **more}}]


def _mistral(message: Any, **more: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "invalid_request_error", "param": None, "code": None, **more}


def _when(holds: Callable[[Body], Any], status: int, wrong: Wrong, message: str, **more: Any) -> Refuses:
    """A refusal of bodies of which something holds; the message may name their fields, as {max_tokens}."""
    return lambda body: (status, wrong(message.format_map(_Named(body)), **more)) if holds(body) else None


class _Named(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _has(*names: str) -> Callable[[Body], Any]:
    return lambda body: any(name in body for name in names)


def _form(kind: str) -> Callable[[Body], Any]:
    return lambda body: (body.get("response_format") or {}).get("type") == kind


def _tools_formed(body: Body) -> bool:
    return bool(body.get("tools") and body.get("response_format"))


def _thought(name: str) -> Callable[[Body], Any]:
    return lambda body: any(message.get(name) for message in body["messages"])


def _calls_without(name: str) -> Callable[[Body], Any]:
    return lambda body: any("tool_calls" in message and not message.get(name) for message in body["messages"])


def _over(most: int, *names: str) -> Callable[[Body], Any]:
    return lambda body: any(isinstance(body.get(name), int) and body[name] > most for name in names)


def prompt_tokens(body: Body) -> int:
    """Tokens of a prompt, at four bytes each."""
    return -(-sum(len(text_of(message).encode("utf-8", "surrogatepass")) for message in body["messages"]) // 4)


def _context(most: int, status: int, wrong: Wrong, both: str, alone: str, **more: Any) -> Refuses:
    """A refusal of prompts that do not fit (alone), or not with the answer (both), into a context."""

    def refuses(body: Body) -> Refusal | None:
        used, asked = prompt_tokens(body), body.get("max_completion_tokens") or body.get("max_tokens") or 0
        if used < most and used + asked < most:
            return None
        said = (alone if used >= most or not both else both).format(
            asked=asked, most=most, used=used, total=used + asked
        )
        return status, wrong(said, **more)

    return refuses


def _unknown_keywords(*names: str) -> Refuses:
    """Groq's refusal of keywords in a schema."""

    def keys(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            for key, value in schema.items():
                yield key
                yield from keys(
                    list(value.values()) if key in ("properties", "$defs") and isinstance(value, dict) else value
                )
        elif isinstance(schema, list):
            for each in schema:
                yield from keys(each)

    def refuses(body: Body) -> Refusal | None:
        schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
        found = next((key for key in keys(schema) if key in names), None)
        said = f"invalid schema for response format: response_format/json_schema: {found} is not supported"
        return None if found is None else (400, _openai(said))

    return refuses


def _azure_needs(headers: Mapping[str, str], query: str) -> Refusal | None:
    parameters = dict(parse_qsl(query))
    if not headers.get("api-key") and not headers.get("authorization"):
        said = ("Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
                "active subscription and use a correct regional API endpoint for your resource.")  # fmt: skip
        return 401, {"error": {"code": "401", "message": said}}
    return None if "api-version" in parameters else (404, {"error": {"code": "404", "message": "Resource not found"}})


def _reasoning(usage: dict[str, Any], thought: int) -> dict[str, Any]:
    return {**usage, "completion_tokens_details": {"reasoning_tokens": thought}}


def _bare_usage(usage: dict[str, Any], thought: int) -> dict[str, Any]:
    return {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def _deepseek_usage(usage: dict[str, Any], thought: int) -> dict[str, Any]:
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {**usage, "prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": usage["prompt_tokens"] - cached}


def _priced(usage: dict[str, Any], thought: int) -> dict[str, Any]:
    cost = (usage["prompt_tokens"] * 0.1 + usage["completion_tokens"] * 0.4) / 1_000_000
    return {**_reasoning(usage, thought), "cost": cost, "is_byok": False}


_NO_FIELD = 'Invalid JSON payload received. Unknown name "{0}": Cannot find field.'
_VLLM = ("'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum context length is {most} tokens and your "
         "request has {used} input tokens ({asked} > {most} - {used}). None")  # fmt: skip
_SGLANG = ("Requested token count exceeds the model's maximum context length of {most} tokens. You requested a total of {total} "
           "tokens: {used} tokens from the input messages and {asked} tokens for the completion. Please reduce the number of tokens "
           "in the input messages or the completion to fit within the limit.")  # fmt: skip
_TOO_LARGE = "{name} is too large: {{{name}}}. This model supports at most {most} completion tokens, whereas you provided {{{name}}}."

PROVIDERS: dict[str, Provider] = {
    "openai-reasoning": Provider(
        "/v1",
        "platform.openai.com/docs/guides/reasoning; github.com/fish2018/YPrompt/issues/26 (max_tokens), confident-ai/deepeval#2184 "
        "(logprobs, 403), ChatGPTNextWeb/NextChat#3195 (too large)",
        (
            _when(_has("max_tokens"), 400, _openai, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                  "'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter"),
            _when(lambda body: body.get("temperature", 1) != 1, 400, _openai, "Unsupported value: 'temperature' does not support "
                  "{temperature} with this model. Only the default (1) value is supported.", param="temperature",
                  code="unsupported_value"),
            _when(_has("parallel_tool_calls"), 400, _openai, "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
                  param="parallel_tool_calls", code="unsupported_parameter"),
            _when(_has("logprobs", "top_logprobs"), 403, _openai, "You are not allowed to request logprobs from this model"),
            _when(_over(100_000, "max_completion_tokens"), 400, _openai,
                  _TOO_LARGE.format(name="max_completion_tokens", most=100_000), param="max_completion_tokens"),
        ),
        _openai, thinks=700, usage=_reasoning,
    ),
    "azure": Provider(
        "/openai/deployments/mock",
        "learn.microsoft.com/azure/foundry/openai/reference (api-version, api-key), learn.microsoft.com/azure/foundry/openai/"
        "api-version-lifecycle; github.com/dotnet/extensions/issues/6130 (json_schema)",
        wrong=_openai, needs=_azure_needs, key="api-key", query="?api-version=2024-10-21",
        choice={"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}},
    ),
    "gemini": Provider(
        "/v1beta/openai",
        "ai.google.dev/gemini-api/docs/openai; github.com/Vali-98/ChatterUI/issues/227 (seed, a list of errors), symfony/ai#803 (tools), "
        "mscraftsman/generative-ai#135 (logprobs)",
        (
            _when(_has("seed"), 400, _google, _NO_FIELD.format("seed")),
            _when(_tools_formed, 400, _google, "Function calling with a response mime type: 'application/json' is unsupported"),
            _when(_has("logprobs", "top_logprobs"), 400, _google, "Logprobs is not enabled for models/{model}"),
        ),
        _google, thinks=40, usage=lambda usage, thought: {
            **_bare_usage(usage, thought), "completion_tokens": usage["completion_tokens"] - thought,
        },
    ),
    "anthropic": Provider(
        "/v1",
        "platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk: response_format, seed and logprobs are ignored",
        (
            _when(_over(8192, "max_tokens", "max_completion_tokens"), 400, _openai, "max_tokens: {max_tokens} > 8192, which is the "
                  "maximum allowed number of output tokens for claude-3-5-haiku-20241022"),
        ),
        _openai, logprobs=False, usage=_bare_usage, fenced=True,
    ),
    "openrouter": Provider(
        "/api/v1",
        "openrouter.ai/docs/api/reference/errors-and-debugging (a 200 with an error; 404 where no provider takes the parameters)",
        (
            _when(_has("logprobs", "top_logprobs"), 404, lambda message, **more: {"error": {"message": message, "code": 404}},
                  "No endpoints found that can handle the requested parameters (logprobs)."),
        ),
        thinks=30, thought="reasoning", usage=_priced, model={"context_length": 131_072},
    ),
    "vllm": Provider(
        "/v1",
        "github.com/claude-code-best/claude-code/issues/272 (context), langchain4j/langchain4j#3475 (tools), vllm-project/vllm#5299 (logprobs, here with --max-logprobs 5), "
        "docs.vllm.ai: unknown fields are let pass",
        (
            _when(_over(5, "top_logprobs"), 400, _bare, "Requested sample logprobs of {top_logprobs}, which is greater than max "
                  "allowed: 5"),
            _when(_has("tools"), 400, _bare, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
            _context(8192, 400, _openai, _VLLM, "This model's maximum context length is {most} tokens. However, your request has "
                     "{used} input tokens. Please reduce the length of the input messages.", type="BadRequestError", code=400),
        ),
        _bare, thought="reasoning_content", usage=_bare_usage, model={"max_model_len": 8192, "owned_by": "vllm"},
        listed=tokens.beside,
    ),
    "sglang": Provider(
        "/v1",
        "sgl-project/sglang: TokenizerManager._validate_one_request (python/sglang/srt/managers/tokenizer_manager.py)",
        (
            _context(8192, 400, _bare, _SGLANG, "The input ({used} tokens) is longer than the model's context length ({most} "
                     "tokens).", type="BadRequest"),
        ),
        _bare, thought="reasoning_content", usage=_bare_usage, model={"max_model_len": 8192},
    ),
    "ollama": Provider(
        "/v1",
        "docs.ollama.com/api/openai-compatibility (the fields that are heeded); github.com/ollama/ollama/issues/16117 (logprobs are "
        "dropped without a word)",
        wrong=lambda message, **more: {"error": {"message": message, "type": "api_error", "param": None, "code": None}},
        logprobs=False, thought="reasoning", cap=("max_tokens",), usage=_bare_usage,
    ),
    "llamacpp": Provider(
        "/v1",
        "ggml-org/llama.cpp#15780 (context), lidge-jun/opencodex#2135 (grammar); tools/server/README.md",
        (
            _context(4096, 400, lambda message, **more: {"error": {"code": 400, "message": message, **more}}, "",
                     "the request exceeds the available context size, try increasing it", type="exceed_context_size_error",
                     n_ctx=4096),
            _when(lambda body: re.search(r'"maxLength": [2-9]\d{3}', json.dumps(body.get("response_format"))), 400,
                  lambda message, **more: {"error": {"code": 400, "message": message, "type": "invalid_request_error"}},
                  "Failed to initialize samplers: failed to parse grammar"),
        ),
        thought="reasoning_content", usage=_bare_usage, model={"meta": {"n_ctx_train": 32_768}, "owned_by": "llamacpp"},
        listed=tokens.listed_by_id,
    ),
    "lmstudio": Provider(
        "/v1",
        "lmstudio-ai/lmstudio-bug-tracker#189 and LoadShine/tada#16 (json_object), lmstudio-ai/lms#60 (logprobs are left out)",
        (
            _when(_form("json_object"), 400, lambda message, **more: {"error": message},
                  "'response_format.type' must be 'json_schema' or 'text'"),
        ),
        logprobs=False, usage=_bare_usage, model={"max_context_length": 8192},
    ),
    "groq": Provider(
        "/openai/v1",
        "console.groq.com/docs/openai (logprobs: 400); github.com/i-am-bee/beeai-framework/issues/1215 (minItems), vercel/ai#16540 and karthink/gptel#774 (tools), "
        "anomalyco/opencode#1000 (max_tokens)",
        (
            _when(_has("logprobs", "top_logprobs"), 400, _openai, "property 'logprobs' is unsupported"),
            _when(_over(16_384, "max_tokens", "max_completion_tokens"), 400, _openai, "`max_tokens` must be less than or equal to "
                  "`16384`, the maximum value for `max_tokens` is less than the `context_window` for this model", param="max_tokens"),
            _when(_tools_formed, 400, _openai, "json mode cannot be combined with tool/function calling"),
            _when(_thought("reasoning_content"), 400, _openai, "'messages.2' : for 'role:assistant' the following must be "
                  "satisfied[('messages.2' : property 'reasoning_content' is unsupported)]"),
            _unknown_keywords("minItems", "maxItems"),
        ),
        _openai, logprobs=False, usage=_bare_usage, model={"context_window": 131_072},
    ),
    "deepseek": Provider(
        "/v1",
        "api-docs.deepseek.com/guides/reasoning_model, api-docs.deepseek.com/guides/thinking_mode (tools); github.com/deepseek-ai/DeepSeek-R1/issues/7 (temperature), Gitlawb/openclaude#35 "
        "(max_tokens); response_format: api-docs.deepseek.com/api/create-chat-completion (text or json_object)",
        (
            _when(_has("temperature"), 400, _openai, "deepseek-reasoner does not support the parameter `temperature`",
                  code="invalid_request_error"),
            _when(_calls_without("reasoning_content"), 400, _openai, "The `reasoning_content` in the thinking mode must be passed back to "
                  "the API.", code="invalid_request_error"),
            _when(_has("logprobs", "top_logprobs"), 400, _openai, "deepseek-reasoner does not support the parameter `logprobs`",
                  code="invalid_request_error"),
            _when(_over(65_536, "max_tokens"), 400, _openai, "Invalid max_tokens value, the valid range of max_tokens is [1, 65536]",
                  code="invalid_request_error"),
            _when(_form("json_schema"), 400, _openai, "This response_format type is unavailable now", code="invalid_request_error"),
            _when(lambda body: _form("json_object")(body) and "json" not in " ".join(map(text_of, body["messages"])).lower(), 400,
                  _openai, "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."),
        ),
        _openai, thinks=60, thought="reasoning_content", logprobs=False, cap=("max_tokens",),
        usage=lambda usage, thought: _deepseek_usage(_reasoning(usage, thought), thought),
    ),
    "mistral": Provider(
        "/v1",
        "docs.mistral.ai/api (random_seed; no logprobs); github.com/editor-code-assistant/eca/issues/231 (max_completion_tokens, 422)",
        tuple(
            _when(_has(name), 422, lambda message, **more: _mistral({"detail": [
                {"type": "extra_forbidden", "loc": ["body", message], "msg": "Extra inputs are not permitted", "input": 1}
            ]}), name)
            for name in ("seed", "max_completion_tokens", "logprobs", "top_logprobs")
        ),
        _mistral, logprobs=False, usage=_bare_usage, model={"max_context_length": 32_768},
    ),
}  # fmt: skip


def provider(name: str) -> Provider:
    """The provider of that name. Raises UsageError for another."""
    if name not in PROVIDERS:
        raise UsageError(f"there is no provider {name!r}{nearest(name, sorted(PROVIDERS))}")
    return PROVIDERS[name]


def shaped(provider: Provider, made: Body, body: Body) -> Body:
    """A chat completion as this provider's endpoint gives it."""
    limit = next(
        (body[name] for name in ("max_completion_tokens", "max_tokens") if isinstance(body.get(name), int)), None
    )
    more = 0
    for choice in made["choices"]:
        message, thought = choice["message"], provider.thinks
        choice |= provider.choice
        text = message["content"] or ""
        if provider.fenced and "response_format" in body:
            message["content"] = text = f"Here is my answer:\n\n```json\n{text}\n```"
        if limit is not None and thought and (room := limit - thought) < count_tokens(text):
            message["content"], choice["finish_reason"] = "".join(tokens_of(text)[: max(0, room)]), "length"
            thought = min(thought, limit)
        more += (provider.listed(choice, body) or 0) + thought + count_tokens(message["content"]) - count_tokens(text)
        if provider.thought is not None:
            message[provider.thought] = "I think. " * (thought // 3) or None
    if isinstance(usage := made.get("usage"), dict):
        counted = {
            **usage,
            "completion_tokens": usage["completion_tokens"] + more,
            "total_tokens": usage["total_tokens"] + more,
        }
        made = {**made, "usage": provider.usage(counted, provider.thinks)}
    return made
