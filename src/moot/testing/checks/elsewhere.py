"""Plays that are replayed in other processes, in which Python hashes texts otherwise: what follows from the order of a set, or
from `hash(text)`, comes out otherwise there.

Rule: it asks `child` processes, which live as long as this one, and says what they found; one law.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

from moot.protocols.engine.base import Protocol, record_of
from moot.testing.checks.check import Case, Unexamined, law, shown

HASHES = (2, 141)
"""PYTHONHASHSEED of the processes. Sets of the usual names of seats and choices are in opposite orders in the two, so that
one of them differs from any third."""

_CURE = (
    "; what is looked at in the order of a set must be sorted, and hash() of a text is another number in each process"
)


@law("the play is the same in every process, however Python hashes texts there")
def portable(case: Case) -> None:
    """The play is replayed in a second process with another PYTHONHASHSEED. A protocol that no other process can import (one
    that is defined inside a function, or at a prompt) is not examined, which a warning says."""
    place = _place(case.protocol)
    hand = case.play(case.order())
    number = HASHES[case.seed % len(HASHES)]
    lines = [line.decode() for line in hand.lines]
    found = _process(number).asked(
        {**place, "params": record_of(case.protocol)["params"], "lines": lines, "path": _path()}
    )
    if "unknown" in found:
        raise Unexamined(found["unknown"])
    if found.get("digest") != hand.transcript.digest:
        differs = found.get("differs") or f"the digest is {found['digest']}, and was {hand.transcript.digest}"
        case.broken(f"in another process, with PYTHONHASHSEED={number}, {differs}{_CURE}")


def _place(protocol: Protocol) -> dict[str, Any]:
    """Where another process finds a protocol's class. Raises Unexamined where none does."""
    cls = type(protocol)
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if "<locals>" in cls.__qualname__:
        raise Unexamined(f"{shown(protocol)} is defined inside a function, where no other process finds it: define it at the top "
                         "of a module")  # fmt: skip
    if file is None or not Path(file).is_file():
        raise Unexamined(f"{shown(protocol)} is defined in no file that another process could read (a prompt, or a notebook): "
                         "write it into a module and import it")  # fmt: skip
    return {"module": cls.__module__, "file": str(Path(file).absolute()), "name": cls.__qualname__}


def _path() -> list[str]:
    return [str(Path(each).absolute()) for each in sys.path]


class _Process:
    """A child. It is started when it is first asked, and asked one thing at a time."""

    def __init__(self, number: int) -> None:
        self.number, self._lock = number, Lock()
        self._child: subprocess.Popen[str] | None = None

    def asked(self, what: dict[str, Any]) -> dict[str, str]:
        """What the child answers; "unknown" where it could not be started, or ended."""
        with self._lock:
            try:
                if self._child is None or self._child.poll() is not None:
                    self._child = self._started()
                assert self._child.stdin is not None and self._child.stdout is not None
                self._child.stdin.write(json.dumps(what) + "\n")
                self._child.stdin.flush()
                said = self._child.stdout.readline()
                found: dict[str, str] = json.loads(said)
            except (OSError, ValueError) as error:
                self.end()
                return {"unknown": f"the other process gave no answer: {type(error).__name__}: {error}"}
            return found

    def _started(self) -> subprocess.Popen[str]:
        path = os.pathsep.join(_path())
        return subprocess.Popen(
            [sys.executable, "-c", "from moot.testing.checks.child import serve; serve()"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONHASHSEED": str(self.number), "PYTHONPATH": path},
        )  # fmt: skip

    def end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


_processes: dict[tuple[int, int], _Process] = {}


def _process(number: int) -> _Process:
    """The child for a number, one in each process: a fork of this one starts its own."""
    key = os.getpid(), number
    if key not in _processes:
        _processes[key] = _Process(number)
    return _processes[key]


@atexit.register
def _end() -> None:
    for (parent, _), process in _processes.items():
        if parent == os.getpid():
            process.end()
