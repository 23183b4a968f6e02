"""Families of questions whose true answer is computed exactly.

Rule of this file: data, questions, truths and local rules; no protocol and no program (those of a task are in `base.py`).
A family makes instances at any size from a seed, and knows the truth by a direct algorithm. Where the theory has one it
also has a *local rule*: how the answer to one question follows from the answers to others and from a few cells of the
data. The rule alone is what a bounded judge can check; amplification, market making with citation, fixed points and
iterated amplification all run on it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from hashlib import blake2b
from random import Random
from typing import Any, ClassVar, Literal

from pydantic_core import to_json

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

    def n(self, data: Any) -> int | None:
        """The n of an instance, in which every bound about it is stated: `count`, checked. None when the task does not say.
        UsageError when the data is none of the task's."""
        try:
            found = self.count(data)
            if found is not None and whole(found) < 1:
                raise ValueError(f"n comes out as {found}")
        except (UsageError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            problem = f"it has no {error}" if isinstance(error, KeyError) else f"{error!s:.200}"
            raise UsageError(f"task {self.name}: this is no data of an instance ({problem}), so it has no n") from None
        return found

    def count(self, data: Any) -> int | None:
        """n, counted in the data and nowhere else: what is there, and not what the data says of itself. At most the length
        of the question written out, but for a constant factor, so that nobody gets a budget for a size that is only
        claimed. None: the task does not say, and n is what the caller declares. May raise LookupError, TypeError,
        ValueError or AttributeError on data that is none of the task's."""
        return None

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
        true_first: whether the true answer is choice 0; drawn from the seed when None. Its id is a hash of what is asked, and
        tells no seed; but who can draw instances may try small seeds until one fits, so that one which nobody is to find
        needs a seed of 128 random bits."""
        random = Random(f"{self.name}/{size}/{seed}")
        data = self.instance(size, random)
        declared = size if self.n(data) is None else None
        made = self.pose(data, self.ask(data, random), random, declared, true_first)
        called = f"{self.name}-{size}-{blake2b(to_json(made.question), digest_size=8).hexdigest()}"
        return Sample(made.question.model_copy(update={"id": called}), made.unseal(), made.task)

    def pose(
        self, data: Any, text: str, random: Random, size: int | None = None, true_first: bool | None = None,
        id: str | None = None,
    ) -> Sample:  # fmt: skip
        """A question about data of your own, as `sample` makes them. It declares the n of the data; size: n, for a task that
        does not say. UsageError where it is another than that of the data, or is not known at all."""
        n = self.declared(data, size)
        true = self.truth(data, text)
        wrong = self.wrong(data, text, random)
        if wrong == true:
            raise UsageError(f"task {self.name}: the wrong answer to {text!r} is the true one, {true!r}")
        first = random.random() < 0.5 if true_first is None else true_first
        choices = (true, wrong) if first else (wrong, true)
        question = Question(text, choices, data=data, about=self.about, size=n, unit=self.unit, id=id)
        return Sample(question, truth=0 if first else 1, task=self.name)

    def declared(self, data: Any, size: int | None = None) -> int:
        """The n that a question about this data declares: the task's, or `size` where it does not say."""
        n = self.n(data)
        if n is None and size is None:
            raise UsageError(f"task {self.name} does not say what n is (`count`); give the size that is to be declared")
        if n is not None and size not in (None, n):
            raise UsageError(f"task {self.name}: size is {size}, and n of this data is {n}; leave the size out")
        return n if size is None else size  # type: ignore[return-value]


def entries(value: Any) -> int:
    """How many entries a list of JSON values has. TypeError when it is no list."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r:.60} is no list")
    return len(value)


def whole(value: Any) -> int:
    """A whole number of JSON values. TypeError when it is none."""
    if type(value) is not int:
        raise TypeError(f"{value!r:.60} is no whole number")
    return value
