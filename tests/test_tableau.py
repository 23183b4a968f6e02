"""The tableau task against direct simulation, and how many questions it leads to."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.questions import QuestionGraph
from moot.complexity.rules import evaluate, looker
from moot.complexity.search.fixed_points import consistent, follow
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.machines.tableau import Tableau, TableauPublished

TASK, PUBLISHED = Tableau(), TableauPublished()
SEEDS = st.integers(0, 2**32)


def mover(time: int, move: int) -> dict[str, Any]:
    """A machine that leaves every symbol as it is and always moves by `move`."""
    delta = {f"q0,{symbol}": ["q0", symbol, move] for symbol in "01_"}
    return {"start": "q0", "time": time, "length": 1, "input": ["1"], "delta": delta}


@given(time=st.integers(1, 7), seed=SEEDS)
@settings(max_examples=40)
def test_the_true_answers_to_all_questions_satisfy_the_rule(time: int, seed: int) -> None:
    data = TASK.data(time, Random(seed))
    assert consistent(TASK, data, {text: TASK.truth(data, text) for text in TASK.questions(data)}) == []


@given(time=st.integers(1, 30), seed=SEEDS)
@settings(max_examples=40)
def test_no_machine_leads_to_more_questions_than_those_that_never_stop_moving(time: int, seed: int) -> None:
    data = TASK.data(time, Random(seed))
    graph = QuestionGraph.of_rule(TASK, data, f"p:{time}")
    assert set(graph) <= set(TASK.questions(data))
    assert graph.well_founded and graph.depth == time and graph.branching == 3
    assert 3 * time + 1 <= graph.unique <= (time * time + 5 * time + 2) // 2
    assert graph.tree is not None and graph.tree <= tree_of_cells(time)


@given(
    time=st.integers(1, 12), seed=SEEDS, step=st.integers(1, 12), offset=st.integers(-9, 9), garbled=st.text(max_size=8)
)
@settings(max_examples=60)
def test_no_answer_to_a_part_breaks_the_rule(time: int, seed: int, step: int, offset: int, garbled: str) -> None:
    data = TASK.data(time, Random(seed))
    for text in ("p", f"p:{step}", f"p:{step}:{offset}"):
        result = follow(TASK, data, text, lambda part: garbled)
        assert garbled in data["delta"] or result == UNKNOWN


@given(time=st.integers(1, 12), seed=SEEDS)
@settings(max_examples=30)
def test_the_rule_reads_a_constant_number_of_cells_and_answers(time: int, seed: int) -> None:
    data = TASK.data(time, Random(seed))
    for text in TASK.questions(data):
        reads = 0

        def counted(*address: int | str) -> Any:
            nonlocal reads
            cell = looker(data)(*address)
            reads += len(cell) if isinstance(cell, list) else 1
            return cell

        rule = TASK.rule(text, counted)
        try:
            parts = next(rule)
            while True:
                reads += len(parts)
                parts = rule.send(tuple(TASK.truth(data, part) for part in parts))
        except StopIteration:
            assert reads <= int(TASK.reads)


def test_a_thousand_machines_agree_with_simulation_and_the_published_rule_with_some_not() -> None:
    wrong = wrong_end = 0
    for seed in range(1000):
        time = 1 + seed % 10
        data = TASK.data(time, Random(seed))
        answers: dict[str, str] = {}
        assert evaluate(TASK, data, "p", answers) == TASK.truth(data, "p")
        assert answers[f"p:{time}"] == TASK.truth(data, f"p:{time}")
        wrong += evaluate(PUBLISHED, data, f"p:{time}") != TASK.truth(data, f"p:{time}")
        wrong_end += evaluate(PUBLISHED, data, "p") != TASK.truth(data, "p")
    # How often depends on the machines: their random moves, and how soon they halt.
    assert 100 < wrong < 400
    assert 0 < wrong_end < wrong


def test_the_published_rule_forgets_what_was_written() -> None:
    data = mover(2, 0)
    data["delta"]["q0,1"] = ["q1", "0", 1]
    data["delta"]["q1,_"] = ["q0", "_", -1]
    assert TASK.truth(data, "p:2") == evaluate(TASK, data, "p:2") == "q0,0"
    assert evaluate(PUBLISHED, data, "p:2") == "q0,1"
    assert "p:1:-1" in consistent(PUBLISHED, data, {q: TASK.truth(data, q) for q in TASK.questions(data)})


@cache
def tree_of_cells(time: int) -> int:
    """A(t) nodes of the unmemoised tree below p:t when both parts of every p:i:j are asked."""
    return 1 if time == 0 else 1 + tree_of_cells(time - 1) + 2 * _tree_of_one(time - 1)


@cache
def _tree_of_one(time: int) -> int:
    return 1 if time == 0 else 1 + tree_of_cells(time - 1) + _tree_of_one(time - 1)


def test_the_recurrence_gives_the_known_numbers_and_grows_like_one_plus_root_two() -> None:
    known = {1: 4, 2: 11, 3: 28, 4: 69, 5: 168, 8: 2377, 10: 13859, 20: 93222357}
    assert {time: tree_of_cells(time) for time in known} == known
    assert tree_of_cells(60) / tree_of_cells(59) == pytest.approx(1 + 2**0.5, rel=1e-12)


@pytest.mark.parametrize("time", [1, 2, 3, 4, 5, 8, 10, 20, 100])
def test_a_machine_that_stands_still_has_the_largest_tree_and_the_fewest_questions(time: int) -> None:
    # With h = 0, j + h is never 0 for the offsets -1 and 1, so that both parts of every p:i:j are asked. Counted: p:t and below.
    graph = QuestionGraph.of_rule(TASK, mover(time, 0), f"p:{time}")
    assert graph.tree == tree_of_cells(time)
    assert graph.unique == 3 * time + 1


@pytest.mark.parametrize("move", [-1, 1])
@pytest.mark.parametrize("time", [1, 2, 5, 20])
def test_a_machine_that_always_moves_has_the_most_questions(time: int, move: int) -> None:
    # One offset is lost and two are gained at each step, so that k steps before the end there are k + 1 offsets and the head.
    graph = QuestionGraph.of_rule(TASK, mover(time, move), f"p:{time}")
    assert graph.unique == (time * time + 5 * time + 2) // 2


@pytest.mark.parametrize("time", [1, 2, 3, 10, 20])
def test_over_all_machines_there_are_t_plus_one_squared_questions(time: int) -> None:
    # (t + 1)^2 counts every question that p:t leads to under some machine: the union over the three moves at each step.
    reached = [f"p:{time}"]
    for text in reached:
        for move in (-1, 0, 1):
            asked: list[str] = []
            follow(TASK, mover(time, move), text, _noting(asked))
            reached += [part for part in dict.fromkeys(asked) if part not in reached]
    assert len(reached) == (time + 1) ** 2
    assert {"p", *reached} == set(TASK.questions(mover(time, 0)))


def _noting(asked: list[str]) -> Callable[[str], str]:
    def answer(part: str) -> str:
        asked.append(part)
        return "1" if part.count(":") == 2 else "q0,1"

    return answer


def test_an_instance_declares_the_bits_of_its_time_and_the_length_of_its_word() -> None:
    for time, n in [(1, 2), (7, 6), (8, 8), (1023, 20)]:
        sample = TASK.sample(time, seed=3)
        question = sample.question
        assert question.size == n and json.loads(json.dumps(question.data)) == question.data
        truth = sample.unseal()
        assert truth is not None and question.choices[truth] == TASK.truth(question.data, "p")
        for protocol in ("amplify", "amplify-strong"):
            assert TASK.options(protocol, question) == {"depth": None, "questions": (time + 2) ** 2 + 10}
        assert TASK.options("debate", question) == {}
        for text in ("p", "p:1", "p:1:-1"):
            assert TASK.wrong(question.data, text, Random(1)) != TASK.truth(question.data, text)


@pytest.mark.parametrize("text", ["", "q", "p:", "p:-1", "p:01", "p:1:-0", "p:1:2:3", "p:1 ", "p:٣"])
def test_a_text_that_asks_nothing_is_refused(text: str) -> None:
    data = mover(3, 1)
    with pytest.raises(UsageError, match="write p, p:7 or p:7:-2"):
        TASK.truth(data, text)
    with pytest.raises(UsageError, match="write p, p:7 or p:7:-2"):
        evaluate(TASK, data, text)


def test_the_truth_says_where_an_instance_ends() -> None:
    with pytest.raises(UsageError, match="beyond the 3 steps"):
        TASK.truth(mover(3, 1), "p:4")
    broken = mover(3, 1)
    del broken["delta"]["q0,_"]
    with pytest.raises(UsageError, match="no row for 'q0,_'"):
        TASK.truth(broken, "p:3")
