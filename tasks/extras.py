"""What is outside: libraries that come with an extra of the installation, numpy as one that may be missing, and files.

Rule of this file: it is imported where such a library is, and says what to install where it is missing."""

from __future__ import annotations

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


__all__ = ["Floats", "Integers", "content_of", "decoded", "needed", "np"]
