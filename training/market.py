"""A market that is trained by the losses of the protocol that it plays, question after question.
Rule: training by the protocol's own losses; slips are put in by `errors.py`.

Hubinger 2020 (AI safety via market making) asks what the training signal rewards in the limit: with citations of M, the
only market that no adversary can move is a fixed point of the local rules, and where no question waits for itself that
is the truth, provided that the price stands unless an argument moves it (docs/market_making.md). `MarketTraining`
watches the way there, against the best adversary among those given, silence included. No true answer takes part in it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple
from typing import Protocol as Structural

from moot.complexity.estimates import mean
from moot.complexity.rules import looker
from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided, Outcome
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Citation, Price, Statement
from moot.protocols.market.payoffs import Belief, Losses
from moot.tasks.base import Task
from moot.tasks.programs.market_programs import ChecksRule, Silent, follow, sure
from moot.training.learners import Learner


class Program(Structural):
    """An agent that answers at once."""

    def act(self, request: Request) -> Move: ...


class Played(NamedTuple):
    """One play. asked: the requests for p_0 … p_n; prices: what the market said to them. claims: the answers that
    statements claimed. final: the judge's belief p*, and losses by it; both None when the play was not decided."""

    asked: tuple[Request, ...]
    prices: tuple[Belief, ...]
    claims: tuple[str, ...]
    final: Belief | None
    losses: Losses | None
    outcome: Outcome

    @property
    def gains(self) -> tuple[float, ...]:
        """What the adversary gained by each statement; () when the play was not decided."""
        return () if self.losses is None else tuple(0.0 - loss for loss in self.losses.adversary)

    @property
    def gain(self) -> float | None:
        """What the adversary gained in all; None when the play was not decided."""
        return None if self.losses is None else math.fsum(self.gains)


def play_market(protocol: MarketMaking, question: Question, seats: Mapping[str, Program], seed: int = 0) -> Played:
    """Play a question between programs: the seats "market", "adversary" and "judge".
    Prices that the market gives to a query of the adversary are no part of the play's path. Raises UsageError where
    `Game` does, AgentError when an agent would have to be awaited, and what an agent raises."""
    game = Game(protocol, question.unnamed(), seed=seed).start()
    asked, prices, claims, statements = list[Request](), list[Belief](), list[str](), 0
    try:
        while game.outcome is None:
            for step in list(game.open):
                if step not in game.open:
                    break
                request = game.request(step)
                move = seats[request.seat].act(request)
                if not isinstance(move, Move):
                    raise AgentError(f"step {step}: a play to train on needs programs; {request.seat} gave {move!r}")
                # A price after a statement that was only supposed is asked with the number of the round to come.
                on_path = request.brief.get("round") == statements
                if not game.answer(step, move):
                    continue
                if isinstance(move, Price) and on_path:
                    asked.append(request)
                    prices.append(move.probabilities)
                elif isinstance(move, Statement):
                    statements += 1
                    claims += [] if move.answer is None else [move.answer]
    finally:
        game.close()
    outcome = game.outcome
    final = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
    losses = None if final is None else protocol.losses(prices, final)
    return Played(tuple(asked), tuple(prices), tuple(claims), final, losses, outcome)


OTHER = "another answer"
"""The second choice of a question to which but one answer is known."""


class TabularMarket(Learner):
    """A price for every answer to every question: a table of logits, and nothing that carries over between questions.

    A question begins with one answer, "?" or a guess, and takes up others as they are claimed; statements of a play are not
    heeded. It learns by gradient descent on -sum_i p*_i log p_i, whose gradient in the logits is p - p*. rate: the step of
    the descent, above 0. guesses: first answers by question. trust: the logit that a guess begins with, at least 0; a new
    answer begins with 0. UsageError on a rate or trust out of range."""

    def __init__(self, rate: float = 2.0, guesses: Mapping[str, str] | None = None, trust: float = 1.0) -> None:
        if not (math.isfinite(rate) and rate > 0 and math.isfinite(trust) and trust >= 0):
            raise UsageError(f"a market learns at a rate above 0 and trusts by at least 0; they are {rate} and {trust}")
        self.rate, self.trust = rate, trust
        self.guesses = dict(guesses or {})
        self.logits: dict[str, dict[str, float]] = {}

    def row(self, question: str) -> dict[str, float]:
        """The logits of the answers known to a question."""
        if question not in self.logits:
            guess = self.guesses.get(question)
            self.logits[question] = {UNKNOWN: 0.0} if guess is None else {guess: self.trust}
        return self.logits[question]

    def modal(self, question: str) -> str:
        """The answer with the highest price; of equal ones the first that was known."""
        row = self.row(question)
        return max(row, key=row.__getitem__)

    def choices(self, question: str) -> tuple[str, ...]:
        """The answers that a play on the question is about: all that are known, two at least."""
        known = tuple(self.row(question))
        return known if len(known) > 1 else (*known, OTHER)

    def take_up(self, question: str, answers: Iterable[str]) -> bool:
        """Know these answers to a question from now on. Whether any of them is new."""
        row = self.row(question)
        new = [answer for answer in dict.fromkeys(answers) if answer not in row]
        row.update(dict.fromkeys(new, 0.0))
        return bool(new)

    def prices(self, question: str, choices: Sequence[str]) -> tuple[float, ...]:
        """The market's distribution over choices; one that it does not know has the logit 0."""
        row = self.row(question)
        return softmax([row.get(choice, 0.0) for choice in choices])

    def act(self, request: Request) -> Move:
        question = request.view.question
        if Reply in request.kinds:
            return Reply(answer=self.modal(question.text))
        return Price(probabilities=self.prices(question.text, question.choices))

    def learn(self, request: Request, final: Belief) -> None:
        """One step down the gradient of the loss of the price that was asked for, by the judge's final belief."""
        question = request.view.question
        self.descend(question.text, question.choices, final)

    def descend(self, question: str, choices: Sequence[str], final: Belief) -> None:
        row, prices = self.row(question), self.prices(question, choices)
        for choice, price, share in zip(choices, prices, final, strict=True):
            row[choice] = row.get(choice, 0.0) + self.rate * (share - price)

    def predict(self, questions: Sequence[str]) -> list[str]:
        """The modal answer to each question; "?" where it has none."""
        return [self.modal(question) for question in questions]

    def train(self, questions: Sequence[str], answers: Sequence[str]) -> float:
        """One step towards each answer, as if the judge were sure of it. Returns the mean loss before; 0.0 for no pairs."""
        loss = 0.0
        for question, answer in zip(questions, answers, strict=True):
            self.take_up(question, [answer])
            choices = self.choices(question)
            loss -= math.log(max(self.prices(question, choices)[choices.index(answer)], math.ulp(0.0)))
            self.descend(question, choices, sure(choices, answer))
        return loss / len(questions) if questions else 0.0

    def describe(self) -> dict[str, Any]:
        return {"learner": "tabular-market", "rate": self.rate, "guesses": len(self.guesses), "trust": self.trust}


class Exhibiting:
    """The adversary that exhibits what a market says: it has the market at hand, asks it whatever the task's rule asks, and
    states the rule's answer with these citations; where the rule makes nothing of them, that it has none."""

    def __init__(self, task: Task, market: TabularMarket) -> None:
        self.task, self.market = task, market

    def act(self, request: Request) -> Move:
        view, known = request.view, dict[str, str]()
        while missing := (found := follow(self.task, view.question.text, view.look, known)).missing:
            known.update({part: self.market.modal(part) for part in missing})
        if found.answer is None:
            return Statement(text="The rule makes nothing of what the market says.")
        cites = tuple(Citation(question=question, answer=answer) for question, answer in found.used.items())
        return Statement(answer=found.answer, cites=cites)


@dataclass(frozen=True, slots=True)
class Round:
    """How far a market can be exploited as it stands after a round of training (round 0: before any), in a sweep in which it
    does not learn. plays: that it was trained on so far. violations: questions whose modal answer is not what the rule makes
    of the modal answers that it asks for. gain, mean_gain: the most and the mean, over questions, that the best adversary
    gains in a play; loss: the mean of the prices in those plays, in the unit of its scoring rule; None when no play was
    decided. undecided: questions on which none was."""

    round: int
    plays: int
    questions: int
    violations: int
    gain: float | None
    mean_gain: float | None
    loss: float | None
    undecided: int

    def settled(self, gain: float) -> bool:
        """Whether every play was decided, no rule is violated, and no adversary gains more than `gain`."""
        return self.violations == self.undecided == 0 and self.gain is not None and self.gain <= gain


class MarketTraining:
    """Trains a market on the questions of one instance, each played once in a round, in an order drawn from the seed.

    After a play the market takes one step for each price that it named, by that price's own loss against the judge's
    final belief, which is held fixed, also where it is the market's own first price. An answer that is claimed and new to
    the market becomes a choice, and the question is played again.

    Every question is played against the best adversary: of `options` the one that gains most on it from the market as it
    stands (the first of equals). By default these are `Exhibiting` and `Silent`, which between them can do all that any
    adversary can against a market that heeds no statement and a judge that checks the rule. adversary: who plays in
    training instead; what the market can be exploited for is measured by the best one all the same, this one included.

    questions: all that the task lists by default. protocol, judge: `MarketMaking()` and `ChecksRule` by default.
    UsageError when the task has no rule, or does not list its questions and none are given, or options are empty."""

    def __init__(
        self, task: Task, data: Any, market: TabularMarket, *, questions: Iterable[str] | None = None, size: int = 1,
        protocol: MarketMaking | None = None, adversary: Program | None = None, options: Iterable[Program] | None = None,
        judge: Program | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.task, self.data, self.market = task, data, market
        self.questions = list(task.questions(data) if questions is None else questions)
        if not self.questions:
            raise UsageError("there is nothing to train a market on: give at least one question")
        self.protocol = protocol or MarketMaking()
        self.options = tuple((Exhibiting(task, market), Silent(task)) if options is None else options)
        if not self.options:
            raise UsageError("the best of no adversaries cannot be found: give at least one option")
        self.adversary = adversary
        self.seats: dict[str, Program] = {"market": market, "judge": judge or ChecksRule(task)}
        self.random, self.seed = Random(f"market/{seed}"), seed
        choices = (UNKNOWN, OTHER)
        self.question = Question(self.questions[0], choices, data=data, about=task.about, size=size, unit="cells")
        self.plays = 0
        self.history: list[Round] = []

    def play(self, text: str) -> Played:
        """Play a question in training, as the market stands; no learning, but answers that are new to it are taken up."""
        return self._best(text, self.options if self.adversary is None else (self.adversary,))

    def best(self, text: str) -> Played:
        """The play on a question in which the adversary gains most; the same otherwise."""
        return self._best(text, self.options if self.adversary is None else (*self.options, self.adversary))

    def _best(self, text: str, options: Sequence[Program]) -> Played:
        plays = [self._played(text, each) for each in options]
        if self.market.take_up(text, (claim for each in plays for claim in each.claims)):
            plays = [self._played(text, each) for each in options]
        return max(plays, key=lambda each: -math.inf if each.gain is None else each.gain)

    def _played(self, text: str, adversary: Program) -> Played:
        # A copy, so that the data is checked once and not in each play.
        question = self.question.model_copy(update={"text": text, "choices": self.market.choices(text)})
        seats = {**self.seats, "adversary": adversary}
        return play_market(self.protocol, question, seats, seed=self.seed * 1_000_003 + self.plays)

    def step(self, text: str) -> Played:
        """Play a question, and learn from it if it was decided."""
        played = self.play(text)
        self.plays += 1
        if played.final is not None:
            for request in played.asked:
                self.market.learn(request, played.final)
        return played

    def sweep(self) -> Round:
        """Every question played by the market as it stands, against the best adversary."""
        plays = [self.best(text) for text in self.questions]
        losses = [loss for played in plays if played.losses is not None for loss in played.losses.market]
        gains = [played.gain for played in plays if played.gain is not None]
        return Round(
            round=len(self.history), plays=self.plays, questions=len(plays), violations=len(self.violated()),
            gain=max(gains, default=None), mean_gain=mean(gains), loss=mean(losses), undecided=len(plays) - len(gains),
        )  # fmt: skip

    def violated(self) -> list[str]:
        """The questions whose modal answer is not what the rule makes of the market's other answers."""
        look, modal, known = looker(self.data), self.market.modal, dict[str, str]()

        def ruled(text: str) -> str | None:
            while missing := (found := follow(self.task, text, look, known)).missing:
                known.update({part: modal(part) for part in missing})
            return found.answer

        return [text for text in self.questions if ruled(text) != modal(text)]

    def round(self) -> Round:
        """One round of training, and what the market is then worth."""
        if not self.history:
            self.history.append(self.sweep())
        for text in self.random.sample(self.questions, len(self.questions)):
            self.step(text)
        self.history.append(self.sweep())
        return self.history[-1]

    def run(self, rounds: int = 200, gain: float = 0.05, watch: Callable[[Round], None] | None = None) -> list[Round]:
        """Train until no rule is violated and no adversary gains more than `gain`, or for so many rounds. The history.
        watch: called before the first round and after each."""
        told = watch or (lambda now: None)
        if not self.history:
            self.history.append(self.sweep())
        told(self.history[-1])
        for _ in range(rounds):
            if self.history[-1].settled(gain):
                break
            told(self.round())
        return self.history


def wrong_answers(task: Task, data: Any, market: TabularMarket, questions: Iterable[str]) -> int:
    """How many questions the market's modal answer is not the true one to. For looking at a training from outside."""
    return sum(market.modal(text) != task.truth(data, text) for text in questions)


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    """A distribution proportional to e^logit."""
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
