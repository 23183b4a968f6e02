"""One registry of everything that has a name: protocols, agents, judges, tasks, exporters, import formats.

Rule of this file: it knows where each kind of thing lives, and imports a thing when its name is asked for, not before.

A class registers itself when it is defined (its base calls `register`). moot's own are found by the line
`name: ClassVar[str] = "…"` in the files of their folder, so a new file there needs no change elsewhere. A plug-in announces
an entry point of the kind's group, called as the thing is called:

    [project.entry-points."moot.protocols"]
    mine = "my_package:Mine"
"""

from __future__ import annotations

import re
import sys
import weakref
from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Kind(NamedTuple):
    """A kind of named thing: the package that holds moot's own, and the entry-point group of plug-ins."""

    folder: str
    group: str


KINDS = {
    "protocol": Kind("moot.protocols", "moot.protocols"),
    "agent": Kind("moot.agents", "moot.agents"),
    "judge": Kind("moot.judges", "moot.judges"),
    "task": Kind("moot.tasks", "moot.tasks"),
    "exporter": Kind("moot.transcripts.exporters", "moot.exporters"),
    "format": Kind("moot.transcripts.formats", "moot.formats"),
    "machine": Kind("moot.tasks.oracle", "moot.machines"),
    "computation": Kind("moot.tasks.oracle", "moot.computations"),
}

_registered: dict[str, dict[str, list[weakref.ref[Any]]]] = defaultdict(lambda: defaultdict(list))


class Broken(NamedTuple):
    """A plug-in that cannot be loaded, or that shares its name with another: its name, package, and what is wrong."""

    kind: str
    name: str
    package: str
    problem: str


def register(kind: str, name: str, thing: Any) -> None:
    """Make a class known by its name. One that is defined again (the same name in the same file) replaces itself."""
    others = _registered[kind][name]
    others[:] = [ref for ref in others if (other := ref()) is not None and _origin(other) != _origin(thing)]
    others.append(weakref.ref(thing))


def find(kind: str, name: str) -> Any:
    """The class of that kind that is called `name`. Raises UsageError when there is none, when two share the name, or when
    the plug-in that has it is broken."""
    if not (found := _live(kind, name)):
        for module in _own(kind).get(name, ()):
            import_module(module)
        if not (found := _live(kind, name)):
            _load(kind, [plugin for plugin in plugins(kind) if plugin.name == name])
            found = _live(kind, name)
    if not found:
        known = sorted(everything(kind))
        if name in known:
            return find(kind, name)
        near = get_close_matches(str(name), known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"no {kind} is called {name!r}{hint} (known: {', '.join(known)}; import the module that defines yours first, or "
            f"announce it as an entry point of the group {KINDS[kind].group})"
        )
    if len(found) > 1:
        raise UsageError(f"two {kind}s are called {name!r}: {' and '.join(map(_place, found))}; rename one of them")
    return found[0]


def everything(kind: str, broken: list[Broken] | None = None) -> dict[str, Any]:
    """Every class of that kind by name, moot's own and those of plug-ins, after importing all of them.

    broken: takes the plug-ins that are passed over because they cannot be loaded.
    """
    for module in {module for modules in _own(kind).values() for module in modules}:
        import_module(module)
    for plugin in plugins(kind):
        try:
            _load(kind, [plugin])
        except UsageError as error:
            if broken is not None:
                broken.append(Broken(kind, plugin.name, _package(plugin), str(error)))
    found = {name: live for name in sorted(_registered[kind]) if (live := _live(kind, name))}
    if broken is not None:
        broken += [
            Broken(kind, name, "", f"two {kind}s have this name: {' and '.join(map(_place, live))}")
            for name, live in found.items()
            if len(live) > 1
        ]
    return {name: live[-1] for name, live in found.items()}


def plugins(kind: str) -> list[EntryPoint]:
    """The entry points of installed plug-ins of that kind."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=KINDS[kind].group), key=lambda plugin: (plugin.name, plugin.value))


def _load(kind: str, found: list[EntryPoint]) -> None:
    if len(found) > 1 and len({plugin.value for plugin in found}) > 1:
        which = " and ".join(f"{plugin.value} of {_package(plugin)}" for plugin in found)
        raise UsageError(f"two plug-ins offer a {kind} called {found[0].name!r}: {which}; uninstall one of them")
    for plugin in found[:1]:
        try:
            plugin.load()
        except Exception as error:
            raise UsageError(
                f"the plug-in {plugin.name!r} of {_package(plugin)} cannot be loaded ({plugin.value}): "
                f"{type(error).__name__}: {error}"
            ) from None


def _package(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist is not None else "an unknown package"


def _live(kind: str, name: str) -> list[Any]:
    return [thing for ref in _registered[kind].get(name, ()) if (thing := ref()) is not None]


def _origin(thing: Any) -> tuple[str, str]:
    """Where a class is defined: a file that is imported under two names defines one class."""
    module = sys.modules.get(thing.__module__)
    return getattr(module, "__file__", None) or thing.__module__, thing.__qualname__


def _place(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


@cache
def _own(kind: str) -> dict[str, list[str]]:
    """Name to the modules of moot's own folder that may define it, without importing any of them."""
    folder = KINDS[kind].folder
    found: dict[str, list[str]] = defaultdict(list)
    for root in _folders(folder):
        for file in sorted(root.rglob("*.py")):
            inside = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")
            for name in re.findall(r'^    name: ClassVar\[str\] = "([^"]+)"', file.read_text("utf-8"), re.MULTILINE):
                found[name].append(f"{folder}.{inside}" if inside else folder)
    return found


def _folders(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place)
