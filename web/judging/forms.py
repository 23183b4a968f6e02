"""Forms for moves, made from what a move says of itself, and moves from what was filled in.

Rule of this file: no kind of move is known here. A field is read by what reads it at the terminal (`Fields`), so that both take and
refuse the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from moot.agents.people.fields import END, SAID, Fields, Meter, Nothing, wrong
from moot.agents.prompts.forms import Form
from moot.agents.prompts.variables import about, kind_name, limits_of
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Request

Sort = Literal["shares", "choice", "line", "text", "list", "pick", "yes", "tick", "number", "json"]
Posted = Mapping[str, Sequence[str]]
"""The fields of a form as they were sent: each name with its values."""
SUM = 0.5
"""By how many percent stated probabilities may miss 100: they are rounded, and no more."""
_WRONG = "That is not right: "


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. id: its name there; name: in the move. options: value and text of each, for choices and picks. meter: how long a
    text may be. given: what stands in it, by input. problem: what was wrong with that."""

    id: str
    name: str
    sort: Sort
    label: str
    help: str = ""
    needed: bool = True
    options: tuple[tuple[str, str], ...] = ()
    meter: Meter | None = None
    given: tuple[str, ...] = ()
    problem: str = ""

    @property
    def inputs(self) -> list[str]:
        """The names of its inputs."""
        count = len(self.options) if self.sort == "shares" else 0
        return [f"{self.id}-{number}" for number in range(1, count + 1)] or [self.id]

    @property
    def value(self) -> str:
        """What stands in its first input."""
        return self.given[0] if self.given else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form of one kind of move. cannot: why there is none, where something that it needs was not shown."""

    kind: type[Move]
    name: str
    about: str
    fields: tuple[Field, ...]
    problem: str = ""
    cannot: str = ""

    @property
    def believes(self) -> bool:
        """Whether a belief is stated in it, which explains itself."""
        return any(field.sort == "shares" for field in self.fields)


def sheets(
    request: Request, shown: Sequence[str], posted: Posted | None = None, problems: Mapping[str, str] | None = None
) -> list[Sheet]:  # fmt: skip
    """A form for each kind that may be given. shown: the texts that the person was shown. posted: what was filled in before. problems: what is
    wrong with it, by the id of a field, or the name of a kind for all of it."""
    found = []
    for number, kind in enumerate(request.kinds):
        name, fields, cannot = kind_name(kind), [], ""
        for field_name, hint in kind.fields_asked(request.brief, person=True).items():
            try:
                made = _field(f"f{number}-{field_name}", kind, field_name, hint, request, shown)
            except Nothing as problem:
                cannot = str(problem)
                continue
            given = tuple((list((posted or {}).get(each, ())) or [""])[0] for each in made.inputs)
            fields.append(_with(made, given, (problems or {}).get(made.id, "")))
        found.append(Sheet(kind, name, about(kind), tuple(fields), (problems or {}).get(name, ""), cannot))
    return found


def read(sheet: Sheet, posted: Posted, request: Request, shown: Sequence[str]) -> Move | dict[str, str]:
    """The move that was filled in; or what is wrong, by the id of the field, or under the kind's name for all of it."""
    if sheet.cannot:
        return {sheet.name: sheet.cannot}
    kind, problems = sheet.kind, dict[str, str]()
    given: dict[str, Any] = {"kind": sheet.name}
    hints = kind.fields_asked(request.brief, person=True)
    for field in sheet.fields:
        values = [(list(posted.get(each, ())) or [""])[0].replace("\r\n", "\n") for each in field.inputs]
        if problem := _into(given, field, values, kind, hints[field.name], request, [*shown]):
            problems[field.id] = problem
    if not problems:
        ids = {field.name: field.id for field in sheet.fields}
        problems = {ids.get(name, sheet.name): problem for name, problem in wrong(kind, given).items()}
    if problems:
        return problems
    try:
        return typed(given, (kind,))
    except Illegal as problem:
        return {sheet.name: str(problem)}


def _into(
    given: dict[str, Any], field: Field, values: list[str], kind: type[Move], hint: Asked, request: Request, shown: list[str]
) -> str:  # fmt: skip
    """Put what stands in a field into the move; what is wrong with it, or ""."""
    if field.sort == "text":
        text = values[0].strip()
        if field.needed and not text:
            return "something has to stand here"
        if field.meter is not None and field.meter.over(text):
            return f"that is too long: {field.meter.told(text)}"
        if field.meter is not None and text and (short := field.meter.short(text)):
            return short
        given[field.name] = text
        return wrong(kind, given).get(field.name, "")
    if field.sort == "shares" and (problem := _sum(values)):
        return problem
    if field.sort == "choice" and field.needed and not values[0]:
        return "choose one of them"
    lines = _lines(field, values)
    said = list[str]()
    reading = iter(lines)

    def line(prompt: str) -> str:
        try:
            return next(reading)
        except StopIteration:
            raise EOFError from None

    try:
        Fields(line, said.append).ask(kind, field.name, hint, request, shown, given)
    except EOFError:
        told = (
            said if field.sort == "shares" else said[::-1]
        )  # one that is wrong is asked for again, and takes the next
        return (
            next(filter(None, told), "something has to stand here")
            .removeprefix(_WRONG)
            .removesuffix(" Again:")
            .removesuffix(".")
        )
    except Nothing as problem:
        return str(problem)
    return ""


def _lines(field: Field, values: list[str]) -> list[str]:
    """What a person at a terminal would have typed."""
    if field.sort == "list":
        return [*(f" {each}" if each.strip() == END else each for each in values[0].split("\n")), END]
    if field.sort == "tick":
        return ["yes" if values[0] else "no"]
    return [each.replace("\n", " ") for each in values]


def _sum(values: list[str]) -> str:
    """What is wrong with percentages together, where that is told by the numbers."""
    if not all(each.strip() for each in values[:-1]):
        return "give a number for each answer; the last may be left out"
    try:
        total = sum(float(each.strip().removesuffix("%")) for each in values)
    except ValueError:  # the last may be left out, and what is no number is told of by whoever reads it
        return ""
    return "" if abs(total - 100) <= SUM else f"the percentages sum to {total:g}, not 100"


def _field(id: str, kind: type[Move], name: str, hint: Asked, request: Request, shown: Sequence[str]) -> Field:
    """How a field is asked for: in the order in which `Fields` decides it. Raises Nothing where there is nothing to choose from."""
    field, choices = kind.model_fields[name], request.view.question.choices
    form, label = Form.of(request), hint.person or name.replace("_", " ").capitalize()
    among, below, most = form.texts(name, hint), form.said("below", name), form.said("most", name)
    inner, needed = get_args(field.annotation), field.is_required()
    listed = field.annotation if get_origin(field.annotation) is tuple else next(
        (each for each in inner if get_origin(each) is tuple), None
    )  # fmt: skip

    def made(
        sort: Sort,
        help: str = "",
        options: Sequence[tuple[str, str]] = (),
        need: bool = needed,
        meter: Meter | None = None,
    ) -> Field:
        return Field(id, name, sort, label, help, need, tuple(options), meter)

    numbered = [(str(number), f"{number}. {choice}") for number, choice in enumerate(choices, 1)]
    if hint.seen is not None:
        seen = list(dict.fromkeys(each for text in shown for each in hint.seen(text)))
        if not seen:
            raise Nothing(f"there is no {name} in what you were shown; open more, or give something else")
        return made("pick", options=_picks(seen))
    if hint.choices == "shares" and choices:
        return made("shares", "In percent, 100 in all.", numbered)
    if hint.choices == "number" and choices:
        return made("choice", options=numbered)
    if hint.choices == "number":
        return made("number", "a number from 1 on")
    if hint.choices == "text" and choices and among is None:
        return made("choice", options=[*numbered, *((each, _besides(each)) for each in hint.besides)])
    if listed is not None and most != 0:
        return made("list", _list_help(get_args(listed)[0], among, most, form.said("least", name)))
    if listed is not None:
        return made("list", "None may be given here.", need=False)
    if hint.none and among is not None:
        return made("pick", options=[("", hint.none), *((each, each) for each in among)], need=False)
    if hint.none:
        return made("line", f"empty for {hint.none}", need=False)
    if among is not None:
        return made("pick", options=_picks(list(among)))
    if get_origin(field.annotation) is Literal:
        return made("pick", options=_picks(list(map(str, inner))))
    if field.annotation is str:
        limit = limits_of(request.brief)[0] if name == SAID else None
        meter = None if limit is None else Meter(limit, "quotes" in kind.model_fields)
        return made("text", need=needed and not hint.empty, meter=meter)
    if field.annotation is bool:
        return made("yes" if field.default is PydanticUndefined or field.default else "tick")
    if below is not None or (field.annotation in (int, float) and needed):
        return made("number", "" if below is None else f"0 to {below - 1}")
    return made("json", "as JSON" if needed else "as JSON; empty to leave it out")


def _with(field: Field, given: tuple[str, ...], problem: str) -> Field:
    return Field(
        field.id,
        field.name,
        field.sort,
        field.label,
        field.help,
        field.needed,
        field.options,
        field.meter,
        given,
        problem,
    )


def _picks(texts: list[str]) -> list[tuple[str, str]]:
    """What `Fields` takes for each: its number, or where numbers are among them the text."""
    if any(text.isdecimal() for text in texts):
        return [(text, text or "(none)") for text in texts]
    return [(str(number), text or "(none)") for number, text in enumerate(texts, 1)]


def _besides(text: str) -> str:
    return "I do not know" if text == "?" else text


def _list_help(item: Any, among: Sequence[str] | None, most: Any, least: Any) -> str:
    """How a list is written, an entry a line."""
    fields = list(item.model_json_schema()["properties"]) if hasattr(item, "model_json_schema") else []
    told = ["one a line"]
    if fields:
        told.append(f"each as {' = '.join(fields)}" if len(fields) == 2 else f"each as JSON with {', '.join(fields)}")
    if isinstance(least, int) and least == most:
        told.append(f"exactly {most}")
    elif isinstance(most, int):
        told.append(f"at most {most}")
    return ", ".join(told) + (f"; of {', '.join(among)}" if among is not None else "")


def filled(request: Request, shown: Sequence[str], reply: Any) -> dict[str, list[str]]:
    """A reply as it would have been filled in, for one that has to be given again; {} where it is of no kind that is asked for."""
    try:
        move = typed(reply, request.kinds)
    except Illegal:
        return {}
    sheet = sheets(request, shown)[request.kinds.index(type(move))]
    return dict(each for field in sheet.fields for each in _written(field, getattr(move, field.name), request))


def _written(field: Field, value: Any, request: Request) -> Iterator[tuple[str, list[str]]]:
    """The inputs of a field, as they hold a value."""
    if field.sort == "shares":
        yield from zip(field.inputs, ([f"{100 * share:.6g}"] for share in value), strict=False)
        return
    text = "" if value is None else str(value)
    if field.sort == "choice":
        choices = request.view.question.choices
        text = str(value + 1) if isinstance(value, int) else str(choices.index(value) + 1) if value in choices else text
    elif field.sort == "pick":
        text = next((key for key, told in field.options if told == (text or "(none)")), "")
    elif field.sort in ("yes", "tick"):
        text = "yes" if value else "no" if field.sort == "yes" else ""
    elif field.sort == "list":
        text = "\n".join(
            each if isinstance(each, str) else json.dumps(_plain(each), ensure_ascii=False) for each in value or ()
        )
    elif field.sort == "json":
        text = "" if value is None else json.dumps(_plain(value), ensure_ascii=False, default=_plain)
    yield field.id, [text]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
