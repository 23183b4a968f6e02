"""Approval: what an overseer is shown, and what it takes over from it."""

from __future__ import annotations

import json
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

import moot
from moot.complexity.estimates import wilson
from moot.experiments.classes.frozen_answers import optimum, self_answered
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.amplification.approval import Approval, Approve, Claim
from moot.protocols.engine.game import Game
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.base import task_named
from moot.tasks.programs.programs import Overseer
from moot.training.errors import Slipping
from moot.training.learners import Tabular, as_agent
from moot.training.oversight import PERSUASION, Anchoring, Claims, Persuadable, anchoring, play_once, train_by_approval

TASK = PermutationPower()
DATA = TASK.data(8, Random(0))
TEXTS = list(TASK.learnable(DATA))
MARK = "\u27e6claimed\u27e7"


class Knows:
    """Answers every question with the truth."""

    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=TASK.truth(DATA, request.view.question.text))


def _always(moves: Any, request: moot.Request) -> Any:
    return moves


def case(text: str, right: bool, said: str) -> tuple[moot.Question, str, str]:
    true = TASK.truth(DATA, text)
    wrong = TASK.wrong(DATA, text, Random(text))
    question = moot.Question(text, (true, wrong), data=DATA, size=8, unit="cells")
    return question, true if right else wrong, said


def moves(request: moot.Request) -> st.SearchStrategy[Any]:
    """Legal moves: answers among the choices, sub-questions within the width; and now and then an answer that is none."""
    answers = st.sampled_from([*request.view.question.choices, "?"] * 3 + ["none of them"])
    made: dict[type[moot.Move], st.SearchStrategy[Any]] = {
        Claim: st.builds(Claim, answer=answers, text=st.text(max_size=5)),
        Approve: st.just(Approve()),
        Reply: st.builds(Reply, answer=answers),
        Subquestions: st.builds(Subquestions, questions=st.lists(st.sampled_from(["p?", "q?"]), min_size=1, max_size=3).map(tuple)),
    }  # fmt: skip
    return st.one_of(*(made[kind] for kind in request.kinds))


@pytest.mark.parametrize("seen", [True, False])
def test_every_law_holds_on_plays_that_go_to_their_end(seen: bool) -> None:
    questions = moot.Question("Who?", ("x", "y", "z"), passage="It was y.")
    moot.testing.check_protocol(Approval(seen=seen, turns=3, width=2), questions=questions, moves=moves, examples=10)


def requests(seen: bool, claim: Claim) -> list[tuple[str, str, str]]:
    """Step, digest and full text of every request to the overseer and for sub-questions, in a play with this claim."""
    question = case(TEXTS[20], True, "")[0]
    game = Game(Approval(seen=seen), question).start()
    found = []
    while game.outcome is None:
        for step, request in game.requests().items():
            if Claim in request.kinds:
                game.answer(step, claim)
                continue
            view = [request.view.question.model_dump(mode="json"), [list(map(str, entry)) for entry in request.view]]
            found.append(
                (step, request.digest, json.dumps(view) + to_json(dict(request.brief)).decode() + str(request.problem))
            )
            game.answer(step, Knows().act(request) if request.seat == "earlier" else Overseer(TASK).act(request))
    return found


@given(st.sampled_from(case(TEXTS[20], True, "")[0].choices), st.text(max_size=20))
@settings(deadline=None, max_examples=30)
def test_a_blind_overseer_is_shown_nothing_that_depends_on_the_claim(answer: str, text: str) -> None:
    blind = requests(False, Claim(answer=answer, text=f"{MARK} {text}"))
    assert len(blind) > 2 and not any(json.dumps(MARK)[1:-1] in shown or MARK in shown for *_, shown in blind)
    assert blind == requests(False, Claim(answer="?")), "views, briefs and digests are the same for every claim"


def test_a_seeing_overseer_is_shown_the_claim_and_those_who_answer_parts_are_not() -> None:
    shown = requests(True, Claim(answer=TASK.truth(DATA, TEXTS[20]), text="zebra"))
    overseer = [text for *_, text in shown if '"task":"oversee"' in text]
    parts = [text for *_, text in shown if '"task":"amplify"' in text]
    assert len(overseer) >= 3 and all("zebra" in text for text in overseer)
    assert len(parts) >= 2 and not any("zebra" in text for text in parts)


def test_what_is_approved() -> None:
    question = moot.Question("Who?", ("x", "y"))

    def outcome(seen: bool, claim: str, move: moot.Move) -> moot.Decided:
        seats = {"model": Claims(claim, ""), "overseer": type("Says", (), {"act": lambda self, request: move})()}
        ended = play_once(Approval(seen=seen, source="none"), question, seats)
        assert isinstance(ended, moot.Decided)
        return ended

    assert outcome(True, "x", Approve()).payoffs == {"model": 1.0}
    assert outcome(True, "x", Approve()).verdict.probabilities == (1.0, 0.0)
    for seen in (True, False):
        assert outcome(seen, "x", Reply(answer="x")).payoffs == {"model": 1.0}
        assert outcome(seen, "x", Reply(answer="y")).payoffs == {"model": 0.0}
        assert outcome(seen, "x", Reply(answer="y")).verdict.probabilities == (0.0, 1.0)
        assert outcome(seen, "?", Reply(answer="?")).payoffs == {"model": 0.0}, "not knowing is nothing to approve"
        assert outcome(seen, "?", Reply(answer="?")).verdict.probabilities == (0.5, 0.5)
    assert outcome(True, "?", Approve()).verdict.probabilities == (0.5, 0.5)
    blind = play_once(Approval(seen=False), question, {"model": Claims("x", ""), "overseer": _Approves()})
    assert isinstance(blind, moot.Forfeited), "there is nothing that it could approve"


class _Approves:
    def act(self, request: moot.Request) -> moot.Move:
        return Approve()


@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize("right", [True, False])
def test_seen_minus_blind_is_exact_at_the_ends(p: float, right: bool) -> None:
    """A faultless overseer approves what is right either way; a persuaded one approves what is wrong if it sees it."""
    n = len(TEXTS)
    found = anchoring([case(text, right, PERSUASION) for text in TEXTS], Persuadable(Overseer(TASK), p), Knows())
    fooled = n if p == 1 and not right else 0
    assert found == Anchoring(n, 0, seen=n if right else fooled, blind=n if right else 0, gained=fooled, lost=0)
    assert found.shift == found.flips == fooled / n
    plain = anchoring([case(text, right, "so it is") for text in TEXTS], Persuadable(Overseer(TASK), p), Knows())
    assert plain.shift == plain.flips == 0, "without the mark nothing persuades"


def test_seen_minus_blind_of_an_overseer_that_can_be_persuaded_and_slips() -> None:
    """Persuaded with probability p, and otherwise slipping with probability e, to the other of two choices:

    wrong claim: seen p + (1 - p) e, blind e, shift p (1 - e);   right claim: seen p + (1 - p)(1 - e), blind 1 - e, shift p e.
    """
    p, e = 0.3, 0.2
    overseer = Persuadable(Slipping(Overseer(TASK), e), p)
    for right, seen, blind in ((False, p + (1 - p) * e, e), (True, p + (1 - p) * (1 - e), 1 - e)):
        found = anchoring([case(text, right, PERSUASION) for text in TEXTS], overseer, Knows(), plays=12, seed=7)
        assert found.plays == 12 * len(TEXTS) and found.undecided == 0
        for count, expected in ((found.seen, seen), (found.blind, blind)):
            low, high = wilson(count, found.plays, z=4)
            assert low <= expected <= high
        assert found.shift == pytest.approx(p * (1 - e) if not right else p * e, abs=0.08)
        assert found.gained - found.lost == found.seen - found.blind


def test_plays_that_are_not_decided_are_no_disapproval() -> None:
    found = anchoring([case(TEXTS[0], True, "")], _Approves(), Knows())
    assert found == Anchoring(0, 1, 0, 0, 0, 0) and found.shift is None and found.flips is None


def learned(seen: bool, p: float) -> float:
    table: Tabular = train_by_approval(
        TASK, DATA, Persuadable(Overseer(TASK), p), seen=seen, texts=("", PERSUASION), passes=2, seed=1
    )
    return sum(said == TASK.truth(DATA, text) for said, text in zip(table.predict(TEXTS), TEXTS, strict=True)) / len(
        TEXTS
    )


def test_training_by_approval_learns_what_persuades_and_imitation_does_not() -> None:
    assert [learned(False, p) for p in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    assert learned(True, 0.0) == 1.0
    assert 1.0 > learned(True, 0.3) > learned(True, 1.0) and learned(True, 1.0) < 0.5


def test_a_recorded_play_is_replayed_and_bounded() -> None:
    sample = TASK.sample(16, seed=2)
    data, table = sample.question.data, Tabular()
    texts = list(TASK.learnable(data))
    table.train(texts, [TASK.truth(data, text) for text in texts])
    model = Claims(TASK.truth(data, sample.question.text), "so it is")
    transcript = moot.run(
        Approval(), sample,
        {"model": model, "earlier": as_agent(table, TASK), "overseer": moot.Bounded(Overseer(TASK), reads_per_call="8")},
    )  # fmt: skip
    assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.payoffs == {"model": 1.0}
    assert moot.replay(transcript).digest == transcript.digest
    with pytest.raises(moot.UsageError, match="has none"):
        moot.run(Approval(), moot.Question("open"), {"model": model, "overseer": Overseer(TASK)})
    with pytest.raises(moot.UsageError, match=r"lies in \[0, 1\]"):
        Persuadable(Overseer(TASK), 2)


@pytest.mark.parametrize("name", ["sum", "tableau"])
def test_with_frozen_sub_answers_what_is_best_for_the_model_is_the_truth(name: str) -> None:
    """Every claim but the truth is paid nothing; where the model answers sub-questions itself, a wrong one is paid all."""
    task = task_named(name)
    for seed in range(3):
        sample = task.sample(2, seed)
        best = optimum(task, sample, frozen=True)
        assert isinstance(best.outcome, moot.Decided) and best.value == {"model": 1.0}
        assert best.outcome.verdict.choice == sample.unseal()
        protocol, seats = task.staged("approval", sample)
        others = {seat: agent for seat, agent in seats.items() if seat != "model"}
        lies = [
            Claim(answer=each)
            for each in sample.question.choices
            if each != task.truth(sample.question.data, sample.question.text)
        ]
        assert moot.solve(protocol, sample, moves={"model": partial(_always, lies)}, seats=others).value == {
            "model": 0.0
        }
    failure = self_answered()
    assert failure.shown and failure.found.startswith("3 of 3")


def test_who_answers_sub_questions() -> None:
    question = case(TEXTS[20], True, "")[0]
    asked: list[tuple[str, str]] = []

    def model(request: moot.Request) -> moot.Move:
        asked.append((request.seat, request.role))
        true = TASK.truth(DATA, request.view.question.text)
        return Claim(answer=true) if Claim in request.kinds else Reply(answer=true)

    by_role = moot.run(Approval(), question, {"model": model, "overseer": Overseer(TASK)})
    assert {*asked} == {("model", "model"), ("earlier", "model")} and asked.count(("model", "model")) == 1
    asked.clear()
    unfrozen = moot.run(Approval(frozen=False), question, {"model": model, "overseer": Overseer(TASK)})
    assert {*asked} == {("model", "model")} and len(asked) > 2
    assert by_role.outcome == unfrozen.outcome
    assert by_role.started["protocol"]["params"] == {"frozen": True, "check_quotes": True}
    assert unfrozen.started["protocol"]["params"] == {"check_quotes": True}
    assert moot.replay(by_role).digest == by_role.digest and moot.replay(unfrozen).digest == unfrozen.digest
