"""A human at a terminal, in any seat: reads what the seat may see, and types the move."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import anyio.to_thread
from pydantic import BaseModel, TypeAdapter, ValidationError

from moot.agents.identity import composed
from moot.agents.people.terminal import printable as printable
from moot.agents.people.terminal import shown_move, terminal, terminal_input, terminal_output
from moot.agents.prompts.render import about, extra, kind_name, limit_of
from moot.protocols.amplification.moves import Open, Reply, Subquestions
from moot.protocols.engine.errors import AgentError, Illegal, first_problem
from moot.protocols.engine.moves import UNKNOWN, Answer, Ask, Move, Speech, Stop, Verdict
from moot.protocols.engine.view import Entry, Request
from moot.protocols.market.moves import Citation, Statement
from moot.protocols.pointers import pointers_in
from moot.protocols.trees.moves import Assertion

Reader = Callable[[str], str]  # shows a prompt and returns a line; raises EOFError at the end
Writer = Callable[[str], None]
END = "."


class Human:
    """An agent that asks a person. Seats that share a terminal take turns at it.

    input: shows a prompt and returns one line (the built-in `input` unless given), raising EOFError at the end.
    output: shows a text (the terminal unless given).
    """

    def __init__(self, input: Reader | None = None, output: Writer | None = None, name: str | None = None) -> None:
        self._input = input or terminal_input
        self._output = output or terminal_output
        self.name = name
        self._shown: dict[str, tuple[Any, list[str]]] = {}

    def describe(self) -> dict[str, Any]:
        """What is recorded: that it is a human, and the name given."""
        return {"agent": "human", "name": self.name}

    def identity(self) -> dict[str, Any] | None:
        """A person counts by name, and whoever sits at this terminal as one; what types for a person counts itself."""
        other = [] if self._input is terminal_input else [self._input]
        return composed(*other, agent="human", name=self.name)

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
        goes_on = known == question and new[: len(steps)] == steps
        self._output(f"\n— {request.seat} ({request.role}), step {request.step} —")
        if not goes_on:
            self._output(f"Question: {question.text}")
            for i, choice in enumerate(question.choices, 1):
                self._output(f"  {i}. {choice}")
            if question.about is not None:
                self._output(f"About it: {question.about}")
            if question.passage is not None:
                self._output(f"Passage:\n{question.passage}\n")
            if question.data is not None:
                self._output(f"Data: {json.dumps(question.data, ensure_ascii=False)}")
        for entry in entries[len(steps) if goes_on else 0 :]:
            self._output(f"[{entry.step}] {entry.seat}: {shown_move(entry.move)}")
        self._shown[request.seat] = (question, new)
        brief = request.brief
        answer = brief.get("answer")
        if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(question.choices):
            self._output(f"You defend answer {answer + 1}: {question.choices[answer]}")
        if brief.get("asks"):
            self._output(f"You are asked: {printable(str(brief['asks']))}")
        if Verdict in request.kinds and (task := brief.get("task")) not in (None, "verdict", "feedback"):
            self._output(f"Your task: {printable(str(task))}.")
        if (claim := brief.get("claim")) is not None:
            label = f", as {brief['label']}" if brief.get("label") else ""
            if "claimed" in brief:
                said = f'the claim that the answer to "{claim}" is "{brief["claimed"]}"'
            else:
                said = "the question" if claim == "q" else f"the claim of step {claim}"
            self._output(f"This is about {printable(said + label)}.")
        for key, value in extra(brief).items():
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            self._output(printable(f"{key.replace('_', ' ')}: {told}"))
        for key, what in (("limit", "Say at most"), ("quote_limit", "Quote at most")):
            if (most := limit_of(brief, key)) is not None:
                self._output(f"{what} {most[0]} {most[1]}.")
        if isinstance(left := brief.get("budget"), int):
            self._output(f"Your budget: {left}.")
        if request.problem:
            self._output(f"Your last move was not accepted: {printable(request.problem)}")

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
                self._output(f"{printable(problem)}.")

    def _kind(self, request: Request) -> type[Move]:
        if len(request.kinds) == 1:
            return request.kinds[0]
        names = {kind_name(kind): kind for kind in request.kinds}
        while True:
            given = self._input(f"What do you want to give ({', '.join(names)})? ").strip().lower()
            meant = [name for name in names if name == given] or [
                name for name in names if given and name.startswith(given)
            ]
            if len(meant) == 1:
                return names[meant[0]]
            self._output(f"{given!r} is none of {', '.join(names)}.")

    def _fill(self, kind: type[Move], request: Request, entries: list[Entry]) -> Move:
        question = request.view.question
        if kind is Speech:
            return Speech(text=self._lines("Your speech; quotes as <quote>exact words</quote>", needed=True))
        if issubclass(kind, Verdict) and question.choices:
            text = self._lines("Your reasons or feedback (may be empty)")
            percents = [self._percent(i, choice) for i, choice in enumerate(question.choices, 1)]
            total = sum(percents)
            if abs(total - 100) > 0.5:
                raise ValueError(f"the percentages sum to {total:g}, not 100")
            end = request.brief.get("task") == "feedback" and self._yes("End here?")
            return kind(probabilities=tuple(each / total for each in percents), text=text, end=end)
        if kind is Answer:
            count = len(question.choices)
            number = self._number(f"Your answer (1 to {count}): " if count else "Your answer, by number: ")
            if number != int(number) or not 1 <= number <= (count or number):
                raise ValueError(f"the answer must be a number from 1 to {count}")
            return Answer(choice=int(number) - 1, text=self._lines("Your reasons (may be empty)"))
        if kind is Ask:
            seats = request.brief.get("to_seats")
            listed = f" ({', '.join(map(str, seats))}; empty for all)" if isinstance(seats, (list, tuple)) else ""
            to = self._input(f"To whom{listed}? ").strip() or None
            return Ask(to=to, text=self._lines("Your question (may be empty)"))
        if kind is Stop:
            return Stop(stop=self._yes("Do you agree to end here?"))
        if kind is Subquestions:
            return self._subquestions(request)
        if kind is Reply:
            return self._reply(question.choices)
        if kind is Statement:
            return self._statement(request)
        if kind is Open:
            return self._open([question.text, *(entry.move.content() for entry in entries)])
        return kind.model_validate({"kind": kind_name(kind), **dict(self._fields(kind, request))})

    def _subquestions(self, request: Request) -> Subquestions:
        most = request.brief.get("most")
        limit = most.get("questions") if isinstance(most, dict) else None
        told = f" (at most {limit})" if limit is not None else ""
        if Open in request.kinds:
            told += "; [what stands in brackets] is passed on as a pointer, which whoever is asked may open"
        lines = self._lines(f"Your sub-questions, one a line{told}", needed=True).splitlines()
        questions = tuple(line.strip() for line in lines if line.strip())
        if limit is not None and len(questions) > limit:
            raise ValueError(f"these are {len(questions)} questions; there may be {limit} at a time")
        budgets = None
        while "budget" in request.brief:
            given = self._input("A budget for each, in order (numbers; empty for a tenth of what is left): ").split()
            if not given:
                break
            if len(given) == len(questions) and all(part.isascii() and part.isdecimal() for part in given):
                budgets = tuple(map(int, given))
                break
            self._output(f"Give {len(questions)} whole numbers with blanks between them, or nothing.")
        return Subquestions(questions=questions, budgets=budgets)

    def _reply(self, choices: tuple[str, ...]) -> Reply:
        while choices:
            given = self._input(f"Which answer (1 to {len(choices)}, or {UNKNOWN} when you do not know)? ").strip()
            if given == UNKNOWN:
                return Reply(answer=UNKNOWN)
            if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(choices):
                return Reply(answer=choices[int(given) - 1])
            self._output(f"{given!r} is neither a number from 1 to {len(choices)} nor {UNKNOWN}.")
        return Reply(answer=self._lines(f"Your answer; {UNKNOWN} when you do not know", needed=True))

    def _statement(self, request: Request) -> Statement:
        choices = request.view.question.choices
        text = self._lines("Your statement (may be empty)")
        answer = None
        while given := self._input(f"Which answer does it claim (1 to {len(choices)}; empty for none)? ").strip():
            if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(choices):
                answer = choices[int(given) - 1]
                break
            self._output(f"{given!r} is no number from 1 to {len(choices)}.")
        most = request.brief.get("most")
        if isinstance(most, dict) and most.get("cites") == 0:
            return Statement(text=text, answer=answer)
        lines = self._lines("What you cite of the market, one a line: question = answer (may be empty)").splitlines()
        cites = []
        for line in filter(str.strip, lines):
            asked, mark, said = line.rpartition("=")
            if not (mark and asked.strip() and said.strip()):
                raise ValueError(f"{line.strip()!r} is no citation; write it as question = answer")
            cites.append(Citation(question=asked.strip(), answer=said.strip()))
        return Statement(text=text, answer=answer, cites=tuple(cites))

    def _open(self, texts: list[str]) -> Open:
        pointers = list(dict.fromkeys(pointer for text in texts for pointer in pointers_in(text)))
        if not pointers:
            raise ValueError("there is no pointer to open in what you were shown; give something else")
        for number, pointer in enumerate(pointers, 1):
            self._output(f"  {number}. {pointer}")
        while True:
            given = self._input(f"Which pointer do you open (1 to {len(pointers)}, or as it is written)? ").strip()
            if given in pointers:
                return Open(pointer=given)
            if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(pointers):
                return Open(pointer=pointers[int(given) - 1])
            self._output(f"{given!r} is none of them.")

    def _fields(self, kind: type[Move], request: Request) -> Iterator[tuple[str, Any]]:
        """The fields of a kind of move that has no questions of its own above: what it is is said first, then each field is
        asked for by its type; what has none of these types is given as JSON."""
        self._output(about(kind))
        brief = request.brief
        for name, field in kind.model_fields.items():
            if name == "kind" or name in kind.filled:
                continue
            among = _of(brief, "one_of", name)
            most, below = _of(brief, "most", name), _of(brief, "below", name)
            inner = get_args(field.annotation)
            if kind is Assertion and name == "cites":
                if most != 0:
                    yield name, self._input("Which earlier claims does it rest on, by step (0 2; empty for none)? ")
            elif get_origin(field.annotation) is tuple:
                yield name, self._list(name, inner[0], among, most)
            elif among is not None:
                yield name, self._pick(name, list(map(str, among)))
            elif get_origin(field.annotation) is Literal:
                texts = list(map(str, inner))
                yield name, inner[texts.index(self._pick(name, texts))]
            elif field.annotation is str:
                yield name, self._lines(name, needed=field.is_required())
            elif field.annotation is bool:
                yield name, self._yes(f"{name}?")
            elif below is not None or (field.annotation in (int, float) and field.is_required()):
                yield name, self._number(f"{name}{'' if below is None else f' (0 to {below - 1})'}: ")
            else:
                given = self._input(
                    f"{name} (as JSON{'' if field.is_required() else '; empty to leave it out'}): "
                ).strip()
                if given or field.is_required():
                    yield name, TypeAdapter(Any).validate_json(given)

    def _list(self, name: str, item: Any, among: Any, most: Any) -> list[Any]:
        """A list: an entry a line; of objects of two texts a line holds both, with = between them, or JSON."""
        fields = list(item.model_fields) if isinstance(item, type) and issubclass(item, BaseModel) else []
        paired = len(fields) == 2
        number = (get_args(item) or (item,))[0] in (int, float)
        told = f", each as {' = '.join(fields)}" if paired else ", each as JSON" if fields else ""
        told += ", or with blanks between them" if number else ""
        told += f", at most {most}" if isinstance(most, int) else ""
        told += f", of {', '.join(map(str, among))}" if among is not None else ""
        made: list[Any] = []
        for line in filter(str.strip, self._lines(f"{name}, one a line{told}").splitlines()):
            if paired and not line.strip().startswith("{"):
                first, mark, second = line.rpartition("=")
                if not (mark and first.strip() and second.strip()):
                    raise ValueError(f"{line.strip()!r} is none of the {name}; write it as {' = '.join(fields)}")
                made.append(dict(zip(fields, (first.strip(), second.strip()), strict=True)))
            elif number:
                made += line.split()
            else:
                made.append(TypeAdapter(Any).validate_json(line) if fields else line.strip())
        return made

    def _pick(self, name: str, among: list[str]) -> str:
        """One of these texts, as it is written or, where none of them is a number, by its number."""
        numbered = not any(each.isdecimal() for each in among)
        for number, each in enumerate(among, 1):
            self._output(f"  {number}. {printable(each) or '(none)'}" if numbered else f"  {printable(each)}")
        while True:
            given = self._input(
                f"Which {name}{f' (1 to {len(among)}, or as it is written)' if numbered else ''}? "
            ).strip()
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

    def _percent(self, number: int, choice: str) -> float:
        while True:
            value = self._number(f"How probable is {number}. {choice}, in percent? ")
            if 0 <= value <= 100:
                return value
            self._output("A percentage is from 0 to 100.")

    def _number(self, prompt: str) -> float:
        while True:
            given = self._input(prompt).strip().removesuffix("%").strip()
            try:
                value = float(given)
            except ValueError:
                value = float("nan")
            if value == value and abs(value) != float("inf"):
                return value
            self._output(f"{given!r} is no number.")

    def _yes(self, prompt: str) -> bool:
        while True:
            given = self._input(f"{prompt} (yes or no) ").strip().lower()
            if given in ("y", "yes", "n", "no"):
                return given[0] == "y"
            self._output("Please type yes or no.")


def _of(brief: Mapping[str, Any], key: str, name: str) -> Any:
    """What the brief says under this key about a field; None where it says nothing."""
    told = brief.get(key)
    return told.get(name) if isinstance(told, Mapping) else None
