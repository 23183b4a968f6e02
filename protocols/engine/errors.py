"""What can go wrong, split by who is to blame. Every message says what happened, where, and what to do.

Rule of this file: exceptions, and what their messages share; it imports nothing of moot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class MootError(Exception):
    """Anything that moot itself raises."""


class UsageError(MootError):
    """The caller's fault: a bad question, seat, budget expression, file or option."""


class ProtocolError(MootError):
    """The protocol's fault: it awaited something other than its floor, or broke a rule of the engine."""


class CostError(ProtocolError):
    """The fault of a class of moves: what it says that reading it costs cannot be charged. Nothing of it is shown."""


class AgentError(MootError):
    """The agent's fault: it failed, or what it sent back cannot be read as a move."""


class Illegal(MootError):
    """A move that the protocol does not accept. Raised by the `check` of an ask; the message names the rule.

    stands: makes the move as it goes on the record where it is history, accepted by another system, because the play can go
    on with it all the same (it is too long, or empty); it may raise Illegal for the next rule. None where the play cannot
    go on (it takes a choice that there is not).
    """

    def __init__(self, rule: str = "", stands: Callable[[], Any] | None = None) -> None:
        super().__init__(rule)
        self.stands = stands


@contextmanager
def standing(stands: Callable[[], Any]) -> Iterator[None]:
    """What is illegal inside is so for its form alone: as history it stands as `stands` makes it."""
    try:
        yield
    except Illegal as error:
        raise Illegal(str(error), stands) from None


class BudgetExceeded(MootError):
    """A bounded seat asked for more than it may spend.

    `used` is what the spending would have come to, in the unit of `measure`; `limit` is what was allowed.
    """

    def __init__(self, measure: str, used: int | float, limit: int | float) -> None:
        super().__init__(f"{measure}: {used} would be over the limit of {limit}")
        self.measure, self.used, self.limit = measure, used, limit


class TranscriptError(MootError):
    """A saved transcript that is torn, edited, newer than this moot, or not one at all."""


class SealedElsewhere(TranscriptError):
    """The truth of a play is sealed in a file that is not here: it is unknown, and nothing is scored by it."""


class ReplayDivergence(MootError):
    """A replayed play did not do what the recording says: `field` of `step` was `expected`, and came out as `got`."""

    def __init__(self, step: str, field: str, expected: object, got: object) -> None:
        where = f"replay diverged at step {step or '(whole play)'}"
        super().__init__(f"{where}: {field} was {expected!r} in the recording and is {got!r} now")
        self.step, self.field, self.expected, self.got = step, field, expected, got


def said(error: BaseException) -> str:
    """What an exception says, in at most 4,000 characters, whatever its class does when it is asked."""
    try:
        return str(error)[:4000]
    except BaseException as failure:
        return f"<its message cannot be read: {type(failure).__name__}>"


def near(name: object, known: Iterable[str]) -> str:
    """ "; did you mean …?" with the known name that is most like this one; nothing where none is like it."""
    found = get_close_matches(str(name), list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def nearest(name: object, known: list[str]) -> str:
    """The end of a message about an unknown name: the nearest one that is known, and all of them."""
    return f"{near(name, known)} (known: {', '.join(known)})"


def first_problem(error: ValidationError, whole: str = "") -> str:
    """The first thing that pydantic found wrong, as "place: what"; `whole` stands for the place where it is in no part."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"


def line_of(error: BaseException, protocol: Any) -> str:
    """Where in the protocol's own file an error came from; if it never was there, the innermost line outside the engine."""
    own, place, other = type(protocol).play.__code__.co_filename, "", ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == own:
            place = f"{file}:{trace.tb_lineno}"
        elif Path(file).parent != Path(__file__).parent or not other:
            other = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place or other


def line_at(inner: Any, protocol: Any) -> str:
    """The line of the protocol's own file at which a coroutine waits; where it never is there, its outermost line."""
    own, place = type(protocol).play.__code__.co_filename, ""
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        if frame.f_code.co_filename == own or not place:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        inner = getattr(inner, "cr_await", None)
    return place or own
