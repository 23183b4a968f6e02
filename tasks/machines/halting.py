"""A Turing machine run to its end through pointers: a task in R, whose tape and running time nothing bounds beforehand.
Rule: one task; machines are run in `turing_machines.py`, and pointers are the protocols'.

The configuration is a stored message whose tape is two stacks of messages. A step opens two of them and writes two, so
that a judge who reads O(1) cells follows a run of any length on a tape of any size: strong HCH (Christiano 2016)."""

import re
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.pointers import pointers_in
from moot.tasks.base import Task
from moot.tasks.family import entries
from moot.tasks.machines.turing_machines import BLANK, row_of, runs

_RUN = re.compile(r"run &[0-9a-f]{12}", re.ASCII)
_CONFIGURATION = re.compile(r"(\S+) (&[0-9a-f]{12}) (\S+) (&[0-9a-f]{12})", re.ASCII)
_CELL = re.compile(r"(\S+) (&[0-9a-f]{12})", re.ASCII)
LONGEST = 30_000_000


class Halting(Task):
    """A machine that counts a binary number down, and the question in which colour it halts.

    The number has n bits, the first a 1, and lies left of a '#'. Each count takes 1 from it, walks to the right end of
    the tape, adds a mark '|' there and walks back, so that the tape grows to 2^n cells and the run to about 4^n steps;
    when nothing is left to take, it halts. Beside that every step changes a colour, by a random table."""

    name: ClassVar[str] = "halting"
    complexity_class: ClassVar[str] = "R"
    about: ClassVar[str] = (
        "The data is a Turing machine that halts. In its table, the row of 'state,symbol' says which state follows, which "
        "symbol is written, and by how much the head moves (-1 or 1); a state with no rows halts. The input lies on the "
        "tape from position 0, where the head begins; all else is blank (_). 'run' asks for the colour in which it halts, "
        "the letter at the end of the state's name. 'run &c' asks the same of a run that goes on from a configuration: the "
        "message &c holds state, stack of the cells to the left, symbol under the head, and stack of the cells to the "
        "right. A stack is a message: its nearest symbol and the rest of the stack, or nothing where all is blank."
    )
    reads: ClassVar[str] = "n + 6"
    source: ClassVar[str] = "Christiano 2016, Strong HCH; Hubinger 2020, Alignment proposals and complexity classes"
    messages = "pointers"
    example = "run"
    largest = 10
    counted = "bits of a number; a run has about 4^size steps"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        colours = "abc"
        delta: dict[str, list[str | int]] = {}
        for (phase, symbol), (after, written, move) in _COUNTING.items():
            for colour in colours:
                delta[f"{phase}-{colour},{symbol}"] = [f"{after}-{random.choice(colours)}", written, move]
        bits = ["1", *(random.choice("01") for _ in range(size - 1))]
        start, halted = f"seek-{random.choice(colours)}", {f"halt-{colour}": colour for colour in colours}
        return {"start": start, "length": size + 1, "input": [*bits, "#"], "halted": halted, "delta": delta}

    def count(self, data: Any) -> int:
        """The length of the machine's description: the rows of its table, and the cells of its input."""
        return len(data["delta"].keys()) + entries(data["input"])

    def truth(self, data: Any, text: str) -> str:
        if text != "run":
            known = "is known in a play only; outside of one the question is 'run'"
            raise UsageError(f"task {self.name}: what {text!r} points to {known}")
        for steps, (state, _, _) in enumerate(runs(data)):
            if state in data["halted"]:
                return str(data["halted"][state])
            if steps == LONGEST:
                break
        raise UsageError(f"task {self.name}: the machine did not halt within {LONGEST} steps; give one that halts")

    def wrong(self, data: Any, text: str, random: Random) -> str:
        colours: set[str] = {*data["halted"].values()}
        return random.choice(sorted(colours - {self.truth(data, text)}))

    def rule(self, text: str, look: Look) -> Rule:
        if text == "run":
            cells = [str(look("input", place)) for place in range(look("length"))]
            right = "".join(f"[{cell} " for cell in cells[1:]) + "[]" + "]" * len(cells[1:])
            (answer,) = yield (f"run [{look('start')} [] {cells[0]} {right}]",)
            return str(answer)
        if _RUN.fullmatch(text) is None:
            raise UsageError(f"{text!r} is no question about a run; write run, or run and a pointer to a configuration")
        (opened,) = yield pointers_in(text)[0]
        found = _CONFIGURATION.fullmatch(opened)
        if found is None:
            return UNKNOWN
        state, left, symbol, right = found.groups()
        row = row_of(look, f"{state},{symbol}")
        if row is None:  # the state halts, or the message that was opened made it up
            try:
                return str(look("halted", state))
            except (Illegal, LookupError):
                return UNKNOWN
        state, written, move = row
        (stack,) = yield left if move < 0 else right
        cell = _CELL.fullmatch(stack)
        if cell is None and stack:
            return UNKNOWN
        # Beyond the last message of a stack the tape is blank, and goes on so: its rest is empty again.
        symbol, rest = (cell[1], cell[2]) if cell else (BLANK, "[]")
        left, right = (rest, f"[{written} {right}]") if move < 0 else (f"[{written} {left}]", rest)
        (answer,) = yield (f"run [{state} {left} {symbol} {right}]",)
        return answer


# Phase and symbol under the head: the next phase, the symbol to write, and the move. `seek` walks to the '#', `take`
# takes 1 with its borrows, `out` walks to the end and adds a mark, `back` walks to the '#'.
_COUNTING = {
    ("seek", "0"): ("seek", "0", 1), ("seek", "1"): ("seek", "1", 1), ("seek", "#"): ("take", "#", -1),
    ("take", "0"): ("take", "1", -1), ("take", "1"): ("out", "0", 1), ("take", BLANK): ("halt", BLANK, 1),
    **{("out", symbol): ("out", symbol, 1) for symbol in "01#|"}, ("out", BLANK): ("back", "|", -1),
    ("back", "|"): ("back", "|", -1), ("back", "#"): ("take", "#", -1),
}  # fmt: skip
