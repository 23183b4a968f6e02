"""The most calls and tokens that a run can take, found without calling anyone.

Moves are counted by `Protocol.generations`. Tokens come from playing the protocol on placeholders, one per move, and
adding up what each request would show at its largest: UTF-8 bytes are an upper bound on tokens for byte-level
vocabularies (every token covers a byte or more).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from moot.agents.base import describe
from moot.protocols.engine import Game
from moot.protocols.errors import MootError
from moot.transcripts.words import number

if TYPE_CHECKING:
    from moot.protocols.base import Protocol
    from moot.protocols.moves import Move
    from moot.protocols.question import Question, Sample

TEMPLATE = 4096
"""Bytes allowed for the instructions around the question and the statements of one request."""

MOST_MOVES = 10_000


@dataclass(frozen=True)
class Call:
    """One move of a play on placeholders. fixed: bytes of its question and template; before: the calls it reads."""

    seat: str
    fixed: int
    before: tuple[int, ...]
    statement: int | None
    again: int


def estimate(protocols: Sequence[Protocol], samples: Sequence[Sample], agents: Mapping[str, Any]) -> dict[str, Any]:
    """Upper bounds by seat over all plays: moves, calls (a move that breaks a rule is asked for again), prompt and
    completion tokens. None is unbounded, or unknown; `notes` says why. Nothing in it is a promise about retries."""
    seats: dict[str, dict[str, int | None]] = {}
    notes: dict[str, None] = {}
    for protocol in protocols:
        for sample in samples:
            for seat, more in _of_play(protocol, sample.question, agents, notes).items():
                known = seats.setdefault(seat, dict.fromkeys(more, 0))
                for field, value in more.items():
                    before = known[field]
                    known[field] = None if before is None or value is None else before + value
    fields = ("moves", "calls", "prompt_tokens", "completion_tokens")
    total = {field: _sum([spent[field] for spent in seats.values()]) for field in fields}
    source = [sample.question.passage for sample in samples if sample.question.passage is not None]
    return {
        "plays": len(protocols) * len(samples),
        "longest_passage_bytes": max((len(text.encode("utf-8", "replace")) for text in source), default=0),
        "seats": seats, "total": total, "notes": list(notes),
    }  # fmt: skip


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _of_play(
    protocol: Protocol, question: Question, agents: Mapping[str, Any], notes: dict[str, None]
) -> dict[str, dict[str, int | None]]:
    roles = protocol.roles(question)
    moves = protocol.generations(question)
    if moves is None:
        notes[f"unbounded: {protocol.name} with these parameters has no last round"] = None
        return {seat: dict.fromkeys(("moves", "calls", "prompt_tokens", "completion_tokens")) for seat in roles}
    calls = rehearse(protocol, question, agents)
    counted = {seat: sum(call.seat == seat for call in calls or ()) for seat in roles}
    if calls is None or counted != {seat: moves.get(seat, 0) for seat in roles}:
        notes[f"tokens unknown: the moves of {protocol.name} depend on what is said"] = None
        calls = None
    found: dict[str, dict[str, int | None]] = {}
    for seat in roles:
        agent = agents.get(seat)
        mine = [call for call in calls or () if call.seat == seat]
        asked = max((call.again for call in mine), default=1) + 1
        answer = longest_answer(agent)
        spent: dict[str, int | None] = {
            "moves": moves.get(seat, 0), "calls": asked * moves.get(seat, 0),
            "prompt_tokens": None if calls is None else _prompts(calls, mine),
            "completion_tokens": None if answer is None else answer * asked * moves.get(seat, 0),
        }  # fmt: skip
        if agent is not None and is_program(agent):
            spent.update(prompt_tokens=0, completion_tokens=0)
        elif agent is None:
            notes[f"nobody was seated at {seat}: its answers are taken to be unbounded"] = None
        elif answer is None:
            notes[f"completion tokens of {seat} are unbounded: its agent states no max_tokens"] = None
        if spent["prompt_tokens"] is None and calls is not None:
            notes[
                "prompt tokens are unbounded where statements are: limit them, -p limit.chars=N, or set max_tokens"
            ] = None
        bound = getattr(agent, "bound", None)
        if bound is not None:
            limits = bound.limits(question.size)
            spent["calls"] = min(int(limits.get("calls", spent["calls"] or 0)), spent["calls"] or 0)
            if "tokens" in limits:
                notes[
                    f"{seat} may spend {number(limits['tokens'])} tokens a play at n = {question.size}, by its bound"
                ] = None
        found[seat] = spent
    return found


def _prompts(calls: Sequence[Call], mine: Sequence[Call]) -> int | None:
    total = 0
    for call in mine:
        read = _sum([calls[index].statement for index in call.before])
        if read is None:
            return None
        total += (call.again + 1) * (call.fixed + read)
    return total


def longest_answer(agent: Any) -> int | None:
    """The most tokens of one answer, where the agent states it; 0 for a program, which takes none."""
    if agent is None:
        return None
    if is_program(agent):
        return 0
    for source in (agent, getattr(agent, "agent", None)):
        most = getattr(source, "max_tokens", None)
        if isinstance(most, int):
            return most
    stated = describe(agent).get("max_tokens")
    return stated if isinstance(stated, int) else None


def is_program(agent: Any) -> bool:
    """Whether the agent says that it is a program."""
    return describe(agent).get("agent") == "program"


def rehearse(protocol: Protocol, question: Question, agents: Mapping[str, Any]) -> list[Call] | None:
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
            size = _statement(ask.brief, longest_answer(agents.get(ask.seat)))
            calls.append(Call(ask.seat, TEMPLATE + len(shown.model_dump_json().encode()), before, size, ask.repairs))
            if not game.answer(step, move):
                return None
        return calls
    except (MootError, ValueError, TypeError, KeyError, StopIteration):
        return None
    finally:
        if game is not None:
            game.close()


def _statement(brief: Mapping[str, Any], answer: int | None) -> int | None:
    """The most tokens that a statement takes to read again."""
    limit = brief.get("limit") or {}
    if "chars" in limit:
        return 4 * int(limit["chars"]) + 64
    if "tokens" in limit:
        return int(limit["tokens"]) + 64
    return None if answer is None else answer + 64 if answer else None


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
    from moot.transcripts.show import table

    def cell(value: int | None) -> str:
        return "unbounded" if value is None else number(value)

    fields = ("moves", "calls", "prompt_tokens", "completion_tokens")
    rows = [["seat", "moves", "calls", "prompt tokens", "completion tokens"]]
    rows += [[seat, *(cell(spent[field]) for field in fields)] for seat, spent in bill["seats"].items()]
    rows.append(["all", *(cell(bill["total"][field]) for field in fields)])
    plays = bill["plays"]
    lines = [f"at most, for {plays} play{'s' if plays != 1 else ''} (nobody was called):", *table(rows)]
    if bill["longest_passage_bytes"]:
        lines.append(f"the longest passage has {number(bill['longest_passage_bytes'])} bytes, at most as many tokens")
    lines.append(
        "calls: each move may be asked for again when it breaks a rule; retries of a failing endpoint come on top"
    )
    lines += bill["notes"]
    return "\n".join(lines) + "\n"
