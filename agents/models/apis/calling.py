"""Tools as a request of moot has them, which is a chat completion's way, and what endpoints say of those that they do not take.

In a request stand `tools`, `tool_choice` and `parallel_tool_calls`; among its messages, what the model said when it called (role
"assistant", with `tool_calls`, and as `given` what the API had besides), and an answer to each call (role "tool", with `tool_call_id`;
`failed` where it is an error). An API puts them into its own form (https://platform.openai.com/docs/guides/function-calling,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use).

Rule: values and refusals; nothing is sent, and no tool is known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from moot.agents.models import wire
from moot.agents.models.profiles.profile import GIVEN, PARALLEL, TOOLS, TOOLS_FORMED, Change
from moot.agents.prompts import schemas
from moot.agents.prompts.schemas import Json

# "registry.ollama.ai/library/gemma3:4b does not support tools" (Ollama, ollama/ollama#14795); "\"auto\" tool choice requires
# --enable-auto-tool-choice and --tool-call-parser to be set" (vLLM, langchain4j/langchain4j#3475); "tools param requires --jinja
# flag" and "Unsupported param: tools" (llama.cpp, in a 500: defilantech/LLMKube#126, ggml-org/llama.cpp#10920); "No endpoints found
# that support tool use" (OpenRouter, in a 404: anomalyco/opencode#1675; of 'tool_choice' zed-industries/zed#36094); "Function calling is not enabled for models/gemma-3-27b-it" (Gemini,
# agno-agi/agno#2612)
_NO_TOOLS = re.compile(
    r"\b(?:does not|doesn't|do not|don't|cannot|can't) support (?:the use of |any )?(?:tools?\b|tool[ _-](?:use|call)|function[ _-]call)"
    r"|--enable-auto-tool-choice|--tool-call-parser|\btools param requires\b|\bunsupported param(?:eter)?s?: \W?tools\b"
    r"|\bno endpoints found that support (?:tool use|the provided '?tool_choice)\b"
    r"|\b(?:tool (?:use|calling|calls?)|tools|function calling)\b.{0,40}?\b(?:is|are) (?:not (?:supported|enabled|available|allowed)|unsupported)",
    re.IGNORECASE,
)
# "json mode cannot be combined with tool/function calling" (Groq, vercel/ai#16540), "'response_format` json_object cannot be combined
# with tool/function calling" (agno-agi/agno#1065), "Function calling with a response mime type: 'application/json' is unsupported"
# (Gemini, symfony/ai#803), "For controlled generation of only function calls (forced function calling), please set … instead of
# populating 'response_mime_type'" (google-gemini/cookbook#393), "Cannot use custom grammar constraints with tools." (llama.cpp)
_FORM = r"(?:json[ _-]mode|response[ _]?(?:format|mime[ _]type|schema)|json_schema|structured outputs?|grammar)"
_TOOL = r"(?:tools?\b|tool[/ _-]|function[ _-]call)"
_NOT = r"(?:cannot|can't|not|n't|un(?:supported|able)|incompatible|instead of|exclusive)"
_TOOLS_FORMED = re.compile(
    rf"{_FORM}.{{0,60}}?{_NOT}.{{0,60}}?{_TOOL}|{_TOOL}.{{0,90}}?{_FORM}.{{0,60}}?{_NOT}|{_TOOL}.{{0,200}}?{_NOT}.{{0,60}}?{_FORM}"
    rf"|{_NOT}.{{0,30}}?{_FORM}.{{0,30}}?{_TOOL}", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
# "Unsupported parameter: 'parallel_tool_calls' is not supported with this model." (o4-mini, evalstate/fast-agent#279)
_PARALLEL = re.compile(rf"\b{PARALLEL}\b", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"\bun(?:supported|known|recogni[sz]ed|expected)\b|\bnot (?:supported|permitted|allowed)\b|\bextra\b", re.IGNORECASE
)
# "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning' is unsupported, did you
# mean 'role'?)]" (Groq, karthink/gptel#774); where DeepSeek wants it: "The reasoning_content in the thinking mode must be passed
# back to the API." (earendil-works/pi#3636)
_THOUGHT = re.compile(rf"\b(?:{'|'.join(wire.THOUGHT)})\b")


def refused(words: str, about: str, body: Mapping[str, Any]) -> Change | None:
    """What to do otherwise after a refusal of a body with tools in these words, about this field; None where it is not about tools."""
    if not body.get("tools"):
        return None
    if PARALLEL in body and (about == PARALLEL or (_PARALLEL.search(words) and _UNKNOWN.search(words))):
        return Change(PARALLEL)
    if body.get("response_format") and _TOOLS_FORMED.search(words):
        return Change(TOOLS_FORMED)
    if about in ("tools", "tool_choice") or _NO_TOOLS.search(words):
        return Change(TOOLS, False)
    if any(each.get("given") for each in body["messages"]) and _THOUGHT.search(words) and _UNKNOWN.search(words):
        return Change(GIVEN)  # what was thought comes back in a field that the endpoint gives and does not take
    return None


def fitted(body: Mapping[str, Any], option: str) -> dict[str, Any]:
    """A body without what its endpoint does not take beside tools: the word on several calls at once, or what was said besides them."""
    fit = dict(body)
    if option == PARALLEL:
        fit.pop(PARALLEL, None)
    elif option == GIVEN:
        fit["messages"] = [{name: each[name] for name in each if name != "given"} for each in fit["messages"]]
    return fit


def without(body: Mapping[str, Any], keywords: Iterable[str], strict: bool) -> dict[str, Any]:
    """A body whose tools have none of these keywords in their schemas; strict: whether the flag of that name stays."""
    if not functions(body):
        return dict(body)
    made = [
        schemas.without({"json_schema": {**each, "schema": each["parameters"]}}, keywords, strict)
        for each in functions(body)
    ]
    less = [{**each["json_schema"], "parameters": each["json_schema"]["schema"]} for each in made]
    tools = [{"type": "function", "function": {name: each[name] for name in each if name != "schema"}} for each in less]
    return {**body, "tools": tools}


def definition(name: str, description: str, parameters: Json) -> Json:
    """A tool as a request has it; strict where the schema of its parameters can be held to."""
    function = {"name": name, "description": description, "parameters": parameters, "strict": _closed(parameters)}
    return {"type": "function", "function": function}


def _closed(schema: Any) -> bool:
    """Whether strict endpoints take a schema: each part of it says what it is, and objects hold what they name alone
    (https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas")."""
    if not isinstance(schema, Mapping) or not schema.keys() & {"type", "anyOf", "enum", "const", "$ref"}:
        return False
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    if schema.get("type") == "array" and "items" not in schema:
        return False
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    return all(map(_closed, [*inner, *([schema["items"]] if "items" in schema else [])]))


def functions(body: Mapping[str, Any]) -> list[Json]:
    """The functions among the tools of a request; whatever else stands there is the caller's own, and none of them."""
    tools = body.get("tools")
    found = [each.get("function") for each in tools if isinstance(each, Mapping)] if isinstance(tools, list) else []
    return [each for each in found if isinstance(each, dict)]


def given(message: Mapping[str, Any], spoken: str) -> Any:
    """What the model said besides its calls, where it was this API that had it so."""
    api, what = message.get("given") or ("", None)
    return what if api == spoken else None


def calls(message: Mapping[str, Any]) -> list[tuple[str, str, Json]]:
    """The calls in a message of the model: the id, name and arguments of each."""
    return [
        (each["id"], each["function"]["name"], json.loads(each["function"]["arguments"]))
        for each in message.get("tool_calls", ())
    ]
