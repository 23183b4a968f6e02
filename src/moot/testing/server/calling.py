"""How the mock server speaks tools: its calls, in each API's form, and what each API has against a request with calls in it.

Chat completions as documented (https://platform.openai.com/docs/guides/function-calling), Anthropic's messages
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use, "Handling tool use and tool result content blocks";
`/build-with-claude/extended-thinking`), OpenAI's responses (https://platform.openai.com/docs/guides/function-calling?api-mode=responses).
Words of refusals: Upsonic/Upsonic#323, anthropics/claude-code#7929, #13460 and #63284, elastic/kibana#246943, vercel/ai#7543.

Rule: functions of requests and replies; no server, no sockets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from moot.testing.server.faults import Body
from moot.testing.server.replies import Draw, fill, text_of

Calls = Sequence[tuple[str, Any] | Mapping[str, Any]]
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_WANTS = re.compile(r"\b[Cc]all (?:the tool )?(\w{1,64})")
_FOLLOWED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: {}"
)


def default_calls(body: Body) -> Calls:
    """What the mock model calls when it is not told what to say: the tool that the last message says to call, once."""
    last = (body.get("messages") or [{}])[-1]
    found = _WANTS.search(text_of(last)) if last.get("role") == "user" and body.get("tool_choice") != "none" else None
    tools = {each["function"]["name"]: each["function"] for each in body.get("tools") or () if "function" in each}
    if found is None or found[1] not in tools:
        return ()
    return [(found[1], fill(tools[found[1]].get("parameters") or {"type": "object"}, Draw(body)))]


def listed(calls: Calls, number: int) -> list[Body]:
    """Calls as a chat completion lists them. One that is given as a mapping is sent as it is. number: of the request."""
    made: list[Body] = []
    for place, each in enumerate(calls):
        if isinstance(each, Mapping):
            made.append(dict(each))
            continue
        name, given = each
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        made.append(
            {"id": f"call_{number}_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
        )
    return made


def signed(thought: str) -> str:
    """The signature of a block of thinking: changed, it does not fit any more."""
    return blake2b(thought.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def blocks(message: Body) -> list[Body]:
    """The calls of a chat message as Anthropic's blocks."""
    found = [(each.get("id", ""), each["function"]) for each in message.get("tool_calls") or ()]
    return [{"type": "tool_use", "id": id, "name": of["name"], "input": _input(of["arguments"])} for id, of in found]


def items(message: Body) -> list[Body]:
    """The calls of a chat message as items of the Responses API."""
    return [
        {
            "id": f"fc_{place}",
            "type": "function_call",
            "status": "completed",
            "call_id": each.get("id", ""),
            **each["function"],
        }
        for place, each in enumerate(message.get("tool_calls") or ())
    ]


def _input(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def chat_tools(body: Body) -> Body:
    """The fields of a request about tools, of either other API, as a chat completion has them."""
    made: Body = {}
    tools = body.get("tools")
    if isinstance(tools, list):
        made["tools"] = [{"type": "function", "function": {
            "name": each.get("name"), "description": each.get("description"),
            "parameters": each.get("input_schema", each.get("parameters")), "strict": each.get("strict"),
        }} for each in tools]  # fmt: skip
    choice = body.get("tool_choice")
    if choice is not None:
        made["tool_choice"] = choice.get("type") if isinstance(choice, dict) else choice
    return made


# -- what is refused -----------------------------------------------------------------------------------------------------


def against_chat(body: Body) -> str | None:
    """What chat completions have against a request's tools and calls."""
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not body.get("tools"):
            return f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
    if wrong := next((each for each in map(_against_function, body.get("tools") or ()) if each), None):
        return wrong
    open_ids: list[str] = []
    for place, message in enumerate(body["messages"]):
        role, calls = message.get("role"), message.get("tool_calls")
        if role == "tool":
            if message.get("tool_call_id") not in open_ids:
                return f"messages with role 'tool' must be a response to a preceding message with 'tool_calls' (messages.[{place}])"
            open_ids.remove(message["tool_call_id"])
            if extra := message.keys() - {"role", "tool_call_id", "content", "name"}:
                return f"Additional properties are not allowed ({sorted(extra)} were unexpected) - 'messages.{place}'"
            continue
        if open_ids:
            return _FOLLOWED.format(", ".join(open_ids))
        if "given" in message:
            return f"Additional properties are not allowed ('given' was unexpected) - 'messages.{place}'"
        for each in calls or ():
            if not _NAME.fullmatch(each["function"]["name"]):
                return f"Invalid 'messages[{place}].tool_calls[0].function.name': string does not match pattern."
            if not isinstance(_input(each["function"]["arguments"]), dict):
                return f"messages[{place}]: the arguments of a tool call must be a JSON object"
            open_ids.append(each["id"])
    return _FOLLOWED.format(", ".join(open_ids)) if open_ids else None


def _against_function(tool: Body) -> str | None:
    """https://platform.openai.com/docs/guides/structured-outputs: a strict schema is closed, and requires all that it names."""
    function = tool.get("function") or {}
    if not _NAME.fullmatch(str(function.get("name"))):
        return "Invalid 'tools[0].function.name': string does not match pattern."
    for schema in _objects(function.get("parameters")) if function.get("strict") else ():
        if schema.get("additionalProperties") is not False or {*schema.get("required", ())} != {
            *schema.get("properties", {})
        }:
            return f"Invalid schema for function '{function['name']}': 'additionalProperties' is required to be supplied and to be false."
    if function.get("strict") and any(
        "$ref" in each and len(each) > 1 for each in _objects(function.get("parameters"), "$ref")
    ):
        return f"Invalid schema for function '{function['name']}': $ref cannot have keywords {{'description'}}."
    return None


def _objects(schema: Any, having: str = "") -> Iterator[Body]:
    """The schemas of objects, or those that have a keyword, at any depth."""
    if isinstance(schema, list):
        for each in schema:
            yield from _objects(each, having)
    elif isinstance(schema, dict):
        if having in schema if having else schema.get("type") == "object":
            yield schema
        for each in schema.values():
            yield from _objects(each, having)


def against_messages(body: Body) -> str | None:
    """What Anthropic has against a request's tools and calls."""
    thinks, open_ids = (body.get("thinking") or {}).get("type") == "enabled", list[str]()
    for place, turn in enumerate(body.get("messages") or ()):
        content = turn.get("content") if isinstance(turn.get("content"), list) else []
        kinds = [each.get("type") for each in content]
        results = [each.get("tool_use_id") for each in content if each.get("type") == "tool_result"]
        if missing := [id for id in open_ids if id not in results]:
            return (f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. "
                    "Each `tool_use` block must have a corresponding `tool_result` block in the next message.")  # fmt: skip
        if beyond := [id for id in results if id not in open_ids]:
            return (f"messages.{place}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {beyond[0]}. Each `tool_result` "
                    "block must have a corresponding `tool_use` block in the previous message.")  # fmt: skip
        open_ids = [each.get("id") for each in content if each.get("type") == "tool_use"]
        if {"tool_use", "tool_result"} & {*kinds} and not body.get("tools"):
            return "Requests which include `tool_use` or `tool_result` blocks must define tools"
        if thinks and "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"):
            return (
                f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`."
            )
        for each in content:
            if each.get("type") == "thinking" and each.get("signature") != signed(each.get("thinking", "")):
                return (f"messages.{place}.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
                        "modified. These blocks must remain as they were in the original response.")  # fmt: skip
            if each.get("type") == "thinking" and "cache_control" in each:
                return f"messages.{place}.content.0.thinking.cache_control: Extra inputs are not permitted"
            if each.get("type") == "tool_use" and not (
                _NAME.fullmatch(each["name"]) and isinstance(each["input"], dict)
            ):
                return f"messages.{place}.content.0.tool_use.input: Input should be a valid dictionary"
    for tool in body.get("tools") or ():
        if "input_schema" not in tool:
            return "tools.0.custom.input_schema: Field required"
    return None


def against_input(body: Body) -> str | tuple[str, str, str] | None:
    """What the Responses API has against a request's tools and calls."""
    asked, answered = list[str](), list[str]()
    given = body.get("input")
    for item in given if isinstance(given, list) else ():
        kind = item.get("type")
        if kind == "function_call":
            asked.append(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in asked:
                return f"No tool call found for function call output with call_id {item['call_id']}."
            answered.append(item["call_id"])
        elif kind == "reasoning" and not item.get("encrypted_content") and body.get("store") is False:
            return (f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false. Try again with "
                    "`store` set to true, or remove this item from your input.")  # fmt: skip
        elif "role" not in item and kind != "reasoning" or "tool_calls" in item:
            return f"Invalid value: '{kind}'. Supported values are: 'message', 'function_call', 'function_call_output' and 'reasoning'."
    if missing := [id for id in asked if id not in answered]:
        return f"No tool output found for function call {missing[0]}."
    for place, tool in enumerate(body.get("tools") or ()):
        if "name" not in tool:
            return (
                f"Missing required parameter: 'tools[{place}].name'.",
                f"tools[{place}].name",
                "missing_required_parameter",
            )
    return None
