"""A human at a terminal, in any seat: reads what the seat may see, and types the move.

Rule of this file: what a seat may see is shown, and nothing of what another saw stays; how a field is asked for is in `fields.py`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import anyio.to_thread
from pydantic import Field

from moot.agents.identity import composed
from moot.agents.kinds import AgentKind
from moot.agents.people import terminal
from moot.agents.people.fields import Fields, Nothing, Reader, Writer, wrong
from moot.agents.prompts.variables import about, claim_told, kind_name, limits_told, seen, sides, stance
from moot.protocols.engine.errors import AgentError, Illegal
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.moves import Asked, Move, Part
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry
from moot.protocols.text import visible

HANDED_OVER = "=== Another person's turn: what is above is not for them. It goes to"
"""What a screen of one's own is told, with the seat, where the terminal would be cleared."""


@dataclass
class _Place:
    """A screen, who sat at it last, and whether others sat there before."""

    output: Writer
    person: tuple[str, str]
    shared: bool = False


_places: deque[_Place] = deque(maxlen=16)


@dataclass
class _Given:
    """What somebody last gave, in case that it has to be given again in part."""

    step: str
    kind: type[Move]
    fields: dict[str, Any] = field(default_factory=dict)


class Human:
    """An agent that asks a person. Seats that share a terminal take turns at it: it is cleared, with all that it scrolls back
    to, before another seat's turn is shown, and the next person confirms with Enter. Who has a name (`Human(name="Ann")`)
    may sit in several seats without that.

    input: shows a prompt and returns one line (the built-in `input` unless given), raising EOFError at the end.
    output: shows a text (the terminal unless given). Where either is given, or there is no terminal, HANDED_OVER and the seat
    are shown instead of clearing anything.
    """

    def __init__(self, input: Reader | None = None, output: Writer | None = None, name: str | None = None) -> None:
        self._reader, self._writer = input or terminal.ask, output or terminal.show
        self._own = input is not None or output is not None
        self._input: Reader = lambda prompt: self._reader(visible(prompt))
        self._output: Writer = lambda text: self._writer(visible(text))
        self._fields = Fields(self._input, self._output)
        self.name = name
        self._shown: dict[str, tuple[Any, list[str]]] = {}
        self._told: dict[str, str] = {}
        self._given: dict[str, _Given] = {}
        self._folder: TemporaryDirectory[str] | None = None

    def describe(self) -> dict[str, Any]:
        """What is recorded: that it is a human, and the name given."""
        return {"agent": "human", "name": self.name}

    def identity(self) -> dict[str, Any] | None:
        """A person counts by name, and whoever sits at this terminal as one; what types for a person counts itself."""
        return composed(self._reader, agent="human", name=self.name)

    async def act(self, request: Request) -> Move:
        """Show the view and ask for the move, again until it is one. Raises AgentError when the input ends."""
        entries = list(request.view)
        async with terminal.turn():
            return await anyio.to_thread.run_sync(self._ask, request, entries, abandon_on_cancel=True)

    def _placed(self, image: Image) -> str:
        """Where to look at an image: a file that this user alone may read, until the play ends."""
        try:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="moot-images-", ignore_cleanup_errors=True)
            path = Path(self._folder.name) / image.file_name
            if not path.exists():
                path.write_bytes(image.data)
        except OSError as error:
            raise AgentError(f"the image cannot be put where a person can open it: {error}") from None
        return f"open {path}"

    async def close(self) -> None:
        """Leave nothing of the last turn at a terminal that several people shared, and no image in a file."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        for place in _places:
            if place.output == self._writer and place.shared:
                place.shared = False
                if not self._own and terminal.is_conversation():
                    terminal.clear()

    def _ask(self, request: Request, entries: list[Entry]) -> Move:
        try:
            self._take_over(request)
            self._show(request, entries)
            self._look(request)
            return self._fill(request, entries)
        except EOFError:
            raise AgentError(
                f"step {request.step}: the human at {request.seat} closed the input before giving a move; all that was said "
                "before is kept: resume the transcript to go on from here"
            ) from None

    def _take_over(self, request: Request) -> None:
        """Nobody sees what was shown to, or typed by, whoever sat at this terminal before."""
        person = (self.name or "", "" if self.name else request.seat)
        place = next((each for each in _places if each.output == self._writer), None)
        if place is None:
            _places.append(_Place(self._writer, person))
            return
        if place.person == person:
            return
        place.person, place.shared = person, True
        self._shown.clear()
        self._told.clear()
        who = f"{self.name}, {request.seat}" if self.name else request.seat
        if self._own or not terminal.is_conversation():
            self._output(f"{HANDED_OVER} {who} ({request.role}). ===")
            return
        terminal.clear()
        self._input(f"Pass the keyboard to {who} ({request.role}), who then presses Enter. ")
        terminal.clear()

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
            for i, image in enumerate(question.images, 1):
                told = f" ({image.alt})" if image.alt else ""
                self._output(f"Image {i}{told}: {image}; {self._placed(image)}")
            if question.data is not None:
                self._output(f"Data: {json.dumps(question.data, ensure_ascii=False)}")
        if (told := play_told(request, entries)) != self._told.get(request.seat, ""):
            self._output(told)
            self._told[request.seat] = told
        for entry in entries[len(steps) :]:
            move = entry.move if request.view.has_passage else entry.move.without_marks()
            self._output(f"[{entry.step}] {entry.seat}: {shown_move(move, question.choices)}")
        self._shown[request.seat] = (question, new)
        brief = request.brief
        if side := stance(request):
            self._output(side)
        if brief.get("asks"):
            self._output(f"You are asked: {brief['asks']}")
        if (task := brief.get("task")) not in (None, *map(kind_name, request.kinds)):
            self._output(f"Your task: {task}.")
        if about_claim := claim_told(brief):
            self._output(about_claim)
        details = brief.get("details", {})
        explained = (
            request.facts.protocol.explained(request.view.question, details) if request.facts and details else {}
        )
        for key, value in {**details, **explained}.items():
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            self._output(f"{key.replace('_', ' ')}: {told}")
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

    def _fill(self, request: Request, entries: list[Entry]) -> Move:
        """The move, field by field, after what its kind is; what a person leaves out gets its default, and what was right is
        never asked for twice."""
        shown = [request.view.question.text, *(entry.move.content() for entry in entries)]
        before = self._given.get(request.seat)
        again = before if request.attempt and before and before.step == request.step else None
        while True:
            kind = again.kind if again else self._kind(request)
            hints = kind.fields_asked(request.brief, person=True)
            given = dict(again.fields) if again else {"kind": kind_name(kind)}
            names = self._which(hints, given) if again else list(hints)
            if again and not names:  # all of it, perhaps of another kind
                again = None
                continue
            if not again:
                self._output(about(kind))
            try:
                while names:
                    for name in names:
                        self._fields.ask(kind, name, hints[name], request, shown, given)
                    names = self._wrong_together(kind, hints, given)
            except Nothing as problem:
                if len(request.kinds) == 1:
                    raise AgentError(
                        f"step {request.step}: {request.seat} cannot give a {kind_name(kind)}: {problem}"
                    ) from None
                self._output(f"That is not right: {problem}.")
                continue
            self._given[request.seat] = _Given(request.step, kind, given)
            return kind.model_validate(given)

    def _wrong_together(self, kind: type[Move], hints: dict[str, Asked], given: dict[str, Any]) -> list[str]:
        """The fields to be given again, as they do not fit each other; [] where all is right."""
        problems = wrong(kind, given)
        for problem in problems.values():
            self._output(f"That is not right: {problem}.")
        return [name for name in hints if name in problems] or (
            self._which(hints, given) or list(hints) if problems else []
        )

    def _which(self, hints: dict[str, Asked], given: dict[str, Any]) -> list[str]:
        """Which of its fields a person gives again; [] for all."""
        for name in hints:
            if isinstance(given.get(name), str) and given[name]:
                self._output(f"Your {name} was:\n{given[name]}")
        if len(hints) == 1:
            return list(hints)
        while True:
            typed = self._input(f"What do you want to give again ({', '.join(hints)}; empty for all)? ").strip().lower()
            meant = [typed] if typed in hints else [name for name in hints if typed and name.startswith(typed)]
            if not typed or len(meant) == 1:
                return meant
            self._output(f"{typed!r} is none of {', '.join(hints)}.")


def play_told(request: Request, entries: Sequence[Entry]) -> str:
    """Who defends what, and who sees the passage or the data, as far as the protocol says so to everybody, and the seat's own
    private notes; "" without."""
    facts, question = request.facts, request.view.question
    notes = f"Your private notes, which nobody else is shown:\n{own}" if (own := request.brief.get("notes")) else ""
    if facts is None:
        return notes
    same = sorted(facts.question.choices) == sorted(question.choices)  # and not a question that was made on the way
    said = sides(facts.answers(entries), question.choices) if same else ""
    return "\n".join(filter(None, (said, seen(facts), notes)))


def shown_move(move: Move, choices: Sequence[str] = ()) -> str:
    """A move as a person is shown it: what it is to or takes, its probabilities, its words, and what became of its quotes."""
    move = move.as_public()
    short, beliefs = move.in_short(choices), " / ".join(f"{p:.0%}" for p in move.stated_probabilities())
    said = " ".join(filter(None, [short and f"({short})", beliefs, move.in_words()]))
    quotes = [part for part in move.prompt_body() if isinstance(part, Part) and part.tag == "quote"]
    checked = [part for part in quotes if part.verified is not None]
    return said + "".join(f"\n    {'✓' if p.verified else '✗ not in the passage:'} “{p.text}”" for p in checked)


def has_person(agent: Any) -> bool:
    """Whether a person is, or is among those behind, an agent."""
    return isinstance(agent, Human) or any(map(has_person, getattr(agent, "held", ())))


class HumanKind(AgentKind):
    """A person at the terminal."""

    name: ClassVar[str] = "human"
    form: ClassVar[str | None] = "human or human:NAME"
    called: str | None = Field(default=None, alias="name")

    def make(self) -> Human:
        return Human(name=self.called)
