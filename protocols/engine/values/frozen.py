"""JSON values that cannot be changed: lists and dicts as ever, to read, and whoever writes to one is told what to do.

Rule of this file: it freezes values, and knows of what holds them its fields alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import Enum
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar, Union, get_args, get_origin
from typing import Protocol as Structural

from pydantic import BaseModel


class Holding(Structural):
    """What holds values in fields: a move."""

    frozen_fields: ClassVar[tuple[str, ...]]


T = TypeVar("T", bound=Holding)
B = TypeVar("B", bound=BaseModel)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"{name}: data, briefs and moves are shared and cannot be changed; change a copy: copy.deepcopy(…)"
        )

    return refuse


class FrozenList(list[Any]):
    """A list that cannot be changed. What is made of it (`x[:]`, `x + y`, `copy`, `deepcopy`, `pickle`) is a plain list. flat:
    no list, dict or model is in it."""

    __slots__ = ("flat",)
    flat: bool
    append = extend = insert = remove = pop = clear = sort = reverse = _refusal("a list of moot's")
    __setitem__ = __delitem__ = __iadd__ = __imul__ = append

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class FrozenDict(dict[Any, Any]):
    """A dict that cannot be changed. What is made of it (`{**x}`, `x | y`, `copy`, `deepcopy`, `pickle`) is a plain dict."""

    __slots__ = ()
    update = setdefault = pop = popitem = clear = _refusal("a dict of moot's")
    __setitem__ = __delitem__ = __ior__ = update

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


UNCHANGING = frozenset((str, int, float, bool, type(None), bytes))
"""Types whose values nobody can change, and which hold no other."""


def frozen(value: Any) -> Any:
    """A copy of JSON values that nobody can change, of which nothing is shared but what cannot be changed either. A model is
    copied with what it holds frozen, and what is neither list, tuple, dict, set nor model as `deepcopy` does."""
    kind = type(value)
    if kind in UNCHANGING:
        return value
    if kind is FrozenList and getattr(value, "flat", False):
        return _flat(value)
    if kind is dict or kind is FrozenDict:
        made, plain = FrozenDict(value), UNCHANGING
        for key, each in value.items():
            if type(each) not in plain:
                _put(made, key, frozen(each))
        return made
    if isinstance(value, list):
        if UNCHANGING.issuperset(map(type, value)):
            return _flat(value)
        return FrozenList([each if type(each) in UNCHANGING else frozen(each) for each in value])
    if isinstance(value, Mapping):
        return FrozenDict({key: each if type(each) in UNCHANGING else frozen(each) for key, each in value.items()})
    if kind is tuple:
        return tuple([each if type(each) in UNCHANGING else frozen(each) for each in value])
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: frozen(each) for name, each in value})
    return frozenset(value) if isinstance(value, (set, frozenset)) else deepcopy(value)


_put = dict.__setitem__


def _flat(value: list[Any]) -> FrozenList:
    made = FrozenList(value)
    made.flat = True
    return made


def remade(model: B, changes: Mapping[str, Any]) -> B:
    """A model with other values in these fields, none of them validated: `model_copy`, at a quarter of its cost. It is for
    models without private attributes and further fields."""
    made, put = _new(type(model)), object.__setattr__
    put(made, "__dict__", {**model.__dict__, **changes})
    put(made, "__pydantic_fields_set__", model.__pydantic_fields_set__ | changes.keys())
    put(made, "__pydantic_extra__", None)
    put(made, "__pydantic_private__", None)
    return made  # type: ignore[no-any-return]


_new: Callable[[type], Any] = object.__new__


def fixed(model: T) -> T:
    """A move that was just made, the lists and dicts in it frozen in place."""
    for name in model.frozen_fields:
        model.__dict__[name] = frozen(model.__dict__[name])
    return model


def changeable(hint: Any) -> bool:
    """Whether values of a field of this type may hold what can be changed, and are to be frozen. Raises TypeError where
    they could not be: a set has no order that holds, and a model that is not frozen stays open."""
    origin, inner = get_origin(hint), get_args(hint)
    if set in (hint, origin):
        raise TypeError("is a set, whose order differs from process to process; make it a tuple")
    if origin is Annotated:
        return changeable(inner[0])
    if origin in (Union, UnionType, tuple, frozenset):
        return max([changeable(each) for each in inner if each is not ...], default=False)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        if not hint.model_config.get("frozen"):
            raise TypeError(
                f"holds a {hint.__name__}, which can be changed: model_config = ConfigDict(frozen=True) there"
            )
        return max([changeable(each.annotation) for each in hint.model_fields.values()], default=False)
    if origin is not None and origin is not Literal:
        for each in inner:  # list[Part]: frozen as a whole, and what is in it must bear that
            changeable(each)
    return not (origin is Literal or hint in UNCHANGING or (isinstance(hint, type) and issubclass(hint, Enum)))
