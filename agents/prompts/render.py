"""A request as chat messages: a system message per role, then one record that only ever grows, then this turn's task.

The record holds the question, the answers, the passage where the seat may see it, and the statements in order. It is a
row of XML elements whose text is escaped, so that whatever a statement says stays inside it; and from one call of a
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
from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Request

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL_WORD = re.compile(r"\[(?=/?[A-Z_]{2,}\])")  # [INST] and the like steer some models' chat templates


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered request. The user message is `record` followed by `task`."""

    system: str
    record: str
    task: str
    template: str

    def messages(self) -> list[dict[str, str]]:
        """The chat messages."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": f"{self.record}\n{self.task}"}]

    @property
    def hash(self) -> str:
        """A hash of what the model is sent, 16 bytes in hex."""
        return sha256("\0".join((self.system, self.record, self.task)).encode()).hexdigest()[:32]


def render(request: Request, templates: Templates, form: str, tasks: Iterable[str] = (), **values: str) -> Prompt:
    """The prompt of a request. Reading the view is charged to it, and may raise BudgetExceeded.

    form: how the answer must look. tasks: names of task templates to try before the usual ones; values: more for them.
    """
    brief = request.brief
    task = str(brief.get("task") or "")
    role = request.role
    kinds = [kind_name(kind) for kind in request.kinds]
    names = [*tasks]
    if task:
        names += [f"task.{task}.{kinds[0]}"] if len(kinds) == 1 else []
        names += [f"task.{task}.{role}", f"task.{task}"]
    names += [f"task.{kind}" for kind in kinds] if len(kinds) == 1 else []
    entries = list(request.view)
    system = templates.fill([f"system.{role}", "system"], {"role": escape(role)})
    filled = templates.fill(
        [*names, "task"],
        {
            "seat": escape(request.seat), "role": escape(role), "task": escape(task or " or ".join(kinds)),
            "kinds": " or ".join(_article(kind) for kind in kinds), "stance": _stance(request),
            "claim": _claim(brief, entries),
            "about": " ".join(filter(None, map(about, request.kinds))),
            "round": _round(brief), "asks": _asks(brief), "details": _details(brief), "limits": _limits(brief),
            "problem": _problem(request.problem), "format": form, **values,
        },
    )  # fmt: skip
    lines = re.sub(r"\n{2,}", "\n", filled)
    return Prompt(system, record(request.view.question, entries), f"<turn>\n{lines}\n</turn>", templates.version)


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


def escape(text: str) -> str:
    """Text that an XML parser gives back exactly, and that no chat template takes for one of its control words.

    Characters that XML cannot hold (most control characters, lone surrogates) become U+FFFD.
    """
    text = _NOT_XML.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;").replace("\r", "&#13;")
    return _CONTROL_WORD.sub("&#91;", text)


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


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {escape(kind)}"


def _stance(request: Request) -> str:
    choices = request.view.question.choices
    for key, does in (("answer", "defend"), ("against", "criticise the case for")):
        answer = request.brief.get(key)
        if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
            return f"You {does} answer {answer + 1}: {escape(choices[answer])}. "
    return ""


def _round(brief: Mapping[str, Any]) -> str:
    number, count = brief.get("round"), brief.get("rounds")
    if isinstance(number, bool) or not isinstance(number, int):
        return ""
    if number < 1:
        return "This is the opening. "
    of = f" of {count}" if isinstance(count, int) and not isinstance(count, bool) and number <= count else ""
    return f"This is round {number}{of}. "


def _asks(brief: Mapping[str, Any]) -> str:
    text = brief.get("asks")
    return f"You are asked: <asked>{escape(str(text))}</asked> " if text else ""


def _claim(brief: Mapping[str, Any], entries: Iterable[Entry]) -> str:
    """What the turn is about: the question, an earlier claim by its step, or that an answer to a question is right."""
    claim, claimed, label = brief.get("claim"), brief.get("claimed"), brief.get("label")
    if not isinstance(claim, str):
        return ""
    if claimed is not None:
        return f"The claim at hand: <claim question={_attribute(claim)}>{escape(str(claimed))}</claim> "
    response = f" Your response to it: {escape(str(label))}." if label else ""
    if claim == "q":
        return f"This is about the question.{response} "
    said = next((_body(entry.move) for entry in entries if entry.step == claim), None)
    shown = "" if said is None else f": <claim>{said}</claim>"
    return f"This is about the claim of step {escape(claim)}{shown or '.'}{response} "


def _details(brief: Mapping[str, Any]) -> str:
    """What else the protocol says about this turn, as it says it."""
    more = brief.get("details")
    return f"Details: <details>{escape(json.dumps(more, ensure_ascii=False, default=str))}</details>" if more else ""


def _limits(brief: Mapping[str, Any]) -> str:
    said = []
    for key, what in (("limit", "Say at most"), ("quote_limit", "Quote at most")):
        most = limit_of(brief, key)
        if most is not None:
            said.append(f"{what} {most[0]} {most[1]}.")
    if isinstance(counts := brief.get("most"), Mapping):
        least = brief.get("least")
        exactly = [name for name in counts if isinstance(least, Mapping) and least.get(name) == counts[name]]
        said += [
            f"{'Exactly' if name in exactly else 'At most'} {count} {escape(str(name))}."
            for name, count in counts.items()
        ]
    if isinstance(left := brief.get("budget"), int):
        said.append(f"Your budget is {left}: a question costs 1 and what its answer takes, everything else costs 1.")
    return " ".join(said)


def limit_of(brief: Mapping[str, Any], key: str = "limit") -> tuple[int, str] | None:
    """A limit of the brief as (number, "characters" | "words" | "tokens"); None where there is none."""
    limit = brief.get(key)
    if isinstance(limit, Mapping):
        for name, unit in (("chars", "characters"), ("words", "words"), ("tokens", "tokens")):
            most = limit.get(name)
            if isinstance(most, int) and not isinstance(most, bool):
                return most, unit
    return None


def _problem(problem: str | None) -> str:
    if not problem:
        return ""
    return f"Your last answer to this was not accepted: <problem>{escape(problem)}</problem> Give another one that is."
