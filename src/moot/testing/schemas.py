"""JSON values that fit a JSON schema, made from choices: Hypothesis', a seed's, or those of a mock model.

Rule: schemas and values; which choices are made is the chooser's affair, and no move or request is known here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from moot.protocols.engine.errors import UsageError

T = TypeVar("T")
Schema = Mapping[str, Any]
WORDS = tuple("yes no the page says otherwise because admiral storm never three naïve 海".split())
FORMATS = {
    "date-time": "2024-01-01T00:00:00Z", "date": "2024-01-01", "time": "00:00:00Z", "duration": "PT1S", "ipv4": "127.0.0.1",
    "ipv6": "::1", "email": "a@example.com", "uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip
_NOTES = {"title", "description", "default", "examples", "$defs", "definitions", "discriminator", "$schema", "strict"}
_DEEP = 4  # nesting at which optional parts of a recursive schema are left out
_TRIES = 50  # for an item that its list does not hold yet


class Endless(UsageError):
    """A schema, or this branch of one, has no value within reach."""


class Chooser(Protocol):
    """Where choices come from; `branch` is one between parts of a schema, `pick` one between values."""

    def integer(self, low: int, high: int) -> int: ...
    def real(self, low: float, high: float) -> float: ...
    def text(self, least: int, most: int) -> str: ...
    def pick(self, among: Sequence[T]) -> T: ...
    def pattern(self, regex: str, least: int, most: float) -> str: ...

    def branch(self, among: Sequence[T]) -> T:
        return self.pick(among)

    def length(self, least: int, most: int) -> int:
        return self.integer(least, most)

    def shares(self, least: int, most: float) -> list[float] | None:
        """Probabilities that sum to 1, for a list of numbers from 0 to 1, or one each for "1", "2", …; None when they are chosen one by one."""
        return None


def build(schema: Any, choose: Chooser, root: Schema | None = None, deep: int = 0, deepest: int = 32) -> Any:
    """A JSON value that fits a JSON schema. Raises UsageError where none is found: on `not`, `if`, bounds that exclude each
    other; Endless when values nest deeper than `deepest`."""
    return _Builder(schema if root is None else root, choose, deepest).value(schema, deep)


class _Builder:
    def __init__(self, root: Schema, choose: Chooser, deepest: int) -> None:
        self.root, self.choose, self.deepest = root, choose, deepest

    def value(self, schema: Any, deep: int) -> Any:
        if schema is True:
            schema = {}
        if not isinstance(schema, Mapping) or "not" in schema or "if" in schema:
            raise cannot("what is no schema, or has `not` or `if`, in", schema)
        if deep > self.deepest:
            raise Endless(f"no finite value can be made for the schema {_shown(schema)}")
        if "$ref" in schema:
            return self.value(self.resolved(schema), deep + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.choose.pick(schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                rest = _without(schema, several)
                return self.union([_merged(option, rest) for option in schema[several]], deep)
        if "allOf" in schema:
            whole = _without(schema, "allOf")
            for part in schema["allOf"]:
                whole = _merged(whole, self.resolved(part))
            return self.value(whole, deep)
        listed = "array" if {"items", "prefixItems"} & schema.keys() else "string"
        match kind := schema.get("type", "object" if "properties" in schema else listed):
            case list():
                return self.union([{**schema, "type": one} for one in kind], deep)
            case "object" | "array":
                return getattr(self, kind)(schema, deep)
            case "integer" | "number" | "string":
                return getattr(self, kind)(schema)
            case "boolean":
                first = bool(schema.get("default"))
                return self.choose.branch((first, not first))
            case "null":
                return None
        raise cannot("the type of", schema)

    def resolved(self, schema: Any) -> Any:
        """A schema with what it refers to in the place of its `$ref`."""
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        ref, found = schema["$ref"], self.root
        for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
            try:
                found = found[part.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError):
                raise UsageError(f"the schema refers to {ref}, which it does not define") from None
        return _merged(found if isinstance(found, Mapping) else {}, _without(schema, "$ref"))

    def union(self, options: list[Any], deep: int) -> Any:
        """A value of one of several schemas, of another where one has none."""
        flat = [each for each in options if isinstance(each, Mapping) and "$ref" not in each
                and each.get("type") not in ("array", "object")]  # fmt: skip
        left = flat if deep > _DEEP and flat else options
        while True:
            option = self.choose.branch(left)
            try:
                return self.value(option, deep + 1)
            except UsageError:
                left = [each for each in left if each is not option]
                if not left:
                    raise

    def object(self, schema: Schema, deep: int) -> dict[str, Any]:
        required, made = schema.get("required", ()), dict[str, Any]()
        if (numbered := _numbered(schema)) and (shares := self.choose.shares(len(numbered), len(numbered))) is not None:
            return dict(zip(numbered, shares, strict=True))
        for name, part in schema.get("properties", {}).items():
            if name in required or (deep <= _DEEP and self.choose.branch((True, False))):
                try:
                    made[name] = self.value(part, deep + 1)
                except Endless:
                    if name in required:
                        raise
        extra = schema.get("additionalProperties", True)
        names = [name for name in required if name not in made]
        names += [f"key{i}" for i in range(schema.get("minProperties", 0) - len(made) - len(names))]
        if names and extra is False:
            raise cannot("the required properties of", schema)
        if not names and isinstance(extra, Mapping) and deep <= _DEEP and self.choose.branch((False, True)):
            names = [self.choose.text(1, 8)]
        return made | {name: self.value(extra, deep + 1) for name in names}

    def array(self, schema: Schema, deep: int) -> list[Any]:
        items, least, most = schema.get("items", True), schema.get("minItems", 0), schema.get("maxItems")
        if "prefixItems" in schema:
            return [self.value(item, deep + 1) for item in schema["prefixItems"]]
        part = self.resolved(items)
        if isinstance(part, Mapping) and [part.get(key) for key in ("type", "minimum", "maximum")] == ["number", 0, 1]:
            if (shares := self.choose.shares(least, math.inf if most is None else most)) is not None:
                return shares
        made: list[Any] = []
        for _ in range(self.choose.length(least, least if deep > _DEEP else least + 3 if most is None else most)):
            for _ in range(_TRIES):
                item = self.value(items, deep + 1)
                if not schema.get("uniqueItems") or item not in made:
                    made.append(item)
                    break
        if len(made) < least:
            raise cannot("different items of", schema)
        return made

    def integer(self, schema: Schema) -> int:
        step = schema.get("multipleOf", 1)
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(10**6) - 1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 10**6) + 1) - 1)
        least, most = math.ceil(low / step), math.floor(high / step)
        if least > most:
            raise cannot("the bounds of", schema)
        return int(step * self.choose.integer(least, most))

    def number(self, schema: Schema) -> float:
        if "multipleOf" in schema:
            return float(self.integer(schema))
        low = float(schema.get("minimum", schema.get("exclusiveMinimum", -1e6)))
        high = float(schema.get("maximum", schema.get("exclusiveMaximum", max(low, 1e6))))
        if low > high:
            raise cannot("the bounds of", schema)
        value = self.choose.real(low, high)
        open_ended = value == schema.get("exclusiveMinimum") or value == schema.get("exclusiveMaximum")
        return (low + high) / 2 if open_ended else value

    def string(self, schema: Schema) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if "pattern" in schema:
            return self.choose.pattern(schema["pattern"], least, math.inf if most is None else most)
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        return self.choose.text(least, least + 60 if most is None else most)


def _numbered(schema: Schema) -> list[str]:
    """The names of an object's fields where they are "1", "2", … and each a number: probabilities; [] otherwise."""
    fields = schema.get("properties", {})
    names = [str(i) for i in range(1, len(fields) + 1)]
    return (
        names
        if len(names) > 1 and list(fields) == names and all(part == {"type": "number"} for part in fields.values())
        else []
    )


def _without(schema: Schema, key: str) -> dict[str, Any]:
    return {name: part for name, part in schema.items() if name != key and name not in _NOTES}


def _merged(one: Any, two: Schema) -> Any:
    """Both schemas at once, for the keywords that can be told apart."""
    if not isinstance(one, Mapping) or not two:
        return one if not two else two
    both = {**one, **two}
    if "properties" in one and "properties" in two:
        both["properties"] = {**one["properties"], **two["properties"]}
    if "required" in one and "required" in two:
        both["required"] = [*one["required"], *two["required"]]
    return both


def cannot(what: str, schema: Any) -> UsageError:
    """The error about a schema that no value is made for."""
    return UsageError(f"no value can be made that satisfies {what} the schema {_shown(schema)}; give one of your own")


def _shown(schema: Any) -> str:
    return json.dumps(schema, default=str)[:200]
