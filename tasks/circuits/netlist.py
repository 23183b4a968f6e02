"""Combinational netlists with named signals, as circuit files hold them, and the circuits of fan-in two made of them.
Rule: signals and gates; no file format is known here, those are in `files.py`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from moot.protocols.engine.errors import UsageError
from moot.protocols.games.boolean_circuit import Circuit, Gate

WIDE = {"AND": "AND", "OR": "OR", "XOR": "XOR", "NAND": "AND", "NOR": "OR", "XNOR": "XOR"}
"""Gates that take one signal or more, each with the gate whose value, or its negation, it gives."""


@dataclass(frozen=True, slots=True)
class Netlist:
    """Signals by name, each an input or the output of a gate. inputs: in the order in which the bits of an input are given.
    outputs: name to signal. gates: signal to kind and the signals that it takes; those in `WIDE` take one or more.
    lines, name: where each signal is defined, and what the netlist is called, for errors."""

    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    gates: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, int] = field(default_factory=dict)
    name: str = "netlist"

    def circuit(self, output: str | None = None) -> Circuit:
        """The circuit of one output: the gates that it depends on, of fan-in two, and all inputs.
        A gate with k > 2 inputs becomes a balanced tree of k − 1 gates, one with a single input a BUF or a NOT. output:
        its name; None where there is only one. Raises UsageError when there is no such output."""
        if output is None and len(self.outputs) != 1:
            raise UsageError(f"{self.name}: which output? name one of {_some(self.outputs)}")
        output = next(iter(self.outputs)) if output is None else output
        if output not in self.outputs:
            raise UsageError(f"{self.name}: no output is called {output!r}; there are {_some(self.outputs)}")
        numbers = {signal: number for number, signal in enumerate(self.inputs)}
        made: list[Gate] = []

        def gate(kind: str, *taken: int) -> int:
            made.append((kind, *taken))
            return len(self.inputs) + len(made) - 1

        for signal in self.ordered(self.outputs[output]):
            if signal in numbers:
                continue
            kind, *names = self.gates[signal]
            taken = [numbers[name] for name in names]
            if kind not in WIDE:
                numbers[signal] = gate(kind, *taken)
            elif len(taken) == 1:
                numbers[signal] = gate("BUF" if kind in ("AND", "OR", "XOR") else "NOT", *taken)
            else:
                while len(taken) > 2:  # neighbours in pairs, level by level
                    taken = [gate(WIDE[kind], *taken[i : i + 2]) if i + 1 < len(taken) else taken[i]
                             for i in range(0, len(taken), 2)]  # fmt: skip
                numbers[signal] = gate(kind, *taken)
        return Circuit(len(self.inputs), tuple(made), numbers[self.outputs[output]])

    def ordered(self, *roots: str) -> Iterator[str]:
        """The signals that these depend on, and they themselves, each after those that it takes. UsageError on one that is
        nowhere defined, and on those that wait for each other."""
        done, inputs, waiting = set[str](), set(self.inputs), dict[str, None]()
        todo = [(root, False) for root in reversed(roots)]
        while todo:
            signal, ready = todo.pop()
            if ready:
                del waiting[signal]
                done.add(signal)
                yield signal
            elif signal in waiting:
                circle = _some([*list(waiting)[list(waiting).index(signal) :], signal], " <- ")
                why = f"signal {signal!r} depends on itself, through {circle}; only combinational circuits have values"
                raise UsageError(self._where(signal) + why)
            elif signal not in done:
                if signal not in inputs and signal not in self.gates:
                    user = next((name for name, gate in self.gates.items() if signal in gate[1:]), signal)
                    raise UsageError(f"{self._where(user)}signal {signal!r} is used and nowhere defined")
                waiting[signal] = None
                todo.append((signal, True))
                if signal not in inputs:
                    todo += [(name, False) for name in reversed(self.gates[signal][1:])]

    def _where(self, signal: str) -> str:
        line = self.lines.get(signal)
        return f"{self.name}, line {line}: " if line else f"{self.name}: "


def _some(names: Mapping[str, str] | list[str], between: str = ", ", most: int = 12) -> str:
    listed = list(names)
    return between.join(listed if len(listed) <= most else [*listed[: most - 1], "…", listed[-1]]) or "none"
