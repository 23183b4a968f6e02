"""Programs of one's own: Python objects by the place where they stand.

Rule of this file: whatever a user may name as "module:name" is found here, agents, protocols and modules alike.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from moot.agents.base import act_of
from moot.agents.kinds import AgentKind
from moot.protocols.engine.errors import MootError, UsageError


class PythonKind(AgentKind):
    """A program: a function of a request, an object with `act`, or a class of such objects, called without arguments."""

    name: ClassVar[str] = "python"
    form: ClassVar[str | None] = "python:MODULE:NAME or python:FILE.py:NAME"
    target: str

    def make(self) -> Any:
        found = object_at(self.target)
        if isinstance(found, type):
            try:
                found = found()
            except Exception as error:
                raise UsageError(f"{found.__qualname__}() failed: {type(error).__name__}: {error}") from None
        act_of(found)
        return found


def object_at(place: str) -> Any:
    """The Python object at "MODULE:NAME" or "FILE.py:NAME". Raises UsageError when there is none."""
    module, _, name = place.rpartition(":")
    if not module or not name:
        raise UsageError(f"{place!r}: write it as MODULE:NAME or FILE.py:NAME")
    found: Any = imported(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"there is no {part!r} in {module}") from None
    return found


def imported(module: str) -> ModuleType:
    """A module by its name, from the working folder too, or by its file. Raises UsageError when it cannot be imported."""
    try:
        if module.endswith(".py"):
            return _from_file(Path(module))
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot import {module}: there is no module {error.name!r} here or installed") from None
    except MootError:
        raise
    except Exception as error:
        raise UsageError(f"cannot import {module}: {type(error).__name__}: {error}") from None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"cannot import {path}: there is no such file")
    name = f"_moot_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
