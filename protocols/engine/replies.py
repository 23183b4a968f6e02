"""From whatever an agent returned to a move, and to what is recorded of it.

Rule of this file: functions of a reply and the ask that it answers; nothing here changes a play.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.steps import AskEffect


def accepted(reply: Any, ask: AskEffect) -> tuple[Move, Move, bytes]:
    """A reply as the move that was given, the move as it goes on the record, and that as JSON.

    Raises Illegal when it is none of the kinds asked for, a verdict over other choices than those of the question that the
    seat was shown, or against the ask's own check.
    """
    given = typed(reply, ask.kinds)
    if isinstance(given, Verdict) and (problem := misfit(given, len(ask.view.question.choices))) is not None:
        raise Illegal(problem)
    move = given if ask.check is None else ask.check(given)
    return given, move, written(move)


def misfit(verdict: Verdict, choices: int) -> str | None:
    """What is wrong with a verdict where there are so many choices; None when nothing is, as it is of an open question."""
    count = len(verdict.probabilities)
    return None if choices in (0, count) else f"the verdict has {count} probabilities for {choices} choices"


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
            raise Illegal(f"not a {type(reply).__name__}: {_first(error)}") from None
    if not isinstance(reply, dict):
        raise Illegal(f"a {type(reply).__name__} was given where a {names} was asked for")
    wanted = reply.get("kind")
    chosen = kinds if wanted is None else [kind for kind in kinds if _name_of(kind) == wanted]
    if len(chosen) != 1:
        raise Illegal(f"kind {wanted!r} was given where a {names} was asked for")
    try:
        return chosen[0].__pydantic_validator__.validate_python(reply)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise Illegal(f"not a {names}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


@cache
def _name_of(kind: type[Move]) -> Any:
    return kind.model_fields["kind"].default


def recorded(reply: Any, ask: AskEffect, rule: str) -> tuple[Any, str]:
    """An illegal reply as JSON values, with the rule that this form breaks: what replay will be given, and must find.

    rule: the one that the reply itself broke, for when its JSON form breaks none.
    """
    for form in (as_data(reply), {"repr": shown(reply)}):
        try:
            accepted(form, ask)
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
