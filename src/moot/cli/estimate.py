"""The most calls and tokens that a run can take, found without calling anyone.

Moves are counted by `Protocol.most_moves`. Tokens come from playing the protocol on placeholders, one per move, and
adding up what each request would show at its largest: UTF-8 bytes are an upper bound on tokens for byte-level
vocabularies (every token covers a byte or more).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from xml.sax.saxutils import escape

from moot.agents.kinds import Profile
from moot.complexity.spending import number
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.game import Game

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.moves import Move
    from moot.protocols.engine.question import Question, Sample

TEMPLATE = 4096
"""Bytes allowed for the instructions around the question and the statements of one request."""

FRAME = 64
"""Bytes allowed for the frame around one statement."""

MOST_MOVES = 10_000


@dataclass(frozen=True)
class Call:
    """One move of a play on placeholders. fixed: bytes of its question and template; before: the calls it reads."""

    seat: str
    fixed: int
    before: tuple[int, ...]
    statement: int | None
    assumed: bool
    again: int


def profiles(seats: Mapping[str, str], bounds: Mapping[str, Mapping[str, str]], config: Mapping[str, Any]) -> dict[str, Profile]:  # fmt: skip
    """The profiles of typed seats; no model is loaded and no key is needed. Raises UsageError on an unknown agent."""
    from moot.agents.spec import profile_of
    from moot.judges.bounded import Bound

    found = {}
    for seat, spec in seats.items():
        known, measures = profile_of(spec, {"agents": config}), dict(bounds.get(seat, {}))
        seconds = measures.pop("seconds", None)
        if seat in bounds:
            known = replace(known, bound=Bound(float(seconds) if seconds else None, **measures))
        found[seat] = known
    return found


FIELDS = ("moves", "calls", "prompt_tokens", "completion_tokens")


def estimate(protocols: Sequence[Protocol], samples: Sequence[Sample], agents: Mapping[str, Profile]) -> dict[str, Any]:
    """Upper bounds by seat over all plays: moves, calls, prompt and completion tokens. None is unbounded, or unknown;
    `notes` says why, and what was taken for granted. Retries of a failing endpoint are in none of it."""
    seats: dict[str, dict[str, int | None]] = {}
    notes: dict[str, None] = {}
    for protocol in protocols:
        for sample in samples:
            for seat, more in _of_play(protocol, sample.question, agents, notes).items():
                known = seats.setdefault(seat, dict.fromkeys(FIELDS, 0))
                for field, value in more.items():
                    known[field] = _sum([known[field], value])
    source = [sample.question.passage for sample in samples if sample.question.passage is not None]
    return {
        "plays": len(protocols) * len(samples),
        "longest_passage_bytes": max((len(text.encode("utf-8", "replace")) for text in source), default=0),
        "seats": seats, "total": {field: _sum([spent[field] for spent in seats.values()]) for field in FIELDS},
        "notes": sorted(notes),
    }  # fmt: skip


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _of_play(
    protocol: Protocol, question: Question, agents: Mapping[str, Profile], notes: dict[str, None]
) -> dict[str, dict[str, int | None]]:
    roles = protocol.roles(question)
    moves = protocol.most_moves(question)
    if moves is None:
        notes[f"unbounded: {protocol.name} with these parameters has no last round"] = None
        return {seat: dict.fromkeys(FIELDS) for seat in roles}
    calls = rehearse(protocol, question, agents)
    if calls is None or any(moves.get(seat, 0) != sum(call.seat == seat for call in calls) for seat in roles):
        notes[f"prompt tokens are unknown: which moves {protocol.name} asks for depends on what is said"] = None
        calls = None
    found: dict[str, dict[str, int | None]] = {}
    for seat in roles:
        agent = agents.get(seat, Profile())
        mine = [call for call in calls or () if call.seat == seat]
        answers = moves.get(seat, 0) * (1 + max((call.again for call in mine), default=1))
        made = answers * agent.calls
        limits = agent.bound.limits(question.size) if agent.bound is not None else {}
        if "calls" in limits:
            made = min(made, int(limits["calls"]) * agent.calls)
        answer = 0 if agent.program else agent.answer
        prompt = 0 if agent.program else None if calls is None else _prompts(calls, mine, agent.calls)
        counted = (moves.get(seat, 0), made, prompt, None if answer is None else answer * made)
        found[seat] = dict(zip(FIELDS, counted, strict=True))
        if agent.program:
            continue
        if seat not in agents:
            notes[f"nobody was seated at {seat}, so nothing bounds its answers"] = None
        elif agent.answer is None:
            notes[f"nothing bounds the answers of {seat}: its agent states no max_tokens"] = None
        if prompt is None and calls is not None:
            notes["prompts are unbounded where statements are: -p limit.chars=N bounds them, or max_tokens does"] = None
        elif prompt is not None and any(calls[index].assumed for call in mine for index in call.before if calls):
            notes["a statement is taken to need as many tokens to be read as to be written"] = None
        if "tokens" in limits:
            tokens = number(limits["tokens"])
            notes[f"{seat} may spend {tokens} tokens a play at n = {question.size}, by its bound"] = None
    return found


def _prompts(calls: Sequence[Call], mine: Sequence[Call], times: int) -> int | None:
    reads = [_sum([call.fixed, *(calls[index].statement for index in call.before)]) for call in mine]
    return _sum(
        [None if read is None else (call.again + 1) * times * read for call, read in zip(mine, reads, strict=True)]
    )


def rehearse(protocol: Protocol, question: Question, agents: Mapping[str, Profile]) -> list[Call] | None:
    """The calls of a play on placeholders; None when the protocol takes moves that cannot be made up."""
    calls: list[Call] = []
    index: dict[str, int] = {}
    game = None
    try:
        game = Game(protocol, question).start()
        while game.outcome is None:
            step, waiting = next(iter(game.open.items()))
            if len(calls) >= MOST_MOVES:
                return None
            ask, move = waiting.ask, placeholder(waiting.ask.kinds[0], question)
            shown = question if ask.view.source != "none" else question.without_source()
            before = tuple(index[entry.step] for entry in ask.view)
            index[step] = len(calls)
            size, assumed = _statement(ask.brief, agents.get(ask.seat, Profile()))
            fixed = TEMPLATE + len(escape(shown.model_dump_json()).encode())
            calls.append(Call(ask.seat, fixed, before, size, assumed, ask.repairs))
            if not game.answer(step, move):
                return None
        return calls
    except (MootError, ValueError, TypeError, KeyError, StopIteration):
        return None
    finally:
        if game is not None:
            game.close()


def _statement(brief: Mapping[str, Any], agent: Profile) -> tuple[int | None, bool]:
    """The most tokens that a statement takes to read again, and whether that takes something for granted."""
    limit = brief.get("limit") or {}
    if "chars" in limit:
        return 5 * int(limit["chars"]) + FRAME, False  # a character has at most 4 bytes, & becomes &amp;
    if "tokens" in limit:
        return 5 * int(limit["tokens"]) + FRAME, False  # counted in bytes
    if agent.program or agent.answer is None:
        return None, False
    return agent.answer + FRAME, True


def placeholder(kind: type[Move], question: Question) -> Move:
    """A move of this kind that decides nothing and ends nothing: a uniform verdict, a short speech, zeros."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name == "probabilities":
            fields[name] = (1 / len(question.choices),) * len(question.choices)
        elif field.is_required():
            options = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            plain: dict[Any, Any] = {str: "x", int: 0, float: 0.0, bool: False}
            fields[name] = options[0] if options else plain.get(field.annotation)
    return kind(**fields)


def estimate_text(bill: Mapping[str, Any]) -> str:
    """The estimate as a table with its notes."""
    from moot.transcripts.display.show import table

    def cell(value: int | None) -> str:
        return "unbounded" if value is None else number(value)

    rows = [["seat", "moves", "calls", "prompt tokens", "completion tokens"]]
    rows += [[seat, *(cell(spent[field]) for field in FIELDS)] for seat, spent in bill["seats"].items()]
    rows.append(["all", *(cell(bill["total"][field]) for field in FIELDS)])
    plays = bill["plays"]
    lines = [f"at most, for {plays} play{'s' if plays != 1 else ''} (nobody was called):", *table(rows)]
    if bill["longest_passage_bytes"]:
        lines.append(f"the longest passage has {number(bill['longest_passage_bytes'])} bytes, at most as many tokens")
    lines.append(
        "a move that breaks a rule or cannot be read is asked for again; retries of a failing endpoint come on top"
    )
    return "\n".join([*lines, *bill["notes"]]) + "\n"
