"""From whatever an agent returned to a move, and to what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from moot.protocols.engine.errors import Illegal, first_problem
from moot.protocols.engine.moves import Move


def typed(reply: Any, kinds: tuple[type[Move], ...]) -> Move:
    """A reply as a move of one of `kinds`, validated: one made by `model_construct` or `model_copy` was not. Raises Illegal
    saying what is wrong with it."""
    if type(reply) is dict and len(kinds) == 1:
        try:
            return kinds[0].__pydantic_validator__.validate_python(reply)  # type: ignore[no-any-return]
        except ValidationError:
            pass  # said again below, with what is wrong
    names = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(reply, kinds):
        try:
            return type(reply).__pydantic_validator__.validate_python(reply)  # type: ignore[no-any-return]
        except ValidationError as error:
            raise Illegal(f"not a {type(reply).__name__}: {first_problem(error)}") from None
    if not isinstance(reply, dict):
        raise Illegal(f"a {type(reply).__name__} was given where a {names} was asked for")
    wanted = reply.get("kind")
    chosen = kinds if wanted is None else [kind for kind in kinds if _name_of(kind) == wanted]
    if len(chosen) != 1:
        raise Illegal(f"kind {wanted!r} was given where a {names} was asked for")
    try:
        return chosen[0].__pydantic_validator__.validate_python(reply)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise Illegal(f"not a {names}: {first_problem(error)}") from None


@cache
def _name_of(kind: type[Move]) -> Any:
    return kind.model_fields["kind"].default


def recorded(
    reply: Any, kinds: tuple[type[Move], ...], check: Callable[[Any], Move] | None, rule: str
) -> tuple[Any, str]:
    """An illegal reply as JSON values, with the rule that this form breaks: what replay will be given, and must find.

    rule: the one that the reply itself broke, for when its JSON form breaks none.
    """
    for form in (as_data(reply), {"repr": shown(reply)}):
        try:
            given = typed(form, kinds)
            written(given if check is None else check(given))
        except Illegal as error:
            return form, printable(str(error))
    return as_data(reply), printable(rule)


def as_data(reply: Any) -> Any:
    """Anything an agent returned, as JSON values; what has no JSON form becomes its repr."""
    try:
        return from_json(to_json(reply), allow_inf_nan=False)
    except Exception:
        return {"repr": shown(reply)}


def shown(reply: Any) -> str:
    """The repr of anything, shortened, as text that can be written."""
    try:
        text = repr(reply)[:2000]
    except Exception:
        text = f"<{type(reply).__name__}, which has no repr>"
    return printable(text)


def written(move: Move) -> bytes:
    """A move as JSON. Raises Illegal when it has no such form (lone surrogates, in a move made without validation)."""
    try:
        return to_json(move)
    except ValueError as error:
        raise Illegal(f"not a {type(move).__name__}: it cannot be written as JSON: {error}") from None


def printable(text: str) -> str:
    """Text from outside as it can be recorded: lone surrogates, which no encoding has, are written out."""
    return text.encode("utf-8", "backslashreplace").decode()
