"""No guarantee is reported where the parameters, or the play, fall short of what the class rests on."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.protocols.engine import registry
from moot.protocols.games.computations import computation_named
from moot.protocols.games.doubly_efficient import MOST, of_oracle, samples
from moot.protocols.games.doubly_efficient_steps import Fault
from moot.protocols.trees.moves import Assertion, Response
from moot.tasks.base import task_named

WALK: Any = task_named("oracle-walk")
TALLY: Any = task_named("oracle-tally")


def staged(task: Any, protocol: str, size: int, cast: dict[str, Any] | None = None, **params: Any) -> Any:
    made, seats = task.staged(protocol, sample := task.sample(size, seed=1), **params)
    return moot.run(made, sample, {**seats, **(cast or {})})


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({}, "the judge spent 0 queries"),
        ({"K": 9.0}, "the judge spent 0 queries"),
        ({"K": 0.1}, "K = 0.1 is below the 2.46094 that computation walk declares"),
        ({"d": 0.5}, "with w = 0.666667 and d = 0.5 the wrong side may win"),
        ({"w": 0.5, "d": 0.3}, "with w = 0.5 and d = 0.3"),
    ],
)
def test_doubly_efficient_debate(params: dict[str, Any], because: str) -> None:
    found = staged(WALK, "doubly-efficient", 9, **params).guarantee
    assert found.holds is because.startswith("the judge spent") and because in found.because


@pytest.mark.parametrize(("examined", "holds"), [(None, True), (5, True), (6, True), (4, False), (0, False)])
def test_an_opponent_who_may_not_examine_every_step(examined: int | None, holds: bool) -> None:
    found = staged(TALLY, "doubly-efficient-deterministic", 4, examined=examined).guarantee
    assert found.holds is holds
    assert holds or f"may examine {examined} of 5 steps" in found.because


def test_with_nothing_examined_the_wrong_side_can_win() -> None:
    """Why the guarantee does not hold then: every single step of this table follows from a lie, and Bob has to guess."""
    sample = next(each for each in (TALLY.sample(4, seed=seed) for seed in range(9)) if TALLY.truth(
        each.question.data, "answer()") == "no")  # fmt: skip
    made, seats = TALLY.staged("doubly-efficient-deterministic", sample, examined=0)
    alice, bob = made.sides(sample.question)
    seats[alice] = "task:oracle-tally:liar"
    seats[bob] = lambda request: Fault(address="step(0)")
    transcript = moot.run(made, sample, seats)
    outcome: Any = transcript.outcome
    assert sample.question.choices[outcome.verdict.choice] == "yes" and not transcript.guarantee.holds


def test_a_line_that_is_cut_short() -> None:
    question = moot.Question("Is it so?", ("yes", "no"), size=4)
    half = moot.Bounded(lambda request: moot.Verdict(probabilities=(0.6, 0.4)), reads="100*n")

    def speaker(agrees: bool) -> Any:
        def act(request: moot.Request) -> moot.Move:
            if Response in request.kinds:
                return Response(label="yes" if agrees else "main objection")
            return Assertion(text="so it is")

        return act

    for depth in (0, 1, 3):
        seats = {"a": speaker(False), "b": speaker(False), "judge": half}
        found = moot.run(moot.RecursiveDebate(depth=depth), question, seats).guarantee
        assert not found.holds and f"cut at depth {depth}" in found.because
    seats = {"a": speaker(False), "b": speaker(True), "judge": half}
    assert moot.run(moot.RecursiveDebate(depth=1), question, seats).guarantee.holds


def test_a_computation_that_is_not_known_here_is_no_guarantee(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = staged(WALK, "doubly-efficient", 3)
    assert transcript.guarantee.holds
    monkeypatch.delitem(registry._registered["computation"], "walk")
    found = moot.Transcript(list(transcript.lines())).guarantee
    assert not found.holds and "no computation is called 'walk'" in found.because


@given(st.floats(0, 1, exclude_min=True), st.floats(0, 1, exclude_min=True))
def test_samples_are_a_number_or_a_usage_error(error: float, failure: float) -> None:
    try:
        count = samples(error, failure)
    except moot.UsageError as raised:
        assert "more than 1e+18 samples" in str(raised)
        assert 2 * error * error == 0 or math.log(2 / failure) / (2 * error * error) > MOST
    else:
        assert 0 < count <= MOST and 2 * math.exp(-2 * error * error * count) <= failure * (1 + 1e-9)


@pytest.mark.parametrize("params", [{"K": 1e10}, {"K": 1e160}, {"c": 1e-200}, {"q": 1e-320}])
def test_constants_that_nobody_could_sample_for(params: dict[str, Any]) -> None:
    with pytest.raises(moot.UsageError, match=r"takes more than 1e\+18 samples"):
        staged(WALK, "doubly-efficient", 3, **params)


@pytest.mark.parametrize(
    ("task", "protocol", "attack", "query"),
    [
        ("oracle-walk", "doubly-efficient", "aborting", "up(1)"),
        ("oracle-tally", "doubly-efficient-deterministic", Fault(address="step(0)"), "item(1)"),
    ],
)
def test_the_judge_sees_of_the_oracle_what_it_is_charged_for(task: str, protocol: str, attack: Any, query: str) -> None:
    """The first step is challenged, and the judge would like to know about the second."""
    known: Any = task_named(task)
    sample = known.sample(3, seed=1)
    made, seats = known.staged(protocol, sample)
    attacker = f"task:{task}:{attack}" if isinstance(attack, str) else lambda request: attack
    seats[made.sides(sample.question)[1]] = attacker

    def curious(request: moot.Request) -> moot.Verdict:
        assert len(request.view.look("oracle")) == 1
        request.view.look("oracle", query)
        return moot.Verdict(probabilities=(1.0, 0.0))

    seats["judge"] = moot.Bounded(curious, queries="106000*n + 1")
    outcome = moot.run(made, sample, seats).outcome
    assert not isinstance(outcome, moot.Decided) and "there is no cell" in str(outcome)


def test_the_answer_to_one_query() -> None:
    data: Any = {"computation": "chain", "oracle": {"bit(0)": "1/2", "bit(1)": "1/3"}}
    assert of_oracle(data, "bit(1)") == {"computation": "chain", "oracle": {"bit(1)": "1/3"}}
    assert of_oracle(data, "bit(2)") == of_oracle(data, None) == {"computation": "chain", "oracle": {}}
    assert (
        of_oracle([1], "bit(1)") == [1] and of_oracle({"n": 1}, "bit(1)") == {"n": 1} and of_oracle(None, "x") is None
    )


def test_two_computations_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is imported first: replays would otherwise run one computation for the other."""

    async def chain(ask: Any, x: Any) -> bool:
        return bool(await ask("bit(0)"))

    kept = [*registry._registered["computation"]["chain"]]
    monkeypatch.setitem(registry._registered["computation"], "chain", kept)
    mine = moot.computation(worst=lambda x: 1)(chain)
    with pytest.raises(
        moot.UsageError, match=r"two computations are called 'chain': moot\.tasks\.oracle\.computations:chain and"
    ):
        computation_named("chain")
    assert mine.name == "chain"
    kept.pop()
    assert moot.computation(worst=lambda x: 1, name="chain of mine")(chain).name == "chain of mine"
    assert computation_named("chain").lipschitz is not None


def test_the_judge_of_a_tree_may_be_kept_from_the_source() -> None:
    def looking(request: moot.Request) -> moot.Verdict:
        assert request.view.source == "none"
        return moot.Verdict(probabilities=(0.5, 0.5))

    question = moot.Question("Is it so?", ("yes", "no"), data=[1], size=1)
    seats = {"a": moot.testing.puppet, "b": moot.testing.puppet, "judge": looking}
    assert isinstance(moot.run(moot.TreeDebate(judge_source="none"), question, seats).outcome, moot.Decided)


def test_a_window_of_one_cell_shows_no_rule() -> None:
    question = moot.Question("colourable()", ("yes", "no"), data={"cells": []})
    assert "one cell" in (moot.CrossExamination(window=1).unmet_assumption(question, []) or "")
    assert moot.CrossExamination(window=2).unmet_assumption(question, []) is None
