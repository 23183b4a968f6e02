"""JSON schemas of moves as endpoints take them: strict ones, and ones that a grammar holds a small model to.

Rule of this file: schemas in, schemas out; no move and no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, pairwise
from typing import Any

Json = dict[str, Any]
ITEMS = 4
"""Entries of a list that a small model may write, where no more are needed."""
RANGE = 64
"""Whole numbers between bounds are listed one by one where there are fewer."""
NAMES = ("properties", "$defs", "definitions")  # in these, a key is a name and no keyword
LENGTHS = ("minLength", "maxLength")
"""Hosted endpoints do not know them; a grammar of llama.cpp takes none of 2000 or more."""


def object_of(properties: Json) -> Json:
    """The schema of an object with exactly these fields."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def distributions(count: int) -> Json:
    """Probabilities for so many answers that sum to 1, as a list of values: no grammar can add, and a small model does not.

    In hundredths for two answers, twentieths for three, tenths up to six; beyond, one answer has more than the others.
    """
    if count > 6:
        rest = {high: round((1 - high) / (count - 1), 3) for high in (0.2, 0.4, 0.6, 0.8)}
        made = [
            [high if i == best else low for i in range(count)] for high, low in rest.items() for best in range(count)
        ]
    else:
        parts = {2: 100, 3: 20}.get(count, 10)
        cuts = ((0, *cut, parts) for cut in combinations(range(1, parts), count - 1))
        made = [[round((high - low) / parts, 2) for low, high in pairwise(cut)] for cut in cuts]
    return {"enum": [{str(i): share for i, share in enumerate(each, 1)} for each in made]}


def short(schema: Any, length: int) -> Any:
    """A schema whose texts, lists and numbers have an end: a grammar holds a small model to it, which would go on otherwise.

    Bounds of numbers are enforced nowhere, lists of values are: whole numbers between near bounds, and numbers from 0 to 1,
    of which there are then 21, become such lists.
    """
    if isinstance(schema, list):
        return [short(each, length) for each in schema]
    if not isinstance(schema, dict):
        return schema
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema.get("type") == "integer" and low is not None and high is not None and high - low < RANGE:
        return {"enum": list(range(low, high + 1))}
    if schema.get("type") == "number" and (low, high) == (0, 1):
        return {"enum": [i / 20 for i in range(21)]}
    inside = length // ITEMS if schema.get("type") == "array" else length
    made = {key: short(value, inside) for key, value in schema.items()}
    if made.get("type") == "string" and "enum" not in made:
        made["maxLength"] = min(length, made.get("maxLength", length))
    if made.get("type") == "array":
        room = max(1, min(ITEMS, length // 150)) if "$ref" in made.get("items", {}) else ITEMS
        room = max(room, made.get("minItems", 0))
        made["maxItems"] = min(room, made.get("maxItems", room))
    return made


def strict(schema: Any, without: tuple[str, ...] = ()) -> Any:
    """A schema as strict endpoints want it: every property required, none beside them, no defaults or titles."""
    if isinstance(schema, list):
        return [strict(each, without) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key not in ("default", "title", "description", *without)}
    for key, value in made.items():
        named = key in NAMES and isinstance(value, dict)
        made[key] = {name: strict(each, without) for name, each in value.items()} if named else strict(value, without)
    if isinstance(made.get("properties"), dict):
        made["required"], made["additionalProperties"] = list(made["properties"]), False
    return made


def without(response_format: Mapping[str, Any], keywords: Iterable[str], strict: bool = True) -> dict[str, Any]:
    """A response format whose schema has none of these keywords; strict: whether its flag of that name stays."""
    inner, drop = response_format.get("json_schema"), frozenset(keywords)
    if not isinstance(inner, Mapping):
        return dict(response_format)

    def less(schema: Any) -> Any:
        if isinstance(schema, list):
            return [less(each) for each in schema]
        if not isinstance(schema, Mapping):
            return schema
        return {
            key: {name: less(each) for name, each in value.items()} if key in NAMES else value if key == "enum" else less(value)
            for key, value in schema.items() if key not in drop
        }  # fmt: skip

    made = {key: less(value) if key == "schema" else value for key, value in inner.items() if strict or key != "strict"}
    return {**response_format, "json_schema": made}


def keywords_of(schema: Any) -> Iterator[str]:
    """The keywords of a JSON schema, at any depth."""
    if isinstance(schema, list):
        for each in schema:
            yield from keywords_of(each)
    elif isinstance(schema, Mapping):
        for key, value in schema.items():
            yield key
            yield from keywords_of(list(value.values()) if key in NAMES else value)
