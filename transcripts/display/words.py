"""How outcomes, settings, scores and ledgers are put into words, for the terminal and the notebook alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moot.protocols.engine.errors import MootError
from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited
from moot.transcripts.display.scenes import one_line

if TYPE_CHECKING:
    from moot.complexity.ledger import Ledger
    from moot.transcripts.transcript import Transcript

COLUMNS = (
    ("calls", "calls"), ("attempts", "attempts"), ("failed", "failed_attempts"), ("lost", "lost"),
    ("rejected", "rejected"), ("recorded", "recorded"), ("prompt", "prompt_tokens"),
    ("completion", "completion_tokens"),
    ("cached", "cached_tokens"), ("cost", "cost"), ("seconds", "seconds"), ("longest", "longest"), ("reads", "reads"),
    ("queries", "queries"),
)  # fmt: skip
"""The columns of a ledger: title and field of `Spending`."""


def number(value: int | float | None) -> str:
    """A number as it stands in a table: whole ones with thin groups, others with four digits; None is "unknown"."""
    if value is None:
        return "unknown"
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 10000 else str(int(value))
    return f"{value:.4g}" if abs(value) < 10000 else f"{value:.0f}"


def percent(value: float) -> str:
    """A probability, never rounded to certainty: 0.9999 is ">99 %"."""
    rounded = round(100 * value)
    if rounded == 100 and value < 1:
        return ">99 %"
    if rounded == 0 and value > 0:
        return "<1 %"
    return f"{rounded} %"


def setting(transcript: Transcript) -> str:
    """The protocol with its parameters, the seed, the size of the question, the length of the passage."""
    record, question = transcript.started["protocol"], transcript.question
    given = {key: _bare(value) for key, value in record["params"].items()}
    params = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
    parts = [one_line(record["name"] + (f" ({params})" if params else ""), 400), f"n = {number(question.size)}"]
    if question.passage is not None:
        parts.append(f"passage of {number(len(question.passage.split()))} words")
    if question.data is not None:
        parts.append("data" + (f" of {len(question.data)} items" if isinstance(question.data, (list, dict)) else ""))
    return "; ".join([*parts, f"seed {transcript.seed}"])


def _bare(value: Any) -> Any:
    """A parameter without the fields that say nothing."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if inner is not None}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def ending(transcript: Transcript) -> str:
    """The outcome in a sentence."""
    outcome, choices = transcript.outcome, transcript.question.choices
    if outcome is None:
        return "Not ended" + (f": go on with it by `moot resume {transcript.path}`" if transcript.path else "")
    if isinstance(outcome, Decided):
        best = outcome.verdict.choice
        if best is None:
            return "Decided, with no answer ahead of the others"
        name = one_line(choices[best], 200) if best < len(choices) else f"answer {best}"
        return f"Decided: {name} ({percent(outcome.verdict.probabilities[best])})"
    if isinstance(outcome, Forfeited):
        return f"Forfeited by {one_line(outcome.role, 64)} at step {outcome.step}: {one_line(outcome.rule, 500)}"
    if isinstance(outcome, Exhausted):
        return (
            f"Exhausted at step {outcome.step}: {one_line(outcome.role, 64)} would have spent "
            f"{number(outcome.used)} {one_line(outcome.measure, 40).replace('_', ' ')} of {number(outcome.limit)}"
        )
    assert isinstance(outcome, Errored)
    cause = outcome.cause.removeprefix(f"step {outcome.step}: ")
    return f"Errored at step {outcome.step}: {one_line(cause, 1000)}"


def scored(transcript: Transcript) -> list[str]:
    """Payoffs; and, when the truth is known, whether the judge was right and its reward."""
    from moot.transcripts.reward import correct, judge_reward

    outcome, lines = transcript.outcome, []
    if isinstance(outcome, Decided) and outcome.payoffs:
        lines.append(
            "payoffs: " + ", ".join(f"{one_line(seat, 64)} {pay:+.4g}" for seat, pay in outcome.payoffs.items())
        )
    truth, choices = transcript.sample.unseal(), transcript.question.choices
    if truth is None or not 0 <= truth < len(choices):
        return lines
    line = f"true answer: {one_line(choices[truth], 200)}"
    if isinstance(outcome, Decided):
        line += {True: "; the judge is right", False: "; the judge is wrong", None: "; the judge does not say"}[
            correct(transcript)
        ]
        try:
            reward = judge_reward(transcript)
        except MootError as error:
            line += f"; no reward: {one_line(str(error), 200)}"
        else:
            line += f"; its reward: {reward:.4g}" if reward is not None else ""
    return [*lines, line]


def budgets(ledger: Ledger) -> list[str]:
    """What bounded seats spent of their budgets, and how large the argument tree grew."""
    lines = []
    for seat, limits in ledger.bounds.items():
        for measure, limit in limits.items():
            used = ledger.spent(seat, measure) if seat in ledger.seats else None
            share = f" ({percent(used / limit)})" if used is not None and limit else ""
            lines.append(
                f"budget: {seat} {measure.replace('_', ' ')}: {number(used)} of {number(limit)}{share} at n = {ledger.n}"
            )
    if not lines:
        lines.append("budget: none was set, so nothing was bounded")
    size = ledger.tree
    lines.append(
        f"tree: {number(size.nodes)} nodes ({number(size.unique)} unique), depth {number(size.depth)}, branching "
        f"{number(size.branching)}; largest node {number(size.largest)}, longest path {number(size.longest_path)}, "
        f"all {number(size.total)} {ledger.unit}"
    )
    if size.implied is not None:
        lines.append(f"      it is part of a tree of {number(size.implied)} nodes, which nobody had to write")
    if (asked := ledger.questions) is not None:
        down = f"depth {number(asked.depth)}" if asked.depth is not None else "some of them leading back to themselves"
        line = (
            f"questions: {number(asked.unique)}, {number(asked.edges)} times one asks another, {down}, "
            f"branching {number(asked.branching)}"
        )
        tree = "" if asked.depth is None else "2^1024 nodes or more" if asked.tree is None else number(asked.tree)
        lines.append(f"{line}; as a tree: {tree}" if tree else line)
    if ledger.flips:
        lines.append(f"coins: {ledger.flips}")
    return lines
