"""What a template may say of a request: the variables, each a text that is safe to stand in a prompt.

Rule of this file: facts in words. Which template they go into, and where it stands in the prompt, is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import to_json

from moot.agents.prompts.elements import attribute, words
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Move
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Brief, Facts, Request
from moot.protocols.engine.view import Entry
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.text import escape

SYSTEM = frozenset({
    "protocol", "about_protocol", "seat", "role", "seats", "sees", "source", "sides", "count", "size", "notes",
})  # fmt: skip
"""Variables that are the same in every turn of a seat, and so may stand in a system message.

protocol: its name, about_protocol: the first paragraph of its docstring; seat, role: of the reader; seats: who sits where; source:
what the question comes with ("passage"); sees: who sees that, in sentences; sides: who defends which answer, in sentences, as far
as that is settled before the play; count: how many answers there are; size: the n that the question declares; notes: private
notes of whoever sits there, which are added to a system message that does not say where they go. Beside these there is
`param_NAME` for each parameter of the protocol, in words ("none", "yes", "lmsr").
"""
KNOWN = SYSTEM | frozenset({
    "task", "kinds", "about", "question", "choices", "stance", "answer", "rivals", "all_sides", "round", "asks", "claim", "details",
    "limits", "length", "problem", "format", "options", "labels",
})  # fmt: skip
"""All of them. task: what the turn is; kinds: the kinds of moves that may be given, about: what their classes say of them; question,
choices: as in the record; stance: what the reader defends or criticises, in a sentence; answer: the text of that; rivals: the
others and what they defend; all_sides: like `sides`, with what was chosen in the play; round: where the play stands; asks: what was
asked; claim: what the turn is about; details: what else the protocol says, and `detail_NAME` one entry of it; limits: in
sentences; length: how much may be said and what must be quoted, in sentences; problem: what was wrong with the last answer, and that answer; format: how to answer; options, labels: the answers with
the tokens that stand for them, where one token is asked for.
"""
_REJECTED = 2000  # characters of an answer that was not accepted, which are shown again


class Told(Mapping[str, str]):
    """Variables by name. Each of `later` is put into words when a template first asks for it: most never are. made: those that
    are there already; later: makes one of a name, and names: says which it can make."""

    __slots__ = ("_later", "_made", "_names")

    def __init__(self, made: dict[str, str], later: Callable[[str], str], names: Callable[[], Iterable[str]]) -> None:
        self._made, self._later, self._names = made, later, names

    def __getitem__(self, name: str) -> str:
        if (text := self._made.get(name)) is None:
            text = self._made[name] = self._later(name)
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._made, *self._names())))

    def __len__(self) -> int:
        return len(list(iter(self)))


def of_system(request: Request) -> Mapping[str, str]:
    """The variables of a system message. They hold neither the request nor its facts, for which they are kept."""
    facts, role = request.facts, escape(request.role)
    notes = _element("Your private notes, which nobody else is shown: ", "notes", request.brief.get("notes"), "")
    found = dict.fromkeys(SYSTEM, "") | {"seat": escape(request.seat), "role": role, "notes": notes}
    if facts is None:
        return found
    asked, protocol = facts.question, facts.protocol
    made = found | {
        "protocol": escape(protocol.name), "about_protocol": escape(first_paragraph(type(protocol))),
        "seats": escape(_listed(seat if seat == role else f"{seat} ({role})" for seat, role in facts.seats.items())),
        "source": escape(_listed(facts.source)), "sees": escape(seen(facts)), "count": str(len(asked.choices)),
        "size": str(asked.size), "sides": escape(sides(facts.answers(), facts.choices)),
    }  # fmt: skip
    fields = type(protocol).model_fields

    def later(name: str) -> str:
        before, found, field = name.partition("param_")
        if before or not found or field not in fields:
            raise KeyError(name)
        return _param(getattr(protocol, field))

    return Told(made, later, lambda: (f"param_{name}" for name in fields))


def of_turn(
    request: Request, entries: Sequence[Entry], form: str, system: Mapping[str, str], values: Mapping[str, str]
) -> Mapping[str, str]:
    """The variables of a turn. entries: the statements that the seat is shown; form: how it is to answer; system: the variables
    of its system message, which a turn has as well; values: more, which come before all others."""
    turn = _Turn(request, entries)

    def later(name: str) -> str:
        if (make := _OF_TURN.get(name)) is not None:
            return make(turn)
        before, found, detail = name.partition("detail_")
        return _detail(turn.details[detail]) if found and not before and detail in turn.details else system[name]

    def names() -> Iterator[str]:
        yield from (*system, *_OF_TURN, *(f"detail_{name}" for name in turn.details))

    return Told({"format": form, "options": "", "labels": "", **values}, later, names)


class _Turn:
    """What the variables of a turn are made of."""

    def __init__(self, request: Request, entries: Sequence[Entry]) -> None:
        self.request, self.brief, self.question, self.entries = request, request.brief, request.view.question, entries

    @property
    def kinds(self) -> list[str]:
        return list(map(kind_name, self.request.kinds))

    @property
    def answers(self) -> Mapping[str, int]:
        """Seat to the answer that it defends."""
        facts = self.request.facts
        known = facts is not None and sorted(facts.question.choices) == sorted(self.question.choices)
        return facts.answers(self.entries) if facts is not None and known else {}

    @property
    def rivals(self) -> Mapping[str, int]:
        side, seat = self.side, self.request.seat
        own = -1 if side is None else side[1]
        return {each: answer for each, answer in self.answers.items() if answer != own and each != seat}

    @property
    def side(self) -> tuple[int, int] | None:
        return side_of(self.request)

    @property
    def stance(self) -> str:
        return f"{escape(text)}. " if (text := stance(self.request)) else ""

    @property
    def more(self) -> Mapping[str, Any]:
        return dict(self.brief.get("details") or {})

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """What else the protocol says, and in words that it has for it."""
        facts, more = self.request.facts, self.more
        return {**more, **(facts.protocol.explained(self.question, more) if facts is not None and more else {})}


_OF_TURN: Mapping[str, Callable[[_Turn], str]] = {
    "task": lambda turn: escape((turn.brief.get("task") or " or ".join(turn.kinds)).rpartition("/")[2]),
    "kinds": lambda turn: " or ".join(f"{'an' if kind[:1] in 'aeiou' else 'a'} {escape(kind)}" for kind in turn.kinds),
    "about": lambda turn: " ".join(filter(None, map(about, turn.request.kinds))),
    "question": lambda turn: escape(turn.question.text),
    "choices": lambda turn: escape("; ".join(f"{i}. {text}" for i, text in enumerate(turn.question.choices, 1))),
    "stance": lambda turn: turn.stance,
    "answer": lambda turn: "" if turn.side is None else escape(turn.question.choices[turn.side[1]]),
    "rivals": lambda turn: escape(sides(turn.rivals, turn.question.choices)),
    "all_sides": lambda turn: escape(sides(turn.answers, turn.question.choices)),
    "claim": lambda turn: _claim(turn.brief, turn.entries, turn.request.view.has_passage),
    "round": lambda turn: _round(turn.brief), "limits": lambda turn: _limits(turn.brief),
    "length": lambda turn: " ".join(limits_told(turn.brief, cut=False)),
    "asks": lambda turn: _element("You are asked: ", "asked", turn.brief.get("asks"), " "),
    "details": lambda turn: _element("Details: ", "details", _details(turn.more), ""),
    "problem": lambda turn: _problem(turn.request),
}  # fmt: skip


def _details(more: Mapping[str, Any]) -> str | None:
    return json.dumps(more, ensure_ascii=False, default=str) if more else None


def phases(brief: Brief) -> list[str]:
    """What a turn is besides: under a claim that was made before; by its round, the last one, the first one."""
    number, count = brief.get("round"), brief.get("rounds")
    found = ["under"] if "claimed" not in brief and brief.get("claim", "q") != "q" else []
    found += ["last"] if number is not None and number == count and number > 1 else []
    return found + (["first"] if number is not None and number <= 1 else [])


def sides(answers: Mapping[str, int], choices: Sequence[str]) -> str:
    """Who defends which answer, in sentences."""
    return " ".join(f"{seat} defends answer {answer + 1}: {choices[answer]}." for seat, answer in answers.items())


def seen(facts: Facts) -> str:
    """Who sees the source of the question, in sentences; "" where it has none, or nothing is declared."""
    if not facts.source:
        return ""
    what = _listed(f"the {each}" for each in facts.source)
    them = "it" if len(facts.source) == 1 and facts.source[0] != "images" else "them"
    by: dict[str, list[str]] = {}
    for seat, source in facts.sources.items():
        by.setdefault(source, []).append(seat)
    said = [f"{_listed(by['all'])} can see {what}"] if "all" in by else []
    if "metered" in by:
        pay = "pays" if len(by["metered"]) == 1 else "pay"
        said.append(f"{_listed(by['metered'])} may look at single places of {what}, and {pay} for every look")
    if "none" in by:
        who, know = _listed(by["none"]), "knows" if len(by["none"]) == 1 else "know"
        said.append(
            f"{who} cannot see {what}"
            if not said
            else f"{who} cannot see {them}, and {know} of {them} only what is said here"
        )
    return "".join(f"{each[:1].upper() + each[1:] if each.startswith('the ') else each}. " for each in said).strip()


def _listed(texts: Iterable[str]) -> str:
    *most, last = list(texts) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_paragraph(cls: type) -> str:
    """The first paragraph of a class's own docstring, on one line."""
    return " ".join((vars(cls).get("__doc__") or "").strip().split("\n\n")[0].split())


def kind_name(kind: type[Move]) -> str:
    """The `kind` of a move type."""
    if (name := _kinds.get(kind)) is None:
        name = _kinds[kind] = str(kind.model_fields["kind"].default)
    return name


_kinds: WeakKeyDictionary[type[Move], str] = WeakKeyDictionary()  # pydantic takes some µs to look up a class's fields


def about(kind: type[Move]) -> str:
    """What a kind of move is, in the words of its class: the first paragraph of its docstring."""
    return " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split())


def claim_told(brief: Brief) -> str:
    """What a turn is about, for people, in a sentence; "" where the protocol says nothing of it."""
    if (claim := brief.get("claim")) is None:
        return ""
    label = f", as {brief['label']}" if brief.get("label") else ""
    if "claimed" in brief:
        return f'This is about the claim that the answer to "{claim}" is "{brief["claimed"]}"{label}.'
    return f"This is about {'the question' if claim == 'q' else f'the claim of step {claim}'}{label}."


def side_of(request: Request) -> tuple[int, int] | None:
    """1 and the index of the answer that the seat defends, or -1 and that of the one which it criticises; None without. A seat
    whose turn does not say so may defend one all along."""
    brief, question, facts = request.brief, request.view.question, request.facts
    for sign, answer in ((1, brief.get("answer")), (-1, brief.get("against"))):
        if answer is not None and 0 <= answer < len(question.choices):
            return sign, answer
    if facts is not None and sorted(facts.question.choices) == sorted(question.choices):
        answer = facts.answers().get(request.seat)
        return None if answer is None else (1, answer)
    return None


def stance(request: Request) -> str:
    """The answer that the seat defends or criticises, in words; "" without one."""
    if (side := side_of(request)) is None:
        return ""
    does = "defend" if side[0] > 0 else "criticise the case for"
    return f"You {does} answer {side[1] + 1}: {request.view.question.choices[side[1]]}"


def _problem(request: Request) -> str:
    """What was wrong with the last answer to this request, and what that was."""
    if not request.problem:
        return ""
    again = _element("That answer was: ", "rejected", _rejected(request), " ") if request.rejected is not None else ""
    problem = _element("Your last answer to this was not accepted: ", "problem", request.problem, " ")
    return f"{problem}{again}Give another one that is."


def _rejected(request: Request) -> str:
    """An answer that was not accepted, in words where it is of a kind that was asked for."""
    try:
        said = typed(request.rejected, request.kinds).content()
    except Illegal:
        said = json.dumps(request.rejected, ensure_ascii=False, default=str)
    return said if len(said) <= _REJECTED else f"{said[:_REJECTED]}…"


def _param(value: Any) -> str:
    """A parameter of a protocol in words: "none", "yes", "no", a number, a text, or JSON."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    return escape(value if isinstance(value, str) else to_json(value).decode())


def _detail(value: Any) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _round(brief: Brief) -> str:
    number, count = brief.get("round"), brief.get("rounds")
    if number is None:
        return ""
    of = f" of {count}" if count is not None and number <= count else ""
    return "This is the opening. " if number < 1 else f"This is round {number}{of}. "


def _claim(brief: Brief, entries: Iterable[Entry], marks: bool) -> str:
    """What the turn is about: the question, an earlier claim by its step, or that an answer to a question is right."""
    if (claim := brief.get("claim")) is None:
        return ""
    if "claimed" in brief:
        return f"The claim at hand: <claim question={attribute(claim)}>{escape(brief['claimed'])}</claim> "
    response = f" Your response to it: {escape(brief['label'])}." if brief.get("label") else ""
    if claim == "q":
        return f"This is about the question.{response} "
    said = next((words(entry.move, marks) for entry in entries if entry.step == claim), None)
    shown = "" if said is None else f": <claim>{said}</claim>"
    return f"This is about the claim of step {escape(claim)}{shown or '.'}{response} "


def limits_of(brief: Brief) -> tuple[Limit | None, Limit | None]:
    """The limits of the brief on a speech and on its quotes."""
    said, quoted = brief.get("limit"), brief.get("quote_limit")
    return Limit(**said) if said else None, Limit(**quoted) if quoted else None


def limits_told(brief: Brief, cut: bool = True) -> list[str]:
    """Those limits, what becomes of a longer text (where `cut`), and what must be quoted, in a sentence each."""
    said, quoted = limits_of(brief)
    rules = [
        said and f"Say {said}.",
        said and cut and said.told,
        quoted and f"Quote {quoted}.",
        QUOTED[quotes_of(brief)],
    ]
    return [rule for rule in rules if rule]


def quotes_of(brief: Brief) -> Quoting:
    """What the words of the turn must quote."""
    need = brief.get("quotes", "free")
    return need if need in QUOTED else "free"  # type: ignore[return-value]


QUOTED: dict[Any, str] = {
    "free": "",
    "required": "Quote the passage at least once.",
    "verified": "Quote the passage at least once, word for word: words with a quote that does not stand there are not accepted.",
}
"""What must be quoted, in words."""


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
