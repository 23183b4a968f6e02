"""Rounds of oversight by an earlier version: each model is trained on what an overseer makes of it who has the model before, frozen.
Rule: the rounds, and what is counted of claims; where a claim goes wrong is `finding.py`.

Three signals: the overseer's approval of what the model claims; the answers of the amplified overseer, which the model is to match
(Christiano, Shlegeris and Amodei 2018); and both (Hubinger 2020, Relaxed adversarial training for inner alignment, trains on the
signal of an overseer that the model imitates)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

from moot.agents.wrappers.frozen import Frozen
from moot.play.run import arun, in_loop
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.outcomes import Decided
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.programs.programs import Overseer
from moot.training.amplify import Amplifier
from moot.training.learners import Learner, as_agent
from moot.training.oversight import Claims
from moot.transcripts.transcript import Transcript

Signal = Literal["approval", "match", "both"]


@dataclass(frozen=True, slots=True)
class Round:
    """One round. number: from 1 on. prior: the state of the frozen model before, as the transcripts have it. plays: how many were
    played; undecided: those without a decision, from which nothing is learnt. learnt: questions of which an answer was trained.
    learner: the model after the round."""

    number: int
    prior: str
    plays: int
    undecided: int
    learnt: int
    learner: Learner

    def wrong(self, task: CurriculumTask, data: Any) -> int:
        """Of all learnable questions, those that the model after the round answers wrongly, or with "?"."""
        return len(errors(self.learner, task, data))


def errors(learner: Learner, task: CurriculumTask, data: Any) -> list[str]:
    """The learnable questions that a learner answers wrongly, or with "?"."""
    texts = [*task.learnable(data)]
    return [text for text, said in zip(texts, learner.predict(texts), strict=True) if said != task.truth(data, text)]


def train(
    task: CurriculumTask, data: Any, learner: Learner, signal: Signal, rounds: int = 1, *, overseer: Any = None,
    seen: bool = True, text: str = "", seed: int = 0, watch: Callable[[Transcript], None] | None = None,
) -> list[Round]:  # fmt: skip
    """Train copies of a learner, round after round; the learner itself stays as it is.

    signal: "match" trains each question's answer by the amplified overseer, who asks the frozen model before about parts (the
    seat "model" of Amplification). "approval" trains the first claim that is approved (Approval, with the frozen one at the seat
    "earlier"): the model's present answer first, then the others in random order. "both" trains an answer of the
    amplified overseer if that is also approved when it is claimed, and leaves the question as it is otherwise.
    overseer: an agent for the seat; the task's rule unless given. seen: whether it is shown claims. text: what claims say for themselves.
    watch: is given every transcript. UsageError for another signal, rounds below 1, what is no learner, and data
    without a question to learn."""
    if signal not in get_args(Signal):
        raise UsageError(f"priors: the signal is {signal!r}; give one of {', '.join(get_args(Signal))}")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise UsageError(f"priors: {rounds!r} rounds; give a whole number of them, at least 1")
    if not isinstance(learner, Learner):
        raise UsageError(f"priors: {learner!r:.80} is no learner (predict, train and copy)")
    run = _Run(task, data, overseer or Overseer(task), seen, text, seed, watch)
    if not run.texts:
        raise UsageError(f"priors: these data of {task.name} have no question to learn; give larger ones")

    async def main() -> list[Round]:
        found, now = list[Round](), learner
        for number in range(1, rounds + 1):
            found.append(await run.round(number, now, signal))
            now = found[-1].learner
        return found

    trained: list[Round] = in_loop(main)
    return trained


class _Run:
    """What all rounds have in common."""

    def __init__(
        self, task: CurriculumTask, data: Any, overseer: Any, seen: bool, text: str, seed: int,
        watch: Callable[[Transcript], None] | None,
    ) -> None:  # fmt: skip
        self.task, self.overseer, self.text, self.seed, self.watch = task, overseer, text, seed, watch
        made = Amplifier(task, data, seed)  # for its question and its protocol, which take every question of the task
        self.question, self.amplification = made.question, made.protocol
        self.approval = Approval(seen=seen, width=made.protocol.width)
        self.random = Random(f"priors/{seed}")
        self.texts = sorted(task.learnable(data), key=lambda text: (task.stratum(data, text), text))
        self.plays = self.undecided = 0
        self.states = set[str]()

    async def round(self, number: int, before: Learner, signal: Signal) -> Round:
        self.plays, self.undecided, self.states = 0, 0, set()
        frozen, now, pairs = Frozen(as_agent(before, self.task)), before.copy(), list[tuple[str, str]]()
        for text in self.texts:
            wanted: Sequence[str] = ()
            if signal != "approval":
                answer = await self.amplified(text, frozen)
                if signal == "match" and answer is not None:
                    pairs.append((text, answer))
                wanted = [answer] if signal == "both" and answer not in (None, UNKNOWN) else []
            else:
                (present,) = now.predict([text])
                others = [each for each in self.question.choices if each != present]
                self.random.shuffle(others)
                wanted = [present, *others] if present in self.question.choices else others
            for claim in wanted:
                if await self.approved(text, claim, frozen):
                    pairs.append((text, claim))
                    break
        now.train([text for text, _ in pairs], [answer for _, answer in pairs])
        (state,) = self.states
        return Round(number, state, self.plays, self.undecided, len(pairs), now)

    async def amplified(self, text: str, frozen: Frozen) -> str | None:
        """The amplified overseer's answer; None where the play was not decided."""
        decided = await self.play(self.amplification, text, {"overseer": self.overseer, "model": frozen}, "model")
        if decided is None:
            return None
        choice = decided.verdict.choice
        return UNKNOWN if choice is None else self.question.choices[choice]

    async def approved(self, text: str, claim: str, frozen: Frozen) -> bool:
        seats = {"model": Claims(claim, self.text), "overseer": self.overseer, "earlier": frozen}
        decided = await self.play(self.approval, text, seats, "earlier")
        return decided is not None and decided.payoffs["model"] == 1

    async def play(self, protocol: Protocol, text: str, seats: dict[str, Any], prior: str) -> Decided | None:
        self.plays += 1
        question = self.question.model_copy(update={"text": text})
        play = await arun(protocol, question, seats, seed=self.seed * 1_000_003 + self.plays)
        self.states.add(play.started["meta"]["seats"][prior]["state"])
        if self.watch is not None:
            self.watch(play)
        if isinstance(play.outcome, Decided):
            return play.outcome
        self.undecided += 1
        return None


@dataclass(frozen=True, slots=True)
class Approvals:
    """What became of claims, one to each question. true, false: approved ones that are true, and false; of_true, of_false: all such
    claims that were decided on; undecided: the others."""

    true: int
    false: int
    of_true: int
    of_false: int
    undecided: int

    @property
    def approved(self) -> int:
        return self.true + self.false


def approvals(
    task: CurriculumTask, data: Any, claimer: Learner, earlier: Any, *, overseer: Any = None, seen: bool = True, text: str = "",
    seed: int = 0, texts: Sequence[str] | None = None, watch: Callable[[Transcript], None] | None = None,
) -> Approvals:  # fmt: skip
    """Play Approval on what a learner answers to each question. earlier: the agent that answers parts, `Frozen` or not. texts: the
    questions, all learnable ones unless given. A question to which the learner has no answer is claimed as "?", which is false."""
    run = _Run(task, data, overseer or Overseer(task), seen, text, seed, watch)

    async def main() -> Approvals:
        counts, undecided = {(true, yes): 0 for true in (True, False) for yes in (True, False)}, 0
        for index, asked in enumerate(run.texts if texts is None else texts):
            (answer,) = claimer.predict([asked])
            seats = {"model": Claims(answer, text), "overseer": run.overseer, "earlier": earlier}
            question = run.question.model_copy(update={"text": asked})
            play = await arun(run.approval, question, seats, seed=seed * 1_000_003 + index)
            if watch is not None:
                watch(play)
            if isinstance(play.outcome, Decided):
                counts[answer == task.truth(data, asked), play.outcome.payoffs["model"] == 1] += 1
            else:
                undecided += 1
        of = {true: counts[true, True] + counts[true, False] for true in (True, False)}
        return Approvals(counts[True, True], counts[False, True], of[True], of[False], undecided)

    found: Approvals = in_loop(main)
    return found
