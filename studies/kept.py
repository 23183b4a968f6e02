"""What is known of the plays of a set that have ended, so that a second run over their folder opens none of them.

Rule of this file: everything in it is derived from the transcripts, and holds for a file only while that is the very one that was read;
whoever deletes it loses time. It holds no truth: that is read, where it lies, each time.

A file is known again by its size, its inode and both its times. Of these the system alone sets the time of the last change
(st_ctime, POSIX 1003.1-2017, "File Times Update"), so that nobody who edits or replaces a file leaves them as they were, but within one
tick of its clock (some milliseconds on Linux), and a copy of the folder is read anew. The index itself is believed.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from moot.protocols.engine.moves import Share
from moot.protocols.engine.question import Question

VERSION = 1
_COLUMNS = ["name", "file", "mark", "facts"]
NAME = ".index.sqlite"
_BATCH = 200  # plays that are held back at most, so that others who write are never kept waiting
_MOST = 1 << 16  # bytes of a file that can hold a truth
_PATIENCE = 1.0  # seconds to wait for them


class Facts(BaseModel):
    """What is known of a play that has ended for good. continues: how often its judge went on after stating a belief.
    sha256: of the file beside it that holds its truth, as the transcript says it; None where it has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    outcome: str
    probabilities: tuple[Share, ...] | None = None
    problem: str | None = None
    continues: int = 0
    sha256: str | None = None


def mark_of(question: Question, more: Sequence[JsonValue]) -> bytes:
    """What a play is of: a hash of its question, and of more that it depends on (its seed, who sits where, …)."""
    return hashlib.blake2b(to_json([question, more]), digest_size=16).digest()


class Kept:
    """The index of one folder. Where it cannot be read or written, nothing is known, and the plays are read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._waiting: list[tuple[str, bytes, bytes, bytes]] = []
        self._base: sqlite3.Connection | None = None
        if folder.is_dir():  # otherwise nothing is known yet
            self._open()

    def _open(self) -> None:
        try:
            self._base = self._connected()
        except sqlite3.OperationalError:  # others hold it, or nobody may write here
            pass
        except sqlite3.Error:
            with suppress(sqlite3.Error, OSError):  # damaged, or no index at all: one is made anew
                self.path.unlink()
                self._base = self._connected()

    def _connected(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            base.execute("PRAGMA synchronous=OFF")  # what a loss of power takes is made again
            columns = [each[1] for each in base.execute("PRAGMA table_info(plays)")]
            if (base.execute("PRAGMA user_version").fetchone()[0], columns) != (VERSION, _COLUMNS):
                base.execute("DROP TABLE IF EXISTS plays")
                base.execute(
                    "CREATE TABLE plays (name TEXT PRIMARY KEY, file BLOB, mark BLOB, facts BLOB) WITHOUT ROWID"
                )
                base.execute(f"PRAGMA user_version={VERSION}")
            base.execute("SELECT * FROM plays LIMIT 1").fetchone()
        except BaseException:
            base.close()
            raise
        return base

    def find(self, path: str, mark: bytes) -> Facts | None:
        """What is known of the play at a path, if that is the file that was read and it is of this."""
        if (base := self._base) is None:
            return None
        try:
            if not base.in_transaction:  # a lock for many hits, and not for each
                base.execute("BEGIN")
            row = base.execute(
                "SELECT file, mark, facts FROM plays WHERE name = ?", (os.path.basename(path),)
            ).fetchone()
            if row is not None and row[1] == mark and row[0] == file_mark(path):
                return Facts.model_validate_json(row[2])
        except (
            sqlite3.Error
        ):  # somebody holds it, and would have every play wait; it is asked again when there is more to keep
            self._shut()
        except (OSError, ValidationError):
            pass
        self._let_go()  # what follows takes time
        return None

    def _let_go(self) -> None:
        if self._base is not None and self._base.in_transaction:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")

    def put(self, path: str, file: bytes, mark: bytes, facts: Facts) -> None:
        """Keep what was read. file: what its file was before it was read (`file_mark`)."""
        self._waiting.append(
            (os.path.basename(path), file, mark, facts.model_dump_json(exclude_defaults=True).encode())
        )
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand to the disk what is held back. Nothing stays open to others for longer than that takes."""
        waiting, self._waiting = self._waiting, []
        self._let_go()
        if waiting and self._base is None:
            self._open()
        if (base := self._base) is None or not waiting:
            return
        try:
            base.execute("BEGIN IMMEDIATE")
            base.executemany("INSERT OR REPLACE INTO plays VALUES (?,?,?,?)", waiting)
            base.execute("COMMIT")
        except sqlite3.Error:
            self._let_go()

    def close(self) -> None:
        """Hand all to the disk and let go of it."""
        self.flush()
        self._shut()

    def _shut(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None


def file_mark(path: str) -> bytes:
    """What tells a file from any that it was, or will be after a change. Raises OSError."""
    stat = os.stat(path)
    return b"%d %d %d %d" % (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def truth_name(path: str) -> str:
    """What the file beside a transcript that holds its truth is called, unless an earlier one had taken that name."""
    return f"{os.path.basename(path).removesuffix('.zst').removesuffix('.jsonl')}.truth.json"


def truth_beside(path: str, sha256: str) -> int | None:
    """The truth in the file beside a transcript. Raises OSError where there is none, ValueError where it is not the one of this hash."""
    with open(os.path.join(os.path.dirname(path), truth_name(path)), "rb") as file:
        content = file.read(_MOST)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("another truth")
    held: int | None = from_json(content)["truth"]
    return held
