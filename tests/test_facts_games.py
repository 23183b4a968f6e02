"""What games and trees of claims declare of a play, against what is shown in it; and that every turn has words of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from random import Random
from typing import Any, ClassVar

import pytest

import moot
from moot.agents.prompts import Templates
from moot.agents.prompts.render import render
from moot.protocols.engine.view import Source
from moot.protocols.games.boolean_circuit import ARITY, Circuit, normal_form
from moot.protocols.games.doubly_efficient_steps import Fault
from moot.testing.golden import puppet

BOOLEAN = {"circuit": {"inputs": 2, "gates": [["AND", 0, 1], ["XOR", 0, 2]], "output": 3}, "input": [1, 0]}
WORDS = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. The admiral fled.")


def asked(data: Any, choices: tuple[str, str] = ("yes", "no"), **more: Any) -> moot.Question:
    return moot.Question("Is it so?", choices, data=data, **more)


GRAPH = {"start": 0, "goal": 3, "edges": [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]}
ORACLE = {f"item({i})": i % 2 for i in range(3)}
PLAYS: dict[str, tuple[moot.Protocol, moot.Question]] = {
    "qbf": (moot.QBFDebate(), asked({"prefix": [["a", [1]], ["e", [2]]], "clauses": [[1, 2]]}, ("true", "false"))),
    "reachability": (moot.Reachability(), asked(GRAPH)),
    "geography": (moot.Geography(), asked(GRAPH, ("no", "yes"))),
    "circuit walk": (moot.CircuitWalk(), asked(BOOLEAN, ("1", "0"), unit="bits")),
    "circuit pointer": (moot.CircuitPointer(), asked(BOOLEAN, ("0", "1"), unit="bits")),
    "cross-examination": (moot.CrossExamination(queries=2), asked([1, 2])),
    "uncopied, asked": (moot.UncopiedExamination(queries=0), asked([1, 2])),
    "uncopied": (moot.UncopiedExamination(queries=2), asked([1, 2])),
    "doubly-efficient": (moot.DoublyEfficientDebate(computation="walk", input={"n": 3}), asked({"oracle": {"up(0)": 1}})),
    "deterministic": (
        moot.DeterministicDoublyEfficientDebate(machine="tally", input={"items": 3, "least": 2}, examined=1), asked({"oracle": ORACLE})),
    "witness": (
        moot.WitnessedDoublyEfficientDebate(
            machine="subset", input={"items": 2, "weights": [3, 4], "target": 7}, examined=2
        ),
        asked({"oracle": ORACLE}),
    ),
    "bisection": (moot.Bisection(), asked([3, 1, 4, 2], ("10", "11"))),
    "recursive": (moot.RecursiveDebate(depth=3), WORDS),
    "recursive, all seen": (moot.RecursiveDebate(depth=2, judge_source="all", limit=moot.Limit(words=9, over="clip")), WORDS),
    "tree": (moot.TreeDebate(turns="abb", most=2), WORDS),
    "tree, unseen": (moot.TreeDebate(turns="ab", most=2, judge_source="none"), WORDS),
    "decomposition": (moot.DecompositionDebate(rounds=2, width=2), WORDS),
    "decomposition, below": (moot.DecompositionDebate(below=True, width=2, source="metered", judge_source="none"), WORDS),
    "decomposition, pointers": (moot.PointerDecompositionDebate(width=2, opens=1), WORDS),
    "decomposition, pointers, read": (moot.PointerDecompositionDebate(width=2, below=False), WORDS),
    "prover-estimator": (moot.ProverEstimator(rounds=2, width=2, source="none", judge_source="all"), WORDS),
}  # fmt: skip
SEEDS = range(8)


def player(request: moot.Request) -> moot.Move:
    """A puppet; one that names a fault names a step that there is."""
    if Fault in request.kinds and request.seed % 2:
        return Fault(address="step(2)")
    return puppet(request)


def requests(protocol: moot.Protocol, question: moot.Question) -> list[moot.Request]:
    """What seats are asked for in some plays."""
    found: list[moot.Request] = []

    def act(request: moot.Request) -> moot.Move:
        found.append(request)
        return player(request)

    for seed in SEEDS:
        moot.run(protocol, question, dict.fromkeys(protocol.roles(question), act), seed=seed)
    return found


@cache
def asks(name: str) -> list[moot.Request]:
    return requests(*PLAYS[name])


def misdeclared(requests: Iterable[moot.Request]) -> set[str]:
    """Seats that were shown the source otherwise than declared, or of which nothing is."""
    wrong = set()
    for request in requests:
        assert request.facts is not None
        if request.facts.sources.get(request.seat) != request.view.source:
            wrong.add(request.seat)
    return wrong


@pytest.mark.parametrize("name", PLAYS)
def test_seats_see_what_is_declared(name: str) -> None:
    assert asks(name) and not misdeclared(asks(name))


class Wrong(moot.RecursiveDebate):
    """The debate, with a wrong word about its judge."""

    name: ClassVar[str] = "wrongly-declared"

    def sees(self, question: moot.Question) -> dict[str, Source]:
        return {**super().sees(question), "judge": "all"}


class Short(moot.Bisection):
    """The debate, without a word about its judge."""

    name: ClassVar[str] = "declared-in-part"

    def sees(self, question: moot.Question) -> dict[str, Source]:
        return {"a": "all", "b": "all"}


@pytest.mark.parametrize(("protocol", "like"), [(Wrong(depth=2), "recursive"), (Short(), "bisection")])
def test_a_wrong_declaration_is_found(protocol: moot.Protocol, like: str) -> None:
    assert misdeclared(requests(protocol, PLAYS[like][1])) == {"judge"}


@pytest.mark.parametrize("name", PLAYS)
def test_sides_are_those_that_are_paid(name: str) -> None:
    """A verdict for an answer pays the seat that is declared to defend it; where the prover chooses, nobody is before."""
    protocol, question = PLAYS[name]
    declared = dict(protocol.defended(question, {}))
    if "prover" in protocol.roles(question).values():
        assert declared == {} and protocol.defended(question, {"a": 1}) == {"a": 1}
        return
    assert sorted(declared.values()) == [0, 1] and "judge" not in declared
    for seed in SEEDS:
        outcome = moot.run(protocol, question, dict.fromkeys(protocol.roles(question), puppet), seed=seed).outcome
        if isinstance(outcome, moot.Decided) and outcome.verdict.probabilities[0] != 0.5:
            winner = max(outcome.payoffs, key=lambda seat: outcome.payoffs[seat])
            assert declared[winner] == outcome.verdict.choice


def test_who_is_shown_a_claim_alone_is_not_told_whose_answer_it_is() -> None:
    for name in ("decomposition, below", "decomposition, pointers", "prover-estimator"):
        for request in asks(name):
            if request.seat in ("judge", "below"):
                prompt = render(request, Templates(), "")
                assert not re.search(r"defends? answer", prompt.system + prompt.task)


class Noted(Templates):
    """Templates that note which were used."""

    def __init__(self, version: str) -> None:
        super().__init__(version=version)
        self.used: list[str] = []

    def found(self, names: Iterable[str], protocol: Any = None) -> tuple[str, str]:
        name, text = super().found(names, protocol)
        self.used.append(name)
        return name, text


OF_ALL = {"record", "tail"}


def lineage(protocol: moot.Protocol) -> set[str]:
    return {name for cls in type(protocol).__mro__ if (name := getattr(cls, "name", ""))}


FOLDERS = {name for protocol, _ in PLAYS.values() for name in lineage(protocol)}


@pytest.mark.parametrize("version", ["v2", "v2-small"])
@pytest.mark.parametrize("name", PLAYS)
def test_every_turn_has_words_of_its_own_protocol(name: str, version: str) -> None:
    """None falls back on what is said in any protocol; and nothing of another one's is taken."""
    protocol, _ = PLAYS[name]
    own = lineage(protocol) | {"parts"}
    for request in asks(name):
        templates = Noted(version)
        prompt = render(request, templates, "")
        folders = {used.rpartition("/")[0] for used in templates.used if used not in OF_ALL}
        assert folders <= own, templates.used
        assert request.seat in prompt.system + prompt.task
        assert "$" not in prompt.system + prompt.task


@pytest.mark.parametrize("name", PLAYS)
def test_the_system_message_is_the_same_in_every_turn_of_a_seat(name: str) -> None:
    said: dict[str, set[str]] = {}
    for request in asks(name):
        said.setdefault(request.seat, set()).add(render(request, Templates(), "").system)
    assert all(len(texts) == 1 for texts in said.values())


@pytest.mark.parametrize("version", ["v2", "v2-small"])
def test_no_template_is_left_lying(version: str) -> None:
    """Each file in these protocols' folders is the words of some turn: none has a name that nothing asks for."""
    templates = Noted(version)
    for name in PLAYS:
        for request in asks(name):
            render(request, templates, "")
    used = set(templates.used)
    folder = resources.files("moot.agents.prompts") / version
    kept = {f"{each}/{file.name.removesuffix('.txt')}" for each in FOLDERS if (folder / each).is_dir()
            for file in (folder / each).iterdir()}  # fmt: skip
    assert kept and kept <= used, sorted(kept - used)


def as_told(circuit: Circuit, bits: list[int], choices: list[int]) -> tuple[list[str], bool]:
    """Who chooses at each step of a walk ("or": the claimant), and whether the claimant wins: by the rules of the prompt."""
    node, claimed, left, by = circuit.output, 1, iter(choices), list[str]()
    while node >= circuit.inputs:
        kind, *taken = circuit.gates[node - circuit.inputs]
        if kind in ("TRUE", "FALSE"):
            return by, claimed == (kind == "TRUE")
        if kind in ("NOT", "BUF"):
            node, claimed = taken[0], claimed ^ (kind == "NOT")
            continue
        claimed ^= kind in ("NAND", "NOR", "XNOR")
        if kind in ("XOR", "XNOR"):
            by += ["or", "and"]
            said = (((1, 1), (0, 0)), ((1, 0), (0, 1)))[claimed][next(left)]
            which = next(left)
            node, claimed = taken[which], said[which]
        else:
            by.append("and" if (kind in ("AND", "NAND")) == (claimed == 1) else "or")
            node = taken[next(left)]
    return by, bits[node] == claimed


def test_the_walk_goes_as_the_prompt_tells() -> None:
    random = Random(1)
    for _ in range(2000):
        inputs, gates = random.randint(1, 4), list[tuple[Any, ...]]()
        for place in range(random.randint(1, 8)):
            kind = random.choice(list(ARITY))
            gates.append((kind, *(random.randrange(inputs + place) for _ in range(ARITY[kind]))))
        circuit = Circuit(inputs, tuple(gates), inputs + len(gates) - 1)
        bits, form = [random.randint(0, 1) for _ in range(inputs)], normal_form(circuit)
        node, by, choices = form.nodes[form.root], list[str](), list[int]()
        while node[0] in ("and", "or"):
            by.append(node[0])
            choices.append(random.randint(0, 1))
            node = form.nodes[node[1 + choices[-1]]]
        won = node[1] == 1 if node[0] == "constant" else bits[node[1]] != node[2]
        assert as_told(circuit, bits, choices) == (by, won)
