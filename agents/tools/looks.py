"""A look: a move that a model may make within its turn, and what it is shown for it.

Rule of this file: addresses in, texts out. The view charges for what it shows, and for being asked about what is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator

from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.values.looking import PLACES as FOUND
from moot.protocols.engine.values.looking import SEARCHED
from moot.protocols.engine.view import View

PLACES = 32
"""The most addresses of one look."""
SHOWN = 20_000
"""The most characters that one look shows."""
LONGEST = 1000  # characters of an address
AROUND = 80
"""Characters shown on either side of what a search finds."""
NAMED, WRONG = 80, 200
"""The most characters that are told of an address, and of what is wrong with it."""
TOLD = SHOWN + FOUND * (SEARCHED + 2 * AROUND) + (PLACES + FOUND + 2) * (NAMED + WRONG + 40)
"""The most characters that a model is told for one look, with the marks around each place."""
_DIGITS = re.compile(r"\d{0,18}")
_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")
_BETWEEN = re.compile(r"[\s\[\],.\"']+")


def _listed(value: Any) -> Any:
    """One address is a list of one, and a number, or a list of names and numbers, an address."""
    several = value if isinstance(value, (list, tuple)) else [] if value in (None, "") else [value]
    return [each if isinstance(each, str) else json.dumps(each) for each in several]


At = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Look(Move, abstract=True):
    """You look at what you may look at, are shown it, and are asked again."""

    kind: Literal["look"] = "look"
    at: Annotated[At, Asked('a JSON list of addresses, such as ["0", "2:5"]')] = ()


class LookAndFind(Look, abstract=True):
    """The same, where there is a passage to search."""

    find: Annotated[str | None, Asked("a text to search for in the passage", none="none")] = None


class Enough(Move, abstract=True):
    """You have seen enough, and will decide when you are asked to, which is next."""

    kind: Literal["enough"] = "enough"


class Seen(NamedTuple):
    """What one look came to in one place: what was asked for ("at" or "find") and what was shown, or why there is nothing."""

    by: str
    place: str
    shown: str | None
    problem: str | None = None


def seen(view: View, look: Look) -> Iterator[Seen]:
    """What a look shows, place by place. Raises BudgetExceeded where the seat may not read so much."""
    find = getattr(look, "find", None)
    room = SHOWN
    if not look.at and not find:
        yield Seen("at", "", None, "the look names no place: give addresses in at")
    for place in look.at[:PLACES]:
        if room <= 0:
            yield Seen("at", place, None, f"one look shows {SHOWN:,} characters at most; look there again")
            continue
        try:
            shown = _at(view, place, room)
        except Illegal as error:
            yield Seen("at", place, None, str(error))
        else:
            room -= len(shown)
            yield Seen("at", place, shown)
    if len(look.at) > PLACES:
        yield Seen("at", "", None, f"one look takes {PLACES} addresses at most; the others were not looked at")
    if find:
        try:
            found = view.find(find, AROUND)
        except Illegal as error:
            yield Seen("find", find, None, str(error))
            return
        if not found:
            yield Seen("find", find, None, "it stands nowhere in the passage")
        for start, text in found:
            yield Seen("find", f"{find} ({start})", text)


def _at(view: View, place: str, room: int) -> str:
    """What stands at an address. Raises Illegal."""
    names, span = parsed(place)
    if span is not None and view.has_excerpts and (names == ["passage"] or (not names and not view.has_cells)):
        start, end = span
        text = view.excerpt(start, min(start + room, start + room if end is None else end))
        if not text:
            raise Illegal(f"the passage has no characters {place}")
        cut = len(text) == room and (end is None or end - start > room)
        return f"{text}… (cut here; go on from {start + room})" if cut else text
    if not view.has_cells:
        raise Illegal(f"{place!r} is no address in the passage; give a range of characters, such as 0:200")
    if span is None:
        return _cut(_json(view.probe(*names)))
    start, end = span
    told, size, index = list[str](), 0, start
    while end is None or index < end:
        if size > room:
            told.append(f"(cut here; go on from {index})")
            break
        try:
            told.append(f"{index}: {_json(view.probe(*names, index))}")
        except Illegal:
            if index == start:
                raise
            told.append(f"(the list ends here, before {index})")
            break
        size, index = size + len(told[-1]), index + 1
    return _cut("\n".join(told))


def parsed(place: str) -> tuple[list[int | str], tuple[int, int | None] | None]:
    """An address as names and numbers, with the range that it may end in: "clauses 2", "clauses[2]", "rows 3:7", or a JSON list.
    Raises Illegal for what is none."""
    if len(place) > LONGEST:
        raise Illegal(f"an address has at most {LONGEST} characters, this one {len(place):,}")
    if place.lstrip().startswith("["):
        try:
            exact = json.loads(place)
        except (ValueError, RecursionError):
            exact = None
        if isinstance(exact, list) and exact and all(type(each) in (int, str) for each in exact):
            return exact, None
    span = None
    before, colon, end = place.rpartition(":")
    end, before = end.strip().removesuffix("]").strip(), before.rstrip()
    start = before[len(before.rstrip("0123456789")) :]
    if colon and len(start) <= 18 and _DIGITS.fullmatch(end):
        span = int(start or 0), int(end) if end else None
        place = before[: len(before) - len(start)].rstrip().removesuffix("[")
    words = [word for word in _BETWEEN.split(place) if word]
    names: list[int | str] = [int(word) if _NUMBER.fullmatch(word) else word for word in words]
    if not names and span is None:
        raise Illegal(f"{place[:80]!r} is no address")
    if span is not None and span[1] is not None and span[1] <= span[0]:
        raise Illegal(f"the range {span[0]}:{span[1]} holds nothing; its end must be over its start")
    return names, span


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    cut = f"… (cut: {len(text):,} characters in all; look at a part of it)" if len(text) > SHOWN else ""
    return text[:SHOWN] + cut
