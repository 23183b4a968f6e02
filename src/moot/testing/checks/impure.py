"""Sees a protocol read the clock, chance or the world while it is stepped: calls of C functions, of
`os.environ` and of `Random()`, with their line.

Rule: it looks on; `laws.pure` judges.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any

from moot.protocols.engine.base import Protocol

_MODULES = {
    "time": "reads the clock",
    "_random": "draws randomness",
    "posix": "asks the operating system",
    "nt": "asks the operating system",
    "io": "opens a file",
    "_io": "opens a file",
    "_uuid": "asks the operating system",
    "_socket": "uses the network",
    "_thread": "uses threads",
    "select": "waits for the world",
}
_ENVIRONMENT = {each.__code__ for each in vars(type(os.environ)).values() if isinstance(each, FunctionType)}
_SEED = random.Random.seed.__code__
_METHODS = {"now", "utcnow", "today"}
_HARMLESS = {"get_ident", "fspath", "fsdecode", "allocate_lock", "RLock"}
_CURE = "; moves, coins and sub-plays all come from the floor (floor.ask, floor.flip, floor.draw, floor.uniform)"


class Watch:
    """`with watch():` around each stepping of a game; `found` then says what the protocol did, and where."""

    def __init__(self, protocol: Protocol) -> None:
        methods = [
            each for cls in type(protocol).__mro__ for each in vars(cls).values() if isinstance(each, FunctionType)
        ]
        self.own = {each.__code__.co_filename for each in methods if not each.__module__.startswith("pydantic")}
        self.found: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        # Callbacks of the garbage collector run in whatever frame stands there, and may read the clock.
        collects, before = gc.isenabled(), sys.getprofile()
        gc.disable()
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(before)
            if collects:
                gc.enable()

    def _see(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            what, name = _what(called), getattr(called, "__qualname__", repr(called))
        elif event == "call" and frame.f_code in _ENVIRONMENT:
            what, name = "reads the environment", "os.environ"
        elif event == "call" and frame.f_code is _SEED and frame.f_locals["a"] is None:
            what, name = "draws randomness", "Random()"
        else:
            return
        if what is not None and (place := self._place(frame)) is not None:
            self.found.append(f"{place} {what} ({name}){_CURE}")

    def _place(self, frame: FrameType | None) -> str | None:
        """The line of the protocol's file behind a call; None when an import (of the protocol's own needs) makes it."""
        first, line = None, None
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return None
            if name.replace("\\", "/").endswith("moot/testing/hand.py"):
                break
            first = first or f"{name}:{frame.f_lineno}"
            if line is None and name in self.own:
                line = f"{name}:{frame.f_lineno}"
            frame = frame.f_back
        return line or first


def _what(called: Any) -> str | None:
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if name in _METHODS and isinstance(owner, type) and owner.__module__ == "datetime":
        return "reads the clock"
    if isinstance(owner, random.Random):
        free = owner is getattr(random, "_inst", None) or isinstance(owner, random.SystemRandom)
        return "draws randomness" if free else None
    return None if name in _HARMLESS else _MODULES.get(getattr(called, "__module__", None) or "")
