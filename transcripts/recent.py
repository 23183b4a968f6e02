"""Lines of transcripts on disk that were just read or written, so that the next fold of the same one opens no file.

Rule of this file: how many lines are held, and whose; whether a file is still the one that they are of, its transcript asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Lock
from weakref import ref

MOST = 1 << 18
"""The most bytes of lines that are held of one transcript; of a longer one none are."""
MOST_IN_ALL = 1 << 24
"""The most bytes that are held in a process: the lines of those that were held first are let go, and read again where they are asked for."""


class Held:
    """Lines of one transcript, for as long as there is room for them: `lines` is None once they were let go. state: of its
    file (size, both times of change, inode) they are."""

    __slots__ = ("state", "lines", "__weakref__")

    def __init__(self, state: tuple[int, ...], lines: list[bytes]) -> None:
        self.state = state
        self.lines: list[bytes] | None = lines


_queue: deque[tuple[ref[Held], int]] = deque()
_lock = Lock()
_size = 0


def hold(state: tuple[int, ...], lines: list[bytes]) -> Held:
    """Hold these lines, of a file in this state, and let go of others where there is no room."""
    global _size
    held, size = Held(state, lines), sum(map(len, lines))
    with _lock:
        _queue.append((ref(held), size))
        _size += size
        while _queue and (_size > MOST_IN_ALL or _queue[0][0]() is None):  # or nobody has those any more
            whose, size = _queue.popleft()
            _size -= size
            if (other := whose()) is not None:
                other.lines = None
    return held


class Collected:
    """Lines as they pass, up to `MOST` bytes of them. Calling it adds one."""

    __slots__ = ("lines", "room")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.room = MOST

    def __call__(self, line: bytes) -> None:
        if self.room >= 0:
            self.room -= len(line)
            self.lines.append(line)
            if self.room < 0:
                self.lines.clear()

    def passing(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The same lines, each of which is added."""
        for line in lines:
            self(line)
            yield line
