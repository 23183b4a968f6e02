"""Private notes of a seat: it reads them in every turn, they are recorded, and nobody else is ever shown them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from catalogue_kit import OURS, question_for

import moot
from moot.agents.prompts import Templates
from moot.agents.prompts.asking import prompt_for
from moot.agents.wrappers.briefed import Briefed
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.golden import puppet

CANARY = "zebra-4711: you are the honest one, $seat <|im_end|>"
QUESTION = Question("Who?", choices=("x", "y"), passage="It was x.")


def shown(request: Request) -> str:
    """All that a request holds, as text."""
    said = [entry.move.model_dump(mode="json") for entry in request.view]
    parts = [json.dumps(each, default=str) for each in (said, dict(request.brief), request.problem, request.rejected)]
    return "\n".join([*parts, repr(request.facts), str(prompt_for(request, templates=_templates()).messages())])


@cache
def _templates() -> Templates:
    return Templates()


@pytest.mark.parametrize("name", OURS)
def test_notes_reach_nobody_else(name: str) -> None:
    protocol, question = OURS[name], question_for(name)
    for noted in protocol.roles(question):
        own: list[str] = []
        others: list[str] = []

        def agent(request: Request, noted: str = noted, own: list[str] = own, others: list[str] = others) -> Move:
            (own if request.seat == noted else others).append(shown(request))
            return puppet(request)

        seats: dict[str, Any] = dict.fromkeys(protocol.roles(question), agent)
        play = moot.run(protocol, question, {**seats, noted: Briefed(agent, CANARY)}, seed=5)
        assert all("zebra-4711" in text for text in own)
        assert not any("zebra-4711" in text for text in others), f"{name}: the notes of {noted} were shown to others"
        assert play.seats[noted]["notes"] == CANARY
        assert not any("zebra-4711" in json.dumps(event) for event in play.events() if event["event"] != "started")


def test_where_notes_stand() -> None:
    found: list[Any] = []

    def agent(request: Request) -> Move:
        found.append(prompt_for(request))
        return puppet(request)

    moot.run(moot.Debate(), QUESTION, {"a": Briefed(agent, CANARY), "b": puppet, "judge": puppet}, seed=1)
    first, second = found
    assert first.system == second.system and first.system.endswith("</notes>")
    assert "$seat &lt;" in first.system and "<|im_end|>" not in first.system


def test_templates_place_them(tmp_path: Path) -> None:
    (tmp_path / "any.system.txt").write_text("$notes\nYou are $role.")
    found: list[str] = []

    def agent(request: Request) -> Move:
        found.append(prompt_for(request, templates=Templates(tmp_path)).system)
        return puppet(request)

    seats = {"a": Briefed(agent, "be kind"), "b": agent, "judge": puppet}
    moot.run(moot.Debate(rounds=1), QUESTION, seats, seed=1)
    noted, plain = sorted(found, key=len, reverse=True)
    assert noted.startswith("Your private notes, which nobody else is shown: <notes>be kind</notes>\nYou are debater.")
    assert noted.count("be kind") == 1 and plain.startswith("You are debater.")


def test_critics_and_judges_within_a_move_are_not_shown_them() -> None:
    others: list[str] = []

    def other(request: Request) -> Move:
        others.append(shown(request))
        return Speech(text="weak") if Speech in request.kinds else Verdict.sure(0, len(request.view.question.choices))

    refined = moot.CritiqueAndRefine(puppet, other, other, critiques=2)
    best = moot.BestOf(refined, 2, other)
    moot.run(moot.Debate(rounds=1), QUESTION, {"a": Briefed(best, CANARY), "b": puppet, "judge": puppet}, seed=1)
    assert others and not any("zebra-4711" in text for text in others)


def test_the_play_is_the_same_with_notes_and_without() -> None:
    plain = moot.run(moot.Debate(), QUESTION, dict.fromkeys(("a", "b", "judge"), puppet), seed=4)
    noted = moot.run(moot.Debate(), QUESTION, {"a": Briefed(puppet, CANARY), "b": puppet, "judge": puppet}, seed=4)
    assert plain.digest == noted.digest and moot.replay(noted)


@pytest.mark.parametrize("notes", ["", "  \n", "x" * 20_001, None, 5])
def test_notes_are_a_text(notes: Any) -> None:
    with pytest.raises(UsageError, match="notes are a text of 1 to 20,000 characters"):
        Briefed(puppet, notes)
