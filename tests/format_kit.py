"""Transcripts rewritten event by event, their chain made anew: with other events between, or as version 1 wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import moot
from moot.transcripts.events import EventLog, event_body, played_part

Event = dict[str, Any]


def rewritten(transcript: moot.Transcript, change: Callable[[Event], Event | None]) -> list[bytes]:
    """Its lines, each changed (None: left as it is), under a whole chain."""
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in transcript.pairs():
        fields = {name: value for name, value in event.items() if name not in ("meta", "chain")}
        other = change(fields)
        if other is None:
            log.line(played_part(line), event["meta"])
        else:
            log.event(other["event"], {k: v for k, v in other.items() if k != "event"}, event["meta"])
    return lines


def mixed(transcript: moot.Transcript, others: Iterable[tuple[int, str, Event, Event]]) -> list[bytes]:
    """Its lines with others between: the line that each comes after, its event's name, fields and meta."""
    after: dict[int, list[tuple[bytes, Event]]] = {}
    count = sum(1 for _ in transcript.lines())
    for place, name, fields, meta in others:
        after.setdefault(place % count, []).append((event_body(name, fields), meta))
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for number, (line, event) in enumerate(transcript.pairs()):
        log.line(played_part(line), event["meta"])
        for body, meta in after.get(number, ()):
            log.line(body, meta)
    return lines


def as_version_1(event: Event) -> Event:
    """An event as version 1 wrote it; the hashes of requests are of another making."""
    event = {"implied" if name == "full_tree_size" else name: value for name, value in event.items()}
    if event["event"] == "started":
        event["version"] = 1
    if "request" in event:
        event["request"] = event["request"][::-1]
    if event.get("outcome", {}).get("kind") in ("forfeited", "exhausted"):
        event["outcome"] = {"role" if name == "seat" else name: value for name, value in event["outcome"].items()}
    return event
