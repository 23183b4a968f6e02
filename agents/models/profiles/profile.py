"""A profile: what one endpoint takes for one model, as a user writes it and as the calls need it.
Rule: values, and what is done otherwise because of them; nothing is learnt, kept or sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from moot.protocols.engine.errors import UsageError, nearest

FORMAT, SYSTEM, TOP, LOGPROBS = "response_format", "system", "top_logprobs", "logprobs"
SCHEMA, OBJECT = f"{FORMAT} json_schema", f"{FORMAT} json_object"
NAME, MOST, CONTEXT, DROP, STRICT = "max_tokens", "most", "context", "drop", "strict"
SPOKEN, STREAM, STREAM_USAGE = "api", "stream", "stream_options"
TOOLS, TOOLS_FORMED, PARALLEL, GIVEN = "tools", "tools with response_format", "parallel_tool_calls", "given"
DROPPED = ("seed", "temperature")  # what a request is as good without
KEPT = frozenset({*DROPPED, SYSTEM, TOP, LOGPROBS, FORMAT, SCHEMA, OBJECT, NAME, MOST, CONTEXT, DROP, STRICT, SPOKEN, STREAM,
                  STREAM_USAGE, TOOLS, TOOLS_FORMED, PARALLEL, GIVEN})  # fmt: skip
"""The options about which something is kept between runs."""
COUNTS = frozenset({TOP, MOST, CONTEXT})  # what is done otherwise is a number, the most that there may be
MaxField = Literal["max_tokens", "max_completion_tokens"]
Form = Literal["json_schema", "json_object"]
Scores = Literal["grammar", "prompt_logprobs"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is done otherwise. option: what was refused; to: what takes its place, where something does; because:
    what it was learnt from; on: the day, as 2026-11-29."""

    option: str
    to: Any = None
    because: str = field(default="", compare=False)
    on: str = field(default="", compare=False)

    @property
    def about_format(self) -> bool:
        """Whether the answer's form has to be another one, and so the prompt, which says it in words."""
        return self.option.startswith(FORMAT) or self.about_tools

    @property
    def about_tools(self) -> bool:
        """Whether tools have to be asked for as text."""
        return self.option in (TOOLS, TOOLS_FORMED)


@dataclass(frozen=True, slots=True)
class EndpointProfile:
    """What an endpoint takes for a model; None where it is not said, and is found out.

    temperature, seed, system (a message of that role), logprobs, strict (the flag of a schema), tools: whether it takes them.
    batches: false where calls inside a `moot.Batch` go directly all the same.
    top_logprobs: the most alternatives of a token. max_field: what it calls the most tokens of an answer; max_tokens: the
    most that it lets an answer have; context: tokens of prompt and answer together. formats: the types of `response_format`
    that it takes; () for none. drop: keywords of JSON schemas that it does not take. scores: how it scores given tokens, by a
    token "grammar" as llama.cpp does or by "prompt_logprobs" as vLLM does, where a proxy hides which of them it is.

    What is said here is not tried out, and not learnt otherwise: an endpoint that refuses what a profile says it takes is
    an error. Raises UsageError for what cannot be.
    """

    temperature: bool | None = None
    seed: bool | None = None
    system: bool | None = None
    logprobs: bool | None = None
    strict: bool | None = None
    tools: bool | None = None
    batches: bool | None = None
    top_logprobs: int | None = None
    max_tokens: int | None = None
    context: int | None = None
    max_field: MaxField | None = None
    formats: tuple[Form, ...] | None = None
    drop: tuple[str, ...] | None = None
    scores: Scores | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "seed", "system", "logprobs", "strict", "tools", "batches"):
            if (value := getattr(self, name)) is not None and not isinstance(value, bool):
                raise UsageError(f"profile: {name} is {value!r}; say true where the endpoint takes it, false where not")
        for name in ("top_logprobs", "max_tokens", "context"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UsageError(f"profile: {name} is {value!r}; it must be an integer of at least 1")
        if self.max_field not in (None, *get_args(MaxField)):
            raise UsageError(f"profile: max_field is {self.max_field!r}; it is {' or '.join(get_args(MaxField))}")
        if self.scores not in (None, *get_args(Scores)):
            raise UsageError(f"profile: scores is {self.scores!r}; it is {' or '.join(get_args(Scores))}")
        for name, among in (("formats", get_args(Form)), ("drop", None)):
            value = getattr(self, name)
            listed = isinstance(value, (list, tuple)) and all(isinstance(each, str) and each for each in value)
            if value is not None and not (listed and (among is None or not {*value} - {*among})):
                of = "texts" if among is None else f"{' and '.join(among)}, or empty"
                raise UsageError(f"profile: {name} is {value!r}; it is a list of {of}")
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        if self.logprobs is False and self.top_logprobs is not None:
            raise UsageError("profile: it says that there are no logprobs, and how many top_logprobs; leave one out")

    @classmethod
    def of(cls, given: Mapping[str, Any] | EndpointProfile | None) -> EndpointProfile:
        """From a table of its fields. Raises UsageError for another field, or what cannot be."""
        if given is None or isinstance(given, EndpointProfile):
            return given or cls()
        if not isinstance(given, Mapping):
            raise UsageError(f"profile is {given!r}; it is a table, as in {{temperature = false, max_tokens = 8192}}")
        names = [each.name for each in fields(cls)]
        for name in given:
            if name not in names:
                raise UsageError(f"profile has no field {name!r}{nearest(str(name), names)}")
        return cls(**given)

    def table(self) -> dict[str, Any]:
        """What is said, as a table."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()
                if value is not None}  # fmt: skip

    def changes(self) -> dict[str, Change]:
        """What is done otherwise, by option."""
        refused = [option for option in (*DROPPED, SYSTEM, LOGPROBS, STRICT) if getattr(self, option) is False]
        if self.formats is not None:
            refused += [f"{FORMAT} {each}" for each in get_args(Form) if each not in self.formats]
        put = {TOP: self.top_logprobs, NAME: self.max_field, MOST: self.max_tokens, CONTEXT: self.context,
               DROP: self.drop or None, TOOLS: self.tools}  # fmt: skip
        made = [Change(option, because="the profile") for option in refused]
        made += [Change(option, to, "the profile") for option, to in put.items() if to is not None]
        return {change.option: change for change in made}

    def says(self, change: Change) -> str:
        """Which field says something else than a change that an endpoint asks for; "" where none does."""
        option = change.option
        if option in (*DROPPED, SYSTEM, LOGPROBS, STRICT):
            return option if getattr(self, option) is not None else ""
        if change.about_format and not change.about_tools:
            return "formats" if self.formats is not None else ""
        name = {NAME: "max_field", MOST: "max_tokens"}.get(option, option)
        return name if getattr(self, name, None) is not None else ""


def learnt_profile(changes: Mapping[str, Change]) -> EndpointProfile:
    """The profile that says what was learnt: for people, and for a configuration."""
    to = {option: change.to for option, change in changes.items()}
    off: dict[str, Any] = {option: False for option in (*DROPPED, SYSTEM, LOGPROBS, STRICT) if option in to}
    refused = {FORMAT, SCHEMA, OBJECT} & {*to}
    formats = [each for each in get_args(Form) if not refused & {FORMAT, f"{FORMAT} {each}"}] if refused else None
    top, tools = None if LOGPROBS in to else to.get(TOP), False if TOOLS_FORMED in to else to.get(TOOLS)
    return EndpointProfile(
        **off, top_logprobs=top, max_tokens=to.get(MOST), context=to.get(CONTEXT), max_field=to.get(NAME), tools=tools,
        formats=None if formats is None else tuple(formats), drop=to.get(DROP),
    )  # fmt: skip
