"""The most calls, tokens and money that a run can take, found without calling anyone.
Rule: it computes upper bounds; what to expect is computed in `expect.py`, and which seats there are is read in `plan.py`.

`Protocol.most_moves` counts moves. Tokens come from a play on placeholders, by adding up what each request would show at
its largest: UTF-8 bytes are an upper bound on tokens for byte-level vocabularies (every token covers a byte or more).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from moot.agents.kinds import Profile
from moot.complexity.spending import number
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.game import Game
from moot.protocols.text import escape

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.moves import Move
    from moot.protocols.engine.question import Question, Sample

TEMPLATE = 4096  # bytes allowed for the instructions around the question and the statements of one request
FRAME = 64  # bytes allowed for the frame around one statement
MOST_MOVES = 10_000


@dataclass(frozen=True)
class Call:
    """One move of a play on placeholders. fixed: bytes of its question and template; before: the calls it reads. further: the most
    calls besides in which its agent looks or calls tools, and shows: bytes that each is told."""

    seat: str
    fixed: float
    before: tuple[int, ...]
    statement: float
    assumed: bool
    again: int
    further: int = 0
    shows: float = 0

    def looking(self, shown: float, answer: float) -> float:
        """The most tokens of the prompts of its further calls, each of which is shown what those before it were told."""
        return self.further * shown + self.further * (self.further + 1) / 2 * (self.shows + answer)


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


FIELDS = ("moves", "calls", "prompt_tokens", "completion_tokens", "cost")


def estimate(
    protocols: Sequence[Protocol], samples: Sequence[Sample], agents: Mapping[str, Profile], max_cost: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Upper bounds by seat over all plays: moves, calls, prompt and completion tokens, and their cost. None is unbounded, or
    unknown; `notes` says why, and what was taken for granted. Retries of a failing endpoint are in none of it."""
    notes: set[str] = set()
    plays = [_of_play(protocol, sample.question, agents, notes) for protocol in protocols for sample in samples]
    seats = {seat: _sum(play[seat] for play in plays if seat in play) for seat in dict.fromkeys(chain(*plays))}
    source = [sample.question.passage for sample in samples if sample.question.passage is not None]
    return {
        "plays": len(plays),
        "longest_passage_bytes": max((len(text.encode("utf-8", "replace")) for text in source), default=0),
        "seats": {seat: _named(spent) for seat, spent in seats.items()}, "total": _named(_sum(seats.values())),
        **({} if max_cost is None else {"max_cost": max_cost}), "notes": sorted(notes),
    }  # fmt: skip


def _sum(rows: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _named(spent: Sequence[float]) -> dict[str, float | None]:
    return {field: value if math.isfinite(value) else None for field, value in zip(FIELDS, spent, strict=True)}


def _of_play(
    protocol: Protocol, question: Question, agents: Mapping[str, Profile], notes: set[str]
) -> dict[str, tuple[float, ...]]:
    """The FIELDS of each seat; what nothing bounds is infinite."""
    roles = protocol.roles(question)
    moves = protocol.most_moves(question)
    if moves is None:
        notes.add(f"unbounded: {protocol.name} with these parameters has no last round")
        return dict.fromkeys(roles, (math.inf,) * len(FIELDS))
    calls = rehearse(protocol, question, agents)
    if calls is None or any(moves.get(seat, 0) != sum(call.seat == seat for call in calls) for seat in roles):
        notes.add(f"prompt tokens are unknown: which moves {protocol.name} asks for depends on what is said")
        calls = None
    found: dict[str, tuple[float, ...]] = {}
    for seat in roles:
        agent = agents.get(seat, Profile())
        mine = [call for call in calls or () if call.seat == seat]
        asked = moves.get(seat, 0) * (1 + max((call.again for call in mine), default=1))
        limits = agent.bound.limits(question.size) if agent.bound is not None else {}
        if "calls" in limits:
            asked = min(asked, int(limits["calls"]))
        further = max((call.further for call in mine), default=agent.further)
        made = asked * (agent.calls + further)
        if agent.program:
            found[seat] = (moves.get(seat, 0), made, 0, 0, 0)
            continue
        prompt = math.inf
        if calls is not None:
            shown = [call.fixed + sum(calls[index].statement for index in call.before) for call in mine]
            prompt = sum((call.again + 1) * (agent.calls * size + agent.retold + call.looking(size, agent.answer or 0))
                         for call, size in zip(mine, shown, strict=True))  # fmt: skip
            if any(call.fixed == math.inf for call in mine):
                notes.add(
                    f"{seat} is shown images, and nothing says how many tokens one takes: image_tokens in its agent's table"
                )
            elif prompt == math.inf:
                notes.add(
                    "prompts are unbounded where statements are: bound them by -p limit.chars=N, or by max_tokens"
                )
            elif any(calls[index].assumed for call in mine for index in call.before):
                notes.add("a statement is taken to need as many tokens to be read as to be written")
        completion = math.inf if agent.written is None else (agent.written + further * (agent.answer or 0)) * asked
        cost = math.inf if agent.prices is None else agent.prices.most(prompt, completion)
        found[seat] = (moves.get(seat, 0), made, prompt, completion, cost)
        unknown = sorted({each.model for each in agent.models if each.prices is None})
        if unknown:
            notes.add(f"the price of {', '.join(unknown)} is unknown: give --prices FILE")
        if seat not in agents:
            notes.add(f"nobody was seated at {seat}, so nothing bounds its answers")
        elif agent.written is None:
            notes.add(f"nothing bounds the answers of {seat}: its agent states no max_tokens")
        if "tokens" in limits:
            tokens = number(limits["tokens"])
            notes.add(f"{seat} may spend {tokens} tokens a play at n = {question.size}, by its bound")
    return found


def rehearse(protocol: Protocol, question: Question, agents: Mapping[str, Profile]) -> list[Call] | None:
    """The calls of a play on placeholders; None when the protocol takes moves that cannot be made up."""
    calls: list[Call] = []
    index: dict[str, int] = {}
    with suppress(MootError, ValueError, TypeError, KeyError, StopIteration), closing(Game(protocol, question)) as game:
        game.start()
        while game.outcome is None and len(calls) < MOST_MOVES:
            step, waiting = next(iter(game.open.items()))
            ask, move = waiting.ask, placeholder(waiting.ask.kinds[0], question)
            shown = question if ask.view.source != "none" else question.without_source()
            before = tuple(index[entry.step] for entry in ask.view)
            index[step] = len(calls)
            size, assumed = _statement(ask.brief, agents.get(ask.seat, Profile()))
            fixed: float = TEMPLATE + len(escape(shown.model_dump_json()).encode())
            if shown.images and not (agent := agents.get(ask.seat, Profile())).program:
                fixed += math.inf if agent.image_tokens is None else agent.image_tokens * len(shown.images)
            speaker = agents.get(ask.seat, Profile())
            fixed += speaker.shown + speaker.reasons
            looks = speaker.tools or (ask.view.source == "metered" and (ask.view.has_cells or ask.view.has_excerpts))
            further = speaker.further if looks else 0
            calls.append(Call(ask.seat, fixed, before, size, assumed, ask.repairs, further, speaker.shows))
            if not game.answer(step, move):
                return None
        return calls if game.outcome is not None else None
    return None


def _statement(brief: Mapping[str, Any], agent: Profile) -> tuple[float, bool]:
    """The most tokens that a statement takes to read again, and whether that takes something for granted."""
    limit = brief.get("limit") or {}
    for measure in ("chars", "tokens"):  # a character has at most 4 bytes, & becomes &amp;; tokens are counted in bytes
        if measure in limit:
            return 5 * int(limit[measure]) + FRAME, False
    if agent.program or agent.answer is None:
        return math.inf, False
    return (agent.answer if agent.said is None else agent.said) + FRAME, True


def placeholder(kind: type[Move], question: Question, text: str = "x") -> Move:
    """A move of this kind that decides nothing and ends nothing: a uniform verdict, a speech of this text, zeros."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name == "probabilities":
            fields[name] = (1 / len(question.choices),) * len(question.choices)
        elif field.is_required():
            options = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            plain: dict[Any, Any] = {str: text, int: 0, float: 0.0, bool: False}
            fields[name] = options[0] if options else plain.get(field.annotation)
    return kind(**fields)


def estimate_text(bill: Mapping[str, Any], hoped: Mapping[str, Any]) -> str:
    """The estimate, and what to expect (`Expected.bill`), as tables with their notes."""
    from moot.transcripts.display.show import table

    def rows(
        seats: Mapping[str, Mapping[str, float | None]], total: Mapping[str, float | None], none: str
    ) -> list[str]:
        made = [["seat", *(field.replace("_", " ") for field in total)]]
        for seat, spent in (*seats.items(), ("all", total)):
            whole = {name: value if value is None or name == "cost" else round(value) for name, value in spent.items()}
            cells = {name: none if value is None else number(value) for name, value in whole.items()}
            if spent["cost"] is None and None not in (spent["prompt_tokens"], spent["completion_tokens"]):
                cells["cost"] = "unknown"
            made.append([seat, *cells.values()])
        return table(made)

    plays = bill["plays"]
    many = f"{plays} play{'s' if plays != 1 else ''}"
    lines = [f"at most, for {many} (nobody was called):", *rows(bill["seats"], bill["total"], "unbounded")]
    lines += ["", f"to expect, for {many}, {hoped['basis']}:", *rows(hoped["seats"], hoped["total"], "unknown"), ""]
    if (cap := bill.get("max_cost")) is not None:
        over = [name for name, cost in (("to expect", hoped["total"]["cost"]), ("at most", bill["total"]["cost"]))
                if cost is None or cost > cap]  # fmt: skip
        fits = f"may not be enough for what it costs {' and '.join(over)}" if over else "is enough"
        lines.append(f"the cap of {number(cap)} {fits}")
    if bill["longest_passage_bytes"]:
        lines.append(f"the longest passage has {number(bill['longest_passage_bytes'])} bytes, at most as many tokens")
    again = "a move that breaks a rule or cannot be read is asked for again; retries of a failing endpoint come on top"
    return "\n".join([*lines, again, *bill["notes"], *hoped["notes"]]) + "\n"
