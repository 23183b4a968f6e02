"""A protocol's parameters as people read them: name, default and type.

Rule of this file: it reads the fields of classes and knows none of them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from moot.protocols.engine.base import Protocol

_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
_NAMES = {type(None): "null", Any: "any", str: "text", bool: "true | false", float: "number", int: "integer"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """default: as JSON has it. shown: the same as `-p NAME=` takes it, without what goes without saying."""

    name: str
    type: str
    default: Any
    shown: str


def parameters(protocol: type[Protocol]) -> Iterator[Parameter]:
    """The parameters of a protocol, in their order."""
    for name, field in protocol.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        bare = plain = to_jsonable_python(default, fallback=_named)
        if isinstance(default, BaseModel):  # the field that names it, and what differs from its defaults
            kept = {next(iter(type(default).model_fields)), *default.model_dump(exclude_defaults=True)}
            bare = {key: value for key, value in plain.items() if key in kept}
        shown = bare if isinstance(bare, str) else json.dumps(bare)
        yield Parameter(name, _bounded(_type(field.annotation), field.metadata), plain, shown)


def _named(value: Any) -> str:
    """What has no form in JSON, as a class of a program, which `-p` cannot give."""
    return value.__name__ if isinstance(value, type) else repr(value)


def _type(annotation: Any) -> str:
    """A type in words: "integer | null", "none | all | metered", "list of Speeches | Feedback"."""
    if annotation is JsonValue:
        return "JSON"
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(_type(inner[0]), inner[1:])
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " | ".join(map(_type, inner))
    if origin in (tuple, list, frozenset):
        return f"list of {_type(inner[0])}"
    if origin is dict or annotation is dict:
        return "object"
    return str(getattr(annotation, "__name__", annotation))


def _bounded(text: str, metadata: Any) -> str:
    flat = [bound for each in metadata for bound in (each.metadata if isinstance(each, FieldInfo) else [each])]
    bounds = [f"{words} {getattr(bound, name):g}" for bound in flat for name, words in _BOUNDS
              if getattr(bound, name, None) is not None]  # fmt: skip
    return f"{text} {', '.join(bounds)}".rstrip()
