"""A move asked for field by field, in plain words: for a model too small to keep to JSON or tags, where no grammar holds it.

    asking = fields.walk(form)
    field = next(asking)                                    # put `field.told` to the model
    value, said = field.read(answer)
    field = asking.send(value)                              # … until StopIteration, whose value is the move as JSON

Rule of this file: questions go out, values come in; nothing is called, and no kind of move is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from moot.agents.prompts.forms import Form
from moot.agents.prompts.schemas import Json
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer, unframed
from moot.agents.prompts.variables import about, kind_name
from moot.protocols.text import escape

MOST = 24
"""Questions for one move: a list that must be longer is not asked for."""
SHORT = 16  # tokens of an answer that is a number or a choice
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,15})?(?:\s?%)?(?!\w)")
_NAMED = re.compile(
    r"\b(?:answer|option|choice|claim|number)s?\s{0,9}#?\d{1,15}\b", re.IGNORECASE
)  # not how probable it is
_NONE = re.compile(r"\W{0,9}(?:none|null|nothing)\b", re.IGNORECASE)
_AROUND = " \t\r\n\"'`*()[].:\u2581\u0120"  # what may stand around a label in its token; the last two stand for a blank
DIGITS = tuple(map(str, range(10)))
Asking = Generator["Field", Any, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One question: its words, how an answer becomes a value, and the most tokens of the answer (None: as many as the model
    is allowed). `value_of` raises ValueError, with the reason. labels: where the answer is one of a few, the single tokens
    that stand for them, each with its value; `value_of` is then asked first, and after it the alternatives of the first token."""

    told: str
    value_of: Callable[[str], Any]
    most: int | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)

    def read(self, text: str, alternatives: Iterable[tuple[str, float]] | None = None) -> tuple[Any, str]:
        """The value that an answer is, and the answer as the model is shown it later. alternatives: of its first token, with
        their log-probabilities; where the words name no value, the most probable label is the answer, as it would be under a
        grammar. Raises UnreadableAnswer."""
        said = parted(text).answer.strip()
        try:
            if not said:
                raise ValueError("the answer is empty")
            return self.value_of(said), said
        except ValueError as error:
            mass = dict[str, float]()
            for token, logprob in alternatives or ():
                if (label := token.strip(_AROUND)) in self.labels:
                    mass[label] = mass.get(label, 0.0) + math.exp(min(0.0, logprob))
            if mass:
                label = max(mass, key=lambda each: (mass[each], each))
                return self.labels[label], label
            raise UnreadableAnswer(str(error), text) from None


def walk(form: Form) -> Generator[Field, Any, Json]:
    """The questions of a form, in order: which kind of move, where there are several, then each of its fields. Is sent the
    value of each, and returns the move as JSON values, which are not checked further. Raises UnreadableAnswer where that
    takes more than MOST questions."""
    asking, value = _move(form), None
    for _ in range(MOST):
        try:
            field = asking.send(value)
        except StopIteration as done:
            return dict(done.value)
        value = yield field
    try:
        asking.send(value)
    except StopIteration as done:
        return dict(done.value)
    raise UnreadableAnswer(f"the move has more than {MOST} fields, which is too many to ask for one by one", final=True)


def _move(form: Form) -> Asking:
    kind = form.kinds[0]
    if len(form.kinds) > 1:
        told = [f"{kind_name(each)} ({about(each).partition('. ')[0]})" for each in form.kinds]
        kind = form.kinds[(yield from _chosen("What do you do?", told))]
    schema, data = form.schema(kind), {"kind": kind_name(kind)}
    for name, hint in kind.fields_asked(form.brief).items():
        of = schema["properties"][name]
        words = form.words(kind, name, hint, True)
        if form.choices and hint.choices == "shares":
            data[name] = yield from _shares(form)
        elif form.choices and hint.choices == "number" and of.get("type") != "array":
            at = yield from _chosen(f"Which answer is the {name}?", list(map(escape, form.named)))
            data[name] = at + 1
        else:
            what = "" if of.get("type") == "array" else f": {words.replace(', or null', ', or none')}"
            data[name] = yield from _value(of, schema.get("$defs", {}), f"Now give the {_plain(name)}{what}.")
    return data


def _shares(form: Form) -> Asking:
    """A probability for each choice: how likely each is, divided by the sum."""
    given = list[float]()
    for text in form.named:  # without their numbers, which a small model gives back as the digit
        given.append((yield _rated(f"How probable is it that this is the right answer: {escape(text)}?")))
    if not (total := sum(given)):
        raise UnreadableAnswer("every answer got the probability 0", final=True)
    return {str(number): share / total for number, share in enumerate(given, 1)}


def _value(schema: Json, defs: Mapping[str, Json], told: str) -> Asking:
    """A value of a schema, as `Form` makes them: of a length that has an end."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        some = [each for each in schema["anyOf"] if each.get("type") != "null"]
        if len(some) < len(schema["anyOf"]):
            return (yield from _optional(some[0], defs, told))
        return (yield from _value(some[0], defs, told))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        if all(isinstance(each, float) for each in values):
            return (yield _rated(told))
        if len(values) > len(DIGITS) and all(type(each) is int for each in values):
            return (yield _number(told, min(values), max(values), True))
        return values[(yield from _chosen(told, [escape(str(each)) for each in values]))]
    match schema.get("type"):
        case "boolean":
            return (yield from _chosen(told, ["true", "false"] if "true or false" in told else ["yes", "no"])) == 0
        case "integer" | "number":
            low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
            return (yield _number(told, low, high, schema["type"] == "integer"))
        case "object":
            found = {}
            for name, each in schema.get("properties", {}).items():
                found[name] = yield from _value(each, defs, f"{told} Give its {_plain(name)}.")
            return found
        case "array":
            return (yield from _list(schema, defs, told))
    return (yield _text(told, schema.get("maxLength")))


def _optional(schema: Json, defs: Mapping[str, Json], told: str) -> Asking:
    if schema.get("type") == "string" and "enum" not in schema:
        value = yield _text(f"{told} If there is none, say: none.", schema.get("maxLength"))
        return None if _NONE.match(value) else value
    if (yield from _chosen(f"{told} Do you give one?", ["yes", "no"])):
        return None
    return (yield from _value(schema, defs, told))


def _list(schema: Json, defs: Mapping[str, Json], told: str) -> Asking:
    """As few entries as there must be, and one where there may be."""
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    count = max(least, 1) if most is None else min(max(least, 1), most)
    found = []
    for number in range(1, count + 1):
        which = f" This is number {number} of {count}." if count > 1 else " Give one of them."
        found.append((yield from _value(schema.get("items", {"type": "string"}), defs, f"{told}{which}")))
    return found


def _chosen(told: str, options: Sequence[str]) -> Asking:
    """The index of one of the options, which are shown by number; one alone is not asked for."""
    if len(options) == 1:
        return 0
    listed = "\n".join(f"{number}: {text}" for number, text in enumerate(options, 1))
    ends = f"Reply with one number from 1 to {len(options)} and nothing else."

    def value_of(said: str) -> int:
        numbers = [
            int(float(each)) for each in _NUMBER.findall(said.replace("%", "")) if 1 <= float(each) <= len(options)
        ]
        if numbers:
            return numbers[0] - 1
        named = [at for at, text in enumerate(options) if text.partition(" (")[0].lower() in said.lower()]
        if len(named) == 1:
            return named[0]
        raise ValueError(f"it names none of 1 to {len(options)}")

    labels = {
        str(at): at - 1 for at in range(1, min(len(options), 9) + 1)
    }  # of more, a token may be the first digit of one
    return (yield Field(f"{told}\n{listed}\n{ends}", value_of, SHORT, labels if len(options) <= 9 else {}))


def _number(told: str, low: float | None, high: float | None, whole: bool) -> Field:
    bounds = (
        ""
        if low is None and high is None
        else f" from {low:g}"
        if high is None
        else f" up to {high:g}"
        if low is None
        else f" from {low:g} to {high:g}"
    )

    def value_of(said: str) -> float:
        for each in islice(_NUMBER.finditer(said), 20):
            number = _of(each[0])
            if (low is None or number >= low) and (high is None or number <= high) and not (whole and number % 1):
                return int(number) if whole else number
        raise ValueError(f"there is no {'whole ' * whole}number{bounds} in it")

    labels = {
        each: int(each) for each in DIGITS if (low is None or int(each) >= low) and (high is None or int(each) <= high)
    }
    return Field(f"{told} Reply with one {'whole ' * whole}number{bounds} and nothing else.", value_of, SHORT, labels)


def _rated(told: str) -> Field:
    """How probable something is, by one digit: few tiny models write a number between 0 and 1 when they are asked for one."""

    def value_of(said: str) -> float:
        for each in islice(_NUMBER.finditer(_NAMED.sub("", said)), 20):
            if 0 <= (number := _of(each[0])) <= 1 and not each[0].isdigit():
                return number
            if each[0] in DIGITS:
                return round(int(each[0]) / 9, 2)
        raise ValueError("there is no digit in it")

    labels = {digit: round(int(digit) / 9, 2) for digit in DIGITS}
    return Field(
        f"{told} Reply with one digit, from 0 (certainly not) to 9 (certainly), and nothing else.",
        value_of,
        SHORT,
        labels,
    )


def _of(text: str) -> float:
    return float(text.rstrip("% ")) / 100 if text.endswith("%") else float(text)


def _text(told: str, most: int | None) -> Field:
    def value_of(said: str) -> str:
        bare = unframed(said.strip("`").strip())
        bare = bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare
        if not bare:
            raise ValueError("the answer is empty")
        return bare if most is None else bare[:most].rstrip()

    return Field(f"{told} Reply with it and nothing else.", value_of)


def _plain(name: str) -> str:
    return name.replace("_", " ")
