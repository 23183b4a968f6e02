"""The AIGER formats for and-inverter graphs, ASCII and binary (Biere 2007, The AIGER And-Inverter Graph Format)."""

from __future__ import annotations

from typing import NoReturn

from moot.protocols.engine.errors import UsageError
from moot.tasks.circuits.netlist import Netlist

MOST_INPUTS = 1_000_000


def parse_aiger(content: bytes, name: str = "AIGER file") -> Netlist:
    """The netlist in the bytes of an AIGER file, "aag" or "aig"; `name` is what errors call it.

    Signals are named by their literals, "6" for variable 3 and "7" for its negation. Inputs stay in their order;
    outputs are called by their symbols, or o0, o1, … by their place. Raises UsageError, which names the line, on a file
    that breaks the format, and on one with latches or the properties of AIGER 1.9."""
    return _Reader(content, name).read()


class _Reader:
    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name, self.at, self.line, self.most = content, name, 0, 0, 0
        self.packing = False  # in a binary file from its gates on, where there are no lines to name
        self.gates: dict[str, tuple[str, ...]] = {}
        self.lines: dict[str, int] = {}

    def fail(self, problem: str) -> NoReturn:
        place = f"byte {min(self.at, len(self.content))}" if self.packing else f"line {self.line}"
        raise UsageError(f"{self.name}, {place}: {problem}")

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
        found = Netlist(tuple(taken), dict(zip(names, given, strict=True)), self.gates, self.lines, self.name)
        for _ in found.ordered(*self.gates, *given):
            pass
        return found

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
        if str(literal) in self.lines:
            self.fail(f"variable {literal} is defined already, in line {self.lines[str(literal)]}")
        self.lines[str(literal)] = self.line
        return str(literal)

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
