"""Cells of a Turing machine's tableau: an EXP task whose questions stay short while the run is exponentially long.
Rule: the task and its published form; machines are run in `turing_machines.py`.

Hubinger 2020 (Weak HCH accesses EXP) shows with it that a judge who asks for single cells, one time step earlier each,
can decide any language in EXP."""

import re
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.question import Question
from moot.tasks.base import Task
from moot.tasks.family import entries, whole
from moot.tasks.machines.turing_machines import BLANK, row_of, runs
from moot.tasks.programs.play import Play

ACCEPT, REJECT = "accept", "reject"
SYMBOLS = ("0", "1", BLANK)


def _amplified(question: Question) -> dict[str, Any]:
    """As many questions as any machine leads to within the time."""
    data: Any = question.data
    return {"depth": None, "questions": (data["time"] + 2) ** 2 + 10}


class Tableau(Task):
    """A random Turing machine, an input word, and a bound t on its time: does it accept within t steps?

    An instance asked for at size t has a machine of 2 to 4 states besides the halting ones, and a word as long as t has
    bits. The declared n is the bits of t plus the length of the word, so that t is exponential in n.

    Offsets count from the head. When step i moved the head by h, offset j after it is offset j + h before it; of those
    cells step i changed the one at 0 only, and its content is then the symbol that was written."""

    name: ClassVar[str] = "tableau"
    complexity_class: ClassVar[str] = "EXP"
    about: ClassVar[str] = (
        "The data is a Turing machine. In its table, the row of 'state,symbol' says which state follows, which symbol is "
        "written, and by how much the head moves (-1, 0 or 1). The input lies on the tape from position 0, where the head "
        "begins; all else is blank (_). p asks whether the machine is in state accept after `time` steps: yes or no. p:i "
        "asks for the state and the symbol under the head after i steps, as in q2,1. p:i:j asks for the symbol j cells to "
        "the right of the head after i steps (to the left when j is negative)."
    )
    notation = re.compile(r"p(?::(0|[1-9]\d{0,99})(?::(0|-?[1-9]\d{0,99}))?)?", re.ASCII)
    example = "p, p:7 or p:7:-2"
    reads: ClassVar[str] = "6"
    largest = 2000
    plays = {protocol: Play(options=_amplified) for protocol in ("amplify", "amplify-strong")}
    source: ClassVar[str] = "Hubinger 2020, Weak HCH accesses EXP"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        states = [f"q{number}" for number in range(random.randint(2, 4))]
        ends = [ACCEPT, REJECT]
        delta: dict[str, list[Any]] = {f"{end},{symbol}": [end, symbol, 0] for end in ends for symbol in SYMBOLS}
        for state in states:
            for symbol in SYMBOLS:
                halts = random.random() < 0.1
                after = random.choice(ends if halts else states)
                delta[f"{state},{symbol}"] = [after, random.choice(SYMBOLS), random.choice([-1, 0, 1])]
        word = [random.choice("01") for _ in range(size.bit_length())]
        return {"start": "q0", "time": size, "length": len(word), "input": word, "delta": delta}

    def count(self, data: Any) -> int:
        return whole(data["time"]).bit_length() + entries(data["input"])

    def ask(self, data: Any, random: Random) -> str:
        return "p"

    def truth(self, data: Any, text: str) -> str:
        step, offset = self.cell(text)
        if step is None:
            state, _, _ = next(islice(runs(data), data["time"], None))
            return "yes" if state == ACCEPT else "no"
        if step > data["time"]:
            raise UsageError(f"{text!r} goes beyond the {data['time']} steps of this instance")
        state, tape, head = next(islice(runs(data), step, None))
        return f"{state},{tape.get(head, BLANK)}" if offset is None else tape.get(head + offset, BLANK)

    def wrong(self, data: Any, text: str, random: Random) -> str:
        true, (step, offset) = self.truth(data, text), self.cell(text)
        if step is None:
            return self.other(true)
        return random.choice([other for other in (SYMBOLS if offset is not None else data["delta"]) if other != true])

    def rule(self, text: str, look: Look) -> Rule:
        step, offset = self.cell(text)
        if step is None:
            (last,) = yield (f"p:{look('time')}",)
            return UNKNOWN if row_of(look, last) is None else "yes" if last.split(",")[0] == ACCEPT else "no"
        if step == 0:
            place = offset or 0
            symbol = look("input", place) if 0 <= place < look("length") else BLANK
            return f"{look('start')},{symbol}" if offset is None else symbol
        before = f"p:{step - 1}"
        under, *sides = yield (before, f"{before}:-1", f"{before}:1") if offset is None else (before,)
        row = row_of(look, under)
        if row is None:
            return UNKNOWN
        state, written, move = row
        if offset is None:
            symbol = (written, sides[1], sides[0])[move]
            return UNKNOWN if symbol == UNKNOWN else f"{state},{symbol}"
        if offset + move == 0:
            return self.left_behind(under, written)
        (symbol,) = yield (f"{before}:{offset + move}",)
        return symbol

    def left_behind(self, under: str, written: str) -> str:
        """The symbol in the cell that the head was on, after a step from `under` ("state,symbol") that wrote `written`."""
        return written

    def questions(self, data: Any) -> Iterator[str]:
        """p and the (t + 1)^2 questions that p:t leads to over all machines; one machine leads to some of them."""
        time = data["time"]
        yield "p"
        for step in range(time, -1, -1):
            yield f"p:{step}"
            for offset in range(1, time - step + 1):
                yield f"p:{step}:{-offset}"
                yield f"p:{step}:{offset}"

    def cell(self, text: str) -> tuple[int | None, int | None]:
        """The step and the offset that a question is about, None where it names none. UsageError when it is no question."""
        found = self.match(text)
        return None if found[1] is None else int(found[1]), None if found[2] is None else int(found[2])


class TableauPublished(Tableau):
    """The rule to the letter of the post: the cell that the head left holds the symbol read there, not the one written.
    Kept to show the mistake: the rule contradicts the true answers of some machines."""

    name: ClassVar[str] = "tableau-published"

    def left_behind(self, under: str, written: str) -> str:
        return under.split(",")[1]
