"""Debates about the value of a Boolean circuit, whose judge reads few bits of what was said and of the input.
Rule: the two debates and their moves; what a circuit is, and its normal form, is in `boolean_circuit.py`.

Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026 (arXiv 2602.08630), Debate is efficient with your time:
the bits that a judge must read are the debate query complexity of a function. The judge is made for the circuit, which it
knows for nothing; it pays for each bit of the transcript and of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.checks import fill
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry
from moot.protocols.games.boolean_circuit import Circuit, circuit_of, normal_form
from moot.protocols.games.claims import ClaimGame


class Descend(Move, argues=True, fixed_reading=1, worded="down to the {which} input of the gate"):
    """Which of a gate's two inputs the walk goes to: one bit."""

    kind: Literal["descend"] = "descend"
    which: Literal["first", "second"]


class GateValues(Move, argues=True):
    """The values of all gates in their order, as the claimant has them: a bit each.

    The protocol writes the claim, 1, into the value of the output, whatever was there.
    """

    kind: Literal["gate-values"] = "gate-values"
    values: tuple[Annotated[int, Field(ge=0, le=1)], ...]

    def reading(self) -> int:
        return len(self.values)

    def in_words(self) -> str:
        return f"the values of gates 0 to {len(self.values) - 1}: {''.join(map(str, self.values))}"


class GateNumber(Move, argues=True, filled=("bits",), worded="gate {gate} does not follow"):
    """The gate whose value, the opponent says, does not follow. Gates are counted from 0, the inputs not among them.

    bits: of such a number in this circuit; the protocol writes it there.
    """

    kind: Literal["gate-number"] = "gate-number"
    gate: int = Field(ge=0)
    bits: int = 0

    def reading(self) -> int:
        return self.bits


class CircuitGame(ClaimGame):
    """Does the circuit give 1 on the input? The claimant says "1", its opponent "0".

    question.data is {"circuit": {"inputs": 2, "gates": [["AND", 0, 1], ["NOT", 2]], "output": 3}, "input": [1, 0]}. Nodes
    are numbered, the inputs from 0 on and then the gates, each of which takes nodes before it: two, but one for NOT and
    BUF and none for FALSE and TRUE. The output is a gate. question.unit is "bits": of a move the judge pays for its bits,
    and of the data for each that it looks at. The text must not tell the input, as texts are read for nothing.
    """

    complexity_class: ClassVar[str | None] = "P"
    dynamics: ClassVar[str] = "sequential"
    claims: ClassVar[tuple[str, str]] = ("1", "0")

    def fit(self, question: Question) -> str | None:
        data: Any = question.data
        if question.unit != "bits":
            return f'its unit of reading is {question.unit!r}; what is read here are bits: unit="bits"'
        if not isinstance(data, dict) or not {"circuit", "input"} <= set(data):
            return 'data holds no circuit with an input; give {"circuit": {…}, "input": [1, 0]}'
        circuit = circuit_of(data["circuit"])
        if circuit.output < circuit.inputs:
            return "the output is an input; there is no gate to debate about"
        bits, count = data["input"], circuit.inputs
        right = isinstance(bits, list) and len(bits) == count and all(type(b) is int and b in (0, 1) for b in bits)
        return None if right else f"the input is {bits!r}; give a list of {count} times 0 or 1"

    def most_bits(self, circuit: Circuit) -> int:
        """The most bits that a judge of this circuit has to read."""
        raise UsageError(f"{type(self).__name__} does not say how many bits its judge reads: define most_bits(circuit)")


class CircuitWalk(CircuitGame):
    """A walk from the output to one bit of the input, as in the game of Karchmer and Wigderson (1988).

    The circuit is taken in negation normal form. At an OR gate the claimant names the child that it says is 1, at an AND
    gate the opponent the one that it says is 0; a negation passed on the way swaps the two. The judge reads the d choices,
    which tell it where the walk ends, and that bit of the input: at most depth + 1 bits. Under optimal play the true
    answer wins: whoever is right can keep the walk at nodes that have the value that it claims.
    """

    name: ClassVar[str] = "circuit-walk"

    async def play(self, floor: Floor, question: Question) -> Decided:
        claimant, opponent = self.sides(question)
        circuit: Any = question.data["circuit"]  # type: ignore[index, call-overload]
        form = normal_form(circuit_of(circuit))
        at, under = form.root, None
        while (node := form.nodes[at])[0] in ("and", "or"):
            seat, relation = (claimant, "supports") if node[0] == "or" else (opponent, "attacks")
            step: Descend = await floor.ask(
                seat, Descend, view=floor.said(source="all"), under=under, relation=relation,
                task="descend", details={"gate": node[0], "node": at},
            )  # fmt: skip
            at, under = node[1 if step.which == "first" else 2], floor.step
        return await self.judged(floor, floor.said(source="metered"), details={"circuit": circuit})

    def explained(self, question: Question, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claim that the walk has come to, and what is claimed at each of the two inputs, of nodes of the circuit."""
        if "node" not in details:
            return {}
        form = normal_form(circuit_of(question.data["circuit"]))  # type: ignore[index, call-overload]
        _, first, second = form.nodes[details["node"]]
        return {"claim": form.claim(details["node"]), "first": form.claim(first), "second": form.claim(second)}

    def most_bits(self, circuit: Circuit) -> int:
        return normal_form(circuit).depth + 1

    def most_moves(self, question: Question) -> dict[str, int] | None:
        depth = normal_form(circuit_of(question.data["circuit"])).depth  # type: ignore[index, call-overload]
        return {"a": depth, "b": depth, "judge": 1}


class CircuitPointer(CircuitGame):
    """The claimant writes down the values of all gates, and the opponent points to one that does not follow.

    The judge reads the gate's number and then, at the places that it tells, the gate's value and the values of what it
    takes, from the claimant's list or the input: at most ⌈log2 size⌉ + 3 bits. It is never shown the list: it looks at
    single bits, `look("values", i)` for gate i, and pays for each. Under optimal play the true answer wins: the right
    values follow everywhere, and a list with a wrong output has a first gate whose value does not.
    """

    name: ClassVar[str] = "circuit-pointer"

    async def play(self, floor: Floor, question: Question) -> Decided:
        claimant, opponent = self.sides(question)
        data: Any = question.data
        circuit = circuit_of(data["circuit"])
        count, output = circuit.size, circuit.output - circuit.inputs

        def claims(move: GateValues) -> GateValues:
            if len(move.values) != count:
                raise Illegal(f"{len(move.values)} values were given for {count} gates; give one for each")
            return fill(move, values=(*move.values[:output], 1, *move.values[output + 1 :]))

        def points(move: GateNumber) -> GateNumber:
            if move.gate >= count:
                raise Illegal(f"there is no gate {move.gate}; the gates are 0 to {count - 1}")
            return fill(move, bits=circuit.number_bits)

        written = await floor.ask(
            claimant, GateValues, view=floor.said(source="all"), check=claims,
            task="values", least={"values": count}, most={"values": count},
        )  # fmt: skip
        pointer = await floor.ask(
            opponent, GateNumber, view=floor.said(source="all"), check=points, under=floor.step,
            relation="attacks", task="gate", below={"gate": count},
        )  # fmt: skip
        view = floor.only(
            question.text, Entry(floor.step, opponent, pointer), choices=question.choices, source="metered",
            data={**data, "values": list(written.values)},
        )  # fmt: skip
        return await self.judged(floor, view, details={"circuit": data["circuit"]})

    def worth_trying(self, request: Request) -> Iterator[Move]:
        return pointer_moves(request)

    def most_bits(self, circuit: Circuit) -> int:
        return circuit.number_bits + 3

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 1, "b": 1, "judge": 1}


def pointer_moves(request: Request) -> Iterator[Move]:
    """Every list of values with a true claim, or every gate: what a search may try. Lists are 2^(size − 1)."""
    data: Any = request.view.question.data
    circuit = circuit_of(data["circuit"])
    if GateNumber in request.kinds:
        yield from (GateNumber(gate=gate) for gate in range(circuit.size))
        return
    output = circuit.output - circuit.inputs
    for values in product((0, 1), repeat=circuit.size):
        if values[output] == 1:
            yield GateValues(values=values)
