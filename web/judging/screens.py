"""What each page of a person is given to show.

Rule of this file: plain values for templates, and nothing that the person may not know.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.web.judging import forms, scores
from moot.web.judging.paper import Card, Left, Paper
from moot.web.judging.rules import Rules
from moot.web.judging.seating import Seating

MEASURED = {
    "reads": "Reading", "reads_per_call": "Reading in this turn", "queries": "Queries", "calls": "Answers", "tokens": "Tokens", "seconds": "Time",
    "computes": "Computing",
}  # fmt: skip
ENDED = {
    "decided": "This one is finished.",
    "exhausted": "What somebody might spend here was used up, and this one ended there.",
    "forfeited": "Somebody gave no answer that could be taken, and this one ended there.",
}


def meters(paper: Paper) -> list[dict[str, Any]]:
    """What is left of each bounded measure: for the bar that is always in sight."""
    return [
        {"measure": each.measure, "name": MEASURED[each.measure], "left": each.left, "limit": each.limit, "told": told(each)}
        for each in paper.left()
    ]  # fmt: skip


def told(left: Left) -> str:
    """What is left in words."""
    if left.measure == "seconds":
        return f"{clock(left.left)} of {clock(left.limit)} left"
    unit = f" {left.unit}" if left.measure.startswith("reads") else ""
    return f"{left.left:,.0f} of {left.limit:,.0f}{unit} left"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def brief(paper: Paper) -> str:
    """What is left, as it stands beside what costs something; "" where reading is not bounded."""
    found = [each for each in paper.left() if each.measure.startswith("reads")]
    least = min(found, key=lambda each: each.left, default=None)
    return "" if least is None else f"{least.left:,.0f} {least.unit} left"


def turn(
    paper: Paper, seating: Seating, rules: Rules, continues: int | None, problems: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the page of a turn shows. continues: how often the judge went on before; None where that is not known."""
    request, question = paper.request, paper.question
    if not paper.draft and request.rejected is not None and question is not None:
        paper.draft = forms.filled(request, paper.texts, request.rejected)
    sheets = [] if question is None else forms.sheets(request, paper.texts, paper.draft, problems)
    return {
        "turn": paper.turn.id, "role": request.role, "question": question, "choices": () if question is None else question.choices,
        "told": [each for each in paper.told() if each], "asks": request.brief.get("asks"), "notes": request.brief.get("notes"),
        "problem": request.problem, "problems": problems or {}, "cards": [card(paper, each) for each in paper.cards], "meters": meters(paper),
        "closed": sum(each.entry is None for each in paper.cards), "each": paper.opening == "each", "budget": brief(paper), "dry": paper.dry,
        "source": source(paper), "looks": paper.looks, "sheets": sheets, "images": images(paper), "data": data(paper),
        "again": any(each.measure == "reads" and each.left + request.budget.reads < each.limit for each in paper.left()), "stops": rules.away == "stops",
        "pays": payment(paper, seating, rules, continues), "attempt": request.attempt,
    }  # fmt: skip


def card(paper: Paper, each: Card) -> dict[str, Any]:
    """A statement, or the place where one is that is not paid for."""
    made: dict[str, Any] = {
        "number": each.number,
        "who": each.who,
        "open": each.entry is not None,
        "refused": each.refused,
    }
    if each.entry is None:
        return made
    move, choices = each.entry.move.as_public(), () if paper.question is None else paper.question.choices
    shares = move.stated_probabilities()
    named = [
        (choices[place] if place < len(choices) else f"answer {place + 1}", share) for place, share in enumerate(shares)
    ]
    return made | {
        "kind": move.kind, "step": each.entry.step if (paper.request.brief.get("claim") or "q") != "q" else None, "short": move.in_short(choices), "pieces": paper.pieces(move), "shares": named,
    }  # fmt: skip


def source(paper: Paper) -> dict[str, Any] | None:
    """What may be looked at, where anything may."""
    if not paper.may_look:
        return None
    view = paper.request.view
    return {"cells": view.has_cells, "passage": view.has_excerpts, "outline": view.outline(lengths=False)}


def images(paper: Paper) -> list[dict[str, str]]:
    """The pictures of the question, where the view shows them, as addresses that hold them."""
    shown = () if paper.question is None else paper.question.images
    return [
        {"src": f"data:{each.media_type};base64,{base64.b64encode(each.data).decode()}", "alt": each.alt or f"picture {number}"}
        for number, each in enumerate(shown, 1)
    ]  # fmt: skip


def data(paper: Paper) -> str | None:
    """The data of the question as JSON, where the view shows them."""
    found = None if paper.question is None else paper.question.data
    return None if found is None else json.dumps(found, ensure_ascii=False, indent=1)


def payment(
    paper: Paper, seating: Seating, rules: Rules, continues: int | None, filled: Mapping[str, list[str]] | None = None
) -> dict[str, Any] | None:
    """How a judge is paid, where this turn is one in which they state a belief. filled: the fields that it is stated in; None: as last kept."""
    facts = paper.request.facts
    if (
        facts is None
        or paper.question is None
        or len(paper.question.choices) < 2
        or not any(issubclass(kind, Verdict) for kind in paper.request.kinds)
    ):
        return None
    if paper.request.role != facts.protocol.judge and seating.seat != facts.protocol.judge:
        return None
    pay = rules.pay if seating.sort == "item" else None
    number = next(place for place, kind in enumerate(paper.request.kinds) if issubclass(kind, Verdict))
    field = f"f{number}-probabilities"
    unknown = continues is None and scores.rule_of(facts.protocol).penalty > 0
    made = {
        "told": scores.explained(facts.protocol, pay),
        "field": field,
        "unknown": unknown,
        "money": pay is not None,
    }
    stated = paper.draft if filled is None else filled
    given = [(stated.get(f"{field}-{place}") or [""])[0] for place in range(1, len(paper.question.choices) + 1)]
    return made | {"rows": table(paper, rules if pay else None, None if unknown else continues or 0, given)}


def table(paper: Paper, rules: Rules | None, continues: int | None, given: list[str]) -> list[dict[str, str]]:
    """What the belief that is filled in would pay, by choice; dashes where it is none yet, or where it is not known how often the judge went
    on (continues: None)."""
    facts, question = paper.request.facts, paper.question
    assert facts is not None and question is not None
    pay, rows = None if rules is None else rules.pay, [dict[str, str]() for _ in question.choices]
    try:
        if continues is None:
            raise ValueError
        percents = [float(each.strip().removesuffix("%")) for each in given[:-1]]
        last = given[-1].strip().removesuffix("%")
        percents.append(float(last) if last else 100 - sum(percents))
        total = sum(percents)
        if not abs(total - 100) <= forms.SUM:
            raise ValueError
        found = scores.pays(facts.protocol, [each / total for each in percents], continues, pay)
    except (ValueError, ZeroDivisionError, UsageError):
        return [{"choice": choice, "points": "–", "money": "–"} for choice in question.choices]
    for row, each in zip(rows, found, strict=True):
        row |= {"choice": question.choices[each.choice], "points": scores.points(each.reward)}
        row["money"] = "–" if each.money is None or pay is None else scores.money(each.money, pay)
    return rows


def gone_on(paper: Paper, given: Mapping[str, Move]) -> int | None:
    """How often the judge stated a belief and went on. given: what they gave by step, as far as is known here; None where a statement
    of their own is neither open nor known."""
    own = paper.names.get(paper.request.seat, paper.request.seat)
    cards = [each for each in paper.cards if each.who == own]
    moves = [each.entry.move for each in cards if each.entry is not None]
    if len(moves) < len(cards):
        if len(given) < len(cards):
            return None
        moves = list(given.values())
    return sum(isinstance(each, Verdict) and not each.end for each in moves)


def feedback(found: Mapping[str, Any] | None, rules: Rules) -> dict[str, Any] | None:
    """What a person is told of how they did, where the study says so."""
    if found is None:
        return None
    truth, choices, belief, reward, paid = (
        found.get(each) for each in ("truth", "choices", "belief", "reward", "paid")
    )
    named = list(choices or ())
    return {
        "truth": named[truth] if isinstance(truth, int) and 0 <= truth < len(named) else None,
        "belief": list(zip(named, belief, strict=False)) if belief else [],
        "points": None if reward is None else scores.points(reward),
        "paid": None if paid is None or rules.pay is None else scores.money(paid, rules.pay),
    }
