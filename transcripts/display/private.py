"""What a transcript keeps of seats for its reader alone: thoughts, raw answers, notes, prompts, private fields of moves.

Rule of this file: it gathers. No seat is ever shown any of it; whoever reads a transcript sees it where they ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from moot.complexity.play import Play
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import move_class

OPEN = frozenset(
    "started moved rejected flipped charged entered left failed ended told asked attempted reserved capped cancelled resumed "
    "imported".split()
)
"""Events that are no private words of an agent: the play, what calls cost, interruptions."""
BRIEFED = "briefed"
"""How an agent with private notes describes itself."""
_PLACE = ("event", "step", "seat", "attempt", "meta", "chain")


class Aside(NamedTuple):
    """What was kept at a step. about: which attempt, candidate or call it belongs to, "" where there is one alone."""

    step: str
    seat: str
    kind: str
    about: str
    text: str


def aside(event: Mapping[str, Any]) -> Aside | None:
    """What an event of an agent keeps; None for any other, and for one that is not placed at a step."""
    name, step, seat = event["event"], event.get("step"), event.get("seat")
    if name in OPEN or not isinstance(step, str) or not isinstance(seat, str):
        return None
    fields = {key: value for key, value in event.items() if key not in _PLACE}
    about = [f"attempt {_told(event['attempt'])}"] if "attempt" in event else []
    if isinstance(text := event.get("text"), str):
        about += [f"{key} {_told(value)}" for key, value in fields.items() if key != "text"]
    elif name == "prompted":
        count = len(messages) if isinstance(messages := event.get("messages"), list) else "no"
        text = f"{count} messages; `moot show --asked {step}` prints them"
    else:
        text = "\n".join(f"{key}: {_told(value)}" for key, value in fields.items())
    return Aside(step, seat, name, ", ".join(about), text)


def private_fields(move: Any) -> dict[str, Any]:
    """The private fields of a recorded move, of a kind that is known here, without those left at their defaults."""
    cls = move_class(move.get("kind")) if isinstance(move, Mapping) else None
    if cls is None:
        return {}
    defaults = {name: cls.model_fields[name].get_default(call_default_factory=True) for name in cls.private_fields}
    return {name: move[name] for name, default in defaults.items() if name in move and move[name] != default}


def public(move: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded move without its private fields."""
    cls = move_class(move.get("kind"))
    return {name: value for name, value in move.items() if cls is None or name not in cls.private_fields}


def notes_in(agent: Any) -> Iterator[str]:
    """The private notes in what is recorded of an agent, and of those inside it."""
    if isinstance(agent, Mapping):
        if agent.get("agent") == BRIEFED and isinstance(notes := agent.get("notes"), str):
            yield notes
        agent = list(agent.values())
    for inner in agent if isinstance(agent, list) else ():
        yield from notes_in(inner)


def without_notes(agent: Any) -> Any:
    """The same without them."""
    if isinstance(agent, Mapping):
        less = {"notes"} if agent.get("agent") == BRIEFED else set()
        return {name: without_notes(value) for name, value in agent.items() if name not in less}
    return [without_notes(each) for each in agent] if isinstance(agent, list) else agent


def of_move(event: Mapping[str, Any]) -> Aside | None:
    """The private fields of a move that was made, or rejected."""
    found = private_fields(event.get("move"))
    text = "\n".join(f"{name}: {_told(value)}" for name, value in found.items())
    return Aside(event["step"], event["seat"], "private fields", "", text) if found else None


def asked_at(transcript: Play, step: str, shown: bool = False) -> list[dict[str, Any]]:
    """The prompts that were sent at a step, in their order: seat, attempt, and messages with their texts. Raises UsageError
    where none was recorded there, saying at which steps some were, unless what was `shown` there is on the record."""
    texts: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    places: dict[str, None] = {}
    for event in transcript.events():
        if event["event"] != "prompted" or not isinstance(messages := event.get("messages"), list):
            continue
        whole = [_with_text(message, texts) for message in messages if isinstance(message, Mapping)]
        places[str(event.get("step"))] = None
        if event.get("step") == step:
            found.append({**{key: event.get(key) for key in ("seat", "attempt")}, "messages": whole})
    if found or shown:
        return found
    if places:
        raise UsageError(f"no prompt was recorded at step {step}; some were at {', '.join(places)}")
    raise UsageError('no prompt was recorded in this play; ask the model with record="prompts"')


def shown_at(transcript: Play, step: str) -> dict[str, Any] | None:
    """What was shown at a step besides what had been said, with each statement's seat and move. None where nothing was."""
    said: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] | None = None
    for event in transcript.events():
        if event["event"] in ("moved", "told"):
            said[event["step"]] = {"seat": event.get("seat", "protocol"), "move": public(event["move"])}
        elif event["event"] == "shown" and event["step"] == step:
            found = event
    if found is None:
        return None
    fields = {name: value for name, value in found.items() if name not in ("event", "step", "meta", "chain")}
    statements: list[dict[str, Any]] = found["statements"]
    return {**fields, "statements": [{**said.get(each["step"], {}), **each} for each in statements]}


def shown_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """The same as text."""
    yield f"── shown to {shown['seat']} besides what was said ──"
    if "question" in shown:
        yield f"question: {shown['question']}"
        yield from (f"choice: {each}" for each in shown.get("choices") or ())
    if "data" in shown:
        yield f"data: {_told(shown['data'])}"
    yield f"all that had been said to it: {shown['first']} statements" if shown["first"] else "of what had been said:"
    for each in shown["statements"]:
        move = each.get("move")
        words = "(too long to be kept)" if move is None else _told(move.get("text") or move)
        yield f"[{each.get('seat', '')}, step {each['step']}] {words}"


def _with_text(message: Mapping[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """A message with the text for which its hash stands, as far as an event before it holds that."""
    parts = message.get("parts")
    if isinstance(parts, list):
        return {
            "role": message.get("role"),
            "parts": [_with_text(each, texts) for each in parts if isinstance(each, Mapping)],
        }
    known, content = message.get("sha256"), message.get("content")
    if isinstance(known, str):
        if isinstance(content, str):
            texts[known] = content
        content = texts.get(known)
    return {**message, "content": content}


def prompt_lines(asked: list[dict[str, Any]]) -> Iterator[str]:
    """Prompts as text: each message under its role."""
    for each in asked:
        yield f"── sent to {each['seat']}, attempt {each['attempt']} ──"
        for message in each["messages"]:
            yield f"[{message.get('role')}]"
            for part in message.get("parts") or (message,):
                content = part.get("content")
                yield (
                    content
                    if isinstance(content, str)
                    else f"({part.get('type', 'text')} of sha256 {part.get('sha256')})"
                )


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def private_events(transcript: Play) -> Iterator[dict[str, Any]]:
    """The events themselves, for programs, without clock and chain."""
    for event in transcript.events():
        if aside(event) is not None:
            yield {key: value for key, value in event.items() if key not in ("meta", "chain")}
