"""Local rules: how the answer to one question follows from the answers to others and a few cells of the data.

Rule of this file: rules are run here, by direct evaluation; no play, and no task by name.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar
from typing import Protocol as Structural

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.view import Look as Look
from moot.protocols.engine.view import looker as looker
from moot.protocols.pointers import Store

Rule = Generator["tuple[str, ...] | str", tuple[str, ...], str]
"""A local rule at work on one question. It yields a tuple of sub-questions, which may be asked at the same time, and is
sent the tuple of their answers; or it yields one pointer ("&…", a str), and is sent a tuple with the text behind it. It
returns the answer. It sees nothing else: no global, no randomness, so that anybody can run it again. Of a sub-answer that
is none ("I think 7") it makes "?", or raises ValueError or LookupError."""


class Ruled(Structural):
    """What has local rules: a task. well_founded: whether no question leads back to itself by them."""

    name: ClassVar[str]
    well_founded: ClassVar[bool]

    def rule(self, text: str, look: Look, /) -> Rule: ...


class Circle(UsageError):
    """Questions that wait for each other's answers. `questions`: those on the circle, each asking the next, the last the first."""

    def __init__(self, task: Ruled, questions: list[str]) -> None:
        shown = [*questions, questions[0]]
        way = " -> ".join(shown if len(shown) <= 8 else [*shown[:6], "…", shown[-1]])
        super().__init__(f"task {task.name}: {questions[0]!r} needs its own answer: {way}")
        self.questions = questions


def evaluate(
    task: Ruled, data: Any, text: str, memo: dict[str, str] | None = None, store: Store | None = None,
    asked: Callable[[str, tuple[str, ...]], None] | None = None, look: Look | None = None,
) -> str:  # fmt: skip
    """The answer that the rule gives, by memoised recursion without a play: sub-questions answered by the rule.

    Deep instances need no deep stack. `memo` holds answers that are known already, and takes up those that are found;
    its keys are in the order in which they were answered. `store` is for a rule with pointers: every question and answer
    is interned in it, and pointers are opened from it. `asked` is told each question with the sub-questions that it asks.
    `look`: how the rule looks at cells, instead of at those of `data`.

    Raises Circle when questions wait for each other, UsageError when a rule opens a pointer and there is no store,
    Illegal on a message that the store refuses.
    """
    known = {} if memo is None else memo
    look = looker(data) if look is None else look
    received = store.intern if store is not None else str
    text = received(text)
    stack: list[tuple[str, Rule, tuple[str, ...]]] = [(text, task.rule(text, look), ())]
    begun, waiting = False, {text: 0}
    while stack:
        question, rule, wanted = stack[-1]
        missing = next((q for q in wanted if q not in known), None)
        if missing is not None:
            if missing in waiting:
                raise Circle(task, [q for q, _, _ in stack[waiting[missing] :]])
            waiting[missing] = len(stack)
            stack.append((missing, task.rule(missing, look), ()))
            begun = False
            continue
        try:
            step = rule.send(tuple(known[q] for q in wanted)) if begun else next(rule)
            while isinstance(step, str):
                step = rule.send((opened(task, question, step, store),))
        except StopIteration as stop:
            known[question] = received(stop.value)
            del waiting[question]
            stack.pop()
            begun = True
            continue
        begun = True
        wanted = tuple(received(q) for q in step)
        if asked is not None:
            asked(question, wanted)
        stack[-1] = (question, rule, wanted)
    return known[text]


def opened(task: Ruled, question: str, pointer: str, store: Store | None) -> str:
    """The message behind a pointer that a rule opens. Raises UsageError without a store."""
    if store is None:
        raise UsageError(f"task {task.name}: {question!r} opens {pointer}, with no store to open it from")
    return store.open(pointer)
