"""Scoring: what the sealed truth makes of a verdict.
Rule: it scores verdicts by the truth; what debaters are paid is their protocol's, many plays are the experiments'."""

from __future__ import annotations

from collections.abc import Sequence

from moot.complexity.play import Play
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.outcomes import Decided
from moot.protocols.scoring import ScoringRule


def continues(transcript: Play) -> int:
    """How often the judge stated a belief and went on."""
    roles = transcript.started["roles"]
    verdicts = [s for s in transcript.steps() if roles.get(s.seat) == "judge" and s.move.get("kind") == "verdict"]
    return sum(not step.move.get("end") for step in verdicts[:-1])


def answers_of(transcript: Play) -> dict[str, tuple[float, ...]]:
    """What was answered, by seat: the judge's belief, where the play was decided, and the protocol's other answers."""
    protocol, outcome = transcript.protocol, transcript.outcome
    found = dict(protocol.other_answers(transcript.steps()))
    if isinstance(outcome, Decided):
        roles = transcript.started["roles"]
        judge = next((seat for seat, role in roles.items() if role == protocol.judge), protocol.judge)
        found = {judge: outcome.verdict.probabilities, **found}
    return found


def leader(probabilities: Sequence[float]) -> int | None:
    """The index of the most probable choice; None when two or more share the first place, or there is none."""
    best = max(probabilities, default=None)
    return None if best is None or probabilities.count(best) > 1 else probabilities.index(best)


def judge_reward(transcript: Play) -> float | None:
    """The judge's reward under the protocol's scoring rule and the sealed truth; None when there is no truth to score by
    or no verdict to score (a forfeit, an error: not a score of 0)."""
    outcome, truth = transcript.outcome, transcript.sample.unseal()
    if not isinstance(outcome, Decided) or truth is None:
        return None
    return reward_of(transcript.protocol, outcome.verdict.probabilities, truth, continues(transcript))


def reward_of(protocol: Protocol, probabilities: Sequence[float], truth: int, continues: int) -> float:
    """What a protocol's scoring rule pays its judge for a belief, after going on `continues` times."""
    rule = getattr(protocol, "scoring", None) or ScoringRule()
    return float(rule.reward(probabilities, truth, continues))


def correct(transcript: Play) -> bool | None:
    """Whether the verdict's most probable choice is the true one; None when undecided, tied, or of unknown truth."""
    outcome, truth = transcript.outcome, transcript.sample.unseal()
    if not isinstance(outcome, Decided) or truth is None or outcome.verdict.choice is None:
        return None
    return outcome.verdict.choice == truth
