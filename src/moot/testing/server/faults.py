"""What can go wrong at a model endpoint, as values, and the script that says at which call it does.

Rule: values alone; `server` and `wire` carry them out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, ClassVar, Literal, cast, get_args

from moot.protocols.engine.errors import UsageError

Body = dict[str, Any]
RetryAfter = float | timedelta | datetime
Garbage = Literal["json", "type", "html", "bytes"]
FaultKind = Literal[
    "status",
    "hang",
    "slow",
    "cut_off",
    "garbage",
    "empty",
    "huge",
    "malformed",
    "length",
    "no_usage",
    "no_choices",
    "inside",
    "choice",
    "stall",
    "trickle",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. Build it with the constructors below; `str(fault)` names it. content: the JSON of a
    refusal that is not in OpenAI's form."""

    kind: FaultKind
    status: int = 200
    message: str = ""
    type: str = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: RetryAfter | None = None
    seconds: float = 0.0
    size: int = 0
    form: Garbage = "json"
    content: Any = None

    @classmethod
    def rate_limit(cls, retry_after: RetryAfter | None = None) -> Fault:
        """429. `retry_after`: seconds (sent as a number), a `datetime` (as an HTTP date), a `timedelta` (as the HTTP
        date that far from the answer; HTTP dates have whole seconds), or None for no header."""
        message = "Rate limit reached for requests"
        return cls("status", 429, message, "requests", "rate_limit_exceeded", retry_after=retry_after)

    server_error: ClassVar[partial[Fault]]
    """500."""
    unauthorized: ClassVar[partial[Fault]]
    """401."""
    no_schema: ClassVar[partial[Fault]]
    """400: this endpoint does not take `response_format`."""
    hang: ClassVar[partial[Fault]]
    """No answer at all, until the client gives up or the server stops."""
    stall: ClassVar[partial[Fault]]
    """Half of the events of a stream, and then silence; without a stream, no answer at all."""
    cut_off: ClassVar[partial[Fault]]
    """The head of the answer and half of its body; then the connection is closed."""
    empty: ClassVar[partial[Fault]]
    """A well-formed answer whose content is the empty string."""
    malformed: ClassVar[partial[Fault]]
    """A well-formed answer whose content is a move cut in two: no valid JSON."""
    length: ClassVar[partial[Fault]]
    """The first half of the content, with finish_reason "length"."""
    no_usage: ClassVar[partial[Fault]]
    """The right answer without `usage`: what it cost is unknown."""
    no_choices: ClassVar[partial[Fault]]
    """A well-formed answer with an empty list of choices."""

    @classmethod
    def unavailable(cls, retry_after: RetryAfter | None = None) -> Fault:
        """503, with `retry_after` as in `rate_limit`."""
        return cls("status", 503, "The engine is currently overloaded", retry_after=retry_after)

    @classmethod
    def unknown_model(cls, model: str = "") -> Fault:
        """404, as an endpoint answers to a model that it does not have."""
        named = f"The model `{model}` does not exist" if model else "The model does not exist"
        return cls("status", 404, named, "invalid_request_error", "model_not_found")

    @classmethod
    def http(cls, status: int, message: str = "scripted fault", retry_after: RetryAfter | None = None) -> Fault:
        """Any other HTTP error status, 400 to 599. Raises UsageError outside that range."""
        if not 400 <= status <= 599:
            raise UsageError(f"{status} is not an HTTP error status; give one from 400 to 599")
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return cls("status", status, message, kind, retry_after=retry_after)

    @classmethod
    def inside(cls, status: int, message: str = "scripted fault") -> Fault:
        """200, with an error of that code in place of the choices, as routers answer for a provider that failed; in a
        stream, as an event after half of the others."""
        return cls("inside", status, message, code=str(status))

    @classmethod
    def choice(cls, status: int, message: str = "scripted fault") -> Fault:
        """200, with half of the answer in a choice that ended in an error of that code."""
        return cls("choice", status, message, code=str(status))

    @classmethod
    def trickle(cls, seconds: float) -> Fault:
        """The right answer, each event of a stream `seconds` after the one before; without a stream, all of it so late."""
        return cls("trickle", seconds=seconds)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """The right answer, `seconds` late."""
        return cls("slow", seconds=seconds)

    @classmethod
    def garbage(cls, form: Garbage = "json") -> Fault:
        """A 200 that is no answer. form: "json" (broken JSON), "type" (the right JSON declared as text/plain; openai 3 reads
        it all the same), "html" (a proxy's error page), "bytes" (not even UTF-8, declared as JSON)."""
        return cls("garbage", form=form)

    @classmethod
    def huge(cls, size: int = 10_000_000) -> Fault:
        """A well-formed answer with `size` characters of content."""
        return cls("huge", size=size)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """A fault from its name: "429", "429:2.5" (seconds to retry after), "503", "hang", "slow:3", "cut_off",
        "garbage:html", "huge:1000000", … Raises UsageError on an unknown name or value."""
        name, _, value = text.partition(":")
        with suppress(ValueError):
            if name.isdigit():
                status, after = int(name), float(value) if value else None
                if status == 429:
                    return cls.rate_limit(after)
                named: dict[int, Callable[[], Fault]] = {
                    401: cls.unauthorized,
                    404: cls.unknown_model,
                    500: cls.server_error,
                }
                return named[status]() if status in named and after is None else cls.http(status, retry_after=after)
            if name in ("slow", "trickle"):
                return cls.slow(float(value)) if name == "slow" else cls.trickle(float(value))
            if name in ("inside", "choice"):
                return cls.inside(int(value)) if name == "inside" else cls.choice(int(value))
            if name == "huge" and value:
                return cls.huge(int(value))
            if name == "garbage" and value in get_args(Garbage):
                return cls.garbage(cast("Garbage", value))
            if name in ("garbage", "huge", "no_schema", *_PLAIN) and not value:
                made: Fault = getattr(cls, name)()
                return made
        raise UsageError(
            f"{text!r} is no fault; give a status (429, 429:2.5, 500), hang, stall, slow:SECONDS, trickle:SECONDS, cut_off, garbage[:json|type|"
            "html|bytes], empty, huge[:CHARACTERS], malformed, length, no_usage, no_choices, inside:STATUS, "
            "choice:STATUS or no_schema"
        )

    def headers(self) -> dict[str, str]:
        """The headers of this fault's answer: Retry-After, if it has one."""
        after = self.retry_after
        if isinstance(after, timedelta):
            after = datetime.now(UTC) + after
        if isinstance(after, datetime):
            return {"retry-after": format_datetime(after.astimezone(UTC), usegmt=True)}
        return {} if after is None else {"retry-after": f"{after:g}"}

    def __str__(self) -> str:
        return str(self.status) if self.kind == "status" else self.kind


_PLAIN: tuple[FaultKind, ...] = ("hang", "cut_off", "empty", "malformed", "length", "no_usage", "no_choices", "stall")
for _kind in _PLAIN:
    setattr(Fault, _kind, partial(Fault, _kind))
Fault.server_error = partial(Fault, "status", 500, "The server had an error while processing your request")
_WRONG = "invalid_request_error"
Fault.unauthorized = partial(Fault, "status", 401, "Incorrect API key provided", _WRONG, "invalid_api_key")
_UNKNOWN = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model"
Fault.no_schema = partial(Fault, "status", 400, _UNKNOWN, _WRONG, param="response_format")


@dataclass(frozen=True, slots=True)
class Rule:
    """When a fault happens: `applies(call number from 0, request body)`. Build it with `at`, `when` or `rate`."""

    applies: Callable[[int, Body], bool]
    fault: Fault


def at(call: int | Iterable[int], fault: Fault) -> Rule:
    """`fault` at that call, or those calls; the first is 0."""
    numbers = frozenset([call] if isinstance(call, int) else call)
    return Rule(lambda number, body: number in numbers, fault)


def when(predicate: Callable[[Body], bool], fault: Fault) -> Rule:
    """`fault` whenever `predicate(request body)` holds."""
    return Rule(lambda number, body: predicate(body), fault)


def rate(probability: float, fault: Fault, seed: int = 0) -> Rule:
    """`fault` at each call with `probability`, drawn from `seed`, the fault and the call's number alone.

    Raises UsageError unless the probability is in [0, 1].
    """
    if not 0 <= probability <= 1:
        raise UsageError(f"a rate of faults is a probability in [0, 1], not {probability}")
    return Rule(lambda number, body: random.Random(f"{seed}/{fault}/{number}").random() < probability, fault)


Script = Mapping[int, Fault] | Iterable[Fault | Rule | None]


class Faults:
    """A script, read: the first rule that applies to a call decides.

    A mapping goes by call number. In a sequence, `Fault` and None stand for the first, second, … call (None: all is
    well); rules may stand anywhere between them. Raises UsageError on anything else.
    """

    def __init__(self, script: Script = ()) -> None:
        self.rules: list[Rule] = []
        if isinstance(script, Mapping):
            script = [at(cast("int", number), fault) for number, fault in script.items()]
        turn = 0
        for item in script:
            if isinstance(item, Rule):
                self.rules.append(item)
                continue
            if isinstance(item, Fault):
                self.rules.append(at(turn, item))
            elif item is not None:
                raise UsageError(f"a script holds Fault, None, at(…), when(…) or rate(…); this is {item!r}")
            turn += 1

    def at(self, number: int, body: Body) -> Fault | None:
        """The fault of this call, or None."""
        return next((rule.fault for rule in self.rules if rule.applies(number, body)), None)
