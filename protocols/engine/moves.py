"""Moves: what a seat may say when it is asked. Frozen, typed, told apart by `kind`.

Rule of this file: a move describes itself, to models, to people and to what counts, so that nobody else matches on its kind.
It knows no protocol, no prompt template and no terminal.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator

from moot.protocols.engine.budget import beyond, short
from moot.protocols.engine.errors import ProtocolError, near
from moot.protocols.engine.registry import origin
from moot.protocols.engine.values.frozen import changeable
from moot.protocols.engine.values.quoting import Part as Part
from moot.protocols.engine.values.quoting import Quote as Quote
from moot.protocols.engine.values.quoting import Quotes as Quotes
from moot.protocols.engine.values.quoting import with_marks

UNKNOWN = "?"
"""The answer "I do not know", where answers are texts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a field is asked for, as metadata of its type: `answer: Annotated[str, Asked("your answer")]`.

    told: what a model is told to write there, and person: the question to a person (where empty: by the field's type and
    name). choices: the field is about the choices of the seat's question: "number" is the index of one of them, written
    counting from 1; "shares" a probability for each; "text" one of their texts, or one of `besides`. among: the key of the
    brief that lists the texts there may be. none: what leaving it out means ("all"). seen: finds the texts there may be
    in each text that the seat was shown. empty: a required text may be blank. when: whether a turn with this brief asks
    for it at all.
    """

    told: str = ""
    person: str = ""
    choices: Literal["", "number", "shares", "text"] = ""
    besides: tuple[str, ...] = ()
    among: str = ""
    none: str = ""
    seen: Callable[[str], Iterable[str]] | None = None
    empty: bool = False
    when: Callable[[Mapping[str, Any]], bool] = lambda brief: True


class Move(BaseModel):
    """The base of every kind of move. A kind of your own is a subclass with a `kind: Literal["name"] = "name"`; one that
    only other kinds derive from says so: `class Named(Move, abstract=True)`. What it is, it declares there in the same way
    (`class Go(Move, argues=True)`), or as class variables.

    argues: whether such moves stand in the argument tree, under the question, where their ask has no `under`. filled: fields
    that the protocol fills in on the record; no model is asked for them, and a person only where `Asked` says how.
    private_fields: those (with defaults) that no seat and no reader is shown; the transcript keeps them. bare_field: the field
    that may be given alone, without a form around it. asked_first: fields that are asked for before the others. read_as: what
    a reader reads, with fields in it: "{of} = {answer}". worded: what it says in words, likewise: "to {vertex}". marked:
    attribute of its element in a prompt to the field that it shows, where that is not empty. pointing: fields in which there
    may be pointers to messages. quoting: fields of words in which quotes of the passage may stand; such a class has a field
    `quotes: Quotes = ()`, which the protocol fills in (`moot.protocols.quotes.quoted`). fixed_reading, fixed_cells: what
    reading costs where that is the same for each such move.
    All else that a move says of itself has a default that fits most.

    Raises ProtocolError, where the class is defined, when its kind is not its own or is of another form, a field has the
    name of a method, or a private field has no default. A move that an agent made without validation is validated, with
    what is in it, when it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    argues: ClassVar[bool] = False
    filled: ClassVar[tuple[str, ...]] = ()
    private_fields: ClassVar[tuple[str, ...]] = ()
    bare_field: ClassVar[str] = ""
    asked_first: ClassVar[tuple[str, ...]] = ()
    read_as: ClassVar[str] = ""
    worded: ClassVar[str] = ""
    marked: ClassVar[Mapping[str, str]] = {}
    pointing: ClassVar[tuple[str, ...]] = ()
    quoting: ClassVar[tuple[str, ...]] = ()
    fixed_reading: ClassVar[int | None] = None
    fixed_cells: ClassVar[int | None] = None
    frozen_fields: ClassVar[tuple[str, ...]] = ()
    kind: str

    def __init_subclass__(cls, abstract: bool = False, **declared: Any) -> None:
        super().__init_subclass__()
        for name, value in declared.items():
            if name not in _DECLARED:
                raise ProtocolError(f"{_place(cls)}: a move declares no {name!r}{near(name, _DECLARED)}")
            setattr(cls, name, value)

    @classmethod
    def __pydantic_init_subclass__(cls, abstract: bool = False, **declared: Any) -> None:
        super().__pydantic_init_subclass__()
        for name in cls.model_fields:
            if name in vars(Move):
                raise ProtocolError(f"{_place(cls)}: a field may not be called {name!r}, which every move has")
        for name in cls.private_fields:
            if name not in cls.model_fields or cls.model_fields[name].is_required():
                raise ProtocolError(f"{_place(cls)}: the private field {name!r} must be a field with a default")
        if cls.quoting and not {"quotes", *cls.quoting} <= cls.model_fields.keys():
            fields = ", ".join(("quotes", *cls.quoting))
            raise ProtocolError(
                f"{_place(cls)}: words that may hold quotes need the fields {fields} (quotes: Quotes = ())"
            )
        try:
            cls.frozen_fields = tuple(name for name, each in cls.model_fields.items() if changeable(each.annotation))
        except TypeError as error:
            raise ProtocolError(f"{_place(cls)}: a move cannot be changed, and one of its fields {error}") from None
        if not abstract:
            _register(cls)

    # -- what readers pay for ------------------------------------------------------------------------------------------

    def content(self) -> str:
        """What a reader of this move reads, as text: `read_as`, or unless overridden its public fields as JSON."""
        if self.read_as:
            return self.read_as.format_map(self.__dict__)
        return self.model_dump_json(exclude={"kind", *self.private_fields})

    def reading(self) -> int:
        """What reading this move costs a bounded judge, in the question's unit (characters, unless overridden)."""
        return len(self.content()) if self.fixed_reading is None else self.fixed_reading

    def cells(self) -> int:
        """The same where the question's unit is a cell: a number, a symbol, a short answer."""
        return self.reading() if self.fixed_cells is None else self.fixed_cells

    def excess(self) -> int:
        """What it costs at least: one for each further 64 characters of its content."""
        return 0 if short(self.__dict__.values()) else beyond(self.content())

    def cost(self, unit: str) -> int:
        """What reading it costs in a given unit."""
        size, least = self.cells() if unit == "cells" else self.reading(), self.excess()
        return least if 0 <= size < least else size

    # -- how it is shown -----------------------------------------------------------------------------------------------

    def as_public(self) -> Self:
        """The move as others may see it: without what is private."""
        if not (private := self.private_fields):
            return self
        fields = type(self).model_fields
        return self.model_copy(update={name: fields[name].get_default(call_default_factory=True) for name in private})

    def in_words(self) -> str:
        """What it says, for people: in transcripts, trees, exports, at the terminal. Unless overridden, `worded`, or its
        `content` where it has one of its own, or else its fields one by one."""
        if self.worded:
            return self.worded.format_map({name: _value(value) for name, value in self.as_public()})
        own = self.read_as or type(self).content is not Move.content
        return self.content() if own else fields_in_words(dict(self.as_public()))

    def in_short(self, choices: Sequence[str]) -> str:
        """What stands beside its kind in a heading: whom it is to, what it takes. choices: of the speaker's question."""
        return ""

    def stated_probabilities(self) -> tuple[float, ...]:
        """The probabilities that it gives to the choices of its speaker's question; () when it gives none."""
        return ()

    def prompt_attributes(self) -> dict[str, str]:
        """The attributes of its element in a prompt, beside who said it and where."""
        return {"kind": self.kind} | {
            name: text for name, field in self.marked.items() if (text := getattr(self, field))
        }

    def prompt_body(self) -> str | Sequence[str | Part]:
        """What its element in a prompt holds: texts, and parts that are elements of their own."""
        return with_marks(self.quotable(), getattr(self, "quotes", ())) if self.quoting else self.content()

    def quotable(self) -> str:
        """The words in which quotes are looked for, as readers are shown them: the field of `quoting` where that is one text,
        and else its whole `content`, so that nothing is a quote to a reader that was none when quotes were looked for."""
        only = getattr(self, self.quoting[0]) if len(self.quoting) == 1 else None
        return only if isinstance(only, str) else self.content()

    def without_marks(self) -> Self:
        """The move with nothing said of its quotes: where there is no passage, none was found, and none was missed."""
        quotes: tuple[Quote, ...] = getattr(self, "quotes", ())
        if all(quote.verified is None for quote in quotes):
            return self
        return self.model_copy(update={"quotes": tuple(Quote(text=quote.text) for quote in quotes)})

    @classmethod
    def taken_from(cls, data: Mapping[str, Any]) -> Self | None:
        """The valid move that comes nearest to data which are none, and which another system took for one; None if none does."""
        return None

    # -- what it asks, answers and cites -------------------------------------------------------------------------------

    def questions_asked(self) -> tuple[str | None, Sequence[str]]:
        """A question (None: that of the play) and the questions that its answer waits for, by this move; (None, ()) if none."""
        return None, ()

    def question_answered(self) -> tuple[str, str] | None:
        """The question that this move answers, and its answer."""
        return None

    def steps_cited(self) -> Sequence[str]:
        """The steps of earlier moves that it rests on, by its own word."""
        return ()

    @classmethod
    def fields_asked(cls, brief: Mapping[str, Any], person: bool = False) -> dict[str, Asked]:
        """The fields that a seat is asked for in a turn with this brief, in order, each with how it is asked for."""
        known, fields = vars(cls).get("__asked__", (None,)), cls.model_fields
        if known[0] is not fields:  # they are others once a class's forward references are found
            type.__setattr__(cls, "__asked__", known := (fields, [*_hints(cls)]))
        return {name: hint for name, hint, told in known[1] if (told or person) and hint.when(brief)}


_DECLARED = ("argues", "filled", "private_fields", "bare_field", "asked_first", "read_as", "worded", "marked", "pointing",
             "quoting", "fixed_reading", "fixed_cells")  # fmt: skip


def _hints(cls: type[Move]) -> Iterator[tuple[str, Asked, bool]]:
    """The fields of a class that a seat may be asked for, how, and whether a model is."""
    for name in dict.fromkeys((*cls.asked_first, *cls.model_fields)):
        hint = next((each for each in cls.model_fields[name].metadata if isinstance(each, Asked)), None)
        if name != "kind" and not (name == "quotes" and cls.quoting) and (hint or name not in cls.filled):
            yield name, hint or Asked(), name not in cls.filled


_known: dict[str, tuple[weakref.ref[type[Move]], tuple[str, str]]] = {}
"""Kind to its class, and where that is defined: file and qualified name."""


def move_class(kind: object) -> type[Move] | None:
    """The class of moves of that kind, among those imported; None when there is none."""
    found = _known.get(kind) if isinstance(kind, str) else None
    return None if found is None else found[0]()


def fields_in_words(fields: Mapping[str, Any]) -> str:
    """Fields one by one; a `text` comes first and needs no name."""
    text = fields.get("text")
    hidden = ("kind", "text") if isinstance(text, str) else ("kind",)
    shown = {key: _value(value) for key, value in fields.items() if key not in hidden}
    rest = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items() if value)
    return f"{text}\n({rest})" if rest and isinstance(text, str) and text.strip() else rest or str(text or "")


def _value(value: Any) -> str:
    match value:
        case None | bool():
            return {None: "", True: "yes", False: "no"}[value]
        case float():
            return f"{value:.6g}"
        case list() | tuple():
            return ", ".join(map(_value, value))
        case BaseModel():
            return str(value) if type(value).__str__ is not BaseModel.__str__ else fields_in_words(dict(value))
        case Mapping():
            return fields_in_words(value)
    return str(value)


def _register(cls: type[Move]) -> None:
    hint, kind = cls.model_fields["kind"].annotation, cls.model_fields["kind"].default
    if not isinstance(kind, str) or get_origin(hint) is not Literal or get_args(hint) != (kind,):
        raise ProtocolError(f'{_place(cls)}: a move needs a kind of this form: kind: Literal["bid"] = "bid"')
    if move_class(kind) is not None and (other := _known[kind][1]) != origin(cls):
        both = f"{other[1]} ({other[0]}) and {_place(cls)}"
        raise ProtocolError(f"two classes of moves have the kind {kind!r}: {both}; rename one")
    _known[kind] = weakref.ref(cls), origin(cls)


def _place(cls: type[Move]) -> str:
    return "{1} ({0})".format(*origin(cls))


# -- the moves that every protocol may use -----------------------------------------------------------------------------


class Speech(Move, argues=True, filled=("quotes",), bare_field="text", quoting=("text",)):
    """An argument in words. Quotes stand in the text as <quote>…</quote>; the protocol finds and verifies them."""

    kind: Literal["speech"] = "speech"
    text: Annotated[str, Asked("what you say", "Your speech; quotes as <quote>exact words</quote>")]
    quotes: tuple[Quote, ...] = ()

    def content(self) -> str:
        return self.text

    def prompt_attributes(self) -> dict[str, str]:
        return {}


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A probability."""


class Verdict(Move, asked_first=("text",), read_as="{text}"):
    """A judge's belief over the choices: `probabilities[i]` for choice i, each in [0, 1], summing to 1.

    text: feedback or reasons, in words. end: the judge wants to hear no more.
    """

    kind: Literal["verdict"] = "verdict"
    probabilities: Annotated[tuple[Share, ...], Asked(choices="shares")]
    text: Annotated[str, Asked("your reasons", "Your reasons or feedback (may be empty)")] = ""
    end: Annotated[bool, Asked(person="End here?", when=lambda brief: brief.get("task") == "feedback")] = False

    @field_validator("probabilities")
    @classmethod
    def _sum_to_one(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) < 2 or not math.isclose(sum(value), 1.0, abs_tol=1e-6):
            raise ValueError(f"a verdict needs two or more probabilities that sum to 1, not {list(value)}")
        return value

    @property
    def choice(self) -> int | None:
        """The index of the most probable choice; None when two or more share the first place."""
        best = max(self.probabilities)
        return None if self.probabilities.count(best) > 1 else self.probabilities.index(best)

    @classmethod
    def sure(cls, choice: int, count: int = 2, text: str = "") -> Self:
        """All belief on one of `count` choices."""
        return cls(probabilities=tuple(float(index == choice) for index in range(count)), text=text)

    @classmethod
    def taken_from(cls, data: Mapping[str, Any]) -> Self | None:
        """Probabilities that do not sum to 1 are divided by their sum."""
        given = data.get("probabilities")
        numbers = given if isinstance(given, list) else []
        if not all(type(each) in (int, float) and 0 <= each < math.inf for each in numbers):
            return None
        try:
            total = math.fsum(numbers)
            return cls.model_validate({**data, "probabilities": [each / total for each in numbers]})
        except (ArithmeticError, ValueError):  # the sum is 0, or something else is wrong
            return None

    def in_short(self, choices: Sequence[str]) -> str:
        return "ends it here" if self.end else ""

    def stated_probabilities(self) -> tuple[float, ...]:
        return self.probabilities

    def prompt_attributes(self) -> dict[str, str]:
        return {"kind": self.kind, "probabilities": " ".join(f"{p:.4g}" for p in self.probabilities)}


class Answer(Move, asked_first=("text",), read_as="{text}", quoting=("text",)):
    """The choice that an agent takes as its own (open consultancy and open debate)."""

    kind: Literal["answer"] = "answer"
    choice: Annotated[int, Field(ge=0), Asked(person="Your answer", choices="number")]
    text: Annotated[str, Asked("your reasons", "Your reasons (may be empty)")] = ""
    quotes: Quotes = ()

    def in_short(self, choices: Sequence[str]) -> str:
        return f"takes “{choices[self.choice]}”" if self.choice < len(choices) else f"takes answer {self.choice + 1}"

    def prompt_attributes(self) -> dict[str, str]:
        return {"kind": self.kind, "choice": str(self.choice + 1)}


class Ask(Move, read_as="{text}", marked={"to": "to"}):
    """A question that the judge puts to a seat (or, with `to` None, to every debater)."""

    kind: Literal["ask"] = "ask"
    text: Annotated[str, Asked("your question", "Your question (may be empty)", empty=True)]
    to: Annotated[str | None, Asked("the name of a seat", "To whom", among="to_seats", none="all")] = None

    def in_short(self, choices: Sequence[str]) -> str:
        return f"to {self.to or 'all'}"


class Stop(Move):
    """Whether this seat agrees to end the play here."""

    kind: Literal["stop"] = "stop"
    stop: Annotated[bool, Asked(person="Do you agree to end here?")]

    def content(self) -> str:
        return "agrees to end" if self.stop else "wants to go on"


class Concession(Move, argues=True, quoting=("text",)):
    """A debater gives its answer up. text: its words."""

    kind: Literal["concession"] = "concession"
    text: str = ""
    quotes: Quotes = ()

    def content(self) -> str:
        return self.text or "concedes"

    def quotable(self) -> str:
        return self.content()
