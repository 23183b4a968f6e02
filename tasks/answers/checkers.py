"""Checkers: functions from an answer, as it was written, and the right one to a grade from 0 to 1, by name.
Rule: a checker that runs a program is run only where the caller allows it by name; a file that names one allows nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from moot.protocols.engine.errors import UsageError, near, said
from moot.protocols.engine.question import as_shown

Checker = Callable[[str, Any], float | bool]


def exact(answer: str, right: Any) -> bool:
    """Whether an answer is the right one as a reader sees it: white space at the ends and its length, invisible characters and
    the Unicode form of a character do not count, case does. right: a text, a number (then the answer is that number, written as a
    decimal), or a list of texts and numbers, each of which is right. Raises UsageError on anything else."""
    if isinstance(right, list | tuple):
        if not right:
            raise UsageError('the checker "exact" was given no right answer: the list is empty')
        grades = [exact(answer, each) for each in right]  # each of them is looked at, so that one that is none is told
        return any(grades)
    if isinstance(right, str):
        return as_shown(answer) == as_shown(right)
    if isinstance(right, int | float) and not isinstance(right, bool):
        try:
            given = Decimal(as_shown(answer))
            return given.is_finite() and given == Decimal(str(right))
        except InvalidOperation:
            return False
    raise UsageError(
        f'the checker "exact" takes a text, a number or a list of these as the right answer, not {right!r:.80}'
    )


def grade_of(answer: str, right: Any, checker: str = "exact", *, allow: Collection[str] = ()) -> float:
    """The grade of an answer, from 0 to 1.

    checker: "exact"; "math" (`mathematics.py`); "code", which runs the answer (`code.py`); or "module:function" of your own, called
    with the answer and the right one, which returns a number from 0 to 1, or whether it is right. allow: the checkers of the last
    two kinds that may run, by name: what runs a program is not run because a file says so. Raises UsageError on a checker that there is not, may not run,
    or fails, and on a right answer that is none to it: never a grade of 0 for these.
    """
    found = _named(checker, allow)
    try:
        given = found(answer, right)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"the checker {checker} failed: {type(error).__name__}: {said(error)}") from error
    if isinstance(given, bool | int | float | Fraction) and math.isfinite(given) and 0 <= given <= 1:
        return float(given)
    raise UsageError(f"the checker {checker} returned {given!r:.80}; a grade is a number from 0 to 1")


def _named(name: str, allow: Collection[str]) -> Checker:
    if isinstance(allow, str):
        raise UsageError(f"allow is {allow!r}; give a list of names: allow=[{allow!r}]")
    if name == "exact":
        return exact
    if name == "math":
        from moot.tasks.answers.mathematics import equal

        return equal
    if name != "code" and ":" not in name:
        names = ("exact", "math", "code")
        raise UsageError(
            f"there is no checker {name!r}{near(name, names)}; there are {', '.join(names)} and module:function"
        )
    if name not in allow:
        what = "runs the answer as a program" if name == "code" else "is a function that would be imported and called"
        raise UsageError(f"the checker {name} {what}, on this machine; where you want that, say allow=[{name!r}]")
    if name == "code":
        from moot.tasks.answers.code import passes

        return passes
    from moot.agents.program import object_at

    made = object_at(name)
    if not callable(made):
        raise UsageError(f"the checker {name} is {made!r:.80}, which cannot be called")
    return made  # type: ignore[no-any-return]
