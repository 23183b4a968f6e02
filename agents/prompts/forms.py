"""The form that an answer must have: JSON by a schema, or tagged text. How it is read back, `reading.py` says.

Rule of this file: the class of a move says which of its fields are asked for and how (`Move.fields_asked`); no kind is known
here. Numbers are checked whatever the endpoint promised: local servers enforce neither minimum nor maximum of a schema.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from moot.agents.prompts.schemas import ITEMS, LENGTHS, Json, distributions, object_of, short, strict
from moot.agents.prompts.variables import kind_name, limits_of
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.request import Request
from moot.protocols.engine.values.quoting import unquoted
from moot.protocols.text import as_meant, escape, unescape

SCRATCH = ("thinking", "scratchpad", "reflection", "thoughts", "private_thinking")
"""What private thinking is called: the first of these that no move has a field of. All are marks of `thinking.py`."""
LONGEST = 1999  # characters of a text that a grammar of llama.cpp may be held to
_PLAIN: dict[Any, str] = {str: "your words", bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a request's answer must look. choices: how many there are to decide between (0 for an open question). brief:
    what the protocol allows in this turn (`one_of`, `least`, `most`, `below`, `to_seats`, …).

    length: characters allowed in a text, or None; where it is given, the schema is made for a server that holds the model
    to it by a grammar. plain: a move with a field that may stand alone (a speech) is asked for without JSON or tags around
    it, which small models do better. named: the texts of the choices. thinking: the most tokens of thinking that is asked for
    before the move, in a field of its own (`scratch`) or a tag of that name; None where none is asked for.
    """

    kinds: tuple[type[Move], ...]
    choices: int = 0
    brief: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    length: int | None = None
    plain: bool = False
    named: tuple[str, ...] = ()
    thinking: int | None = None

    @classmethod
    def of(cls, request: Request, room: int | None = None, plain: bool = False, thinking: int | None = None) -> Form:
        """The form of the answer to a request. room: characters that fit into the answer, for a model that is held to the
        schema by a grammar; the brief's limit in characters is then in it too."""
        choices = request.view.question.choices
        form = cls(request.kinds, len(choices), request.brief, plain=plain, named=choices, thinking=thinking)
        if room is None:
            return form
        limit, _ = limits_of(request.brief)
        most = None if limit is None else limit.chars
        return dataclasses.replace(form, length=most if form.bare else room if most is None else min(room, most))

    @property
    def bare(self) -> bool:
        """Whether the whole answer is the one field of its one kind."""
        return self.plain and self.thinking is None and len(self.kinds) == 1 and self.alone(self.kinds[0])

    def alone(self, kind: type[Move]) -> bool:
        """Whether a move of this kind is one field alone."""
        return list(kind.fields_asked(self.brief)) == [kind.bare_field]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a move of one of the kinds may have in it: of the kinds, and of their fields."""
        return _names_of(self.kinds)

    @property
    def scratch(self) -> str:
        """The name of what is thought before the move: one that no field of a move has."""
        return next((name for name in SCRATCH if name not in self.names), SCRATCH[-1])

    def response_format(self) -> Json:
        """The `response_format` of the call. Several kinds are told apart by `kind`, inside one field `move`, because
        a strict schema may not be a union at its root."""
        schemas = [self.schema(kind) for kind in self.kinds]
        first: Json = {}
        if self.thinking is not None:
            held = {} if self.length is None else {"maxLength": max(1, min(LONGEST, 2 * self.thinking))}
            first = {self.scratch: {"type": "string", **held}}
        if len(schemas) == 1:
            schema, name = schemas[0], kind_name(self.kinds[0])
            schema = {**schema, **object_of({**first, **schema["properties"]})}
        else:
            defs: Json = {}
            for each in schemas:
                defs.update(each.pop("$defs", {}))
            schema, name = object_of({**first, "move": {"anyOf": schemas}}), "move"
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
        """A value that is one of the texts there may be, as the prompt shows that text: the text itself. In words, signs that are
        written as the prompt writes them are what they stand for; in quotes they are left to whoever has the passage."""
        texts = self.texts(name, hint) or (self.named if hint.choices == "text" else ())
        if isinstance(value, list):
            return [self.meant(name, hint, each) for each in value]
        if isinstance(value, dict):
            return {key: self.meant(name, hint, each) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        return as_meant(value, texts) if texts else unquoted(value, unescape)

    def tags(self) -> list[str]:
        """The tags that an answer may be made of."""
        fields = (name for kind in self.kinds for name in kind.fields_asked(self.brief))
        return list(dict.fromkeys([*(tag_of(kind_name(kind)) for kind in self.kinds), *fields, "quote"]))

    def told(self, tagged: bool) -> str:
        """The form in words, as the last lines of the prompt."""
        if self.bare:
            return f"Reply with your {kind_name(self.kinds[0])} and nothing else."
        if not tagged:
            first = "" if self.thinking is None else f'"{self.scratch}" is {self._thinking()}, '
            if len(self.kinds) == 1:
                return f"Reply with one JSON object: {first}{self._object(self.kinds[0])}."
            each = "\n".join(f"- {self._object(kind)}" for kind in self.kinds)
            holds = f"{first}and" if first else "that holds one field,"
            return f'Reply with one JSON object{":" * bool(first)} {holds} "move"{" is" if first else ", with"} one of these objects:\n{each}'
        lead = "reply in this form" if len(self.kinds) == 1 else "reply in one of these forms"
        if self.thinking is not None:
            lead = f"First write <{self.scratch}>…</{self.scratch}> around {self._thinking()}. Then {lead}"
        return f"{lead[0].upper()}{lead[1:]}, with nothing before or after it:\n" + "\n".join(
            map(self._example, self.kinds)
        )

    def _thinking(self) -> str:
        words = max(1, 2 * (self.thinking or 0) // 3)  # a word of English takes about 4/3 tokens
        return (
            f"your private thinking, which nobody else is shown (at most {words} words; keep it short enough to finish)"
        )

    def _object(self, kind: type[Move]) -> str:
        asked = kind.fields_asked(self.brief).items()
        fields = (f'"{name}" is {self.words(kind, name, hint)}' for name, hint in asked)
        return ", ".join([f'"kind" is "{kind_name(kind)}"', *fields])

    def _example(self, kind: type[Move]) -> str:
        tag, inner = tag_of(kind_name(kind)), "your words"
        if not self.alone(kind):
            fields = kind.fields_asked(self.brief).items()
            inner = "".join(f"<{name}>{self.words(kind, name, hint, True)}</{name}>" for name, hint in fields)
        return f"<{tag}>{inner}</{tag}>"

    def words(self, kind: type[Move], name: str, hint: Asked, tagged: bool = False) -> str:
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
        return (hint.told or _PLAIN.get(annotation) or _listed(annotation, self._least(kind, name))) + none

    def _least(self, kind: type[Move], name: str) -> str:
        """How many entries a list must have at least, in words: a schema says it too, and some models are asked without one."""
        bounds = (getattr(each, "min_length", None) for each in kind.model_fields[name].metadata)
        least = self.said("least", name) or next(filter(None, bounds), 0)
        return f"{least} or more " if least and least != self.said("most", name) else ""


def _listed(annotation: Any, least: str = "") -> str:
    listed, inner = get_origin(annotation) is tuple, get_args(annotation)
    if listed and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
        names = map(json.dumps, inner[0].model_json_schema()["properties"])
        return f"a JSON list of {least}objects, each with " + ", ".join(names)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(json.dumps, inner))
    if listed and re.search(r"\b(int|float)\b", str(inner[0])):
        return f"a JSON list of {least}numbers"
    if not (listed or type(None) in inner) or "str" not in str(inner[0]):
        return "JSON"
    return f"a list of {least}texts" if listed else "your words, or null"


@lru_cache(256)
def _names_of(kinds: tuple[type[Move], ...]) -> tuple[str, ...]:
    tags = (tag_of(kind_name(kind)) for kind in kinds)
    return tuple(dict.fromkeys((*tags, *(name for kind in kinds for name in kind.model_fields if name != "kind"))))


class ResponseFormat(Json):
    """What `Form.response_format` makes, once for all forms that ask alike; not to be changed. characters: of it as JSON."""

    characters: int


def format_of(form: Form) -> ResponseFormat:
    """The `response_format` of a form."""

    def made() -> ResponseFormat:
        made = ResponseFormat(form.response_format())
        made.characters = len(json.dumps(made))
        return made

    return _once(form, "format", made)  # type: ignore[no-any-return]


def characters_of(response_format: Mapping[str, Any]) -> int:
    """How long a `response_format` is as JSON."""
    if isinstance(response_format, ResponseFormat):
        return response_format.characters
    return len(json.dumps(response_format))


def told_of(form: Form, tagged: bool) -> str:
    """A form in words."""
    return _once(form, ("told", tagged), lambda: form.told(tagged))  # type: ignore[no-any-return]


_OF_ONE_TURN = frozenset({"one_of", "least", "most", "below"})
_once_made: dict[Any, Any] = {}
_MANY = 256


def _once(form: Form, what: Any, make: Callable[[], Any]) -> Any:
    """What is made of a form, once for all that ask alike. A brief that lists texts or sets bounds is of one turn, and what is made
    of it is not kept."""
    brief, asked = form.brief, []
    if not _OF_ONE_TURN.isdisjoint(brief):
        return make()
    for kind in form.kinds:
        hints = [
            (name, hint.choices, hint.among, hint.none, hint.told) for name, hint in kind.fields_asked(brief).items()
        ]
        if any(among and among in brief for _, _, among, _, _ in hints):
            return make()
        asked.append((kind, *hints))
    of = what, *asked, None, form.choices, form.length, form.plain, form.thinking
    if (found := _once_made.get(of)) is None:
        if len(_once_made) >= _MANY:
            _once_made.clear()
        _once_made[of] = found = make()
    return found


@lru_cache(256)
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
