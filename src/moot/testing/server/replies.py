"""What a mock model says: content that satisfies a JSON schema, tagged text, tokens and their log-probabilities.

Rule: functions of a request's body; no server, no state.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from hashlib import blake2b
from operator import ge, gt, le, lt
from typing import Any

from moot.protocols.engine.errors import UsageError

Body = dict[str, Any]
Schema = dict[str, Any]

_SENTENCES = (
    "The text says so where it first names the matter",
    "The other answer leaves out what happened just before",
    "Two separate lines of the text point the same way",
    "Nothing in the text supports the other reading",
    "The order of events rules the other answer out",
)
_SAMPLES = {
    "date-time": "2024-01-01T00:00:00Z", "date": "2024-01-01", "time": "00:00:00Z", "duration": "PT1S", "ipv4": "127.0.0.1",
    "ipv6": "::1", "email": "a@example.com", "uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip
_WORDS = ("a", "A", "0", "1", "", "word", "Word", "WORD", "two words", "a1", "1.0")
_BOUNDS = {"minimum": ge, "exclusiveMinimum": gt, "maximum": le, "exclusiveMaximum": lt}
_IGNORED = {"title", "description", "default", "examples", "$defs", "definitions", "discriminator", "$schema", "strict"}
_DEPTHS = (8, 16, 32)  # shallow first: a recursive schema then gets a small value


def default_reply(body: Body) -> str:
    """What the mock model says when it is not told what to say; equal requests get equal replies.

    With a JSON schema in `response_format` (OpenAI's `json_schema`, or llama.cpp's `json_object` with a `schema`): JSON
    that satisfies it. With a plain `json_object`: an object with a `text`. Otherwise tagged text: the tags of a move
    that the first or the last message shows (`<verdict>`, `<probabilities>`, …), filled in, or one `<speech>`.
    """
    draw = Draw(body)
    schema = schema_of(body)
    if schema is not None:
        return json.dumps(fill(schema, draw), ensure_ascii=False)
    if isinstance(body.get("response_format"), dict) and body["response_format"].get("type") == "json_object":
        return json.dumps({"text": draw.sentence()})
    return tagged(body, draw)


def schema_of(body: Body) -> Schema | None:
    """The JSON schema that a request asks its answer to satisfy, or None."""
    if not isinstance(wanted := body.get("response_format"), dict):
        return None
    inner = wanted.get("json_schema")
    found = inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")
    return found if isinstance(found, dict) else None


class Draw:
    """Choices that look free and are a function of the request alone (its messages, model and seed)."""

    __slots__ = ("_count", "_key")

    def __init__(self, body: Body) -> None:
        said = json.dumps([body.get("messages"), body.get("model"), body.get("seed")], sort_keys=True, default=str)
        self._key = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._count = 0

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit − 1."""
        self._count += 1
        drawn = blake2b(self._key + self._count.to_bytes(4, "big"), digest_size=8).digest()
        return int.from_bytes(drawn, "big") % limit

    def sentence(self) -> str:
        return f"{_SENTENCES[self.below(len(_SENTENCES))]} ({self._key.hex()[:6]})."

    def distribution(self, count: int) -> list[float]:
        """`count` probabilities of two decimals that sum to 1, the largest at a drawn place."""
        if count <= 0:
            return []
        if count > 50:
            return [1 / count] * count
        weights = [1 + self.below(9) for _ in range(count)]
        cents = [100 * weight // sum(weights) for weight in weights]
        cents[self.below(count)] += 100 - sum(cents)
        return [cent / 100 for cent in cents]


def fill(schema: Any, draw: Draw) -> Any:
    """A JSON value that satisfies `schema`, by the draw.

    Unions take their first satisfiable branch (null, where null is one), arrays their least length, booleans their
    default or false; arrays of numbers in [0, 1] sum to 1 where their bounds allow it. Raises UsageError on a keyword
    that it cannot satisfy (`not`, a `pattern` beyond its samples, …) and on a schema that only infinite values satisfy.
    """
    for deep in _DEPTHS:
        try:
            return _Filler(schema if isinstance(schema, dict) else {}, draw, deep).value(schema, "", 0)
        except _Endless:
            continue
    raise _cannot("with a finite value", schema)


class _Endless(Exception):
    """This branch of a recursive schema has no end within reach."""


class _Filler:
    def __init__(self, root: Schema, draw: Draw, deep: int) -> None:
        self.root, self.draw, self.deep = root, draw, deep

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if schema is True or schema == {}:
            return self.draw.sentence()
        if not isinstance(schema, dict):
            raise _cannot("a schema that is", schema)
        if depth > self.deep:
            raise _Endless
        if "$ref" in schema:
            siblings = {key: part for key, part in schema.items() if key != "$ref" and key not in _IGNORED}
            target = self.target(schema["$ref"])
            return self.value(_merged(target, siblings) if siblings else target, name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            values = schema["enum"]
            return values[0] if name == "kind" else values[self.draw.below(len(values))]
        for union in ("anyOf", "oneOf"):
            if union in schema:
                rest = {key: part for key, part in schema.items() if key != union and key not in _IGNORED}
                return self.branch([_merged(part, rest) for part in schema[union]], name, depth + 1)
        if "allOf" in schema:
            whole = {key: part for key, part in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                if "$ref" in part:
                    part = _merged(self.target(part["$ref"]), {k: v for k, v in part.items() if k != "$ref"})
                whole = _merged(whole, part)
            return self.value(whole, name, depth + 1)
        if "not" in schema or "if" in schema:
            raise _cannot("the keywords `not` and `if` in", schema)
        return self.typed(schema, name, depth)

    def target(self, ref: str) -> Schema:
        found: Any = self.root
        for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
            try:
                found = found[part.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError):
                raise UsageError(f"the schema refers to {ref}, which it does not define") from None
        return found if isinstance(found, dict) else {}

    def branch(self, branches: list[Any], name: str, depth: int) -> Any:
        """The value of the first branch that has one; null where null is allowed."""
        if any(isinstance(branch, dict) and branch.get("type") == "null" for branch in branches):
            return None
        problem: Exception = _Endless()
        for branch in branches:
            try:
                return self.value(branch, name, depth)
            except (_Endless, UsageError) as error:
                problem = error
        raise problem

    def typed(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            return self.branch([{**schema, "type": one} for one in kind], name, depth)
        if kind is None:
            kind = (
                "object"
                if "properties" in schema
                else "array"
                if {"items", "prefixItems"} & schema.keys()
                else "string"
            )
        match kind:
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, name, depth)
            case "integer" | "number":
                return _number(schema, kind == "integer", self.draw)
            case "boolean":
                return bool(schema.get("default", False))
            case "string":
                return self.string(schema)
            case "null":
                return None
        raise _cannot("the type of", schema)

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        made: dict[str, Any] = {}
        for key, part in schema.get("properties", {}).items():
            try:
                made[key] = self.value(part, key, depth + 1)
            except _Endless:
                if key in required:
                    raise
        extra = schema.get("additionalProperties", True)
        for key in (*(key for key in required if key not in made), *(f"key{i}" for i in range(1000))):
            if key not in required and len(made) >= schema.get("minProperties", 0):
                break
            if extra is False:
                raise _cannot("the required properties of", schema)
            made[key] = self.value({} if extra is True else extra, key, depth + 1)
        return made

    def array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        items, first = schema.get("items", True), list(schema.get("prefixItems", ()))
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        part = self.target(items["$ref"]) if isinstance(items, dict) and "$ref" in items else items
        part = part if isinstance(part, dict) else {}
        chance = part.get("type") == "number" and (part.get("minimum"), part.get("maximum")) == (0, 1)
        if chance and not first and "multipleOf" not in part:
            return self.draw.distribution(min(max(least, 2), most) if most > 0 else 0)
        made = [self.value(part, name, depth + 1) for part in first]
        while len(made) < least:
            made.append(self.value(items, name, depth + 1))
            if schema.get("uniqueItems") and made[-1] in made[:-1]:
                made[-1] = self.another(part, made[:-1])
        return made

    def another(self, part: Schema, taken: list[Any]) -> Any:
        """A value of a schema that is not taken yet."""
        fresh: Any = part.get("enum", ())
        kind = part.get("type")
        if kind in ("integer", "number"):
            step, start = part.get("multipleOf", 1), _number(part, kind == "integer", None)
            fresh = (
                _number({**part, "minimum": start + step * i}, kind == "integer", None) for i in range(len(taken) + 1)
            )
        elif kind == "boolean":
            fresh = (False, True)
        elif all(isinstance(value, str) for value in taken) and not fresh:
            fresh = [self.string({**part, "minLength": max(map(len, taken)) + 1})]
        found = next((value for value in fresh if value not in taken), None)
        if found is None:
            raise _cannot("different items of", part)
        return found

    def string(self, schema: Schema) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if "pattern" in schema:
            texts = (text for sample in (*_WORDS, *_SAMPLES.values()) for text in (sample, sample * least))
            fits = (text for text in texts if least <= len(text) <= most and re.search(schema["pattern"], text))
            if (found := next(fits, None)) is None:
                raise _cannot("the `pattern` of", schema)
            return found
        if schema.get("format") in _SAMPLES:
            return _SAMPLES[schema["format"]]
        text = self.draw.sentence()
        text += " " + "…" * (least - len(text) - 1) if len(text) < least else ""
        return text[: min(most, len(text))]


def _merged(one: Any, two: Schema) -> Any:
    """Both schemas at once, for the keywords that can be told apart."""
    if not isinstance(one, dict):
        return two if two else one
    both = {**one, **two}
    if "properties" in one and "properties" in two:
        both["properties"] = {**one["properties"], **two["properties"]}
    if "required" in one and "required" in two:
        both["required"] = [*one["required"], *two["required"]]
    return both


def _number(schema: Schema, whole: bool, draw: Draw | None) -> float:
    """A number within the bounds: a drawn one of the first few steps that fit, or the least."""
    bounds = {key: Fraction(schema[key]) for key in _BOUNDS if key in schema}
    low = max((bounds[key] for key in ("minimum", "exclusiveMinimum") if key in bounds), default=None)
    high = min((bounds[key] for key in ("maximum", "exclusiveMaximum") if key in bounds), default=None)
    step, start = Fraction(str(schema.get("multipleOf", 1))), Fraction(0)
    if low is not None and high is not None and not whole and "multipleOf" not in schema:
        step, start = (high - low) / 4, low
    elif low is not None:
        start = math.ceil(low / step) * step
    elif high is not None:
        start = (math.floor(high / step) - 4) * step
    parts = (start + step * i for i in range(5))
    fits = [
        part
        for part in parts
        if all(_BOUNDS[key](part, bound) for key, bound in bounds.items()) and (not whole or part.denominator == 1)
    ]
    if not fits:
        raise _cannot("the bounds of", schema)
    chosen = fits[draw.below(len(fits))] if draw is not None else fits[0]
    return chosen.numerator if chosen.denominator == 1 else float(chosen)


def _cannot(what: str, schema: Any) -> UsageError:
    shown = json.dumps(schema, default=str)[:200]
    return UsageError(f"the default reply cannot satisfy {what} {shown}; give the mock server a `reply` of your own")


_TAG = re.compile(
    r"<(speech|argument|verdict|answer|ask|stop|text|probabilities|choice|quote|reasons?|to|end)>(?:(.*?)</\1>)?",
    re.DOTALL,
)


def tagged(body: Body, draw: Draw) -> str:
    """The tags that the first or last message shows, filled in; `<speech>` with a sentence when it shows none."""
    messages = body.get("messages") or [{}]
    shown = text_of(messages[0]) if len(messages) == 1 else f"{text_of(messages[0])}\n{text_of(messages[-1])}"
    return _filled(shown, draw) or f"<speech>{draw.sentence()}</speech>"


def _filled(shown: str, draw: Draw) -> str:
    made: dict[str, str] = {}
    for tag, inner in _TAG.findall(shown):
        if tag in made or tag == "quote":
            continue
        content = _filled(inner, draw)
        if not content:
            if tag in ("choice", "answer") and not re.search(r"[a-z]{3}", inner):
                content = "0"
            elif tag == "probabilities":
                content = ", ".join(map(str, draw.distribution(max(2, inner.count(",") + 1))))
            elif tag in ("end", "stop"):
                content = "false"
            else:
                content = draw.sentence()
        made[tag] = f"<{tag}>{content}</{tag}>"
    return "\n".join(made.values())


def text_of(message: Any) -> str:
    """The text of a chat message, whose content is a string or a list of parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


_PIECE = re.compile(r" ?[^\W_]{1,5}|\s|.", re.DOTALL)
_LONG = 200_000


def tokens_of(text: str) -> list[str]:
    """The mock model's tokens of a text: up to five letters or digits with the space before them, or one character."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has; estimated at four bytes each when it is longer than 200,000 characters."""
    return len(tokens_of(text)) if len(text) <= _LONG else -(-len(text.encode()) // 4)


def logprob_entry(token: str, distribution: Mapping[str, float], top: int) -> dict[str, Any]:
    """One position of `choices[].logprobs.content`: the token, and the `top` most probable ones in its place.

    A token of probability 0 gets −9999.0, as OpenAI writes it.
    """

    def entry(text: str, probability: float) -> dict[str, Any]:
        logprob = math.log(probability) if probability > 0 else -9999.0
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    ranked = sorted(distribution.items(), key=lambda item: (-item[1], item[0]))[:top]
    return {**entry(token, distribution.get(token, 0.0)), "top_logprobs": [entry(*item) for item in ranked]}
