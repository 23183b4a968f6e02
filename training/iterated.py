"""Iterated amplification: a learner X is trained to predict Amplify^H'(X), whose overseer H' imitates H.
Rule: the four loops and their settings; learners, askers and the choice of questions are in files beside it.

Christiano, Shlegeris and Amodei 2018, Supervising strong learners by amplifying weak experts (arXiv 1810.08575). Four
loops run at the same time and hand each other batches through bounded buffers:

1. asker data: H works on questions, its sub-questions answered by X's teacher copy or the environment;
2. H' learns to imitate these decisions; as its loss falls below 0.1 and 0.01, the rate of loop 1 falls to 0.1 and 0.01;
3. answerer data: Amplify^H'(X) answers questions, H' asking and concluding, X's teacher copy answering;
4. X learns these answers.

No true answer is used. What H' is: `moot.training.asker`. Where it knows that it does not know, in loop 3, H is asked
instead; every decision of H counts as a label, in loop 1 and in loop 3."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from moot.complexity.estimates import mean
from moot.play.run import Backend, in_loop
from moot.protocols.engine.errors import UsageError
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.programs.programs import Overseer
from moot.training.amplify import Act, Amplifier
from moot.training.asker import Asker, Decision, Imitator
from moot.training.curriculum import Curriculum, strata_of
from moot.training.learners import Learner

RATES = ((0.01, 0.01), (0.1, 0.1))  # (loss below, label rate)
_FEW = 5  # batches of decisions at a new level before which the loss of H' counts as unknown, and its rate is 1
_WINDOW = 20  # batches over which the losses that are reported, and that of H' which sets its rate, are averaged


@dataclass(frozen=True, slots=True)
class Settings:
    """How X is trained.

    batch: questions in a batch. threshold, patience, graded: of the curriculum. imitate: False seats H itself in loop 3, so
    that every decision is a label. buffer: batches that a buffer holds. refresh: batches of loop 4 between copies of X to
    its teacher. replay: minibatches of earlier targets that X learns after each new one. stop: X is finished when its
    answers were this share of the targets over a whole pass at the highest level. batches: of loop 4, at most."""

    batch: int = 50
    threshold: float = 0.85
    patience: int = 50
    graded: bool = True
    imitate: bool = True
    buffer: int = 2
    refresh: int = 1
    replay: int = 0
    stop: float = 1.0
    batches: int = 5000

    def __post_init__(self) -> None:
        least = {"batch": 1, "patience": 0, "buffer": 0, "refresh": 1, "replay": 0, "batches": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"settings: {name} is {getattr(self, name)}; it must be at least {low}")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the training stands after `step` batches of loop 4. quality: mean share of answers of X that were those of
    Amplify, over the latest batches of this level. loss: of X, asker_loss: of H' on decisions before it learned them (both
    the mean of the latest batches; None before the first). rate: of labels in loop 1. labels: decisions of H. targets:
    questions that Amplify answered in loop 3. decisions: those of H and H' together."""

    step: int
    level: int
    quality: float | None
    loss: float
    asker_loss: float | None
    rate: float
    labels: int
    targets: int
    decisions: int


Transcripts = tuple[list[Decision], bool]  # decisions, and whether they are from loop 1
Watch = Callable[[Progress, Learner], None]


class Iterated:
    """One training run. `await run()` once; `history` holds the progress, `learner` is X. overseer: H, an agent of the seat
    "overseer" (the task's rule by default). wrap: puts something around the overseer of loop 3, such as errors. strata: the
    questions to train on (all by default). Tasks change only where a buffer is full or empty, so on asyncio, which wakes
    them in a fixed order, the same seed gives the same history. watch: called after each batch of loop 4."""

    def __init__(
        self, task: CurriculumTask, data: Any, learner: Learner, settings: Settings | None = None, *, seed: int = 0,
        overseer: Any = None, wrap: Callable[[Any], Any] | None = None, strata: dict[str, int] | None = None,
        watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self.settings = s = settings or Settings()
        self.learner, self.teacher = learner, learner.copy()
        self.watch, self.random = watch, Random(f"iterated/{seed}")
        strata = strata_of(task, data) if strata is None else strata
        self.curriculum = Curriculum(strata, self.random, s.threshold, s.patience, s.graded)
        human = overseer if overseer is not None else Overseer(task)
        self.imitator = Imitator() if s.imitate else None
        self.asker = Asker(human, self.imitator)
        self.observed = Asker(human, None)
        self.answering = Amplifier(task, data, seed * 2)
        self.asking = Amplifier(task, data, seed * 2 + 1)
        self.act: Act = (wrap(self.asker) if wrap else self.asker).act
        self.rate = 1.0 if s.imitate else 0.0
        self.losses, self.asker_losses = (deque[float](maxlen=_WINDOW) for _ in range(2))
        self.memory: dict[str, str] = {}
        self.history: list[Progress] = []

    @property
    def labels(self) -> int:
        """Decisions that H was asked for."""
        return self.asker.labels + self.observed.labels

    @property
    def finished(self) -> bool:
        stable = self.curriculum.stable
        return len(self.history) >= self.settings.batches or (stable is not None and stable >= self.settings.stop)

    async def run(self) -> Iterated:
        """Train to the end."""
        size = self.settings.buffer
        decided, decisions = anyio.create_memory_object_stream[Transcripts](size)
        answered, answers = anyio.create_memory_object_stream[tuple[list[str], list[str]]](size)
        with decided, decisions, answered, answers:
            async with anyio.create_task_group() as group:
                if self.settings.imitate:
                    group.start_soon(self.asker_data, decided)
                    group.start_soon(self.train_asker, decisions)
                group.start_soon(self.answerer_data, answered, decided)
                await self.train_answerer(answers)
                group.cancel_scope.cancel()
        return self

    async def asker_data(self, out: MemoryObjectSendStream[Transcripts]) -> None:
        """Loop 1. At a rate below 1, a batch has that share of the questions of a batch of loop 3, on average."""
        owed = 0.0
        while True:
            owed += self.rate * self.settings.batch
            count = int(owed)
            owed -= count
            if count:
                self.asking.play(self.curriculum.draw_freely(count), self.observed.act, self.teacher)
                await out.send((self.observed.take(), True))
            await anyio.lowlevel.checkpoint()

    async def train_asker(self, decisions: MemoryObjectReceiveStream[Transcripts]) -> None:
        """Loop 2. Its loss is that of loop 1 alone: loop 3 hands on what H' did not know."""
        assert self.imitator is not None
        level = self.curriculum.level
        async for batch, observed in decisions:
            loss = self.imitator.train(batch)
            if self.curriculum.level != level:
                level = self.curriculum.level
                self.asker_losses.clear()
            if observed:
                self.asker_losses.append(loss)
            average = mean(self.asker_losses) if len(self.asker_losses) >= _FEW else 1.0
            self.rate = next((rate for below, rate in RATES if average is not None and average < below), 1.0)

    async def answerer_data(
        self, out: MemoryObjectSendStream[tuple[list[str], list[str]]], decided: MemoryObjectSendStream[Transcripts]
    ) -> None:
        """Loop 3. Decisions for which H had to be asked go to loop 2 as well."""
        while True:
            questions = self.curriculum.draw(self.settings.batch)
            said = self.teacher.predict(questions)
            targets = self.answering.play(questions, self.act, self.teacher)
            self.curriculum.agreed([one == other for one, other in zip(said, targets, strict=True)])
            taken = self.asker.take()
            if taken and self.settings.imitate:
                await decided.send((taken, False))
            await out.send((questions, targets))

    async def train_answerer(self, answers: MemoryObjectReceiveStream[tuple[list[str], list[str]]]) -> None:
        """Loop 4. Ends with the training."""
        async for questions, targets in answers:
            self.losses.append(self.learner.train(questions, targets))
            if self.settings.replay:
                self.memory.update(zip(questions, targets, strict=True))
                known = list(self.memory)
                for _ in range(self.settings.replay):
                    again = self.random.choices(known, k=self.settings.batch)
                    self.learner.train(again, [self.memory[text] for text in again])
            if (len(self.history) + 1) % self.settings.refresh == 0:
                self.teacher = self.learner.copy()
            self.history.append(self.progress())
            if self.watch is not None:
                self.watch(self.history[-1], self.learner)
            if self.finished:
                return

    def progress(self) -> Progress:
        return Progress(
            len(self.history) + 1, self.curriculum.level, self.curriculum.quality, mean(self.losses) or 0.0,
            mean(self.asker_losses), self.rate, self.labels, self.answering.targets, self.asker.decisions + self.observed.decisions,
        )  # fmt: skip


def train(
    task: CurriculumTask, data: Any, learner: Learner, settings: Settings | None = None, *, backend: Backend = "asyncio",
    **options: Any,
) -> Iterated:  # fmt: skip
    """`Iterated(…).run()` from ordinary code or a notebook cell. Takes what `Iterated` takes. Returns it, trained."""
    run: Iterated = in_loop(Iterated(task, data, learner, settings, **options).run, backend)
    return run
