"""What program agents share, and how the programs of a task play a protocol, as data.

Rule of this file: it knows no program, no protocol and no task by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, ClassVar, NamedTuple

from moot.complexity.rules import Look
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.family import Family

Options = Mapping[str, Any] | Callable[[Question], Mapping[str, Any]]


class Play(NamedTuple):
    """How programs play a protocol. cast: role or seat to program. bound: what the judge may spend, a polynomial in n in
    which {reads} stands for the task's `reads`. options: parameters of the protocol, or what makes them of a question.
    What is None is as in the general play of the protocol."""

    cast: Mapping[str, str] | None = None
    bound: str | None = None
    options: Options | None = None

    def over(self, general: Play) -> Play:
        """The same, with what is None taken from another play."""
        return general._replace(**{name: own for name, own in self._asdict().items() if own is not None})


class Program:
    """A program agent: `class Prior(Program, name="prior")`. records: the attributes that stand beside its name in what is
    recorded of it; of a task, its name."""

    called: ClassVar[str]
    records: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, name: str | None = None, records: tuple[str, ...] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.called = name or cls.__name__.lower()
        cls.records = cls.records if records is None else records

    def describe(self) -> dict[str, Any]:
        recorded = {name: getattr(self, name) for name in self.records}
        names = {name: value.name if isinstance(value, Family) else value for name, value in recorded.items()}
        return {"agent": "program", "name": self.called, **names}


class TaskProgram(Program, records=("task",)):
    """A program that follows one task."""

    def __init__(self, task: Family) -> None:
        self.task = task


def side_of(request: Request) -> str:
    """The choice that a debater's seat stands for, of two. UsageError in another seat, or with more choices."""
    choices = request.view.question.choices
    if request.seat not in ("a", "b") or len(choices) != 2:
        raise UsageError(f"step {request.step}: this program debates two choices, from seat a or b, not {request.seat}")
    return choices["ab".index(request.seat)]


def listed(look: Look, *address: int | str) -> Iterator[Any]:
    """The cells of a list in the data, one look each, until there are no more."""
    try:
        for index in count():
            yield look(*address, index)
    except (Illegal, IndexError):
        return


def ruled(question: Question, claim: str, holds: bool, why: str) -> Verdict:
    """The verdict that `claim` is right, or that the other choice is."""
    first = (question.choices[0] == claim) == holds
    return Verdict(probabilities=(1.0, 0.0) if first else (0.0, 1.0), text=why)
