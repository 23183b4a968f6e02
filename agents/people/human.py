"""A human at a terminal, in any seat: reads what the seat may see, and types the move.

Rule of this file: the class of a move says which fields a person is asked for and in which words; no kind is known here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal, get_args, get_origin

import anyio.to_thread
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from moot.agents.identity import composed
from moot.agents.kinds import AgentKind
from moot.agents.people.terminal import printable, shown_move, terminal, terminal_input, terminal_output
from moot.agents.prompts.forms import Form
from moot.agents.prompts.render import about, kind_name, limits_told, stance
from moot.protocols.engine.errors import AgentError, Illegal, first_problem
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.view import Entry, Request

Reader = Callable[[str], str]  # shows a prompt and returns a line; raises EOFError at the end
Writer = Callable[[str], None]
END = "."


class Human:
    """An agent that asks a person. Seats that share a terminal take turns at it.

    input: shows a prompt and returns one line (the built-in `input` unless given), raising EOFError at the end.
    output: shows a text (the terminal unless given).
    """

    def __init__(self, input: Reader | None = None, output: Writer | None = None, name: str | None = None) -> None:
        reader, writer = input or terminal_input, output or terminal_output
        self._input: Reader = lambda prompt: reader(printable(prompt))
        self._output: Writer = lambda text: writer(printable(text))
        self.name = name
        self._shown: dict[str, tuple[Any, list[str]]] = {}

    def describe(self) -> dict[str, Any]:
        """What is recorded: that it is a human, and the name given."""
        return {"agent": "human", "name": self.name}

    def identity(self) -> dict[str, Any] | None:
        """A person counts by name, and whoever sits at this terminal as one; what types for a person counts itself."""
        return composed(self._input, agent="human", name=self.name)

    async def act(self, request: Request) -> Move:
        """Show the view and ask for the move, again until it is one. Raises AgentError when the input ends."""
        entries = list(request.view)
        async with terminal():
            return await anyio.to_thread.run_sync(self._ask, request, entries, abandon_on_cancel=True)

    def _ask(self, request: Request, entries: list[Entry]) -> Move:
        try:
            self._show(request, entries)
            self._look(request)
            while True:
                kind = self._kind(request)
                try:
                    return self._fill(kind, request, entries)
                except (ValidationError, ValueError) as error:
                    words = first_problem(error, "the move") if isinstance(error, ValidationError) else str(error)
                    self._output(f"That is not right: {words}. Again:")
        except EOFError:
            raise AgentError(
                f"step {request.step}: the human at {request.seat} closed the input before giving a move; "
                "resume the transcript to go on from here"
            ) from None

    def _show(self, request: Request, entries: list[Entry]) -> None:
        question = request.view.question
        known, steps = self._shown.get(request.seat, (None, []))
        new = [entry.step for entry in entries]
        self._output(f"\n— {request.seat} ({request.role}), step {request.step} —")
        if known != question or new[: len(steps)] != steps:
            steps = []
            self._output(f"Question: {question.text}")
            for i, choice in enumerate(question.choices, 1):
                self._output(f"  {i}. {choice}")
            if question.about is not None:
                self._output(f"About it: {question.about}")
            if question.passage is not None:
                self._output(f"Passage:\n{question.passage}\n")
            if question.data is not None:
                self._output(f"Data: {json.dumps(question.data, ensure_ascii=False)}")
        for entry in entries[len(steps) :]:
            self._output(f"[{entry.step}] {entry.seat}: {shown_move(entry.move, question.choices)}")
        self._shown[request.seat] = (question, new)
        brief = request.brief
        if side := stance(request):
            self._output(side)
        if brief.get("asks"):
            self._output(f"You are asked: {brief['asks']}")
        if (task := brief.get("task")) not in (None, *map(kind_name, request.kinds)):
            self._output(f"Your task: {task}.")
        if (claim := brief.get("claim")) is not None:
            label = f", as {brief['label']}" if brief.get("label") else ""
            if "claimed" in brief:
                said = f'the claim that the answer to "{claim}" is "{brief["claimed"]}"'
            else:
                said = "the question" if claim == "q" else f"the claim of step {claim}"
            self._output(f"This is about {said}{label}.")
        for key, value in brief.get("details", {}).items():
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            self._output(printable(f"{key.replace('_', ' ')}: {told}"))
        for told in limits_told(brief):
            self._output(told)
        if "budget" in brief:
            self._output(f"Your budget: {brief['budget']}.")
        if request.problem:
            self._output(f"Your last move was not accepted: {request.problem}")

    def _look(self, request: Request) -> None:
        """Show the cells of the data that are asked for, where the view lets its reader look; each is charged."""
        while request.view.has_cells and request.view.source == "metered":
            given = self._input("Look at which cell of the data (for instance 3, or rows 0; empty to go on)? ").split()
            if not given:
                return
            numbers = [int(part) if part.isascii() and part.isdecimal() else part for part in given]
            for address in (numbers, given):
                try:
                    self._output(json.dumps(request.view.look(*address), ensure_ascii=False))
                    break
                except Illegal as error:
                    problem = str(error)
            else:
                self._output(f"{problem}.")

    def _kind(self, request: Request) -> type[Move]:
        if len(request.kinds) == 1:
            return request.kinds[0]
        names = {kind_name(kind): kind for kind in request.kinds}
        while True:
            given = self._input(f"What do you want to give ({', '.join(names)})? ").strip().lower()
            meant = [given] if given in names else [name for name in names if given and name.startswith(given)]
            if len(meant) == 1:
                return names[meant[0]]
            self._output(f"{given!r} is none of {', '.join(names)}.")

    def _fill(self, kind: type[Move], request: Request, entries: list[Entry]) -> Move:
        """The move, field by field, after what its kind is; what a person leaves out gets its default."""
        self._output(about(kind))
        shown = [request.view.question.text, *(entry.move.content() for entry in entries)]
        given: dict[str, Any] = {"kind": kind_name(kind)}
        for name, hint in kind.fields_asked(request.brief, person=True).items():
            value = self._field(kind.model_fields[name], name, hint, request, shown)
            if value is not None:
                given[name] = value
        return kind.model_validate(given)

    def _field(self, field: FieldInfo, name: str, hint: Asked, request: Request, shown: list[str]) -> Any:
        """One field, asked for by its hint or else by its type, or else as JSON. None where it is left out."""
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
                raise ValueError(f"there is no {name} in what you were shown; give something else")
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
            return self._lines(label, needed=needed and not hint.empty)
        if field.annotation is bool:
            return self._yes(label if hint.person else f"{label}?")
        if below is not None or (field.annotation in (int, float) and needed):
            return self._number(f"{label}{'' if below is None else f' (0 to {below - 1})'}: ")
        given = self._input(f"{label} (as JSON{'' if needed else '; empty to leave it out'}): ").strip()
        return TypeAdapter(Any).validate_json(given) if given or needed else None

    def _shares(self, choices: Sequence[str]) -> list[float]:
        """A probability for each choice."""
        asked = (f"How probable is {i}. {choice}, in percent? " for i, choice in enumerate(choices, 1))
        percents = [self._number(each, percent=True) for each in asked]
        total = sum(percents)
        if abs(total - 100) > 0.5:
            raise ValueError(f"the percentages sum to {total:g}, not 100")
        return [each / total for each in percents]

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

    def _lines(self, what: str, needed: bool = False) -> str:
        """Several lines, up to one with a single full stop."""
        self._output(f"{what}. End with a line that holds only a full stop.")
        lines: list[str] = []
        while True:
            line = self._input("> ")
            if line.strip() != END:
                lines.append(line)
                continue
            text = "\n".join(lines).strip()
            if text or not needed:
                return text
            self._output("It is empty. Again:")
            lines = []

    def _number(self, prompt: str, percent: bool = False) -> float:
        while True:
            given, value = self._input(prompt).strip().removesuffix("%").strip(), math.nan
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


class HumanKind(AgentKind):
    """A person at the terminal."""

    name: ClassVar[str] = "human"
    form: ClassVar[str | None] = "human or human:NAME"
    called: str | None = Field(default=None, alias="name")

    def make(self) -> Human:
        return Human(name=self.called)
