"""What every task with a local rule has to satisfy, and a meter for rules."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import moot
from moot.complexity.polynomial import Polynomial
from moot.complexity.rules import evaluate, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.base import Task


class Metered:
    """`look` over data that counts its looks."""

    def __init__(self, data: Any) -> None:
        self.look, self.reads = looker(data), 0

    def __call__(self, *address: int | str) -> Any:
        self.reads += 1
        cell = self.look(*address)
        assert isinstance(cell, (int, str)), f"the look at {address} shows {cell!r}, which is more than one cell"
        return cell


def one_step(
    task: Task, data: Any, text: str, answers: dict[str, str] | None = None
) -> tuple[str, tuple[str, ...], int]:
    """The rule applied once, with true answers to what it asks (or those given): answer, sub-questions and reads."""
    look = Metered(data)
    rule, asked, send = task.rule(text, look), list[str](), None
    try:
        while True:
            parts = rule.send(send)  # type: ignore[arg-type]
            assert isinstance(parts, tuple)
            asked += parts
            send = tuple((answers or {}).get(part) or task.truth(data, part) for part in parts)
            look.reads += len(parts)
    except StopIteration as stop:
        return stop.value, tuple(asked), look.reads


def keeps_the_rules(task: Task, size: int, seed: int) -> dict[str, str]:
    """Rule and truth agree on every question, the rule stays within its bound and within the listed questions, and an
    unknown part makes the whole unknown. Returns the answers to what the rule came to from the sampled question."""
    data = task.data(size, Random(seed))
    listed = list(task.questions(data))
    assert len(set(listed)) == len(listed)
    most = Polynomial.parse(task.reads)(task.declared(data))
    for text in listed:
        answer, parts, reads = one_step(task, data, text)
        assert answer == task.truth(data, text) and reads <= most, text
        assert set(parts) <= set(listed)
        assert task.wrong(data, text, Random(seed)) != answer
        if parts:
            assert one_step(task, data, text, {parts[-1]: UNKNOWN})[0] == UNKNOWN
    reached: dict[str, str] = {}
    asked = task.ask(data, Random(seed))
    assert evaluate(task, data, asked, reached) == task.truth(data, asked)
    assert set(reached) <= set(listed)
    return reached


def is_sampled_well(task: Task, size: int, seeds: range) -> None:
    """Samples are the same for the same seed, put the true answer first or second, and seal which it is."""
    firsts = set()
    for seed in seeds:
        sample, again = task.sample(size, seed), task.sample(size, seed)
        assert sample.question == again.question
        truth = sample.unseal()
        assert truth is not None and sample.question.size == task.n(sample.question.data)
        assert sample.question.choices[truth] == task.truth(sample.question.data, sample.question.text)
        firsts.add(truth)
    assert firsts == {0, 1}


def refuses(task: Task, size: int, *texts: str) -> None:
    """Texts that are no questions are refused by truth, in words that show them."""
    data = task.data(size, Random(0))
    for text in texts:
        with pytest.raises(UsageError) as caught:
            task.truth(data, text)
        assert repr(text) in str(caught.value)


def verdict_of(t: moot.Transcript) -> moot.Verdict:
    """The verdict of a play that was decided."""
    assert isinstance(t.outcome, moot.Decided)
    return t.outcome.verdict
