"""From lines to events that can be relied on: what an event must be, its fields, and how they fit those before it.

Rule of this file: the one place where what was recorded is checked; folds need not look again. What no fold uses (reserved
and unknown events, meta that is only shown) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import TranscriptError, UsageError, first_problem
from moot.protocols.engine.outcomes import Outcome, outcome_adapter
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.events import KEPT, PLAYED, WHOLE, check_header, check_line, label, parse
from moot.transcripts.once import Whole
from moot.transcripts.version1 import translate

_MOST = 1 << 63  # of a count: sums of them stay numbers that can be printed
_STEP = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,4000}").fullmatch
_SEAT = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch
_TOLD = {
    "moved",
    "rejected",
    "failed",
    "asked",
    "attempted",
    "reserved",
    "read",
    "shown",
    "called",
    "chose",
    "sampled",
}  # events of a seat that must be one of the play's

Check = Callable[[Any], bool]
Pair = tuple[bytes, dict[str, Any]]  # a line with its event


def _text(value: Any) -> bool:
    return type(value) is str


def _step(value: Any) -> bool:
    return type(value) is str and _STEP(value) is not None


def _object(value: Any) -> bool:
    return type(value) is dict


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _whole(value: Any) -> bool:
    return type(value) is int


def _amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and -_MOST < value < _MOST


def _flag(value: Any) -> bool:
    return type(value) is bool


def _texts(value: Any) -> bool:
    return type(value) is dict and all(type(each) is str for each in value.values())


def _tags(value: Any) -> bool:
    return type(value) is dict and all(type(each) in (str, int, float, bool) for each in value.values())


def _listed(value: Any) -> bool:
    return _list_of(value, str)


def _objects(value: Any) -> bool:
    return type(value) is list and all(type(each) is dict and _step(each.get("step")) for each in value)


def _limits(value: Any) -> bool:
    """What one seat may spend, or spent: by measure."""
    return type(value) is dict and all(
        measure in MEASURES and type(each) in (int, float) and 0 <= each < 1e300 for measure, each in value.items()
    )


_WORDS: dict[Check, str] = {
    _text: "a text", _step: "a path of numbers such as 0 or 1.0.2", _object: "an object", _whole: "a whole number",
    _count: "a whole number from 0 to 2^63", _amount: "a number from 0 to 2^63", _number: "a number of at most 2^63",
    _flag: "true or false", _texts: "an object of texts", _tags: "an object of texts, numbers, true and false", _listed: "a list of texts",
    _objects: "a list of objects with a step",
    _limits: f"an object with a number, 0 or more, for any of {', '.join(MEASURES)}",
}  # fmt: skip

_AT = (("step", True, _step), ("seat", True, _text))
_FIELDS: dict[str, tuple[tuple[str, bool, Check], ...]] = {
    "started": (("protocol", True, _object), ("question", True, _object), ("seed", True, _whole), ("roles", True, _texts),
                ("bounds", False, _object), ("full_tree_size", False, _whole)),
    "asked": _AT,
    "attempted": (*_AT, ("ok", False, _flag), ("cached", False, _flag), ("prompt_tokens", False, _count), ("cost", False, _amount),
                  ("completion_tokens", False, _count), ("cached_tokens", False, _count), ("cache_write_tokens", False, _count),
                  ("reasoning_tokens", False, _count)),
    "read": (*_AT, ("reads", False, _count)),
    "called": (*_AT, ("tool", True, _text), ("reads", False, _count), ("length", False, _count), ("seconds", False, _amount),
               ("spent", False, _limits)),
    "chose": _AT,
    "sampled": _AT,
    "reserved": (*_AT, ("hold", True, _count), ("at_most", False, _amount), ("most_tokens", False, _count)),
    "moved": (*_AT, ("request", True, _text), ("move", True, _object), ("raw", False, _object), ("under", False, _text),
              ("reads", False, _count), ("remark", False, _text)),
    "rejected": (*_AT, ("request", True, _text), ("rule", True, _text), ("reads", False, _count)),
    "flipped": (("step", True, _step), ("value", True, _number)),
    "charged": (*_AT, ("measure", True, _text), ("amount", True, _count)),
    "entered": (("step", True, _step), ("protocol", True, _object), ("question", True, _object), ("seats", True, _texts)),
    "left": (("step", True, _step),),
    "shown": (*_AT, ("question", False, _text), ("choices", False, _listed), ("first", True, _count), ("statements", True, _objects)),
    "told": (("step", True, _step), ("move", True, _object), ("to", False, _listed)),
    "failed": (*_AT, ("reads", False, _count)),
    "cancelled": (),
    "resumed": (),
    "ended": (),
}  # fmt: skip
"""What is read of an event: field, whether it must be there (otherwise it may also be null), what it must be."""
_PLACED = (("relation", True, _text), ("size", True, _count))
_ANSWERED = (
    ("seconds", False, _amount),
    ("waited", False, _amount),
    ("reads", False, _count),
    ("spent", False, _limits),
)
_CHECKED = {field: check for field, _, check in _ANSWERED}
_HEADER = (("at", False, _text), ("task", False, _text), ("id", False, _text), ("seats", False, _object), ("parent", False, _object),
           ("sealed", False, _object), ("identities", False, _object), ("images", False, _texts), ("tags", False, _tags))  # fmt: skip


def _usual(event: Mapping[str, Any], seats: Mapping[str, str]) -> bool:
    """Whether it is a statement of the usual fields, all as `_FIELDS` asks. Otherwise `Form` asks field by field, and says what is
    wrong. Almost all events of long plays are such, and to ask this in one expression takes a third of the time."""
    try:
        step, size, meta = event["step"], event["size"], event["meta"]
        for field, value in meta.items():
            if (check := _CHECKED.get(field)) is not None and not check(value):
                return False
        return (
            event["event"] == "moved"
            and type(step) is str
            and ((len(step) < 19 and step.isdecimal() and step.isascii()) or _STEP(step) is not None)
            and type(event["seat"]) is type(event["request"]) is type(event["under"]) is type(event["relation"]) is str
            and event["seat"] in seats
            and type(event["move"]) is dict
            and type(size) is int
            and 0 <= size < _MOST
            and ("raw" not in event or type(event["raw"]) is dict)
            and "reads" not in event
            and "remark" not in event
            and type(meta) is dict
        )
    except (KeyError, AttributeError):
        return False


class Form:
    """Checks the events of one transcript in their order, and gives those of version 1 the form of today. seats: of the play,
    once they are known."""

    __slots__ = ("name", "seats", "_old", "_choices")

    def __init__(self, name: str, seats: Mapping[str, str] | None = None) -> None:
        self.name, self.seats, self._old, self._choices = name, seats or {}, False, 0

    def check(self, event: dict[str, Any], number: int) -> dict[str, Any]:
        """The event that stands in line `number`. Raises TranscriptError with file, line, event and field."""
        name = event["event"]
        if number == 1:
            check_header(event, self.name)
            self._old = event["version"] == 1
        elif name == "started":
            raise TranscriptError(f"{self.name}: line {number}: a second play begins here; a file holds one")
        if (fields := _FIELDS.get(name)) is None:
            return event
        meta = event.get("meta")
        if type(meta) is not dict:
            self._wrong(event, number, "meta", meta, "an object")
        if self._old and (name == "started" or type(event.get("outcome")) is dict):
            translate(event)
        for field, needed, check in fields:
            if needed if (value := event.get(field)) is None else not check(value):
                self._wrong(event, number, field, value, _WORDS[check])
        if name in _TOLD and event["seat"] not in self.seats:
            self._wrong(event, number, "seat", event["seat"], f"one of {', '.join(self.seats)}")
        if name in PLAYED:
            self._play(name, event, number)
        elif name == "cancelled" and not _listed(event.get("steps")):
            self._wrong(event, number, "steps", event.get("steps"), _WORDS[_listed])
        return event

    def _play(self, name: str, event: dict[str, Any], number: int) -> None:
        if name in ("moved", "rejected"):
            if event["meta"]:
                self._all(event["meta"], event, number, _ANSWERED, "meta.")
            if event.get("under") is not None:
                self._all(event, event, number, _PLACED)
            if name == "rejected" and "move" not in event:
                self._wrong(event, number, "move", None, "there")
        elif name == "started":
            self._started(event, number)
        elif name == "entered":
            self._protocol(event, number)
            self._question(event, number)
        elif name in ("left", "failed", "ended"):
            outcome = self._outcome(event, number)
            if name == "failed" and event["meta"]:
                self._all(event["meta"], event, number, _ANSWERED, "meta.")
            if (
                name == "ended"
                and outcome.kind == "decided"
                and self._choices not in (0, len(outcome.verdict.probabilities))
            ):
                self._wrong(event, number, "outcome", event["outcome"], f"a verdict over the {self._choices} choices")

    def _started(self, event: dict[str, Any], number: int) -> None:
        self._protocol(event, number)
        self.seats = roles = event["roles"]
        for seat in roles:
            if _SEAT(seat) is None:
                self._wrong(event, number, "roles", seat, "names of seats: letters, digits, _ . - only, at most 64")
        for seat, limits in (event.get("bounds") or {}).items():
            if seat not in roles or not _limits(limits):
                self._wrong(event, number, f"bounds.{seat}", limits, f"{_WORDS[_limits]}, of a seat of the play")
        question, meta = self._question(event, number), event["meta"]
        self._choices = len(question.choices)
        self._all(meta, event, number, _HEADER, "meta.")
        sealed = meta.get("sealed") or {}
        if "file" not in sealed and "sha256" not in sealed:
            try:
                Sample(question, sealed.get("truth"))
            except UsageError:
                self._wrong(event, number, "meta.sealed", sealed, "the index of a choice, or a file beside this one")

    def _protocol(self, event: dict[str, Any], number: int) -> None:
        known = event["protocol"]
        if not _text(known.get("name")) or not _object(known.get("params")):
            self._wrong(event, number, "protocol", known, "a name and an object of params")

    def _question(self, event: dict[str, Any], number: int) -> Question:
        recorded = event["question"]
        try:
            if "size" not in recorded or not recorded.keys() <= Question.model_fields.keys() or "text" not in recorded:
                raise UsageError("a question has a text, a size and perhaps " + ", ".join(Question.model_fields))
            if recorded["size"] > _MOST:
                raise UsageError(f"its size is {recorded['size']:g}, over 2^63")
            return Question.recorded(recorded, event["meta"].get("images"))
        except (UsageError, TypeError, OverflowError) as error:
            self._wrong(event, number, "question", recorded, f"a question that can be asked ({error})")

    def _outcome(self, event: dict[str, Any], number: int) -> Outcome:
        outcome = outcome_of(
            event.get("outcome"), self.name, f"line {number} (event {event['event']}): " if number else ""
        )
        for value in (getattr(outcome, "used", 0), getattr(outcome, "limit", 0)):
            if not _number(value) and not _limits({"reads": value}):
                self._wrong(event, number, "outcome", event["outcome"], "of numbers that can be printed")
        return outcome

    def _all(
        self, of: Mapping[str, Any], event: Mapping[str, Any], number: int, fields: tuple[tuple[str, bool, Check], ...], inside: str = "",
    ) -> None:  # fmt: skip
        for field, needed, check in fields:
            if needed if (value := of.get(field)) is None else not check(value):
                self._wrong(event, number, inside + field, value, _WORDS[check])

    def _wrong(self, event: Mapping[str, Any], number: int, field: str, value: Any, right: str) -> NoReturn:
        step = f", step {event['step']!r:.40}" if event.get("step") else ""
        where = f"{self.name}: line {number} (event {event['event']}{step})" if number else self.name
        raise TranscriptError(f"{where}: {field} is {shortened(value)}; it must be {right}")


class Reader:
    """Reads lines in their order, from the first on, into events that are checked: the chain, then each event's form.
    Raises TranscriptError naming file, line and event. check: False where all of it was found good before."""

    __slots__ = ("name", "chain", "number", "_form", "_old", "_whole")

    def __init__(self, name: str, check: bool = True) -> None:
        self.name, self.chain, self.number = name, b"", 0
        self._form, self._old, self._whole = Form(name) if check else None, False, Whole().of

    def read(self, lines: Iterator[bytes], kept: bool = True) -> Iterator[Pair]:
        """Lines with their events, those of version 1 in the form of today. kept: also what imports keep of their source,
        which no fold reads. More lines may follow in another call."""
        name, form, number, chain = self.name, self._form, self.number, self.chain
        for line in lines:
            self.number = number = number + 1
            if form is not None:
                self.chain = chain = check_line(line, number, chain, name)
            if not kept and line.startswith(KEPT):
                continue
            event = parse(line, number, name)
            if event["event"] not in WHOLE:
                try:
                    event = self._whole(event)
                except ValueError as error:
                    raise TranscriptError(f"{name}: line {number} ({label(line)}): {error}") from None
            if form is not None:
                if number == 1 or not _usual(event, form.seats):
                    form.check(event, number)
            elif number == 1:
                self._old = event.get("version") == 1
            if self._old:
                translate(event)
            yield line, event
        if self.number == 0:
            raise TranscriptError(f"{name}: holds no whole event; there is nothing to read")


def noted(name: str, fields: Mapping[str, Any], seats: Mapping[str, str]) -> None:
    """Raise UsageError on what an agent may not note: an event of this name and these fields that could not be read back."""
    if name not in _FIELDS:
        return
    try:
        Form("what an agent notes", seats).check({"event": name, "meta": {}, **fields}, 0)
    except TranscriptError as error:
        raise UsageError(str(error)) from None


def outcome_of(recorded: Any, name: str, where: str = "") -> Outcome:
    """A recorded outcome. Raises TranscriptError when it is of no kind that this moot knows."""
    try:
        return outcome_adapter.validate_python(recorded)
    except (ValidationError, TypeError) as error:  # a TypeError where a decided one has no verdict at all
        problem = first_problem(error, "outcome") if isinstance(error, ValidationError) else "verdict: missing"
        raise TranscriptError(
            f"{name}: {where}holds an outcome that this moot cannot read: {shortened(recorded)} ({problem})"
        ) from None


def shortened(value: Any) -> str:
    """A value in a message: its first 200 characters, as far as it can be printed at all."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints
        text = f"a {type(value).__name__} too large to be shown"
    return text if len(text) <= 200 else text[:200] + "…"


def _list_of(value: Any, kind: type) -> bool:
    return type(value) is list and all(type(each) is kind for each in value)
