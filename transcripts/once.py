"""What a transcript says once: facts of its calls that repeat from line to line, left out and put back.

Rule of this file: what the digest covers is never touched, and `Whole` gives every event back as `Once` was given it, field by
field and in their order. What cannot be given back exactly is written as it is.

| in a line | stands for |
|---|---|
| `"after": 435` in a meta | its `at`: so many milliseconds after the `at` of `started` (fewer than 0 where the clock was set back) |
| `"same": true` in the meta of an `attempted` | fields that are not written are those of the last `attempted` of this seat |
| the name of a seat in the `seats` of `started` or `resumed` | what that seat says of itself, in the same bytes |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

_SEATED = ("started", "resumed")
_MS = timedelta(milliseconds=1)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{3}\+00:00", re.ASCII).fullmatch
_DIGITS = re.compile(r"[0-9]{3}").fullmatch
Fields = Mapping[str, Any]


class Once:
    """Shortens the events of one log in their order. It holds the last `attempted` of each seat, and the last second."""

    __slots__ = ("_since", "_last", "_second", "_passed")

    def __init__(self, at: str | None = None) -> None:
        """at: of the `started` of a log that is taken up again."""
        self._since = _read(at)
        self._last: dict[Any, Fields] = {}
        self._second, self._passed = "", 0  # "2026-11-30T10:17:00.", and the milliseconds from the beginning until then

    def short(self, name: str, fields: Fields, meta: Fields) -> tuple[Fields, Fields]:
        """The fields and the meta to be written for an event which has a meta. Of an `attempted`, `wrote` is told once it was."""
        if name in _SEATED:
            if name == "started":
                self._since, self._second = _read(meta.get("at")), ""
            if isinstance(seats := meta.get("seats"), dict):
                meta = {**meta, "seats": _named(seats)}
        if (
            name != "started"
            and "at" in meta
            and (after := self._after(meta["at"])) is not None
            and "after" not in meta
        ):
            meta = {"after": after} if len(meta) == 1 else _renamed(meta, "at", "after", after)
        if name == "attempted" and "same" not in meta:
            last = self._last.get(fields.get("seat"))
            if last is not None and len(fields) <= _FEW and list(last) == list(fields):
                written = {
                    key: value for key, value in fields.items()
                    if key in _OWN or not (value is (other := last[key]) or _equal(value, other))
                }  # fmt: skip
                if len(written) < len(fields):
                    return written, {**meta, "same": True}
        return fields, meta

    def wrote(self, fields: Fields) -> None:
        """This `attempted` is in the log: what the next one of its seat has in common with it is left out."""
        self._last[fields.get("seat")] = fields

    def _after(self, at: Any) -> int | None:
        """A time as milliseconds since the beginning, where that gives it back to the letter."""
        if type(at) is str and at[:20] == self._second and at[23:] == "+00:00" and _DIGITS(at, 20, 23) is not None:
            return self._passed + int(at[20:23])
        if self._since is None or (time := _read(at)) is None:
            return None
        passed = time - self._since
        after = passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000
        self._second, self._passed = at[:20], after - int(at[20:23])
        return after


_OWN = frozenset({"step", "seat"})
_FEW = 64  # fields of an attempt for which a later line may stand: a short line never becomes a large event
_LINE = ("event", "meta", "chain")  # what a line has besides
_MOST = 1 << 24  # bytes of all that is said of seats: as many as a line may have


class Whole:
    """Gives the events of one transcript back whole, in their order."""

    __slots__ = ("_since", "_last")

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: dict[Any, dict[str, Any]] = {}

    def of(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event that a line, as read, stands for. Raises ValueError, saying what is wrong, where it stands for none."""
        name, meta = event["event"], event.get("meta")
        if type(meta) is not dict:
            return event
        if name in _SEATED:
            if name == "started":
                self._since = _read(meta.get("at"))
            if type(seats := meta.get("seats")) is dict:  # old files may hold other words there, which are left
                meta["seats"] = _described(seats)
        same = meta.pop("same", None) if (marked := name == "attempted" and "same" in meta) else None
        if "after" in meta:
            at = self._at(meta["after"])
            event["meta"] = {"at": at} if len(meta) == 1 else _renamed(meta, "after", "at", at)
        if name == "attempted" and type(seat := event.get("seat")) is str:
            if marked:
                if (last := self._last.get(seat)) is None or same is not True or len(last) > _FEW + len(_LINE):
                    raise ValueError(
                        f"meta.same must be true, and stand for an earlier attempt of this seat, of at most {_FEW} fields"
                    )
                event = {**last, **event}
            self._last[seat] = event.copy()
        return event

    def _at(self, after: Any) -> str:
        try:
            if self._since is not None and type(after) is int:
                return (self._since + after * _MS).isoformat("T", "milliseconds") + "+00:00"
        except OverflowError:
            pass
        raise ValueError(
            f"meta.after is {after!r:.40}; it must be a whole number of milliseconds after the `at` of the first event"
        )


def _read(at: Any) -> datetime | None:
    """A time that is written as the driver writes it, to the millisecond in UTC. The zone is left out here: it doubles what writing takes."""
    try:
        return datetime.fromisoformat(at[:23]) if type(at) is str and _FORM(at) is not None else None
    except ValueError:
        return None


def _renamed(meta: Fields, old: str, new: str, value: Any) -> Fields:
    """The meta with another key and value in the place of one."""
    return {new if key == old else key: value if key == old else each for key, each in meta.items()}


def _equal(value: Any, other: Any) -> bool:
    """Whether both are written in the same bytes; false of what has parts, and of 0.0, which may be -0.0."""
    kind = type(value)
    return kind is type(other) and value == other and (kind is str or kind is int or (kind is float and value != 0))


def _named(seats: Fields) -> Fields:
    """Who sits where, with the name of an earlier seat in place of the same description."""
    if not all(isinstance(said, Mapping) for said in seats.values()):
        return seats
    first: dict[bytes, str] = {}
    written = {seat: to_json(said) for seat, said in seats.items()}
    if sum(map(len, written.values())) > _MOST:
        return seats
    owner = {seat: first.setdefault(said, seat) for seat, said in written.items()}
    return {seat: said if owner[seat] == seat else owner[seat] for seat, said in seats.items()}


def _described(seats: Mapping[str, Any]) -> dict[str, Any]:
    """Who sits where, with what was said of an earlier seat in place of its name. Raises ValueError where that is more than was
    ever written."""
    found, sizes, size = dict(seats), dict[str, int](), 0
    for seat, said in seats.items():
        if type(said) is str and type(known := seats.get(said)) is dict:
            if said not in sizes:
                sizes[said] = len(to_json(known))
            if (size := size + sizes[said]) > _MOST:
                raise ValueError(f"meta.seats stand for more than {_MOST:,} bytes, which no line holds")
            found[seat] = dict(known)
    return found
