"""Looking for plays: filters, questions, and words that were said, so many files at a time.

Rule of this file: a request opens a bounded number of files; where more would have to be opened it says how far it came, and goes on from
there when it is asked to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlencode

from moot.protocols.recorded import import_moves_of, words_of
from moot.transcripts.transcript import Transcript
from moot.web.viewer.listing import Item, read, read_whole

PAGE = 50
"""Plays on a page."""
GLANCED, WHOLE, BYTES = 1000, 200, 64_000_000
"""The most files that a request opens: at their ends; from end to end; and how many bytes in the latter case, but for the first."""
LONGEST = 200
"""Characters of a field."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; "" for anything. q: in names and questions. words: in what was said. right, guarantee: "yes", "no" or
    "unknown". start: the place, in the order, from which to go on."""

    q: str = ""
    words: str = ""
    protocol: str = ""
    arm: str = ""
    outcome: str = ""
    judge: str = ""
    right: str = ""
    guarantee: str = ""
    sort: str = "name"
    start: int = 0

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Wanted:
        """From the fields of an address; what makes no sense there is left out."""
        texts = {each.name: given.get(each.name, "").strip()[:LONGEST] for each in fields(cls) if each.name != "start"}
        texts["sort"] = texts["sort"] if texts["sort"] in ("name", "newest", "oldest") else "name"
        start = given.get("start", "")
        return cls(**texts, start=int(start) if start.isascii() and start.isdecimal() and len(start) < 10 else 0)

    def address(self, **changed: str | int) -> str:
        """The fields as they stand in an address, after the question mark."""
        held = {each.name: getattr(self, each.name) for each in fields(self)} | changed
        return urlencode([(name, value) for name, value in held.items() if value and (name, value) != ("sort", "name")])

    @property
    def ends(self) -> bool:
        """Whether the ends of a file must be read to know whether it is wanted."""
        return any((self.protocol, self.outcome, self.judge, self.right, self.q))

    @property
    def whole(self) -> bool:
        """Whether all of it must be."""
        return bool(self.words or self.guarantee)


@dataclass(slots=True)
class Found:
    """items: what was found, `PAGE` at most. total: of all plays. upto: the place up to which all were looked at. matches: how many there
    are of them all, where that took no reading; None where it would. before, after: where the page before and after begin, or None."""

    items: list[Item] = field(default_factory=list)
    total: int = 0
    upto: int = 0
    matches: int | None = None
    before: int | None = None
    after: int | None = None


def search(items: list[Item], wanted: Wanted) -> Found:
    """The plays that are wanted, from `start` on."""
    ordered = _sorted(items, wanted.sort)
    known = not wanted.words and all(
        (item.deep or not wanted.guarantee) and (item.read or not wanted.ends) for item in ordered
    )
    if known:
        return _page(ordered, wanted)
    found = Found(total=len(ordered), upto=min(wanted.start, len(ordered)))
    glanced = whole = size = 0
    for item in ordered[found.upto :]:
        if len(found.items) == PAGE or glanced >= GLANCED or whole >= WHOLE or (whole and size + item.size > BYTES):
            break
        if not item.read:
            glanced += 1
            read(item)
        if _fits(item, wanted, whole=False) and _deep(item, wanted):
            found.items.append(item)
        if wanted.whole and _fits(item, wanted, whole=False) and (wanted.words or not item.deep):
            whole, size = whole + 1, size + item.size
        found.upto += 1
    found.after = found.upto if found.upto < found.total else None
    found.before = 0 if wanted.start else None
    return found


def values(items: Iterable[Item]) -> dict[str, list[str]]:
    """The values that there are of what can be filtered by, of plays that were read so far."""
    found: dict[str, set[str]] = {name: set() for name in ("protocol", "arm", "outcome", "judge")}
    for item in items:
        for name, held in found.items():
            if (value := getattr(item, name)) and (item.read or name == "arm"):
                held.add(value)
    return {name: sorted(held)[:500] for name, held in found.items()}


def _page(ordered: list[Item], wanted: Wanted) -> Found:
    places = [place for place, item in enumerate(ordered) if _fits(item, wanted)]
    first = bisect_left(places, wanted.start)
    if first == len(places):  # there are fewer by now
        first = max(0, first - 1) // PAGE * PAGE
    shown = [read(ordered[place]) for place in places[first : first + PAGE]]
    after = places[first + PAGE] if first + PAGE < len(places) else None
    before = places[max(0, first - PAGE)] if first else None
    return Found(shown, len(ordered), len(ordered), len(places), before, after)


def _sorted(items: list[Item], sort: str) -> list[Item]:
    if sort == "name":
        return sorted(items, key=lambda item: (item.name, item.id))
    return sorted(items, key=lambda item: (item.changed, item.name), reverse=sort == "newest")


def _fits(item: Item, wanted: Wanted, whole: bool = True) -> bool:
    """Whether what is known of a play fits. whole: what only a read of all of it shows counts too."""
    for name in ("protocol", "arm", "outcome"):
        if (value := getattr(wanted, name)) and getattr(item, name) != value:
            return False
    if wanted.judge and wanted.judge.casefold() not in (item.judge or "").casefold():
        return False
    if wanted.right and wanted.right != _told(item.right):
        return False
    if whole and wanted.guarantee and wanted.guarantee != _told(item.guarantee):
        return False
    told = f"{item.name}\n{item.question or ''}".casefold()
    return not wanted.q or wanted.q.casefold() in told


def _deep(item: Item, wanted: Wanted) -> bool:
    if not wanted.whole:
        return True
    if wanted.words or not item.deep:
        transcript = read_whole(item)
        if wanted.words and (transcript is None or not said_in(transcript, wanted.words)):
            return False
    return not wanted.guarantee or wanted.guarantee == _told(item.guarantee)


def said_in(transcript: Transcript, words: str) -> bool:
    """Whether somebody said these words, one after the other and in any letter case, in a move that was accepted."""
    import_moves_of(transcript.started["protocol"]["name"])
    looked = " ".join(words.casefold().split())
    return any(
        looked in " ".join(words_of(event["move"]).casefold().split())
        for event in transcript.events()
        if event["event"] in ("moved", "told")
    )


def _told(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]
