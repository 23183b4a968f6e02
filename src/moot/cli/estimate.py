"""The most calls and tokens that a run can take, found without calling anyone.

Moves are counted by `Protocol.generations`. Tokens come from playing the protocol on placeholders, one per move, and
adding up what each request would show at its largest: UTF-8 bytes are an upper bound on tokens for byte-level
vocabularies (every token covers a byte or more).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from xml.sax.saxutils import escape

from moot.agents.base import describe
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


@dataclass(frozen=True)
class Profile:
    """What an estimate needs to know of an agent. answer: the most tokens of one answer, None when nothing bounds it.
    calls: the most calls to its endpoint for one answer, failing ones not counted. limits: its bound."""

    answer: int | None = None
    calls: int = 1
    program: bool = False
    bound: Any = None


def profiles(
    seats: Mapping[str, str], bounds: Mapping[str, Mapping[str, str]], config: Mapping[str, Any]
) -> dict[str, Profile]:
    """The profiles of typed seats; no model is loaded and no key is needed. Raises UsageError on an unknown agent."""
    from moot.judges.bounded import Bound

    found = {}
    for seat, spec in seats.items():
        known, measures = profile(spec, config), dict(bounds.get(seat, {}))
        seconds = measures.pop("seconds", None)
        if seat in bounds:
            known = replace(known, bound=Bound(float(seconds) if seconds else None, **measures))
        found[seat] = known
    return found


def profile(spec: str, config: Mapping[str, Any]) -> Profile:
    """The profile of one agent, from how it is written."""
    from moot.agents.models.lm import LM
    from moot.agents.models.local import Local

    table = config.get(spec, {})
    kind, _, rest = spec.partition(":")
    if table:
        kind = str(table.get("kind", "openai"))
        if kind == "spec" and isinstance(table.get("spec"), str):
            return profile(table["spec"], {key: value for key, value in config.items() if key != spec})
    if kind in _NESTED and table:
        return _nested(kind, table, {name: each for name, each in config.items() if name != spec})
    models: dict[str, Callable[..., Any]] = {"local": Local, "openai": LM}
    if kind in models and (table or kind == "local" or rest):
        most = table.get("max_tokens", signature(models[kind]).parameters["max_tokens"].default)
        return Profile(
            most if isinstance(most, int) else None, calls=2
        )  # an answer that cannot be read is asked for once more
    if kind == "logprobs" and rest:
        return profile(rest, config)
    from moot.cli.plan import agent_of

    agent = agent_of(spec, config)
    about = describe(agent)
    free = about.get("agent") in ("program", "human")
    stated = about.get("max_tokens")
    answer = 0 if free else stated if isinstance(stated, int) else None
    return Profile(answer, program=free, bound=getattr(agent, "bound", None))


_NESTED = ("best-of", "critique-and-refine")


def _nested(kind: str, table: Mapping[str, Any], others: Mapping[str, Any]) -> Profile:
    """An agent that draws candidates of another: all its calls. What they are shown and say besides is not bounded."""
    times = {"of": 1, "by": table.get("n"), "critic": table.get("critiques", 1), "chooser": 1}
    if kind == "best-of":
        times["of"] = times["by"]
    else:
        rounds = table.get("rounds", 1)
        times = {name: number * rounds + (name == "of") for name, number in times.items() if isinstance(number, int)}
    held = {name: profile(str(table[name]), others) for name in times if isinstance(table.get(name), str)}
    calls = sum(each.calls * (times[name] or 1) for name, each in held.items() if not each.program)
    program = all(each.program for each in held.values())
    return Profile(0 if program else None, calls=max(1, calls), program=program)


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
        if agent.program:
            found[seat] = {"moves": moves.get(seat, 0), "calls": made, "prompt_tokens": 0, "completion_tokens": 0}
            continue
        prompt = None if calls is None else _prompts(calls, mine, agent.calls)
        found[seat] = {
            "moves": moves.get(seat, 0), "calls": made, "prompt_tokens": prompt,
            "completion_tokens": None if agent.answer is None else agent.answer * made,
        }  # fmt: skip
        if seat not in agents:
            notes[f"nobody was seated at {seat}, so nothing bounds its answers"] = None
        elif agent.answer is None:
            notes[f"nothing bounds the answers of {seat}: its agent states no max_tokens"] = None
        if prompt is None and calls is not None:
            notes["prompts are unbounded where statements are: -p limit.chars=N bounds them, or max_tokens does"] = None
        elif prompt is not None and any(calls[index].assumed for call in mine for index in call.before if calls):
            notes["a statement is taken to need as many tokens to be read as to be written"] = None
        if "tokens" in limits:
            notes[f"{seat} may spend {number(limits['tokens'])} tokens a play at n = {question.size}, by its bound"] = (
                None
            )
    return found


def _prompts(calls: Sequence[Call], mine: Sequence[Call], times: int) -> int | None:
    total = 0
    for call in mine:
        read = _sum([calls[index].statement for index in call.before])
        if read is None:
            return None
        total += (call.again + 1) * times * (call.fixed + read)
    return total


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
    lines += bill["notes"]
    return "\n".join(lines) + "\n"
