"""A request as chat messages: a system message per role, then one record that only ever grows, then this turn's task.

The record holds the question, the answers, the passage where the seat may see it, and the statements in order; images that
it may see stand before it, as parts of the message, and the record says what they are. It is a row of XML elements whose text
is escaped, so that whatever a statement says stays inside it; and from one call of a seat to its next the old record is a
byte-for-byte prefix of the new one, so that providers bill its tokens as cached. Where a protocol says so (`own_turns`), what
the seat itself said stands as its own turns in the conversation.

Rule of this file: where each piece of a prompt stands; the words are templates, and what goes into them `variables.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from moot.agents.prompts.elements import record, statement, words
from moot.agents.prompts.kept import Kept
from moot.agents.prompts.templates import Templates
from moot.agents.prompts.variables import kind_name, of_system, of_turn, phases
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry

_kept = Kept()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered request. The user message is `images`, then `record` followed by `task`. turns: where what the seat said
    stands as its own turns, the record in pieces: what others said, what it said, what others said, and so on. files: the
    templates of the system message and of the turn, by name."""

    system: str
    record: str
    task: str
    template: str
    images: tuple[Image, ...] = ()
    turns: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def messages(self) -> list[dict[str, Any]]:
        """The chat messages. Where there are images, the user's content is a list of parts: `image_url` each, then the text,
        as OpenAI's chat completions take them (and vLLM's, llama.cpp's, Ollama's, Gemini's and OpenRouter's)."""
        *before, last = self.turns or (self.record,)
        said: list[dict[str, Any]] = [{"role": "system", "content": self.system}]
        for place, text in enumerate((*before, f"{last}\n{self.task}")):
            said.append({"role": "assistant" if place % 2 else "user", "content": text})
        if self.images:
            shown = [{"type": "image_url", "image_url": {"url": image.data_url}} for image in self.images]
            said[1]["content"] = [*shown, {"type": "text", "text": said[1]["content"]}]
        return said

    @property
    def hash(self) -> str:
        """A hash of what the model is sent, 16 bytes in hex."""
        texts = (self.system, *(self.turns or (self.record,)), self.task, *(image.sha256 for image in self.images))
        return sha256("\0".join(texts).encode()).hexdigest()[:32]


def render(request: Request, templates: Templates, form: str, task: str = "", **values: str) -> Prompt:
    """The prompt of a request. Reading the view is charged to it, and may raise BudgetExceeded.

    form: how the answer must look. task: the name of the turn's template, instead of the brief's task; values: more for it.
    """
    brief, role, protocol = request.brief, request.role, request.facts and request.facts.protocol
    asked = task or brief.get("task") or ""
    entries, marks = list(request.view), request.view.has_passage
    own = (
        protocol if request.facts and request.facts.seats.get(request.seat) == role else None
    )  # no role of a wrapper's
    known, system, led = _system(request, templates, own, asked)
    told = of_turn(request, entries, form, known, values)
    filled, asked_by = templates.turn(protocol, role, asked, list(map(kind_name, request.kinds)), phases(brief), told)
    lines = "\n".join(filter(None, filled.split("\n"))).strip()
    question = request.view.question
    turns = _turns(request, entries, marks) if role in getattr(protocol, "own_turns", ()) else ()
    kept, of = {} if request.facts is None else _kept.of(request.facts), ("record", request.seat)
    kept[of] = whole = record(question, entries, marks, kept.get(of))
    return Prompt(
        system, whole.text, f"<turn>\n{lines}\n</turn>", templates.version, question.images, turns, (led, asked_by)
    )


def _system(request: Request, templates: Templates, own: Any, task: str) -> tuple[Mapping[str, str], str, str]:
    """The variables of the system message, the message, and the name of its template: the same in all turns of a seat."""
    if request.facts is None:
        known = of_system(request)
        return known, *templates.system(own, request.role, task, known)
    kept = _kept.of(request.facts)
    of = templates, own is None, request.seat, request.role, request.brief.get("notes"), *task.partition("/")[:2]
    if of not in kept:
        known = of_system(request)
        kept[of] = known, *templates.system(own, request.role, task, known)
    return kept[of]  # type: ignore[no-any-return]


def _turns(request: Request, entries: Sequence[Entry], marks: bool) -> tuple[str, ...]:
    """The record in pieces, the seat's own statements apart."""
    pieces = [record(request.view.question, ()).text]
    for entry in entries:
        own = entry.seat == request.seat
        text = words(entry.move, marks) if own else statement(entry, marks)
        if (len(pieces) % 2 == 0) == own:
            pieces[-1] += f"\n{text}" if own else text
        else:
            pieces.append(text)
    return tuple(pieces if len(pieces) % 2 else [*pieces, ""])
