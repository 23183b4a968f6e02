"""Every protocol of moot's own with its parameters changed in turn, and a question for each."""

from __future__ import annotations

from typing import Any

import moot
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.base import Protocol
from moot.protocols.games.claims import ClaimGame

OURS: dict[str, Protocol] = {
    "debate": moot.Debate(),
    "sequential": moot.Debate(rounds=2, order="sequential"),
    "no rounds": moot.Debate(rounds=0),
    "swapped": moot.Debate(rounds=1, swap=True),
    "questions": moot.Debate(rounds=2, questions=True),
    "judge with source": moot.Debate(rounds=1, judge_source="all"),
    "metered source": moot.Debate(rounds=1, judge_source="metered"),
    "limits": moot.Debate(rounds=1, limit=moot.Limit(words=9), quote_limit=moot.Limit(chars=30)),
    "clipped": moot.Debate(rounds=1, limit=moot.Limit(chars=20, over="clip")),
    "brier": moot.Debate(rounds=1, scoring=moot.ScoringRule(rule="brier", penalty=0.1)),
    "spherical": moot.Debate(rounds=1, scoring=moot.ScoringRule(rule="spherical")),
    "parts": moot.Debate(
        rounds=2,
        opening=(moot.Speeches(), moot.Feedback()),
        repeat=(moot.Speeches(order="sequential"), moot.Questions(limit=moot.Limit(words=5, over="clip")), moot.Feedback()),
        closing=(moot.Speeches(), moot.Feedback(limit=moot.Limit(chars=10, over="clip"))),
    ),
    "negotiate": moot.Debate(rounds=3, repeat=(moot.Speeches(), moot.Negotiate())),
    "until agreed": moot.Debate(rounds=None, repeat=(moot.Speeches(order="sequential"), moot.Negotiate())),
    "until the judge ends": moot.Debate(rounds=None, repeat=(moot.Speeches(), moot.Feedback())),
    "queries": moot.Debate(rounds=1, closing=(moot.Queries(budget=2),)),
    "queries of a consultancy": moot.Consultancy(rounds=1, closing=(moot.Queries(wrap=2, na="no", debate=True),)),
    "open debate": moot.OpenDebate(rounds=1),
    "open debate with questions": moot.OpenDebate(rounds=2, questions=True, order="sequential"),
    "consultancy": moot.Consultancy(),
    "second answer": moot.Consultancy(answer=1, rounds=1, questions=True),
    "open consultancy": moot.OpenConsultancy(rounds=1),
    "judge alone": moot.DirectQA(),
    "judge with passage": moot.DirectQA(source=True),
    "bisection": moot.Bisection(),
    "amplify": moot.Amplification(depth=2, width=2, turns=2),
    "amplify with budget": moot.Amplification(depth=None, budget=5, turns=2),
    "amplify without memory": moot.Amplification(depth=1, memo=False, source="all"),
    "amplify with pointers": moot.StrongAmplification(depth=2, width=2, turns=2),
    "amplify with a model": moot.Amplification(depth=1, model=True),
    "qbf debate": moot.QBFDebate(),
    "reachability": moot.Reachability(),
    "geography": moot.Geography(),
    "circuit walk": moot.CircuitWalk(),
    "circuit pointer": moot.CircuitPointer(),
    "pixel debate": moot.PixelDebate(pixels=4),
    "pixel debate without precommit": moot.PixelDebate(pixels=3, precommit=False, first="b"),
    "market": moot.MarketMaking(horizon=2, queries=1, unmoved="judge"),
    "market examined": moot.MarketMaking(
        horizon=2, queries=1, tolerance=None, examine=True, reward="lmsr", last="market", unmoved="judge"
    ),
    "market with pointers": moot.PointerMarketMaking(horizon=2, queries=1, opens=2, unmoved="judge"),
    "market uncited": moot.UncitedMarketMaking(
        horizon=1, queries=1, scoring=moot.ScoringRule(rule="brier"), unmoved="judge"
    ),
    "market that stands": moot.MarketMaking(horizon=2, queries=1),
    "market that stands with pointers": moot.PointerMarketMaking(horizon=1, queries=1, opens=2, last="market"),
    "cross-examination": moot.CrossExamination(queries=5),
    "cross-examination uncopied": moot.UncopiedExamination(queries=3, window=2),
    "nested oversight": moot.NestedOversight(steps=3, gap=300.0),
    "decomposition debate": moot.DecompositionDebate(rounds=2, width=2),
    "decomposition debate with pointers": moot.PointerDecompositionDebate(width=2, opens=2),
    "prover-estimator": moot.ProverEstimator(rounds=2, width=2),
    "clue oversight": moot.ClueOversight(comparisons=3),
    "clue critiques": moot.ClueOversight(critiques=2, comparisons=2),
    "recursive debate": moot.RecursiveDebate(depth=3),
    "recursive debate clipped": moot.RecursiveDebate(depth=2, objections=3, limit=moot.Limit(words=6, over="clip"), cites=1),
    "tree debate": moot.TreeDebate(turns="abb"),
    "propaganda": moot.Propaganda(answer=1),
    "double consultancy": moot.DoubleConsultancy(),
    "double consultancy apart": moot.DoubleConsultancy(rounds=1, judged="apart", judge_source="metered"),
    "critique": moot.Critique(answer=1),
    "critique with reply": moot.Critique(answer=None, reply=True, limit=moot.Limit(words=9)),
    "interactive debate": moot.InteractiveDebate(),
    "interactive debate with examiner": moot.InteractiveDebate(examiner=True, order="sequential"),
    "concession": moot.Debate(concede=True, limit=moot.Limit(chars=60, over="clip")),
    "concession in turn": moot.Debate(concede=True, order="sequential"),
    "consultant concedes": moot.Consultancy(concede=True, answer=1),
    "both seatings": moot.SideSwapped(params={"rounds": 1}),
    "both seatings of two consultancies": moot.SideSwapped.of(moot.DoubleConsultancy(rounds=1), exchange="places"),
    "doubly-efficient": moot.DoublyEfficientDebate(computation="walk", input={"n": 3}),
    "doubly-efficient deterministic": moot.DeterministicDoublyEfficientDebate(
        machine="tally", input={"items": 3, "least": 2}
    ),
    "doubly-efficient witness": moot.WitnessedDoublyEfficientDebate(
        machine="subset", input={"items": 2, "weights": [3, 4], "target": 7}, examined=2
    ),
    "proposer and critic": moot.ProposerCritic(limit=moot.Limit(words=9)),
    "proposer and critic swapped": moot.ProposerCritic(rounds=0, swap=True, judge_source="metered"),
    "fresh debate": moot.FreshDebate(params={"rounds": 1}),
    "fresh debate swapped": moot.FreshDebate(debaters=3, swap=True, params={"rounds": 1, "order": "sequential"}),
    "approval": Approval(turns=3, frozen=False),
    "blind approval": Approval(seen=False, turns=3, source="none", frozen=False),
    "approval with an earlier model": Approval(turns=3),
    "specification": moot.Specification(held_out=2, proposals=2),
    "specification without a source": moot.Specification(held_out=1, proposals=2, shown=False, source="none"),
}  # fmt: skip

GRAPH = {"start": 0, "goal": 3, "edges": [[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]]}
CIRCUIT = {"inputs": 3, "gates": [["XOR", 0, 1], ["NAND", 1, 2], ["NOT", 3], ["OR", 5, 4], ["AND", 6, 3]], "output": 7}
GAME = {
    "good_words": ["HARBOUR", "GULL"],
    "bad_words": ["ANVIL", "SAIL"],
    "similarities": {"sea": {"HARBOUR": 0.5, "GULL": 0.25, "ANVIL": 0.125, "SAIL": 0.375}},
}
IMAGE = {"image": [[0, 90, 255, 0], [0, 0, 255, 0], [0, 60, 40, 0], [0, 255, 0, 0]]}
FORMULA = {"prefix": [["a", [1]], ["e", [2]], ["a", [3]], ["e", [4]]], "clauses": [[1, -2, 4], [-1, 2], [2, 3, -4]]}


def question_for(name: str) -> moot.Question:
    """The question of the golden play called so."""
    text = "The storm sank three ships. The admiral said that the storm was never seen before."
    question: Any = moot.Question("What sank the ships?", ("the storm", "the admiral", "pirates"), passage=text)
    if isinstance(OURS[name], moot.Bisection):
        question = moot.Question("What is the sum?", ("36", "37"), data=[1, 2, 3, 4, 5, 6, 7, 8], size=8, unit="cells")
    elif isinstance(OURS[name], moot.QBFDebate):
        question = moot.Question("tqbf(****)", ("false", "true"), data=FORMULA, size=4, unit="cells")
    elif isinstance(OURS[name], (moot.CircuitWalk, moot.CircuitPointer)):
        data: Any = {"circuit": CIRCUIT, "input": [1, 0, 1]}
        question = moot.Question("Does it give 1?", ("0", "1"), data=data, size=5, unit="bits")
    elif isinstance(OURS[name], (ClaimGame, moot.NestedOversight)):
        question = moot.Question("Is it so?", ("yes", "no"), data=GRAPH, size=4, unit="cells")
    elif isinstance(OURS[name], moot.ClueOversight):
        question = moot.Question("What does the clue score?", ("0", "1", "2"), data=GAME, size=4, unit="cells")
    elif isinstance(OURS[name], (moot.RecursiveDebate, moot.TreeDebate)):
        question = question.model_copy(update={"choices": ("the storm", "the admiral")})
    elif isinstance(OURS[name], (moot.ProposerCritic, moot.FreshDebate)):
        question = question.model_copy(update={"choices": ()})
    elif "conce" in name or "seatings" in name or isinstance(OURS[name], moot.Specification):
        question = question.model_copy(update={"choices": question.choices[:2]})
    elif isinstance(OURS[name], moot.PixelDebate):
        question = moot.Question("Which digit is this?", ("0", "1", "7"), data=IMAGE, size=4, unit="cells")
    return question  # type: ignore[no-any-return]
