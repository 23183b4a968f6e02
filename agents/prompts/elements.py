"""The record that a seat is shown, as a row of XML elements: the question, its answers and its source, then what was said.

Rule of this file: a move says what stands in its element; here it is only escaped. No kind of move is known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import is_
from typing import NamedTuple

from moot.agents.prompts.kept import Kept
from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry
from moot.protocols.text import escape

_kept = Kept()  # texts of moves and questions: each stands in every prompt after it was said


class Written(NamedTuple):
    """A record, and what it was made of."""

    question: Question
    entries: Sequence[Entry]
    marks: bool
    text: str

    def begins(self, question: Question, entries: Sequence[Entry], marks: bool) -> bool:
        """Whether another record begins with this one: the very same statements, not equal ones."""
        same = self.question is question and self.marks == marks and len(self.entries) <= len(entries)
        return same and all(map(is_, self.entries, entries))


def record(question: Question, entries: Sequence[Entry], marks: bool = True, last: Written | None = None) -> Written:
    """The question and what was said, as a row of XML elements, each ending in a line feed. marks: whether quotes say that they
    stand in the passage or do not. last: an earlier record, of which what it shares with this one is not written again."""
    if last is not None and last.begins(question, entries, marks):
        text, added = last.text, entries[len(last.entries) :]
    else:
        kept = _kept.of(question)
        if "head" not in kept:
            kept["head"] = _head(question)
        text, added = kept["head"], entries
    return Written(question, entries, marks, "".join([text, *(statement(entry, marks) for entry in added)]))


def _head(question: Question) -> str:
    parts = [f"<question>{escape(question.text)}</question>\n"]
    if question.about:
        parts.append(f"<about>{escape(question.about)}</about>\n")
    if question.choices:
        parts.append("<choices>\n")
        parts += [f'<choice number="{i}">{escape(text)}</choice>\n' for i, text in enumerate(question.choices, 1)]
        parts.append("</choices>\n")
    if question.passage is not None:
        parts.append(f"<passage>\n{escape(question.passage)}\n</passage>\n")
    if question.data is not None:
        parts.append(f"<data>{escape(json.dumps(question.data, ensure_ascii=False))}</data>\n")
    for i, image in enumerate(question.images, 1):
        told = {"number": str(i), "type": image.media_type, "width": str(image.width), "height": str(image.height)}
        parts.append(f"<image{_attributes(told)}>{escape(image.alt or '')}</image>\n")
    return "".join(parts)


def statement(entry: Entry, marks: bool = True) -> str:
    """One statement as an XML element. marks: as for `record`."""
    kept, of = _kept.of(entry.move), (entry.step, entry.seat, marks)
    if (text := kept.get(of)) is None:
        move = shown(entry.move, marks)
        place = {"by": entry.seat, "step": entry.step}  # first, and never what a move says
        attributes = _attributes({**place, **move.prompt_attributes(), **place})
        text = kept[of] = f"<statement{attributes}>{body(move)}</statement>\n"
    return text


def words(move: Move, marks: bool = True) -> str:
    """What stands in the element of a move, as others may see it. marks: as for `record`."""
    kept = _kept.of(move)
    if (text := kept.get(marks)) is None:
        text = kept[marks] = body(shown(move, marks))
    return text


def shown(move: Move, marks: bool) -> Move:
    """A move as others may see it."""
    return (move if marks else move.without_marks()).as_public()


def body(move: Move) -> str:
    """What stands in the element of a move."""
    held = move.prompt_body()
    return escape(held) if isinstance(held, str) else "".join(map(_part, held))


def _part(part: str | Part) -> str:
    if isinstance(part, str):
        return escape(part)
    mark = {} if part.verified is None else {"verified": "yes" if part.verified else "no"}
    return f"<{part.tag}{_attributes({**dict(part.attributes), **mark})}>{escape(part.text)}</{part.tag}>"


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={attribute(value)}" for name, value in values.items())


def attribute(text: str) -> str:
    """A text as the value of an attribute, with its quotation marks."""
    value = escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{value}"'
