"""The record that a seat is shown, as a row of XML elements: the question, its answers and its source, then what was said.

Rule of this file: a move says what stands in its element; here it is only escaped. No kind of move is known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry
from moot.protocols.text import escape


def record(question: Question, entries: Iterable[Entry]) -> str:
    """The question and what was said, as a row of XML elements, each ending in a line feed."""
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
    parts += [statement(entry) for entry in entries]
    return "".join(parts)


def statement(entry: Entry) -> str:
    """One statement as an XML element."""
    move = entry.move.as_public()
    place = {"by": entry.seat, "step": entry.step}  # first, and never what a move says
    return f"<statement{_attributes({**place, **move.prompt_attributes(), **place})}>{body(move)}</statement>\n"


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
