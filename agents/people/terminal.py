"""A terminal that people sit at: one at a time, shown what others said as text that cannot steer it."""

from __future__ import annotations

import sys

import anyio
import anyio.lowlevel

from moot.protocols.amplification.moves import Open, Reply, Subquestions
from moot.protocols.engine.moves import Answer, Move, Quote, Speech, Verdict
from moot.protocols.trees.moves import Assertion

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


def shown_move(move: Move) -> str:
    """A move as one is shown it."""
    text = printable(move.content())
    if isinstance(move, Speech):
        return text + "".join(_mark(quote) for quote in move.quotes)
    if isinstance(move, Verdict):
        return f"{' / '.join(f'{p:.0%}' for p in move.probabilities)} {text}".rstrip()
    if isinstance(move, Answer):
        return f"answer {move.choice + 1} {text}".rstrip()
    if isinstance(move, Subquestions):
        return "asked" + "".join(f"\n  {i}. {printable(each)}" for i, each in enumerate(move.questions, 1))
    if isinstance(move, Reply):
        return f"{printable(move.of)} → {text}" if move.of else text
    if isinstance(move, Assertion) and move.to:
        return f"({move.label or 'under'}, to {move.to}) {text}"
    if isinstance(move, Open):
        return f"{move.pointer} holds: {text or '(nothing)'}"
    return text


def _mark(quote: Quote) -> str:
    if quote.verified is None:
        return ""
    return f"\n    {'✓' if quote.verified else '✗ not in the passage:'} “{printable(quote.text)}”"


def terminal_input(prompt: str) -> str:
    """One line that is typed."""
    return input(prompt)


def terminal_output(text: str) -> None:
    """Show a text at once."""
    print(text, file=sys.stdout, flush=True)
