"""The n of an instance is counted in its data: no size that is only claimed buys a budget."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.polynomial import Polynomial
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.tasks.base import Task, known_tasks, task_named
from moot.tasks.logic.dimacs import parse_dimacs

TASKS = {name: task for name, task in sorted(known_tasks().items()) if type(task).__module__.startswith("moot.")}
each = pytest.mark.parametrize("name", TASKS)
HOSTILE: tuple[Any, ...] = (10**9, -1, 0, True, None, "x", 1e400, [], {}, [[]], {"n": 10**9})


def written(question: Question) -> int:
    """How many characters a question has, with its choices and its data."""
    return len(question.text) + sum(map(len, question.choices)) + len(json.dumps(question.data))


def few(task: Task, most: int = 12) -> st.SearchStrategy[int]:
    """Sizes of instances whose truth is found at once."""
    sizes = range(task.smallest, min(most, task.largest) + 1)
    return st.sampled_from([size for size in sizes if task.name != "wildcard" or size in (2, 4, 8)])


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The address of everything in JSON values, but for what holds it all."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in inner:
        yield (*path, key)
        yield from places(held, *path, key)


@each
@given(drawn=st.data(), seed=st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_a_sample_declares_the_n_of_its_data(name: str, drawn: Any, seed: int) -> None:
    task = TASKS[name]
    size = drawn.draw(few(task, 6))
    question = task.sample(size, seed).question
    again = task.pose(question.data, question.text, Random(seed)).question
    assert task.n(question.data) == question.size == again.size == task.declared(question.data)
    assert question.size <= written(question)
    # All instances of one size have one n, and larger ones no smaller one; data alone, as truths of large ones take long.
    larger = drawn.draw(few(task).filter(lambda other: other >= size))
    n = task.n(task.data(larger, Random(seed)))
    assert n is not None and n >= question.size == task.n(task.data(size, Random(seed + 1)))
    with pytest.raises(UsageError, match=rf"size is {question.size + 1}, and n of this data is {question.size}"):
        task.pose(question.data, question.text, Random(0), question.size + 1)


@each
def test_what_is_no_instance_has_no_n_and_no_claim_makes_one_larger(name: str) -> None:
    task = TASKS[name]
    question = task.sample(4, 1).question
    limit, random = 2 * written(question), Random(name)

    def holds(data: Any) -> None:
        try:
            n = task.n(data)
        except UsageError as error:
            assert f"task {name}: this is no data of an instance" in str(error)
        else:
            assert type(n) is int and 1 <= n <= limit

    for path in random.sample(all_of := list(places(question.data)), min(40, len(all_of))):
        for hostile in ("gone", *HOSTILE):
            data: Any = copy.deepcopy(question.data)
            held = data
            for key in path[:-1]:
                held = held[key]
            if hostile == "gone":
                del held[path[-1]]
            else:
                held[path[-1]] = copy.deepcopy(hostile)
            holds(data)
    for hostile in HOSTILE:
        holds(hostile)


@pytest.mark.parametrize(
    ("name", "change", "n"),
    [
        ("sum", lambda data: [*data, 1], 5),
        ("reach", lambda data: {**data, "vertices": 10**9}, 4),
        ("geography", lambda data: {**data, "vertices": 10**9}, 4),
        ("assignments", lambda data: {**data, "size": 10**9}, 4),
        ("perm-power", lambda data: {**data, "size": 10**9}, 4),
        ("path", lambda data: {**data, "steps": 10**9}, 4),
        ("path", lambda data: {**data, "walk": [*data["walk"], 0, 0]}, 6),
        ("sat", lambda data: {**data, "variables": 10**9}, 57),
        ("sat", lambda data: {**data, "clauses": data["clauses"] * 8}, 31),
        ("count-sat", lambda data: {**data, "variables": 10**9}, 36),
        ("tqbf", lambda data: {**data, "clauses": data["clauses"] * 4}, 12),
        ("tableau", lambda data: {**data, "time": 2**20}, 24),
        ("tableau", lambda data: {**data, "length": 10**9}, 6),
        ("halting", lambda data: {**data, "length": 10**9}, 44),
        ("halting", lambda data: {**data, "input": ["#"]}, 40),
        ("halting", lambda data: {**data, "delta": {}}, 5),
        ("circuit", lambda data: {**data, "k": 10**9}, None),
        ("circuit", lambda data: {**data, "p": 13}, None),
        ("colouring", lambda data: {**data, "k": 10**9}, None),
        ("primality", lambda data: {**data, "n": 2**64 - 59}, None),
        ("oracle-chain", lambda data: {**data, "input": {"n": 10**9}}, None),
        ("oracle-chain", lambda data: {**data, "computation": "walk"}, None),
        ("oracle-sort", lambda data: {**data, "input": {"n": 5}}, None),
        ("oracle-tally", lambda data: {**data, "input": {"items": 10**9, "least": 1}}, None),
        ("sum", lambda data: [], None),
        ("sum", lambda data: "1111", None),
        ("coins", lambda data: {"0": 1}, None),
    ],
)
def test_what_is_there_counts_and_not_what_the_data_says_of_itself(name: str, change: Any, n: int | None) -> None:
    task = TASKS[name]
    data = change(task.sample(4, 1).question.data)
    if n is None:
        with pytest.raises(UsageError, match=f"task {name}: this is no data of an instance .*, so it has no n"):
            task.n(data)
    else:
        assert task.n(data) == n


def test_a_formula_and_a_circuit_of_a_file_declare_what_a_sample_does() -> None:
    sat, tqbf = task_named("sat"), task_named("tqbf")
    wide = parse_dimacs("p cnf 1 12\n" + "1 1 -1 0\n" * 12)
    assert sat.sample_of(wide).question.size == sat.n(sat.sample_of(wide).question.data) == 3  # type: ignore[attr-defined]
    assert sat.sample_of(parse_dimacs("p cnf 1000 1\n1 2 0\n")).question.size == 2  # type: ignore[attr-defined]
    made = tqbf.sample_of(wide.data())  # type: ignore[attr-defined]
    assert made.question.size == tqbf.n(made.question.data) == 6 and made.task == "tqbf"


class Silent(Task):
    """Whether a number is even, in a task of somebody else's."""

    complexity_class, about, reads, source, example, either = "P", "", "n", "ours", "even()", ("yes", "no")

    def data(self, size: int, random: Random) -> Any:
        return random.randrange(10**size)

    def truth(self, data: Any, text: str) -> str:
        return "no" if data % 2 else "yes"


Silent.name = "silent"  # given afterwards, so that it is in no list of tasks


def test_a_task_that_does_not_say_what_n_is_has_it_declared() -> None:
    task = Silent()
    assert task.n(12) is None and task.sample(3).question.size == 3
    assert task.pose(12, "even()", Random(0), 2).question.size == 2
    with pytest.raises(UsageError, match=r"task silent does not say what n is \(`count`\); give the size"):
        task.pose(12, "even()", Random(0))


@pytest.mark.parametrize("found", [0, -3, 2.0, True, "4"])
def test_an_n_that_is_no_number_from_1_on_is_refused(found: Any) -> None:
    class Wrong(Silent):
        def count(self, data: Any) -> Any:
            return found

    Wrong.name = "wrong"
    with pytest.raises(UsageError, match="task wrong: this is no data of an instance"):
        Wrong().n(12)


@pytest.mark.parametrize("copies", [1, 3, 9])
def test_the_bound_on_a_witness_holds_for_formulas_of_any_shape(copies: int) -> None:
    task = task_named("sat")
    data: Any = task.sample(5, 2).question.data
    data = {**data, "count": data["count"] * copies, "clauses": data["clauses"] * copies}
    n = task.n(data)
    assert n is not None
    assert Polynomial.parse(task.reads)(n) >= data["variables"] + 3 + data["count"] * data["width"]
