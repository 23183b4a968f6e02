"""A request as chat messages: a system message per role, then one record that only ever grows, then this turn's task.

The record holds the question, the answers, the passage where the seat may see it, and the statements in order; images that
it may see stand before it, as parts of the message, and the record says what they are. It is a row of XML elements whose text is escaped, so that whatever a statement says stays inside it; and from one call of a
seat to its next the old record is a byte-for-byte prefix of the new one, so that providers bill its tokens as cached.

Rule of this file: a move says what stands in its element; here it is only escaped. No kind of move is known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from moot.agents.prompts import Templates
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import Entry
from moot.protocols.limits import Limit
from moot.protocols.text import escape


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered request. The user message is `images`, then `record` followed by `task`."""

    system: str
    record: str
    task: str
    template: str
    images: tuple[Image, ...] = ()

    def messages(self) -> list[dict[str, Any]]:
        """The chat messages. Where there are images, the user's content is a list of parts: `image_url` each, then the text,
        as OpenAI's chat completions take them (and vLLM's, llama.cpp's, Ollama's, Gemini's and OpenRouter's)."""
        said: Any = f"{self.record}\n{self.task}"
        if self.images:
            shown = [{"type": "image_url", "image_url": {"url": image.data_url}} for image in self.images]
            said = [*shown, {"type": "text", "text": said}]
        return [{"role": "system", "content": self.system}, {"role": "user", "content": said}]

    @property
    def hash(self) -> str:
        """A hash of what the model is sent, 16 bytes in hex."""
        texts = (self.system, self.record, self.task, *(image.sha256 for image in self.images))
        return sha256("\0".join(texts).encode()).hexdigest()[:32]


def render(request: Request, templates: Templates, form: str, tasks: Iterable[str] = (), **values: str) -> Prompt:
    """The prompt of a request. Reading the view is charged to it, and may raise BudgetExceeded.

    form: how the answer must look. tasks: names of task templates to try before the usual ones; values: more for them.
    """
    brief, role, task = request.brief, request.role, request.brief.get("task") or ""
    kinds, entries = list(map(kind_name, request.kinds)), list(request.view)
    own = kinds if len(kinds) == 1 else []
    names = [f"task.{task}.{kind}" for kind in own] + [f"task.{task}.{role}", f"task.{task}"] if task else []
    names = [*tasks, *names, *(f"task.{kind}" for kind in own), "task"]
    side, more = stance(request), brief.get("details")
    details = json.dumps(more, ensure_ascii=False, default=str) if more else None
    system = templates.fill([f"system.{role}", "system"], {"role": escape(role)})
    filled = templates.fill(names, {
        "seat": escape(request.seat), "role": escape(role), "task": escape(task or " or ".join(kinds)),
        "kinds": " or ".join(f"{'an' if kind[:1] in 'aeiou' else 'a'} {escape(kind)}" for kind in kinds),
        "stance": side and f"{escape(side)}. ", "claim": _claim(brief, entries), "round": _round(brief),
        "about": " ".join(filter(None, map(about, request.kinds))), "limits": _limits(brief),
        "asks": _element("You are asked: ", "asked", brief.get("asks"), " "),
        "details": _element("Details: ", "details", details, ""),
        "problem": _element("Your last answer to this was not accepted: ", "problem", request.problem,
                            " Give another one that is."), "format": form, **values,
    })  # fmt: skip
    lines = re.sub(r"\n{2,}", "\n", filled)
    question = request.view.question
    return Prompt(system, record(question, entries), f"<turn>\n{lines}\n</turn>", templates.version, question.images)


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
    return f"<statement{_attributes({**place, **move.prompt_attributes(), **place})}>{_body(move)}</statement>\n"


def _body(move: Move) -> str:
    body = move.prompt_body()
    return escape(body) if isinstance(body, str) else "".join(map(_part, body))


def _part(part: str | Part) -> str:
    if isinstance(part, str):
        return escape(part)
    mark = {} if part.verified is None else {"verified": "yes" if part.verified else "no"}
    return f"<{part.tag}{_attributes({**dict(part.attributes), **mark})}>{escape(part.text)}</{part.tag}>"


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={_attribute(value)}" for name, value in values.items())


def _attribute(text: str) -> str:
    value = escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{value}"'


def kind_name(kind: type[Move]) -> str:
    """The `kind` of a move type."""
    return str(kind.model_fields["kind"].default)


def about(kind: type[Move]) -> str:
    """What a kind of move is, in the words of its class: the first paragraph of its docstring."""
    return " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split())


def side_of(request: Request) -> tuple[int, int] | None:
    """1 and the index of the answer that the seat defends, or -1 and that of the one which it criticises; None without."""
    for sign, answer in ((1, request.brief.get("answer")), (-1, request.brief.get("against"))):
        if answer is not None and 0 <= answer < len(request.view.question.choices):
            return sign, answer
    return None


def stance(request: Request) -> str:
    """The answer that the seat defends or criticises, in words; "" without one."""
    if (side := side_of(request)) is None:
        return ""
    does = "defend" if side[0] > 0 else "criticise the case for"
    return f"You {does} answer {side[1] + 1}: {request.view.question.choices[side[1]]}"


def _round(brief: Brief) -> str:
    number, count = brief.get("round"), brief.get("rounds")
    if number is None:
        return ""
    of = f" of {count}" if count is not None and number <= count else ""
    return "This is the opening. " if number < 1 else f"This is round {number}{of}. "


def _claim(brief: Brief, entries: Iterable[Entry]) -> str:
    """What the turn is about: the question, an earlier claim by its step, or that an answer to a question is right."""
    if (claim := brief.get("claim")) is None:
        return ""
    if "claimed" in brief:
        return f"The claim at hand: <claim question={_attribute(claim)}>{escape(brief['claimed'])}</claim> "
    response = f" Your response to it: {escape(brief['label'])}." if brief.get("label") else ""
    if claim == "q":
        return f"This is about the question.{response} "
    said = next((_body(entry.move) for entry in entries if entry.step == claim), None)
    shown = "" if said is None else f": <claim>{said}</claim>"
    return f"This is about the claim of step {escape(claim)}{shown or '.'}{response} "


def limits_of(brief: Brief) -> tuple[Limit | None, Limit | None]:
    """The limits of the brief on a speech and on its quotes."""
    said, quoted = brief.get("limit"), brief.get("quote_limit")
    return Limit(**said) if said else None, Limit(**quoted) if quoted else None


def limits_told(brief: Brief) -> list[str]:
    """Those limits, in a sentence each."""
    return [f"{does} {limit}." for does, limit in zip(("Say", "Quote"), limits_of(brief), strict=True) if limit]


def _limits(brief: Brief) -> str:
    said, least = limits_told(brief), brief.get("least", {})
    for name, count in brief.get("most", {}).items():
        said.append(f"{'Exactly' if least.get(name) == count else 'At most'} {count} {escape(name)}.")
    if (left := brief.get("budget")) is not None:
        said.append(f"Your budget is {left}: a question costs 1 and what its answer takes, everything else costs 1.")
    return " ".join(said)


def _element(before: str, tag: str, text: str | None, after: str) -> str:
    """A text in an element of its own, between words; "" where there is no text."""
    return f"{before}<{tag}>{escape(text)}</{tag}>{after}" if text else ""
