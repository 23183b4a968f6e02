"""A row: what a study's tables hold of one play, as plain data.

Rule of this file: the only one that says what a row is; None is unknown, and never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from moot.agents.money.bill import bill_of
from moot.complexity.play import Step
from moot.complexity.reward import judge_reward, leader
from moot.complexity.spending import Ledger
from moot.experiments.statistics.records import sides
from moot.protocols.engine.errors import MootError, SealedElsewhere
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Sample
from moot.studies.design import Cell, Design, hashed
from moot.studies.grid import mirrored, question_fingerprint
from moot.tasks.answers.grading import graded
from moot.transcripts.transcript import Transcript

Row = dict[str, Any]
FINAL = ("decided", "unjudged", "forfeited", "exhausted", "unreadable")
"""Outcomes of plays that have ended for good: these are never asked again. An errored one is, and one that has not ended."""
JUDGED = ("decided", "unjudged")
"""Outcomes of plays that are judged again."""

PRIVATE = ("digest", "judged_again", "asked", "mirror", "played", "mark", "sealed", "counted", "taken")
"""Facts that no row shows: digests, the fingerprints of the question as asked and with its answers exchanged, seed and protocol,
what tells its truth from another (None: it was not to be had), whether the file is sealed, and what counts against caps on money (at the costs that are recorded) and on tokens."""
FOREIGN = "the file is of another play than this cell's (another question, seed or protocol); it was left as it is: move it away"

EMPTY: Row = dict.fromkeys((
    "cause", "choices", "truth", "belief", "answer", "correct", "grade", "reward", "n", "reads", "queries", "calls", "judge_tokens",
    "tokens", "cost", "seconds", "tree_size", "full_tree_size", "guarantee", "guarantee_class", "judge",
    "prices", "proposed", *PRIVATE,
)) | {"payoffs": {}, "defends": {}}  # fmt: skip
"""What is known of a play that there is not."""


def facts_of(transcript: Transcript, allow: Collection[str] = ()) -> Row:
    """What a transcript itself says, in the order in which its answers were listed; where it stands in a study is not in it. allow:
    checkers of answers that may run code (`moot.graded`)."""
    outcome, bill = transcript.outcome, bill_of(transcript.events())
    counts, takes = [line.counted for line in bill], [line.taken for line in bill]
    kind = "not ended" if outcome is None else outcome.kind
    said = next(filter(None, (getattr(outcome, name, None) for name in ("cause", "rule", "reason"))), None)
    ledger, question, protocol = transcript.ledger, transcript.question, transcript.protocol
    roles = transcript.started["roles"]
    judge = next((seat for seat, role in roles.items() if role == protocol.judge), None)
    spent = None if judge is None else ledger.seats.get(judge)
    found = EMPTY | {
        "outcome": kind, "cause": said, "choices": len(question.choices) or None, "n": ledger.n, "judge": judge,
        "reads": None if spent is None else spent.reads, "queries": None if spent is None else spent.queries,
        "calls": None if spent is None else spent.calls,
        "judge_tokens": None if judge is None or spent is None else ledger.spent(judge, "tokens"),
        "tokens": _tokens(ledger), "cost": ledger.total("cost"), "seconds": ledger.total("seconds"),
        "tree_size": ledger.tree.nodes, "full_tree_size": ledger.tree.full_tree_size, "digest": transcript.digest,
        "judged_again": (transcript.parent or {}).get("digest"), "prices": _prices(transcript.steps()),
        "counted": None if None in counts else sum(each for each in counts if each is not None),
        "taken": None if None in takes else sum(each for each in takes if each is not None),
        "asked": question_fingerprint(question), "mirror": mirrored(question), "played": f"{transcript.seed} {protocol.name}",
    }  # fmt: skip
    if isinstance(outcome, Decided):
        belief = outcome.verdict.probabilities
        found |= {"choices": len(belief), "belief": list(belief), "answer": leader(belief)}
    found["payoffs"] = dict(getattr(outcome, "payoffs", {}))
    found["defends"] = sides(transcript)
    guarantee = transcript.guarantee
    found |= {"guarantee": guarantee.holds, "guarantee_class": guarantee.complexity_class}
    try:
        found |= {"reward": judge_reward(transcript)}
        came = graded(transcript, allow=allow)
        found |= {"truth": came.truth, "correct": came.correct, "grade": came.grade}
        found |= {"proposed": list(came.proposed) or None, "mark": truth_mark(transcript.sample)}
    except SealedElsewhere:
        pass
    except MootError as error:
        found["cause"] = found["cause"] or str(error)
    return found


def truth_mark(sample: Sample) -> str:
    """What tells the truth of a sample from another one, whatever the order of its answers. Raises SealedElsewhere."""
    truth, choices = sample.unseal(), sample.question.choices
    return hashed(choices[truth] if choices and truth is not None else truth, sample.unseal_answer())


def _tokens(ledger: Ledger) -> int | float | None:
    """Tokens of all seats."""
    every = [ledger.spent(seat, "tokens") for seat in ledger.seats]
    return None if None in every else sum(each for each in every if each is not None)


def _prices(steps: Iterable[Step]) -> list[list[float]] | None:
    """What a market's prices were, one after another; None where there was no market."""
    found = [[float(p) for p in step.move["probabilities"]] for step in steps if step.move.get("kind") == "price"]
    return found or None


def own(design: Design, cell: Cell, asked: str | None, mirror: str | None, played: str | None) -> bool:
    """Whether what is known of a transcript is of this cell: its question, seed and protocol. Who sat there is in its address; of
    one that judges again the digest says more."""
    if asked is None:  # nothing is known of it
        return True
    if (mirror if cell.flip else asked) != design.questions[cell.question].fingerprint:
        return False
    return cell.parent is not None or played == f"{cell.seed} {(design.arms[cell.arm].protocol or {}).get('name')}"


def row_of(design: Design, cell: Cell, facts: Mapping[str, Any] | None) -> Row:
    """The row of a cell. facts: of its transcript; None where it has not been played."""
    arm, question = design.arms[cell.arm], design.questions[cell.question]
    found = {**EMPTY, "outcome": "not played", **(facts or {})}
    if not own(design, cell, found["asked"], found["mirror"], found["played"]):
        found = {**EMPTY, "outcome": "errored", "cause": FOREIGN, "sealed": found["sealed"]}
    if cell.flip and found["choices"]:
        last = found["choices"] - 1
        for name in ("truth", "answer"):
            found[name] = None if found[name] is None else last - found[name]
        found["belief"] = found["belief"] and found["belief"][::-1]
        found["defends"] = {seat: last - choice for seat, choice in found["defends"].items()}
        found["proposed"] = found["proposed"] and found["proposed"][::-1]
        found["prices"] = found["prices"] and [prices[::-1] for prices in found["prices"]]
    sealed = ".zst" if found["sealed"] else ""
    for private in PRIVATE:
        found.pop(private)
    seats = design.seats(cell.arm, cell.swapped)
    return {
        "study": design.name, "arm": arm.name, "cell": cell.key, "question": question.name, "epoch": cell.epoch,
        "repetition": cell.repetition, "seed": cell.seed, "seating": "swapped" if cell.swapped else "given", "flip": cell.flip,
        "axes": dict(arm.axes), "tags": dict(question.tags), "protocol": (arm.protocol or {}).get("name"),
        "seats": seats, "parent": cell.parent, "path": f"{cell.path}{sealed}",
        **found, "judge": seats.get(found["judge"] or "judge"),
    }  # fmt: skip
