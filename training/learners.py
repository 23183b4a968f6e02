"""Learners that train on CPU: a table, and a small neural network.
Rule: what learns answers to texts; which questions it is given, and by whom, is the loops' affair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from copy import copy as shallow
from copy import deepcopy
from typing import Any

from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import UNKNOWN, Answer, Move, Verdict
from moot.protocols.engine.request import Request
from moot.tasks.curriculum import CurriculumTask, look_up
from moot.tasks.extras import needed
from moot.tasks.programs.market_programs import sure


class Learner(ABC):
    """Answers questions, and learns answers. Deterministic: the same calls in the same order give the same answers."""

    @abstractmethod
    def predict(self, questions: Sequence[str]) -> list[str]:
        """An answer to each question; "?" where it has none."""

    @abstractmethod
    def train(self, questions: Sequence[str], answers: Sequence[str]) -> float:
        """One step of learning. Returns the mean loss on these pairs before it, at least 0; 0.0 for no pairs."""

    def copy(self) -> Learner:
        """A copy that later training leaves as it is."""
        return deepcopy(self)

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What it is, in JSON values."""


class Tabular(Learner):
    """Remembers what it was taught, and answers "?" to everything else. Its loss is the share of answers that were new.
    recent: how many of a question's latest targets are kept, of which the most frequent, or the latest of these, is the
    answer. UsageError when it is below 1."""

    def __init__(self, recent: int = 1) -> None:
        if recent < 1:
            raise UsageError(f"a table keeps at least 1 target per question; recent is {recent}")
        self.recent, self.said, self.targets = recent, dict[str, str](), dict[str, tuple[str, ...]]()

    def predict(self, questions: Sequence[str]) -> list[str]:
        return [self.said.get(question, UNKNOWN) for question in questions]

    def train(self, questions: Sequence[str], answers: Sequence[str]) -> float:
        wrong = 0
        for question, answer in zip(questions, answers, strict=True):
            wrong += self.said.get(question, UNKNOWN) != answer
            if self.recent > 1:
                kept = (answer, *self.targets.get(question, ()))[: self.recent]  # the latest first: it wins a tie
                self.targets[question] = kept
                answer = Counter(kept).most_common(1)[0][0]
            self.said[question] = answer
        return wrong / len(questions) if questions else 0.0

    def copy(self) -> Tabular:
        other = Tabular(self.recent)
        other.said, other.targets = self.said.copy(), self.targets.copy()
        return other

    def describe(self) -> dict[str, Any]:
        return {"learner": "tabular", "recent": self.recent}


class Network(Learner):
    """A multilayer perceptron over a question's features, each symbol one-hot; its classes are the task's answers and "?".
    Trained by Adam on cross-entropy, a step for each 200 pairs of a call of `train`. hidden: units per hidden layer. rate:
    Adam's step size. UsageError without scikit-learn (the extra `learn`)."""

    def __init__(
        self, task: CurriculumTask, data: Any, hidden: tuple[int, ...] = (256,), rate: float = 3e-3, seed: int = 0
    ) -> None:
        classifier = needed("a network needs", "sklearn.neural_network").MLPClassifier
        self.np, self.task, self.data = needed("a network needs", "numpy"), task, data
        self.hidden, self.rate, self.seed = hidden, rate, seed
        self.classes = [*task.answers(data), UNKNOWN]
        self.symbols: dict[str, tuple[int, ...]] = {}
        rows = [self.encode(text) for text in task.learnable(data)]
        self.widths = [max(column) + 1 for column in zip(*rows, strict=True)]
        self.starts = [sum(self.widths[:place]) for place in range(len(self.widths))]
        self.model = classifier(hidden, learning_rate_init=rate, alpha=0.0, random_state=seed)
        self.begun = False

    def encode(self, text: str) -> tuple[int, ...]:
        """The task's features of a question."""
        if text not in self.symbols:
            self.symbols[text] = tuple(self.task.features(self.data, text))
        return self.symbols[text]

    def inputs(self, questions: Sequence[str]) -> Any:
        """The one-hot rows of questions: shape (questions, symbols)."""
        rows = self.np.zeros((len(questions), sum(self.widths)), dtype=self.np.float32)
        places = self.np.array([self.encode(text) for text in questions]) + self.starts
        rows[self.np.arange(len(questions))[:, None], places] = 1
        return rows

    def predict(self, questions: Sequence[str]) -> list[str]:
        if not self.begun:
            return [UNKNOWN] * len(questions)
        return [self.classes[i] for i in self.model.predict(self.inputs(questions))] if questions else []

    def train(self, questions: Sequence[str], answers: Sequence[str]) -> float:
        if not questions:
            return 0.0
        place = {answer: index for index, answer in enumerate(self.classes)}
        # A target that is no answer of the task counts as "?".
        labels = self.np.array([place.get(answer, place[UNKNOWN]) for answer in answers])
        self.model.partial_fit(self.inputs(questions), labels, classes=self.np.arange(len(self.classes)))
        self.begun = True
        return float(self.model.loss_)

    def copy(self) -> Network:
        other: Network = shallow(self)
        other.model = deepcopy(self.model)
        return other

    def describe(self) -> dict[str, Any]:
        return {"learner": "network", "hidden": list(self.hidden), "rate": self.rate, "seed": self.seed}


class Seated:
    """A learner as an agent: a Reply with its answer, a Verdict that believes it, or an Answer that chooses it.
    It plays the seat "model" of amplification, for instance. task: with it, what the task calls primitive is looked up
    in the data and not asked of the learner. An answer that is none of the choices makes an even Verdict."""

    def __init__(self, learner: Learner, task: CurriculumTask | None = None) -> None:
        self.learner, self.task = learner, task

    def act(self, request: Request) -> Move:
        question = request.view.question
        if self.task is not None and self.task.primitive(question.text):
            answer = look_up(self.task, question.text, request.view.look)
        else:
            answer = self.learner.predict([question.text])[0]
        if Reply in request.kinds:
            return Reply(of=question.text, answer=answer)
        if Verdict in request.kinds and question.choices:
            return Verdict(probabilities=sure(question.choices, answer), text=answer)
        if Answer in request.kinds and answer in question.choices:
            return Answer(choice=question.choices.index(answer))
        kinds = " or ".join(kind.__name__ for kind in request.kinds)
        raise AgentError(f"step {request.step}: the learner says {answer!r}, which makes no {kinds}")

    def describe(self) -> dict[str, Any]:
        return {**self.learner.describe(), "agent": "learner"}


as_agent = Seated
