"""The five tasks against networkx, direct simulation and the numbers of the paper's instances."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product
from random import Random
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.rules import looker
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.arithmetic.assignments import Assignments, AssignmentsSum
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.arithmetic.wildcards import Wildcard
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.graphs.shortest_path import ShortestPath
from moot.tasks.graphs.union_find import UnionFind

SEEDS = st.integers(0, 10**6)
few = settings(deadline=None, max_examples=15)


@few
@given(seed=SEEDS, size=st.integers(2, 24))
def test_shortest_paths_are_those_of_networkx(seed: int, size: int) -> None:
    task = ShortestPath()
    data, most = task.data(size, Random(seed)), 2 * (size - 1).bit_length()
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from((a, b) for a, b in product(range(size), repeat=2) if data["edge"][a][b] == "1")
    distance = dict(nx.all_pairs_shortest_path_length(graph))
    for a, b in product(range(size), repeat=2):
        assert task.truth(data, f"E(v{a},v{b})") == ("yes" if graph.has_edge(a, b) else "no")
        through = {c: 1 + distance[c][b] for c in graph.successors(a) if b in distance[c]}
        shortest = min(through.values(), default=most + 1)
        if a != b:
            assert shortest == distance[a].get(b, most + 1) or shortest > most
        if shortest > most:
            assert task.truth(data, f"D(v{a},v{b})") == task.truth(data, f"S(v{a},v{b})") == "inf"
        else:
            firsts = [c for c, length in through.items() if length == shortest]
            assert task.truth(data, f"D(v{a},v{b})") == str(shortest)
            assert task.truth(data, f"S(v{a},v{b})") == f"v{min(firsts)}"
    for a in range(size):
        named = [task.truth(data, f"N(v{a},{i})") for i in range(data["degree"][a])]
        assert named == [f"v{b}" for b in sorted(graph.successors(a))]


@few
@given(seed=SEEDS, size=st.integers(4, 40))
def test_classes_parents_and_depths_are_those_of_networkx(seed: int, size: int) -> None:
    task = UnionFind()
    data = task.data(size, Random(seed))
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from((x, y) for x, y in product(range(size), repeat=2) if data["edge"][x][y] == "1")
    assert nx.is_forest(graph) and not list(nx.selfloop_edges(graph))
    values = set()
    for component in nx.connected_components(graph):
        (root,) = (x for x in component if data["given"][x] != "none")
        values.add(data["given"][root])
        paths = nx.single_source_shortest_path(graph, root)
        for x in component:
            assert task.truth(data, f"S(x{x})") == (data["given"][root] if x == root else "none")
            assert task.truth(data, f"V(x{x})") == data["given"][root]
            assert task.truth(data, f"D(x{x})") == str(task.stratum(data, f"V(x{x})")) == str(len(paths[x]) - 1)
            assert task.truth(data, f"P(x{x})") == f"x{paths[x][-2] if x != root else root}"
    assert len(values) == nx.number_connected_components(graph)


@few
@given(seed=SEEDS, size=st.integers(3, 70))
def test_powers_of_a_permutation_follow_its_cycles(seed: int, size: int) -> None:
    task = PermutationPower()
    data = task.data(size, Random(seed))
    graph: nx.DiGraph[int] = nx.DiGraph(list(enumerate(data["sigma"])))
    for cycle in nx.simple_cycles(graph):
        for place, x in enumerate(cycle):
            for n in (0, 1, 2, size - 1, (1 << task.bits(size)) - 1):
                assert task.truth(data, f"sigma^{n}({x})") == str(cycle[(place + n) % len(cycle)])


@pytest.mark.parametrize("task", [Assignments(), AssignmentsSum()], ids=lambda task: task.name)
@few
@given(seed=SEEDS, size=st.integers(4, 40))
def test_assignments_run_in_the_order_of_networkx(task: Assignments, seed: int, size: int) -> None:
    data = task.data(size, Random(seed))
    graph: nx.DiGraph[str] = nx.DiGraph()
    for z in range(size):
        graph.add_edges_from((data[letter][z], f"x{z}") for letter in "AB")
    value, depth = {str(v): v for v in range(data["values"])}, {str(v): -1 for v in range(data["values"])}
    for name in nx.topological_sort(graph):
        if name.startswith("x"):
            x, y = (data[letter][int(name[1:])] for letter in "AB")
            u, v, modulus = value[x], value[y], data["values"]
            constant = not x.startswith("x")
            value[name] = u if constant else data["f"][u][v] if "f" in data else (u + v) % modulus
            depth[name] = 1 + max(depth[x], depth[y])
            assert task.truth(data, f"V({name})") == str(value[name])
            assert task.stratum(data, f"V({name})") == depth[name]


@few
@given(seed=SEEDS, length=st.integers(1, 5))
def test_wildcards_match_as_in_the_shell(seed: int, length: int) -> None:
    task = Wildcard()
    data = task.data(2**length, Random(seed))
    strings = ["".join(letters) for letters in product("ab", repeat=length)]
    for text in task.questions(data):
        pattern = text[4:-1]
        total = sum(v for s, v in zip(strings, data["f"], strict=True) if fnmatchcase(s, pattern.replace("*", "?")))
        assert task.truth(data, text) == str(total)
        assert task.stratum(data, text) == pattern.count("*")


def tree(task: CurriculumTask, data: Any, text: str) -> list[str]:
    """Every node of the recursion, equal questions as often as they are asked."""
    nodes = [text]
    rule, answers = task.rule(text, looker(data)), None
    try:
        while True:
            asked = next(rule) if answers is None else rule.send(answers)
            for part in asked:
                nodes += tree(task, data, part)
            answers = tuple(task.truth(data, part) for part in asked)
    except StopIteration:
        return nodes


@pytest.mark.parametrize(
    ("n", "nodes", "primitive", "unique"), [(7, 10, 7, 10), (31, 46, 31, 46), (32, 63, 32, 63), (63, 94, 63, 70)]
)
def test_the_tree_of_a_power_is_linear_in_the_exponent(n: int, nodes: int, primitive: int, unique: int) -> None:
    # The counts of unique questions are those on a cycle of 46 elements; the others hold on any permutation.
    task, cycle = PermutationPower(), 46
    data = {"size": 64, "sigma": [(x + 1) % cycle if x < cycle else x for x in range(64)]}
    for x in (0, 17):
        asked = tree(task, data, f"sigma^{n}({x})")
        assert (len(asked), sum(map(task.primitive, asked)), len(set(asked))) == (nodes, primitive, unique)
    whole = {"size": 64, "sigma": [(x + 1) % 64 for x in range(64)]}
    assert len(set(tree(task, whole, f"sigma^{n}(5)"))) == nodes


@pytest.mark.parametrize("seed", range(3))
def test_instances_have_the_papers_sizes(seed: int) -> None:
    permutation = PermutationPower()
    data = permutation.data(64, Random(seed))
    assert sorted(data["sigma"]) == list(range(64)) and permutation.bits(64) == 6
    assert len(list(permutation.learnable(data))) == 64 * 62
    assert {permutation.stratum(data, text) for text in permutation.learnable(data)} == {2, 3, 4, 5, 6}

    for assignments in (Assignments(), AssignmentsSum()):
        data = assignments.data(64, Random(seed))
        constants = [first for first in data["A"] if not first.startswith("x")]
        assert len(constants) == data["values"] == 8 and len(data["A"]) == 64
        assert assignments.tabled or set(constants) <= {"1", "7"}
        assert assignments.answers(data) == [str(value) for value in range(8)]

    wildcard = Wildcard()
    data = wildcard.data(64, Random(seed))
    assert len(data["f"]) == 64 and set(data["f"]) == {-1, 1}
    assert len(list(wildcard.learnable(data))) == 3**6 - 2**6

    paths = ShortestPath()
    data = paths.data(64, Random(seed))
    # 128 edges are drawn; those drawn twice are one edge.
    assert 100 < sum(data["degree"]) <= 128 and paths.longest(64) == 12 and paths.rounds(data) == 23
    assert len(list(paths.learnable(data))) == 2 * 64 * 64

    unions = UnionFind()
    data = unions.data(64, Random(seed))
    roots = [value for value in data["given"] if value != "none"]
    assert data["values"] == 8 and len(set(roots)) == len(roots) <= 8
    assert sum(data["degree"]) == 2 * (64 - len(roots))


def test_of_two_first_steps_the_smaller_number_is_taken_and_asked_for_twice() -> None:
    task = ShortestPath()
    data = {"size": 4, "degree": [2, 1, 1, 0], "neighbours": [[1, 2], [3], [3], []]}
    data["edge"] = ["0110", "0001", "0001", "0000"]
    assert task.truth(data, "S(v0,v3)") == task.truth(data, "S[2](v0,v3)") == "v1"
    assert task.truth(data, "S[1](v0,v3)") == "inf" and task.truth(data, "D[2](v0,v3)") == "inf"
    assert task.truth(data, "D[3](v0,v3)") == "2" and task.truth(data, "D[1](v0,v3)") == UNKNOWN
    rule = task.rule("S(v0,v3)", looker(data))
    assert next(rule) == ("E(v0,v3)",)
    assert rule.send(("no",)) == ("S(v0,v3)", "S(v0,v3)", "N(v0,0)", "N(v0,1)")
    assert rule.send(("v2", "v3", "v1", "v2")) == ("E(v0,v2)", "E(v0,v3)")
    assert rule.send(("yes", "no")) == ("D(v1,v3)", "D(v2,v3)")
    with pytest.raises(StopIteration) as stop:
        rule.send(("1", "1"))
    assert stop.value.value == "v1"
