"""What a seat was shown where that is not simply what was said so far: another question, other statements, other data.

Rule of this file: it compares a view with the play's own record, and gives what a reader could not find there as JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from moot.protocols.engine.log import Log
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.steps import AskEffect, Branch

MOST = 20_000
"""The most characters of other data, as JSON, that are kept; of more, only how many there are."""
LARGEST = 4 << 20
"""The most bytes of moves that stand nowhere else on the record, as a line has an end; of those after them, the step alone."""


def evidence(
    ask: AskEffect, branch: Branch, question: Question, said: Mapping[str, Move | None]
) -> dict[str, Any] | None:
    """What the seat that is asked is shown, as fields of an event `shown`; None where it is the question of its play and what was
    said to it so far, which the record has. question: of the whole play. said: step to what was said there.

    question: its text, and choices, where it is another. first: how many of the statements are all that was said to it so far,
    in their order, or 0. statements: those besides, each a `step` where it stands on the record word for word, and else with its seat and
    move. data: what may be looked at, where it is not the question's own.
    """
    view, heads = ask.view, branch.heads
    asked = question if (within := _within(branch)) is None else within
    found: dict[str, Any] = {}
    if (shown := view._question).text != asked.text or shown.choices != asked.choices:
        found = {"question": shown.text, "choices": shown.choices}
    if view._source == "metered" and (data := view._full.data) is not asked.data and data != asked.data:
        found["data"] = data if (size := len(to_json(data))) <= MOST else {"characters": size}
    if not found and ((log := view._log) is heads[None] or any(log is head for head in heads.values())):
        return None
    mine, own = [], heads.get(ask.seat, heads[None])
    link: Log | None = view._log
    while link is not None and link.entry is not None and link is not own:
        mine.append(link)
        link = link.before
    first = own.length if link is own else 0
    rest, size = [], 0
    for other in reversed(mine):
        step, seat, move = other.read()
        known = said.get(step)
        if known is not None and (known is move or known == move):
            rest.append({"step": step})
            continue
        told: dict[str, Any] = {"step": step, "seat": seat, "move": move.model_dump(mode="json")}
        size += len(to_json(told))
        rest.append(told if size <= LARGEST else {"step": step, "seat": seat})
    return {**found, "first": first, "statements": rest}


def _within(branch: Branch) -> Question | None:
    """The question of the innermost play that a branch belongs to; None in the outermost."""
    each: Branch | None = branch
    while each is not None:
        if each.play is not None:
            return each.play.question
        each = each.parent
    return None
