"""What the games and their tasks refuse, and formulas of one's own."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import moot
from moot.protocols.engine.base import protocol_named
from moot.tasks.base import task_named
from moot.tasks.logic.tqbf import TQBF


@pytest.mark.parametrize(
    ("name", "choices", "data", "says"),
    [
        ("qbf-debate", ("yes", "no"), {"prefix": [], "clauses": []}, "choices true and false"),
        ("qbf-debate", ("true", "false"), [1, 2], "data is no formula"),
        ("qbf-debate", ("true", "false"), {"prefix": [["e", [1, 1]]], "clauses": []}, "each once"),
        ("qbf-debate", ("true", "false"), {"prefix": [["x", [1]]], "clauses": []}, 'quantifiers must be "a"'),
        ("qbf-debate", ("true", "false"), {"prefix": [["e", [1]]], "clauses": [[2]]}, r"literal 2 of clause \[2\]"),
        ("reachability", ("yes", "no"), {"start": 0, "goal": 2, "edges": [[0, 1], [0, 0]]}, "no vertex 2 among 2"),
        ("reachability", ("yes", "no"), {"start": 0, "goal": 0, "edges": [[0, 1]]}, "data is no graph"),
        ("geography", ("yes", "no"), {"start": 5, "edges": [[0]]}, "no vertex 5 among 1"),
        ("geography", ("yes", "no"), None, "data is no graph"),
    ],
)
def test_questions_that_do_not_fit(name: str, choices: tuple[str, str], data: Any, says: str) -> None:
    with pytest.raises(moot.UsageError, match=says):
        protocol_named(name).roles(moot.Question("Is it?", choices, data=data))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tqbf", "tqbf(1*)"), ("tqbf", "tqbf(*1*)"), ("tqbf", "sum[0:3]"), ("reach", "reach(0,1,3)"),
        ("reach", "reach(0,9,2)"), ("reach", "reach(0,1)"), ("geography", "wins(0,0)"), ("geography", "wins(9)"),
        ("geography", "wins()"),
    ],
)  # fmt: skip
def test_texts_that_are_no_questions(name: str, text: str) -> None:
    task = task_named(name)
    with pytest.raises(moot.UsageError, match="question|names a vertex|no walk|variables"):
        task.truth(task.data(3, Random(0)), text)


def test_sizes_that_there_are_none_of() -> None:
    for name, size in (("tqbf", 23), ("reach", 1), ("reach", 129), ("geography", 25)):
        with pytest.raises(moot.UsageError, match=f"task {name}: size is"):
            task_named(name).sample(size)


def test_a_formula_of_your_own() -> None:
    data = {"prefix": [["e", [3]], ["a", [1, 2]]], "clauses": [[3, 1], [-2, 3, 1], [3]]}
    sample = TQBF().sample_of(data, "mine")
    assert sample.question.choices[sample.unseal() or 0] == "true" and sample.question.size == 3
    judge = moot.Bounded(TQBF().programs()["matrix-judge"](), reads=TQBF.reads)
    found = moot.solve(moot.QBFDebate(), sample, moves={"a": None, "b": None}, seats={"judge": judge})
    assert found.value == {"a": 1, "b": -1}
    wide = TQBF().sample_of({"prefix": [["e", [1]]], "clauses": [[1, -1, 1, -1]] * 5})
    assert wide.question.size == 4
    with pytest.raises(moot.UsageError, match="literal 4"):
        TQBF().sample_of({"prefix": [["e", [1]]], "clauses": [[4]]})
