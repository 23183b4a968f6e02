"""Identity: what makes an agent's answers what they are, so that what it has answered can be told from what has changed since.

Rule of this file: it reads agents and never calls one; what cannot be seen whole has no identity.

A model's identity is its name, its sampling and its prompts, not its host, key or price. A program's is its source, its
defaults, the values that it captured and its attributes, what it names of its own module (functions, classes, constants), each
with an identity of its own, or else the version that it states itself: an attribute `identity`, or a method `identity()`, of
JSON values. **What it calls in other modules, and globals that change, are not seen**: whoever edits those states a version. A program with neither source nor
version has no identity, and nothing of it is reused.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from copyreg import dispatch_table
from hashlib import blake2b
from itertools import takewhile
from operator import itemgetter
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.moves import Move
from moot.protocols.engine.values.frozen import UNCHANGING

_NAMED = sys.stdlib_module_names | {"pydantic", "pydantic_core"}
"""Packages whose functions and classes are known by their names, without their sources."""

_CACHED = functools.cached_property  # what it keeps among the attributes is made from the others

_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not set for classes that are written in C and built in

_sources: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


class _Unseen(Exception):
    """Something of which neither source nor state can be seen."""


class Identity(NamedTuple):
    """What makes answers what they are, as JSON values."""

    value: Any

    @property
    def fingerprint(self) -> str:
        """Its hash, which is what transcripts record."""
        return blake2b(_text(self.value).encode(), digest_size=16).hexdigest()


def identity(agent: object) -> Identity | None:
    """The identity of an agent, or of anything that an agent holds; None when it cannot be seen whole."""
    try:
        return Identity(_Reader().read(agent))
    except (_Unseen, RecursionError):
        return None


def composed(*members: object, **options: Any) -> dict[str, Any] | None:
    """What the `identity()` of an agent made of others returns: theirs, and its own options. None when one has none."""
    found = [identity(member) for member in members]
    return None if None in found else {"members": found, **options}


def fingerprints(seats: Mapping[str, object]) -> dict[str, str | None]:
    """Seat to the hash of its agent's identity; None for one that has none."""
    each = {id(agent): agent for agent in seats.values()}  # one that holds several seats is read once
    found = {key: identity(agent) for key, agent in each.items()}
    prints = {key: None if read is None else read.fingerprint for key, read in found.items()}
    return {seat: prints[id(agent)] for seat, agent in seats.items()}


def protocol_fingerprint(protocol: Protocol) -> str | None:
    """The hash of a protocol's identity: its name, its parameters, and the sources of its classes, and of those of its parts, that are
    not moot's own.

    moot's own go by name and parameters: what they do is held fast by golden transcripts, a replay finds any change, and
    an upgrade of moot should not pay for every play again. A class variable `identity` counts instead of the source.
    """
    classes = dict.fromkeys(cls for model in _models(protocol) for cls in type(model).__mro__)
    own = [cls for cls in classes if not cls.__module__.startswith("moot.") and not _known(cls)]
    try:
        return Identity(
            _Reader(named=True).read([record_of(protocol), *(vars(cls).get("identity", cls) for cls in own)])
        ).fingerprint
    except (_Unseen, RecursionError):
        return None


def _models(value: Any) -> Iterator[BaseModel]:
    """The models among a value and what it holds."""
    if isinstance(value, BaseModel):
        yield value
        value = dict(value)
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ():
        if type(each) not in UNCHANGING:
            yield from _models(each)


class _Reader:
    """Reads one agent. What is met again (a circle, a thing held twice) stands there by its number. named: moot's own classes
    and functions go by their names."""

    def __init__(self, named: bool = False) -> None:
        self._named = named
        self._met: dict[int, tuple[int, object]] = {}  # with what was met, whose id goes to nothing else meanwhile

    def read(self, value: Any) -> Any:
        """A thing as JSON values, the type of each told. Raises _Unseen."""
        if isinstance(value, Identity):
            return value.value
        if value is None or isinstance(value, (bool, str)):
            return value
        kind = type(value)
        if kind in (int, float, complex, bytes, range):
            return [kind.__name__, repr(value)]
        if kind is tuple:
            return ["tuple", *map(self.read, value)]
        if isinstance(value, (set, frozenset)):
            return ["set", self.read(kind), *sorted(map(_plain, value))]
        if id(value) in self._met:
            return ["again", self._met[id(value)][0]]
        self._met[id(value)] = len(self._met), value
        if kind is list:
            return ["list", *map(self.read, value)]
        if kind is dict:
            named = sorted(((_plain(key), each) for key, each in value.items()), key=itemgetter(0))
            return ["dict", *([name, self.read(each)] for name, each in named)]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, Move):  # of moot's own classes the kind says enough
            own = [
                _source(base)
                for base in type(value).__mro__
                if not (_known(base) or base.__module__.startswith("moot."))
            ]
            return ["move", value.kind, own, self.read(value.model_dump(mode="json"))]
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, CellType):
            return self.read(_content(value))
        return ["module", value.__name__] if isinstance(value, ModuleType) else self._object(value)

    def _function(self, function: FunctionType) -> Any:
        if (stated := vars(function).get("identity")) is not None:
            return ["stated", self.read(stated)]
        if self._by_name(function):
            return ["named", function.__module__, function.__qualname__]
        helpers = self._helpers(function)
        return [
            "function",
            _source(function.__code__),
            *map(self.read, _held(function)),
            *([helpers] if helpers else []),
        ]

    def _by_name(self, thing: type | FunctionType) -> bool:
        return _known(thing) or (self._named and (thing.__module__ or "").startswith("moot."))

    def _helpers(self, function: FunctionType) -> list[Any]:
        """What a function names of its own module: functions, classes, and constants of plain types."""
        found = []
        for name in sorted(_names(function.__code__)):
            value = function.__globals__.get(name)
            own = callable(value) and getattr(value, "__module__", None) == function.__module__
            if own or isinstance(value, (str, int, float, bytes, tuple, frozenset)):
                found.append([name, self.read(value)])
        return found

    def _class(self, cls: type) -> Any:
        """A class by its source, what its methods have for defaults and captured, and its bases."""
        if self._by_name(cls):
            return ["named", cls.__module__, cls.__qualname__]
        held = {}
        for name, method in vars(cls).items():
            method = getattr(method, "__func__", None) or getattr(method, "fget", None) or method
            if isinstance(method, FunctionType) and method.__module__ == cls.__module__:
                if any(kept := _held(method)):
                    held[name] = kept
                if helpers := self._helpers(method):
                    held[f"{name} names"] = Identity(helpers)
        return ["class", _source(cls), self.read(held), *map(self.read, cls.__bases__)]

    def _object(self, value: Any) -> Any:
        """An object by what it says of itself, or by its class and what it would be pickled as."""
        cls, reduced = type(value), None
        try:
            # What is only passed on, as by `__getattr__`, is the identity of another.
            said = stated = None if inspect.getattr_static(value, "identity", None) is None else value.identity
            if callable(stated):
                said = stated()
            elif stated is None:
                reduced = dispatch_table[cls](value) if cls in dispatch_table else value.__reduce_ex__(4)
        except (RecursionError, KeyboardInterrupt):
            raise
        except BaseException:
            raise _Unseen from None
        if isinstance(said, Identity):
            return said.value
        if said is not None:
            definer = next((base for base in cls.__mro__ if "identity" in vars(base)), cls)
            changed = takewhile(lambda base: base is not definer, cls.__mro__)
            return ["stated", [self.read(base) for base in changed], self.read(said)]
        if isinstance(reduced, str):  # it stands for a global of that name: a function in a cache, for instance
            if hasattr(value, "__wrapped__"):
                return ["wrapped", self.read(cls), self.read(value.__wrapped__)]
            if _known(cls):
                return ["named", str(value.__module__), cls.__qualname__, reduced]
        if not isinstance(reduced, tuple):
            raise _Unseen
        whole: tuple[Any, ...] = (*reduced, None, None, None)
        call, arguments, state, entries, items = whole[:5]
        if isinstance(state, dict):
            cached = {name for base in cls.__mro__ for name, each in vars(base).items() if isinstance(each, _CACHED)}
            state = {key: each for key, each in state.items() if key not in cached}
        entries = None if entries is None else list(entries)
        items = None if items is None else dict(items)
        return ["object", *map(self.read, (cls, call, arguments, state, entries, items))]


def _held(function: FunctionType) -> tuple[Any, ...]:
    return function.__defaults__, function.__kwdefaults__, function.__closure__


def _names(code: CodeType) -> set[str]:
    """The names that a function's code takes from outside itself, those of functions inside it too."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _plain(value: Any) -> str:
    """A key, or a member of a set, as text that is the same in every process. Raises _Unseen where there is none."""
    return json.dumps(value) if type(value) is str else _text(_Reader().read(value))


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _known(thing: type | FunctionType) -> bool:
    """Whether a name says enough: of the standard library and of pydantic, and of classes that are built in."""
    if isinstance(thing, type) and not thing.__flags__ & _HEAP:
        return True
    found: Any = sys.modules.get(thing.__module__ or "")
    if found is None or thing.__module__.partition(".")[0] not in _NAMED - {"__main__"}:
        return False
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is thing


def _source(thing: type | CodeType) -> str:
    """As `source_of`. Raises _Unseen where it cannot be had."""
    if (source := source_of(thing)) is None:
        raise _Unseen
    return source


def source_of(thing: type | CodeType) -> str | None:
    """The source of a class or of a function's code; None where it cannot be had."""
    if thing not in _sources:
        try:
            if isinstance(thing, CodeType) and thing.co_name == "<lambda>":
                _sources[thing] = _of_lambda(thing)
            else:
                _sources[thing] = textwrap.dedent(inspect.getsource(thing))
        except (OSError, TypeError, SyntaxError, IndexError):
            _sources[thing] = None
    return _sources[thing]


def _of_lambda(code: CodeType) -> str | None:
    """The body of a lambda, and its parameters: its lines may hold others besides it, or end before it does."""
    begins, ends = [], []
    for line, last, column, end in code.co_positions():
        if line is not None and last is not None and column is not None and end:
            begins.append((line, column))
            ends.append((last, end))
    if not begins:
        return None
    (line, column), (last, end) = min(begins), max(ends)
    text = [each.encode() for each in inspect.findsource(code)[0][line - 1 : last]]
    text[-1] = text[-1][:end]
    text[0] = text[0][column:]
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    parameters = (code.co_varnames, *counts, code.co_flags & 12)
    return f"lambda {parameters}: {b''.join(text).decode()}"
