"""Every task by its name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import moot.tasks
from moot.protocols.engine.errors import UsageError
from moot.tasks.base import Task


def known_tasks() -> dict[str, Task]:
    """moot's own tasks, those of installed plug-ins (entry points `moot.tasks`), and every subclass that was imported."""
    from importlib.metadata import entry_points

    for module in iter_modules(moot.tasks.__path__):
        import_module(f"moot.tasks.{module.name}")
    for plugin in entry_points(group="moot.tasks"):
        plugin.load()
    return {
        cls.name: cls()
        for cls in _subclasses(Task)
        if not inspect.isabstract(cls) and isinstance(cls.__dict__.get("name"), str)
    }


def task_named(name: str) -> Task:
    """The task called `name`. Raises UsageError naming the known ones."""
    known = known_tasks()
    if name not in known:
        raise UsageError(f"no task is called {name!r}; known: {', '.join(sorted(known))}")
    return known[name]


def _subclasses(cls: Any) -> Iterator[Any]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)
