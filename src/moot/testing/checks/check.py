"""How a law is examined: drawn plays of one protocol, and a message with the smallest one that breaks the law.

Rule: no law stands here, and nothing here knows one; `laws` lists them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, NoReturn

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from moot.complexity.play import path_of
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.hand import Hand, Script, Unscripted, bodies
from moot.testing.strategies import Moves, orders, questions_for, takes
from moot.testing.strategies import moves as any_moves
from moot.transcripts.transcript import Transcript

Questions = st.SearchStrategy[Question] | Sequence[Question] | Question
Bodies = Mapping[str, list[bytes]]
Limits = Mapping[str, Mapping[str, int | float]]
MOST = 500  # moves after which a play is taken to have no end
PATIENCE = 5.0  # seconds that are given to finding a smaller play that breaks a law


class _Enough(BaseException):
    """Ends the search for a smaller example. Hypothesis lets through what is no Exception."""


class LawBroken(AssertionError):
    """A protocol breaks a law. `law` is its name; the message holds the smallest play found that shows it."""

    def __init__(self, law: str, message: str) -> None:
        super().__init__(message)
        self.law = law


class NotExamined(UserWarning):
    """A law could not be examined for a protocol: nobody knows whether it is kept."""


class Unexamined(Exception):
    """Raised by a law that cannot be examined in this case; the message says why."""


class Case:
    """One drawn case: a question, a seed, and what the seats say. A law plays it, plays it otherwise, and compares."""

    def __init__(
        self, law: Law, protocol: Protocol, data: st.DataObject, question: Question, moves: Moves, seats: Mapping[str, Any]
    ) -> None:  # fmt: skip
        self.law, self.protocol, self.draw, self.question = law, protocol, data.draw, question
        self.seed: int = self.draw(st.integers(0, 99))
        self._moves, self.seats = moves, seats
        self.script = self.fresh()

    def under(self, law: Law) -> Case:
        """This case for another law: the same question, seed and replies, the latter in a script of its own."""
        other = copy(self)
        other.law, other.script = law, self.fresh()
        other.script.seats = dict(self.script.seats)
        other.script.replies = {step: list(said) for step, said in self.script.replies.items()}
        return other

    def order(self) -> list[int]:
        """An order of completion."""
        return list(self.draw(orders()))

    def fresh(self, mark: Callable[[Request, Move], Move] | None = None) -> Script:
        """An empty script whose replies are drawn."""
        return Script(self.draw, self._moves, self.seats, mark)

    def hand(self, question: Question | None = None, **options: Any) -> Hand:
        """This case at its first asks, to be stepped, with options of `Hand`. A protocol that fails breaks the law here."""
        asked = question or self.question
        made: Hand = self.attempt(Hand, self.protocol, asked, self.script, seed=self.seed, **options)
        return made

    def play(self, order: Sequence[int] = (), **options: Any) -> Hand:
        """This case played to its end in the given order."""
        hand = self.hand(**options)
        self.attempt(hand.run, order, MOST)
        if hand.game.outcome is None:
            self.broken(f"the play has not ended after {MOST} moves; every play must come to an outcome")
        return hand

    def attempt(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call `call`; what fails in it is the protocol's doing, and said so."""
        try:
            return call(*given, **named)
        except Unscripted as error:
            self.broken(f"the play took another way when nothing but the order or the time was another: {error}")
        except (UsageError, LawBroken):
            raise
        except (MootError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            self.broken(f"{type(error).__name__}: {error}")

    def broken(self, what: str) -> NoReturn:
        """Raise LawBroken with this case in the message."""
        raise LawBroken(
            self.law.__name__,
            f"{self.law} is broken by {shown(self.protocol)}:\n  {what}\n"
            f"  question: {self.question!r}\n  seed: {self.seed}\n  moves, by step:\n{self.script}",
        )

    def same(self, one: Bodies, other: Bodies, how: str) -> None:
        """Break the law unless two plays of this case said the same at every step."""
        for step in (*sorted({*one, *other} - {""}, key=path_of), ""):
            if one.get(step) != other.get(step):
                where = f"step {step}" if step else "the opening or outcome"
                self.broken(
                    f"{how}, {where} came out differently:\n    {_text(one.get(step))}\n    {_text(other.get(step))}"
                )

    def alike(self, hand: Hand, driven: Transcript, how: str) -> None:
        """Break the law unless a play by the driver is that of the hand."""
        if driven.digest != hand.transcript.digest:
            self.same(hand.bodies, bodies(driven), how)
            self.broken(f"{how}, the digest came out differently")


def _text(said: list[bytes] | None) -> str:
    text = "nothing" if said is None else b"; ".join(said).decode()
    return text if len(text) <= 600 else text[:600] + "…"


def shown(protocol: Protocol) -> str:
    """A protocol for a message: its class with the parameters that are not at their defaults."""
    given = ", ".join(f"{name}={getattr(protocol, name)!r}" for name in type(protocol).model_fields
                      if name in protocol.model_fields_set)  # fmt: skip
    return f"{type(protocol).__name__}({given})"


class Law:
    """A law as it is called: `laws.blind(MyProtocol())`. Raises LawBroken; UsageError when nothing can be played.

    The arguments are those of `check_protocol`. body: examines one case. says: the law in one sentence.
    """

    def __init__(self, body: Callable[[Case], None], says: str) -> None:
        self.body, self.says, self.__name__ = body, says, body.__name__
        self.__doc__ = f"{says[0].upper()}{says[1:]}. {body.__doc__ or ''}".strip()

    def __str__(self) -> str:
        return f'law "{self.__name__}" ({self.says})'

    def __call__(
        self, protocol: Protocol, *, questions: Questions | None = None, moves: Moves | None = None, examples: int = 50,
        seats: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        examine([self], protocol, questions=questions, moves=moves, examples=examples, seats=seats)


def examine(
    laws: Sequence[Law], protocol: Protocol, *, questions: Questions | None, moves: Moves | None, examples: int,
    seats: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    """Examine drawn plays under each of the laws. What is said in a play is drawn once and is the same for all of them,
    as drawing takes longer than playing."""
    among, found, at = asked(protocol, questions), list[tuple[float, LawBroken]](), laws[0]
    unknown: dict[Law, str] = {}

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=tuple(HealthCheck),  # pyright: ignore[reportArgumentType]
        print_blob=False, report_multiple_bugs=False, phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(data=st.data())
    def examined(data: st.DataObject) -> None:
        nonlocal at
        if found and time.monotonic() > found[0][0] + PATIENCE:
            raise _Enough
        first = Case(laws[0], protocol, data, data.draw(among), moves or any_moves, seats or {})
        for at in laws:
            try:
                at.body(first if at is laws[0] else first.under(at))
            except Unexamined as reason:
                unknown.setdefault(at, str(reason))
            except LawBroken as error:
                found.append((time.monotonic(), error))
                raise

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)
            examined()
    except LawBroken as error:
        raise LawBroken(error.law, str(error)) from error.__cause__
    except (_Enough, Flaky) as error:
        if found and time.monotonic() > found[0][0] + PATIENCE:  # Flaky then speaks of the search that was ended
            smallest = min((broken for _, broken in found), key=lambda broken: len(str(broken)))
            raise LawBroken(smallest.law, str(smallest)) from smallest.__cause__
        again = "it did not do so every time: the protocol looks at something other than its floor"
        if found:
            raise LawBroken(found[-1][1].law, f"{found[-1][1]}\n  ({again})") from None
        raise LawBroken(at.__name__, f"{at} cannot be examined: {shown(protocol)} asks for other moves when it is "
                        f"given the same ones: {again} ({error})") from None  # fmt: skip
    for each, reason in unknown.items():
        warnings.warn(f"{each} was not examined for {shown(protocol)}: {reason}", NotExamined, stacklevel=3)


def law(says: str) -> Callable[[Callable[[Case], None]], Law]:
    """Make a law of a function that examines one case. `says`: the law in one sentence."""
    return lambda body: Law(body, says)


def asked(protocol: Protocol, questions: Questions | None) -> st.SearchStrategy[Question]:
    """The questions that a law is examined on. Raises UsageError when there is none, or the protocol takes one of them not."""
    if not isinstance(protocol, Protocol):
        raise UsageError(f"a law takes a protocol, made: MyProtocol(), not {protocol!r}")
    if questions is None:
        return questions_for(protocol)
    if isinstance(questions, st.SearchStrategy):
        return questions
    listed = [questions] if isinstance(questions, Question) else list(questions)
    unfit = [question for question in listed if not takes(protocol, question)]
    if unfit or not listed:
        not_taken = f"{protocol.name} does not take the question " + "".join(repr(each.text) for each in unfit[:1])
        raise UsageError(not_taken if unfit else "questions= is empty")
    return st.sampled_from(listed)
