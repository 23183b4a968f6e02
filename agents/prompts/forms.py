"""The form that an answer must have: JSON by a schema, or tagged text. How it is read back, `reading.py` says.

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

from pydantic import BaseModel

from moot.agents.prompts.render import kind_name, limits_of
from moot.agents.prompts.schemas import ITEMS, LENGTHS, Json, distributions, object_of, short, strict
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.request import Request
from moot.protocols.text import as_meant, escape

_PLAIN: dict[Any, str] = {str: "your words", bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a request's answer must look. choices: how many there are to decide between (0 for an open question). brief:
    what the protocol allows in this turn (`one_of`, `least`, `most`, `below`, `to_seats`, …).

    length: characters allowed in a text, or None; where it is given, the schema is made for a server that holds the model
    to it by a grammar. plain: a move with a field that may stand alone (a speech) is asked for without JSON or tags around
    it, which small models do better. named: the texts of the choices.
    """

    kinds: tuple[type[Move], ...]
    choices: int = 0
    brief: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    length: int | None = None
    plain: bool = False
    named: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request, room: int | None = None, plain: bool = False) -> Form:
        """The form of the answer to a request. room: characters that fit into the answer, for a model that is held to the
        schema by a grammar; the brief's limit in characters is then in it too."""
        choices = request.view.question.choices
        form = cls(request.kinds, len(choices), request.brief, plain=plain, named=choices)
        if room is None:
            return form
        limit, _ = limits_of(request.brief)
        most = None if limit is None else limit.chars
        return dataclasses.replace(form, length=most if form.bare else room if most is None else min(room, most))

    @property
    def bare(self) -> bool:
        """Whether the whole answer is the one field of its one kind."""
        return self.plain and len(self.kinds) == 1 and self.alone(self.kinds[0])

    def alone(self, kind: type[Move]) -> bool:
        """Whether a move of this kind is one field alone."""
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
            if self.length is not None:
                return distributions(self.choices)
            return object_of({str(i): {"type": "number"} for i in range(1, self.choices + 1)})
        if (texts := self.texts(name, hint)) is not None:
            only: Json = {"type": "string", "enum": list(map(escape, texts))}
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

    def meant(self, name: str, hint: Asked, value: Any) -> Any:
        """A value that is one of the texts there may be, as the prompt shows that text: the text itself."""
        texts = self.texts(name, hint) or (self.named if hint.choices == "text" else ())
        if isinstance(value, list):
            return [self.meant(name, hint, each) for each in value] if texts else value
        return as_meant(value, texts) if texts and isinstance(value, str) else value

    def tags(self) -> list[str]:
        """The tags that an answer may be made of."""
        fields = (name for kind in self.kinds for name in kind.fields_asked(self.brief))
        return list(dict.fromkeys([*(tag_of(kind_name(kind)) for kind in self.kinds), *fields, "quote"]))

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
        tag, inner = tag_of(kind_name(kind)), "your words"
        if not self.alone(kind):
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
            return " or ".join(map(escape, texts)) + none
        if (texts := self.texts(name, hint)) is not None:
            listed = "a JSON list of some of " if get_origin(annotation) is tuple else "one of "
            return listed + ", ".join(json.dumps(escape(each), ensure_ascii=False) for each in texts)
        if (below := self.said("below", name)) is not None:
            return f"a whole number from 0 to {below - 1}"
        return (hint.told or _PLAIN.get(annotation) or _listed(annotation)) + none


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


def tag_of(name: str) -> str:
    """The tag of an element that stands for a kind of that name."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


_STRICT: WeakKeyDictionary[type[Move], dict[tuple[str, ...], Json]] = WeakKeyDictionary()


def _strict(kind: type[Move], without: tuple[str, ...]) -> Json:
    """The strict schema of a kind, made once: pydantic takes longer over it than a call over all else. Not to be changed."""
    known = _STRICT.setdefault(kind, {})
    if without not in known:
        known[without] = strict(kind.model_json_schema(), without)
    return known[without]
