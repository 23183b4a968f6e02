"""What is recorded of a call: what its seat is shown, and what its agent says of it, by `request.note`.

Rule of this file: a note holds its step, its seat, the names of the seats, and how an event is recorded; nothing of the play.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from moot.agents.money.cap import booked
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.replies import as_data
from moot.protocols.engine.values.evidence import evidence
from moot.transcripts.events import PLAYED, EventLog
from moot.transcripts.wellformed import noted

SHORT = 64
"""Characters up to which a text of a prompt is kept each time."""
MOST = 12 << 20
"""The most bytes of the texts of one prompt; what is over is kept by its hash alone, as a line has an end."""
_DRIVEN = frozenset({"told", "shown", "asked", "cancelled", "resumed", "imported"})
"""Events of a play besides those that make it up: whoever drives it records them."""
_OWN = frozenset({"event", "step", "seat", "meta", "chain"})  # fields of an event that a note cannot set
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}").fullmatch
Record = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]


def record_note(
    event: dict[str, Any], step: str, seat: str, roles: Mapping[str, str], record: Record, clock: Callable[[], str], texts: dict[str, None]
) -> None:  # fmt: skip
    """Record what an agent notes. texts: hashes of the texts of prompts that this play has recorded, to which those of this one
    are added. Raises UsageError on what is no event of an agent, or could not be read back."""
    fields = dict(event)
    name = str(fields.pop("event", "attempted"))
    if name in PLAYED or name in _DRIVEN:
        raise UsageError(f"seat {seat} notes an event {name!r}, which the play itself records; rename it")
    fields = as_data(fields)
    if (name in ("reserved", "capped") or "hold" in fields) and not booked(name, fields):
        raise UsageError(
            f"seat {seat} notes an event {name!r} of money that no cap has set aside or refused; rename it"
        )
    if _NAME(name) is None:
        raise UsageError(f"seat {seat} notes an event {name!r}; a name is 1 to 40 of a-z, 0-9, - and _")
    if not _OWN.isdisjoint(fields):
        taken = next(field for field in fields if field in _OWN)
        raise UsageError(f"seat {seat} notes an event {name!r} with a field {taken!r} of the log; rename it")
    if name == "prompted":
        fields["messages"] = _once(fields.get("messages"), texts)
    told = {"step": step, "seat": seat, **fields}
    noted(name, told, roles)
    record(name, told, {"at": clock()})


def showing(game: Game, step: str, log: EventLog) -> None:
    """Record what is shown at an open step, where the play's record has not all of it."""
    waiting = game.open[step]
    shown = evidence(waiting.ask, waiting.branch, game.question, game.taken)
    if shown is not None:
        log.ahead("shown", {"step": step, "seat": waiting.ask.seat, **shown})


def _once(messages: Any, known: dict[str, None]) -> list[dict[str, Any]]:
    """The messages of a prompt, with the text of each that this play has recorded before left out: its hash, which is made
    here, stands for it. Raises UsageError where they are no messages."""
    room, made = MOST, []

    def short(part: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal room
        text = part.get("content")
        if not isinstance(text, str) or len(text) <= SHORT:
            return dict(part)
        digest = sha256(text.encode()).hexdigest()
        told = {**{key: value for key, value in part.items() if key != "content"}, "sha256": digest}
        if digest in known:
            return told
        size = len(to_json(text))
        if size > room:
            return {**told, "characters": len(text)}
        room -= size
        known[digest] = None
        return {**told, "content": text}

    for message in messages if isinstance(messages, list) else [None]:
        if not isinstance(message, Mapping):
            raise UsageError("an event 'prompted' has messages: a list of objects with role and content, or parts")
        parts = message.get("parts")
        made.append({**message, "parts": [short(each) if isinstance(each, Mapping) else each for each in parts]}
                    if isinstance(parts, list) else short(message))  # fmt: skip
    return made
