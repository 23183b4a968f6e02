"""The law of what no seat may see.

Rule: it marks what is said and looks for the marks; `laws` lists it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import PROTOCOL, AskEffect
from moot.testing.checks.check import Case, law
from moot.testing.hand import accepted
from moot.testing.strategies import takes

_SOURCES = ("none", "metered", "all")
MARK = "\u27e6the source\u27e7"


@law("no seat sees what it may not: what is said at the same time, or to others, or to nobody, or the source")
def blind(case: Case) -> None:
    """Every request is searched: its view, its question, its brief and its problem. The source is marked, and so is every
    statement, and in it what is private. A question that was asked of some may be put to others, in their view; what follows from a private move
    without its words (a number, a choice) is not seen."""
    said: dict[str, str] = {}
    kept: dict[str, str] = {}

    def mark(request: Request, move: Move) -> Move:
        ask, token = hand.game.open[request.step].ask, f"\u27e6{request.step}\u27e7"
        private = move.private_fields
        for name in (*(each for each in type(move).model_fields if each not in private), *private):
            held, other = (kept, f"\u27e6{request.step}/{name}\u27e7") if name in private else (said, token)
            if (name in private or ask.to is not None or request.step not in held) and (
                changed := _with_mark(move, name, other)
            ) is not None and accepted(changed, ask.check):  # fmt: skip
                move, held[request.step] = changed, other
        return move

    def look(step: str) -> dict[str, Any]:
        for other in hand.game.open:
            hand.look(other)
        return {}

    case.script = case.fresh(mark)
    hand = case.hand(question=_marked(case))
    case.attempt(hand.run, case.order(), 200, look)
    plays = frozenset(event["step"] for event in hand.transcript.events() if event["event"] == "entered")
    spoken = any(MARK in str(reply) for replies in case.script.replies.values() for reply in replies)
    asks = {step: ask for (step, _), (_, ask) in hand.asked.items()}
    told = {event["step"]: event["to"] for event in hand.transcript.events() if event["event"] == "told"}
    for (step, _), (request, _) in hand.asked.items():
        _addressed(case, asks, told, plays, request)
        parts = _parts(request)
        text = "".join(parts.values())
        for other, token in said.items():
            to = asks[other].to
            if token in text and apart(step, other, plays):
                case.broken(
                    f"the request of step {step} to {request.seat} holds what is said at the same time at {other}"
                )
            if token in parts["brief"] + parts["problem"] and to is not None and request.seat not in to:
                case.broken(f"the brief of step {step} tells seat {request.seat} what seat {asks[other].seat} said at step "
                            f"{other} to none but {', '.join(dict.fromkeys(to))}")  # fmt: skip
        for other, token in kept.items():
            if token in text and request.seat != asks[other].seat:
                where = next(name for name, part in parts.items() if token in part)
                case.broken(f"the {where} of step {step} tells seat {request.seat} what seat {asks[other].seat} "
                            f"keeps to itself at step {other}: the private field {token[1:-1].partition('/')[2]!r}")  # fmt: skip
        view = request.view
        bare = not view.question.has_source and (spoken or MARK not in text)
        if view.source != "all" and not bare:
            case.broken(f"the request of step {step} shows seat {request.seat} the source of the question, and its view "
                        f'says source="{view.source}"')  # fmt: skip
        declared = None if request.facts is None else request.facts.sources.get(request.seat)
        if declared is not None and _SOURCES.index(view.source) > _SOURCES.index(declared):
            case.broken(f"the view of step {step} shows seat {request.seat} the source with source={view.source!r}, and "
                        f"the protocol declares that it sees {declared!r} of it: sees()")  # fmt: skip


def _with_mark(move: Move, name: str, token: str) -> Move | None:
    """The move with a mark in the text, or the last of the texts, of one of its fields; None where there is none, or it would
    be no valid move."""
    value = getattr(move, name)
    new: Any = None
    if type(move).model_fields[name].annotation is str:
        new = f"{value} {token}"
    elif isinstance(value, tuple) and value and isinstance(value[-1], str):
        new = (*value[:-1], f"{value[-1]} {token}")
    try:
        return None if new is None else typed(move.model_copy(update={name: new}), (type(move),))
    except Illegal:
        return None


def _marked(case: Case) -> Question:
    passage = f"{case.question.passage or ''} {MARK}"
    question = case.question.model_copy(update={"passage": passage})
    return question if takes(case.protocol, question) else case.question


def _parts(request: Request) -> dict[str, str]:
    """All that a request shows, as text."""
    view = request.view
    said = [entry.move.model_dump(mode="json") for entry in view]
    return {
        "question": json.dumps(view.question.model_dump(mode="json"), ensure_ascii=False),
        "view": json.dumps(said, ensure_ascii=False), "brief": to_json(dict(request.brief)).decode(),
        "problem": f"{request.problem or ''} {json.dumps(request.rejected, ensure_ascii=False, default=str)}",
    }  # fmt: skip


def _addressed(
    case: Case, asks: Mapping[str, AskEffect], told: Mapping[str, Any], plays: frozenset[str], request: Request
) -> None:
    for entry in request.view:
        where = f"the view of step {request.step} gives seat {request.seat} the move of step {entry.step}"
        ask = asks.get(entry.step)
        if entry.seat == PROTOCOL and entry.step in told:
            if apart(request.step, entry.step, plays):
                case.broken(f"{where}, which is told at the same time")
            if (to := told[entry.step]) is not None and request.seat not in to:
                case.broken(f"{where}, which is told to {', '.join(to) or 'nobody'}")
            continue
        if ask is None:
            case.broken(f"{where}, which nobody was asked for")
        if apart(request.step, entry.step, plays):
            case.broken(f"{where}, which is made at the same time")
        if not ask.say and ask.to is None:
            case.broken(f"{where}, which was asked for with say=False")
        if ask.to is not None and request.seat not in ask.to:
            case.broken(f"{where}, which is only for {', '.join(ask.to)}")


def apart(one: str, other: str, plays: frozenset[str]) -> bool:
    """Whether two steps lie in branches that run at the same time. plays: the steps that are sub-plays."""
    first, second = one.split("."), other.split(".")
    branch = False
    for depth, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return branch
        branch = not branch and ".".join(first[: depth + 1]) not in plays
    return False
