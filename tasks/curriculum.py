"""What iterated amplification needs of a task besides truth and rule: what is learned, how hard it is, how it is encoded.
Rule: what several such tasks share; which questions are drawn when is decided in `training/curriculum.py`."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moot.complexity.rules import Look, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.base import Task

NUMBER = "(?:0|[1-9][0-9]{0,8})"
"""Regular expression of a natural number, written in one way only."""


class CurriculumTask(Task):
    """A task whose questions a learner can be trained on, easy ones first (Christiano, Shlegeris and Amodei 2018).
    A rule asks *primitive* questions besides the learnable ones. The environment answers those by a look-up."""

    source = "Christiano, Shlegeris and Amodei 2018, Supervising strong learners by amplifying weak experts"

    def learnable(self, data: Any) -> Iterator[str]:
        """Every question that the learner is asked and trained on, each once: all that are not primitive.
        Where a question needs its own answer, this is the form that asks for itself, without a round in its text."""
        return (text for text in self.questions(data) if not self.primitive(text))

    @abstractmethod
    def primitive(self, text: str) -> bool:
        """Whether the environment answers this question by a look-up. UsageError when the text is no question at all."""

    @abstractmethod
    def stratum(self, data: Any, text: str) -> int:
        """How hard the question is, from 0 for a primitive one. A curriculum at level L draws those of stratum ≤ L."""

    @abstractmethod
    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """A learnable question as symbols ≥ 0, as many for every question of an instance, with cells that it is about."""

    @abstractmethod
    def answers(self, data: Any) -> list[str]:
        """Every answer that a learnable question of an instance of this size can have, each once, "?" excluded."""


def number(answer: str) -> int | None:
    """The natural number that an answer is, or None."""
    return int(answer) if re.fullmatch(NUMBER, answer) else None


def apply_rule(task: Task, data: Any, text: str, answer: Callable[[str], str], look: Look | None = None) -> str:
    """The answer of the rule, applied once: `answer` answers every sub-question. UsageError when the rule opens a pointer.
    look: how it looks at cells, instead of at those of `data`."""
    rule = task.rule(text, look or looker(data))
    try:
        asked = next(rule)
        while True:
            if isinstance(asked, str):
                raise UsageError(f"task {task.name}: {text!r} opens the pointer {asked}; only a play has pointers")
            asked = rule.send(tuple(answer(part) for part in asked))
    except StopIteration as stop:
        return str(stop.value)


def sweep(
    task: CurriculumTask, data: Any, known: Mapping[str, str], looked: dict[str, str] | None = None
) -> dict[str, str]:
    """One step X <- Amplify(X) of a learner that is a table: the rule's answer to every learnable question, from what is
    `known` ("?" where nothing is) and look-ups, which `looked` keeps from one sweep to the next. No true answer is used."""
    cells: dict[str, str] = {} if looked is None else looked

    def answer(part: str) -> str:
        if part not in known and part not in cells and task.primitive(part):
            cells[part] = look_up(task, part, looker(data))
        return known[part] if part in known else cells.get(part, UNKNOWN)

    return {text: apply_rule(task, data, text, answer) for text in task.learnable(data)}


def look_up(task: Task, text: str, look: Look) -> str:
    """The environment's answer to a primitive question: the rule applied to the cells. UsageError when it asks anything."""

    def asked(part: str) -> str:
        raise UsageError(f"task {task.name}: {text!r} is called primitive, but its rule asks {part!r}")

    return apply_rule(task, None, text, asked, look)
