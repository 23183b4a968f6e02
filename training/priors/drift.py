"""Drift of standards: each model is trained to match an overseer who mostly says what the model before said.
Rule: one closed form, and the same thing played.

A share e of what the model before says is wrong. The overseer corrects it with probability c and copies it otherwise, and what was
right is learnt wrongly with probability mu, so that e <- (1 - c)e + mu(1 - (1 - c)e). Nothing in this looks at what is right but c.
"""

from __future__ import annotations

from numbers import Real
from random import Random
from typing import Any

from moot.agents.wrappers.frozen import Frozen
from moot.play.run import arun, in_loop
from moot.protocols.amplification.amplification import Amplification, Reply, Subquestions
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.programs.play import Program
from moot.training.learners import Tabular, as_agent

RIGHT, WRONG = "it meets it", "it does not"


def drifted(c: float, mu: float, rounds: int, start: float = 0.0) -> list[float]:
    """The share of errors after 0, 1, ... `rounds` rounds. c: how often the overseer corrects; mu: how often what was right is
    learnt wrongly; start: the share at first. UsageError outside [0, 1], or for rounds below 0."""
    if not all(isinstance(each, Real) and 0 <= each <= 1 for each in (c, mu, start)) or not _whole(rounds, 0):
        raise UsageError(
            f"drift: c = {c!r}, mu = {mu!r}, start = {start!r}, {rounds!r} rounds; give probabilities in [0, 1], and a whole number of rounds"
        )
    found = [start]
    for _ in range(rounds):
        left = (1 - c) * found[-1]
        found.append(left + mu * (1 - left))
    return found


def fixed_point(c: float, mu: float) -> float:
    """Where the share of errors goes: mu / (1 - (1 - mu)(1 - c)), whatever it was at first. UsageError outside [0, 1], and where
    c = mu = 0, as every share then stays."""
    drifted(c, mu, 0)
    if c == mu == 0:
        raise UsageError("drift: with c = mu = 0 every share of errors stays as it is; give one above 0")
    return mu / (mu + c * (1 - mu))  # as above, without a difference of near numbers


def _whole(number: object, least: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= least


class Corrects(Program, records=("c",)):
    """An overseer that asks the earlier model the question that it was asked itself, and says what that says; with probability
    c, drawn from the step's seed, what is right."""

    def __init__(self, c: float) -> None:
        drifted(c, 0.0, 0)
        self.c = c

    def act(self, request: Request) -> Move:
        said = [entry.move for entry in request.view if isinstance(entry.move, Reply)]
        if not said:
            return Subquestions(questions=(request.view.question.text,))
        corrected = Random(f"corrects/{request.seed}").random() < self.c
        return Reply(answer=RIGHT if corrected else said[0].answer)


def played(
    c: float, mu: float, rounds: int, items: int, *, start: float = 0.0, seed: int = 0, overseer: Any = None
) -> list[int]:
    """How many of `items` judgements were wrong after 0, 1, ... rounds: the items are independent of each other, the rounds are not.

    In each round every item is one play of Amplification: the overseer (`Corrects(c)` unless given) has the model of the round before,
    frozen, at the seat "model", and a table learns what it answers. UsageError as of `drifted`, for items below 1, and where a play
    was not decided, since that is neither right nor wrong."""
    exact = drifted(c, mu, rounds, start)
    if not _whole(items, 1):
        raise UsageError(f"drift: {items!r} items; give a whole number of them, at least 1")
    protocol, human = Amplification(model=True, depth=1, turns=2, source="none"), overseer or Corrects(c)
    texts = [f"Case {item}: does it meet the standard?" for item in range(items)]
    model, found = Tabular(), list[int]()

    def learn(answers: list[str], round_: int, p: float) -> None:
        slips = (Random(f"drift/{seed}/{round_}/{item}").random() < p for item in range(items))
        model.train(texts, [WRONG if slip else said for said, slip in zip(answers, slips, strict=True)])
        found.append(sum(said != RIGHT for said in model.predict(texts)))

    async def play(text: str, frozen: Frozen, number: int) -> str:
        seats = {"overseer": human, "model": frozen}
        outcome = (await arun(protocol, Question(text, (RIGHT, WRONG)), seats, seed=number)).outcome
        if not isinstance(outcome, Decided) or outcome.verdict.choice is None:
            raise UsageError(f"drift: {text!r} was not decided, but {outcome}; seat an overseer that decides")
        return (RIGHT, WRONG)[outcome.verdict.choice]

    async def main() -> list[int]:
        learn([RIGHT] * items, 0, start)
        for round_ in range(1, len(exact)):
            frozen = Frozen(as_agent(model))
            first = ((seed * 1_000_003) + round_) * items
            learn([await play(text, frozen, first + item) for item, text in enumerate(texts)], round_, mu)
        return found

    wrong: list[int] = in_loop(main)
    return wrong
