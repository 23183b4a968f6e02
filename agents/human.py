"""A human at the terminal in a seat."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, get_args

import anyio
from pydantic import ValidationError

from moot.agents.render import material
from moot.protocols.errors import AgentError
from moot.protocols.moves import Answer, Ask, Move, Speech, Stop, Verdict
from moot.protocols.view import Request


class Human:
    """Asks whoever sits at the terminal. `read` and `write` replace it, for tests and other front ends.

    A bad answer is asked for again; the end of the input is an AgentError, never a move.
    """

    def __init__(self, read: Callable[[], str] | None = None, write: Callable[[str], object] | None = None) -> None:
        self._read = read or sys.stdin.readline
        self._write = write or (lambda text: (sys.stdout.write(text), sys.stdout.flush()))
        self._shown: dict[str, int] = {}

    async def act(self, request: Request) -> Move:
        return await anyio.to_thread.run_sync(self._ask, request, abandon_on_cancel=True)

    def describe(self) -> dict[str, Any]:
        return {"agent": "human"}

    def _ask(self, request: Request) -> Move:
        lines = list(material(request))
        seen = self._shown.get(request.seat, 0)
        if seen > len(lines) or seen == 0:
            seen = 0
        self._say(f"\n── seat {request.seat} ({request.role}), step {request.step} ──")
        for line in lines[seen:]:
            self._say(line)
        self._shown[request.seat] = len(lines)
        if request.problem:
            self._say(f"Not accepted: {request.problem}")
        answer, choices = request.brief.get("answer"), request.view.question.choices
        if isinstance(answer, int) and answer < len(choices):
            self._say(f"You defend answer {answer + 1}: {choices[answer]}")
        for key in ("limit", "quote_limit"):
            if key in request.brief:
                self._say(f"{key.replace('_', ' ')}: {request.brief[key]}")
        kind = self._kind(request.kinds)
        while True:
            try:
                return kind.model_validate(self._fields(kind, request))
            except (ValidationError, ValueError) as error:
                first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                self._say(f"That cannot be taken: {first}")

    def _kind(self, kinds: tuple[type[Move], ...]) -> type[Move]:
        if len(kinds) == 1:
            return kinds[0]
        names = [kind.model_fields["kind"].default for kind in kinds]
        while True:
            given = self._line(f"Which kind of move ({', '.join(names)})? ")
            if given in names:
                return kinds[names.index(given)]

    def _fields(self, kind: type[Move], request: Request) -> dict[str, Any]:
        choices = request.view.question.choices
        if kind is Speech:
            return {"text": self._text("Your speech; quote with <quote>…</quote>; an empty line ends it.")}
        if kind is Verdict:
            fields: dict[str, Any] = {"probabilities": self._percentages(choices), "text": self._line("Your reasons: ")}
            if request.brief.get("task") == "feedback":
                fields["end"] = self._yes("End the debate now (y/n)? ")
            return fields
        if kind is Answer:
            number = self._number(f"Which answer will you argue for (1 to {len(choices)})? ", 1, len(choices))
            return {"choice": int(number) - 1, "text": self._line("Why? ")}
        if kind is Ask:
            seats = list(request.brief.get("to_seats", ()))
            to = self._line(f"Ask whom ({', '.join([*seats, 'all'])})? ")
            return {"to": None if to in ("", "all") else to, "text": self._line("Your question (empty for none): ")}
        if kind is Stop:
            return {"stop": self._yes("Agree to end here (y/n)? ")}
        return {name: self._value(name, field.annotation) for name, field in kind.model_fields.items() if name != "kind"}

    def _value(self, name: str, annotation: Any) -> Any:
        options = get_args(annotation)
        hint = f" ({', '.join(map(str, options))})" if options and not any(isinstance(o, type) for o in options) else ""
        given = self._line(f"{name}{hint}: ")
        return int(given) if annotation is int and given.lstrip("-").isdigit() else given

    def _percentages(self, choices: tuple[str, ...]) -> tuple[float, ...]:
        while True:
            stated = [self._number(f"Percent for answer {i} ({choice}): ", 0, 100) for i, choice in enumerate(choices, 1)]
            if abs(sum(stated) - 100) < 0.01:
                return tuple(p / sum(stated) for p in stated)
            self._say(f"They sum to {sum(stated):g}, not 100; once more.")

    def _number(self, prompt: str, least: float, most: float) -> float:
        while True:
            given = self._line(prompt).rstrip("%")
            try:
                number = float(given)
            except ValueError:
                number = float("nan")
            if least <= number <= most:
                return number
            self._say(f"A number from {least:g} to {most:g}, please.")

    def _yes(self, prompt: str) -> bool:
        while True:
            given = self._line(prompt).lower()
            if given in ("y", "yes", "n", "no"):
                return given.startswith("y")

    def _text(self, prompt: str) -> str:
        self._say(prompt)
        lines: list[str] = []
        while line := self._line(""):
            lines.append(line)
        return "\n".join(lines)

    def _line(self, prompt: str) -> str:
        if prompt:
            self._write(prompt)
        line = self._read()
        if not line:
            raise AgentError("the input ended before the human had answered; what was said so far is kept: moot resume")
        return line.rstrip("\r\n")

    def _say(self, text: str) -> None:
        # Others' text may hold escape sequences; a terminal would obey them.
        self._write("".join(c if c in "\n\t" or c.isprintable() else "\ufffd" for c in text) + "\n")
