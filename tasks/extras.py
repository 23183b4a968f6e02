"""What is outside: libraries that come with an extra of the installation, numpy as one that may be missing, and files.

Rule of this file: it is imported where such a library is, and says what to install where it is missing."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moot.protocols.engine.errors import UsageError


def needed(what: str, module: str, extra: str = "learn") -> Any:
    """A module of a library that may be missing. what: what needs it, for the UsageError that says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} {error.name}: pip install 'moot[{extra}]'") from None


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Integers = NDArray[np.integer]
else:
    Floats = Integers = Any
    try:
        import numpy as np
    except ModuleNotFoundError:

        class _Missing:
            def __getattr__(self, name: str) -> object:
                if name.startswith("__"):
                    raise AttributeError(name)
                return getattr(needed("images and the networks that judge them need", "numpy"), name)

        np = _Missing()


LARGEST = 256_000_000
"""Most bytes of a file that is read as a whole."""


def content_of(path: str | Path) -> bytes:
    """What is in a file. UsageError when it cannot be read, or is too large; no more than that is held."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST / 1e6:g} MB; split it")
        return content
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def decoded(content: bytes, path: str | Path, otherwise: str) -> str:
    """The text of a file. otherwise: what the UsageError says of a file that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is {otherwise.format(f'(byte {error.start})')}") from None


_holding, _held = threading.Lock(), [0, 0]  # how many hold it back, and the threshold before the first of them


@contextmanager
def gathered() -> Iterator[None]:
    """What is made inside is kept, so that no full garbage collection looks through all of it time and again; young objects are collected
    as ever. (`gc.set_threshold`: the third one is that of the oldest generation. Mercurial does so too: `util.nogc`.)"""
    with _holding:
        young, middle, old = gc.get_threshold()
        if not _held[0]:
            _held[1] = old
            gc.set_threshold(young, middle, 1 << 30)
        _held[0] += 1
    try:
        yield
    finally:
        with _holding:
            _held[0] -= 1
            if not _held[0]:
                gc.set_threshold(*gc.get_threshold()[:2], _held[1])


__all__ = ["Floats", "Integers", "content_of", "decoded", "gathered", "needed", "np"]
