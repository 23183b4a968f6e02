"""Fixed points of local rules: which answers to all questions no rule finds fault with, and whether they rest on anything.
Rule: local rules and answers; no protocol is played here, that is searched in `solve.py`.

A judge that may cite the answers of a model M checks M against its rule, one question at a time. An optimal M is then a
fixed point of the rules, and is the truth where there is but one. There is exactly one when no question leads back to
itself (Hubinger 2020, Weak HCH accesses EXP); with a cycle there can be many, and which of them is found is nobody's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moot.complexity.questions import QuestionGraph
from moot.complexity.rules import looker, opened
from moot.protocols.engine.errors import UsageError
from moot.protocols.pointers import Store
from moot.tasks.base import Task

MOST_RUNS = 200_000


@dataclass(frozen=True)
class WellFounded:
    """What one question rests on. support: how many questions it leads to, itself included. cycle: questions of which each
    asks the next and the last the first; empty when there is none, so that the answers rest on cells of the data alone."""

    root: str
    support: int
    cycle: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.cycle


def consistent(task: Task, data: Any, answers: Mapping[str, str], store: Store | None = None) -> list[str]:
    """The questions whose answer is not what the rule makes of the other answers; empty when `answers` is a fixed point.

    store: for a rule with pointers, as in `moot.tasks.base.evaluate`. Raises UsageError when the rule asks a question that
    has no answer here.
    """

    return [q for q in answers if follow(task, data, q, _given(answers, []), store) != answers[q]]


def support(
    task: Task, data: Any, root: str, answers: Mapping[str, str] | None = None, store: Store | None = None
) -> QuestionGraph:
    """The questions that an answer to `root` cites, those that these cite, and so on.

    answers: what a model says, true or not; its citations are then followed where they lead, in circles too. Without it
    every answer comes from the rule, and the graph ends in the first circle. Raises UsageError when `answers` lacks one.
    """
    if answers is None:
        return QuestionGraph.of_rule(task, data, root, store)
    graph = QuestionGraph()
    todo = [root if store is None else store.intern(root)]
    graph.asked(todo[0], ())
    for question in todo:
        cited: list[str] = []
        follow(task, data, question, _given(answers, cited), store)
        todo += [part for part in dict.fromkeys(cited) if part not in graph]
        graph.asked(question, cited)
    return graph


def well_founded(
    task: Task, data: Any, root: str, answers: Mapping[str, str] | None = None, store: Store | None = None
) -> WellFounded:
    """Whether what `root` rests on ends in cells of the data, without a cycle; arguments as for `support`."""
    graph = support(task, data, root, answers, store)
    return WellFounded(root, graph.unique, tuple(graph.cycle() or ()))


def fixed_points(
    task: Task, data: Any, questions: Iterable[str], domain: Sequence[str], most: int = MOST_RUNS
) -> list[dict[str, str]]:
    """Every assignment of answers from `domain` to the questions that violates no rule, by backtracking.

    questions: all that the rules ask among themselves; answers that follow from others are not guessed. A question whose
    rule gives an answer outside `domain` has none. Raises UsageError on a question outside of `questions`, and when more
    than `most` runs of a rule would be needed.
    """
    asked = dict.fromkeys(questions)
    found: list[dict[str, str]] = []
    allowed = frozenset(domain)
    runs = 0
    todo: list[tuple[dict[str, str], list[str]]] = [({}, list(asked))]
    while todo:
        answers, unchecked = todo.pop()
        stuck: dict[str, list[str]] = {}  # questions whose rule waits, by the question that it waits for
        while unchecked:
            question = unchecked.pop()
            runs += 1
            if runs > most:
                size = f"{len(asked)} questions with {len(allowed)} answers each need more than {most} runs of a rule"
                raise UsageError(f"task {task.name}: {size}; take a smaller instance or fewer answers")
            try:
                value = follow(task, data, question, _from(answers, asked), None)
            except _Missing as missing:
                stuck.setdefault(missing.args[0], []).append(question)
                continue
            if value not in allowed or answers.setdefault(question, value) != value:
                break
            unchecked += stuck.pop(question, [])
        else:
            if not stuck:
                found.append(answers)
                continue
            guess = next(iter(stuck))
            waiting = [question for group in stuck.values() for question in group]
            todo += [({**answers, guess: value}, list(waiting)) for value in reversed(list(dict.fromkeys(domain)))]
    return [{question: answers[question] for question in asked} for answers in found]


def follow(task: Task, data: Any, question: str, answer: Callable[[str], str], store: Store | None = None) -> str:
    """One application of the rule to `question`, with sub-answers from `answer`."""
    received = store.intern if store is not None else str
    rule = task.rule(question, looker(data))
    try:
        step = next(rule)
        while True:
            one = isinstance(step, str)
            sent = (
                (opened(task, question, str(step), store),) if one else tuple(answer(received(part)) for part in step)
            )
            step = rule.send(sent)
    except StopIteration as stop:
        return received(stop.value)


def _given(answers: Mapping[str, str], cited: list[str]) -> Callable[[str], str]:
    """The answers that are given, each noted in `cited` when it is asked for."""

    def answer(question: str) -> str:
        if question not in answers:
            raise UsageError(f"there is no answer to {question!r}, which the rule asks; answer all that is asked")
        cited.append(question)
        return answers[question]

    return answer


class _Missing(Exception):
    """The rule asks what is not assigned yet: the question."""


def _from(answers: Mapping[str, str], asked: Mapping[str, Any]) -> Callable[[str], str]:
    def answer(question: str) -> str:
        if question not in asked:
            raise UsageError(f"the rules ask {question!r}, which is not among the questions; give all that is asked")
        if question not in answers:
            raise _Missing(question)
        return answers[question]

    return answer
