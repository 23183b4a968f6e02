"""Every move of a kind whose fields are finite, for searches that try them all.
Rule: it reads the fields of a class; which moves are legal at a step is for the protocol to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cache
from itertools import islice, product
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

Options = Callable[[Request], Iterable[Move]] | None
"""What a free seat may do: a function from the request to the moves worth trying (those that the protocol finds illegal
are passed over), or None for every move of the kinds asked for."""

MOST = 10_000
"""The most moves of one kind that are listed."""
_INSTEAD = "give a function from the request to the moves worth trying instead of None"


class _Endless(Exception):
    """A field that has no finite list of values."""


@cache
def every_move(kinds: tuple[type[Move], ...]) -> tuple[Move, ...]:
    """Every move of `kinds`, in the order of fields and values.

    Finite are Literal, bool, None, enumerations, integers bounded on both sides, and unions of these. A field that is not
    finite stays at its default. Raises UsageError when it has none, or the moves are more than MOST.
    """
    return tuple(move for kind in kinds for move in _of(kind))


def _of(kind: type[Move]) -> Iterator[Move]:
    names, columns, count = [], [], 1
    for name, field in kind.model_fields.items():
        try:
            values = list(islice(_values(field.annotation, tuple(field.metadata)), MOST + 1))
        except _Endless:
            if field.is_required():
                why = f"cannot be listed: its field {name!r} is neither finite nor has a default"
                raise UsageError(f"the moves of kind {kind.__name__} {why}; {_INSTEAD}") from None
            continue
        names.append(name)
        columns.append(values)
        count *= len(values)
        if count > MOST:
            raise UsageError(f"kind {kind.__name__} has more than {MOST} moves; {_INSTEAD}")
    for row in product(*columns):
        yield kind.model_validate(dict(zip(names, row, strict=True)))


def _values(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _values(inner, (*metadata, *more))
    elif origin is Literal:
        yield from get_args(annotation)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _values(part, metadata)
    elif annotation is bool:
        yield from (False, True)
    elif annotation is type(None):
        yield None
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from annotation
    elif annotation is int:
        yield from _integers(metadata)
    else:
        raise _Endless


def _integers(metadata: tuple[Any, ...]) -> range:
    rules = [part for piece in metadata for part in getattr(piece, "metadata", (piece,))]

    def bounds(inclusive: str, strict: str, step: int) -> list[int]:
        named = ((getattr(rule, name, None), more) for rule in rules for name, more in ((inclusive, 0), (strict, step)))
        return [value + more for value, more in named if value is not None]

    low, high = bounds("ge", "gt", 1), bounds("le", "lt", -1)
    if not low or not high:
        raise _Endless
    return range(max(low), min(high) + 1)
