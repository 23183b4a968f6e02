"""Every move that may be made at a step where there are finitely many, for searches that try them all.
Rule: it reads the fields of a class, the brief and what the protocol says; which moves are legal is for the protocol's check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from itertools import chain, combinations, islice, product
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.request import Request

Options = Callable[[Request], Iterable[Move]] | None
"""What a free seat may do: a function from the request to the moves worth trying (those that the protocol finds illegal
are passed over), or None for what the protocol says (`Protocol.worth_trying`) or, where it says nothing, for every move of
the kinds asked for that `every_move` finds."""

MOST = 10_000
"""The most moves of one kind that are listed."""
_INSTEAD = "give a function from the request to the moves worth trying instead of None"
_LIMITS = ("one_of", "below", "least", "most")


class _Endless(Exception):
    """A field that has no finite list of values."""


class Offer(NamedTuple):
    """The moves that a search tries. narrowed: where others may be allowed, by kind and field, and which of them alone it tries."""

    moves: tuple[Move, ...]
    narrowed: tuple[str, ...] = ()


class _Told(NamedTuple):
    """What is told of one field. texts: those that it, or an entry of it, may be. below: the first number that is too large.
    least, most: how long the list is."""

    texts: tuple[str, ...] | None
    below: int | None
    least: int
    most: int | None


def offered(request: Request) -> Offer:
    """What a search tries where nobody gave it a list. Raises UsageError as `every_move` does."""
    protocol = None if request.facts is None else request.facts.protocol
    if protocol is None or not protocol.tells("worth_trying") or (own := protocol.worth_trying(request)) is None:
        return listed(request.kinds, request.brief, request.view.question.choices)
    kinds = ", ".join(kind.__name__ for kind in request.kinds)
    return Offer(tuple(own), (f"{kinds}: what {protocol.name} finds worth trying",))


def offered_at(game: Game, step: str, narrowed: dict[str, None]) -> tuple[Sequence[Move], bool]:
    """The moves at an open step of a game, and whether they are those of a list that is kept; to `narrowed`, what they leave out. A
    request is made where the protocol has something of its own to say, and no other. The UsageError says who is asked, and where."""
    waiting = game.open[step]
    ask, inside = waiting.ask, waiting.branch
    while inside.play is None and inside.parent is not None:
        inside = inside.parent
    protocol = game.protocol if inside.play is None else inside.play.protocol
    try:
        kept = not protocol.tells("worth_trying")
        if kept:
            offer = listed(ask.kinds, ask.brief, ask.view.question.choices)
        else:
            offer = offered(game.request(step))
    except UsageError as error:
        raise UsageError(f"{protocol.name}: step {step}: seat {ask.seat!r} has no finite options: {error}") from None
    narrowed.update(dict.fromkeys(offer.narrowed))
    return offer.moves, kept


def every_move(
    kinds: tuple[type[Move], ...], brief: Mapping[str, Any] | None = None, choices: Sequence[str] = ()
) -> tuple[Move, ...]:
    """Every move of `kinds`, in the order of fields and values.

    Finite are Literal, bool, None, enumerations, integers bounded on both sides, and unions of these; by the `brief`, texts that
    are `one_of` some, integers `below` a bound, and lists of such values of which it says how long they are; of the `choices` of
    a question, the number or the text of one. Of texts in a list no order and no repetition is tried. What the protocol fills in,
    and what is not finite, stays at its default. Raises UsageError when it has none, or the moves are more than MOST.
    """
    return listed(kinds, brief, choices).moves


def listed(kinds: tuple[type[Move], ...], brief: Mapping[str, Any] | None = None, choices: Sequence[str] = ()) -> Offer:
    """The same, and what it leaves out: a brief tells, and forbids nothing."""
    limits: tuple[Any, ...] = ()
    if brief and not brief.keys().isdisjoint(_LIMITS):
        limits = tuple((limit, name, tuple(map(str, told)) if limit == "one_of" else int(told))
                       for limit in _LIMITS for name, told in (brief.get(limit) or {}).items())  # fmt: skip
    return _listed(kinds, limits, tuple(choices))


@lru_cache(maxsize=64)
def _listed(kinds: tuple[type[Move], ...], limits: tuple[Any, ...], choices: tuple[str, ...]) -> Offer:
    told, narrowed = {(limit, name): value for limit, name, value in limits}, list[str]()
    return Offer(tuple(move for kind in kinds for move in _of(kind, told, choices, narrowed)), tuple(narrowed))


def _of(
    kind: type[Move], told: Mapping[tuple[str, str], Any], choices: tuple[str, ...], narrowed: list[str]
) -> Iterator[Move]:
    names, columns, count = [], [], 1
    for name, field in kind.model_fields.items():
        if name in kind.filled and not field.is_required():
            continue
        limits = _Told(
            told.get(("one_of", name)), told.get(("below", name)), told.get(("least", name), 0), told.get(("most", name))
        )  # fmt: skip
        try:
            values = list(islice(_field(field, limits, choices), MOST + 1))
        except _Endless:
            if field.is_required():
                why = f"cannot be listed: its field {name!r} is neither finite nor has a default"
                raise UsageError(f"the moves of kind {kind.__name__} {why}; {_INSTEAD}") from None
            narrowed.append(f"{kind.__name__}.{name}: its default")
            continue
        if any((limit, name) in told for limit in _LIMITS):
            once = ", each once and in that order" if values and isinstance(values[0], tuple) and limits.texts else ""
            narrowed.append(f"{kind.__name__}.{name}: what the brief tells{once}")
        elif choices and any(isinstance(each, Asked) and each.choices for each in field.metadata):
            narrowed.append(f"{kind.__name__}.{name}: the choices of the question")
        names.append(name)
        columns.append(values)
        count *= len(values)
        if count > MOST:
            raise UsageError(f"kind {kind.__name__} has more than {MOST} moves; {_INSTEAD}")
    for row in product(*columns):
        try:
            yield kind.model_validate(dict(zip(names, row, strict=True)))
        except ValidationError:  # the class refuses these values together
            continue


def _field(field: FieldInfo, told: _Told, choices: tuple[str, ...]) -> Iterator[Any]:
    asked = next((each for each in field.metadata if isinstance(each, Asked)), None)
    if asked is not None and choices and told.texts is None:
        if asked.choices == "number":
            return iter(range(len(choices)))
        if asked.choices == "text":
            told = told._replace(texts=(*choices, *asked.besides))
    return _values(field.annotation, tuple(field.metadata), told)


def _values(annotation: Any, metadata: tuple[Any, ...], told: _Told) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _values(inner, (*metadata, *more), told)
    elif origin is Literal:
        yield from (value for value in get_args(annotation) if told.texts is None or value in told.texts)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _values(part, metadata, told)
    elif annotation is bool:
        yield from (False, True)
    elif annotation is type(None):
        yield None
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from annotation
    elif annotation is int:
        yield from _integers(metadata, told.below)
    elif annotation is str and told.texts is not None:
        yield from dict.fromkeys(told.texts)
    elif origin is list or (origin is tuple and get_args(annotation)[1:] == (...,)):
        yield from _lists(get_args(annotation)[0], told)
    else:
        raise _Endless


def _lists(entry: Any, told: _Told) -> Iterator[tuple[Any, ...]]:
    """Lists of texts, each a part of those that there are; lists of other values, of every length that is told."""
    if told.texts is not None:
        texts = list(dict.fromkeys(told.texts))
        sizes = range(told.least, min(len(texts) if told.most is None else told.most, len(texts)) + 1)
        yield from chain.from_iterable(combinations(texts, size) for size in sizes)
        return
    if told.most is None:
        raise _Endless
    values = list(islice(_values(entry, (), told), MOST + 1))
    yield from chain.from_iterable(product(values, repeat=size) for size in range(told.least, told.most + 1))


def _integers(metadata: tuple[Any, ...], below: int | None) -> range:
    """Those within the bounds of the type and below what is told, which are numbers from 0 on where the type has no least one."""
    rules = [part for piece in metadata for part in getattr(piece, "metadata", (piece,))]

    def bounds(inclusive: str, strict: str, step: int) -> list[int]:
        named = ((getattr(rule, name, None), more) for rule in rules for name, more in ((inclusive, 0), (strict, step)))
        return [value + more for value, more in named if value is not None]

    low, high = bounds("ge", "gt", 1), bounds("le", "lt", -1)
    if below is not None:
        low, high = low or [0], [*high, below - 1]
    if not low or not high:
        raise _Endless
    return range(max(low), min(high) + 1)
