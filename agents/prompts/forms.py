"""The form that an answer must have, and reading it back as a move: JSON by a schema, or tagged text.

Numbers are checked here whatever the endpoint promised: local servers enforce neither minimum nor maximum of a schema.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from moot.agents.models.attempts import Unreadable
from moot.agents.prompts.render import kind_name
from moot.agents.prompts.schemas import ITEMS, LENGTHS, Json, object_of, short, strict
from moot.agents.prompts.values import normalised as normalised
from moot.agents.prompts.values import numbers, unescaped
from moot.protocols.engine.errors import first_problem
from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Verdict

TEXT_LIMIT = 400_000  # characters of an answer that are parsed
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_THINK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_PLAIN: dict[Any, str] = {str: "your words", bool: "true or false", int: "a whole number", float: "a number"}
_TRUE, _FALSE = {"yes", "true", "1"}, {"no", "false", "0"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a request's answer must look. choices: how many there are to decide between (0 for an open question).

    seats: those that a question may go to. ending: whether a verdict may end the play. length: characters allowed in a
    text, or None; where it is given, the schema is made for a server that holds the model to it by a grammar.
    plain: a speech alone is asked for as it is, without JSON or tags around it, which small models do better.
    one_of: for fields of other kinds that are texts, or lists of them, the only ones there may be; least, most: for those
    that are lists, how long; below: for those that are whole numbers, the first that is too large.
    """

    kinds: tuple[type[Move], ...]
    choices: int
    seats: tuple[str, ...] = ()
    ending: bool = False
    length: int | None = None
    plain: bool = False
    one_of: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    most: Mapping[str, int] = dataclasses.field(default_factory=dict)
    least: Mapping[str, int] = dataclasses.field(default_factory=dict)
    below: Mapping[str, int] = dataclasses.field(default_factory=dict)

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def bare(self) -> bool:
        """Whether the whole answer is the speech."""
        return self.plain and self.kinds == (Speech,)

    def response_format(self) -> Json:
        """The `response_format` of the call. Several kinds are told apart by `kind`, inside one field `move`, because
        a strict schema may not be a union at its root."""
        schemas = [self.schema(kind) for kind in self.kinds]
        if len(schemas) == 1:
            schema, name = schemas[0], kind_name(self.kinds[0])
        else:
            defs: Json = {}
            for each in schemas:
                defs.update(each.pop("$defs", {}))
            schema, name = object_of({"move": {"anyOf": schemas}}), "move"
            if defs:
                schema["$defs"] = defs
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
        return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}

    def schema(self, kind: type[Move]) -> Json:
        """The JSON schema of one kind. Reasons come before numbers, so that they are written first."""
        name: Json = {"type": "string", "enum": [kind_name(kind)]}
        text: Json = {"type": "string"} if self.length is None else {"type": "string", "maxLength": self.length}
        if kind is Speech:
            return object_of({"kind": name, "text": text})
        if issubclass(kind, Verdict) and self.choices:
            # bounds on numbers are not enforced anywhere, lists of values are; a small model writes digits without end
            number: Json = {"type": "number"} if self.length is None else {"enum": [i / 100 for i in range(1, 100)]}
            each = {str(i): number for i in range(1, self.choices + 1)}
            end: Json = {"end": {"type": "boolean"}} if self.ending else {}
            return object_of({"kind": name, "text": text, "probabilities": object_of(each), **end})
        if kind is Answer and self.choices:
            numbers: Json = {"type": "integer", "enum": list(range(1, self.choices + 1))}
            return object_of({"kind": name, "text": text, "choice": numbers})
        if kind is Ask:
            to: Json = {"type": ["string", "null"]}
            if self.seats:
                to = {"anyOf": [{"type": "string", "enum": list(self.seats)}, {"type": "null"}]}
            return object_of({"kind": name, "text": text, "to": to})
        schema = strict(kind.model_json_schema(), () if self.length is not None else LENGTHS)
        fields = {key: value for key, value in schema["properties"].items() if key not in ("kind", *kind.filled)}
        for key in self.one_of.keys() & fields.keys():
            only: Json = {"type": "string", "enum": list(self.one_of[key])}
            fields[key] = {**fields[key], "items": only} if fields[key].get("type") == "array" else only
        for bounds, name_of in ((self.most, "maxItems"), (self.least, "minItems")):
            for key in bounds.keys() & fields.keys():
                fields[key] = {**fields[key], name_of: bounds[key]}
        for key in self.below.keys() & fields.keys():
            fields[key] = {**fields[key], "minimum": 0, "maximum": self.below[key] - 1}
        if self.length is not None:
            share = max(20, self.length // max(1, len(fields)))  # they have to fit together
            fields, defs = short(fields, share), short(schema.get("$defs"), max(20, share // ITEMS))
            schema.update({"$defs": defs} if defs else {})
        schema["properties"] = {"kind": name, **fields}
        schema["required"] = list(schema["properties"])
        return schema  # type: ignore[no-any-return]

    def told(self, tagged: bool) -> str:
        """The form in words, as the last lines of the prompt."""
        if self.bare:
            return "Reply with your speech and nothing else."
        if not tagged:
            if len(self.kinds) == 1:
                return f"Reply with one JSON object: {self._fields(self.kinds[0])}."
            each = "\n".join(f"- {self._fields(kind)}" for kind in self.kinds)
            return f'Reply with one JSON object that holds one field, "move", with one of these objects:\n{each}'
        lead = "Reply in this form" if len(self.kinds) == 1 else "Reply in one of these forms"
        return f"{lead}, with nothing before or after it:\n" + "\n".join(map(self._example, self.kinds))

    def _fields(self, kind: type[Move]) -> str:
        parts = [f'"kind" is "{kind_name(kind)}"']
        for field, shown in self._shown(kind):
            if issubclass(kind, Verdict) and field == "probabilities" and self.choices:
                numbers = ", ".join(f'"{i}"' for i in range(1, self.choices + 1))
                shown = f"an object with one number for each of {numbers}"
            parts.append(f'"{field}" is {shown}')
        return ", ".join(parts)

    def _example(self, kind: type[Move]) -> str:
        name = kind_name(kind)
        if kind is Speech:
            return "<speech>your words</speech>"
        inner = "".join(f"<{field}>{shown}</{field}>" for field, shown in self._shown(kind))
        return f"<{_tag(name)}>{inner}</{_tag(name)}>"

    def _shown(self, kind: type[Move]) -> list[tuple[str, str]]:
        if kind is Speech:
            return [("text", "what you say")]
        if issubclass(kind, Verdict) and self.choices:
            end = [("end", "true or false")] if self.ending else []
            numbers = ", ".join(f"number for answer {i}" for i in range(1, self.choices + 1))
            return [("text", "your reasons"), ("probabilities", numbers), *end]
        if kind is Answer:
            return [("text", "your reasons"), ("choice", f"1 to {self.choices}" if self.choices else "a number")]
        if kind is Ask:
            to = " or ".join(self.seats) if self.seats else "the name of a seat"
            return [("text", "your question"), ("to", f"{to}, or null for all")]
        shown = []
        for name, field in kind.model_fields.items():
            if name in self.one_of:
                listed = "a JSON list of some of " if get_origin(field.annotation) is tuple else "one of "
                among = ", ".join(json.dumps(each, ensure_ascii=False) for each in self.one_of[name])
                shown.append((name, listed + among))
            elif name in self.below:
                shown.append((name, f"a whole number from 0 to {self.below[name] - 1}"))
            elif name not in ("kind", *kind.filled):
                shown.append((name, _PLAIN.get(field.annotation) or _listed(field.annotation)))
        return shown

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, text: str, tagged: bool, finish: str | None, extra: Json) -> Move:
        """The move that an answer is. What was done to it on the way is put into `extra`. Raises Unreadable."""
        if len(text) > TEXT_LIMIT:
            raise Unreadable(
                f"the answer has {len(text):,} characters, over {TEXT_LIMIT:,}; lower max_tokens", text, final=True
            )
        body = _THINK.sub("", text)
        if body != text:
            extra["thoughts_dropped"] = len(text) - len(body)
        if not body.strip():
            why = " (it used up max_tokens before the answer)" if finish == "length" else ""
            raise Unreadable(f"the answer is empty{why}", text)
        cut = finish == "length"
        if self.bare:
            if cut:
                extra["cut"] = True
            return Speech(text=body.strip())
        data = self._tags(body, cut, extra) if tagged else self._json(body, cut, extra)
        kind = self._kind(data, text)
        try:
            return self._move(kind, data, extra)
        except ValidationError as error:
            raise Unreadable(first_problem(error, kind_name(kind)), text) from None
        except ValueError as error:
            raise Unreadable(str(error), text) from None

    def _json(self, text: str, cut: bool, extra: Json) -> Json:
        fenced = _FENCE.match(text)
        body = fenced.group(1) if fenced else text
        try:
            data = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            data = self._half(body, extra) if cut else None
            if data is None:
                more = ": it was cut off at max_tokens" if cut else ""
                raise Unreadable(f"the answer is not JSON ({error}){more}", text) from None
        if isinstance(data, dict) and len(self.kinds) > 1 and isinstance(data.get("move"), dict):
            data = data["move"]
        if not isinstance(data, dict):
            raise Unreadable(f"the answer is JSON, but {type(data).__name__} and not an object", text)
        return data

    def _half(self, body: str, extra: Json) -> Json | None:
        """A speech that was cut off: what there is of its text."""
        if Speech not in self.kinds:
            return None
        try:
            data = from_json(body, allow_partial="trailing-strings")
        except ValueError:
            return None
        inner = data.get("move", data) if isinstance(data, dict) else None
        if (
            not isinstance(inner, dict)
            or not str(inner.get("text", "")).strip()
            or inner.get("kind", "speech") != "speech"
        ):
            return None
        extra["cut"] = True
        return {"kind": "speech", "text": inner["text"]}

    def _tags(self, text: str, cut: bool, extra: Json) -> Json:
        found = {kind_name(kind): re.search(f"<{re.escape(_tag(kind_name(kind)))}>", text) for kind in self.kinds}
        present = [(match.start(), name, match) for name, match in found.items() if match is not None]
        if not present:
            tags = " or ".join(f"<{_tag(name)}>" for name in found)
            raise Unreadable(f"the answer has no {tags}", text)
        _, name, match = min(present, key=lambda each: each[:2])
        kind = next(kind for kind in self.kinds if kind_name(kind) == name)
        end = text.rfind(f"</{_tag(name)}>")
        if end < match.end():
            if not (cut and kind is Speech):
                raise Unreadable(f"the answer has no </{_tag(name)}>", text)
            extra["cut"], end = True, len(text)
        inner = text[match.end() : end]
        if kind is Speech:
            return {"kind": name, "text": inner.strip()}
        data: Json = {"kind": name}
        for field, info in kind.model_fields.items():
            value = re.search(f"<{field}>(.*?)</{field}>", inner, re.DOTALL)
            if field == "kind" or value is None:
                continue
            data[field] = _plain(value.group(1).strip(), info.annotation)
        return data

    def _kind(self, data: Json, text: str) -> type[Move]:
        name = data.get("kind", kind_name(self.kinds[0]) if len(self.kinds) == 1 else None)
        for kind in self.kinds:
            if kind_name(kind) == name:
                return kind
        known = ", ".join(kind_name(kind) for kind in self.kinds)
        raise Unreadable(f"the answer's kind is {name!r}; it may be {known}", text)

    def _move(self, kind: type[Move], data: Json, extra: Json) -> Move:
        fields = {**data, "kind": kind_name(kind)}
        if kind is Speech:
            return Speech(text=_text(fields))
        if issubclass(kind, Verdict):
            probabilities, changed = normalised(numbers(fields.get("probabilities"), self.choices))
            if changed:
                extra["renormalised"] = True
            end = self.ending and _flag(fields.get("end", False))
            return kind(probabilities=probabilities, text=_text(fields, optional=True), end=end)
        if kind is Answer:
            number = fields.get("choice")
            if isinstance(number, str) and number.strip().isdecimal():
                number = int(number)
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= (self.choices or number):
                raise ValueError(f"choice is {number!r}; it must be a number from 1 to {self.choices}")
            return Answer(choice=number - 1, text=_text(fields, optional=True))
        if kind is Ask:
            to = fields.get("to")
            return Ask(text=_text(fields, optional=True), to=to if to not in ("", "null", "all", "None") else None)
        kept = {key: unescaped(value) for key, value in fields.items() if key not in kind.filled}
        return kind.model_validate(kept)


def _text(fields: Json, optional: bool = False) -> str:
    text = fields.get("text", "" if optional else None)
    if not isinstance(text, str):
        raise ValueError("the answer has no text")
    if not optional and not text.strip():
        raise ValueError("the text of the answer is empty")
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{str(value)[:80]!r} is neither true nor false")


def _plain(text: str, annotation: Any) -> Any:
    """A tag's text as a value of its field: text as it is, yes and no as such, the rest as JSON where it is that."""
    if annotation is str:
        return text
    if annotation is bool:
        return _flag(text) if text.lower() in _TRUE | _FALSE else text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _listed(annotation: Any) -> str:
    listed, inner = get_origin(annotation) is tuple, get_args(annotation)
    if listed and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
        names = map(json.dumps, inner[0].model_json_schema()["properties"])
        return "a JSON list of objects, each with " + ", ".join(names)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(json.dumps, inner))
    if listed and re.search(r"\b(int|float)\b", str(inner[0])):
        return "a JSON list of numbers"
    if not (listed or type(None) in inner) or "str" not in str(inner[0]):
        return "JSON"
    return "a list of texts" if listed else "your words, or null"


def _tag(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
