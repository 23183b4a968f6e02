"""Fixed points of local rules, against trying all assignments."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.rules import Look, Rule, evaluate
from moot.complexity.search.fixed_points import WellFounded, consistent, fixed_points, support, well_founded
from moot.protocols.engine.errors import UsageError
from moot.protocols.pointers import Store
from moot.tasks.arithmetic.citing import DIGITS, CitingPair, GroundedPair
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.machines.halting import Halting
from moot.tasks.machines.tableau import SYMBOLS, Tableau, TableauPublished

PAIR, GROUNDED = CitingPair(), GroundedPair()
EIGHT_MINUS_FIVE = {"minuend": 8, "subtrahend": 5, "table": list(range(5, 15))}
FIRST, SECOND = "What is 8 - 5?", "What plus 5 is 8?"


class Mesh(CitingPair):
    """Questions 0, 1, …; data[q] names two of them, of which the second is asked only when the first says so, and a table."""

    def rule(self, text: str, look: Look) -> Rule:
        first, second, table = look(int(text))
        if first is None:
            return str(table[0])
        (one,) = yield (str(first),)
        if one == "0":
            return str(table[1])
        (other,) = yield (str(second),)
        return str(table[(int(one) + 3 * int(other)) % len(table)])


@st.composite
def meshes(draw: st.DrawFn) -> list[Any]:
    count = draw(st.integers(1, 4))
    cell = st.tuples(
        st.none() | st.integers(0, count - 1),
        st.integers(0, count - 1),
        st.lists(st.integers(0, 2), min_size=9, max_size=9),
    )
    return [list(part) for part in draw(st.lists(cell, min_size=count, max_size=count))]


@given(meshes())
@settings(max_examples=150)
def test_backtracking_finds_what_trying_everything_finds(data: list[Any]) -> None:
    questions = [str(number) for number in range(len(data))]
    every = (dict(zip(questions, values, strict=True)) for values in product("012", repeat=len(questions)))
    found = fixed_points(Mesh(), data, questions, "012")
    assert sorted(map(str, found)) == sorted(str(answers) for answers in every if not consistent(Mesh(), data, answers))
    if all(well_founded(Mesh(), data, question).holds for question in questions):
        assert found == [{question: evaluate(Mesh(), data, question) for question in questions}]


@given(meshes(), st.randoms(use_true_random=False))
def test_citations_are_followed_where_the_answers_lead(data: list[Any], random: Random) -> None:
    answers = {str(number): random.choice("012") for number in range(len(data))}
    graph = support(Mesh(), data, "0", answers)
    for question in graph:
        first, second, _ = data[int(question)]
        cited = [] if first is None else [str(first)] if answers[str(first)] == "0" else [str(first), str(second)]
        assert graph.subquestions(question) == list(dict.fromkeys(cited))
    assert well_founded(Mesh(), data, "0", answers).holds == graph.well_founded


def test_a_pair_that_cites_itself_has_ten_fixed_points_and_rests_on_nothing() -> None:
    found = fixed_points(PAIR, EIGHT_MINUS_FIVE, [FIRST, SECOND], DIGITS)
    assert found == [{FIRST: digit, SECOND: digit} for digit in DIGITS]
    # "8 - 5 is 2 because 2 plus 5 is 8", and "2 plus 5 is 8 because 8 - 5 is 2": false, and without fault by the rule.
    lie = {FIRST: "2", SECOND: "2"}
    assert PAIR.truth(EIGHT_MINUS_FIVE, FIRST) == PAIR.truth(EIGHT_MINUS_FIVE, SECOND) == "3"
    assert consistent(PAIR, EIGHT_MINUS_FIVE, lie) == []
    for answers in (lie, None):
        verdict = well_founded(PAIR, EIGHT_MINUS_FIVE, FIRST, answers)
        assert verdict == WellFounded(FIRST, 2, (FIRST, SECOND)) and not verdict.holds
    assert consistent(PAIR, EIGHT_MINUS_FIVE, {FIRST: "2", SECOND: "3"}) == [FIRST, SECOND]


def test_a_base_case_leaves_the_truth_alone() -> None:
    assert fixed_points(GROUNDED, EIGHT_MINUS_FIVE, [FIRST, SECOND], DIGITS) == [{FIRST: "3", SECOND: "3"}]
    assert consistent(GROUNDED, EIGHT_MINUS_FIVE, {FIRST: "2", SECOND: "2"}) == [SECOND]
    assert well_founded(GROUNDED, EIGHT_MINUS_FIVE, FIRST) == WellFounded(FIRST, 2)


@given(st.integers(1, 6), st.integers(0, 2**32))
@settings(max_examples=30)
def test_pairs_of_any_size(size: int, seed: int) -> None:
    data = GROUNDED.data(size, Random(seed))
    questions = list(GROUNDED.questions(data))
    true = {question: GROUNDED.truth(data, question) for question in questions}
    assert len(fixed_points(PAIR, data, questions, DIGITS)) == 10
    assert fixed_points(GROUNDED, data, questions, DIGITS) == [true]
    assert GROUNDED.wrong(data, questions[0], Random(seed)) in set(DIGITS) - set(true.values())


@given(st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=20)
def test_a_tableau_has_one_fixed_point(time: int, seed: int) -> None:
    task = Tableau()
    data = task.data(time, Random(seed))
    domain = ["yes", "no", *SYMBOLS, *data["delta"]]
    questions = list(task.questions(data))
    assert fixed_points(task, data, questions, domain) == [{text: task.truth(data, text) for text in questions}]
    assert well_founded(task, data, "p").holds
    # The rule as published has one fixed point, too: it is the rule that is wrong.
    assert len(fixed_points(TableauPublished(), data, questions, domain)) == 1


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=8))
@settings(max_examples=20)
def test_a_sum_has_one_fixed_point(data: list[int]) -> None:
    task = Sum()
    questions = list(task.questions(data))
    domain = [str(value) for value in range(-16, 17)]
    assert fixed_points(task, data, questions, domain) == [{text: task.truth(data, text) for text in questions}]
    assert well_founded(task, data, questions[0]) == WellFounded(questions[0], 2 * len(data) - 1)


def test_one_wrong_answer_violates_itself_and_what_asks_it() -> None:
    data = [1, 2, 3, 4]
    answers = {text: Sum().truth(data, text) for text in Sum().questions(data)}
    assert consistent(Sum(), data, {**answers, "sum[0:2]": "5"}) == ["sum[0:4]", "sum[0:2]"]
    assert consistent(Sum(), data, {**answers, "sum[0:4]": "5"}) == ["sum[0:4]"]


def test_a_run_through_pointers_rests_on_every_configuration() -> None:
    task, store = Halting(), Store()
    data = task.data(3, Random(4))
    answers: dict[str, str] = {}
    evaluate(task, data, "run", answers, store)
    assert consistent(task, data, answers, store) == []
    verdict = well_founded(task, data, "run", answers, store)
    assert verdict.holds and verdict.support == len(answers) == well_founded(task, data, "run", store=Store()).support
    false = dict.fromkeys(answers, "none")
    # All but the last configuration pass on what they are told.
    assert len(consistent(task, data, false, store)) == 1


def test_what_cannot_be_counted_says_why() -> None:
    data = [1, 2]
    with pytest.raises(UsageError, match="more than 100 runs"):
        fixed_points(PAIR, EIGHT_MINUS_FIVE, [FIRST, SECOND], [str(number) for number in range(1000)], most=100)
    with pytest.raises(UsageError, match=r"ask 'sum\[0:1\]', which is not among the questions"):
        fixed_points(Sum(), data, ["sum[0:2]"], ["1", "2", "3"])
    with pytest.raises(UsageError, match=r"no answer to 'sum\[0:1\]'"):
        consistent(Sum(), data, {"sum[0:2]": "3"})
    with pytest.raises(UsageError, match=r"no answer to 'sum\[1:2\]'"):
        support(Sum(), data, "sum[0:2]", {"sum[0:1]": "1"})
    with pytest.raises(UsageError, match="no store"):
        support(Halting(), {}, "run &0123456789ab", {})
