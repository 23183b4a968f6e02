"""Programs of limited verification come to the shares that the closed form says."""

from __future__ import annotations

import math
from typing import Any

import pytest

import moot
from moot.protocols.engine.errors import UsageError
from moot.tasks.programs.verification import LogOddsJudge, NoisyVerifier, expected_share


@pytest.mark.parametrize("start, accuracy, budget, share", [
    (0.5, 0.8, 0, 0.0), (-0.5, 0.8, 0, 1.0), (0.0, 0.8, 0, 0.5), (-0.5, 0.8, 1, 0.2), (0.5, 0.8, 1, 0.2),
    (-0.5, 0.8, 2, 1 - 0.64), (0.5, 0.8, 2, 0.04), (0.0, 0.8, 3, 0.2**3 + 3 * 0.8 * 0.2**2),
])  # fmt: skip
def test_shares_by_hand(start: float, accuracy: float, budget: int, share: float) -> None:
    assert expected_share(start, accuracy, budget, 0) == pytest.approx(share)
    assert expected_share(-start, accuracy, budget, 1) == pytest.approx(share)


def test_silence_and_placebo_by_hand() -> None:
    assert expected_share(-0.5, 0.8, 1, 0, silent=1.0) == 1.0
    assert (
        expected_share(0.5, 0.8, 1, 0, silent=1.0, na="no") == 1.0
    )  # the first clue is of answer 0, and no speaks against it
    assert expected_share(0.5, 0.8, 1, 1, silent=1.0, na="no") == 0.0
    assert expected_share(-0.5, 0.8, 5, 0, placebo=True) == 1.0


@pytest.mark.parametrize("more", [{}, {"na": "no"}, {"placebo": True}, {"wrap": 2}, {"wrap": 2, "na": "no"}])
@pytest.mark.parametrize("budget", [0, 2])
def test_plays_agree_with_the_closed_form(budget: int, more: dict[str, Any]) -> None:
    """150 judgements; the share lies within 3.5 standard deviations of what it must be."""
    queries, plays, expected, wrong = moot.Queries(budget=budget, **more), 150, [], 0.0
    speak = lambda request: moot.Speech(text="I am right.")  # noqa: E731
    for number in range(plays):
        truth, start = number % 2, 0.9 * math.sin(number)
        question = moot.Question("Who did it?", ("a storm", "the admiral"), data={"truth": truth})
        seats = {"debater": speak, "judge": LogOddsJudge(start, 0.8), "oracle": NoisyVerifier(0.8, 0.1, 0.5)}
        outcome = moot.run(moot.Debate(rounds=0, closing=(queries,)), question, seats, seed=number).outcome
        assert isinstance(outcome, moot.Decided)
        wrong += 0.5 if outcome.verdict.choice is None else float(outcome.verdict.choice != truth)
        silent = 0.5 if queries.wrap == 2 else 0.1
        expected.append(
            expected_share(start, 0.8, budget, truth, silent=silent, na=queries.na, placebo=queries.placebo)
        )
    spread = math.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(wrong - sum(expected)) <= 3.5 * spread + 1e-9
    if budget == 0 or queries.placebo:
        assert wrong == sum(expected)


@pytest.mark.parametrize("accuracy, silent", [(0.5, 0.0), (1.0, 0.0), (0.8, -0.1), (0.8, 1.1), (math.nan, 0.0)])
def test_no_such_verifier(accuracy: float, silent: float) -> None:
    with pytest.raises(UsageError):
        NoisyVerifier(accuracy, silent)
