"""The BENCH format of the ISCAS benchmarks (Brglez and Fujiwara 1985; with flip-flops, Brglez, Bryan and Kozminski 1989)."""

from __future__ import annotations

import re
from typing import NoReturn

from moot.protocols.engine.errors import UsageError
from moot.tasks.circuits.netlist import WIDE, Netlist

_NAME = r"[^\s(),=#]+"
_PORT = re.compile(rf"(INPUT|OUTPUT)\s*\(\s*({_NAME})\s*\)", re.IGNORECASE)
_GATE = re.compile(rf"({_NAME})\s*=\s*(\w+)\s*\(([^()=]*)\)")
_FIXED = re.compile(rf"({_NAME})\s*=\s*(vdd|vcc|gnd)", re.IGNORECASE)
_SINGLE = {"NOT": "NOT", "INV": "NOT", "BUF": "BUF", "BUFF": "BUF"}
_MEMORY = ("DFF", "DFFSR", "LATCH")


def parse_bench(text: str, name: str = "BENCH text") -> Netlist:
    """The netlist that `text` writes; `name` is what errors call it.

    A line is INPUT(a), OUTPUT(f), or f = NAND(a, b), in any order; kinds are written in capitals or not. What follows a
    "#" is a comment. f = vdd and f = gnd are constants, as ABC writes them. Raises UsageError, which names the line, on
    anything else, on a flip-flop, and on a signal that is defined twice, nowhere, or by itself."""
    return _Reader(name).read(text)


class _Reader:
    def __init__(self, name: str) -> None:
        self.name, self.line = name, 0
        self.inputs: list[str] = []
        self.outputs: dict[str, str] = {}
        self.gates: dict[str, tuple[str, ...]] = {}
        self.lines: dict[str, int] = {}
        self.asked: dict[str, int] = {}

    def fail(self, problem: str) -> NoReturn:
        raise UsageError(f"{self.name}, line {self.line}: {problem}")

    def read(self, text: str) -> Netlist:
        for self.line, line in enumerate(text.splitlines(), start=1):
            if words := line.partition("#")[0].strip():
                self.statement(words)
        if not self.outputs:
            raise UsageError(f"{self.name}: there is no OUTPUT(…); a circuit file names one or more")
        for signal, asked in self.asked.items():
            if signal not in self.lines:
                self.line = asked
                self.fail(f"output {signal!r} is nowhere defined")
        found = Netlist(tuple(self.inputs), self.outputs, self.gates, self.lines, self.name)
        for _ in found.ordered(*self.gates):
            pass
        return found

    def statement(self, words: str) -> None:
        if port := _PORT.fullmatch(words):
            signal = port[2]
            if port[1].upper() == "INPUT":
                self.define(signal)
                self.inputs.append(signal)
            elif signal in self.outputs:
                self.fail(f"output {signal!r} is named twice")
            else:
                self.outputs[signal], self.asked[signal] = signal, self.line
        elif fixed := _FIXED.fullmatch(words):
            self.define(fixed[1])
            self.gates[fixed[1]] = ("FALSE" if fixed[2].lower() == "gnd" else "TRUE",)
        elif gate := _GATE.fullmatch(words):
            self.define(gate[1])
            self.gates[gate[1]] = self.gate(gate[2], [taken.strip() for taken in gate[3].split(",")])
        else:
            self.fail(f"expected INPUT(a), OUTPUT(f) or f = NAND(a, b), found {words[:60]!r}")

    def define(self, signal: str) -> None:
        if signal in self.lines:
            self.fail(f"signal {signal!r} is defined already, in line {self.lines[signal]}")
        self.lines[signal] = self.line

    def gate(self, kind: str, taken: list[str]) -> tuple[str, ...]:
        wanted = kind.upper()
        if wanted in _MEMORY:
            self.fail(f"{kind} keeps a state; only combinational circuits have values: cut it out, its output an input")
        if wanted not in WIDE and wanted not in _SINGLE:
            self.fail(f"{kind!r} is no gate; there are {', '.join([*WIDE, *_SINGLE])}")
        if not all(re.fullmatch(_NAME, signal) for signal in taken):
            self.fail(f"{kind}({', '.join(taken)[:60]}): expected the names of signals with a comma between each two")
        if wanted in _SINGLE and len(taken) != 1:
            self.fail(f"{kind} takes one signal, not {len(taken)}")
        return (_SINGLE.get(wanted, wanted), *taken)
