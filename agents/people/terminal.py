"""A terminal that people sit at: one at a time, shown what others said as text that cannot steer it.

Rule of this file: it shows what a move says of itself, and knows no kind of move.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import anyio
import anyio.lowlevel

from moot.protocols.engine.moves import Move, Part

_locks: anyio.lowlevel.RunVar[anyio.Lock] = anyio.lowlevel.RunVar("moot_terminal")


def terminal() -> anyio.Lock:
    """The lock of the terminal: one person is asked at a time."""
    try:
        return _locks.get()
    except LookupError:
        lock = anyio.Lock()
        _locks.set(lock)
        return lock


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control characters other than line feed and tab are shown as escapes."""
    return "".join(c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_move(move: Move, choices: Sequence[str] = ()) -> str:
    """A move as a person is shown it, once it is `printable`: what it is to or takes, its probabilities, its words, and what became of its quotes."""
    move = move.as_public()
    short, beliefs = move.in_short(choices), " / ".join(f"{p:.0%}" for p in move.stated_probabilities())
    shown = " ".join(filter(None, [short and f"({short})", beliefs, move.in_words()]))
    quotes = [part for part in move.prompt_body() if isinstance(part, Part) and part.tag == "quote"]
    checked = [part for part in quotes if part.verified is not None]
    return shown + "".join(f"\n    {'✓' if p.verified else '✗ not in the passage:'} “{p.text}”" for p in checked)


def terminal_input(prompt: str) -> str:
    """One line that is typed."""
    return input(prompt)


def terminal_output(text: str) -> None:
    """Show a text at once."""
    print(text, file=sys.stdout, flush=True)
