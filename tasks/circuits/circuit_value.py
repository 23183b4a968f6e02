"""The circuit value problem: what a Boolean circuit gives on an input. It is complete for P (Ladner 1975).
Rule: the task and its judge; files are read in `files.py`, and the debates' rules are the protocols'."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.boolean_circuit import Circuit, applied, circuit_of, normal_form
from moot.protocols.games.circuit_debate import CircuitPointer, CircuitWalk, Descend, GateNumber, GateValues
from moot.tasks.circuits.files import read_netlist
from moot.tasks.programs.games import Game, debated
from moot.tasks.programs.play import Program, ruled

ASKED = "Does the circuit give 1 on the input?"
ONE, ZERO = "1", "0"
LIES = 16
"""How many lists of values that are wrong from one gate on are thought of."""
_PROBES = 64
_CALL = re.compile(r"(.*)\(([01]*)\)")
_GAMES = {game.name: game for game in (CircuitWalk, CircuitPointer)}


class Drawing(Program):
    """Moves at random in either debate, by the step's seed: any child, any gate, any values."""

    def act(self, request: Request) -> Move:
        random = Random(request.seed)
        data: Any = request.view.question.data
        if Descend in request.kinds:
            return Descend(which="first" if random.random() < 0.5 else "second")
        size = len(data["circuit"]["gates"])
        if GateNumber in request.kinds:
            return GateNumber(gate=random.randrange(size))
        return GateValues(values=tuple(random.randrange(2) for _ in range(size)))


class BitJudge(Program, name="bit judge"):
    """Judges both debates bit by bit: after a walk it follows the choices and looks at the bit of the input where they end;
    after a pointer it looks at the gate's value and at what the gate takes."""

    def act(self, request: Request) -> Verdict:
        view, circuit = request.view, circuit_of(request.brief["details"]["circuit"])
        moves = [entry.move for entry in view]
        if len(moves) == 1 and isinstance(pointer := moves[0], GateNumber):
            kind, *taken = circuit.gates[pointer.gate]
            value = view.look("values", pointer.gate)
            inputs = circuit.inputs
            given = [view.look("input", i) if i < inputs else view.look("values", i - inputs) for i in taken]
            why = f"gate {pointer.gate} is said to be {value}, a {kind} of {given}"
            return ruled(view.question, ONE, value == applied(kind, *given), why)
        form = normal_form(circuit)
        node = form.nodes[form.root]
        for move in moves:
            assert isinstance(move, Descend)
            node = form.nodes[node[1 if move.which == "first" else 2]]
        if node[0] == "constant":
            return ruled(view.question, ONE, node[1] == 1, f"the walk ends at the constant {node[1]}")
        bit = view.look("input", node[1])
        why = f"the walk ends at {'the negation of ' if node[2] else ''}input {node[1]}, which is {bit}"
        return ruled(view.question, ONE, bit != node[2], why)


class CircuitValue(Game):
    """Does a random circuit of depth n with 2^n − 1 gates give 1 on a random input?

    There are n layers, of 2^(n−1), …, 2, 1 gates of two nodes of the layer below, the lowest of which is an input of 2 n
    bits. Of AND and OR the one is taken that is 1 on nearer to half of 64 random inputs, and then negated or not, as a
    circuit of gates drawn freely soon is constant. Depth and ⌈log2 size⌉ are n; of a circuit of one's own (`sample_of`,
    `read`) n is whichever is more, and 1 where both are 0."""

    name: ClassVar[str] = "circuit-value"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "A circuit has nodes: its inputs, numbered from 0 on, and then its gates in their order. A gate is written as its "
        "kind and the nodes that it takes, as in ['AND', 0, 4]; the value of the output is what the circuit gives. The answer "
        "is 1 or 0."
    )
    reads: ClassVar[str] = "n + 3"
    source: ClassVar[str] = "Ladner 1975, The circuit value problem is log space complete for P"
    example = ASKED
    either = ONE, ZERO
    unit = "bits"
    largest = 16
    plays = {CircuitWalk.name: debated("bit-judge", "n + 1"), CircuitPointer.name: debated("bit-judge")}
    own = {**Game.own, "drawing": Drawing, "bit-judge": BitJudge}

    def data(self, size: int, random: Random) -> dict[str, Any]:
        inputs = 2 * size
        seen = [random.getrandbits(_PROBES) for _ in range(inputs)]  # each node's values on the random inputs
        gates: list[tuple[Any, ...]] = []
        below = range(inputs)
        for layer in range(size - 1, -1, -1):
            for _ in range(2**layer):
                x, y = random.sample(below, 2)
                made = (("AND", seen[x] & seen[y]), ("OR", seen[x] | seen[y]))
                kind, value = min(made, key=lambda each: abs(each[1].bit_count() - _PROBES / 2))
                if random.random() < 0.5:
                    kind, value = "NAND" if kind == "AND" else "NOR", value ^ (2**_PROBES - 1)
                gates.append((kind, x, y))
                seen.append(value)
            below = range(len(seen) - 2**layer, len(seen))
        circuit = Circuit(inputs, tuple(gates), inputs + len(gates) - 1)
        return {"circuit": circuit.data(), "input": [random.randrange(2) for _ in range(inputs)]}

    def count(self, data: Any) -> int:
        """Depth, or the bits of a gate's number when these are more: either judge reads at most 3 more."""
        circuit = circuit_of(data["circuit"])
        return max(1, normal_form(circuit).depth, circuit.number_bits)

    def truth(self, data: Any, text: str) -> str:
        self.match(text)
        return str(circuit_of(data["circuit"]).value(data["input"]))

    def sample_of(
        self, circuit: Circuit, bits: Sequence[int], protocol: str = CircuitPointer.name, name: str | None = None
    ) -> Sample:
        """The question about a circuit and an input of your own, for one of the two debates.
        Raises UsageError on another protocol, and on an input or a circuit that it does not take."""
        if protocol not in _GAMES:
            raise UsageError(f"task {self.name} is played by {' and '.join(_GAMES)}, not by {protocol}")
        data = {"circuit": circuit.data(), "input": list(bits)}
        question = Question(
            ASKED, self.either, data=data, about=self.about, size=self.declared(data), unit="bits", id=name
        )
        _GAMES[protocol]().roles(question)
        return Sample(question, question.choices.index(self.truth(data, ASKED)), self.name)

    def read(self, path: Path, text: str | None, protocol: str) -> Sample:
        """The question about a circuit in a BENCH or AIGER file; text: the output and the input, as in "22(10110)", or
        "(10110)" where there is one output."""
        netlist = read_netlist(path)
        call = _CALL.fullmatch((text or "").strip())
        if call is None:
            form = f"OUTPUT(BITS), one bit for each of {len(netlist.inputs)} inputs in the order of the file"
            raise UsageError(f"{path}: which output, on which input? write it as {form}, not {text!r}")
        if len(call[2]) != len(netlist.inputs):
            raise UsageError(f"{path} has {len(netlist.inputs)} inputs, and {call[2]!r} has {len(call[2])} bits")
        circuit = netlist.circuit(call[1].strip() or None)
        return self.sample_of(circuit, [int(bit) for bit in call[2]], protocol, path.name)

    def after(self, request: Request) -> Iterator[tuple[Move, str]]:
        """The moves worth thinking of, each with the answer that optimal play leads to after it. Of lists of values: the
        right one, and some that are wrong from one gate on, which lose to an opponent that looks at every gate."""
        data: Any = request.view.question.data
        circuit, bits = circuit_of(data["circuit"]), data["input"]
        if Descend in request.kinds:
            form = normal_form(circuit)
            _, first, second = form.nodes[request.brief["details"]["node"]]
            values = form.values(bits)
            yield Descend(which="first"), str(values[first])
            yield Descend(which="second"), str(values[second])
        elif GateValues in request.kinds:
            right = circuit.values(bits)
            answer = str((*bits, *right)[circuit.output])
            yield GateValues(values=right), answer
            if answer == ZERO:
                for gate in range(circuit.output - circuit.inputs, -1, -max(1, circuit.size // LIES)):
                    values = circuit.values(bits, flipped=gate)
                    if values[circuit.output - circuit.inputs]:
                        yield GateValues(values=values), ZERO
        else:
            (said,) = request.view
            assert isinstance(said.move, GateValues)
            nodes = (*bits, *said.move.values)
            for gate, (kind, *taken) in enumerate(circuit.gates):
                follows = said.move.values[gate] == applied(kind, *(nodes[node] for node in taken))
                yield GateNumber(gate=gate), ONE if follows else ZERO
