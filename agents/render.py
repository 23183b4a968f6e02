"""Requests as prompts. What was already said is a byte-identical prefix from one call of a seat to its next.

A prompt is a system message that never changes for a seat, then one message that only grows: the question, its source,
the statements in order; the instruction for this turn stands last. Everything that others wrote is escaped, so no text
can close its own tag or open another's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from moot.protocols.errors import UsageError
from moot.protocols.moves import Move, Speech, Verdict
from moot.protocols.quotes import segments
from moot.protocols.view import Entry, Request

VERSION = "v1"


class Prompts:
    """The prompt templates: moot's own, each of which a file of the same name in `folder` replaces.

    Files are `system.ROLE.txt` and `turn.TASK.txt`, with `system.default.txt` and `turn.default.txt` for roles and tasks
    without one. Raises UsageError when the folder or a placeholder in one of its files is unknown.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder) if folder is not None else None
        if self.folder is not None and not self.folder.is_dir():
            raise UsageError(f"there is no folder {folder} to take prompts from")
        self.version = VERSION if folder is None else f"{VERSION}+{self.folder.name if self.folder else ''}"

    def messages(self, request: Request, form: str, problem: str | None = None) -> list[dict[str, str]]:
        """The chat messages for a request. form: how the answer must look. problem: why the last one was not accepted.

        Opening the statements charges what they cost to read; raises BudgetExceeded when the seat may not.
        """
        values = self._values(request)
        system = self._fill("system", request.role, values)
        said = "\n".join(material(request))
        turn = self._fill("turn", str(request.brief.get("task", "")), values)
        tail = "\n".join(part for part in (turn.strip(), form, _problem(problem or request.problem)) if part)
        return [{"role": "system", "content": system}, {"role": "user", "content": f"{said}\n\n{tail}"}]

    def _fill(self, family: str, name: str, values: dict[str, str]) -> str:
        text, source = self._template(family, name)
        try:
            return Template(text).substitute(values)
        except (KeyError, ValueError) as error:
            known = ", ".join(f"${key}" for key in values)
            raise UsageError(f"prompt template {source}: {error} is no placeholder; there are {known}") from None

    def _template(self, family: str, name: str) -> tuple[str, str]:
        safe = name if name.replace("-", "").replace("_", "").isalnum() else "default"
        for wanted in (f"{family}.{safe}.txt", f"{family}.default.txt"):
            if self.folder is not None and (self.folder / wanted).is_file():
                return (self.folder / wanted).read_text(encoding="utf-8"), str(self.folder / wanted)
            own = _own(wanted)
            if own is not None:
                return own, f"{VERSION}/{wanted}"
        raise UsageError(f"moot's own template {family}.default.txt is missing: the installation is incomplete")

    def _values(self, request: Request) -> dict[str, str]:
        brief, choices = request.brief, request.view.question.choices
        answer = brief.get("answer")
        defended = choices[answer] if isinstance(answer, int) and 0 <= answer < len(choices) else ""
        round_, rounds = brief.get("round"), brief.get("rounds")
        where = f", in round {round_}" + (f" of {rounds}" if rounds else "") if round_ else ""
        number = str(answer + 1) if defended and isinstance(answer, int) else ""
        return {
            "seat": request.seat, "role": request.role, "task": str(brief.get("task", "")), "round": where,
            "number": number, "answer": defended, "limits": _limits(brief),
            "assignment": f"The answer that you argue for is number {number}: {defended}" if defended else "",
            "speakers": ", ".join(brief.get("to_seats", ())), "brief": json.dumps(dict(brief), ensure_ascii=False),
        }  # fmt: skip


@cache
def _own(name: str) -> str | None:
    path = files("moot.agents").joinpath("prompts", VERSION, name)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def material(request: Request) -> Iterator[str]:
    """The question, the source if the view holds it, and every statement, each escaped within its tag."""
    question = request.view.question
    yield f"<question>{_plain(question.text)}</question>"
    for number, choice in enumerate(question.choices, 1):
        yield f'<choice number="{number}">{_plain(choice)}</choice>'
    if question.passage is not None:
        yield f"<passage>\n{_plain(question.passage)}\n</passage>"
    if question.data is not None:
        yield f"<data>{_plain(json.dumps(question.data, ensure_ascii=False))}</data>"
    for entry in request.view:
        yield statement(entry)


def statement(entry: Entry) -> str:
    """One statement in its tag: `<statement by="a" step="0.1">…</statement>`."""
    return f"<statement by={quoteattr(entry.seat)} step={quoteattr(entry.step)}>{_words(entry.move)}</statement>"


def _words(move: Move) -> str:
    if isinstance(move, Speech):
        marks = iter(move.quotes)
        parts = []
        for segment in segments(move.text):
            if segment.quote:
                quote = next(marks, None)
                known = "unknown" if quote is None or quote.verified is None else "yes" if quote.verified else "no"
                parts.append(f'<quote verified="{known}">{_plain(segment.text)}</quote>')
            else:
                parts.append(_plain(segment.text))
        return "".join(parts)
    if isinstance(move, Verdict):
        beliefs = "".join(
            f'<belief choice="{number}">{p:g}</belief>' for number, p in enumerate(move.probabilities, 1)
        )
        return beliefs + _plain(move.text)
    return _plain(move.content())


def _plain(text: str) -> str:
    """Text with markup and control characters made harmless; what XML cannot hold becomes U+FFFD."""
    kept = "".join(c if c in "\n\t" or " " <= c <= "\ud7ff" or "\ue000" <= c not in "\ufffe\uffff" else "\ufffd" for c in text)
    return escape(kept.replace("\x7f", "\ufffd"))


def _limits(brief: Any) -> str:
    lines = []
    for key, what in (("limit", "At most"), ("quote_limit", "Quotes, in all: at most")):
        for unit, most in (brief.get(key) or {}).items():
            if unit != "over":
                lines.append(f"{what} {most} {'characters' if unit == 'chars' else unit}.")
    return " ".join(lines)


def _problem(problem: str | None) -> str:
    return f"Your last answer was not accepted: {_plain(problem[:2000])}. Answer again." if problem else ""
