"""Libraries that come with an extra of the installation.

Rule of this file: it is imported where such a library is, and says what to install where it is missing."""

from importlib import import_module
from typing import Any

from moot.protocols.engine.errors import UsageError


def needed(what: str, module: str, extra: str = "learn") -> Any:
    """A module of a library that may be missing. what: what needs it, for the UsageError that says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} {error.name}: pip install 'moot[{extra}]'") from None
