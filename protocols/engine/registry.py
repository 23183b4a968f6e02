"""One registry of everything that has a name: protocols, parts of debates, agents, judges, tools, tasks, estimators,
exporters, import formats.

Rule of this file: it knows where each kind of thing lives, and imports a thing when its name is asked for, not before.

A class registers itself when it is defined (its base calls `register`). moot's own are found by the line
`name: ClassVar[str] = "…"` in the files of their folder, so a new file there needs no change elsewhere. A plug-in announces
an entry point of the kind's group, called as the thing is called:

    [project.entry-points."moot.protocols"]
    mine = "my_package:Mine"
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from moot.protocols.engine.errors import UsageError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Kind(NamedTuple):
    """A kind of named thing: the entry-point group of plug-ins, the packages or modules that hold moot's own (less what
    another kind has inside them), and how a file there names one."""

    group: str
    packages: tuple[str, ...]
    pattern: str = r'^    name: ClassVar\[str\] = "([^"]+)"'


KINDS = {
    "protocol": Kind("moot.protocols", ("moot.protocols",)),
    "part": Kind(
        "moot.parts",
        tuple(f"moot.protocols.debate.{file}" for file in ("parts", "judging", "market_prices", "queries")),
        r'^    part: Literal\["([^"]+)"\]',
    ),
    "agent": Kind("moot.agents", ("moot.agents", "moot.tasks.programs")),
    "judge": Kind("moot.judges", ("moot.judges",)),
    "tool": Kind("moot.tools", ("moot.agents.tools",), r"^@tool.*\n(?:async )?def (\w+)"),
    "task": Kind("moot.tasks", ("moot.tasks",)),
    "estimator": Kind("moot.estimators", ("moot.complexity.estimators",)),
    "exporter": Kind("moot.exporters", ("moot.transcripts.exporters", "moot.web.viewer.single")),
    "format": Kind("moot.formats", ("moot.transcripts.formats",)),
    "machine": Kind("moot.machines", ("moot.tasks.oracle.machines",)),
    "computation": Kind(
        "moot.computations", ("moot.tasks.oracle.computations",), r"^@computation\(.*\)\nasync def (\w+)"
    ),
}

_registered: dict[str, dict[str, list[weakref.ref[Any]]]] = defaultdict(lambda: defaultdict(list))


class Plugin(NamedTuple):
    """An installed plug-in: what it offers, the package it comes with, and why that cannot be used (None: it can)."""

    kind: str
    name: str
    package: str
    problem: str | None


def register(kind: str, name: str, thing: Any) -> None:
    """Make a class known by its name. One that is defined again (the same name in the same file) replaces itself."""
    others = _registered[kind][name]
    others[:] = [ref for ref in others if (other := ref()) is not None and origin(other) != origin(thing)]
    others.append(weakref.ref(thing))


class Named:
    """The base of what is known by its `name` once it is defined, as a thing of `kind`, which the first of them says."""

    name: ClassVar[str]
    _kind: ClassVar[str]

    def __init_subclass__(cls, kind: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._kind = kind or cls._kind
        if isinstance(cls.__dict__.get("name"), str):
            register(cls._kind, cls.name, cls)


def find(kind: str, name: str) -> Any:
    """The class of that kind that is called `name`. Raises UsageError, with the nearest name, when there is none; when two
    share the name; and when the plug-in that has it is broken."""
    found = _known(kind, name)
    if not found:
        _load(kind, name)
        found = _live(kind, name)
    if not found:
        ways = f"import the module that defines yours first, or announce it as an entry point of {KINDS[kind].group}"
        raise UsageError(f"no {kind} is called {name!r}{nearest(str(name), names(kind))}; {ways}")
    if len(found) > 1:
        places = (inspect.unwrap(thing) for thing in found)
        where = " and ".join(f"{thing.__module__}:{thing.__qualname__}" for thing in places)
        raise UsageError(f"two {kind}s are called {name!r}: {where}; rename one of them")
    return found[0]


def kind_of(name: str, *kinds: str) -> str | None:
    """The first of these kinds that has something called so; plug-ins are looked at where nothing else is."""
    for kind in kinds:
        if name in _own(kind) or _live(kind, name):
            return kind
    return next((kind for kind in kinds if any(plugin.name == name for plugin in _entry_points(kind))), None)


def names(kind: str) -> list[str]:
    """Every name of that kind: moot's own, those that plug-ins announce, and those that are imported. Imports nothing."""
    live = (name for name in _registered[kind] if _live(kind, name))
    return sorted({*_own(kind), *live, *(plugin.name for plugin in _entry_points(kind))})


def everything(kind: str) -> dict[str, Any]:
    """Every class of that kind by name, moot's own and those of plug-ins, after importing all of them. What cannot be used
    (see `plugins`) is left out."""
    found = {}
    for name in names(kind):
        with suppress(UsageError):
            found[name] = find(kind, name)
    return found


def plugins(kind: str) -> list[Plugin]:
    """Every installed plug-in of that kind, each loaded to see whether it can be used."""
    return [Plugin(kind, each.name, _package(each), _problem(kind, each)) for each in _entry_points(kind)]


def _problem(kind: str, plugin: EntryPoint) -> str | None:
    try:
        _load(kind, plugin.name)
        if _known(kind, plugin.name):
            find(kind, plugin.name)
            return None
    except UsageError as error:
        return str(error)
    return f"{plugin.value} defines no {kind} called {plugin.name!r}; name the entry point as it is called"


def _entry_points(kind: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return sorted(entry_points(group=KINDS[kind].group), key=lambda plugin: (plugin.name, plugin.value))


def _load(kind: str, name: str) -> None:
    """Load the plug-in of that name, if there is one. Raises UsageError where it cannot be, and where there are two."""
    found = [plugin for plugin in _entry_points(kind) if plugin.name == name]
    if len({plugin.value for plugin in found}) > 1:
        which = " and ".join(f"{plugin.value} of {_package(plugin)}" for plugin in found)
        raise UsageError(f"two plug-ins offer a {kind} called {found[0].name!r}: {which}; uninstall one of them")
    for plugin in found[:1]:
        try:
            plugin.load()
        except Exception as error:
            what = f"the plug-in {plugin.name!r} of {_package(plugin)} cannot be loaded ({plugin.value})"
            raise UsageError(f"{what}: {type(error).__name__}: {error}") from None


def _package(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist is not None else "an unknown package"


def _known(kind: str, name: str) -> list[Any]:
    """What is called so of moot's own, and of what is imported."""
    for module in _own(kind).get(name, ()):
        if module not in sys.modules:
            import_module(module)
    return _live(kind, name)


def _live(kind: str, name: str) -> list[Any]:
    return [thing for ref in _registered[kind].get(name, ()) if (thing := ref()) is not None]


def origin(thing: Any) -> tuple[str, str]:
    """Where a class is defined: a file that is imported under two names defines one class."""
    thing = inspect.unwrap(thing)
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if file else thing.__module__, thing.__qualname__


@cache
def _own(kind: str) -> dict[str, list[str]]:
    """Name to the modules of moot's own that may define it, without importing any of them."""
    found: dict[str, list[str]] = defaultdict(list)
    others = [package for other in KINDS if other != kind for package in KINDS[other].packages]
    for package in KINDS[kind].packages:
        inner = tuple(f"{other}." for other in others if other.startswith(f"{package}."))
        for module, file in _files(package):
            if not f"{module}.".startswith(inner):
                for name in re.findall(KINDS[kind].pattern, file.read_text("utf-8"), re.MULTILINE):
                    found[name].append(module)
    return found


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """Every module of a package, or the module itself, with its file."""
    if (spec := find_spec(package)) is None:
        raise UsageError(f"moot's own {package} is missing: install moot again")
    if spec.submodule_search_locations is None and spec.origin is not None:
        yield package, Path(spec.origin)
    for root in map(Path, spec.submodule_search_locations or ()):
        for file in sorted(root.rglob("*.py")):
            yield ".".join((package, *file.relative_to(root).with_suffix("").parts)).removesuffix(".__init__"), file
