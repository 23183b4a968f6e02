"""Circuit files: AIGER, ASCII and binary (Biere 2007, The AIGER And-Inverter Graph Format), and BENCH, the format of the
ISCAS benchmarks (Brglez and Fujiwara 1985; with flip-flops, Brglez, Bryan and Kozminski 1989).

Rule of this file: text and bytes become netlists here, with errors that name the line; what a circuit gives is elsewhere."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from moot.protocols.engine.errors import UsageError
from moot.tasks.circuits.netlist import WIDE, Netlist
from moot.tasks.extras import content_of, decoded

_NAME = r"[^\s(),=#]+"
_PORT = re.compile(rf"(INPUT|OUTPUT)\s*\(\s*({_NAME})\s*\)", re.IGNORECASE)
_GATE = re.compile(rf"({_NAME})\s*=\s*(\w+)\s*\(([^()=]*)\)")
_FIXED = re.compile(rf"({_NAME})\s*=\s*(vdd|vcc|gnd)", re.IGNORECASE)
_SINGLE = {"NOT": "NOT", "INV": "NOT", "BUF": "BUF", "BUFF": "BUF"}
_MEMORY = ("DFF", "DFFSR", "LATCH")
MOST_INPUTS = 1_000_000


def read_netlist(path: str | Path) -> Netlist:
    """The netlist in a file: AIGER, ASCII or binary, which begins with "aag" or "aig" and a number, or else BENCH.
    Raises UsageError, which names file and line, on a file that cannot be read or is in none of these formats."""
    content = content_of(path)
    if re.match(rb"a[ai]g\s+\d", content):
        return parse_aiger(content, str(path))
    return parse_bench(decoded(content, path, "neither AIGER nor text {}; a circuit file is BENCH or AIGER"), str(path))


class _Reader:
    """What both readers share: the gates so far, the line where each signal is defined, and where reading is."""

    def __init__(self, name: str) -> None:
        self.name, self.line = name, 0
        self.gates: dict[str, tuple[str, ...]] = {}
        self.lines: dict[str, int] = {}

    def place(self) -> str:
        return f"line {self.line}"

    def fail(self, problem: str) -> NoReturn:
        raise UsageError(f"{self.name}, {self.place()}: {problem}")

    def define(self, kind: str, signal: str, shown: str) -> str:
        if signal in self.lines:
            self.fail(f"{kind} {shown} is defined already, in line {self.lines[signal]}")
        self.lines[signal] = self.line
        return signal

    def netlist(self, inputs: Sequence[str], outputs: Mapping[str, str]) -> Netlist:
        """What was read, with every signal defined and none that waits for itself."""
        found = Netlist(tuple(inputs), outputs, self.gates, self.lines, self.name)
        for _ in found.ordered(*self.gates, *outputs.values()):
            pass
        return found


# -- AIGER -------------------------------------------------------------------------------------------------------------


def parse_aiger(content: bytes, name: str = "AIGER file") -> Netlist:
    """The netlist in the bytes of an AIGER file; `name` is what errors call it. Signals are named by their literals, "6" for
    variable 3 and "7" for its negation; outputs by their symbols, or o0, o1, … by their place. UsageError, which names
    the line, on a file that breaks the format, and on one with latches or the properties of AIGER 1.9."""
    return _Aiger(content, name).read()


class _Aiger(_Reader):
    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(name)
        self.content, self.at, self.most = content, 0, 0
        self.packing = False  # in a binary file from its gates on, where there are no lines to name

    def place(self) -> str:
        return f"byte {min(self.at, len(self.content))}" if self.packing else super().place()

    def read(self) -> Netlist:
        inputs, outputs, ands, binary = self.header()
        taken = [self.defined(2 * i + 2 if binary else self.numbers(1, "an input")[0]) for i in range(inputs)]
        given = [self.literal(self.numbers(1, "an output")[0]) for _ in range(outputs)]
        self.packing = binary
        for index in range(ands):
            left, *right = self.packed(2 * (inputs + index + 1)) if binary else self.numbers(3, "an AND gate")
            self.gates[self.defined(left)] = ("AND", *map(self.literal, right))
        named = self.symbols({"i": inputs, "o": outputs})
        names = [named.get(f"o{place}", f"o{place}") for place in range(outputs)]
        if len(set(names)) < len(names):
            names = [f"o{place}" for place in range(outputs)]
        return self.netlist(taken, dict(zip(names, given, strict=True)))

    def header(self) -> tuple[int, int, int, bool]:
        """How many inputs, outputs and gates there are, and whether they are binary."""
        words = self.text().split()
        if len(words) < 6 or words[0] not in ("aag", "aig"):
            self.fail(f"the header is 'aag M I L O A' or 'aig M I L O A', not {' '.join(words)[:60]!r}")
        counts = [self.number(word) for word in words[1:]]
        self.most, inputs, latches, outputs, ands = counts[:5]
        if latches:
            self.fail(f"{latches} latches keep a state; only combinational circuits have values: L must be 0")
        if any(counts[5:]):
            self.fail("the properties B, C, J and F of AIGER 1.9 speak of sequences; only outputs are read here")
        if self.most < inputs + ands or (words[0] == "aig" and self.most != inputs + ands):
            self.fail(f"the header announces {inputs} inputs and {ands} gates, and {self.most} variables")
        if words[0] == "aig" and inputs > MOST_INPUTS:  # they take no room in the file, and would in memory
            self.fail(f"{inputs} inputs are more than are read here, {MOST_INPUTS}")
        if not outputs:
            self.fail("there is no output; a circuit file has one or more")
        return inputs, outputs, ands, words[0] == "aig"

    def text(self) -> str:
        """The next line."""
        self.line += 1
        if self.at >= len(self.content):
            self.fail("the file ends here, before all that its header announces")
        end = self.content.find(b"\n", self.at)
        end = len(self.content) if end < 0 else end
        line, self.at = self.content[self.at : end], end + 1
        return line.decode("utf-8", "replace").rstrip("\r")

    def numbers(self, count: int, what: str) -> list[int]:
        words = self.text().split()
        if len(words) != count:
            self.fail(f"{what} is {count} literal{'s' if count > 1 else ''} in a line, not {' '.join(words)[:60]!r}")
        return [self.number(word) for word in words]

    def number(self, word: str) -> int:
        if not (word.isascii() and word.isdigit() and len(word) <= 10):
            self.fail(f"expected a number, found {word[:20]!r}")
        return int(word)

    def packed(self, left: int) -> tuple[int, int, int]:
        """A binary AND gate: the differences of its three literals, which fall, seven bits to a byte."""
        first = left - self.difference()
        second = first - self.difference()
        if not left > first >= second >= 0:
            self.fail(f"gate {left} takes the literals {first} and {second}; they must fall, and be 0 or more")
        return left, first, second

    def difference(self) -> int:
        value = shift = 0
        while self.at < len(self.content) and shift < 35:
            byte = self.content[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
        self.fail("the binary gates end in the middle of a number")

    def defined(self, literal: int) -> str:
        """The signal of a variable that this line defines."""
        if literal % 2 or not 2 <= literal <= 2 * self.most + 1:
            self.fail(f"{literal} defines no variable; those are the even literals 2 to {2 * self.most}")
        return self.define("variable", str(literal), str(literal))

    def literal(self, literal: int) -> str:
        """The signal of a literal that is used: a constant, a variable, or a NOT gate that is made here."""
        if literal > 2 * self.most + 1:
            self.fail(f"the literal {literal} is beyond the {self.most} variables of the header")
        if literal < 2:
            self.gates[str(literal)] = ("TRUE" if literal else "FALSE",)
        elif literal % 2:
            self.gates[str(literal)] = ("NOT", str(literal - 1))
            self.lines.setdefault(str(literal), self.line)
        return str(literal)

    def symbols(self, counts: dict[str, int]) -> dict[str, str]:
        """The symbol table: "o0" to the name of output 0. It ends at a line "c", after which all is comment."""
        names: dict[str, str] = {}
        while self.at < len(self.content):
            line = self.text()
            if line == "c":
                break
            place, _, symbol = line.partition(" ")
            if place[:1] not in counts or not (place[1:].isascii() and place[1:].isdigit()) or not symbol:
                self.fail(f"expected a symbol, as in 'o0 sum', or the line 'c' before comments, found {line[:60]!r}")
            if int(place[1:]) >= counts[place[0]]:
                self.fail(f"the symbol of {place} is of no input or output; there are {counts[place[0]]}")
            if place in names:
                self.fail(f"{place} has a symbol already, {names[place]!r}")
            names[place] = symbol
        return names


# -- BENCH -------------------------------------------------------------------------------------------------------------


def parse_bench(text: str, name: str = "BENCH text") -> Netlist:
    """The netlist that `text` writes; `name` is what errors call it. A line is INPUT(a), OUTPUT(f), or f = NAND(a, b), in any
    order and case; "#" begins a comment; f = vdd and f = gnd are constants, as ABC writes them. UsageError, which names
    the line, on anything else, on a flip-flop, and on a signal that is defined twice, nowhere, or by itself."""
    return _Bench(name).read(text)


class _Bench(_Reader):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.inputs: list[str] = []
        self.outputs: dict[str, int] = {}  # each with its line

    def read(self, text: str) -> Netlist:
        for self.line, line in enumerate(text.splitlines(), start=1):
            if words := line.partition("#")[0].strip():
                self.statement(words)
        if not self.outputs:
            raise UsageError(f"{self.name}: there is no OUTPUT(…); a circuit file names one or more")
        for signal, asked in self.outputs.items():
            if signal not in self.lines:
                self.line = asked
                self.fail(f"output {signal!r} is nowhere defined")
        return self.netlist(self.inputs, {signal: signal for signal in self.outputs})

    def statement(self, words: str) -> None:
        if port := _PORT.fullmatch(words):
            signal = port[2]
            if port[1].upper() == "INPUT":
                self.inputs.append(self.signal(signal))
            elif signal in self.outputs:
                self.fail(f"output {signal!r} is named twice")
            else:
                self.outputs[signal] = self.line
        elif fixed := _FIXED.fullmatch(words):
            self.gates[self.signal(fixed[1])] = ("FALSE" if fixed[2].lower() == "gnd" else "TRUE",)
        elif gate := _GATE.fullmatch(words):
            self.gates[self.signal(gate[1])] = self.gate(gate[2], [taken.strip() for taken in gate[3].split(",")])
        else:
            self.fail(f"expected INPUT(a), OUTPUT(f) or f = NAND(a, b), found {words[:60]!r}")

    def signal(self, name: str) -> str:
        return self.define("signal", name, repr(name))

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
