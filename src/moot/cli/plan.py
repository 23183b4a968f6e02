"""From what was typed to what is played: the protocol, the questions, who sits where, within which bounds.

Rule of this file: it reads options and files and plays nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.question import Question, Sample

SETTINGS = ("protocol", "params", "seats", "bounds", "seed", "agents", "fields")
"""What a configuration file may hold; agents are written as [agents.NAME] and seated by that name."""


@dataclass
class Plan:
    """What is to be played. seats: seat to the text that names its agent. bounds: seat to measure to polynomial."""

    protocol: Protocol
    seats: dict[str, str]
    bounds: dict[str, dict[str, str]] = field(default_factory=dict)
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    fsync: Literal["ended", "event"] = "ended"
    max_cost: float | None = None


def plan(
    protocol: str | None, params: Sequence[str], seats: Sequence[str], bounds: Sequence[str], seed: int | None,
    config: Path | None,
) -> Plan:  # fmt: skip
    """A plan from options over a configuration file; what is typed wins. Raises UsageError naming the option."""
    settings = read_config(config)
    name = protocol or settings.get("protocol")
    if not name:
        raise UsageError("which protocol? give --protocol NAME (moot protocols lists them)")
    if type(kept := settings.get("seed", 0)) is not int:
        raise UsageError(f"the configuration's seed is {kept!r}; it must be a whole number")
    made = protocol_from(str(name), {**_table(settings, "params"), **assignments(params, "-p")})
    return Plan(
        made, seats_of(seats, settings), bounds_from(bounds, settings),
        kept if seed is None else seed,
        _table(settings, "agents"),
    )  # fmt: skip


def read_config(path: Path | None) -> dict[str, Any]:
    """A TOML file as a dict; {} without one."""
    if path is None:
        return {}
    try:
        settings = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    if unknown := next((key for key in settings if key not in SETTINGS), None):
        raise UsageError(f"{path}: {unknown!r} is no setting; there are {', '.join(SETTINGS)}")
    return settings


def read_text(path: Path) -> str:
    """A text file in UTF-8. Raises UsageError saying what is wrong with it."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name a file") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise UsageError(f"{path} is not UTF-8 text ({where}); convert it, as with iconv -f latin1 -t utf-8") from None


def protocol_from(name: str, params: Mapping[str, Any]) -> Protocol:
    """A protocol by its name, or a class of your own as "module:Class"."""
    from moot.agents.program import object_at
    from moot.protocols.engine.base import Protocol, protocol_named

    if ":" not in name:
        return protocol_named(name, dict(params))
    made = object_at(name)
    if not (isinstance(made, type) and issubclass(made, Protocol)):
        raise UsageError(f"{name} is no protocol: it must be a subclass of moot.Protocol")
    return made(**params)


def assignments(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """["rounds=3", "limit.words=150"] as {"rounds": 3, "limit": {"words": 150}}: values are JSON, or else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, mark, text = pair.partition("=")
        if not mark or not key.strip():
            raise UsageError(f"{option} {pair!r}: write it as key=value")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *outer, last = key.strip().split(".")
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError(f"{option} {pair!r}: {part} has a value already")
        if last in inner:
            raise UsageError(f"{option} {pair!r}: {key} is given twice")
        inner[last] = value
    return found


def _table(settings: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = settings.get(key, {})
    if not isinstance(table, dict):
        raise UsageError(f"the configuration's {key} must be a table, [{key}]")
    return dict(table)


def fields_from(pairs: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which column of a set is what, as typed, over the configuration's [fields]; several columns are written choices=A,B. None where
    nothing is said."""
    found = _table(settings, "fields")
    typed: dict[str, Any] = {}
    for pair in pairs:
        field, mark, column = pair.partition("=")
        if not mark or not field.strip() or not column.strip():
            raise UsageError(f"--field {pair!r}: write it as FIELD=COLUMN, for instance --field text=question")
        if field in typed:
            raise UsageError(f"--field {pair!r}: {field} has a column already")
        several = field in ("choices", "incorrect", "tags") and "," in column
        typed[field] = [each.strip() for each in column.split(",")] if several else column.strip()
    return {**found, **typed} or None


def seats_of(pairs: Sequence[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Seat to agent, as typed, over the configuration's [seats]."""
    typed: dict[str, str] = {}
    for pair in pairs:
        seat, mark, spec = pair.partition("=")
        if not mark or not seat or not spec:
            raise UsageError(f"--seat {pair!r}: write it as SEAT=AGENT, for instance --seat judge=local")
        if seat in typed:
            raise UsageError(f"--seat {pair!r}: seat {seat} is taken by {typed[seat]!r} already")
        typed[seat] = spec
    return {seat: str(spec) for seat, spec in {**_table(settings, "seats"), **typed}.items()}


def bounds_from(pairs: Sequence[str], settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Seat to measure to polynomial, parsed once here so that a bad expression is told before anything starts."""
    from moot.complexity.polynomial import Polynomial
    from moot.protocols.engine.budget import MEASURES

    found: dict[str, dict[str, str]] = {}
    for seat, table in _table(settings, "bounds").items():
        if not isinstance(table, dict):
            raise UsageError(
                f"the configuration's bounds.{seat} must be a table: [bounds.SEAT], then MEASURE = POLYNOMIAL"
            )
        found[seat] = {m: str(p) for m, p in table.items()}
    for pair in pairs:
        key, mark, text = pair.partition("=")
        seat, dot, measure = key.rpartition(".")
        if not (mark and dot and seat):
            raise UsageError(f'--bound {pair!r}: write it as SEAT.MEASURE=POLYNOMIAL: judge.reads="40*n + 2000"')
        found.setdefault(seat, {})[measure] = text
    for seat, measures in found.items():
        for measure, text in measures.items():
            if measure not in MEASURES:
                known = ", ".join(MEASURES)
                raise UsageError(f"--bound {seat}.{measure}: no measure is called {measure!r}; there are {known}")
            try:
                float(text) if measure == "seconds" else Polynomial.parse(text)
            except ValueError:
                raise UsageError(f"--bound {seat}.seconds={text}: seconds are a plain number") from None
    return found


def placed(
    roles: Mapping[str, str], seats: Mapping[str, str], bounds: Mapping[str, Mapping[str, str]], name: str, some: bool = False
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:  # fmt: skip
    """Who was typed for each seat, and within which bounds: a role ("debater") stands for each of its seats.

    some: whether seats may stay empty. Raises UsageError when one does all the same, and on a name that is no seat or role.
    """
    from moot.play.seats import seats_for

    seats = seats_for(roles, seats, name, some=some)
    bounded = seats_for(roles, bounds, name, some=True)
    return seats, {seat: {**bounds.get(roles[seat], {}), **bounds.get(seat, {})} for seat in bounded}


def seated(
    seats: Mapping[str, str], bounds: Mapping[str, Mapping[str, str]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Agents in their seats, inside their bounds. Raises UsageError on an agent that cannot be had."""
    from moot.agents.spec import agent_from

    agents = {seat: agent_from(spec, {"agents": config}) for seat, spec in seats.items()}
    for seat, measures in bounds.items():
        from moot.judges.bounded import Bounded

        if seat not in agents:
            raise UsageError(f"--bound {seat}.…: nobody was seated at {seat!r}")
        given: dict[str, Any] = {m: float(text) if m == "seconds" else text for m, text in measures.items()}
        agents[seat] = Bounded(agents[seat], **given)
    return agents


def seed_of_play(seed: int, question: Question) -> int:
    """The seed of a play on one of several questions, or on an instance of a task: another number than the instance's own, of
    which it and the numbers that a play gives its seats tell nothing."""
    from hashlib import blake2b

    key = str(question.id or question.text)
    return int.from_bytes(blake2b(f"{seed}/{key}".encode("utf-8", "replace"), digest_size=4).digest(), "big")


def sample_from(
    question: str | None, choices: Sequence[str], truth: int | None, passage: Path | None, data: Path | None,
    size: int | None, unit: str | None, images: Sequence[Path] = (),
) -> Sample:  # fmt: skip
    """The question that was typed, with its truth sealed."""
    from moot.protocols.engine.question import Question, Sample

    if question is None:
        raise UsageError("which question? give --question TEXT with --choice A --choice B, or --set FILE.jsonl")
    fields: dict[str, Any] = {name: value for name, value in (("size", size), ("unit", unit)) if value is not None}
    if passage is not None:
        fields["passage"] = read_text(passage)
        if not fields["passage"].strip():
            raise UsageError(f"{passage} is empty; a passage needs text")
    if data is not None:
        try:
            fields["data"] = json.loads(read_text(data))
        except ValueError as error:
            raise UsageError(f"{data} is no JSON: {error}") from None
    return Sample(Question(question, choices, images=tuple(images), **fields), truth)
