"""Families of circuits and the bits that debates about them need; and what is a circuit at all."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from circuit_kit import GAMES, PYTHON, bound, longest, value
from hypothesis import given, settings

import moot
from moot.experiments.reproductions.query_complexity import FAMILIES, least_bits, relevant, reproduce
from moot.protocols.games.boolean_circuit import ARITY, applied, circuit_of, normal_form
from moot.testing.strategies import circuits

BOUNDS = {
    ("conjunction", 8): (4, 6, 4), ("conjunction", 64): (7, 9, 7), ("parity", 4): (5, 5, 3), ("parity", 64): (13, 9, 7),
    ("majority", 3): (4, 6, 2), ("majority", 9): (13, 9, 4), ("adder carry", 4): (9, 7, 4), ("adder carry", 16): (33, 9, 6),
    ("c17", "22"): (4, 5, 3), ("c17", "23"): (4, 5, 3),
}  # fmt: skip
"""Of circuits: depth + 1, ⌈log2 size⌉ + 3, and the bits that the judge of any debate reads at least."""


@pytest.mark.parametrize("family", BOUNDS)
def test_the_bounds_of_circuits(family: tuple[str, Any]) -> None:
    name, size = family
    circuit = FAMILIES[name][0](size)
    walk, pointer = (game.most_bits(circuit) for game in GAMES)
    assert (walk, pointer, least_bits(relevant(circuit))) == BOUNDS[family]
    assert (walk, pointer) == tuple(bound(game, circuit) for game in GAMES)


@pytest.mark.parametrize(
    "name, of", [("parity", lambda x: sum(x) % 2), ("conjunction", all), ("majority", lambda x: sum(x) > 2)]
)
def test_the_families_are_what_they_are_called(name: str, of: Any) -> None:
    circuit = FAMILIES[name][0](5)
    for bits in product((0, 1), repeat=5):
        assert value(circuit, bits) == of(bits)


def test_the_adder_carries() -> None:
    circuit = FAMILIES["adder carry"][0](3)
    for bits in product((0, 1), repeat=6):
        a, b = (sum(bit << i for i, bit in enumerate(bits[k::2])) for k in (0, 1))
        assert value(circuit, bits) == (a + b >= 8)


def test_the_lower_bound_is_that_of_decision_trees() -> None:
    """Whoever reads k bits, each chosen after those before, looks at 2^k - 1 places at most, over all plays."""
    for inputs in range(1, 200):
        assert 2 ** least_bits(inputs) - 1 >= inputs > 2 ** (least_bits(inputs) - 1) - 1


def test_the_reproduction_holds() -> None:
    report = reproduce({"parity": (2, 4), "c17": ("22",)}, inputs=4, draws=2)
    assert report.holds and len(report.rows) == 6
    for row in report.rows:
        assert row.measured == row.published and row.undecided == 0 and row.count == 4 * 5
    with pytest.raises(moot.UsageError, match="no family of circuits is called 'clique'"):
        reproduce({"clique": (3,)})
    with pytest.raises(moot.UsageError, match="inputs is 0"):
        reproduce(inputs=0)


# -- the circuits ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(circuits(most=12))
def test_the_normal_form_is_the_same_function(question: moot.Question) -> None:
    circuit = circuit_of(question.data["circuit"])  # type: ignore[index, call-overload]
    form = normal_form(circuit)
    assert form.depth == longest(circuit)
    assert all(node[0] in ("and", "or", "input", "constant") for node in form.nodes)
    for bits in product((0, 1), repeat=circuit.inputs):
        assert form.values(bits)[form.root] == circuit.value(bits) == value(circuit, bits)


@pytest.mark.parametrize("kind", ARITY)
def test_every_kind_of_gate(kind: str) -> None:
    for bits in product((0, 1), repeat=ARITY[kind]):
        assert applied(kind, *bits) == int(PYTHON[kind](*bits))


GOOD: dict[str, Any] = {"inputs": 2, "gates": [["AND", 0, 1]], "output": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"circuit": {**GOOD, "gates": [["MAJ", 0, 1]]}}, r"gate 2 is \['MAJ', 0, 1\]; a gate lists its kind"),
        ({"circuit": {**GOOD, "gates": [["AND", 0, 1, 1]]}}, "AND takes 2: split a wider gate"),
        ({"circuit": {**GOOD, "gates": [["AND", 0, 2]]}}, "may take the nodes 0 to 1"),
        ({"circuit": {**GOOD, "gates": [["AND", 0, True]]}}, "may take the nodes 0 to 1"),
        ({"circuit": {**GOOD, "output": 3}}, "the output is 3; the nodes are 0 to 2"),
        ({"circuit": {**GOOD, "output": 1}}, "the output is an input"),
        ({"circuit": {**GOOD, "inputs": -1}}, "a number from 0 on"),
        ({"circuit": [1]}, "no circuit; give"),
        ({"input": [1]}, "give a list of 2 times 0 or 1"),
        ({"input": [1, 2]}, "give a list of 2 times 0 or 1"),
        ({"input": [1, True]}, "give a list of 2 times 0 or 1"),
        ({"circuit": {**GOOD, "gates": [[["AND"], 0, 1]]}}, "a gate lists its kind"),
        ({"circuit": {**GOOD, "gates": [[]]}}, "a gate lists its kind"),
        ({"input": None}, "give a list of 2 times 0 or 1"),
    ],
)
def test_what_is_no_circuit_is_told(change: dict[str, Any], says: str) -> None:
    data = {"circuit": GOOD, "input": [1, 0], **change}
    for game in GAMES:
        with pytest.raises(moot.UsageError, match=says):
            game.roles(moot.Question("?", ("1", "0"), data=data, size=1, unit="bits"))


def test_the_question_must_be_in_bits() -> None:
    for game in GAMES:
        with pytest.raises(moot.UsageError, match="unit of reading is 'cells'"):
            game.roles(moot.Question("?", ("1", "0"), data={"circuit": GOOD, "input": [1, 0]}, unit="cells"))
        with pytest.raises(moot.UsageError, match="give"):
            game.roles(moot.Question("?", ("1", "0"), data=[1], unit="bits"))
