"""Transcripts on disk: append-only files that survive a kill at any moment.

Rule of this file: bytes and lines, written, read and checked; what events mean is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import KEPT, check_header, check_line, parse
from moot.transcripts.sealed import unsealed


class Writer:
    """Appends lines to a transcript, each handed to the system at once (a kill loses at most the line being written). Raises
    UsageError when the file exists (unless `append`) or another process writes it, TranscriptError when the disk is full."""

    def __init__(self, path: Path | str, append: bool = False) -> None:
        self.path = Path(path)
        self.lines = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {self.path.parent}: {error.strerror}") from None
        try:
            self._file: IO[bytes] = open(self.path, "ab" if append else "xb", buffering=0)  # noqa: SIM115
        except FileExistsError:
            raise UsageError(f"{path} exists already; take another name, or go on: moot resume {path}") from None
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        try:
            import fcntl

            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"{path} is being written by another process; wait for it or stop it") from None
        except (ImportError, OSError):
            pass  # this system, or the disk, has no such locks

    def __call__(self, line: bytes) -> None:
        try:
            rest = line[self._file.write(line) :]
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise TranscriptError(
                f"{self.path}: cannot write event {self.lines + 1}: {error.strerror}. What was recorded before it is safe; "
                f"make room, then: moot resume {self.path}"
            ) from None
        self.lines += 1

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path | str) -> Iterator[bytes]:
    """The whole lines of a transcript, sealed or not. A torn last line (a write cut off by a kill) is left out."""
    path = Path(path)
    try:
        if path.suffix == ".zst":
            yield from unsealed(path)
            return
        with open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except FileNotFoundError:
        raise UsageError(f"there is no transcript {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name one transcript (moot list {path} shows what is in it)") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def checked(
    lines: Iterator[bytes], name: str, kept: bool = True, chain: bytes = b"", number: int = 0
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Lines with their events, after checking header and chain. Raises TranscriptError naming file, line and event. kept:
    also what imports keep of their source, which no fold reads. chain, number: of the last line that was checked before."""
    for line in lines:
        number += 1
        chain = check_line(line, number, chain, name)
        if not kept and line.startswith(KEPT):
            continue
        event = parse(line, number, name)
        if number == 1:
            check_header(event, name)
        yield line, event
    if number == 0:
        raise TranscriptError(f"{name}: holds no whole event; there is nothing to read")


def parsed(lines: Iterator[bytes], name: str, kept: bool = True) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Lines with their events, when their chain is known to be whole."""
    for number, line in enumerate(lines, 1):
        if kept or not line.startswith(KEPT):
            yield line, parse(line, number, name)


def repair(path: Path | str) -> int:
    """Cut a torn last line off a transcript; the number of bytes that went. Nothing whole is ever lost."""
    path = Path(path)
    size, whole = path.stat().st_size, sum(map(len, read_lines(path)))
    if whole < size:
        with open(path, "rb+") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return size - whole
