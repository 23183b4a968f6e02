"""What every kind of agent has in common: its name, how its text and its options are read, and how one is made.

Rule of this file: it knows no kind. Each stands beside the agent that it makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError, ValidationInfo

from moot.agents.base import describe
from moot.agents.money.models import models_in, recorded
from moot.agents.money.prices import Prices
from moot.protocols.engine.errors import UsageError, nearest
from moot.protocols.engine.registry import register

What = Literal["make", "profile"]


def _held(spec: object, info: ValidationInfo) -> Any:
    if not isinstance(spec, str):
        raise ValueError("it must be the specification of an agent, as text")
    if info.context is None:
        raise ValueError("nobody is here who knows agents by name")
    return info.context["agent"](spec)


class Asked(NamedTuple):
    """A model that an agent asks: its name, its base URL, and its prices, None where they are unknown."""

    model: str
    url: str
    prices: Prices | None


@dataclass(frozen=True)
class Profile:
    """What an estimate needs to know of an agent. answer: the most tokens of the answer to one call, None when nothing bounds it.
    calls: the most calls to its endpoint for one move, failing ones not counted. program: it calls none. bound: its budget.
    image_tokens: the most tokens of an image that it is shown, None when nothing says it. models: those that it asks. usual: its
    calls for one move where nothing has to be asked again; answers: how many come of those, where not one of each; asides: how
    many verdicts besides. said: the most tokens of a move that others read, where that is not one answer. shown: bytes that each
    prompt has besides (examples); reasons: the most tokens of its own that a further call is shown. most: tokens of all that is
    written in its calls, where that is less than `answer` for each. retold: tokens of what they are shown again of it. further: the
    most further calls of a turn in which it looks or calls tools, and shows: bytes that each of them is told; tools: whether it
    has tools, which it may call in every turn, and not only where there is something to look at."""

    answer: int | None = None
    calls: int = 1
    program: bool = False
    bound: Any = None
    image_tokens: int | None = None
    models: tuple[Asked, ...] = ()
    usual: int = 1
    answers: int | None = None
    asides: int = 0
    said: int | None = None
    shown: int = 0
    reasons: int = 0
    most: int | None = None
    retold: int = 0
    further: int = 0
    shows: int = 0
    tools: bool = False

    @property
    def written(self) -> int | None:
        """The most tokens that are written in all calls for one move; None when nothing bounds them."""
        return self.calls * self.answer if self.most is None and self.answer is not None else self.most

    @property
    def prices(self) -> Prices | None:
        """Of its models' tokens the dearest of each kind; None where the price of any is unknown."""
        known = [each.prices for each in self.models if each.prices is not None]
        return Prices.dearest(known) if known and len(known) == len(self.models) else None

    @classmethod
    def asking(cls, *held: tuple[Profile, int], joined: bool = False) -> Profile:
        """That of an agent which asks others, each so often for one move. joined: whether its move says what all of them said."""
        asked = [(each, times) for each, times in held if not each.program]
        if not asked:
            return cls(0, program=True)
        models = tuple(dict.fromkeys(place for each, _ in asked for place in each.models))
        images = [each.image_tokens for each, _ in asked if each.image_tokens is not None]
        known = [each.answer for each, _ in asked if each.answer is not None]
        answer = max(known) if len(known) == len(asked) else None
        parts = [(each.answer or 0 if each.said is None else each.said) * times for each, times in asked]
        drawn = [(each.usual if each.answers is None else each.answers) * times for each, times in asked]
        written = [each.written for each, _ in asked]
        most = None if None in written else sum((each.written or 0) * times for each, times in asked)
        return cls(
            answer, sum(each.calls * times for each, times in asked), models=models,
            image_tokens=max(images) if len(images) == len(asked) else None,
            usual=sum(each.usual * times for each, times in asked),
            answers=sum(drawn), asides=sum(each.asides * times for each, times in asked),
            said=sum(parts) if joined and answer is not None else None,
            shown=max(each.shown for each, _ in asked), reasons=max(each.reasons for each, _ in asked),
            most=most, retold=sum(each.retold * times for each, times in asked),
            further=sum(each.further * times for each, times in asked),
            shows=max(each.shows for each, _ in asked), tools=any(each.tools for each, _ in asked),
        )  # fmt: skip


Held = Annotated[Any, PlainValidator(_held)]
"""An option that names another agent: its specification when it is given, the agent when `make` is called, and its profile
when `profile` is."""


_NUMBERS: dict[Any, Callable[[str], int | float]] = {int: int, int | None: int, float: float, float | None: float}


class AgentKind(BaseModel):
    """A kind of agent: `NAME:TEXT` in a specification, `kind = "NAME"` in a table [agents.…] of a TOML file.

        class Echo(AgentKind):
            name = "echo"
            text: str                       # echo:hello, or text = "hello" in a table

            def make(self) -> Any:
                return lambda request: Speech(text=self.text)

    Fields are the options of a table; an option that is not there, or of another type, is refused. The text after the
    colon is the first of them, a text or a number, unless `read` says otherwise. form: how a specification is written, for messages.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    registry: ClassVar[str] = "agent"
    name: ClassVar[str]
    form: ClassVar[str | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("name"), str):
            register(cls.registry, cls.name, cls)

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        """The options that the text after the colon stands for; "" where there is none."""
        if not text:
            return {}
        if not cls.options():
            raise UsageError(f"{cls.name} takes nothing after it, not {text!r}")
        value: Any = text
        with suppress(ValueError):  # what is no number is refused with the options, by name
            value = _NUMBERS.get(next(iter(cls.model_fields.values())).annotation, str)(text)
        return {cls.options()[0]: value}

    @classmethod
    def options(cls) -> list[str]:
        """The names of the options, as tables have them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def made(cls, options: Mapping[str, Any], agent: Callable[[str], Any], where: str, what: What = "make") -> Any:
        """The agent (or the profile) of these options. agent: finds another one by its specification. where: for messages."""
        try:
            return getattr(cls.model_validate(dict(options), context={"agent": agent}), what)()
        except (ValidationError, UsageError) as error:
            problem = cls._problem(error) if isinstance(error, ValidationError) else error
            raise UsageError(f"{where}: {problem}") from None

    @classmethod
    def _problem(cls, error: ValidationError) -> str:
        first = error.errors(include_url=False)[0]
        key, *inner = map(str, first["loc"])
        if first["type"] == "extra_forbidden":
            return f"kind {cls.name!r} has no option {key!r}{nearest(key, cls.options())}"
        if first["type"] == "missing":
            return f"kind {cls.name!r} needs {key}" + (f", as in {cls.form}" if cls.form else "")
        return f"{'.'.join([key, *inner])} is {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"

    def make(self) -> Any:
        """The agent. Raises UsageError on options that do not go together."""
        raise UsageError(f"{type(self).__name__} makes nothing: define make()")

    def given(self, *less: str) -> dict[str, Any]:
        """The options that were given, less some."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set - {*less})}

    def profile(self) -> Profile:
        """What its answers can take, found without calling anyone, or needing a key."""
        values = (each for value in dict(self).values() for each in (value if isinstance(value, list) else [value]))
        if held := [(each, 1) for each in values if isinstance(each, Profile)]:
            return Profile.asking(*held)
        agent = self.make()
        about = describe(agent)
        free, most = about.get("agent") in ("program", "human", "browser"), about.get("max_tokens")
        answer = 0 if free else most if isinstance(most, int) else None
        models = tuple(Asked(str(each["model"]), str(each["endpoint"]), recorded(each)) for each in models_in(about))
        return Profile(answer, program=free, bound=getattr(agent, "bound", None), models=models)


class JudgeKind(AgentKind):
    """A kind of judge. It is named, configured and seated as agents are."""

    registry: ClassVar[str] = "judge"
