"""What an agent may record of its own call: `request.note`.

Rule of this file: a note holds its step, its seat, the names of the seats, and how an event is recorded; nothing of the play.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from moot.agents.money.cap import booked
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.replies import as_data
from moot.transcripts.events import PLAYED
from moot.transcripts.wellformed import noted

_OWN = ("event", "step", "seat", "meta", "chain")  # fields of an event that a note cannot set
Record = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]


def noting(
    step: str, seat: str, roles: Mapping[str, str], record: Record, clock: Callable[[], str]
) -> Callable[[dict[str, Any]], None]:
    """The `note` of a request. It raises UsageError on what is no event of an agent, or could not be read back."""

    def note(event: dict[str, Any]) -> None:
        fields = dict(event)
        name = str(fields.pop("event", "attempted"))
        if name in PLAYED or name == "resumed":
            raise UsageError(f"seat {seat} notes an event {name!r}, which the play itself records; rename it")
        fields = as_data(fields)
        if (name in ("reserved", "capped") or "hold" in fields) and not booked(name, fields):
            raise UsageError(
                f"seat {seat} notes an event {name!r} of money that no cap has set aside or refused; rename it"
            )
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
            raise UsageError(f"seat {seat} notes an event {name!r}; a name is 1 to 40 of a-z, 0-9, - and _")
        if taken := [field for field in _OWN if field in fields]:
            raise UsageError(f"seat {seat} notes an event {name!r} with a field {taken[0]!r} of the log; rename it")
        noted({"event": name, "step": step, "seat": seat, **fields}, roles)
        record(name, {"step": step, "seat": seat, **fields}, {"at": clock()})

    return note
