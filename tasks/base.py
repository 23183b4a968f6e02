"""Tasks: families of questions whose true answer is computed exactly.

A task makes instances at any size from a seed, and knows the truth by a direct algorithm. Where the theory has one it
also has a *local rule*: how the answer to one question follows from the answers to others and from a few cells of the
data. The rule alone is what a bounded judge can check; amplification, market making with citation, fixed points and
iterated amplification all run on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN as UNKNOWN
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.registry import everything, find, register

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol

Messages = Literal["plain", "brackets", "pointers"]


class Task(ABC):
    """A family of questions. Subclasses are stateless: an instance is a question with its data, and nothing else.

    name: what the command line calls it. access: the smallest class that is known to hold the family as n grows (P, NP,
    #P, PSPACE, EXP, NEXP, R). about: the notation of its questions in a sentence or two, which everybody is told.
    reads: a polynomial in n, what a judge reads at most to apply the rule once (cells of data and sub-answers), or to
    check what its protocol shows it. source: where definition and sizes come from (paper, year). well_founded: whether
    no question leads back to itself by the rule; where one does, answers that cite each other prove nothing. messages:
    "pointers" when the rule opens pointers, so that only protocols with pointers play it; "brackets" when its questions
    are written with square brackets, which those protocols take for messages, so that only the others do; else "plain".
    largest: the greatest size of `sample`, whose truth takes seconds; a task of a narrower range says so in `data`."""

    name: ClassVar[str]
    complexity_class: ClassVar[str]
    about: ClassVar[str]
    reads: ClassVar[str]
    source: ClassVar[str]
    well_founded: ClassVar[bool] = True
    messages: ClassVar[Messages] = "plain"
    largest: ClassVar[int] = 1_000_000

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("name"), str):
            register("task", cls.name, cls)

    @abstractmethod
    def data(self, size: int, random: Random) -> Any:
        """The data of an instance of size n (JSON values), drawn from `random`. UsageError when there is none of that size."""

    @abstractmethod
    def ask(self, data: Any, random: Random) -> str:
        """The text of a question about an instance: the one that `sample` asks."""

    @abstractmethod
    def truth(self, data: Any, text: str) -> str:
        """The true answer to any question about the instance, by a direct algorithm that does not use the rule.
        UsageError when the text is no question about this instance."""

    @abstractmethod
    def wrong(self, data: Any, text: str, random: Random) -> str:
        """A wrong answer that looks like a right one."""

    def rule(self, text: str, look: Look) -> Rule:
        """The local rule for one question. UsageError when the task has none, or the text is no question of it."""
        raise UsageError(f"task {self.name} has no local rule: nothing decomposes its questions")

    def questions(self, data: Any) -> Iterator[str]:
        """Every question about the instance, each once. UsageError when they are too many to list."""
        raise UsageError(f"task {self.name} does not list its questions")

    def size(self, data: Any, size: int) -> int:
        """The declared n of an instance that was asked for at `size`; the same number unless a task says otherwise."""
        return size

    def sample(self, size: int, seed: int = 0, true_first: bool | None = None) -> Sample:
        """A question with its data, the true answer and a wrong one as choices, and the truth sealed beside it.
        true_first: whether the true answer is choice 0; drawn from the seed when None. The unit of reading is a
        cell."""
        if size < 1:
            raise UsageError(f"task {self.name}: size is {size}; it must be at least 1")
        if size > self.largest:
            raise UsageError(
                f"task {self.name}: size is {size}; sizes go up to {self.largest}, so that truths can be computed"
            )
        random = Random(f"{self.name}/{size}/{seed}")
        data = self.data(size, random)
        return self.pose(data, self.ask(data, random), random, size, true_first, f"{self.name}-{size}-{seed}")

    def pose(
        self, data: Any, text: str, random: Random, size: int = 1, true_first: bool | None = None, id: str | None = None
    ) -> Sample:
        """A question about data of your own, as `sample` makes them: size is what `sample` would have been asked for."""
        true = self.truth(data, text)
        wrong = self.wrong(data, text, random)
        if wrong == true:
            raise UsageError(f"task {self.name}: the wrong answer to {text!r} is the true one, {true!r}")
        first = random.random() < 0.5 if true_first is None else true_first
        choices = (true, wrong) if first else (wrong, true)
        question = Question(
            text, choices, data=data, about=self.about, size=self.size(data, size), unit="cells", id=id
        )  # fmt: skip
        return Sample(question, truth=0 if first else 1, task=self.name)

    def read(self, path: Path, text: str | None, protocol: str) -> Sample:
        """A question about the instance in a file of one of the task's own formats, its size declared for a protocol:
        what `moot run --task NAME --data FILE --question TEXT` plays. text: what is asked about it, where that is not
        plain.

        Raises UsageError on a file that is not in its formats, on such a text, and when the task reads no files."""
        raise UsageError(f"task {self.name} reads no files: leave out --data, and it makes its own instances")

    def programs(self) -> dict[str, Callable[[], Any]]:
        """Program agents by name, each made by a call without arguments; `task:NAME:PROGRAM` on the command line."""
        from moot.tasks.programs.programs import programs_of

        return programs_of(self)

    def cast(self, protocol: str) -> dict[str, str]:
        """Which program takes which role of the protocol called so; {} when the task's programs do not play it."""
        from moot.tasks.programs.programs import cast_of

        return cast_of(self, protocol)

    def bound(self, protocol: str) -> str:
        """What the judge of a protocol may spend of the protocol's measure, a polynomial in n: `reads`, unless its
        judge reads more than one application of the rule.

        That is in approval the claim; in market making the claimed answer, four times, as the horizon is four
        statements by default; without citations the whole computation, which is polynomial for tasks in P and for no
        others; and in a recursive debate a claim and one application of the rule for each question on a path."""
        if protocol == "approval":
            return f"{self.reads} + 1"
        if protocol == "recursive-debate":
            return f"(2*({self.reads}) + 2)*(2*n + 3)"
        if protocol == "market-uncited":
            return f"4*({self.reads} + 1)*n^2"
        return f"4*({self.reads} + 1)" if protocol.startswith("market") else self.reads

    def options(self, protocol: str, question: Question) -> dict[str, Any]:
        """Parameters of a protocol that the task's programs need, where its own defaults, which suit models, do not do."""
        if protocol.startswith("amplify"):
            return {"depth": None, "width": 64, "turns": 64, "questions": 1_000_000}
        if protocol == "recursive-debate":
            return {"depth": 2 * question.size + 2, "objections": 1}
        return {}

    def staged(self, protocol: str, sample: Sample, **params: Any) -> tuple[Protocol, dict[str, Any]]:
        """A protocol with the parameters that the task's programs need, and those programs in its seats, the judge within
        its bound: what `moot run --task` plays. UsageError when the programs do not play it."""
        from moot.judges.bounded import Bounded
        from moot.protocols.engine.base import protocol_named

        cast, question = self.cast(protocol), sample.question
        made = protocol_named(protocol, {**self.options(protocol, question), **params})
        programs, seats = self.programs(), dict[str, Any]()
        for seat, role in made.roles(question).items():
            name = cast.get(seat, cast.get(role))
            if name is None:
                raise UsageError(f"the programs of task {self.name} do not play {protocol}: nobody is {role}")
            seats[seat] = programs[name]()
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
