"""A model that is trained to be the seat "below" of decomposition debates, on who wins the debates that it settles.
Rule: the loop, and the operator that it iterates. No true answer takes part; who wants to compare does so afterwards.

A debate on q that is settled by a model M has a winner: T(M)(q), the answer with which the prover wins, "?" where it does not.
Under optimal play before a judge of the rule it is rule(M(parts of q)), the operator of HCH. Where no question leads back to
itself, T has one fixed point, the truth, and training comes to it from wherever it begins (docs/debate/exchange.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from moot.complexity.questions import QuestionGraph
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.pointers import Store, pointers_in
from moot.protocols.trees.decomposition_debate import DecompositionDebate, PointerDecompositionDebate
from moot.tasks.base import Task
from moot.tasks.programs.decomposing import ChecksStep, Decomposes, Disputes, Known
from moot.training.learners import Learner
from moot.training.oversight import play_once


@dataclass(frozen=True, slots=True)
class Round:
    """What the model is after a round: how many debates were held in all, its answer to each question, and how many of them
    the round changed. With none changed it is a fixed point of T."""

    number: int
    debates: int
    answers: Mapping[str, str]
    changed: int


def debate_of(task: Task) -> DecompositionDebate:
    """One round of debate that the seat "below" settles, with pointers where the task's messages hold them."""
    kind = PointerDecompositionDebate if task.messages == "pointers" else DecompositionDebate
    return kind(below=True, width=64)


def reached(task: Task, data: Any, root: str) -> tuple[QuestionGraph, dict[str, str]]:
    """The questions that the rule leads to from `root`, and how each is written: by its text on the record, with
    pointers, the text with its messages in brackets. A circle of questions ends them."""
    store = Store() if task.messages == "pointers" else None
    graph = QuestionGraph.of_rule(task, data, root, store)
    return graph, {text: text if store is None else _written(text, store) for text in graph}


def posed(task: Task, data: Any, text: str, choices: tuple[str, ...], size: int | None = None) -> Question:
    """A question about an instance, with the answers that it may have. size: n, for a task that does not say."""
    return Question(text, choices, data=data, about=task.about, size=task.declared(data, size), unit=task.unit)


def winner(
    task: Task, question: Question, below: Mapping[str, str], judge: Any = None, protocol: Protocol | None = None
) -> str:
    """T(M)(q): the answer with which the prover wins the debate on a question that the model `below` settles, or "?".
    Prover and opponent are the task's programs, which play optimally before a judge of the rule, the default."""
    seats = {
        "a": Decomposes(task, below),
        "b": Disputes(task, below),
        "below": Known(below),
        "judge": judge or ChecksStep(task),
    }
    outcome = play_once(protocol or debate_of(task), question, seats)
    won = isinstance(outcome, Decided) and outcome.payoffs["a"] > 0
    return question.choices[outcome.verdict.choice or 0] if won and isinstance(outcome, Decided) else UNKNOWN


def train_below(
    task: Task, questions: Mapping[str, Question], learner: Learner, rounds: int, batch: int | None = None,
    random: Random | None = None, judge: Any = None,
) -> Iterator[Round]:  # fmt: skip
    """Hold a debate on each question, round after round, and train the learner on the winners; until a round changes nothing.

    questions: by their texts on the record. In one round they are debated in this order, or shuffled by `random`. batch: so
    many debates are settled by the model as it stood before them (None: all of a round). With 1, and smaller questions
    first, one round is enough; with None a round is one application of T. UsageError where batch or rounds is below 1.
    """
    if rounds < 1 or (batch is not None and batch < 1):
        raise UsageError(f"training below takes 1 round or more, and batches of 1 or more; not {rounds} and {batch}")
    texts, protocol, held = [*questions], debate_of(task), 0
    for number in range(1, rounds + 1):
        order, before = [*texts], learner.predict(texts)
        if random is not None:
            random.shuffle(order)
        for start in range(0, len(order), batch or len(order)):
            asked = order[start : start + (batch or len(order))]
            below = dict(zip(texts, learner.predict(texts), strict=True))
            learner.train(asked, [winner(task, questions[text], below, judge, protocol) for text in asked])
        held += len(order)
        answers = dict(zip(texts, learner.predict(texts), strict=True))
        changed = sum(answers[text] != old for text, old in zip(texts, before, strict=True))
        yield Round(number, held, answers, changed)
        if not changed:
            return


def _written(text: str, store: Store) -> str:
    """A text with the messages behind its pointers in brackets."""
    while pointers := pointers_in(text):
        text = text.replace(pointers[0], f"[{store.open(pointers[0])}]")
    return text
