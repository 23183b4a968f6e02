"""The games of PSPACE: the truth of their tasks by independent means, and optimal play through the protocols against it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.solvers import Solver

import moot
from moot.complexity.polynomial import Polynomial
from moot.complexity.rules import evaluate
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.games.geography import Go, Stuck, steps
from moot.protocols.games.qbf import Assign
from moot.protocols.games.reachability import Half, Middle, middles
from moot.tasks.base import Task, task_named
from moot.testing.strategies import formulas, graphs

FEW = settings(deadline=None, max_examples=40)
GAMES: dict[str, tuple[str, Any, str]] = {
    "tqbf": ("qbf-debate", None, "matrix-judge"),
    "reach": ("reachability", middles, "edge-judge"),
    "geography": ("geography", steps, "walk-judge"),
}


def parts(name: str) -> tuple[Task, Protocol, dict[str, Any], dict[str, Any]]:
    protocol, options, judge = GAMES[name]
    task = task_named(name)
    bounded = moot.Bounded(task.programs()[judge](), reads=task.reads)
    return task, protocol_named(protocol), {"a": options, "b": options}, {"judge": bounded}


def true_seat(sample: moot.Sample) -> str:
    truth = sample.unseal()
    assert truth is not None
    return "ab"[truth]


# -- truths by independent means ------------------------------------------------------------------------------------


def expanded(prefix: list[tuple[str, int]], clauses: list[list[int]]) -> bool:
    """A formula by expansion: the matrix under every assignment, then folded one variable at a time from the inside."""
    names = [variable for _, variable in prefix]
    table = []
    for values in product((False, True), repeat=len(names)):
        valued = dict(zip(names, values, strict=True))
        table.append(all(any(valued[abs(x)] == (x > 0) for x in clause) for clause in clauses))
    for quantifier, _ in reversed(prefix):
        fold = any if quantifier == "e" else all
        table = [fold(table[i : i + 2]) for i in range(0, len(table), 2)]
    return table[0]


def flat(data: Any) -> list[tuple[str, int]]:
    return [(quantifier, variable) for quantifier, block in data["prefix"] for variable in block]


@FEW
@given(formulas(most=7))
def test_the_truth_of_a_formula_by_expansion(question: moot.Question) -> None:
    data: Any = question.data
    assert (task_named("tqbf").truth(data, question.text) == "true") == expanded(flat(data), data["clauses"])


@pytest.mark.parametrize("seed", range(12))
def test_an_existential_formula_against_a_sat_solver(seed: int) -> None:
    random = Random(seed)
    clauses = [[v * random.choice([-1, 1]) for v in random.sample(range(1, 13), 3)] for _ in range(56)]
    data = {"prefix": [["e", list(range(1, 13))]], "clauses": clauses}
    with Solver(bootstrap_with=clauses) as solver:
        assert (task_named("tqbf").truth(data, "tqbf(************)") == "true") == solver.solve()


@settings(FEW, max_examples=20)
@given(graphs(most=7), st.integers(0, 3))
def test_walks_against_networkx(question: moot.Question, power: int) -> None:
    data: Any = question.data
    graph = networkx.DiGraph((u, v) for u, row in enumerate(data["edges"]) for v, edge in enumerate(row) if edge)
    graph.add_nodes_from(range(len(data["edges"])))
    for start, goal in product(graph, repeat=2):
        try:
            near = networkx.shortest_path_length(graph, start, goal) <= 2**power
        except networkx.NetworkXNoPath:
            near = False
        assert (task_named("reach").truth(data, f"reach({start},{goal},{2**power})") == "yes") == near


def retrograde(edges: list[list[int]], start: int) -> bool:
    """Whether the first player wins: every walk a node of a game graph, solved backwards from those that end."""
    game: Any = networkx.DiGraph()
    todo: list[tuple[int, ...]] = [(start,)]
    game.add_node((start,))
    for walk in todo:
        for v, edge in enumerate(edges[walk[-1]]):
            if edge and v not in walk:
                game.add_edge(walk, (*walk, v))
                todo.append((*walk, v))
    wins: dict[Any, bool] = {}
    for walk in reversed(list(networkx.topological_sort(game))):
        wins[walk] = not all(wins[after] for after in game.successors(walk))
    return wins[start,]


@FEW
@given(graphs())
def test_geography_backwards(question: moot.Question) -> None:
    data: Any = question.data
    text = f"wins({data['start']})"
    assert (task_named("geography").truth(data, text) == "yes") == retrograde(data["edges"], data["start"])


@pytest.mark.parametrize("name", GAMES)
def test_the_rule_gives_the_truth(name: str) -> None:
    task = task_named(name)
    for size in range(2, 6):
        for seed in range(4):
            data, memo = task.data(size, Random(seed)), dict[str, str]()
            for text in task.questions(data):
                assert evaluate(task, data, text, memo) == task.truth(data, text)
            assert len(memo) <= len(set(task.questions(data)))


@pytest.mark.parametrize("name", GAMES)
def test_the_rule_passes_on_what_is_unknown(name: str) -> None:
    """With every part unknown so is the whole, and a part that settles it does so alone."""
    task = task_named(name)
    from moot.complexity.rules import looker

    for seed in range(6):
        data = task.data(5, Random(seed))
        text = task.ask(data, Random(0))
        rule = task.rule(text, looker(data))
        try:
            asked = next(rule)
        except StopIteration:
            continue
        with pytest.raises(StopIteration) as stop:
            rule.send((UNKNOWN,) * len(asked))
        assert stop.value.value == UNKNOWN


@pytest.mark.parametrize("name", GAMES)
def test_both_answers_are_true_now_and_then(name: str) -> None:
    task = task_named(name)
    seats = [true_seat(task.sample(8, seed, true_first=None)) for seed in range(30)]
    texts = {(sample := task.sample(8, seed)).question.choices[sample.unseal() or 0] for seed in range(30)}
    assert set(seats) == {"a", "b"} and len(texts) == 2


# -- optimal play ---------------------------------------------------------------------------------------------------


def every_instance(name: str) -> Iterator[tuple[moot.Question, str]]:
    """Each formula in 2 variables without repeated clauses, or each graph of 3 vertices without loops (from vertex 0),
    with its answer by independent means; the claimant in either seat."""
    if name == "tqbf":
        clauses = [[1], [-1], [2], [-2], [1, 2], [1, -2], [-1, 2], [-1, -2]]
        for quantifiers, chosen in product(product("ae", repeat=2), product((0, 1), repeat=8)):
            data: Any = {
                "prefix": [[quantifier, [v]] for v, quantifier in enumerate(quantifiers, 1)],
                "clauses": [clause for clause, there in zip(clauses, chosen, strict=True) if there],
            }
            truth = "true" if expanded(flat(data), data["clauses"]) else "false"
            yield moot.Question("tqbf(**)", ("true", "false"), data=data, size=5), truth
            yield moot.Question("tqbf(**)", ("false", "true"), data=data, size=5), truth
        return
    for a, b, c, d, e, f in product((0, 1), repeat=6):
        edges = [[0, a, b], [c, 0, d], [e, f, 0]]
        graph = networkx.DiGraph((u, v) for u in range(3) for v in range(3) if edges[u][v])
        graph.add_nodes_from(range(3))
        for goal in range(2):
            holds = networkx.has_path(graph, 0, goal) if name == "reach" else retrograde(edges, 0)
            data = {"start": 0, "goal": goal, "edges": edges}
            for choices in (("yes", "no"), ("no", "yes")):
                yield moot.Question("Is it so?", choices, data=data, size=3), "yes" if holds else "no"


@pytest.mark.parametrize("name", GAMES)
def test_optimal_play_finds_the_truth_of_every_small_instance(name: str) -> None:
    _, protocol, moves, seats = parts(name)
    count = 0
    for question, truth in every_instance(name):
        found = moot.solve(protocol, question, moves=moves, seats=seats)
        assert found.value["ab"[question.choices.index(truth)]] == 1, question
        count += 1
    assert count == (2048 if name == "tqbf" else 256)


@pytest.mark.parametrize(
    ("name", "size"),
    [*(("tqbf", n) for n in (1, 3, 5, 7, 10)), *(("reach", n) for n in (2, 4, 5, 9)), *(("geography", n) for n in (1, 4, 7, 11))],
)  # fmt: skip
def test_optimal_play_finds_the_truth_of_random_instances(name: str, size: int) -> None:
    task, protocol, moves, seats = parts(name)
    for seed in range(3):
        for first in (True, False):
            sample = task.sample(size, seed, true_first=first)
            found = moot.solve(protocol, sample, moves=moves, seats=seats)
            assert found.value[true_seat(sample)] == 1, sample


@FEW
@given(formulas(most=4))
def test_optimal_play_on_any_formula(question: moot.Question) -> None:
    data: Any = question.data
    judge = task_named("tqbf").programs()["matrix-judge"]()
    found = moot.solve(moot.QBFDebate(), question, moves={"a": None, "b": None}, seats={"judge": judge})
    claim = "true" if expanded(flat(data), data["clauses"]) else "false"
    assert found.value["ab"[question.choices.index(claim)]] == 1


@FEW
@given(graphs(most=5))
def test_optimal_play_on_any_graph(question: moot.Question) -> None:
    data: Any = question.data
    for name, holds in (
        ("geography", retrograde(data["edges"], data["start"])),
        ("reach", task_named("reach").truth(data, f"reach({data['start']},{data['goal']},4)") == "yes"),
    ):
        _, protocol, moves, seats = parts(name)
        found = moot.solve(protocol, question.model_copy(update={"size": 9}), moves=moves, seats=seats)
        assert found.value["ab"[question.choices.index("yes" if holds else "no")]] == 1, name


@FEW
@given(formulas(most=6))
def test_the_search_prunes_as_recursion_does(question: moot.Question) -> None:
    """Alpha-beta with known stakes looks at the assignments that trying both values with short-circuits looks at."""
    data: Any = question.data
    prefix, count = flat(data), 0

    def true_below(depth: int, true: frozenset[int]) -> bool:
        nonlocal count
        if depth == len(prefix):
            count += 1
            return all(not true.isdisjoint(clause) for clause in data["clauses"])
        quantifier, v = prefix[depth]
        return (any if quantifier == "e" else all)(true_below(depth + 1, true | {x}) for x in (-v, v))

    true_below(0, frozenset())
    judge = task_named("tqbf").programs()["matrix-judge"]()
    found = moot.solve(moot.QBFDebate(), question, moves={"a": None, "b": None}, seats={"judge": judge})
    assert found.leaves == count


def test_geography_with_merged_positions() -> None:
    """Where the walk stands and has been decides all that follows, so such positions may be merged."""
    _, protocol, moves, seats = parts("geography")
    complete = [[int(u != v) for v in range(7)] for u in range(7)]
    question = moot.Question("wins(0)", ("yes", "no"), data={"start": 0, "edges": complete}, size=7, unit="cells")

    def key(request: moot.Request) -> Any:
        return request.brief["details"]["at"], frozenset(e.move.vertex for e in request.view if isinstance(e.move, Go))

    merged = moot.solve(protocol, question, moves=moves, seats=seats, key=key)
    whole = moot.solve(protocol, question, moves=moves, seats=seats)
    assert merged.value == whole.value == {"a": -1, "b": 1}
    assert merged.positions < whole.positions


# -- agents ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
def test_the_honest_cannot_be_exploited_and_liars_can(name: str) -> None:
    task, protocol, moves, seats = parts(name)
    exploited = 0
    for seed in range(6):
        for first in (True, False):
            sample = task.sample(5, seed, true_first=first)
            for seat in "ab":
                honest = task.programs()["honest"]()
                assert moot.exploit(protocol, sample, seat, honest, moves=moves, seats=seats).gain == 0
                liar = task.programs()["liar"]()
                found = moot.exploit(protocol, sample, seat, liar, moves=moves, seats=seats)
                # A liar loses what it could win; where its seat is lost anyway there is nothing more to gain.
                # Where nothing comes of its lie it draws any move, and loses in expectation.
                assert 0 <= found.gain <= (2 if seat == true_seat(sample) else 0)
                exploited += found.gain > 0
    assert exploited >= 4


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("lies", [False, True])
def test_the_truth_wins_through_the_driver(name: str, lies: bool) -> None:
    """Honest programs in both seats, or a liar where the wrong answer is defended; the judge within its polynomial."""
    task, protocol, _, seats = parts(name)
    cast = task.cast(protocol.name)
    assert set(cast) == {"a", "b", "judge"} and set(cast.values()) <= set(task.programs())
    for seed in range(10):
        sample = task.sample(9, seed)
        agents = {role: task.programs()[program]() for role, program in cast.items()} | seats
        if lies:
            agents["ba"["ab".index(true_seat(sample))]] = task.programs()["liar"]()
        transcript = moot.run(protocol, sample, agents, seed=seed)
        assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
        assert transcript.outcome.payoffs[true_seat(sample)] == 1
        guarantee = transcript.guarantee
        assert guarantee.holds and guarantee.complexity_class == protocol.complexity_class, guarantee


@pytest.mark.parametrize("name", GAMES)
def test_the_longest_plays_stay_within_the_judges_polynomial(name: str) -> None:
    """Puppets say anything at all; no play exhausts the judge."""
    task, protocol, _, seats = parts(name)
    polynomial = Polynomial.parse(task.reads)
    for size in (2, 3, 8, 16):
        for seed in range(5):
            agents = {"a": moot.testing.puppet, "b": moot.testing.puppet, **seats}
            transcript = moot.run(protocol, task.sample(size, seed), agents, seed=seed)
            assert isinstance(transcript.outcome, moot.Decided)
            reads = transcript.ledger.seats["judge"].reads
            assert reads is not None and reads <= polynomial(size)


def run(protocol: Protocol, question: moot.Question, said: list[moot.Move], judge: Any) -> str | None:
    """The choice that the judge finds for when exactly these moves are made."""
    turns = iter(said)
    speak = lambda request: next(turns)  # noqa: E731
    transcript = moot.run(protocol, question, {"a": speak, "b": speak, "judge": judge})
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
    choice = transcript.outcome.verdict.choice
    return None if choice is None else question.choices[choice]


def test_the_walk_judge_finds_the_first_fault() -> None:
    _, protocol, _, seats = parts("geography")
    data = {"start": 0, "edges": [[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]}
    question = moot.Question("wins(0)", ("yes", "no"), data=data, size=4, unit="cells")
    played: list[tuple[list[moot.Move], str]] = [
        ([Go(vertex=1), Go(vertex=2), Stuck()], "no"),
        ([Go(vertex=3), Stuck()], "yes"),
        ([Stuck()], "no"),
        ([Go(vertex=2), Stuck()], "no"),
        ([Go(vertex=1), Go(vertex=0), Go(vertex=3), Go(vertex=3)], "yes"),
        ([Go(vertex=1), Go(vertex=-1), Stuck()], "yes"),
        ([Go(vertex=99), Go(vertex=7), Stuck()], "no"),
    ]
    for said, right in played:
        assert run(protocol, question, said, seats["judge"]) == right, said


def test_the_edge_judge_follows_the_disputed_half() -> None:
    _, protocol, _, seats = parts("reach")
    data = {"start": 0, "goal": 3, "edges": [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]}
    question = moot.Question("reach(0,3,4)", ("yes", "no"), data=data, size=4, unit="cells")
    for middles_, halves, right in [
        ((2, 1), ("first", "second"), "yes"),
        ((2, 2), ("first", "first"), "no"),
        ((2, 3), ("second", "second"), "yes"),
        ((9, 9), ("first", "first"), "no"),
        ((-1, 0), ("first", "second"), "no"),
    ]:
        said: list[moot.Move] = []
        for middle, half in zip(middles_, halves, strict=True):
            said += [Middle(vertex=middle), Half.model_validate({"half": half})]
        assert run(protocol, question, said, seats["judge"]) == right, (middles_, halves)


def test_what_is_assigned_is_the_variable_whose_turn_it_is() -> None:
    _, protocol, _, seats = parts("tqbf")
    data = {"prefix": [["a", [2]], ["e", [1]]], "clauses": [[1, 2], [-1, -2]]}
    question = moot.Question("tqbf(**)", ("true", "false"), data=data, size=2, unit="cells")
    for universal, existential in product((False, True), repeat=2):
        said: list[moot.Move] = [Assign(value=universal, variable=77), Assign(value=existential)]
        assert run(protocol, question, said, seats["judge"]) == ("true" if universal != existential else "false")
