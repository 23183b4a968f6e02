"""An agent as it is now, from which any number of fresh ones are made, and what they would share all the same.
Rule: it knows objects, functions and classes, and nothing of plays."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from moot.agents.identity import identity, source_of
from moot.agents.models.secrets import CopiedWhole
from moot.protocols.engine.errors import UsageError, said

_TRUSTED = sys.stdlib_module_names - {"__main__"} | {"moot", "pydantic", "pydantic_core"}
"""Packages of which no class or function keeps what an agent says; neither is looked into what is installed."""


_UNSEEN = object()
_PLAIN = frozenset((str, int, float, complex, bool, bytes, type(None)))
_DATA = _PLAIN | {tuple, list, dict, set, frozenset}


class Snapshot:
    """An object as it is now. `fresh()` makes one like it that shares nothing with the others but what no copy can be made
    of: classes, modules, and moot's models, whose calls leave nothing behind but in their tools, which are told with what is
    shared.

    Functions are copied with the values that they captured, their defaults and their attributes. Raises UsageError when
    something in it cannot be copied (a lock, an open file, a generator, a connection).
    """

    def __init__(self, value: Any) -> None:
        file = io.BytesIO()
        writer = _Writer(file)
        try:
            writer.dump(value)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            raise UsageError(f"{_name(value)} cannot be copied: {type(error).__name__}: {said(error)}") from None
        self._bytes, self._kept = file.getvalue(), writer.kept
        self._code = [each for each in (*writer.classes, *writer.functions) if not _trusted(each)]

    def fresh(self) -> Any:
        """One more, as the object was when the snapshot was taken."""
        return _Reader(io.BytesIO(self._bytes), self._kept).load()

    def still(self, value: Any) -> bool:
        """Whether an object is to the byte what the snapshot was taken of. False says nothing: equal states can differ in what
        they hold twice, and a model is not looked into."""
        file = io.BytesIO()
        writer = _Writer(file)
        try:
            writer.dump(value)
        except Exception:  # it has come to hold what cannot be copied
            return False
        same = file.getvalue() == self._bytes and [*map(id, writer.kept)] == [*map(id, self._kept)]
        return same and not any(isinstance(each, CopiedWhole) for each in self._kept)

    def shared(self) -> dict[str, Any]:
        """What all copies find alike: `shared_by` the object's classes and functions."""
        return shared_by(*self._code) if self._code else {}


def shared_by(*code: Any) -> dict[str, Any]:
    """What classes and functions keep outside of any object, by place: attributes of classes, defaults and captured values
    of functions, and the global variables that they name, with the code of functions among these. Equal at two moments when nothing was
    kept there between. What of this cannot be seen whole (a lock is in it) is left out."""
    found: dict[str, Any] = {}
    for place, value in _outside([*code]):
        kept, where, number = value, place, 1
        if type(value) not in _PLAIN:
            seen = identity(value)
            kept = _UNSEEN if seen is None else seen.value
        if kept is not _UNSEEN:
            while where in found and found[where] != kept:  # of another function of that name
                where, number = f"{place} ({number + 1})", number + 1
            found[where] = kept
    return found


class _Writer(pickle.Pickler):
    """Pickles an object for this process alone: what is not copied stands there by its number in `kept`."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.kept: list[Any] = []
        self.classes: dict[type, None] = {}
        self.functions: dict[FunctionType, None] = {}
        self._numbers: dict[int, int] = {}

    def persistent_id(self, value: Any) -> int | None:
        if type(value) in _DATA:  # most of what is held
            return None
        if isinstance(value, _Kept):
            value = value.value
        elif isinstance(value, FunctionType):
            self.functions.setdefault(value)
            if value.__closure__ or value.__defaults__ or value.__kwdefaults__ or vars(value):
                return None
        elif isinstance(value, type):
            self.classes.setdefault(value)
        elif isinstance(value, BuiltinFunctionType):
            if not isinstance(value.__self__, ModuleType | type | None):
                return None
        elif isinstance(value, CopiedWhole):
            self.classes.setdefault(type(value))
            if not _trusted(type(value)):
                raise TypeError(f"{type(value).__qualname__} is a model of a class of your own, which may keep more")
            for function in value.functions:
                if not isinstance(function, FunctionType):
                    raise TypeError(f"its tool {_name(function)} is no plain function, and may keep what it is told")
                self.functions.setdefault(function)
        elif not isinstance(value, ModuleType | CodeType):
            self.classes.setdefault(type(value))
            return None
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.kept)
            self.kept.append(value)
        return self._numbers[id(value)]

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, FunctionType):
            state = value.__defaults__, value.__kwdefaults__, vars(value)
            return _function, (_Kept(value), value.__closure__), state, None, None, _finished
        if isinstance(value, CellType):
            try:
                return CellType, (), (value.cell_contents,), None, None, _filled
            except ValueError:  # not bound yet
                return CellType, ()
        if isinstance(value, MappingProxyType):
            return MappingProxyType, (dict(value),)
        return NotImplemented


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, kept: list[Any]) -> None:
        super().__init__(file)
        self._kept = kept

    def persistent_load(self, number: int) -> Any:
        return self._kept[number]


class _Kept:
    """What is to be kept as it is, where it stands."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _function(like: FunctionType, closure: tuple[CellType, ...] | None) -> FunctionType:
    made = FunctionType(like.__code__, like.__globals__, like.__name__, None, closure)
    made.__qualname__, made.__module__, made.__doc__ = like.__qualname__, like.__module__, like.__doc__
    return made


def _finished(function: FunctionType, state: tuple[Any, Any, dict[str, Any]]) -> None:
    function.__defaults__, function.__kwdefaults__, own = state
    function.__dict__.update(own)


def _filled(cell: CellType, state: tuple[Any]) -> None:
    (cell.cell_contents,) = state


def _trusted(thing: Any) -> bool:
    name = getattr(thing, "__module__", None) or ""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return name.partition(".")[0] in _TRUSTED or "site-packages" in file or "dist-packages" in file


def _name(value: Any) -> str:
    return getattr(value, "__qualname__", None) or type(value).__qualname__


def _outside(things: list[Any]) -> Iterator[tuple[str, Any]]:
    """The values that classes and functions of an agent's own keep, with their places."""
    yield from ((f"function {each.__qualname__}", _code(each)) for each in things if isinstance(each, FunctionType))
    left, met = things, set[int]()
    while left:
        thing = left.pop()
        if id(thing) in met or _trusted(thing):
            continue
        met.add(id(thing))
        found = _in_class(thing) if isinstance(thing, type) else _in_function(thing)
        for where, value in found:
            if isinstance(value, FunctionType | type):
                left.append(value)
                if where:
                    yield where, _code(value)
            elif not (isinstance(value, ModuleType | BuiltinFunctionType) or hasattr(type(value), "__get__")):
                left.append(type(value))  # whose methods may name further globals
                yield where, value


def _code(thing: FunctionType | type) -> str:
    """What a function does, or a class by its name: what it holds has places of its own."""
    if isinstance(thing, type) or _trusted(thing):
        return f"{thing.__module__}.{thing.__qualname__}"
    return source_of(code := thing.__code__) or f"{code.co_code.hex()} {code.co_consts}"


def _in_class(cls: type) -> Iterator[tuple[str, Any]]:
    for base in cls.__mro__[1:]:
        yield "", base
    for name, value in list(vars(cls).items()):
        if not (name.startswith("__") and name.endswith("__")) or isinstance(value, FunctionType):
            value = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
            yield f"class attribute {cls.__qualname__}.{name}", value


def _in_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield f"global {name} of {function.__module__}", function.__globals__[name]
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *vars(function).values()]
    for number, value in enumerate([*held, *map(_content, function.__closure__ or ())]):
        yield f"default or captured value {number} of {function.__qualname__}", value


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))
