"""What is said of a play as a whole: its question, who sat where, how it ended, what it spent, what its verdict is worth.

Rule of this file: plain data, in which what is unknown is None; each fact stands by itself, so that one which cannot be had (a
protocol that is not installed, a truth that is elsewhere) takes no other with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from moot.complexity.play import path_of, reads_in
from moot.complexity.reward import correct
from moot.complexity.spending import COLUMNS, number
from moot.protocols.engine.errors import MootError, said
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.metadata import PREMISES
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.display.private import notes_in
from moot.transcripts.display.scenes import Put, described
from moot.transcripts.display.words import ending, scored, setting
from moot.transcripts.transcript import Transcript

DATA = 20_000
"""Characters of a question's data that are shown."""
PICTURE = 1_000_000
"""Bytes of an image that is shown."""


def judge_of(transcript: Transcript) -> str | None:
    """The seat that judges; None where nobody does, or the protocol is not installed and no role is called so."""
    roles = transcript.started["roles"]
    role = "judge"
    with suppress(MootError):
        role = transcript.protocol.judge or role
    return next((seat for seat, each in roles.items() if each == role), None)


def asked(transcript: Transcript) -> dict[str, Any]:
    """The question and all that was given with it."""
    question = transcript.question
    data = None
    if question.data is not None:
        data = json.dumps(question.data, ensure_ascii=False, default=str)
        if len(data) > DATA:
            data = f"{data[:DATA]}… (cut: the first {DATA:,} of {len(data):,} characters)"
    return {
        "question": question.text, "choices": list(question.choices), "about": question.about,
        "passage": question.passage, "data": data, "images": [_image(each) for each in question.images],
        "setting": setting(transcript),
    }  # fmt: skip


def _image(image: Image) -> dict[str, Any]:
    src = None
    with suppress(MootError):
        src = image.data_url if image.size <= PICTURE else None
    return {"alt": image.alt or str(image), "src": src}


def seated(transcript: Transcript, put: Put, private: bool) -> list[dict[str, Any]]:
    """Who sat in each seat. defends: the one choice that it was given to argue for all along, or None. private: with its notes."""
    defended: dict[str, set[int]] = {}
    with suppress(MootError):
        for seat, index in transcript.protocol.stances(transcript.question).items():
            defended[seat] = {index}
    for event in transcript.events():
        if event["event"] == "moved" and event["step"] in put:
            argued = put[event["step"]][0].get("answer")
            if type(argued) is int:
                defended.setdefault(event["seat"], set()).add(argued)
    choices, agents = len(transcript.question.choices), transcript.seats
    found = []
    for seat, role in transcript.started["roles"].items():
        own = [index for index in defended.get(seat, ()) if 0 <= index < choices]
        found.append({
            "seat": seat, "role": role, "who": described(agents.get(seat)),
            "defends": own[0] if len(own) == 1 == len(defended[seat]) else None, "bound": transcript.bounds.get(seat),
            "notes": list(notes_in(agents.get(seat))) if private else [],
        })  # fmt: skip
    return found


def ended(transcript: Transcript, private: bool) -> dict[str, Any]:
    """How the play ended, and (private) what the truth makes of that, which no seat was shown."""
    outcome, truth, right, lines = transcript.outcome, None, None, list[str]()
    if private:
        with suppress(MootError):  # a truth that is elsewhere
            truth, right = transcript.sample.unseal(), correct(transcript)
        with suppress(MootError):
            lines = scored(transcript)
    return {
        "outcome": None if outcome is None else {"kind": outcome.kind, "words": ending(transcript), "scores": lines},
        "verdict": list(outcome.verdict.probabilities) if isinstance(outcome, Decided) else None,
        "truth": truth if type(truth) is int else None, "right": right, "ended": outcome is not None,
    }  # fmt: skip


def worth(transcript: Transcript) -> dict[str, Any]:
    """The guarantee. holds: None where that cannot be known, with the reason."""
    try:
        found = transcript.guarantee
    except MootError as error:
        unknown = dict.fromkeys(("class", "measure", "used", "budget", "polynomial", "n"))
        return {"holds": None, **unknown, "because": said(error), "assumes": []}
    return {
        "holds": found.holds, "class": found.complexity_class, "measure": found.measure, "used": found.used,
        "budget": found.budget, "polynomial": found.polynomial, "n": found.n, "because": found.because,
        "assumes": [{"name": name, "says": PREMISES.get(name, "")} for name in found.assumes],
    }  # fmt: skip


def spent(transcript: Transcript) -> dict[str, Any]:
    """The ledger: a row for each seat, of texts as they stand in a table ("unknown" for what is); the tree; budgets as numbers."""
    ledger = transcript.ledger
    rows = [[seat, *(number(getattr(each, name)) for _, name in COLUMNS)] for seat, each in ledger.seats.items()]
    shown = [0, *(i for i in range(1, len(COLUMNS) + 1) if i < 3 or any(row[i] != "0" for row in rows))]
    limits = [
        {"seat": seat, "measure": measure, "used": ledger.spent(seat, measure) if seat in ledger.seats else None, "limit": limit}
        for seat, each in ledger.bounds.items() for measure, limit in each.items()
    ]  # fmt: skip
    titles = ["seat", *(title for title, _ in COLUMNS)]
    return {
        "unit": ledger.unit, "n": ledger.n, "columns": [titles[i] for i in shown],
        "rows": [[row[i] for i in shown] for row in rows], "tree": ledger.tree.model_dump(), "budgets": limits,
    }  # fmt: skip


def running_total(
    measure: str, seat: str | None, staged: Sequence[tuple[Any, Mapping[str, Any]]], charges: Sequence[tuple[tuple[int, ...], int]]
) -> list[int | None]:  # fmt: skip
    """What a seat had spent of a measure by each scene, that scene included; None from where it is unknown. charges: of queries, by step.
    Of measures that scenes do not show, nothing is known."""
    if seat is None or measure not in ("reads", "queries", "calls"):
        return [None] * len(staged)
    total: int | None = 0
    found, next_charge = list[int | None](), 0
    for scene, event in staged:
        made = event["event"] in ("moved", "rejected") and scene.private is None
        if measure == "queries" and event["event"] in ("moved", "rejected", "entered", "told"):
            here = path_of(event["step"])
            while next_charge < len(charges) and charges[next_charge][0] <= here:
                total = (total or 0) + charges[next_charge][1]
                next_charge += 1
        elif made and event["seat"] == seat and total is not None:
            reads = 1 if measure == "calls" else reads_in(event)
            total = None if reads is None else total + reads
        found.append(total)
    return found
