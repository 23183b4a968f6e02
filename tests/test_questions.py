"""The graph of questions, against networkx and against plain recursion."""

from __future__ import annotations

import sys
import tracemalloc
from functools import cache
from random import Random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.questions import QuestionGraph
from moot.complexity.rules import Circle, evaluate
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.citing import CitingPair, GroundedPair
from moot.tasks.arithmetic.sums import Sum

Edges = dict[int, list[int]]
ANY = st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=5), max_size=10)
"""Who asks what; there may be cycles, and a question asked twice."""
DOWNWARD = st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 8), max_size=4), max_size=10).map(
    lambda edges: {number: [part for part in parts if part < number] for number, parts in edges.items()}
)


def name(number: int) -> str:
    return "q" * (number + 1)


def told(edges: Edges, random: Random) -> QuestionGraph:
    """A graph that is told the edges in any order, some in two parts, some twice, with answers and readings in between."""
    graph = QuestionGraph()
    news: list[tuple[int, list[int] | None]] = []
    for number, parts in edges.items():
        cut = random.randint(0, len(parts))
        news += [(number, parts[:cut]), (number, parts[cut:]), (number, parts[:cut])]
        news += [(part, None) for part in (number, *parts) if random.random() < 0.7]
    random.shuffle(news)
    for number, some in news:
        if some is None:
            graph.answered(name(number), str(number))
        else:
            graph.asked(name(number), [name(part) for part in some])
        if random.random() < 0.2:
            assert graph.depth is None or graph.depth < graph.unique
    return graph


@given(ANY, st.randoms(use_true_random=False))
def test_the_counters_are_those_of_networkx(edges: Edges, random: Random) -> None:
    graph = told(edges, random)
    plain = nx.DiGraph((name(number), name(part)) for number, parts in edges.items() for part in parts)
    plain.add_nodes_from(name(number) for number in edges)
    drawn = graph.graph()
    assert set(graph) == set(plain) == set(drawn) and set(drawn.edges) == set(plain.edges)
    assert (graph.unique, graph.edges) == (len(graph), plain.number_of_edges()) == (len(plain), drawn.number_of_edges())
    assert graph.branching == max((degree for _, degree in plain.out_degree()), default=0)
    assert graph.longest == max(map(len, plain), default=0)
    assert {text for text, answer in drawn.nodes(data="answer") if answer is not None} == set(graph.answers)
    if nx.is_directed_acyclic_graph(plain):
        assert graph.well_founded and graph.cycle() is None
        assert graph.depth == nx.dag_longest_path_length(plain)
    else:
        cycle = graph.cycle()
        assert cycle is not None and len(set(cycle)) == len(cycle) > 0
        assert all(plain.has_edge(*pair) for pair in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        assert not graph.well_founded and graph.depth is None and graph.tree is None


@given(DOWNWARD, st.randoms(use_true_random=False))
def test_the_tree_is_what_plain_recursion_visits(edges: Edges, random: Random) -> None:
    @cache
    def visits(number: int) -> int:
        return 1 + sum(visits(part) for part in set(edges.get(number, [])))

    parts = {part for some in edges.values() for part in some}
    graph = told(edges, random)
    assert graph.tree == sum(visits(number) for number in edges if number not in parts)


@given(st.integers(1, 300))
@settings(max_examples=30)
def test_a_sum_rests_on_two_n_minus_one_questions(n: int) -> None:
    data = list(range(n))
    graph = QuestionGraph.of_rule(Sum(), data, f"sum[0:{n}]")
    assert graph.unique == graph.tree == 2 * n - 1 and graph.edges == 2 * n - 2
    assert graph.depth == (n - 1).bit_length() and graph.branching == (2 if n > 1 else 0)
    assert set(graph) == set(Sum().questions(data)) and graph.answers[f"sum[0:{n}]"] == str(sum(data))


def test_a_sum_of_a_hundred_rests_on_199_questions() -> None:
    graph = QuestionGraph.of_rule(Sum(), [1] * 100, "sum[0:100]")
    assert graph.unique == 199 and graph.depth == 7


def doubling(levels: int, answered: bool) -> QuestionGraph:
    """Each question asks two, which ask the same next one: a tree of 4 * 2^levels - 3 nodes."""
    graph = QuestionGraph()
    for level in range(levels):
        graph.asked(f"{level}", [f"{level} left", f"{level} right"])
        for side in ("left", "right"):
            graph.asked(f"{level} {side}", [f"{level + 1}"])
    for level in range(levels, -1, -1) if answered else ():
        for text in (f"{level} left", f"{level} right") if level < levels else ():
            graph.answered(text, "")
        graph.answered(f"{level}", "")
    return graph


@pytest.mark.parametrize("answered", [False, True])
def test_a_tree_is_counted_exactly_below_two_to_the_1024(answered: bool) -> None:
    for levels in (1, 10, 1022):
        assert doubling(levels, answered).tree == 4 * 2**levels - 3
    graph = doubling(1023, answered)
    assert graph.tree is None and graph.well_founded and graph.depth == 2046


def test_a_question_that_asks_more_after_it_was_counted_is_counted_again() -> None:
    graph = QuestionGraph()
    graph.asked("a", ["b"])
    graph.answered("b", "1")
    graph.answered("a", "1")
    assert (graph.depth, graph.tree) == (1, 2)
    graph.asked("b", ["c"])
    assert (graph.depth, graph.tree) == (2, 3)
    graph.asked("c", ["a"])
    assert not graph.well_founded and sorted(graph.cycle() or []) == ["a", "b", "c"]


def test_an_empty_graph_and_a_lone_question() -> None:
    graph = QuestionGraph()
    assert graph.well_founded and graph.cycle() is None and (graph.depth, graph.tree, graph.unique) == (0, 0, 0)
    graph.asked("a", [])
    assert (graph.depth, graph.tree, graph.unique) == (0, 1, 1)
    assert "a" in graph and "b" not in graph and graph.subquestions("a") == []
    with pytest.raises(UsageError, match="no question 'b'"):
        graph.subquestions("b")


def test_depth_needs_no_stack() -> None:
    deep = 20 * sys.getrecursionlimit()
    graph = QuestionGraph()
    for number in range(deep):
        graph.asked(str(number), [str(number + 1)])
    assert graph.depth == deep and graph.well_founded and graph.tree == deep + 1


def test_questions_that_wait_for_each_other_end_in_a_cycle() -> None:
    pair, grounded = CitingPair(), GroundedPair()
    data = grounded.sample(1, seed=5).question.data
    first, second = pair.questions(data)
    graph = QuestionGraph.of_rule(pair, data, first)
    assert graph.cycle() == [first, second] and not graph.well_founded and graph.answers == {}
    with pytest.raises(Circle, match="needs its own answer") as raised:
        evaluate(pair, data, first)
    assert raised.value.questions == [first, second]
    graph = QuestionGraph.of_rule(grounded, data, first)
    assert graph.cycle() is None and graph.well_founded and graph.unique == 2
    assert set(graph.answers.values()) == {grounded.truth(data, first)}


def test_a_question_takes_less_than_a_kilobyte() -> None:
    n = 10_000
    tracemalloc.start()
    try:
        graph = QuestionGraph.of_rule(Sum(), [1] * n, f"sum[0:{n}]")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / graph.unique < 1024
