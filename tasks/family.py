"""Families of questions whose true answer is computed exactly.

Rule of this file: data, questions, truths and local rules; no protocol and no program (those of a task are in `base.py`).
A family makes instances at any size from a seed, and knows the truth by a direct algorithm. Where the theory has one it
also has a *local rule*: how the answer to one question follows from the answers to others and from a few cells of the
data. The rule alone is what a bounded judge can check; amplification, market making with citation, fixed points and
iterated amplification all run on it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar, Literal

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample

Messages = Literal["plain", "brackets", "pointers"]


class Family(ABC):
    """A family of questions. Subclasses are stateless: an instance is a question with its data, and nothing else.

    name: what the command line calls it. complexity_class: the smallest class that is known to hold the family as n
    grows (P, NP, #P, PSPACE, EXP, NEXP, R). about: the notation of its questions, which everybody is told. example: a
    question, for errors, and the one that `sample` asks unless a task says otherwise; notation: the form of questions,
    None where there are no others. either: the two answers, where there are no others. reads: a polynomial in n, what a
    judge reads at most to apply the rule once, or to check what its protocol shows it. source: where definition and sizes
    come from (paper, year). well_founded: whether no question leads back to itself by the rule. messages: "pointers" when
    the rule opens pointers, so that only protocols with pointers play it; "brackets" when its questions are written with
    square brackets, which those take for messages, so that only the others do; else "plain". smallest, largest: the
    sizes of instances, whose truth takes seconds; counted: what a size counts; unit: of what is read."""

    name: ClassVar[str]
    complexity_class: ClassVar[str]
    about: ClassVar[str]
    notation: ClassVar[re.Pattern[str] | None] = None
    example: ClassVar[str] = ""
    either: ClassVar[tuple[str, str]] = ("yes", "no")
    reads: ClassVar[str]
    source: ClassVar[str]
    well_founded: ClassVar[bool] = True
    messages: ClassVar[Messages] = "plain"
    smallest: ClassVar[int] = 1
    largest: ClassVar[int] = 1_000_000
    counted: ClassVar[str] = ""
    unit: ClassVar[str] = "cells"

    @abstractmethod
    def data(self, size: int, random: Random) -> Any:
        """The data of an instance of size n (JSON values), drawn from `random`; `instance` checks the size first."""

    @abstractmethod
    def truth(self, data: Any, text: str) -> str:
        """The true answer to any question about the instance, by a direct algorithm that does not use the rule.
        UsageError when the text is no question about this instance."""

    def ask(self, data: Any, random: Random) -> str:
        """The text of a question about an instance: the one that `sample` asks."""
        return self.example

    def wrong(self, data: Any, text: str, random: Random) -> str:
        """A wrong answer that looks like a right one; the other of `either` unless a task says otherwise."""
        return self.other(self.truth(data, text))

    def other(self, answer: str) -> str:
        """The other one of the two answers."""
        return self.either[1] if answer == self.either[0] else self.either[0]

    def rule(self, text: str, look: Look) -> Rule:
        """The local rule for one question. UsageError when the task has none, or the text is no question of it."""
        raise UsageError(f"task {self.name} has no local rule: nothing decomposes its questions")

    def questions(self, data: Any) -> Iterator[str]:
        """Every question about the instance, each once. UsageError when they are too many to list."""
        raise UsageError(f"task {self.name} does not list its questions")

    def size(self, data: Any, size: int) -> int:
        """The declared n of an instance that was asked for at `size`; the same number unless a task says otherwise."""
        return size

    def match(self, text: str) -> re.Match[str]:
        """A question taken apart by the task's notation. UsageError when the text is none."""
        found = re.fullmatch(self.notation or re.escape(self.example), text)
        if found is None:
            raise UsageError(f"{text!r} is no question of task {self.name}; write {self.example}")
        return found

    def instance(self, size: int, random: Random) -> Any:
        """`data`, of a size that the task has. UsageError for another one."""
        of = self.counted and f" ({self.counted})"
        if size < self.smallest:
            raise UsageError(f"task {self.name}: size is {size}; it must be at least {self.smallest}{of}")
        if size > self.largest:
            raise UsageError(f"task {self.name}: size is {size}; sizes go up to {self.largest}{of}, to compute truths")
        return self.data(size, random)

    def sample(self, size: int, seed: int = 0, true_first: bool | None = None) -> Sample:
        """A question with its data, the true answer and a wrong one as choices, and the truth sealed beside it.
        true_first: whether the true answer is choice 0; drawn from the seed when None."""
        random = Random(f"{self.name}/{size}/{seed}")
        data = self.instance(size, random)
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
        n = self.size(data, size)
        question = Question(text, choices, data=data, about=self.about, size=n, unit=self.unit, id=id)
        return Sample(question, truth=0 if first else 1, task=self.name)
