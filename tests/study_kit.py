"""Rows of studies that were never played, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moot.studies.results.rows import row


def verdict(
    question: str, p: float | None = None, *, arm: str = "a", truth: int | None = 0, **more: Any
) -> dict[str, Any]:
    """A row about two choices. p: the belief in the first one; None is an open answer, or whatever `more` says."""
    base: dict[str, Any] = {
        "study": "s", "arm": arm, "question": question, "epoch": 0, "seating": "given", "flip": False, "outcome": "decided",
        "choices": 2, "truth": truth, "judge": arm, "seats": {"alice": "x", "bob": "y", "judge": arm},
    }  # fmt: skip
    if p is not None:
        answer = None if p == 0.5 else int(p < 0.5)
        correct = None if answer is None or truth is None else answer == truth
        base.update(belief=[p, 1 - p], answer=answer, correct=correct)
    return row(**{**base, **more})


def undecided(question: str, outcome: str = "unreadable", **more: Any) -> dict[str, Any]:
    return verdict(question, None, **{"outcome": outcome, **more})


def told(question: str, right: bool, **more: Any) -> dict[str, Any]:
    """A verdict that is simply right or wrong."""
    return verdict(question, 0.9 if right else 0.1, **more)


def arm_of(name: str, rights: Sequence[bool | None], **more: Any) -> list[dict[str, Any]]:
    """One verdict on each of questions q0, q1, …; None is one that could not be read."""
    return [undecided(f"q{i}", arm=name, **more) if right is None else told(f"q{i}", right, arm=name, **more) for i, right in enumerate(rights)]  # fmt: skip
