"""Moves that an agent made without validation are refused or put right like any other reply, so that every play replays."""

from __future__ import annotations

import math
from typing import Any

import pytest

import moot
from moot.agents.base import act_of
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Quote
from moot.protocols.engine.replies import typed
from moot.protocols.games.circuit_debate import GateNumber, GateValues
from moot.protocols.games.doubly_efficient import Check, Probability
from moot.protocols.games.doubly_efficient_steps import Value
from moot.protocols.market.moves import Citation, Statement
from moot.protocols.trees.decomposition_debate import Claim, Decomposition
from moot.protocols.trees.prover_estimator import Call, Estimate
from moot.tasks.base import task_named

VERDICT = moot.Verdict(probabilities=(1.0, 0.0))
CASES: list[tuple[str, str, moot.Move]] = [
    ("oracle-chain", "doubly-efficient", Probability.model_construct(p=5.0)),
    ("oracle-chain", "doubly-efficient", Probability.model_construct(p=math.nan)),
    ("oracle-chain", "doubly-efficient", Probability.model_construct()),
    ("oracle-chain", "doubly-efficient", Probability(p=0.5).model_copy(update={"queries": -10})),
    ("oracle-chain", "doubly-efficient", Check.model_construct(accept="perhaps")),
    ("oracle-tally", "doubly-efficient-deterministic", Value.model_construct(answer=["1"])),
    ("primality", "prover-estimator", Estimate(probability=0.5).model_copy(update={"probability": 7.0})),
    ("primality", "prover-estimator", Call.model_construct(sign=100)),
    ("primality", "decomposition-debate", Decomposition.model_construct(claims=(Claim.model_construct(question=5),))),
    ("circuit-value", "circuit-pointer", GateValues.model_construct(values=(5,) * 7)),
    ("circuit-value", "circuit-pointer", GateNumber.model_construct(gate=-1)),
    ("circuit-value", "circuit-pointer", VERDICT.model_copy(update={"probabilities": (math.nan, 5.0)})),
]


@pytest.mark.parametrize(("task", "protocol", "bad"), CASES, ids=lambda case: getattr(case, "kind", case))
def test_a_play_ends_in_a_forfeit_and_replays(task: str, protocol: str, bad: moot.Move) -> None:
    known: Any = task_named(task)
    for seed in range(6):
        made, seats = known.staged(protocol, sample := known.sample(6, seed=seed))
        programs = {seat: known.programs()[name]() for seat, name in _names(known, made, sample).items()}
        acts = {seat: act_of(program) for seat, program in programs.items()}

        def agent(request: moot.Request, acts: Any = acts) -> Any:
            return bad if type(bad) in request.kinds else acts[request.seat](request)

        transcript = moot.run(made, sample, dict.fromkeys(seats, agent))
        if any(event["event"] == "rejected" for event in transcript.events()):
            assert isinstance(transcript.outcome, moot.Forfeited), transcript.outcome
            assert moot.replay(transcript).digest == transcript.digest
            return
        assert isinstance(transcript.outcome, moot.Decided)  # nobody was asked for one
    raise AssertionError("no play asked for such a move")


def _names(task: Any, protocol: Any, sample: Any) -> dict[str, str]:
    cast = task.cast(protocol.name)
    return {seat: cast.get(seat) or cast[role] for seat, role in protocol.roles(sample.question).items()}


def test_what_json_would_put_right_is_put_right() -> None:
    said = Probability.model_construct(p="0.5", queries=3, of="bit(0)")
    assert typed(said, (Probability, Check)) == Probability(p=0.5, queries=3, of="bit(0)")


@pytest.mark.parametrize(
    "bad",
    [
        moot.Speech.model_construct(text="so", quotes=(Quote.model_construct(text=3),)),
        Statement.model_construct(text="so", cites=(Citation.model_construct(question="", answer="x"),)),
        Decomposition.model_construct(claims=(Claim.model_construct(question="q"),)),
    ],
)
def test_what_is_in_a_move_is_validated_too(bad: moot.Move) -> None:
    with pytest.raises(Illegal, match=f"not a {type(bad).__name__}"):
        typed(bad, (type(bad),))
