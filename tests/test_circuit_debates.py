"""Debates about Boolean circuits: optimal play against the value, and the judge's bits against the bounds, play by play."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, islice, product
from random import Random
from typing import Any

import pytest
from circuit_kit import GAMES, PYTHON, asked, bound, longest, value
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.polynomial import Polynomial
from moot.experiments.reproductions.query_complexity import C17
from moot.protocols.games.boolean_circuit import ARITY, Circuit, circuit_of, normal_form
from moot.protocols.games.circuit_debate import CircuitGame, Descend, GateNumber, GateValues, pointer_moves
from moot.tasks.circuits.circuit_value import BitJudge, CircuitValue
from moot.tasks.circuits.files import parse_bench
from moot.tasks.circuits.netlist import Netlist
from moot.testing.strategies import circuits, hostile_replies, moves

FEW = settings(deadline=None, max_examples=60)


def optimal(game: CircuitGame, circuit: Circuit, bits: Sequence[int], first: str = "1") -> str:
    """The answer of optimal play on both sides. The search fails where a play needs a bit more than the bound."""
    options = pointer_moves if isinstance(game, moot.CircuitPointer) else None
    question = asked(circuit, bits, first)
    judge = moot.Bounded(BitJudge(), reads=str(bound(game, circuit)))
    found = moot.solve(game, question, moves={"a": options, "b": options}, seats={"judge": judge})
    assert isinstance(found.outcome, moot.Decided) and found.outcome.verdict.choice is not None
    assert found.value["ab"[found.outcome.verdict.choice]] == 1
    return question.choices[found.outcome.verdict.choice]


def every_circuit(inputs: int, gates: int, kinds: Sequence[str]) -> Iterator[Circuit]:
    """Each list of so many gates, every one of which takes any nodes before it, in any combination."""

    def rest(made: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if len(made) == gates:
            yield made
            return
        for kind in kinds:
            for taken in combinations_with_replacement(range(inputs + len(made)), ARITY[kind]):
                yield from rest((*made, (kind, *taken)))

    for made in rest(()):
        yield Circuit(inputs, made, inputs + gates - 1)


# -- optimal play ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "gates", "kinds", "count"),
    [
        (0, 2, ("TRUE", "FALSE", "NOT", "AND"), 8),
        (1, 2, ("AND", "OR", "XOR", "NOT"), 44),
        (2, 2, ("AND", "XOR"), 72),
        pytest.param(2, 2, ("AND", "OR", "XOR", "NOT"), 231, marks=pytest.mark.long),
        (3, 1, ("AND", "OR", "NAND", "NOR", "XOR", "XNOR", "NOT", "BUF", "TRUE", "FALSE"), 44),
        pytest.param(3, 2, ("AND", "XOR", "NOT"), 360, marks=pytest.mark.long),
        pytest.param(3, 2, ("AND", "OR", "XOR", "NOT"), 714, marks=pytest.mark.long),
        pytest.param(2, 3, ("NAND",), 180, marks=pytest.mark.long),
        (1, 3, ("OR", "XNOR"), 144),
    ],
)  # fmt: skip
def test_optimal_play_finds_the_value_of_every_small_circuit(
    inputs: int, gates: int, kinds: tuple[str, ...], count: int
) -> None:
    found = list(every_circuit(inputs, gates, kinds))
    assert len(found) == count
    for number, circuit in enumerate(found):
        for bits in product((0, 1), repeat=inputs):
            right = "1" if value(circuit, bits) else "0"
            for game in GAMES:
                assert optimal(game, circuit, bits, "10"[number % 2]) == right, (game, circuit, bits)


@pytest.mark.long
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_optimal_play_finds_the_value_of_every_circuit_of_three_gates(inputs: int) -> None:
    """Over a basis that gives every function."""
    for circuit in every_circuit(inputs, 3, ("AND", "NOT")):
        for bits in product((0, 1), repeat=inputs):
            for game in GAMES:
                assert optimal(game, circuit, bits) == ("1" if value(circuit, bits) else "0"), (game, circuit, bits)


def test_the_walk_finds_the_value_of_every_small_formula(request: pytest.FixtureRequest) -> None:
    """Every formula of depth two over two variables and their negations, up to the order of operands; every third without --long."""
    every = 1 if request.config.getoption("--long") else 3
    literals = range(4)  # x, y, not x, not y
    halves = [(kind, *pair) for kind in ("AND", "OR") for pair in combinations_with_replacement(literals, 2)]
    count = 0
    for kind in ("AND", "OR"):
        for left, right in islice(combinations_with_replacement(halves, 2), 0, None, every):
            circuit = Circuit(2, (("NOT", 0), ("NOT", 1), left, right, (kind, 4, 5)), 6)
            assert normal_form(circuit).depth == 2
            for bits in product((0, 1), repeat=2):
                assert optimal(moot.CircuitWalk(), circuit, bits) == ("1" if value(circuit, bits) else "0")
                count += 1
    assert count == 2 * 210 // every * 4


@pytest.mark.long
def test_optimal_play_finds_the_value_of_random_circuits() -> None:
    random, count = Random("circuits"), 0
    for _ in range(300):
        inputs, gates = random.randint(1, 4), random.randint(1, 4)
        made = tuple((random.choice(("AND", "OR", "XOR")), *(random.randrange(inputs + i) for _ in range(2)))
                     for i in range(gates))  # fmt: skip
        circuit = Circuit(inputs, made, inputs + gates - 1)
        for bits in product((0, 1), repeat=inputs):
            for game in GAMES:
                assert optimal(game, circuit, bits) == ("1" if value(circuit, bits) else "0"), (game, circuit, bits)
                count += 1
    assert count == 4300


@FEW
@given(circuits(most=4))
def test_optimal_play_finds_the_value_of_any_circuit(question: moot.Question) -> None:
    data: Any = question.data
    circuit = circuit_of(data["circuit"])
    for game in GAMES:
        assert optimal(game, circuit, data["input"], question.choices[0]) == str(int(value(circuit, data["input"])))


# -- what is read ---------------------------------------------------------------------------------------------------


def played(game: CircuitGame, question: moot.Question, agent: Any, reads: int) -> moot.Transcript:
    return moot.run(game, question, {"a": agent, "b": agent, "judge": moot.Bounded(BitJudge(), reads=str(reads))})


@settings(FEW, max_examples=100)
@given(st.data())
def test_no_pair_of_players_makes_the_judge_read_more(data: st.DataObject) -> None:
    """Hostile players included: a play is decided or forfeited, never exhausted, and the judge reads what it may."""
    question = data.draw(circuits(most=9))
    circuit = circuit_of(question.data["circuit"])  # type: ignore[index, call-overload]
    for game in GAMES:
        most = bound(game, circuit)
        hostile = data.draw(st.booleans())

        def agent(request: moot.Request, hostile: bool = hostile) -> Any:
            spoilt = hostile and data.draw(st.integers(0, 3)) == 0
            return data.draw(hostile_replies(request, most=200) if spoilt else moves(request))

        transcript = played(game, question, agent, most)
        reads = transcript.ledger.seats["judge"].reads
        assert reads is not None and reads <= most
        assert isinstance(transcript.outcome, (moot.Decided, moot.Forfeited) if hostile else moot.Decided)
        assert transcript.guarantee.holds == isinstance(transcript.outcome, moot.Decided)


def scripted(*said: moot.Move) -> Any:
    turns = iter(said)
    return lambda request: next(turns)


@pytest.mark.parametrize("output", ["22", "23"])
def test_c17_reads_four_bits_and_five(output: str) -> None:
    """All walks, and all pointers into all lists of values: the most bits that any play reads, and what the judge says."""
    circuit = parse_bench(C17).circuit(output)
    assert (normal_form(circuit).depth, circuit.size, longest(circuit)) == (3, 4, 3)
    bits = (1, 0, 1, 1, 0)
    read = set()
    for which in product(("first", "second"), repeat=3):
        walk = scripted(
            *(moot.Descend.model_validate({"which": each}) for each in which), *[moot.Descend(which="first")] * 9
        )
        read.add(played(moot.CircuitWalk(), asked(circuit, bits), walk, 4).ledger.seats["judge"].reads)
    assert max(x or 0 for x in read) == 4
    read = set()
    for values in product((0, 1), repeat=4):
        claimed = (*values[:3], 1)
        nodes = (*bits, *claimed)
        for gate in range(4):
            said = GateValues(values=values), GateNumber(gate=gate)
            transcript = played(moot.CircuitPointer(), asked(circuit, bits), scripted(*said), 5)
            read.add(transcript.ledger.seats["judge"].reads)
            kind, left, right = circuit.gates[gate]
            assert isinstance(transcript.outcome, moot.Decided)
            assert transcript.outcome.verdict.choice == (
                0 if claimed[gate] == PYTHON[kind](nodes[left], nodes[right]) else 1
            )
    assert read == {5}


def test_a_list_of_values_has_one_for_each_gate_and_claims_a_one() -> None:
    circuit = Circuit(2, (("AND", 0, 1), ("OR", 2, 0)), 3)
    said: list[Any] = [GateValues(values=(1,)), GateValues(values=(0, 0)), GateNumber(gate=7), GateNumber(gate=1)]
    transcript = played(moot.CircuitPointer(), asked(circuit, (1, 0)), scripted(*said), 4)
    assert isinstance(transcript.outcome, moot.Decided)
    kept = [step.move for step in transcript.steps() if step.seat != "judge"]
    assert kept == [{"kind": "gate-values", "values": [0, 1]}, {"kind": "gate-number", "gate": 1, "bits": 1}]
    assert transcript.ledger.seats["a"].rejected == transcript.ledger.seats["b"].rejected == 1


def test_the_list_is_looked_at_and_never_shown() -> None:
    circuit = Circuit(2, (("XOR", 0, 1), ("AND", 2, 0), ("OR", 3, 2)), 4)
    seen: list[Any] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.extend(entry.move.kind for entry in request.view)
        assert request.view.question.data is None
        request.view.look("values")
        return moot.Verdict(probabilities=(1.0, 0.0))

    said = scripted(GateValues(values=(1, 0, 1)), GateNumber(gate=2))
    seats = {"a": said, "b": said, "judge": moot.Bounded(judge, reads="n")}
    transcript = moot.run(moot.CircuitPointer(), asked(circuit, (1, 0)).model_copy(update={"size": 4}), seats)
    assert seen == ["gate-number"]
    assert transcript.outcome == moot.Exhausted(seat="judge", measure="reads", used=5, limit=4, step="2")


def test_other_data_is_only_for_looking_at() -> None:
    class Shows(moot.Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"judge": "judge"}

        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            view = floor.only("?", choices=question.choices, source="all", data=[1])
            return moot.Decided(await floor.ask("judge", moot.Verdict, view=view))

    with pytest.raises(moot.ProtocolError, match="give source=\"metered\", not 'all'"):
        moot.run(Shows(), moot.Question("?", ("1", "0")), {"judge": moot.testing.puppet})


# -- the task -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_random_circuits_are_played_right_within_exactly_the_bound(size: int) -> None:
    task, answers = CircuitValue(), set()
    for seed in range(6):
        sample = task.sample(size, seed)
        data: Any = sample.question.data
        circuit, truth = circuit_of(data["circuit"]), sample.unseal()
        assert (normal_form(circuit).depth, circuit.size, sample.question.size) == (size, 2**size - 1, size)
        assert truth is not None and sample.question.choices[truth] == str(int(value(circuit, data["input"])))
        answers.add(sample.question.choices[truth])
        for game in GAMES:
            budget = Polynomial.parse(task.bound(game.name))(size)
            assert budget == bound(game, circuit) + (size == 1 and isinstance(game, moot.CircuitPointer))
            for liar in (False, True):
                made, seats = task.staged(game.name, sample)
                if liar:
                    seats["ba"[truth]] = task.programs()["liar"]()
                transcript = moot.run(made, sample, seats, seed=seed)
                assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.choice == truth
                reads = transcript.ledger.seats["judge"].reads
                assert transcript.guarantee.holds and reads is not None and reads <= bound(game, circuit)
                if isinstance(game, moot.CircuitWalk):
                    assert reads == size + 1
    assert answers == {"0", "1"}


def test_a_liar_on_the_true_side_gives_the_answer_away() -> None:
    """The theorem needs an honest player there: against its own interest, a liar walks to where its claim is wrong."""
    task, wrong = CircuitValue(), 0
    for seed in range(8):
        sample = task.sample(4, seed)
        truth = sample.unseal()
        assert truth is not None
        made, seats = task.staged("circuit-walk", sample)
        seats["ab"[truth]] = task.programs()["liar"]()
        outcome = moot.run(made, sample, seats, seed=seed).outcome
        assert isinstance(outcome, moot.Decided)
        wrong += outcome.verdict.choice != truth
    assert wrong > 0


def test_a_circuit_of_ones_own_declares_its_depth_or_the_bits_of_a_number() -> None:
    task, circuit = CircuitValue(), parse_bench(C17).circuit("22")
    for protocol in ("circuit-walk", "circuit-pointer"):
        sample = task.sample_of(circuit, (1, 0, 1, 1, 0), protocol, "c17")
        assert (sample.question.size, sample.question.id, sample.unseal()) == (3, "c17", 0)
    with pytest.raises(moot.UsageError, match="played by circuit-walk and circuit-pointer, not by debate"):
        task.sample_of(circuit, (1, 0, 1, 1, 0), "debate")
    with pytest.raises(moot.UsageError, match="give a list of 5 times 0 or 1"):
        task.sample_of(circuit, (1, 0))
    with pytest.raises(moot.UsageError, match="there is no gate to debate about"):
        task.sample_of(Netlist(("x",), {"f": "x"}, {}).circuit(), (1,))
    with pytest.raises(moot.UsageError, match="is no question of task circuit-value"):
        task.truth({"circuit": circuit.data(), "input": [0] * 5}, "value()")


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "data holds no circuit with an input"),
        (["circuit", "input"], "data holds no circuit with an input"),
        ({"circuit": {}}, "data holds no circuit with an input"),
        ({"input": [1]}, "data holds no circuit with an input"),
        *(({"input": bits}, "give a list of 2 times 0 or 1") for bits in (None, "10", [0], [1, 0, 1], [1, 2], [True, 0], [0.0, 1])),
    ],
)  # fmt: skip
def test_what_holds_no_circuit_or_no_input_for_it_is_refused(game: CircuitGame, data: Any, says: str) -> None:
    if isinstance(data, dict) and "input" in data and data["input"] != [1]:
        data = {"circuit": {"inputs": 2, "gates": [["AND", 0, 1]], "output": 2}, **data}
    with pytest.raises(moot.UsageError, match=says):
        game.roles(moot.Question("Does it give 1?", ("1", "0"), data=data, size=3, unit="bits"))


# -- what a debater is told of the walk -----------------------------------------------------------------------------


def holds(claim: str, nodes: Sequence[int]) -> bool:
    """Whether a claim in words, "node 2 is 1 and node 3 is 0", is true of the values of a circuit's nodes."""
    said = re.findall(r"node (\d+) is ([01])", claim)
    assert said and claim == " and ".join(f"node {node} is {bit}" for node, bit in said)
    return all(nodes[int(node)] == int(bit) for node, bit in said)


def opened(question: moot.Question) -> tuple[Circuit, tuple[int, ...], tuple[int, ...]]:
    """The circuit of a question, its input, and the values of all its nodes on that."""
    data: Any = question.data
    circuit, bits = circuit_of(data["circuit"]), tuple(data["input"])
    return circuit, bits, (*bits, *circuit.values(bits))


@FEW
@given(circuits())
def test_a_node_of_the_normal_form_is_true_exactly_where_its_claim_is(question: moot.Question) -> None:
    circuit, bits, nodes = opened(question)
    form = normal_form(circuit)
    values, todo, seen = form.values(bits), [form.root], set[int]()
    while todo:
        if (node := todo.pop()) not in seen:
            seen.add(node)
            assert holds(form.claim(node), nodes) == bool(values[node])
            todo += form.nodes[node][1:] if form.nodes[node][0] in ("and", "or") else []


@FEW
@given(circuits())
def test_whoever_reads_nothing_but_the_prompt_can_play_the_walk_perfectly(question: moot.Question) -> None:
    circuit, bits, nodes = opened(question)

    def reader(request: moot.Request) -> moot.Move:
        told = moot.prompt_for(request).task
        claims = re.search(
            r'"first" goes on with the claim that ([^,]*), "second" with the claim that ([^.]*)\.\n', told
        )
        assert claims
        wanted = re.search(r"You defend answer \d: 1\. ", told) is not None
        return Descend(which="first" if holds(claims[1], nodes) == wanted else "second")

    played = moot.run(moot.CircuitWalk(), question, {"debater": reader, "judge": BitJudge()})
    assert isinstance(played.outcome, moot.Decided) and played.outcome.verdict.choice is not None
    assert question.choices[played.outcome.verdict.choice] == str(circuit.value(bits))


def test_a_person_is_told_the_claim_as_well() -> None:
    lines: list[str] = []
    person = moot.Human(input=lambda told: "first", output=lines.append)
    circuit = Circuit(2, (("AND", 0, 1), ("NOT", 2)), 3)
    moot.run(moot.CircuitWalk(), asked(circuit, (1, 0), "1"), {"debater": person, "judge": BitJudge()})
    assert {"claim: node 2 is 0", "first: node 0 is 0", "second: node 1 is 0"} <= set("\n".join(lines).splitlines())
