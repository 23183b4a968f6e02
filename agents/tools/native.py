"""Looks and tools as an endpoint's own calls: how they are offered, what a model asked for, and what goes back to it.

Rule of this file: requests and answers as `agents/models/apis/calling.py` describes them; nothing is looked at, called or charged here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from moot.agents.models.apis.calling import definition
from moot.agents.models.wire import Completion, ToolCall
from moot.agents.prompts.forms import Form
from moot.agents.prompts.reading import read
from moot.agents.prompts.schemas import Json
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer, encodable
from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.moves import Move
from moot.protocols.text import escape, own_words

_NOT_NAME = re.compile(r"[^A-Za-z0-9_-]")
LONGEST = 64  # characters of a name, for every endpoint
DEEPEST = 50  # objects and lists in one another


class Answered(NamedTuple):
    """A call, and what came of it. move: what it is, where it can be read; failed: whether the model is told of an error."""

    call: ToolCall
    move: Move | None
    shown: str
    failed: bool


def offer(kind: type[Move], description: str, base: Form) -> Json:
    """A kind of look, or a tool, as a request has it. base: the form of the answer that it stands beside."""
    schema = replace(base, kinds=(kind,), plain=False, thinking=None).schema(kind)
    fields = {name: each for name, each in schema["properties"].items() if name != "kind"}
    for name, hint in kind.fields_asked(base.brief).items():
        if "$ref" not in fields[name]:  # beside which strict endpoints take no other keyword
            fields[name] = {**fields[name], "description": base.words(kind, name, hint)}
    parameters = {**schema, "properties": fields, "required": list(fields)}
    return definition(kind_name(kind), escape(description), parameters)


def move_of(call: ToolCall, kind: type[Move], base: Form) -> Move:
    """The look, or the call of a tool, that a call is. Raises UnreadableAnswer with the reason why it is none."""
    fields = arguments(call)
    if fields is None:
        raise UnreadableAnswer(
            "its arguments are no JSON object, or one that is nested too deeply, or names a field twice", call.arguments
        )
    if "kind" in fields:
        raise UnreadableAnswer("it has no parameter 'kind'", call.arguments)
    form = replace(base, kinds=(kind,), plain=False, thinking=None)
    return read(form, json.dumps({"kind": kind_name(kind), **fields}))


def arguments(call: ToolCall) -> Json | None:
    """The arguments of a call; {} where none are written, None where they are no JSON object that can be read in one way, and be
    written again: what is no number in JSON stands in none of ours."""
    try:
        found = json.loads(call.arguments, object_pairs_hook=_once) if call.arguments.strip() else {}
        if not isinstance(found, dict) or _depth(found) > DEEPEST:
            return None
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return found


def distinct(calls: tuple[ToolCall, ...], used: Container[str], count: int) -> list[ToolCall]:
    """The calls with an id each, which no other has: some endpoints give none, or one for all. count: of calls before them."""
    made: list[ToolCall] = []
    for place, each in enumerate(calls, count + 1):
        taken = not each.id or each.id in used or any(each.id == other.id for other in made)
        made.append(ToolCall(f"call{place:05d}" if taken else each.id, each.name, each.arguments))
    return made


def said(completion: Completion, answered: list[Answered]) -> list[dict[str, Any]]:
    """What the model said and what it is answered, as a request has them. A name or arguments that an API would refuse for their form,
    and markers of chat templates, are put down as what no API refuses and no template obeys."""
    calls = [{"id": call.id, "type": "function", "function": _function(call)} for call, *_ in answered]
    text = own_words(parted(completion.text).answer.strip(), ())
    own = {"role": "assistant", "content": encodable(text), "tool_calls": calls, "given": completion.given}
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": shown, **({"failed": True} if failed else {})}
        for call, _, shown, failed in answered
    ]
    return [own, *results]


def in_words(call: ToolCall) -> str:
    """A call that is no look and no call of a tool, as it is shown again where calls are made as text."""
    return own_words(encodable(f"{call.name[:LONGEST]}({call.arguments[:LONGEST]})"), ())


def _function(call: ToolCall) -> dict[str, str]:
    name = _NOT_NAME.sub("_", call.name)[:LONGEST] or "unnamed"
    found = arguments(call)
    if found is None:
        return {"name": name, "arguments": json.dumps({"unreadable": _safe(call.arguments)}, ensure_ascii=False)}
    kept = _safe(found)
    same = kept == found and call.arguments.strip()
    return {"name": name, "arguments": call.arguments if same else json.dumps(kept, ensure_ascii=False)}


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _depth(value: Any) -> int:
    """How deeply a value is nested. Raises RecursionError."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _safe(value: Any) -> Any:
    """A value whose texts hold no marker."""
    if isinstance(value, Mapping):
        return {str(_safe(key)): _safe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return own_words(encodable(value), ()) if isinstance(value, str) else value
