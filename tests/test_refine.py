"""Critique and refine, wrappers within wrappers, and wrappers by name in a configuration."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from candidates_kit import Request, act, chose, debate, draws, likes_numbers, number

import moot
from moot.agents.spec import agent_from
from moot.agents.wrappers.best_of import BestOf
from moot.agents.wrappers.critique_and_refine import CritiqueAndRefine
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech, Verdict

# -- critique and refine -----------------------------------------------------------------------------------------------


class Drafts:
    """Drafts, and then adds what the critique asks for."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def act(self, request: Request) -> Speech:
        self.seen.append(request)
        if request.brief["task"] != "drafting/refine":
            return Speech(text="draft")
        draft, critique = request.view[-2], request.view[-1]
        assert (draft.seat, critique.seat) == (request.seat, "critic")
        return Speech(text=f"{draft.move.content()}+{critique.move.content()}")


def picks(text: str) -> Any:
    def choose(request: Request) -> Verdict:
        choices = request.view.question.choices
        weights = [1.0 + 9.0 * (choice == text) for choice in choices]
        return Verdict(probabilities=tuple(weight / sum(weights) for weight in weights))

    return choose


def test_the_chosen_critique_goes_back_to_the_agent() -> None:
    critics: list[Request] = []
    texts = iter(["short", "false", "short", "vague"])

    async def critic(request: Request) -> Speech:
        critics.append(request)
        return Speech(text=next(texts))

    drafts = Drafts()
    move, notes = act(CritiqueAndRefine(drafts, critic, picks("false"), critiques=4))
    assert move.text == "draft+false"
    found = chose(notes, "refined")
    assert (
        found["critiques"] == ["short", "false", "vague"] and found["chosen"] == 1 and found["draft"]["text"] == "draft"
    )
    assert [request.role for request in critics] == ["critic"] * 4 and len({request.seed for request in critics}) == 4
    assert all(request.brief["task"] == "drafting/critique" and request.brief["against"] == 0 for request in critics)
    assert all(request.view[-1].move.content() == "draft" and request.view.question.passage for request in critics)
    assert len(drafts.seen) == 2 and drafts.seen[0].seed != drafts.seen[1].seed


def test_rounds_refine_what_was_refined() -> None:
    count = iter(range(9))
    agent = CritiqueAndRefine(Drafts(), lambda request: Speech(text=str(next(count))), rounds=3)
    assert act(agent)[0].text == "draft+0+1+2"


@pytest.mark.parametrize("options", [{"critiques": 0}, {"rounds": 0}])
def test_without_critiques_it_is_the_agent(options: dict[str, int]) -> None:
    alone = debate(draws, seed=3)
    assert debate(CritiqueAndRefine(draws, draws, **options), seed=3).digest == alone.digest


def test_critiques_that_fail_are_left_out_and_the_play_is_replayed() -> None:
    calls: list[int] = []

    def critic(request: Request) -> Speech:
        calls.append(1)
        if len(calls) % 2:
            raise RuntimeError("no critique today")
        return Speech(text="vague")

    transcript = debate(CritiqueAndRefine(Drafts(), critic, picks("vague"), critiques=2))
    assert isinstance(transcript.outcome, moot.Decided) and moot.replay(transcript).digest == transcript.digest
    found = [event for event in transcript.events() if event["event"] == "refined"]
    assert len(found) == 2 and all(list(event["failed"]) == ["0"] for event in found)

    def broken(request: Request) -> Speech:
        raise RuntimeError("no critique today")

    outcome = debate(CritiqueAndRefine(draws, broken)).outcome
    assert isinstance(outcome, moot.Errored) and "none of 1 critiques came" in outcome.cause


def test_wrappers_hold_each_other_and_start_and_close_once() -> None:
    class Counting:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def act(self, request: Request) -> Any:
            return Verdict(probabilities=(0.5, 0.5)) if Verdict in request.kinds else Speech(text="7")

        async def start(self) -> None:
            self.seen.append("start")

        def close(self) -> None:
            self.seen.append("close")

    speaker, judge = Counting(), Counting()
    agent = CritiqueAndRefine(BestOf(speaker, 3, judge), speaker, judge, critiques=2)
    assert isinstance(debate(agent).outcome, moot.Decided)
    assert judge.seen == ["start", "start", "close", "close"]  # by the wrapper and by the one inside it
    assert BestOf(moot.Bounded(draws, calls=3), 2, score=number).bound is not None


def test_an_illegal_draft_is_the_protocols_to_reject() -> None:
    for agent in (CritiqueAndRefine(lambda r: "nonsense", draws), BestOf(lambda r: "nonsense", 1, score=number)):
        outcome = debate(agent).outcome
        assert isinstance(outcome, moot.Forfeited) and outcome.seat == "a"


# -- by name -----------------------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {"agents": {
    "speaker": {"kind": "python", "target": "candidates_kit:draws"},
    "best": {"kind": "best-of", "of": "speaker", "by": "python:candidates_kit:likes_numbers", "n": 4, "least": 2},
    "refined": {"kind": "critique-and-refine", "of": "best", "critic": "speaker", "rounds": 2, "critiques": 3,
                "chooser": "python:candidates_kit:likes_numbers"},
    "circle": {"kind": "best-of", "of": "circle", "by": "speaker", "n": 2},
}}  # fmt: skip


def test_agents_of_a_configuration() -> None:
    best = agent_from("best", CONFIG)
    assert isinstance(best, BestOf) and (best.n, best.least) == (4, 2)
    refined = agent_from("refined", CONFIG)
    assert isinstance(refined, CritiqueAndRefine) and (refined.critiques, refined.rounds) == (3, 2)
    assert isinstance(refined.agent, BestOf)
    assert int(act(best)[0].text) >= int(act(BestOf(draws, 1, likes_numbers))[0].text)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("best", {"n": None}, "needs n"),
        ("best", {"n": 0}, "n is 0"),
        ("best", {"by": None}, "needs by"),
        ("best", {"of": 3}, "of is 3"),
        ("best", {"many": 1}, "no option 'many' .known: of, by, n, least"),
        ("refined", {"critic": None}, "needs critic"),
        ("refined", {"chooser": None}, "chooser"),
        ("circle", {}, "defined by itself"),
    ],
)
def test_what_is_wrong_in_a_configuration(name: str, change: dict[str, Any], says: str) -> None:
    table = {key: value for key, value in {**CONFIG["agents"][name], **change}.items() if value is not None}
    with pytest.raises(UsageError, match=says):
        agent_from(name, {"agents": {**CONFIG["agents"], name: table}})


def test_agents_of_a_file_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from moot.cli.app import app

    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(
        '[agents.s]\nkind = "python"\ntarget = "candidates_kit:draws"\n[agents.best]\nkind = "best-of"\nof = "s"\nn = 3\n'
        'by = "python:candidates_kit:likes_numbers"\n[agents.far]\nkind = "best-of"\nof = "local"\nby = "local"\nn = 4\n'
    )
    common = ["run", "-P", "debate", "-p", "rounds=1", "--config", "c.toml", "-q", "Who?", "-c", "x", "-c", "y"]
    run = partial(CliRunner().invoke, app)
    done = run([*common, "--seat", "debater=best", "--seat", "judge=python:candidates_kit:even", "-o", "d.jsonl"])
    assert done.exit_code == 0, done.output
    assert moot.load("d.jsonl").seats["b"]["agent"] == "best-of"
    dry = run([*common, "--seat", "debater=far", "--seat", "judge=python:candidates_kit:even", "--dry-run", "--json"])
    assert dry.exit_code == 0, dry.output
    assert json.loads(dry.stdout)["seats"]["a"]["calls"] == 2 * (4 * 4 + 4 * 4)  # four answers are read at most
