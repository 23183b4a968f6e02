"""The form that an answer must have, and reading it back as a move: JSON by a schema, or tagged text.

Rule of this file: the class of a move says which of its fields are asked for and how (`Move.fields_asked`); no kind is known
here. Numbers are checked whatever the endpoint promised: local servers enforce neither minimum nor maximum of a schema.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from moot.agents.prompts.render import kind_name, limits_of
from moot.agents.prompts.schemas import ITEMS, LENGTHS, Json, object_of, short, strict
from moot.agents.prompts.values import UnreadableAnswer, cleaned, index, normalised, numbers
from moot.protocols.engine.errors import first_problem
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.view import Request

TEXT_LIMIT = 400_000  # characters of an answer that are parsed
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_THINK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_PLAIN: dict[Any, str] = {str: "your words", bool: "true or false", int: "a whole number", float: "a number"}
_TRUE, _FALSE = {"yes", "true", "1"}, {"no", "false", "0"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a request's answer must look. choices: how many there are to decide between (0 for an open question). brief:
    what the protocol allows in this turn (`one_of`, `least`, `most`, `below`, `to_seats`, …).

    length: characters allowed in a text, or None; where it is given, the schema is made for a server that holds the model
    to it by a grammar. plain: a move with a field that may stand alone (a speech) is asked for without JSON or tags around
    it, which small models do better.
    """

    kinds: tuple[type[Move], ...]
    choices: int = 0
    brief: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    length: int | None = None
    plain: bool = False

    @classmethod
    def of(cls, request: Request, room: int | None = None, plain: bool = False) -> Form:
        """The form of the answer to a request. room: characters that fit into the answer, for a model that is held to the
        schema by a grammar; the brief's limit in characters is then in it too."""
        form = cls(request.kinds, len(request.view.question.choices), request.brief, plain=plain)
        if room is None:
            return form
        limit, _ = limits_of(request.brief)
        most = None if limit is None else limit.chars
        return dataclasses.replace(form, length=most if form.bare else room if most is None else min(room, most))

    @property
    def bare(self) -> bool:
        """Whether the whole answer is the one field of its one kind."""
        return self.plain and len(self.kinds) == 1 and self._alone(self.kinds[0])

    def _alone(self, kind: type[Move]) -> bool:
        return list(kind.fields_asked(self.brief)) == [kind.bare_field]

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
        """The JSON schema of one kind."""
        whole = _strict(kind, () if self.length is not None else LENGTHS)
        asked = kind.fields_asked(self.brief)
        fields = {name: self._field(name, hint, whole["properties"][name]) for name, hint in asked.items()}
        defs = whole.get("$defs", {}) if '"$ref"' in json.dumps(fields) else {}
        if self.length is not None:  # the texts have to fit together
            texts = sum(fields[name].get("type") != "boolean" and "enum" not in fields[name] and not hint.among
                        and hint.choices in ("", "text") for name, hint in asked.items())  # fmt: skip
            share = self.length if texts < 2 else max(20, self.length // texts)
            fields, defs = short(fields, share), short(defs, max(20, share // ITEMS))
        made = object_of({"kind": {"type": "string", "enum": [kind_name(kind)]}, **fields})
        return {**made, "$defs": defs} if defs else made

    def _field(self, name: str, hint: Asked, schema: Json) -> Json:
        if hint.choices == "number" and self.choices:
            return {"type": "integer", "enum": list(range(1, self.choices + 1))}
        if hint.choices == "shares" and self.choices:
            # bounds on numbers are not enforced anywhere, lists of values are; a small model writes digits without end
            number: Json = {"type": "number"} if self.length is None else {"enum": [i / 100 for i in range(1, 100)]}
            return object_of({str(i): number for i in range(1, self.choices + 1)})
        if (texts := self.texts(name, hint)) is not None:
            only: Json = {"type": "string", "enum": list(texts)}
            if schema.get("type") == "array":
                schema = {**schema, "items": only}
            else:
                schema = {"anyOf": [only, {"type": "null"}]} if hint.none else only
        for key, bound in (("most", "maxItems"), ("least", "minItems")):
            if (count := self.said(key, name)) is not None:
                schema = {**schema, bound: count}
        if (below := self.said("below", name)) is not None:
            schema = {**schema, "minimum": 0, "maximum": below - 1}
        return schema

    def said(self, key: str, name: str) -> Any:
        """What the brief says under this key about a field; None where it says nothing."""
        return self.brief.get(key, {}).get(name)

    def texts(self, name: str, hint: Asked) -> Sequence[str] | None:
        """The texts that a field, or the entries of a list, may be; None where there is no such limit."""
        texts = self.said("one_of", name) or self.brief.get(hint.among)
        return list(map(str, texts)) if isinstance(texts, (list, tuple)) and texts else None

    def told(self, tagged: bool) -> str:
        """The form in words, as the last lines of the prompt."""
        if self.bare:
            return f"Reply with your {kind_name(self.kinds[0])} and nothing else."
        if not tagged:
            if len(self.kinds) == 1:
                return f"Reply with one JSON object: {self._object(self.kinds[0])}."
            each = "\n".join(f"- {self._object(kind)}" for kind in self.kinds)
            return f'Reply with one JSON object that holds one field, "move", with one of these objects:\n{each}'
        lead = "Reply in this form" if len(self.kinds) == 1 else "Reply in one of these forms"
        return f"{lead}, with nothing before or after it:\n" + "\n".join(map(self._example, self.kinds))

    def _object(self, kind: type[Move]) -> str:
        asked = kind.fields_asked(self.brief).items()
        fields = (f'"{name}" is {self._words(kind, name, hint)}' for name, hint in asked)
        return ", ".join([f'"kind" is "{kind_name(kind)}"', *fields])

    def _example(self, kind: type[Move]) -> str:
        tag, inner = _tag(kind_name(kind)), "your words"
        if not self._alone(kind):
            fields = kind.fields_asked(self.brief).items()
            inner = "".join(f"<{name}>{self._words(kind, name, hint, True)}</{name}>" for name, hint in fields)
        return f"<{tag}>{inner}</{tag}>"

    def _words(self, kind: type[Move], name: str, hint: Asked, tagged: bool = False) -> str:
        """What belongs into a field."""
        annotation, none = kind.model_fields[name].annotation, f", or null for {hint.none}" if hint.none else ""
        if self.choices and hint.choices == "shares":
            each = [f"number for answer {i}" if tagged else f'"{i}"' for i in range(1, self.choices + 1)]
            return ", ".join(each) if tagged else f"an object with one number for each of {', '.join(each)}"
        if hint.choices == "number":
            return f"1 to {self.choices}" if self.choices else "a number"
        if hint.among and (texts := self.texts(name, hint)):
            return " or ".join(texts) + none
        if (texts := self.texts(name, hint)) is not None:
            listed = "a JSON list of some of " if get_origin(annotation) is tuple else "one of "
            return listed + ", ".join(json.dumps(each, ensure_ascii=False) for each in texts)
        if (below := self.said("below", name)) is not None:
            return f"a whole number from 0 to {below - 1}"
        return (hint.told or _PLAIN.get(annotation) or _listed(annotation)) + none

    def read(self, text: str, tagged: bool = False, finish: str | None = None, extra: Json | None = None) -> Move:
        """The move that an answer is. finish: "length" where it was cut off. What was done to it on the way is put into
        `extra`. Raises UnreadableAnswer."""
        extra, cut = {} if extra is None else extra, finish == "length"
        if len(text) > TEXT_LIMIT:
            why = f"the answer has {len(text):,} characters, over {TEXT_LIMIT:,}; lower max_tokens"
            raise UnreadableAnswer(why, text, final=True)
        body = _THINK.sub("", text)
        if body != text:
            extra["thoughts_dropped"] = len(text) - len(body)
        if not body.strip():
            why = " (it used up max_tokens before the answer)" if cut else ""
            raise UnreadableAnswer(f"the answer is empty{why}", text)
        if self.bare:
            if cut:
                extra["cut"] = True
            data: Json = {self.kinds[0].bare_field: body.strip()}
        else:
            data = self._tags(body, cut, extra) if tagged else self._json(body, cut, extra)
        kind = self._kind(data, text)
        try:
            return self._move(kind, data, extra)
        except ValidationError as error:
            raise UnreadableAnswer(first_problem(error, kind_name(kind)), text) from None
        except ValueError as error:
            raise UnreadableAnswer(str(error), text) from None

    def _json(self, text: str, cut: bool, extra: Json) -> Json:
        fenced = _FENCE.match(text)
        body = fenced.group(1) if fenced else text
        try:
            data = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            data = self._half(body, extra) if cut else None
            if data is None:
                more = ": it was cut off at max_tokens" if cut else ""
                raise UnreadableAnswer(f"the answer is not JSON ({error}){more}", text) from None
        if isinstance(data, dict) and len(self.kinds) > 1 and isinstance(data.get("move"), dict):
            data = data["move"]
        if not isinstance(data, dict):
            raise UnreadableAnswer(f"the answer is JSON, but {type(data).__name__} and not an object", text)
        return data

    def _half(self, body: str, extra: Json) -> Json | None:
        """What there is of a move that is one field alone and was cut off."""
        alone = {kind_name(kind): kind.bare_field for kind in self.kinds if self._alone(kind)}
        try:
            data = from_json(body, allow_partial="trailing-strings")
        except ValueError:
            return None
        inner: Any = data.get("move", data) if isinstance(data, dict) else None
        name = str(inner.get("kind", next(iter(alone), ""))) if isinstance(inner, dict) else ""
        if name not in alone or not str(inner.get(alone[name], "")).strip():
            return None
        extra["cut"] = True
        return {"kind": name, alone[name]: inner[alone[name]]}

    def _tags(self, text: str, cut: bool, extra: Json) -> Json:
        found = {kind_name(kind): re.search(f"<{re.escape(_tag(kind_name(kind)))}>", text) for kind in self.kinds}
        present = [(match.start(), name, match) for name, match in found.items() if match is not None]
        if not present:
            tags = " or ".join(f"<{_tag(name)}>" for name in found)
            raise UnreadableAnswer(f"the answer has no {tags}", text)
        _, name, match = min(present, key=lambda each: each[:2])
        kind = next(kind for kind in self.kinds if kind_name(kind) == name)
        alone, end = self._alone(kind), text.rfind(f"</{_tag(name)}>")
        if end < match.end():
            if not (cut and alone):
                raise UnreadableAnswer(f"the answer has no </{_tag(name)}>", text)
            extra["cut"], end = True, len(text)
        inner = text[match.end() : end]
        if alone:
            return {"kind": name, kind.bare_field: inner.strip()}
        data: Json = {"kind": name}
        for field, info in kind.model_fields.items():
            if field != "kind" and (value := re.search(f"<{field}>(.*?)</{field}>", inner, re.DOTALL)):
                data[field] = _plain(value.group(1).strip(), info.annotation)
        return data

    def _kind(self, data: Json, text: str) -> type[Move]:
        name = data.get("kind", kind_name(self.kinds[0]) if len(self.kinds) == 1 else None)
        for kind in self.kinds:
            if kind_name(kind) == name:
                return kind
        known = ", ".join(kind_name(kind) for kind in self.kinds)
        raise UnreadableAnswer(f"the answer's kind is {name!r}; it may be {known}", text)

    def _move(self, kind: type[Move], data: Json, extra: Json) -> Move:
        """The move with the fields that were asked for; others are dropped, which is noted."""
        asked, given = kind.fields_asked(self.brief), Json(kind=kind_name(kind))
        if dropped := sorted(data.keys() - asked.keys() - {"kind"}):
            extra["dropped"] = dropped
        for name, hint in asked.items():
            value = cleaned(data.get(name))
            if hint.choices == "shares":
                given[name], changed = normalised(numbers(value, self.choices))
                if changed:
                    extra["renormalised"] = True
            elif name not in data:
                continue
            elif hint.choices == "number":
                given[name] = index(name, value, self.choices)
            elif hint.none and value in ("", "null", "None", hint.none):
                given[name] = None
            elif isinstance(value, str) and not (value.strip() or hint.empty) and kind.model_fields[name].is_required():
                raise ValueError(f"{name} is empty")
            else:
                given[name] = value
        return kind.model_validate(given)


def _plain(text: str, annotation: Any) -> Any:
    """A tag's text as a value of its field: text as it is, yes and no as such, the rest as JSON where it is that."""
    if annotation is str:
        return text
    if annotation is bool:
        return text.lower() in _TRUE if text.lower() in _TRUE | _FALSE else text
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


_STRICT: WeakKeyDictionary[type[Move], dict[tuple[str, ...], Json]] = WeakKeyDictionary()


def _strict(kind: type[Move], without: tuple[str, ...]) -> Json:
    """The strict schema of a kind, made once: pydantic takes longer over it than a call over all else. Not to be changed."""
    known = _STRICT.setdefault(kind, {})
    if without not in known:
        known[without] = strict(kind.model_json_schema(), without)
    return known[without]
