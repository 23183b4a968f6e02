"""How a model writes a move: a JSON schema where the endpoint enforces one, tagged text where it does not."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pydantic import ValidationError

from moot.protocols.moves import Answer, Ask, Move, Speech, Stop, Verdict
from moot.protocols.view import Request

LONGEST = 200_000
"""Characters of an answer that are looked at; a longer one is refused whole."""


class Unreadable(Exception):
    """What came back cannot be read as the move that was asked for."""


def schema(request: Request) -> dict[str, Any] | None:
    """The JSON schema of the answer; None when it is free text (a speech alone)."""
    if request.kinds == (Speech,):
        return None
    each = [_schema(kind, request) for kind in request.kinds]
    if len(each) == 1:
        return each[0]
    for kind, one in zip(request.kinds, each, strict=True):
        one["properties"] = {"kind": {"const": kind.model_fields["kind"].default, "type": "string"}, **one["properties"]}
        one["required"] = ["kind", *one["required"]]
    return {"anyOf": each}


def _schema(kind: type[Move], request: Request) -> dict[str, Any]:
    text = {"type": "string"}
    count = len(request.view.question.choices)
    if kind is Speech:
        fields: dict[str, Any] = {"text": text}
    elif kind is Verdict:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        probabilities = {str(i): number for i in range(1, count + 1)}
        fields = {"text": text, "probabilities": _object(probabilities)}
        if request.brief.get("task") == "feedback":
            fields["end"] = {"type": "boolean"}
    elif kind is Answer:
        fields = {"text": text, "choice": {"type": "integer", "enum": list(range(1, count + 1))}}
    elif kind is Ask:
        fields = {"text": text, "to": {"type": "string", "enum": [*request.brief.get("to_seats", ()), "all"]}}
    elif kind is Stop:
        fields = {"stop": {"type": "boolean"}}
    else:
        own = kind.model_json_schema()
        own.get("properties", {}).pop("kind", None)
        own["required"] = list(own.get("properties", {}))
        return own
    return _object(fields)


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def instruction(request: Request, tagged: bool) -> str:
    """What the prompt says about the form of the answer."""
    if request.kinds == (Speech,):
        return ""
    if not tagged:
        return "Answer with one JSON object, nothing else: " + "; or ".join(_example(kind, request) for kind in request.kinds)
    return "Answer with one JSON object between <move> and </move>: " + "; or ".join(
        f"<move>{_example(kind, request)}</move>" for kind in request.kinds
    )


def _example(kind: type[Move], request: Request) -> str:
    shape = _schema(kind, request)
    fields = dict(shape.get("properties", {}))
    if len(request.kinds) > 1:
        fields = {"kind": {"const": kind.model_fields["kind"].default}, **fields}
    return json.dumps({name: _hint(name, field) for name, field in fields.items()}, ensure_ascii=False)


def _hint(name: str, field: dict[str, Any]) -> Any:
    if "const" in field:
        return field["const"]
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if field.get("type") == "object":
        return dict.fromkeys(field.get("properties", {}), "a number from 0 to 1")
    return {"string": "your reasons in a sentence or two" if name == "text" else "text", "boolean": "true or false",
            "integer": "a whole number", "number": "a number"}.get(str(field.get("type")), field)  # fmt: skip


def parse(raw: str, request: Request, notes: dict[str, Any]) -> Move:
    """The move that a model's answer holds. Raises Unreadable saying what is wrong; `notes` gets what was mended."""
    if len(raw) > LONGEST:
        raise Unreadable(f"the answer has {len(raw):,} characters; more than {LONGEST:,} are not read")
    if not raw.strip():
        raise Unreadable("the answer is empty")
    if request.kinds == (Speech,):
        return _build(Speech, {"text": raw.strip()}, request, notes)
    fields = _fields(raw)
    named = fields.pop("kind", None)
    kinds = request.kinds
    if len(kinds) > 1:
        kinds = tuple(kind for kind in kinds if kind.model_fields["kind"].default == named)
        if not kinds:
            raise Unreadable(f"the answer's kind is {named!r}")
    return _build(kinds[0], fields, request, notes)


def _fields(raw: str) -> dict[str, Any]:
    inside = re.search(r"<move>(.*?)</move>", raw, re.DOTALL)
    text = (inside.group(1) if inside else raw).strip()
    start = text.find("{")
    if start < 0:
        raise Unreadable("the answer holds no JSON object")
    try:
        value, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the answer's JSON cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise Unreadable("the answer is no JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _build(kind: type[Move], fields: dict[str, Any], request: Request, notes: dict[str, Any]) -> Move:
    count = len(request.view.question.choices)
    if kind is Verdict:
        fields = {**fields, "probabilities": _distribution(fields.get("probabilities"), count, notes)}
    elif kind is Answer and isinstance(fields.get("choice"), int) and not isinstance(fields["choice"], bool):
        if not 1 <= fields["choice"] <= count:
            raise Unreadable(f"answer {fields['choice']} is none of the {count}")
        fields = {**fields, "choice": fields["choice"] - 1}
    elif kind is Ask and fields.get("to") == "all":
        fields = {**fields, "to": None}
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}") from None


def _distribution(stated: Any, count: int, notes: dict[str, Any]) -> tuple[float, ...]:
    """Stated probabilities in the order of the choices, renormalised when they do not sum to 1 (and that noted)."""
    if isinstance(stated, dict):
        missing = [str(i) for i in range(1, count + 1) if str(i) not in stated]
        if missing:
            raise Unreadable(f"there is no probability for choice {missing[0]}")
        stated = [stated[str(i)] for i in range(1, count + 1)]
    if not isinstance(stated, list) or len(stated) != count:
        raise Unreadable(f"probabilities must be given for each of the {count} choices")
    if not all(isinstance(p, (int, float)) and not isinstance(p, bool) and math.isfinite(p) and p >= 0 for p in stated):
        raise Unreadable(f"probabilities must be finite numbers of at least 0, not {stated}")
    total = math.fsum(stated)
    if not total > 0 or not math.isfinite(total):
        raise Unreadable("the probabilities are all 0")
    if abs(total - 1) <= 1e-9:
        return tuple(float(p) for p in stated)
    notes["renormalised"] = total
    return tuple(p / total for p in stated)
