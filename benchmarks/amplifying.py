"""Amplification against a direct recursion: the tableau of a Turing machine, cell by cell, recorded."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, best
from moot.complexity.rules import looker
from moot.play.run import run
from moot.protocols.amplification.amplification import Amplification
from moot.tasks.machines.tableau import Tableau
from moot.tasks.programs.programs import Overseer
from moot.transcripts.transcript import Transcript

STEPS = 200


def direct(task: Tableau, data: Any, text: str) -> dict[str, str]:
    """The same questions by plain memoised recursion on the same rule, nothing checked or recorded."""
    known: dict[str, str] = {}
    look = looker(data)

    def answer(question: str) -> str:
        if question in known:
            return known[question]
        rule = task.rule(question, look)
        try:
            wanted: Any = next(rule)
            while True:
                wanted = rule.send(tuple(answer(each) for each in wanted))
        except StopIteration as stop:
            known[question] = stop.value
        return known[question]

    answer(text)
    return known


def rows() -> Iterator[Row]:
    """The tableau at 200 steps through HCH, recording on."""
    sys.setrecursionlimit(100_000)
    task = Tableau()
    samples = [task.sample(STEPS, seed) for seed in range(12)]
    largest = max(samples, key=lambda sample: len(direct(task, sample.question.data, sample.question.text)))
    question = largest.question
    protocol = Amplification(**task.options("amplify", question))
    unique = len(direct(task, question.data, question.text))

    with tempfile.TemporaryDirectory() as folder:
        files = iter(range(10**6))
        last: list[Transcript] = []

        def through() -> None:
            path = Path(folder) / f"{next(files)}.jsonl"
            last[:] = [run(protocol, largest, {"overseer": Overseer(task)}, out=path)]

        bare, recorded = best(lambda: direct(task, question.data, question.text), through, repeats=3)
        outcome = last[0].outcome
        assert outcome is not None and outcome.kind == "decided", outcome
    yield Row(
        "tableau through HCH against memoised recursion on the same rule", recorded / bare, 22, "×",
        f"{unique:,} unique questions at t = {STEPS}; {recorded:.2f} s recorded, {bare:.3f} s bare",
    )  # fmt: skip
