"""One field of a move, asked of a person by its hint or else by its type.

Rule of this file: the class of a move says which fields a person is asked for and in which words; no kind is known here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from moot.agents.prompts.forms import Form
from moot.agents.prompts.values import shares
from moot.agents.prompts.variables import limits_of
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.request import Request
from moot.protocols.engine.values.quoting import segments
from moot.protocols.limits import Limit

Reader = Callable[[str], str]  # shows a prompt and returns a line; raises EOFError at the end
Writer = Callable[[str], None]
END = "."


SAID = "text"
"""The field that the limit of a brief is on."""


@dataclass(frozen=True, slots=True)
class Meter:
    """How long a text is, by the limit that it will be held to. quoting: whether marks of quotes count as no text, as in a
    speech."""

    limit: Limit
    quoting: bool

    def length(self, text: str) -> int:
        return self.limit.measure("".join(part.text for part in segments(text)) if self.quoting else text)

    def told(self, text: str) -> str:
        """The length against the limit: "41 of 150 words"."""
        least = "" if not self._least or self.length(text) >= self._least else f", at least {self._least}"
        counted = " (bytes are counted)" if self.limit.tokens is not None else ""
        return f"{self.length(text)} of {self.limit.most} {self.limit.unit}{counted}{least}"

    def over(self, text: str) -> bool:
        return self.length(text) > self.limit.most

    def cut(self, text: str) -> str:
        """What of it fits."""
        return self.limit.model_copy(update={"over": "clip"}).apply(text)

    def short(self, text: str) -> str:
        """What to say of a text that is too short; "" of any other."""
        length = self.length(text)
        return (
            f"These are {length} {self.limit.unit}, and at least {self._least} are asked for."
            if length < self._least
            else ""
        )

    @property
    def _least(self) -> int:
        return getattr(self.limit, "least", None) or 0


class Nothing(ValueError):
    """There is nothing that this field could be: something else has to be given."""


class Fields:
    """Asks for fields of moves, each until it is right."""

    def __init__(self, input: Reader, output: Writer) -> None:
        self._input, self._output = input, output

    def ask(
        self, kind: type[Move], name: str, hint: Asked, request: Request, shown: list[str], given: dict[str, Any]
    ) -> None:  # fmt: skip
        """Put one field into `given`, or leave it out there. Raises Nothing where there is nothing to give, and EOFError."""
        while True:
            given.pop(name, None)
            try:
                value = self._field(kind, name, hint, request, shown)
                found = {} if value is None else {name: value}
                problem = wrong(kind, {**given, **found}).get(name) if found else None
            except Nothing:
                raise
            except ValueError as error:
                problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            else:
                given.update(found)
            if problem is None:
                return
            self._output(f"That is not right: {problem}. Again:")

    def _field(self, kind: type[Move], name: str, hint: Asked, request: Request, shown: list[str]) -> Any:
        """One field, asked for by its hint or else by its type, or else as JSON. None where it is left out."""
        field: FieldInfo = kind.model_fields[name]
        choices, label = request.view.question.choices, hint.person or name
        form = Form.of(request)
        among, below, most = form.texts(name, hint), form.said("below", name), form.said("most", name)
        inner, needed, which = get_args(field.annotation), field.is_required(), hint.person or f"Which {name}"
        listed = field.annotation if get_origin(field.annotation) is tuple else next(
            (each for each in inner if get_origin(each) is tuple), None
        )  # fmt: skip
        if hint.seen is not None:
            seen = list(dict.fromkeys(each for text in shown for each in hint.seen(text)))
            if not seen:
                raise Nothing(f"there is no {name} in what you were shown; give something else")
            return self._pick(which, seen)
        if hint.choices == "shares" and choices:
            return self._shares(choices)
        if hint.choices == "number":
            return self._choice(label, choices, (), True)
        if hint.choices == "text" and choices and among is None:
            given = self._choice(label, choices, hint.besides, needed)
            return choices[given] if isinstance(given, int) else given
        if listed is not None:
            made = None if most == 0 else self._list(label, get_args(listed)[0], among, most)
            return made if made or needed else None
        if hint.none:
            told = f"{', '.join(among)}; " if among else ""
            return self._input(f"{label} ({told}empty for {hint.none})? ").strip() or None
        if among is not None:
            return self._pick(which, list(among))
        if get_origin(field.annotation) is Literal:
            texts = list(map(str, inner))
            return inner[texts.index(self._pick(which, texts))]
        if field.annotation is str:
            limit = limits_of(request.brief)[0] if name == SAID else None
            meter = None if limit is None else Meter(limit, "quotes" in kind.model_fields)
            return self._lines(label, needed=needed and not hint.empty, meter=meter)
        if field.annotation is bool:
            return self._yes(label if hint.person else f"{label}?")
        if below is not None or (field.annotation in (int, float) and needed):
            return self._number(f"{label}{'' if below is None else f' (0 to {below - 1})'}: ")
        given = self._input(f"{label} (as JSON{'' if needed else '; empty to leave it out'}): ").strip()
        return TypeAdapter(Any).validate_json(given) if given or needed else None

    def _shares(self, choices: Sequence[str]) -> list[float]:
        """A probability for each choice; for the last of them what the others leave is offered."""
        percents: list[float] = []
        for i, choice in enumerate(choices, 1):
            left = round(100 - sum(percents), 6)
            offered = left if percents and i == len(choices) and left >= 0 else None
            told = "" if offered is None else f" ({offered:g} left; Enter takes it)"
            asked = f"How probable is {i}. {choice}, in percent{told}? "
            percents.append(self._number(asked, percent=True, offered=offered))
        try:
            return list(shares([percent / 100 for percent in percents], len(choices))[0])
        except ValueError:
            raise ValueError(f"the percentages sum to {sum(percents):g}, not 100") from None

    def _choice(self, label: str, choices: Sequence[str], besides: Sequence[str], needed: bool) -> int | str | None:
        """The index of one of the choices, by its number; or one of the texts besides; or, where nothing is needed, None."""
        count = len(choices)
        told = ", or ".join([f"1 to {count}" if count else "a number", *besides])
        while True:
            given = self._input(f"{label} ({told}{'' if needed else '; empty for none'}): ").strip()
            if not given and not needed:
                return None
            if given in besides:
                return given
            if given.isascii() and given.isdecimal() and 1 <= int(given) <= (count or int(given)):
                return int(given) - 1
            self._output(f"{given!r} is no number{f' from 1 to {count}' if count else ''}.")

    def _list(self, name: str, item: Any, among: Any, most: Any) -> list[Any]:
        """A list: an entry a line; of objects of two texts a line holds both, with = between them, or JSON."""
        fields = list(item.model_json_schema()["properties"]) if hasattr(item, "model_json_schema") else []
        paired = len(fields) == 2
        number = re.search(r"\b(int|float)\b", str(item)) is not None
        told = f", each as {' = '.join(fields)}" if paired else ", each as JSON" if fields else ""
        told += ", or with blanks between them" if number else ""
        told += f", at most {most}" if isinstance(most, int) else ""
        told += f", of {', '.join(among)}" if among is not None else ""
        made: list[Any] = []
        for line in filter(str.strip, self._lines(f"{name}, one a line{told}").splitlines()):
            if paired and not line.strip().startswith("{"):
                first, mark, second = line.rpartition("=")
                if not (mark and first.strip() and second.strip()):
                    raise ValueError(f"{line.strip()!r} is not of that form; write it as {' = '.join(fields)}")
                made.append(dict(zip(fields, (first.strip(), second.strip()), strict=True)))
            elif number:
                made += line.split()
            else:
                made.append(TypeAdapter(Any).validate_json(line) if fields else line.strip())
        if isinstance(most, int) and len(made) > most:
            raise ValueError(f"these are {len(made)}; there may be {most}")
        return made

    def _pick(self, which: str, among: list[str]) -> str:
        """One of these texts, as it is written or, where none of them is a number, by its number."""
        numbered = not any(each.isdecimal() for each in among)
        for number, each in enumerate(among, 1):
            self._output(f"  {number}. {each or '(none)'}" if numbered else f"  {each}")
        while True:
            given = self._input(f"{which}{f' (1 to {len(among)}, or as it is written)' if numbered else ''}? ").strip()
            if given and given in among:
                return given
            if numbered and given.isascii() and given.isdecimal() and 1 <= int(given) <= len(among):
                return among[int(given) - 1]
            self._output(f"{given!r} is none of them.")

    def _lines(self, what: str, needed: bool = False, meter: Meter | None = None) -> str:
        """Several lines, up to one with a single full stop. meter: counts them as they come; no text is given that is over
        its limit, or too short."""
        self._output(f"{what}. End with a line that holds only a full stop.")
        lines: list[str] = []
        while True:
            line = self._input("> ")
            text = _joined(lines)
            if line.strip() != END:
                lines.append(line)
                if meter is not None:
                    lines = self._fitting(lines, meter)
            elif meter is not None and text and (short := meter.short(text)):
                self._output(f"{short} Go on:")
            elif text or not needed:
                return text
            else:
                self._output("It is empty. Again:")
                lines = []

    def _fitting(self, lines: list[str], meter: Meter) -> list[str]:
        """The lines as far as they fit, after saying how long they are; of the one that goes over, its writer decides."""
        self._output(f"  {meter.told(_joined(lines))}")
        while meter.over(text := _joined(lines)):
            given = self._input("That is too long: drop the last line, or cut it where it fits (drop or cut)? ")
            given = given.strip().lower()
            if given and "drop".startswith(given):
                lines = lines[:-1]
                self._output(f"  {meter.told(_joined(lines))}")
            elif given and "cut".startswith(given):
                lines = meter.cut(text).splitlines()
                self._output(f"What is left ends: … {' '.join(lines)[-40:]}")
            else:
                self._output(f"{given!r} is neither.")
        return lines

    def _number(self, prompt: str, percent: bool = False, offered: float | None = None) -> float:
        while True:
            given, value = self._input(prompt).strip().removesuffix("%").strip(), math.nan
            if not given and offered is not None:
                return offered
            with suppress(ValueError):
                value = float(given)
            if math.isfinite(value) and (not percent or 0 <= value <= 100):
                return value
            self._output("A percentage is from 0 to 100." if math.isfinite(value) else f"{given!r} is no number.")

    def _yes(self, prompt: str) -> bool:
        while True:
            given = self._input(f"{prompt} (yes or no) ").strip().lower()
            if given in ("y", "yes", "n", "no"):
                return given[0] == "y"
            self._output("Please type yes or no.")


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()


def wrong(kind: type[Move], given: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the fields that were given, by their names; "" stands for them together."""
    try:
        kind.model_validate(given)
    except ValidationError as error:
        found = ((str(each["loc"][0]) if each["loc"] else "", each) for each in error.errors())
        return {name: f"{name}: {each['msg']}".removeprefix(": ") for name, each in found if each["type"] != "missing"}
    return {}
