"""The APIs that the mock server speaks beside chat completions: their requests, answers, refusals and streams of events.

Anthropic's messages as documented (https://platform.claude.com/docs/en/api/messages, `/build-with-claude/streaming`,
`/build-with-claude/prompt-caching`) and recorded (anthropics/anthropic-sdk-python, `tests/lib/streaming/fixtures`); OpenAI's
responses as documented (https://platform.openai.com/docs/api-reference/responses, `/responses-streaming`) and typed in openai 3;
chunks of chat completions after `/chat-streaming`.

Rule: functions of requests and of the chat completion that the server made; no server, no sockets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from moot.testing.server import calling
from moot.testing.server.faults import Body, Fault
from moot.testing.server.replies import tokens_of

PATHS = {"/chat/completions": "chat", "/messages": "messages", "/responses": "responses"}
CACHED = 1024  # tokens, the least prefix that Anthropic keeps
BACK = 20  # blocks before a mark at which it looks for what it has kept
_WRONG = "invalid_request_error"
_EXTRA = (
    "seed",
    "response_format",
    "logprobs",
    "top_logprobs",
    "max_completion_tokens",
    "stream_options",
    "n",
    "store",
)
_UNKNOWN = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
)
_MOVED = {"messages": "input", "response_format": "text.format", "max_tokens": "max_output_tokens"}


def chat_of(api: str, body: Body) -> Body:
    """A request as a chat completion would put it."""
    if api == "chat" or not isinstance(body, dict):
        return body
    made: Body = {name: body[name] for name in ("model", "temperature", "top_logprobs", "stream") if name in body}
    if api == "messages":
        system, turns, wanted = body.get("system"), body.get("messages"), body.get("output_config")
        form = wanted.get("format") if isinstance(wanted, dict) else None
        most = body.get("max_tokens")
    else:
        system, turns, text = body.get("instructions"), body.get("input"), body.get("text")
        turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
        form, most = text.get("format") if isinstance(text, dict) else None, body.get("max_output_tokens")
        made["logprobs"] = "message.output_text.logprobs" in (body.get("include") or ())
    head = [{"role": "system", "content": system}] if system else []
    made["messages"] = [*head, *(turns if isinstance(turns, list) else ())]
    if most:
        made["max_tokens"] = most
    made |= calling.chat_tools(body)
    if isinstance(form, dict):
        named = {"name": form.get("name", "answer"), "strict": True, "schema": form.get("schema")}
        made["response_format"] = {"type": "json_schema", "json_schema": named} if "schema" in form else form
    return made


def refused(api: str, body: Body, headers: Mapping[str, str]) -> Fault | None:
    """What the API has against a request, in its own words."""
    said, param, code = _against(body, headers) if api == "messages" else _against_input(body), None, None
    if isinstance(said, tuple):
        said, param, code = said
    return None if said is None else Fault("status", 400, said, _WRONG, code, param)


def _against(body: Body, headers: Mapping[str, str]) -> str | None:
    if "anthropic-version" not in headers:
        return "anthropic-version: header is required"
    if "max_tokens" not in body:
        return "max_tokens: Field required"
    for name in _EXTRA:
        if name in body:
            return f"{name}: Extra inputs are not permitted"
    if body.get("temperature", 0) > 1:
        return "temperature: range: 0..1"
    thinking = body.get("thinking") or {}
    if thinking.get("budget_tokens", 0) >= body["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if thinking and body.get("temperature", 1) != 1:
        return "`temperature` may only be set to 1 when thinking is enabled."
    for turn in body.get("messages") or ():
        if turn.get("role") not in ("user", "assistant"):
            return (f'messages: Unexpected role "{turn.get("role")}". The Messages API accepts a top-level `system` parameter, '
                    "not \"system\" as an input message role.")  # fmt: skip
    blocks = list(_blocks(body))
    if any(block.get("type") == "text" and not block["text"].strip() for block in blocks):
        return "messages: text content blocks must contain non-whitespace text"
    if (marks := sum("cache_control" in block for block in blocks)) > 4:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {marks}."
    form = (body.get("output_config") or {}).get("format") or {}
    return _schema_refused(form.get("schema")) or calling.against_messages(body)


def _schema_refused(schema: Any) -> str | None:
    if isinstance(schema, list):
        return next(filter(None, map(_schema_refused, schema)), None)
    if not isinstance(schema, dict):
        return None
    head = "output_config.format.schema: For "
    if found := [name for name in _UNKNOWN if name in schema and not isinstance(schema[name], dict)]:
        return f"{head}'{schema.get('type')}' type, property '{found[0]}' is not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return f"{head}'object' type, 'additionalProperties' must be explicitly set to false"
    return next(filter(None, map(_schema_refused, schema.values())), None)


def _against_input(body: Body) -> str | tuple[str, str, str] | None:
    for name, new in _MOVED.items():
        if name in body:
            moved = f"In the Responses API, this parameter has moved to '{new}'. Try again with the new parameter."
            return f"Unsupported parameter: '{name}'. {moved}", name, "unsupported_parameter"
    for name in ("seed", "logprobs", "stream_options", "n"):
        if name in body:
            return f"Unknown parameter: '{name}'.", name, "unknown_parameter"
    if (most := body.get("max_output_tokens", 16)) < 16:
        return (f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {most} instead.",
                "max_output_tokens", "integer_below_min_value")  # fmt: skip
    return calling.against_input(body)


def failure(api: str, fault: Fault) -> Body:
    """The body of an error."""
    if api == "messages":
        kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        named = kind.get(fault.status, "api_error" if fault.status >= 500 else _WRONG)
        return {"type": "error", "error": {"type": named, "message": fault.message}, "request_id": "req_0"}
    return {"error": {"message": fault.message, "type": fault.type, "param": fault.param, "code": fault.code}}


class Kept:
    """What Anthropic's cache holds: prefixes of prompts that ended in a mark, by their hash."""

    def __init__(self) -> None:
        self._held: set[bytes] = set()

    def usage(self, body: Body, completion: int) -> Body:
        """The usage of a request, after what earlier ones left."""
        digest, size, sizes, hashes, marks = blake2b(body["model"].encode()), 0, [], [], []
        for place, block in enumerate(_blocks(body)):
            bare = {name: value for name, value in block.items() if name != "cache_control"}
            digest.update(json.dumps(bare, sort_keys=True).encode())
            size += len(str(block.get("text", "")).encode())
            sizes.append(-(-size // 4))
            hashes.append(digest.digest())
            if "cache_control" in block:
                marks.append(place)
        within = [place for mark in marks for place in range(max(0, mark - BACK), mark + 1)]
        read = max((sizes[place] for place in within if hashes[place] in self._held), default=0)
        kept = [place for place in marks if sizes[place] >= CACHED]
        written = max((sizes[place] for place in kept), default=0)
        self._held |= {hashes[place] for place in kept}
        beside = max(read, written)
        return {"input_tokens": -(-size // 4) - beside, "cache_creation_input_tokens": beside - read,
                "cache_read_input_tokens": read, "output_tokens": completion}  # fmt: skip


def _blocks(body: Body) -> Iterator[Body]:
    for content in (body.get("system"), *(turn.get("content") for turn in body.get("messages") or ())):
        yield from [{"type": "text", "text": content}] if isinstance(content, str) else content or ()


def whole(api: str, made: Body, body: Body, usage: Any) -> Body:
    """The answer that a chat completion is, in the API's own form. usage: as the API has it; None for none."""
    if api == "chat":
        return {**made, "usage": usage} if usage is not None else made
    choice = next(iter(made["choices"]), None)
    message = choice["message"] if choice else {}
    text, thought, finish = (
        message.get("content") or "",
        message.get("reasoning_content"),
        (choice or {}).get("finish_reason"),
    )
    if api == "messages":
        content: list[Body] = (
            [{"type": "thinking", "thinking": thought, "signature": calling.signed(thought)}] if thought else []
        )
        content += [{"type": "text", "text": text}] if text else []
        content += calling.blocks(message)
        stop = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}.get(finish or "", finish)
        answer = {"id": "msg_" + made["id"], "type": "message", "role": "assistant", "model": made["model"]}
        answer |= {"content": content, "stop_reason": stop, "stop_sequence": None}
        if message.get("refusal"):
            answer |= {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": message["refusal"]}}
        return {**answer, "usage": usage} if usage is not None else answer
    output: list[Body] = []
    if thought:
        output.append({"id": "rs_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": thought}]})
    if choice and (text or not message.get("tool_calls")):
        part: Body = {"type": "output_text", "text": text, "annotations": [],
                      "logprobs": (choice.get("logprobs") or {}).get("content", [])}  # fmt: skip
        part = {"type": "refusal", "refusal": message["refusal"]} if message.get("refusal") else part
        output.append({"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    output += calling.items(message)
    cut = finish == "length"
    answer = {"id": "resp_" + made["id"], "object": "response", "created_at": made["created"], "model": made["model"]}
    answer |= {"status": "incomplete" if cut else "completed", "error": None, "output": output}
    answer["incomplete_details"] = {"reason": "max_output_tokens"} if cut else None
    return {**answer, "usage": usage} if usage is not None else answer


def responses_usage(usage: Mapping[str, Any]) -> Body:
    """The usage of a chat completion, as the Responses API names it."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {"input_tokens": usage["prompt_tokens"], "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": usage["completion_tokens"], "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"]}  # fmt: skip


def events(api: str, answer: Body, body: Body) -> list[bytes]:
    """The stream of events that an answer is when it is asked for so."""
    if api == "messages":
        return [_event(each["type"], each) for each in _message_events(answer)]
    if api == "responses":
        numbered = enumerate(_response_events(answer))
        return [_event(each["type"], {**each, "sequence_number": number}) for number, each in numbered]
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage")
    return [*(_event(None, each) for each in _chunks(answer, bool(with_usage))), b"data: [DONE]\n\n"]


def error_event(api: str, fault: Fault) -> bytes:
    """The event with which a stream ends in an error."""
    if api == "responses":
        return _event("error", {"type": "error", "code": fault.code, "message": fault.message, "param": None,
                                "sequence_number": 99})  # fmt: skip
    said = failure(api, fault)
    return _event("error" if api == "messages" else None, said if api == "messages" else
                  {"error": {"message": fault.message, "code": fault.status}})  # fmt: skip


def _event(name: str | None, data: Body) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _chunks(answer: Body, with_usage: bool) -> Iterator[Body]:
    head = {**{name: answer[name] for name in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    head |= {"usage": None} if with_usage else {}

    def chunk(index: int, delta: Body, logprobs: Any = None, finish: str | None = None) -> Body:
        return {**head, "choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]}

    for choice in answer["choices"]:
        index, message = choice["index"], choice["message"]
        listed = (choice.get("logprobs") or {}).get("content") or []
        yield chunk(index, {"role": "assistant", "content": ""})
        for token in tokens_of(message.get("reasoning_content") or ""):
            yield chunk(index, {"reasoning_content": token})
        for place, token in enumerate(tokens_of(message["content"] or "")):
            yield chunk(index, {"content": token}, {"content": [listed[place]]} if place < len(listed) else None)
        if message.get("refusal"):
            yield chunk(index, {"refusal": message["refusal"]})
        for place, call in enumerate(message.get("tool_calls") or ()):
            of = call["function"]
            begun = {**call, "index": call.get("index", place), "function": {**of, "arguments": ""}}
            yield chunk(index, {"tool_calls": [begun]})
            for token in tokens_of(of["arguments"]):
                yield chunk(index, {"tool_calls": [{"index": begun["index"], "function": {"arguments": token}}]})
        last = chunk(index, {}, finish=choice["finish_reason"])
        last["choices"][0] |= {"error": choice["error"]} if "error" in choice else {}
        yield last
    if with_usage and "usage" in answer:
        yield {**head, "choices": [], "usage": answer["usage"]}


def _message_events(answer: Body) -> Iterator[Body]:
    start = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    start.pop("stop_details", None)
    if "usage" in answer:
        start["usage"] = {**answer["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(answer["content"]):
        name = block["type"]
        empty = {name: ""} | ({"signature": ""} if name == "thinking" else {})
        if name == "tool_use":
            begun = {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
            pieces = tokens_of(json.dumps(block["input"])) if block["input"] else [""]
            delta = {"type": "content_block_delta", "index": index}
            yield from [
                begun,
                *({**delta, "delta": {"type": "input_json_delta", "partial_json": each}} for each in pieces),
            ]
            yield {"type": "content_block_stop", "index": index}
            continue
        yield {"type": "content_block_start", "index": index, "content_block": {"type": name, **empty}}
        yield {"type": "ping"}
        for token in tokens_of(block[name]):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": f"{name}_delta", name: token}}
        if name == "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": signed}
        yield {"type": "content_block_stop", "index": index}
    delta = {name: answer[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in answer}
    usage = {"usage": {"output_tokens": answer["usage"].get("output_tokens")}} if "usage" in answer else {}
    yield {"type": "message_delta", "delta": delta, **usage}
    yield {"type": "message_stop"}


def _response_events(answer: Body) -> Iterator[Body]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(answer["output"]):
        at: Body = {"output_index": place, "item_id": item["id"]}
        if item["type"] == "function_call":
            yield {"type": "response.output_item.added", "output_index": place, "item": {**item, "arguments": ""}}
            for token in tokens_of(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": token}
            yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
            yield {"type": "response.output_item.done", "output_index": place, "item": item}
            continue
        reasons = item["type"] == "reasoning"
        field, kind = ("summary", "reasoning_summary") if reasons else ("content", "output")
        index = {"summary_index" if reasons else "content_index": 0}
        name = "reasoning_summary_part" if reasons else "content_part"
        yield {"type": "response.output_item.added", "output_index": place, "item": {**item, field: []}}
        for part in item[field]:
            empty = {**part, "text": ""} if "text" in part else part
            yield {"type": f"response.{name}.added", **at, **index, "part": empty}
            listed = part.get("logprobs") or []
            for number, token in enumerate(tokens_of(part.get("text", ""))):
                logprobs = {} if reasons else {"logprobs": listed[number : number + 1]}
                yield {"type": f"response.{kind}_text.delta", **at, **index, "delta": token, **logprobs}
            if "text" in part:
                yield {"type": f"response.{kind}_text.done", **at, **index, "text": part["text"]}
            yield {"type": f"response.{name}.done", **at, **index, "part": part}
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": f"response.{answer['status']}", "response": answer}
