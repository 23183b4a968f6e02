"""Turing machines as JSON values, and their direct simulation on a dict tape.
Rule: it runs machines and looks up their table; no question is asked here."""

from collections.abc import Iterator
from typing import Any

from moot.complexity.rules import Look
from moot.protocols.engine.errors import Illegal, UsageError

BLANK = "_"


def runs(data: Any) -> Iterator[tuple[str, dict[int, str], int]]:
    """State, tape and head's position after 0, 1, 2, … steps of the machine in `data`, without end; the tape is live.

    data: {"start": state, "input": [symbol, …], "delta": {"state,symbol": [state, symbol, move]}, …}; a move is -1, 0
    or 1, the input lies from position 0 on, and the head begins there. The tape is blank ("_") elsewhere. Whether a
    state halts is for the caller to know. Raises UsageError on a pair of state and symbol without a row."""
    tape = dict(enumerate(data["input"]))
    delta = data["delta"]
    state, head = data["start"], 0
    while True:
        yield state, tape, head
        under = f"{state},{tape.get(head, BLANK)}"
        if under not in delta:
            raise UsageError(f"the machine has no row for {under!r} in its table; add the row, or stop at that state")
        state, tape[head], move = delta[under]
        head += move


def row_of(look: Look, under: str) -> tuple[str, str, int] | None:
    """The table's row for "state,symbol"; None when the text, which somebody answered, names no row."""
    try:
        state, written, move = look("delta", under)
    except (Illegal, LookupError):
        return None
    return state, written, move
