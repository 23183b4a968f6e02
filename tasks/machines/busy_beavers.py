"""Small Turing machines on a blank tape: all that have two states, and those that run longest before they halt.
Rule: machines and their runs, as instances of the task `halting`; no judge and no protocol.

How long a machine of n states can run before it halts, S(n), grows faster than any computable function (Radó 1962, On
non-computable functions). S(1) to S(4) are 1, 6, 21 and 107 steps (Radó 1962; Lin and Radó 1965; Brady 1983)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample
from moot.tasks.machines.halting import Halting
from moot.tasks.machines.turing_machines import BLANK

LONGEST = {1: 1, 2: 6, 3: 21, 4: 107}
"""S(n): the most steps after which a machine of n states and two symbols halts on a blank tape."""
MOST_ONES = {1: 1, 2: 4, 3: 6, 4: 13}
"""The most ones that such a machine leaves behind."""
CHAMPIONS = {
    1: ("1RH---",),
    2: ("1RB1LB_1LA1RH",),
    3: ("1RB1RH_1LB0RC_1LC1LA", "1RB1RH_0RC1RB_1LC1LA"),
    4: ("1RB1LB_1LA0LC_1RH1LD_1RD0RA",),
}
"""By number of states: a machine that runs longest, then one that leaves most ones where that is another."""

_STATES, _SYMBOLS = "ABCDEFG", (BLANK, "1")
Rows = Mapping[tuple[int, int], tuple[int, int, int | None]]
"""By state and symbol: the symbol to write, the move (-1 or 1), and the next state (None: halted)."""


class Machine(NamedTuple):
    """A machine as text, after how many steps it halts on a blank tape, and how many ones are then on it; None, None when
    it does not within the steps that were looked at."""

    text: str
    steps: int | None
    ones: int | None


def rows_of(text: str) -> dict[tuple[int, int], tuple[int, int, int | None]]:
    """The rows of a machine in the usual short form: "1RB1LB_1LA1RH" has for each state what it does on 0 and on 1: the
    symbol written, the move, the next state, H for halted; "---" for a row that is left out. UsageError on another form."""
    rows: dict[tuple[int, int], tuple[int, int, int | None]] = {}
    names = _STATES[: text.count("_") + 1]
    for state, both in enumerate(text.split("_")):
        for symbol, row in enumerate((both[:3], both[3:])):
            if row == "---":
                continue
            if len(row) != 3 or row[0] not in "01" or row[1] not in "LR" or row[2] not in names + "H":
                raise UsageError(f"{text!r} is no machine: {row!r} is no row; write 1RB1LB_1LA1RH, --- for no row")
            rows[state, symbol] = (
                int(row[0]),
                1 if row[1] == "R" else -1,
                None if row[2] == "H" else names.index(row[2]),
            )
    return rows


def run_of(rows: Rows, most: int) -> tuple[int, int, tuple[int, int] | None]:
    """Steps and ones when a machine halts on a blank tape, or comes to a row that it does not have, which is then given;
    or after `most` steps, which is one more than it may take to halt."""
    tape: dict[int, int] = {}
    at, steps, state = 0, 0, 0
    while steps < most:
        under = state, tape.get(at, 0)
        if under not in rows:
            return steps, sum(tape.values()), under
        tape[at], move, after = rows[under]
        at, steps = at + move, steps + 1
        if after is None:
            break
        state = after
    return steps, sum(tape.values()), None


def machines(states: int, most: int | None = None) -> Iterator[Machine]:
    """Every machine of so many states and two symbols in normal form: its first step goes to the right, states are named in
    the order in which it enters them, and rows that it never comes to are left out. The run of any machine on a blank
    tape is that of one of these, but for left and right and the names of states. A row is added where a run needs it, which
    halts, or goes on in every way (Brady 1983). most: how many steps are looked at; S(states), after which none halts."""
    limit = LONGEST[states] if most is None else most
    todo: list[Rows] = [{}]
    while todo:
        rows = todo.pop()
        steps, ones, missing = run_of(rows, limit + 1)
        if missing is None:
            yield Machine(_written(rows, states), None, None)
            continue
        if steps < limit:
            halted = {**rows, missing: (1, 1, None)}
            yield Machine(_written(halted, states), *run_of(halted, limit + 1)[:2])
        entered = {0, *(after for _, _, after in rows.values() if after is not None)}
        ways = [(symbol, move) for symbol in (0, 1) for move in ((-1, 1) if rows else (1,))]
        todo += [{**rows, missing: (*way, after)} for way in ways for after in range(min(states, len(entered) + 1))]


def _written(rows: Rows, states: int) -> str:
    def row(state: int, symbol: int) -> str:
        if (state, symbol) not in rows:
            return "---"
        written, move, after = rows[state, symbol]
        return f"{written}{'R' if move > 0 else 'L'}{'H' if after is None else _STATES[after]}"

    return "_".join(row(state, 0) + row(state, 1) for state in range(states))


def data_of(text: str) -> dict[str, Any]:
    """The machine as data of the task `halting`, 0 being the blank: each step changes the colour, a to b and b to a, so
    that the colour in which it halts says whether its steps are even or odd, and rests on every one of them."""
    delta: dict[str, list[Any]] = {}
    for (state, symbol), (written, move, after) in rows_of(text).items():
        for colour, other in ("ab", "ba"):
            name = "H" if after is None else _STATES[after]
            delta[f"{_STATES[state]}-{colour},{_SYMBOLS[symbol]}"] = [f"{name}-{other}", _SYMBOLS[written], move]
    return {"start": "A-a", "length": 1, "input": [BLANK], "halted": {"H-a": "a", "H-b": "b"}, "delta": delta}


def sample_of(text: str) -> Sample:
    """In which colour does this machine halt? UsageError when it does not, or not within the steps that `halting` looks at."""
    return Halting().pose(data_of(text), "run", Random(text))


def open_sample_of(text: str) -> Sample:
    """The same question about a machine that never halts. No answer is the true one, and nothing says which one is wrong."""
    task, data = Halting(), data_of(text)
    asked = Question("run", ("a", "b"), data=data, about=task.about, size=task.declared(data), unit=task.unit)
    return Sample(asked, None, task.name)


def halting_samples(states: int = 2) -> Iterator[Sample]:
    """The questions about every machine of so many states that halts on a blank tape, in normal form."""
    return (sample_of(machine.text) for machine in machines(states) if machine.steps is not None)


def champion_samples(most: int = max(CHAMPIONS)) -> Iterator[Sample]:
    """The questions about the champions of up to `most` states: n is about 4 to a state, and their steps are S(n)."""
    return (sample_of(text) for states in range(1, most + 1) for text in CHAMPIONS[states])


def open_samples(states: int = 2) -> Iterator[Sample]:
    """The questions about every machine of so many states that never halts on a blank tape, in normal form."""
    return (open_sample_of(machine.text) for machine in machines(states) if machine.steps is None)
