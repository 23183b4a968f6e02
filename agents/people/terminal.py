"""The one place through which moot writes to a terminal and reads from one.

Rule of this file: strings in, strings out. No other file prints, asks, or takes hold of a standard stream, which a test
checks; and whatever is shown here can steer no terminal. The command line starts with this file: it imports little.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from moot.protocols.text import flat, visible

if TYPE_CHECKING:
    import anyio
    import anyio.lowlevel

CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Cursor home, the screen cleared, and what has scrolled out of it."""
LONG = 4000
"""Characters of a line that a terminal is given at most; what is longer goes on on the next line."""
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,40}m)")
_LONG = re.compile(f"[^\n]{{{LONG}}}(?=[^\n])")
_PLAIN = str.maketrans("█·─│├└“”✓✗—–…▏▎▍▌▋▊▉", '#.-|++""vx--.       ')
"""What stands for moot's own drawing where the terminal's encoding lacks it."""


def show(
    text: str, end: str = "\n", *, error: bool = False, line: bool = False, whole: bool = False, styled: bool = False
) -> None:  # fmt: skip
    """Show a text at once, with all that could steer a terminal written out.

    error: on stderr. line: on a single line. whole: lines of any length (JSON). styled: colours, and nothing else, pass.
    """
    stream: TextIO | None = sys.stderr if error else sys.stdout
    if stream is None:  # a process without a console
        return
    shown = "".join(part if i % 2 else visible(part) for i, part in enumerate(_COLOUR.split(text))) if styled else (
        flat(text) if line else visible(text)
    )  # fmt: skip
    if len(shown) > LONG and not (whole or styled) and is_terminal(error):
        shown = _LONG.sub(r"\g<0>\n", shown)
    bare: TextIO = getattr(stream, "unguarded", stream)
    bare.write(fitting(shown + end, bare))
    bare.flush()


def ask(prompt: str) -> str:
    """One line that is typed, after a prompt. What is typed is in no history that the next person could leaf through. Raises
    EOFError at the end of the input."""
    readline: Any = sys.modules.get("readline")
    remember = getattr(readline, "set_auto_history", None)
    if remember is not None:
        remember(False)
    try:
        typed = input(fitting(visible(prompt), sys.stdout))
    finally:
        if remember is not None:
            remember(True)
    return typed.encode("utf-8", "replace").decode()


def document(content: bytes) -> None:
    """A file on stdout: byte for byte, unless that is a terminal, where it is text like any other."""
    if is_terminal():
        show(content.decode("utf-8", "replace"), end="")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def warn(text: str, level: int = 2) -> None:
    """Warn whoever runs this process, by Python's own warnings. level: how many calls up what is warned of stands."""
    warnings.warn(flat(text), RuntimeWarning, level + 1)


def clear() -> None:
    """Leave nothing on the terminal, nor in what it scrolls back to."""
    if is_terminal():
        stream = getattr(sys.stdout, "unguarded", sys.stdout)
        stream.write(CLEAR)
        stream.flush()


def fitting(text: str, stream: Any) -> str:
    """`text` with what the encoding of the stream lacks written out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()


def is_terminal(error: bool = False) -> bool:
    """Whether stdout, or stderr, is a terminal."""
    stream: TextIO | None = sys.stderr if error else sys.stdout
    return stream is not None and stream.isatty()


def is_conversation() -> bool:
    """Whether somebody sits there: what is shown and what is typed are both at a terminal."""
    return is_terminal() and sys.stdin is not None and sys.stdin.isatty()


def coloured() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """The width to print at."""
    return min(120, shutil.get_terminal_size((100, 24)).columns)


class Guarded:
    """A standard stream on which whatever is written, by whom ever, can steer no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        self.unguarded.write(fitting(visible(text), self.unguarded))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


def guard() -> None:
    """Guard stdout and stderr of this process against what others write: usage errors, warnings, tracebacks, logs."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Guarded):
            setattr(sys, name, Guarded(stream))


class Table(NamedTuple):
    """A title, the heads of columns (those that begin with ">" are flush right), and rows."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@contextmanager
def drawn(table: Callable[[], Table]) -> Iterator[None]:
    """Draw a table on stderr, which is a terminal, again and again while the block runs; then take it away."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table as Drawn
    from rich.text import Text

    def now() -> Drawn:
        title, heads, rows = table()
        shown = Drawn(title=Text(flat(title)), title_justify="left", box=None, pad_edge=False)
        for head in heads:
            shown.add_column(head.removeprefix(">"), justify="right" if head[0] == ">" else "left", no_wrap=True)
        for row in rows:
            shown.add_row(*(Text(flat(cell)) for cell in row))
        return shown

    console = Console(file=getattr(sys.stderr, "unguarded", sys.stderr))
    with Live(get_renderable=now, console=console, refresh_per_second=4, transient=True):
        yield


_locks: list[anyio.lowlevel.RunVar[anyio.Lock]] = []


def turn() -> anyio.Lock:
    """The lock of the terminal: one person is asked at a time."""
    import anyio
    import anyio.lowlevel

    if not _locks:
        _locks.append(anyio.lowlevel.RunVar("moot_terminal"))
    try:
        return _locks[0].get()
    except LookupError:
        lock = anyio.Lock()
        _locks[0].set(lock)
        return lock
