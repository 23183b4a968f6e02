"""From whatever an agent returned to a move, and to what is recorded of it.

Rule of this file: functions of a reply and the ask that it answers; nothing here changes a play.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from moot.protocols.engine.errors import Illegal, first_problem
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.steps import AskEffect
from moot.protocols.engine.values.frozen import fixed

_MOST_RULES = 9  # that one move of history may break


def accepted(reply: Any, ask: AskEffect) -> tuple[Move, Move, bytes, bytes | None]:
    """A reply as the move that was given, the move as it goes on the record, and both as JSON, the former where it is another
    one. Lone surrogates, which no file holds, are written out.

    Raises Illegal when it is none of the kinds asked for, a verdict over other choices than those of the question that the
    seat was shown, or against the ask's own check.
    """
    given = typed(reply, ask.kinds)
    try:
        return _checked(given, ask)
    except UnicodeError:
        cleaned = typed(as_data(given.model_dump()), (type(given),))
    try:
        return _checked(cleaned, ask)
    except UnicodeError as error:
        raise Illegal(f"not a {type(given).__name__}: it cannot be written down: {error}") from None


def _checked(given: Move, ask: AskEffect) -> tuple[Move, Move, bytes, bytes | None]:
    if isinstance(given, Verdict) and (problem := misfit(given, len(ask.view.question.choices))) is not None:
        raise Illegal(problem)
    check = ask.check
    if check is None or (move := check(given)) is given:
        return given, given, written(given), None
    same = type(fixed(move)) is type(given) and move.__dict__ == given.__dict__  # all that a move has to compare
    raw = None if same else written(given)
    return given, move, written(move), raw


def tolerated(reply: Any, ask: AskEffect) -> tuple[Any, Move, bytes, str]:
    """A reply that breaks rules and was accepted all the same by the system whose play is told here: as it was given, as it
    goes on the record, that as JSON, and the rules that it breaks. Raises Illegal when the play cannot go on with it."""
    rules: list[str] = []
    try:
        given: Any = typed(reply, ask.kinds)
        move: Move = given
    except Illegal as error:
        given = as_data(reply)
        kinds = ask.kinds if isinstance(given, dict) else ()
        found = [made for kind in kinds if (made := kind.taken_from(given)) is not None]
        if len(found) != 1:
            raise
        (move,) = found
        rules.append(str(error))
    if isinstance(move, Verdict) and (problem := misfit(move, len(ask.view.question.choices))) is not None:
        raise Illegal(problem)
    stands: Callable[[], Any] | None = None if ask.check is None else partial(ask.check, move)
    while stands is not None:
        try:
            move, stands = stands(), None
        except Illegal as error:
            if (stands := error.stands) is None or len(rules) == _MOST_RULES:
                raise
            rules.append(str(error))
    return given, fixed(move), written(move), "; ".join(rules)


def misfit(verdict: Verdict, choices: int) -> str | None:
    """What is wrong with a verdict where there are so many choices; None when nothing is, as it is of an open question."""
    count = len(verdict.probabilities)
    return None if choices in (0, count) else f"the verdict has {count} probabilities for {choices} choices"


def typed(reply: Any, kinds: tuple[type[Move], ...]) -> Move:
    """A reply as a move of exactly one of `kinds`, made anew from its fields and validated: how a class of the agent's own
    counts, shows or compares itself is not asked. Raises Illegal saying what is wrong with it.

    A move of a subclass is taken for one of the nearest kind asked for; a field that this does not have is Illegal, as it
    is in a dict."""
    given = type(reply)
    if given is dict and len(kinds) == 1:
        try:
            return fixed(kinds[0].__pydantic_validator__.validate_python(reply))  # type: ignore[no-any-return]
        except ValidationError:
            pass  # said again below, with what is wrong
    kind = kinds[0] if given is kinds[0] else _asked(given, kinds)
    if kind is not None:
        fields = reply if kind is given else _fields_of(reply, kind)
        try:
            return fixed(kind.__pydantic_validator__.validate_python(fields))  # type: ignore[no-any-return]
        except ValidationError as error:
            raise Illegal(f"not a {kind.__name__}: {first_problem(error)}") from None
    names = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(reply, dict):
        raise Illegal(f"a {given.__name__} was given where a {names} was asked for")
    wanted = reply.get("kind")
    chosen = kinds if wanted is None else [kind for kind in kinds if _name_of(kind) == wanted]
    if len(chosen) != 1:
        raise Illegal(f"kind {wanted!r} was given where a {names} was asked for")
    try:
        return fixed(chosen[0].__pydantic_validator__.validate_python(reply))  # type: ignore[no-any-return]
    except ValidationError as error:
        raise Illegal(f"not a {names}: {first_problem(error)}") from None


def _asked(given: type, kinds: tuple[type[Move], ...]) -> type[Move] | None:
    """The kind that a class is, or derives from nearest: by identity, which no class can feign."""
    for kind in kinds:
        if kind is given:
            return kind
    bases = type.__dict__["__mro__"].__get__(given)
    return next((kind for base in bases for kind in kinds if kind is base), None)


def _fields_of(reply: Any, kind: type[Move]) -> dict[str, Any]:
    """The fields of a move of a subclass of `kind`. Raises Illegal on one that `kind` does not have."""
    name = type(reply).__name__
    try:
        fields = {**reply.__dict__, **(reply.__pydantic_extra__ or {})}
    except Exception as error:
        raise Illegal(
            f"a {name} was given where a {kind.__name__} was asked for, and has no fields: {error!r:.200}"
        ) from None
    fields.pop("kind", None)
    if more := [field for field in fields if field not in kind.model_fields]:
        raise Illegal(
            f"a {name} was given where a {kind.__name__} was asked for, which has no field {more[0]!r}: give a "
            f"{kind.__name__}, and what the transcript is to keep besides to request.note"
        )
    return fields


@cache
def _name_of(kind: type[Move]) -> Any:
    return kind.model_fields["kind"].default


def recorded(reply: Any, ask: AskEffect, rule: str) -> tuple[Any, str]:
    """An illegal reply as JSON values, with the rule that this form breaks: what replay will be given, and must find.

    rule: the one that the reply itself broke, for when its JSON form breaks none.
    """
    data, given = as_data(reply), type(reply)
    near = _asked(given, ask.kinds)
    if near not in (None, given) and isinstance(data, dict) and "repr" not in data:
        data["kind"] = _name_of(near)  # what is wrong with it as the kind that it was taken for
    for form in (data, {"repr": shown(reply)}):
        try:
            accepted(form, ask)
        except Illegal as error:
            return form, printable(str(error))
    return data, printable(rule)


def as_data(value: Any) -> Any:
    """Anything from outside as JSON values: what has no JSON form, or is no finite number, becomes its repr, and lone
    surrogates are written out."""
    try:
        return from_json(to_json(value), allow_inf_nan=False, cache_strings="keys")
    except Exception:
        return _in_parts(value) if isinstance(value, (str, Mapping, list, tuple)) else {"repr": shown(value)}


def _in_parts(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """The same, part by part, of what is not JSON as a whole. inside: what it stands in, which it may hold again."""
    if isinstance(value, str):
        return printable(value)
    if id(value) not in inside and len(inside) < 50:
        inside = (*inside, id(value))
        if isinstance(value, Mapping):
            names = ((key if isinstance(key, str) else shown(key), each) for key, each in value.items())
            return {printable(name): _in_parts(each, inside) for name, each in names}
        if isinstance(value, (list, tuple)):
            return [_in_parts(each, inside) for each in value]
    try:
        return from_json(to_json(value), allow_inf_nan=False, cache_strings="keys")
    except Exception:
        return shown(value)


def shown(reply: Any) -> str:
    """The repr of anything, shortened, as text that can be written."""
    try:
        text = repr(reply)[:2000]
    except BaseException:
        text = f"<{type(reply).__name__}, which has no repr>"
    return printable(text)


def written(move: Move) -> bytes:
    """A move as JSON. Raises UnicodeError where it holds lone surrogates, and Illegal when it has no such form."""
    try:
        return to_json(move)
    except ValueError as error:
        if "surrogates" in str(error):
            raise UnicodeError(str(error)) from None
        raise Illegal(f"not a {type(move).__name__}: it cannot be written as JSON: {error}") from None


def printable(text: str) -> str:
    """Text from outside as it can be recorded: lone surrogates, which no encoding has, are written out."""
    return text.encode("utf-8", "backslashreplace").decode()
