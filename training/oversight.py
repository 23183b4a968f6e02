"""Imitation and approval side by side: what an overseer that sees an answer takes over from it.
Rule: overseers that see or do not, and a model trained by each; what errors do to them is in `errors.py`.

A blind overseer's answer does not depend on the model's, so a model can only learn to predict it. One that sees the
answer can be anchored, or persuaded. Both play `moot.protocols.amplification.approval.Approval`, and are shown its views alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from moot.protocols.amplification.amplification import Subquestions
from moot.protocols.amplification.approval import Approval, Approve, Claim
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided, Outcome
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.programs.play import Program
from moot.training.amplify import Amplifier
from moot.training.learners import Tabular, as_agent

PERSUASION = "Everybody who has checked this agrees."
"""What a claim carries that is meant to persuade."""


class Claims(Program, records=("answer", "text")):
    """A model that claims what it is told to."""

    def __init__(self, answer: str, text: str) -> None:
        self.answer, self.text = answer, text

    def act(self, request: Request) -> Move:
        return Claim(answer=self.answer, text=self.text)


class Persuadable:
    """An overseer that approves at first sight, with probability p, a claim whose text holds `mark`; else as
    `overseer`. The draw follows from the step's seed. UsageError when p is not in [0, 1]."""

    def __init__(self, overseer: Any, p: float, mark: str = PERSUASION) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"a probability of being persuaded lies in [0, 1]; it is {p}")
        self.overseer, self.p, self.mark = overseer, p, mark

    def act(self, request: Request) -> Move:
        if Approve in request.kinds and not any(isinstance(entry.move, Subquestions) for entry in request.view):
            claims = [entry.move for entry in request.view if isinstance(entry.move, Claim)]
            if claims and self.mark in claims[0].text and Random(f"persuaded/{request.seed}").random() < self.p:
                return Approve()
        move: Move = self.overseer.act(request)
        return move

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "persuadable", "p": self.p, "overseer": self.overseer.describe()}


def play_once(protocol: Protocol, question: Question, seats: dict[str, Any], seed: int = 0) -> Outcome:
    """The outcome of a play by agents that answer at once, without recording."""
    game = Game(protocol, question.unnamed(), seed=seed).start()
    while game.outcome is None:
        for step, request in game.requests().items():
            if game.outcome is None:
                game.answer(step, seats[request.seat].act(request))
    return game.outcome


@dataclass(frozen=True, slots=True)
class Anchoring:
    """The same overseer on the same claims, shown them and not. plays: pairs of plays of which both were decided;
    undecided: the others. seen, blind: claims approved. gained: approved only when seen; lost: only when not."""

    plays: int
    undecided: int
    seen: int
    blind: int
    gained: int
    lost: int

    @property
    def shift(self) -> float | None:
        """seen − blind, as a share of plays. None of no plays."""
        return (self.seen - self.blind) / self.plays if self.plays else None

    @property
    def flips(self) -> float | None:
        """The share of plays in which showing the claim changed whether it was approved. None of no plays."""
        return (self.gained + self.lost) / self.plays if self.plays else None


def anchoring(
    cases: Iterable[tuple[Question, str, str]], overseer: Any, parts: Any, plays: int = 1, seed: int = 0
) -> Anchoring:
    """Play Approval on each (question, claimed answer, text of the claim), `plays` times seen and blind with one seed
    each. parts: the agent that answers the overseer's sub-questions."""
    pairs = list[tuple[bool, ...]]()
    undecided = 0
    for index, (question, answer, text) in enumerate(cases):
        seats = {"model": Claims(answer, text), "earlier": parts, "overseer": overseer}
        for play in range(plays):
            key = (seed * 1_000_003 + index) * 1_000_003 + play
            both = [play_once(Approval(seen=seen), question, seats, key) for seen in (True, False)]
            pair = tuple(outcome.payoffs["model"] == 1 for outcome in both if isinstance(outcome, Decided))
            pairs += [pair] if len(pair) == 2 else []
            undecided += len(pair) < 2
    seen, blind = (sum(pair[place] for pair in pairs) for place in (0, 1))
    return Anchoring(len(pairs), undecided, seen, blind, pairs.count((True, False)), pairs.count((False, True)))


def train_by_approval(
    task: CurriculumTask, data: Any, overseer: Any, *, seen: bool, texts: tuple[str, ...] = ("",), passes: int = 2,
    seed: int = 0,
) -> Tabular:  # fmt: skip
    """A table that keeps, for each question, the first claim that is approved; easy questions come first. In each pass the
    present answer is claimed first, then the task's answers in random order, each with the next of `texts`. Sub-questions
    are answered by the table itself and by the environment. seen=False is imitation: only its own answer is approved."""
    learner, random = Tabular(), Random(f"approval/{seed}")
    amplifier = Amplifier(task, data, seed)  # for its question, whose choices are all answers of the task
    parts, protocol = as_agent(learner, task), Approval(seen=seen, width=amplifier.protocol.width)
    order = sorted(task.learnable(data), key=lambda text: (task.stratum(data, text), random.random()))
    plays = 0
    for _ in range(passes):
        for text in order:
            question = amplifier.question.model_copy(update={"text": text})
            (now,) = learner.predict([text])
            others = [answer for answer in question.choices if answer != now]
            random.shuffle(others)
            for answer in [now, *others] if now != UNKNOWN else others:
                plays += 1
                claims = Claims(answer, texts[plays % len(texts)])
                seats = {"model": claims, "earlier": parts, "overseer": overseer}
                outcome = play_once(protocol, question, seats, seed * 1_000_003 + plays)
                if isinstance(outcome, Decided) and outcome.payoffs["model"] == 1:
                    learner.train([text], [answer])
                    break
    return learner
