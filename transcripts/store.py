"""Transcripts on disk: append-only files that survive a kill at any moment.

Rule of this file: bytes and lines, written and read; what events mean is not known here.

What is promised. After every event the file ends in a whole line: a line that could not be written whole is cut off again,
and where even that fails nothing more is written. What was written survives the end of the process, by a kill too. What
survives the end of the machine (power, kernel) is said by `fsync`: with "ended" all of it once the play has ended or was
broken off in order, and until then what the system has written out by itself; with "event" every event, before the play
goes on. One process at a time writes a file: see `lock`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Literal

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import LONGEST
from moot.transcripts.recent import Collected
from moot.transcripts.sealed import unsealed

Fsync = Literal["ended", "event"]
_BLOCK = 1 << 16  # bytes read at a time

copied: ContextVar[Callable[[Path, bytes], None] | None] = ContextVar("moot_copied", default=None)
"""Who is given what was written, right after it was: a line of the transcript at a path, or a small file whole."""


class Writer:
    """Appends lines to a transcript, each handed to the system at once. append: to a file that is there, and otherwise to one
    that is not. Raises UsageError when that is not so or another process writes it, TranscriptError when it cannot be
    written; after that error, too, only whole lines follow whole lines."""

    def __init__(self, path: Path | str, append: bool = False, fsync: Fsync = "ended") -> None:
        if fsync not in ("ended", "event"):
            raise UsageError(f'fsync is {fsync!r}; it can be "ended" or "event"')
        self.path, self.fsync = Path(path), fsync
        self.lines = 0
        self._written = None if append else Collected()
        self._torn = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {self.path.parent}: {error.strerror}") from None
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(self.path, flags if append else flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            raise UsageError(f"{path} exists already; take another name, or go on: moot resume {path}") from None
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        try:
            self._lock = lock(self.path, self._file)
        except BaseException:
            os.close(self._file)
            raise
        self._end = 0  # where the last whole line ends
        self._held: list[bytes] = []

    def __call__(self, line: bytes) -> None:
        if self._torn:
            self._cut()
        self._end = os.lseek(self._file, 0, os.SEEK_END)  # asked each time, as `repair` may have cut the file
        held, rest = self._held, line
        if held:
            rest, self._held = b"".join((*held, line)), []
        try:
            while rest:
                rest = rest[os.write(self._file, rest) or _full() :]
            if self.fsync == "event":
                os.fsync(self._file)
                if not self._end:
                    _sync_folder(self.path)
        except BaseException as error:
            self._torn = True
            with contextlib.suppress(TranscriptError):
                self._cut()
            if not isinstance(error, OSError):
                raise
            raise TranscriptError(
                f"{self.path}: cannot write event {self.lines + 1}: {error.strerror or error}. What was recorded before it is safe; "
                f"make room, then: moot resume {self.path}"
            ) from None
        self.lines += 1 + len(held)
        if self._written is not None:
            for each in (*held, line):
                self._written(each)
        if (give := copied.get()) is not None:
            for each in (*held, line):
                give(self.path, each)

    def later(self, line: bytes) -> None:
        """A line that is written with the next one, or when the file is closed; with fsync="event" at once, as any."""
        if self.fsync == "event":
            self(line)
        else:
            self._held.append(line)

    @property
    def recent(self) -> list[bytes] | None:
        """All that the file holds, where it was begun here and is little."""
        return None if self._written is None else self._written.lines

    def _cut(self) -> None:
        """Take back what was written of a line that did not become whole."""
        try:
            os.ftruncate(self._file, self._end)
        except OSError as error:
            raise TranscriptError(
                f"{self.path}: an event was written in part, and cannot be taken back: {error.strerror or error}. Nothing more is "
                f"written; what was recorded before it is safe: moot resume {self.path} cuts the rest off"
            ) from None
        self._torn = False

    def close(self) -> None:
        """Hand all that was written to the disk, and let others write. Raises TranscriptError when the disk fails."""
        if self._file < 0:
            return
        try:
            if self._held:
                self(self._held.pop())
        finally:
            self._closed()

    def _closed(self) -> None:
        file, self._file = self._file, -1
        try:
            try:
                if self.lines and self.fsync == "ended":
                    os.fsync(file)
                    _sync_folder(self.path)
            finally:
                os.close(file)
        except OSError as error:
            raise TranscriptError(
                f"{self.path}: the disk did not take all that was recorded: {error.strerror or error}; look at it: moot verify {self.path}"
            ) from None
        finally:
            if self._lock is not None:
                self._lock.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> bool:
    """Write a small file that is to be there, whole and with its name on the disk, before anything is said of it. False when there is a
    file of this name. Raises TranscriptError, and leaves nothing there, when it cannot be written."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except FileExistsError:
        return False
    except OSError as error:
        raise TranscriptError(f"cannot write {path}: {error.strerror}") from None
    try:
        try:
            rest = content
            while rest:
                rest = rest[os.write(file, rest) or _full() :]
            os.fsync(file)
        finally:
            os.close(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink()
        if not isinstance(error, OSError):
            raise
        raise TranscriptError(f"cannot write {path}: {error.strerror or error}") from None
    _sync_folder(path)
    if (give := copied.get()) is not None:
        give(path, content)
    return True


def _full() -> int:
    raise OSError(errno.ENOSPC, "nothing can be written")  # a write of no bytes would be tried for ever


def _sync_folder(path: Path) -> None:
    """Make the file's name survive too, where the system can: not every one opens folders or has a use for it."""
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def lock(path: Path, file: int) -> Path | None:
    """Keep other processes from writing an open file, for as long as it is open. None where the system's own lock is found to
    work; otherwise the lock file beside it, to be removed afterwards, which a killed process leaves behind. Raises
    UsageError when somebody else has the lock, or the file went away meanwhile."""
    try:
        own = _locked(path, file)
    except BlockingIOError:
        raise UsageError(f"{path} is being written by another process; wait for it or stop it") from None
    found = None if own else _lock_file(path)
    try:
        there, here = os.stat(path), os.fstat(file)
        if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            return found
    except OSError:
        pass
    if found is not None:
        found.unlink(missing_ok=True)
    raise UsageError(f"{path} was moved away by another process while it was being opened")


def _locked(path: Path, file: int) -> bool:
    """Whether the system has locked the file, and that keeps a second opening of it out. Raises BlockingIOError."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # no locks here (ENOLCK, ENOTSUP, …)
        return False
    other = None
    try:
        other = os.open(path, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        if other is not None:
            os.close(other)
    return False


def _lock_file(path: Path) -> Path:
    found = path.with_name(f".{path.name}.lock")
    try:
        made = os.open(found, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        who = " ".join(found.read_text("utf-8", "replace")[:200].split())
        raise UsageError(
            f"{path} is being written by another process ({who}); wait for it, or remove {found} if it runs no more"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be locked, by the system or by {found.name} beside it: {error.strerror}"
        ) from None
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    return found


def room_for(files: int) -> int:
    """How many of so many files can be open at a time, each with two connections beside it, once the limit on open files is
    raised as far as that needs and goes."""
    try:
        import resource
    except ImportError:  # this system sets no such limit
        return files
    needed = 64 + 3 * files
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return files if soft == resource.RLIM_INFINITY or soft >= needed else max(1, min(files, (soft - 64) // 3))


def read_lines(path: Path | str, torn: list[bytes] | None = None) -> Iterator[bytes]:
    """The whole lines of a transcript, sealed or not. What follows the last of them (a write cut off by a kill) is left out, and
    added to `torn`, where that is given, once all of them were read."""
    return chain.from_iterable(_blocks(Path(path), torn))


def _blocks(path: Path, torn: list[bytes] | None) -> Iterator[list[bytes]]:
    """The whole lines, some at a time: a step of Python for each block and none for each line."""
    rest = b""
    try:
        if path.suffix == ".zst":
            for line in unsealed(path):
                if line.endswith(b"\n"):
                    yield [line]
                else:
                    rest = line
        else:
            number = 0
            with open(path, "rb") as file:
                while block := file.read(max(_BLOCK, len(rest))):  # a long line is put together in few steps
                    lines = BytesIO(rest + block).readlines()
                    rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
                    if len(lines[0] if lines else rest) > LONGEST:  # of the others each is shorter than a block
                        number += 1
                        raise TranscriptError(
                            f"{path}: line {number} is longer than {LONGEST:,} bytes, which no event is"
                        )
                    number += len(lines)
                    yield lines
        if rest and torn is not None:
            torn.append(rest)
    except FileNotFoundError:
        raise UsageError(f"there is no transcript {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name one transcript (moot list {path} shows what is in it)") from None
    except (OSError, ValueError) as error:  # a name with a null character, too
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def repair(path: Path | str) -> int:
    """Cut a torn last line off a transcript; the number of bytes that went. Nothing whole is ever lost."""
    path = Path(path)
    torn: list[bytes] = []
    deque(read_lines(path, torn), maxlen=0)
    if gone := sum(map(len, torn)):
        with open(path, "rb+") as file:
            file.truncate(path.stat().st_size - gone)
            os.fsync(file.fileno())
    return gone
