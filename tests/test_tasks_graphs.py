"""Expressions, walks, succinct circuits and succinct graphs, held against independent evaluation and python-sat."""

from __future__ import annotations

import ast
import operator
from itertools import combinations, pairwise
from random import Random
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.solvers import Cadical153
from rule_kit import Metered, is_sampled_well, keeps_the_rules, one_step, refuses

from moot.complexity.polynomial import Polynomial
from moot.complexity.rules import evaluate, looker
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.expressions import Expression
from moot.tasks.arithmetic.primes import first_prime
from moot.tasks.base import known_tasks
from moot.tasks.circuits.succinct_circuit import REACH, Circuit
from moot.tasks.graphs.colouring import Colouring
from moot.tasks.graphs.paths import PathCheck
from moot.tasks.graphs.succinct_graph import (
    EXTRA,
    check_edge,
    colour_of,
    edge,
    neighbours,
    spoilt_colour,
    violated_edge,
)

EXPRESSION, PATH, CIRCUIT, COLOURING = Expression(), PathCheck(), Circuit(), Colouring()
some = settings(deadline=None, max_examples=40)


def test_the_catalogue_knows_them() -> None:
    wanted = {"expression": "P", "path": "P", "sat": "NP", "count-sat": "#P", "circuit": "EXP", "colouring": "NEXP"}
    known = known_tasks()
    assert wanted.items() <= {name: task.complexity_class for name, task in known.items()}.items()
    for task in known.values():
        assert Polynomial.parse(task.reads)(5) >= 1 and task.about and task.source


# -- expressions -------------------------------------------------------------------------------------------------------

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def infix(data: Any, node: int) -> str:
    kind, *rest = data[node]
    return f"({rest[0]})" if kind == "int" else f"({infix(data, rest[0])} {kind} {infix(data, rest[1])})"


def value(tree: ast.expr) -> int:
    if isinstance(tree, ast.BinOp):
        return int(OPERATORS[type(tree.op)](value(tree.left), value(tree.right)))
    return int(ast.literal_eval(tree))


@some
@given(st.integers(1, 60), st.integers(0, 10**6))
def test_expressions_have_the_value_of_their_infix_text(size: int, seed: int) -> None:
    data = EXPRESSION.data(size, Random(seed))
    assert len(data) == 2 * size - 1
    text = infix(data, 0)
    assert EXPRESSION.truth(data, "val(0)") == str(value(ast.parse(text, mode="eval").body))
    reached = keeps_the_rules(EXPRESSION, size, seed)
    assert len(reached) == 2 * size - 1


def test_the_largest_expression_can_be_written() -> None:
    data = EXPRESSION.data(4000, Random(1))
    product = [["*", *node[1:]] if node[0] != "int" else ["int", 9] for node in data]
    assert EXPRESSION.truth(product, "val(0)") == str(9**4000) == evaluate(EXPRESSION, product, "val(0)")
    with pytest.raises(UsageError, match="sizes go up to 4000"):
        EXPRESSION.sample(4001)
    is_sampled_well(EXPRESSION, 7, range(12))
    refuses(EXPRESSION, 3, "val(5)", "val(-1)", "val()", "val(0) ")


# -- walks -------------------------------------------------------------------------------------------------------------


def graph_of(data: Any) -> nx.Graph[int]:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(data["edges"])))
    graph.add_edges_from((u, v) for u, row in enumerate(data["edges"]) for v, bit in enumerate(row) if bit == "1")
    return graph


@some
@given(st.integers(4, 24), st.integers(0, 10**6), st.data())
def test_walks_are_what_networkx_calls_paths(size: int, seed: int, drawn: st.DataObject) -> None:
    data = PATH.data(size, Random(seed))
    graph = graph_of(data)
    assert all(data["edges"][v][u] == bit for u, row in enumerate(data["edges"]) for v, bit in enumerate(row))
    assert nx.is_connected(graph) and not nx.number_of_selfloops(graph)
    ends = (data["walk"][0], data["walk"][-1]) == (data["from"], data["to"])
    whole = PATH.truth(data, PATH.ask(data, Random(0)))
    assert whole == ("yes" if ends and nx.is_path(graph, data["walk"]) else "no")
    start = drawn.draw(st.integers(0, size - 1))
    end = drawn.draw(st.integers(start + 1, size))
    stretch = f"walk[{start}:{end}]"
    fine = "yes" if nx.is_path(graph, data["walk"][start : end + 1]) else "no"
    assert PATH.truth(data, stretch) == fine == evaluate(PATH, data, stretch)
    keeps_the_rules(PATH, size, seed)


def test_half_of_the_walks_are_right_and_the_others_fail_in_both_ways() -> None:
    kinds = {"right": 0, "step": 0, "end": 0}
    for seed in range(120):
        data = PATH.data(10, Random(seed))
        if (data["walk"][0], data["walk"][-1]) != (data["from"], data["to"]):
            kinds["end"] += 1
        else:
            kinds["right" if nx.is_path(graph_of(data), data["walk"]) else "step"] += 1
    assert 40 <= kinds["right"] <= 80 and kinds["step"] >= 20 and kinds["end"] >= 8
    is_sampled_well(PATH, 6, range(12))
    refuses(PATH, 5, "walk[3:3]", "walk[0:6]", "path(0)", "path(0,5)", "walk[0:2")
    with pytest.raises(UsageError, match="at least 4"):
        PATH.sample(3)


# -- circuits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(2, 8))
def test_the_rule_of_circuits_is_right_everywhere(size: int) -> None:
    for seed in range(4):
        keeps_the_rules(CIRCUIT, size, seed)


@some
@given(st.integers(2, 11), st.integers(0, 10**6))
def test_inputs_have_smaller_numbers_and_the_questions_grow_exponentially(size: int, seed: int) -> None:
    data = CIRCUIT.data(size, Random(seed))
    for gate in range(2, 2**size, max(1, 2**size // 40)):
        _, asked, _ = one_step(CIRCUIT, data, f"gate({gate})")
        near, far = (int(text[5:-1]) for text in asked)
        assert max(0, gate - REACH) <= near < gate and 0 <= far < gate
    reached: dict[str, str] = {}
    top = f"gate({2**size - 1})"
    assert evaluate(CIRCUIT, data, top, reached) == CIRCUIT.truth(data, top)
    assert 2**size / REACH <= len(reached) <= 2**size


def test_a_circuit_has_the_value_of_its_gates_as_written_out() -> None:
    """One small circuit, its gates computed here from the words that everybody is told."""
    data = {"k": 3, "p": 67, "type": [5, 11], "near": [29, 3], "far": [41, 50]}
    values = [0, 1]
    for g in range(2, 8):
        kind, near, far = ((a * g + b) % 67 for a, b in ((5, 11), (29, 3), (41, 50)))
        x, y = values[max(0, g - 1 - near % 4)], values[far % g]
        values.append(int([x != y, x and y, x or y, not (x and y)][kind % 4]))
    assert [int(CIRCUIT.truth(data, f"gate({g})")) for g in range(8)] == values
    assert [int(evaluate(CIRCUIT, data, f"gate({g})")) for g in range(8)] == values


def test_typical_circuits_are_neither_constant_nor_small() -> None:
    for seed in range(5):
        data = CIRCUIT.data(12, Random(seed))
        ones = sum(CIRCUIT.truth(data, text) == "1" for text in CIRCUIT.questions(data))
        reached: dict[str, str] = {}
        evaluate(CIRCUIT, data, CIRCUIT.ask(data, Random(0)), reached)
        assert 0.4 <= ones / 2**12 <= 0.7 and len(reached) >= 0.5 * 2**12
        assert len(str(data)) <= 40 * 12  # the description stays small


def test_circuits_that_are_too_large_are_refused() -> None:
    is_sampled_well(CIRCUIT, 6, range(12))
    refuses(CIRCUIT, 4, "gate(16)", "gate()", "gate(-1)", "gate(3", "gate(12345678901234)")
    data = {**CIRCUIT.data(20, Random(0)), "k": 21}
    for call in (lambda: CIRCUIT.sample(21), lambda: CIRCUIT.truth(data, "gate(5)"), lambda: CIRCUIT.questions(data)):
        with pytest.raises(UsageError, match="20"):
            call()
    with pytest.raises(UsageError, match="beyond the 2\\^21 gates"):  # the rule does not need the truth, only a gate
        next(CIRCUIT.rule(f"gate({2**21})", looker(data)))
    assert isinstance(next(CIRCUIT.rule(f"gate({2**21 - 1})", looker(data))), tuple)


@some
@given(st.integers(2, 5000))
def test_primes(start: int) -> None:
    found = first_prime(start)
    factors = [n for n in range(start, found + 1) if all(n % d for d in range(2, int(n**0.5) + 1))]
    assert factors == [found]


def test_strong_pseudoprimes_are_no_primes() -> None:
    assert first_prime(3215031751) != 3215031751  # = 151 · 751 · 28351 passes for the bases 2, 3, 5, 7
    assert first_prime(2**61 - 1) == 2**61 - 1


# -- colourings --------------------------------------------------------------------------------------------------------


def edges_of(data: Any) -> list[tuple[int, int]]:
    """Every edge by asking about every pair, as a judge would."""
    look = looker(data)
    return [(u, v) for u, v in combinations(range(2 ** data["k"]), 2) if edge(look, u, v)]


def colourable(count: int, edges: list[tuple[int, int]]) -> bool:
    clauses = [[3 * v + 1, 3 * v + 2, 3 * v + 3] for v in range(count)]
    clauses += [[-3 * u - c, -3 * v - c] for u, v in edges for c in (1, 2, 3)]
    with Cadical153(bootstrap_with=clauses) as solver:
        return bool(solver.solve())


@pytest.mark.parametrize("size", [3, 4, 6, 7])
def test_planted_instances_are_what_a_solver_says(size: int) -> None:
    answers = []
    for seed in range(6):
        data = COLOURING.data(size, Random(seed))
        edges = edges_of(data)
        answers.append(COLOURING.truth(data, "colourable()"))
        assert answers[-1] == ("yes" if colourable(2**size, edges) else "no")
        assert edges == [(u, v) for u in range(2**size) for v in neighbours(data, u) if u < v]
        assert all(
            edge(looker(data), v, u) == edge(looker(data), u, v)
            for u, v in pairwise(Random(seed).sample(range(2**size), 8))
        )
    assert set(answers) == {"yes", "no"}


@st.composite
def descriptions(draw: st.DrawFn) -> dict[str, Any]:
    """Any description, with extra edges within classes that need not make four colours necessary."""
    k = draw(st.integers(3, 5))
    vertex = st.integers(0, 2**k - 1)
    maps = [[2 * draw(st.integers(0, 2 ** (k - 1) - 1)) + 1, draw(vertex)] for _ in range(3)]
    p = draw(st.sampled_from([67, 257, 1031]))
    few = st.lists(vertex, min_size=2, max_size=2)
    return {"k": k, "maps": maps, "class": [draw(st.integers(1, p - 1)), draw(st.integers(0, p - 1)), p],
            "extra": [draw(few) for _ in range(EXTRA)]}  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(descriptions())
def test_any_small_description_is_decided_as_a_solver_does(data: dict[str, Any]) -> None:
    truth = colourable(2 ** data["k"], edges_of(data))
    assert COLOURING.truth(data, "colourable()") == ("yes" if truth else "no")
    broken = violated_edge(data, lambda v: colour_of(data, v))
    assert (broken is None) == truth
    if broken is not None:
        u, v = broken
        assert edge(looker(data), u, v) and not check_edge(data, u, v, colour_of(data, u), colour_of(data, v))


@pytest.mark.parametrize("size", [5, 9])
def test_one_lie_in_a_colouring_is_found_and_seen_by_the_judge(size: int) -> None:
    seeds = (s for s in range(40) if COLOURING.truth(COLOURING.data(size, Random(s)), "colourable()") == "yes")
    for seed in (next(seeds), next(seeds), next(seeds)):
        data = COLOURING.data(size, Random(seed))
        assert violated_edge(data, lambda v, data=data: colour_of(data, v)) is None  # type: ignore[misc]
        at = next(v for v in Random(seed).sample(range(2**size), 2**size) if neighbours(data, v))
        said = {v: spoilt_colour(data, v, at) for v in range(2**size)}
        assert sum(said[v] != colour_of(data, v) for v in said) == 1
        broken = violated_edge(data, said.__getitem__)
        assert broken is not None and at in broken
        u, v = broken
        look = Metered(data)
        assert not check_edge(look, u, v, said[u], said[v])
        assert look.reads + 2 <= Polynomial.parse(COLOURING.reads)(size)


@some
@given(st.integers(3, 30), st.integers(0, 10**6), st.data())
def test_the_judges_check_reads_a_constant_number_of_cells(size: int, seed: int, drawn: st.DataObject) -> None:
    data = COLOURING.data(size, Random(seed))
    vertex = st.integers(0, 2**size - 1)
    u = drawn.draw(vertex)
    v = drawn.draw(st.sampled_from(neighbours(data, u)) | vertex if neighbours(data, u) else vertex)
    look = Metered(data)
    assert edge(look, u, v) == (v in neighbours(data, u)) == (u in neighbours(data, v))
    assert look.reads <= 26
    for cu in range(3):
        for cv in range(3):
            legal = cu == cv if u == v else cu != cv or v not in neighbours(data, u)
            assert check_edge(data, u, v, cu, cv) == legal
    assert not check_edge(data, u, v, 3, 0) and not check_edge(data, u, v, 0, -1)


def test_large_instances_are_decided_from_their_descriptions() -> None:
    answers = set()
    for seed in range(8):
        data = COLOURING.data(30, Random(seed))
        answers.add(truth := COLOURING.truth(data, "colourable()"))
        look = looker(data)
        flawed = [
            (u, v) for u, v in data["extra"] if not check_edge(look, u, v, colour_of(data, u), colour_of(data, v))
        ]
        assert bool(flawed) == (truth == "no")
        if flawed:
            assert violated_edge(data, lambda v, data=data: colour_of(data, v)) == flawed[0]  # type: ignore[misc]
            graph: nx.Graph[int] = nx.Graph(tuple(pair) for pair in data["extra"])
            assert max(map(len, nx.find_cliques(graph))) == 4  # what four vertices are joined in pairs by
        else:
            with pytest.raises(UsageError, match="too many to search for a violated edge"):
                violated_edge(data, lambda v, data=data: colour_of(data, v))  # type: ignore[misc]
    assert answers == {"yes", "no"}


def test_what_cannot_be_decided_or_asked_is_refused() -> None:
    is_sampled_well(COLOURING, 5, range(12))
    refuses(COLOURING, 4, "colourable", "", "edge(1,2)")
    data = COLOURING.data(9, Random(2))
    same = [v for v in range(512) if colour_of({**data, "extra": []}, v) == 0]
    data["extra"] = [[same[0], same[1]]] * EXTRA  # within a class, and of no four that are joined
    with pytest.raises(UsageError, match="too many to search for a colouring"):
        COLOURING.truth(data, "colourable()")
    with pytest.raises(UsageError, match="not both vertices"):
        edge(looker(data), 512, 0)
    alone = {"k": 3, "maps": [[1, 0]] * 3, "class": [1, 0, 67], "extra": [[0, 1]] * EXTRA}
    with pytest.raises(UsageError, match="vertex 5 has no neighbour"):
        spoilt_colour(alone, 5, 5)
    assert violated_edge(alone, lambda v: 7 if v == 5 else colour_of(alone, v)) == (5, 5)
    for size in (2, 31):
        with pytest.raises(UsageError, match=f"size is {size}; "):
            COLOURING.sample(size)
    with pytest.raises(UsageError, match="no local rule"):
        COLOURING.rule("colourable()", looker(alone))
