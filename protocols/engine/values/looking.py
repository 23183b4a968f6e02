"""What can be looked at in the source of a question: an outline of it, places in a passage, and whether it is small.

Rule of this file: values in, texts and numbers out. It knows no budget; the view charges for what is told.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moot.protocols.engine.errors import Illegal

PLACES = 20
"""The most places that one search tells."""
SEARCHED = 200
"""The most characters of a text that is searched for."""
MOST = (4096, 20_000)
"""The most cells, and characters, of a source that can be shown whole: that one has more than so many is all that is told of it."""
NAMES = 8
"""Names that an outline gives for nothing, being the form of the data; each further one costs a unit, as it may be data itself."""
LISTED = 40  # names that are told at all
LONG = 64  # characters of a name that are told
_KINDS = {str: "text", bool: "truth value", int: "number", float: "number", type(None): "nothing"}


def places(passage: str, text: str, around: int) -> list[tuple[int, str]]:
    """The first places of a text in a passage, each with its first character and what stands around it. Raises Illegal for a
    text that is none to search for."""
    if not text.strip() or len(text) > SEARCHED:
        raise Illegal(f"a search is for a text of 1 to {SEARCHED} characters, this one has {len(text.strip())}")
    found: list[tuple[int, str]] = []
    for match in re.finditer(re.escape(text), passage, re.IGNORECASE):
        found.append((match.start(), passage[max(0, match.start() - around) : match.end() + around]))
        if len(found) == PLACES:
            break
    return found


def small(data: Any, passage: str | None, cells: int, characters: int) -> str | None:
    """The data as JSON ("" where there are none), where data and passage are no more than so many cells and characters, and the
    JSON is no longer than a passage may be; else None."""
    if len(passage or "") > min(characters, MOST[1]) or _counted(data, limit := min(cells, MOST[0])) > limit:
        return None
    written = "" if data is None else json.dumps(data, ensure_ascii=False)
    return written if len(written) <= MOST[1] else None


def _counted(data: Any, limit: int) -> int:
    """The cells of data, up to one more than the limit."""
    if data is None:
        return 0
    count, left = 0, [data]
    while left and count <= limit:
        value = left.pop()
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
        if inner:
            left.extend(inner[: limit + 1])
        else:
            count += 1
    return count


def outlined(data: Any, passage: str | None, lengths: bool = True) -> tuple[str, int]:
    """What the source is, in words, and what that costs: a unit for each number, and for each name after the first few."""
    made = _Outline(lengths)
    lines = [] if data is None else made.lines(data)
    if data is not None:
        lines.append(f"an address in the data: {_example(data)}")
    if passage is not None:
        told = f"{made.number(len(passage))}characters" if lengths else "a text"
        lines += [f"the passage: {told}", "an address in the passage, by characters: passage 0:200"]
    return "\n".join(lines), made.cost


class _Outline:
    """An outline in the making, and its cost until now."""

    def __init__(self, lengths: bool) -> None:
        self.lengths, self.cost, self.names = lengths, 0, 0

    def lines(self, data: Any) -> list[str]:
        told = [f"the data: {self.kind(data)}"]
        if isinstance(data, dict):
            names = self.listed(data)
            told += [f"  {shown}: {self.kind(data[name], inner=True)}" for name, shown in names]
        return told

    def number(self, count: int) -> str:
        self.cost += self.lengths
        return f"{count:,} ".replace(",", "") if self.lengths else ""

    def kind(self, value: Any, inner: bool = False) -> str:
        """A value in words: its type, how long it is, and what is in it."""
        if isinstance(value, dict):
            named = ", ".join(shown for _, shown in self.listed(value)) if inner else ""
            more = f" of {self.number(len(value))}names" if self.lengths and (inner or len(value) > LISTED) else ""
            return f"an object{more}" + (f": {named}" if named else "")
        if not isinstance(value, list):
            return f"a {_KINDS.get(type(value), 'value')}".replace("a nothing", "nothing")
        if not value:
            return "an empty list" if self.lengths else "a list"
        kinds = sorted({_sort(each) for each in value})
        each = " and ".join(f"{kind}s" for kind in kinds)
        sizes = {len(entry) for entry in value if isinstance(entry, list)}
        if kinds == ["list"] and len(sizes) == 1 and self.lengths:
            each = f"lists of {self.number(sizes.pop()).strip()} each"
        return f"a list of {self.number(len(value))}{each}"

    def listed(self, value: dict[str, Any]) -> list[tuple[str, str]]:
        """Names of an object, each with what is told of it."""
        names = list(value)[: max(0, (LISTED if self.lengths else NAMES) - self.names)]
        self.cost += max(0, self.names + len(names) - max(NAMES, self.names))
        self.names += len(names)
        return [(name, name if len(name) <= LONG else f"{name[:LONG]}…") for name in names]


def _example(data: Any) -> str:
    """An address of data of this form."""
    if not isinstance(data, dict):
        return "0"
    name = next((each for each in data if isinstance(data[each], list)), next(iter(data), ""))
    address = [name, 0] if isinstance(data.get(name), list) else [name]
    return " ".join(map(str, address)) if re.fullmatch(r"[^\W\d]\w{0,63}", name) else json.dumps(address)[:200]


def _sort(value: Any) -> str:
    return (
        "list" if isinstance(value, list) else "object" if isinstance(value, dict) else _KINDS.get(type(value), "value")
    )
