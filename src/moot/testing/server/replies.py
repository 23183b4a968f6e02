"""What a mock model says: content that satisfies a JSON schema, tagged text, tokens and their log-probabilities.

Rule: functions of a request's body; no server, no state.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.testing.schemas import FORMATS, Chooser, Endless, Schema, T, build
from moot.testing.server.faults import Body

_SENTENCES = (
    "The text says so where it first names the matter",
    "The other answer leaves out what happened just before",
    "Two separate lines of the text point the same way",
    "Nothing in the text supports the other reading",
    "The order of events rules the other answer out",
)
_SAMPLES = ("a", "A", "0", "1", "", "word", "Word", "WORD", "two words", "a1", "1.0")


def default_reply(body: Body) -> str:
    """What the mock model says when it is not told what to say; equal requests get equal replies.

    With a JSON schema in `response_format` (OpenAI's `json_schema`, or llama.cpp's `json_object` with a `schema`): JSON
    that satisfies it. With a plain `json_object`: the object whose fields the last message names (`"kind" is "verdict",
    "text" is your words, …`), or one with a `text`. Otherwise tagged text: the tags of a move
    that the first or the last message shows (`<verdict>`, `<probabilities>`, …), filled in, or one `<speech>`.
    """
    draw = Draw(body)
    if (schema := schema_of(body)) is not None:
        return json.dumps(fill(schema, draw), ensure_ascii=False)
    if isinstance(body.get("response_format"), dict) and body["response_format"].get("type") == "json_object":
        return json.dumps(_told(text_of((body.get("messages") or [{}])[-1]), draw))
    return tagged(body, draw)


def schema_of(body: Body) -> Schema | None:
    """The JSON schema that a request asks its answer to satisfy, or None."""
    if not isinstance(wanted := body.get("response_format"), dict):
        return None
    inner = wanted.get("json_schema")
    found = inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")
    return found if isinstance(found, dict) else None


class Draw(Chooser):
    """Choices that look free and are a function of the request alone (its messages, model and seed)."""

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

    def integer(self, low: int, high: int) -> int:
        start = low if low > 0 or high < 0 else 0
        return start + self.below(min(high - start + 1, 5 + self._count // 10))  # wider for who asks again and again

    def real(self, low: float, high: float) -> float:
        if high - low > 1000:
            low = low if low > 0 else max(0.0, min(high - 4, 0.0)) if high >= 4 else high - 4
            high = low + 4
        return low + (high - low) * self.below(5) / 4

    def text(self, least: int, most: int) -> str:
        said = self.sentence()
        return (said if len(said) >= least else f"{said} {'…' * (least - len(said) - 1)}")[:most]

    def pick(self, among: Sequence[T]) -> T:
        return among[self.below(len(among))]

    def branch(self, among: Sequence[T]) -> T:
        return next((part for part in among if isinstance(part, dict) and part.get("type") == "null"), among[0])

    def length(self, least: int, most: int) -> int:
        return least

    def shares(self, least: int, most: float) -> list[float]:
        return self.distribution(int(min(max(least, 2), most)))

    def pattern(self, regex: str, least: int, most: float) -> str:
        for sample in (*_SAMPLES, *FORMATS.values()):
            for text in (sample, sample * least):
                if least <= len(text) <= most and re.search(regex, text):
                    return text
        raise UsageError(f"no value is known that satisfies the schema's pattern {regex}; give a `reply` of your own")


def fill(schema: Any, draw: Draw) -> Any:
    """A JSON value that satisfies `schema`: of unions the first satisfiable branch (null, where it is one), of arrays the
    least length, of booleans the default or false; numbers in [0, 1] sum to 1 where their array allows it. Raises UsageError
    on a keyword that it cannot satisfy (`not`, a `pattern` beyond its samples, …), and where only infinite values would do."""
    for deepest in (8, 16):  # shallow first: a recursive schema then gets a small value
        with suppress(Endless):
            return build(schema, draw, deepest=deepest)
    return build(schema, draw)


_OBJECT = re.compile(r'"kind" is "[^"\n]{1,80}".{0,4000}')
_FIELD = re.compile(r'"(\w{1,40})" is (.{1,1000}?)(?=, "\w{1,40}" is |\.?$)')


def _told(shown: str, draw: Draw) -> Any:
    """The object that a message describes in words."""
    found = _OBJECT.search(shown)
    if found is None:
        return {"text": draw.sentence()}
    made = {name: _in_words(words, draw) for name, words in _FIELD.findall(found[0])}
    return {"move": made} if 'one field, "move"' in shown else made


def _in_words(words: str, draw: Draw) -> Any:
    numbers = re.findall(r'"(\d+)"', words)
    if words.startswith("an object with one number for each"):
        return dict(zip(numbers, draw.distribution(len(numbers)), strict=True))
    if quoted := re.match(r'(?:one of )?"([^"]*)"', words):
        return quoted[1]
    if words.startswith("true or false"):
        return False
    if listed := re.match(r"a (?:JSON )?list of (?:(\d+) or more )?(objects|numbers)?", words):
        made = {name: draw.sentence() for name in re.findall(r'"(\w+)"', words)} if listed[2] == "objects" else None
        return [made or (0.5 if listed[2] == "numbers" else draw.sentence()) for _ in range(int(listed[1] or 0))]
    if number := re.match(r"(\d+) to \d+|a whole number from (\d+)", words):
        return int(next(filter(None, number.groups())))
    return 1 if words.startswith(("a number", "a whole number")) else draw.sentence()


_TAG = re.compile(
    r"<(speech|argument|verdict|answer|ask|stop|text|probabilities|choice|quote|reasons?|to|end)>(?:(.{0,4000}?)</\1>)?",
    re.DOTALL,
)


def tagged(body: Body, draw: Draw) -> str:
    """The tags that the first or last message shows, filled in; `<speech>` with a sentence when it shows none."""
    messages = body.get("messages") or [{}]
    shown = map(text_of, (messages[0], *messages[1:][-1:]))
    return _filled("\n".join(shown), draw) or f"<speech>{draw.sentence()}</speech>"


def _filled(shown: str, draw: Draw) -> str:
    made: dict[str, str] = {}
    for tag, inner in _TAG.findall(shown):
        if tag in made or tag == "quote":
            continue
        content = _filled(inner, draw)
        if not content and tag in ("choice", "answer") and not re.search(r"[a-z]{3}", inner):
            content = "0"
        elif not content and tag == "probabilities":
            content = ", ".join(map(str, draw.distribution(max(2, inner.count(",") + 1))))
        elif not content:
            content = "false" if tag in ("end", "stop") else draw.sentence()
        made[tag] = f"<{tag}>{content}</{tag}>"
    return "\n".join(made.values())


def text_of(message: Any) -> str:
    """The text of a chat message, whose content is a string or a list of parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def images_of(body: Body) -> list[bytes]:
    """The images in a request's messages, over any API, in their order; b"" for what is no image in base64."""
    turns = body.get("messages") or body.get("input")
    contents = [each.get("content") for each in turns if isinstance(each, dict)] if isinstance(turns, list) else []
    parts = [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]
    return [_decoded(part) for part in parts if part.get("type") in ("image_url", "image", "input_image")]


def _decoded(part: Body) -> bytes:
    given, source = part.get("image_url"), part.get("source")
    url = given.get("url") if isinstance(given, dict) else given
    if isinstance(source, dict):  # Anthropic's
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    begin, found, encoded = url.partition(";base64,") if isinstance(url, str) else ("", "", "")
    with suppress(ValueError):
        return b64decode(encoded, validate=True) if found and begin.startswith("data:image/") else b""
    return b""


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
