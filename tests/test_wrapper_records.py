"""What a record says of agents made of others: who draws, by fingerprint too, that nobody else can say so, and that a play with
any of them is taken up, forked and replayed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidates_kit import QUESTION, Request, debate, draws, even, likes_numbers, number

import moot
from moot.agents.base import describe
from moot.agents.identity import identity
from moot.protocols.engine.moves import Speech
from moot.training.learners import Seated, Tabular


def holds(request: Request, move: Any) -> bool:
    return int(move.text) % 3 == 0


MADE: dict[str, Callable[[Any], Any]] = {
    "best-of": lambda agent: moot.BestOf(agent, 3, score=number),
    "quantilized": lambda agent: moot.Quantilized(agent, 4, 2, score=number),
    "conditioned": lambda agent: moot.Conditioned(agent, holds, 40),
    "critique-and-refine": lambda agent: moot.CritiqueAndRefine(agent, draws, critiques=1),
    "briefed": lambda agent: moot.Briefed(agent, "Be bold."),
    "copies": lambda agent: moot.Copies(agent),
}
EVERY = pytest.mark.parametrize("name", MADE)


# -- fingerprints ------------------------------------------------------------------------------------------------------


class Drawer:
    """Of the same name, whatever it has."""

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def act(self, request: Request) -> Speech:
        return Speech(text=str(self.least + request.seed % 9))


class Unseen(Drawer):
    identity = property(lambda self: 1 / 0)


@EVERY
def test_members_are_recorded_with_their_fingerprints(name: str) -> None:
    one, other = (describe(MADE[name](Drawer(least))) for least in (0, 1))
    assert one["agent"] == name and one["members"] == other["members"], "by name alone they are the same"
    found = identity(Drawer())
    assert found is not None and one["fingerprints"] == [found.fingerprint] != other["fingerprints"]


def test_who_has_no_identity_has_no_fingerprint() -> None:
    assert describe(MADE["best-of"](Unseen()))["fingerprints"] == [None]


@EVERY
def test_the_fingerprint_changes_neither_identity_nor_digest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = MADE[name](draws)
    before, digest = identity(wrapped), debate(wrapped).digest
    module = sys.modules[type(wrapped).__module__]
    monkeypatch.setattr(module, "members", lambda *agents: {"members": [], "fingerprints": ["0"]})
    again = MADE[name](draws)
    assert describe(again)["fingerprints"] == ["0"]
    assert identity(again) == before and debate(again).digest == digest


def test_the_agents_are_read_once_a_play_and_not_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Asked(Drawer):
        def identity(self) -> str:
            calls.append(1)
            return "a drawer"

    for rounds in (1, 4):
        calls.clear()
        seats = {"a": moot.Quantilized(Asked(), 3, 1, score=number), "b": draws, "judge": even}
        play = moot.run(moot.Debate(rounds=rounds, questions=False), QUESTION, seats)
        assert isinstance(play.outcome, moot.Decided) and len(calls) == 1


def test_wrappers_within_wrappers_are_told_whole() -> None:
    inner = moot.Quantilized(Drawer(), 4, 2, score=number)
    about = describe(moot.Bounded(moot.Quantilized(inner, 3, 1, likes_numbers), calls=9))
    found = identity(inner)
    assert (about["agent"], about["n"], about["k"], about["bound"]) == ("quantilized", 3, 1, {"calls": "9"})
    assert found is not None and about["fingerprints"] == [found.fingerprint]
    assert about["members"] == [describe(inner)] and about["members"][0]["by"] == {"score": "candidates_kit:number"}
    assert about["by"] == {"agent": "program", "name": "candidates_kit:likes_numbers"}


def test_a_score_that_describes_itself_is_named_by_that() -> None:
    class Scores:
        def __call__(self, request: Request, move: Any) -> float:
            return 1.0

        def describe(self) -> dict[str, Any]:
            return {"agent": "reviewers"}

    about = describe(moot.BestOf(draws, 2, score=Scores()))
    assert about["agent"] == "best-of" and about["by"] == {"score": "reviewers"}


# -- forgery -----------------------------------------------------------------------------------------------------------


class Boasts:
    """Says that it is what it is told to be."""

    def __init__(self, says: Any) -> None:
        self.says = says

    def act(self, request: Request) -> Speech:
        return draws(request)

    def describe(self) -> dict[str, Any]:
        return {"agent": self.says, "n": 2, "k": 2, "tries": 1, "members": [], "fingerprints": []}


def forged(about: dict[str, Any], name: str) -> bool:
    return about["agent"] == "program" and f"it describes itself as {name}, which only moot." in about["problem"]


@EVERY
def test_nobody_else_is_recorded_as_a_wrapper_of_moots(name: str) -> None:
    for boasting in (Boasts(name), moot.Bounded(Boasts(name), calls=3)):
        about = debate(boasting).seats["a"]
        assert forged(about, name) and "and this is none: " in about["problem"] and "n" not in about

    def function(request: Request) -> Speech:
        return draws(request)

    function.describe = Boasts(name).describe  # type: ignore[attr-defined]
    assert forged(debate(function).seats["a"], name)


@EVERY
def test_a_subclass_elsewhere_is_none(name: str) -> None:
    kind: Any = type(MADE[name](draws))
    under = {
        "honest": type("Mine", (kind,), {}),
        "act": type("Mine", (kind,), {"act": lambda self, request: Speech(text="7")}),
        "named": type(kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__}),
        "face": type(kind.__name__, (kind,), {"__module__": "moot"}),
        "nowhere": type("Mine", (kind,), {"__module__": "moot.agents.wrappers.mine"}),
    }
    for how, mine in under.items():
        agent = MADE[name](draws)
        agent.__class__ = mine
        assert forged(describe(agent), name), how
    assert describe(MADE[name](draws))["agent"] == name


@EVERY
@pytest.mark.parametrize("method", ["describe", "act", "start"])
def test_methods_in_its_own_place_make_a_wrapper_none(name: str, method: str) -> None:
    agent = MADE[name](draws)
    own = Boasts(name)
    setattr(agent, method, {"describe": own.describe, "act": own.act, "start": lambda: None}[method])
    about = describe(agent)
    assert forged(about, name) and f"and in this one {method} was replaced: " in about["problem"]
    about = debate(moot.Bounded(agent, calls=9)).seats["a"]
    assert forged(about, name), "whoever passes its description on says so too"


def test_the_parts_by_which_a_wrapper_chooses_cannot_be_replaced_either() -> None:
    best = moot.BestOf(draws, 3, score=number)
    best._picked = lambda request, scores: 0  # type: ignore[method-assign]
    assert "_picked was replaced" in describe(best)["problem"]


@EVERY
@pytest.mark.parametrize("within", MADE)
def test_a_member_that_forges_is_told_within_a_genuine_wrapper(name: str, within: str) -> None:
    about = describe(MADE[within](Boasts(name)))
    assert about["agent"] == within and forged(about["members"][0], name)


def test_what_passes_a_description_on_takes_none_that_was_forged() -> None:
    class Learns(Tabular):
        def describe(self) -> dict[str, Any]:
            return Boasts("best-of").describe()

    class Model(moot.LM):
        def describe(self) -> dict[str, Any]:
            return Boasts("quantilized").describe()

    assert describe(Seated(Learns()))["agent"] == "learner"
    model = Model("mock", base_url="http://127.0.0.1:9/v1")
    assert forged(describe(moot.ModelJudge(model)), "quantilized") and forged(describe(model), "quantilized")


@pytest.mark.parametrize("says", [["best-of"], {"best-of": 1}, 7, None, "best-of ", "Best-of", "best‑of"])
def test_another_name_is_its_own(says: Any) -> None:
    about = describe(Boasts(says))
    assert about["agent"] == says and "problem" not in about


# -- taken up, forked, replayed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["best-of", "quantilized", "conditioned"])
def test_a_play_is_taken_up_forked_and_replayed(name: str, tmp_path: Path) -> None:
    path, protocol = tmp_path / "d.jsonl", moot.Debate(rounds=3, questions=False)
    seats = {"a": MADE[name](draws), "b": draws, "judge": even}
    whole = moot.run(protocol, QUESTION, seats, seed=4)
    made = [(step.step, step.seat, step.move) for step in whole.steps()]
    mine = [step for step, seat, _ in made if seat == "a"]
    stops = {**seats, "b": lambda request: draws(request) if request.step < mine[1] else 1 / 0}
    broken = moot.run(protocol, QUESTION, stops, seed=4, out=path)
    assert isinstance(broken.outcome, moot.Errored)
    resumed = moot.resume(path, seats)
    assert resumed.digest == whole.digest == moot.replay(moot.load(path)).digest
    chosen = [
        (event["step"], event["candidates"], event["chosen"]) for event in resumed.events() if event["event"] == "chose"
    ]
    assert {step for step, *_ in chosen} == {*mine} and len([step for step, *_ in chosen if step == mine[0]]) == 1
    assert all(one == other for one in chosen for other in chosen if one[0] == other[0]), "chosen again, it is the same"
    forked = moot.fork(whole, mine[1], seats)
    assert forked.digest == whole.digest and forked.seats["a"]["agent"] == name
    other = moot.fork(whole, mine[1], seats, seed=5)
    kept = {(step.step, step.seat): step.move for step in other.steps()}
    assert all(kept[step, seat] == move for step, seat, move in made if step < mine[1]) and other.digest != whole.digest
    assert moot.replay(other).digest == other.digest
