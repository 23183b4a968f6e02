"""Tasks: families of questions, with the program agents that play protocols about them.

Rule of this file: what a task is played with is data, by the name of a protocol (`Play`); nothing is matched on a name."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from moot.judges.bounded import Bounded
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.registry import Named, everything, find
from moot.tasks.family import Family
from moot.tasks.programs.play import Play, TaskProgram


class Task(Family, Named, kind="task"):
    """A family of questions that programs play. own: its programs by name, beside those of every task with a rule; one that
    is a `TaskProgram` is made with the task. plays: what they play, by protocol, beside what the programs of every task
    do (`moot.tasks.programs.programs.PLAYS`)."""

    own: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    plays: ClassVar[Mapping[str, Play]] = {}

    def read(self, path: Path, text: str | None, protocol: str) -> Sample:
        """A question about the instance in a file of one of the task's own formats, its size declared for a protocol: what
        `moot run --task NAME --data FILE --question TEXT` plays. text: what is asked about it, where that is not plain.
        Raises UsageError on a file that is not in its formats, on such a text, and when the task reads no files."""
        raise UsageError(f"task {self.name} reads no files: leave out --data, and it makes its own instances")

    def programs(self) -> dict[str, Callable[[], Any]]:
        """Program agents by name, each made by a call without arguments; `task:NAME:PROGRAM` on the command line."""
        from moot.tasks.programs.programs import programs_of

        ruled = {name for name, made in self.own.items() if isinstance(made, type) and issubclass(made, TaskProgram)}
        own = {name: partial(made, self) if name in ruled else made for name, made in self.own.items()}
        return {**programs_of(self), **own}

    def play(self, protocol: str) -> Play:
        """How the task's programs play a protocol; the general programs where its own do not."""
        from moot.tasks.programs.programs import play_of

        general = play_of(self, protocol)
        own = self.plays.get(protocol)
        return general if own is None else own.over(general)

    def cast(self, protocol: str) -> Mapping[str, str]:
        """Which program takes which role of the protocol called so; {} when the task's programs do not play it."""
        return self.play(protocol).cast or {}

    def bound(self, protocol: str) -> str:
        """What the judge of a protocol may spend of the protocol's measure, a polynomial in n: `reads` unless its judge
        reads more than one application of the rule."""
        return (self.play(protocol).bound or "{reads}").format(reads=self.reads)

    def options(self, protocol: str, question: Question) -> dict[str, Any]:
        """Parameters of a protocol that the task's programs need, where its own defaults, which suit models, do not do."""
        given = self.play(protocol).options
        return dict(given(question) if callable(given) else given or {})

    def staged(self, protocol: str, sample: Sample, **params: Any) -> tuple[Protocol, dict[str, Any]]:
        """A protocol with the parameters that the task's programs need, and those programs in its seats, the judge within
        its bound, as copies where the protocol assumes copies: what `moot run --task` plays. UsageError when the programs do
        not play it."""
        cast, question = self.cast(protocol), sample.question
        made = protocol_named(protocol, {**self.options(protocol, question), **params})
        programs, seats, copied = self.programs(), dict[str, Any](), made.copied(question)
        for seat, role in made.roles(question).items():
            name = cast.get(seat, cast.get(role))
            if name is None:
                raise UsageError(f"the programs of task {self.name} do not play {protocol}: nobody is {role}")
            seats[seat] = programs[name]()
            if seat in copied:
                from moot.agents.wrappers.copies import Copies

                seats[seat] = Copies(seats[seat])
            if role == made.judge:
                limits: dict[str, Any] = {made.measure: self.bound(protocol)}
                seats[seat] = Bounded(seats[seat], **limits)
        return made, seats


def known_tasks() -> dict[str, Task]:
    """moot's own tasks, those of plug-ins, and every subclass that was imported, by name."""
    return {name: cls() for name, cls in everything("task").items()}


def task_named(name: str) -> Task:
    """The task called `name`. Raises UsageError when there is none."""
    made: Task = find("task", name)()
    return made
