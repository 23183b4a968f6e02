"""What people did outside of a turn, a line each: agreed, asked for an item, were given one, ended it.

Rule of this file: lines are appended and on their way to the disk before anybody is told; nothing in it is ever changed.
What people do within a turn are events of the play.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.transcripts.store import Fsync

JOURNAL = "journal.jsonl"
Line = dict[str, Any]
"""{"at": time in UTC, "person": …, "action": …} and what belongs to it."""


class Journal:
    """The journal of a folder, which this process alone writes. fsync: "event": safe from a loss of power line by line; otherwise
    from the end of this process alone."""

    def __init__(self, path: Path, fsync: Fsync = "ended") -> None:
        self.path, self.fsync = path, fsync
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._cut()
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}") from None

    def _cut(self) -> None:
        """Cut a last line that is torn: of what was not written whole, nobody was told."""
        size = end = os.fstat(self._file).st_size
        while end > 0:
            begin = max(0, end - 65536)
            found = os.pread(self._file, end - begin, begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        if end < size:
            os.ftruncate(self._file, end)

    def write(self, person: str, action: str, **more: Any) -> Line:
        """Append a line. Raises OSError where it cannot be written; then nothing of it stands there."""
        line = {"at": now(), "person": person, "action": action, **more}
        data = json.dumps(line, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        before = os.fstat(self._file).st_size
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:])
            if self.fsync == "event":
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise
        return line

    def close(self) -> None:
        """Close the file; it reaches the disk first."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1


def lines_in(path: Path) -> Iterator[Line]:
    """The lines of a journal, also while it is written; nothing where there is none. Raises UsageError on a line that is none."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield _line(line, f"{path}, line {number}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _line(line: bytes, where: str) -> Line:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not _is_whole(found):
        raise UsageError(f"{where} is no line of a journal; put the file back as it was")
    return found


def _is_whole(found: Line) -> bool:
    seat = ("key", "seat") if found.get("action") in ("given", "returned") else ()
    lists = [found.get(name, []) for name in ("items", "kind")]
    return all(isinstance(found.get(name), str) for name in ("at", "person", "action", *seat)) and all(
        isinstance(each, list) and all(isinstance(value, (str, bool)) for value in each) for each in lists
    )


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
