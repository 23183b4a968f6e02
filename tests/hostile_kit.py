"""Hostile transcripts: recorded plays changed in their structure, under a chain that is right again; and every command that
takes a transcript, found in the command line itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, get_args, get_type_hints

from typer.models import ArgumentInfo

from moot.cli import frame
from moot.cli.app import app

GOLDEN = Path(__file__).parent / "golden"
Said = tuple[dict[str, Any], Any]  # an event without its meta, and its meta

DEEP: Any = json.loads("[" * 150 + "]" * 150)
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e[bold red]x[/bold red]<script>alert(1)</script>\x00"
VALUES: tuple[Any, ...] = (
    ESCAPES, "", "q", "0", "1.1", "0.0.0", "..", "a.b", "-1", "٣", "9" * 50, "0." * 50 + "0", "9" * 5000, "../../etc/passwd",
    "x" * 100_000, "\ud800", "ended", "decided", "judge", "speech", 0, -1, 1, 2, -(10**6), 10**9, 10**18, 10**30, 10**400, 10**4299,
    1.5, -1.5, 5e-324, 1e308, float("inf"), float("-inf"), float("nan"), True, False, None, [], {}, [[]], {"a": 1}, {"": None},
    ["x", ESCAPES], {"kind": "decided"}, {"kind": ["verdict"]}, {"kind": "verdict", "probabilities": [0.5, 0.5]}, [0.5, 0.5],
    [1e308] * 2, DEEP, {"meta": {"a": 1}, "chain": "0" * 32}, {"reads": -5}, {"reads": 1e400}, {"truth": 7}, {"file": ["x"]},
)  # fmt: skip


def originals() -> list[tuple[str, list[Said]]]:
    """The golden plays of both versions, as events that can be changed."""
    found = []
    for path in sorted(GOLDEN.rglob("*.jsonl")):
        events = []
        for line in path.read_bytes().splitlines():
            event = json.loads(line)
            del event["chain"]
            events.append((event, event.pop("meta")))
        found.append((str(path.relative_to(GOLDEN)), events))
    return found


def chained(events: Sequence[Said]) -> bytes:
    """The file of these events, whatever they have become, its chain whole."""
    lines, chain = [], b""
    for event, meta in events:
        body = json.dumps(event, separators=(",", ":"))[:-1] + ',"meta":' + json.dumps(meta, separators=(",", ":"))
        chain = blake2b(chain + body.encode(), digest_size=16).hexdigest().encode()
        lines.append(b'%b,"chain":"%b"}\n' % (body.encode(), chain))
    return b"".join(lines)


def mutant(chance: Random, events: Sequence[Said], most: int = 3) -> bytes:
    """A hostile file made of a recorded play by up to `most` changes."""
    changed = copy.deepcopy(list(events))
    for _ in range(chance.choice((1, 1, 1, *range(1, most + 1)))):
        _change(chance, changed)
    return chained(changed)


def _change(chance: Random, events: list[Said]) -> None:
    at = chance.choice((0, len(events) - 1, *(chance.randrange(len(events)) for _ in range(3))))
    kind = chance.random()
    if kind < 0.06 and len(events) > 1:
        del events[at]
    elif kind < 0.12:
        events.insert(chance.randrange(len(events) + 1), copy.deepcopy(events[at]))
    elif kind < 0.18:
        other = chance.randrange(len(events))
        events[at], events[other] = events[other], events[at]
    elif kind < 0.24:
        events[at][0]["event"] = chance.choice(("started", "moved", "rejected", "attempted", "asked", "failed", "left", "entered",
                                                "flipped", "charged", "cancelled", "resumed", "ended", "imported", 5))  # fmt: skip
    else:
        event, meta = events[at]
        places = list(_places(event, ())) + list(_places(meta, ())) * (chance.random() < 0.3)
        if not places:
            events[at] = (event, chance.choice(VALUES))
            return
        holder, key = chance.choice(places)
        value = copy.deepcopy(chance.choice(VALUES))
        if kind < 0.34 and isinstance(holder, dict):
            moved = holder.pop(key)
            if kind < 0.28:
                holder[chance.choice(("step", "seat", "meta", "x", "outcome", "reads"))] = moved
        elif kind < 0.42 and isinstance(holder, dict):
            holder[chance.choice(("step", "outcome", "reads", "spent", "sealed", "cost", "seconds", "raw", "x"))] = (
                value
            )
        elif kind < 0.5 and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = chance.choice((-holder[key], holder[key] * 10**40, str(holder[key]), holder[key] + 0.5))
        else:
            holder[key] = value


def _places(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, by what holds it and its key."""
    if len(above) > 12 or not isinstance(value, (dict, list)):
        return
    for key in value if isinstance(value, dict) else range(min(len(value), 20)):
        yield value, key
        yield from _places(value[key], (*above, key))


MORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "show": ((), ("--json",), ("--width", "20")),
    "tree": ((), *(("-f", form) for form in ("json", "dot", "mermaid", "graphml"))),
    "export": tuple(("-f", form) for form in ("json", "dot", "mermaid", "graphml", "jsonl")),
    "fork": (("--at", "0", "-o", "NEW"), ("--at", "0.0.0", "-o", "NEW")),
    "rejudge": (("--judge", "python:players:speak", "--stale", "-o", "NEW"),),
    "resume": ((),),
    "sign": (("--key", "KEY"),),
    "list": ((),),
    "import": ((),),
}
"""The words that commands are given besides the transcript; a command that is not here gets none, and --json where it can."""
SEATED = {"fork", "rejudge", "resume"}
CHANGES = {"seal", "sign", "resume"}
SERVES = {"view"}
"""Commands that go on until they are interrupted; what they make of hostile files is tested where their pages are."""


def takers() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Every command that takes a transcript or a folder of them, whatever it is called, with the words for each of its calls."""
    found = {}
    for command in app.registered_commands:
        assert command.callback is not None
        if command.name in SERVES:
            continue
        hints = get_type_hints(command.callback, include_extras=True).values()
        arguments = [
            hint for hint in hints if any(isinstance(of, ArgumentInfo) for of in getattr(hint, "__metadata__", ()))
        ]
        if any("Path" in str(get_args(hint)[0]) for hint in arguments):
            name = str(command.name)
            found[name] = MORE.get(name, ((), ("--json",)) if frame.Json in hints else ((),))
    return found


def calls(name: str, path: Path, seats: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The words of every call of a command on the file `path`, alone in its folder. NEW is a file that there is not yet."""
    from moot.transcripts.formats.importing import known_formats

    for number, words in enumerate(takers()[name]):
        new, key = path.parent / f"new-{name}-{number}", path.parent.parent / "key"
        told = tuple({"NEW": f"{new}.jsonl", "KEY": str(key)}.get(word, word) for word in words)
        if name in SEATED:
            told += tuple(word for seat in seats for word in ("--seat", f"{seat}=python:players:speak"))
        if name == "import":
            yield from ((name, form, str(path), "-o", str(path.parent / f"new-{form}")) for form in known_formats())
        elif name == "list":
            yield (name, str(path.parent), *told)
            yield (name, str(path.parent), "--json")
        else:
            yield (name, str(path), *told)
