"""A market that predicts the judge from what was said so far, and how near it comes to the exact Bayesian price.
Rule: markets that learn prices of these plays; those that learn answers are in `market.py`.

The plays are Shah's (comments on Hubinger 2020, AI safety via market making): an adversary that shows items at random,
a few of many, to a judge that believes what follows from those alone. The market sees all items, so its best price is
the judge's expected final belief, which is not the truth."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from random import Random
from statistics import fmean
from typing import Any

from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import View
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Price, Statement
from moot.protocols.market.payoffs import Belief, expected, gap
from moot.tasks.arithmetic.coins import belief
from moot.tasks.base import Task
from moot.tasks.programs.play import Program
from moot.tasks.reading.evidence import over, probability
from moot.training.market import Program as Playing
from moot.training.market import play_market, softmax

Features = Mapping[str, float]
ROUNDS = (0, 1, 3, 10, 30, 100)


BELIEFS: dict[str, Callable[[Sequence[int], int], float]] = {
    "coins": lambda shown, count: float(belief(shown, count)),  # the others being independent and fair
    "evidence": lambda shown, count: probability(shown),  # from an even prior
}
"""By task: the probability of "yes" that the judge gives after the items that it was shown, of how many there are."""


class Shows(Program):
    """An adversary that states the position of one more item each time, drawn evenly by the step's seed."""

    def act(self, request: Request) -> Move:
        view = request.view
        items: Any = view.question.data
        left = sorted(set(range(len(items))) - set(positions(view)))
        return Statement(text=str(Random(request.seed).choice(left)) if left else "That is all.")


class Updates(Program, records=("task",)):
    """A judge that looks at the items it was pointed to and believes what follows. UsageError for another task."""

    def __init__(self, task: Task) -> None:
        self.task, self.belief = task, _belief(task)

    def act(self, request: Request) -> Verdict:
        view, n = request.view, request.view.question.size
        yes = self.belief([view.look(at) for at in positions(view)], n)
        return Verdict(probabilities=over(view.question.choices, yes))


class ExactMarket(Program, name="exact-market", records=("task",)):
    """The market that predicts best: the mean of the judge's belief over all ways in which the play may go on, each item
    that is left being as likely to be shown next."""

    def __init__(self, task: Task) -> None:
        self.task, self.belief = task, lru_cache(maxsize=None)(_belief(task))

    def act(self, request: Request) -> Move:
        if Reply in request.kinds:
            return Reply(answer=UNKNOWN)
        items: Any = request.view.question.data
        shown = positions(request.view)
        more = min(int(request.brief["rounds"] or 0), len(items)) - len(shown)
        left, seen = [item for at, item in enumerate(items) if at not in shown], [items[at] for at in shown]
        ends = [self.belief(tuple(sorted([*seen, *rest])), len(items)) for rest in combinations(left, more)]
        return Price(probabilities=over(request.view.question.choices, math.fsum(ends) / len(ends)))


class LinearMarket:
    """Softmax regression: the price of an answer is proportional to exp(sum_f w[answer, f] * f), over features f of the
    question and the statements so far. It learns online: a step of AdaGrad (Duchi, Hazan and Singer 2011) down the gradient
    (p - p*) f of each price's loss. rate: the first step of every weight, above 0 (UsageError otherwise)."""

    def __init__(self, features: Callable[[Request], Features], rate: float = 0.2) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"a market learns at a rate above 0, not {rate}")
        self.features, self.rate = features, rate
        self.weights, self.squares = (dict[tuple[str, str], float]() for _ in range(2))

    def act(self, request: Request) -> Move:
        if Reply in request.kinds:
            return Reply(answer=UNKNOWN)
        return Price(probabilities=self.prices(request.view.question.choices, self.features(request)))

    def prices(self, choices: Sequence[str], features: Features) -> tuple[float, ...]:
        """The market's distribution over choices, which sums to 1."""
        return softmax([
            math.fsum(self.weights.get((choice, name), 0.0) * value for name, value in features.items())
            for choice in choices
        ])  # fmt: skip

    def learn(self, request: Request, final: Belief) -> None:
        """One step down the gradient of the loss of the price that was asked for, by the judge's final belief."""
        choices, features = request.view.question.choices, self.features(request)
        for choice, price, share in zip(choices, self.prices(choices, features), final, strict=True):
            for name, value in features.items():
                gradient, at = (price - share) * value, (choice, name)
                self.squares[at] = self.squares.get(at, 0.0) + gradient * gradient
                if self.squares[at] > 0:
                    step = self.rate * gradient / math.sqrt(self.squares[at])
                    self.weights[at] = self.weights.get(at, 0.0) - step

    def describe(self) -> dict[str, Any]:
        return {"learner": "linear-market", "rate": self.rate}


def balances(task: Task) -> Callable[[Request], Features]:
    """The features of a play that shows items: by how many were shown, a constant, the balance of the items that were
    shown, and that of all (heads less tails; log-odds), each over the square root of how many items there are."""

    def features(request: Request) -> Features:
        items: Any = request.view.question.data
        shown, scale = positions(request.view), 1 / math.sqrt(len(items))
        values = [2 * item - 1 if task.name == "coins" else item for item in items]
        balance = scale * sum(values[at] for at in shown)
        return {f"{len(shown)}": 1.0, f"{len(shown)}:shown": balance, f"{len(shown)}:all": scale * sum(values)}

    return features


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well a market predicts, on plays that it was not trained on (round 0: before training). plays: that it was trained
    on so far. loss: its mean loss, by a price, in nats; exact: that of the exact price on the same plays. excess: the mean
    of KL(exact price || its price) in nats, which `loss - exact` is expected to be. by_step: the same for p_0, p_1, …."""

    round: int
    plays: int
    loss: float
    exact: float
    excess: float
    by_step: tuple[float, ...]


def calibrate(
    task: Task, size: int, horizon: int, market: LinearMarket | None = None, *,
    rounds: Sequence[int] = ROUNDS, each: int = 10, held_out: int = 100, seed: int = 0,
) -> list[Calibration]:  # fmt: skip
    """Train a market on plays about instances of a task, `each` in a round, and measure it at these rounds.
    horizon: how many items are shown. held_out: plays on other instances, to measure on. market: a `LinearMarket` of
    `balances` by default. UsageError when the task is none of `BELIEFS`, or the horizon is more than the items."""
    if not 0 <= horizon <= size or held_out < 1:
        raise UsageError(f"calibrate: of {size} items {horizon} cannot be shown, or no play is held out ({held_out})")
    market = market or LinearMarket(balances(task))
    protocol = MarketMaking(horizon=horizon, tolerance=None)
    seats: dict[str, Playing] = {"adversary": Shows(), "judge": Updates(task)}

    def play(by: Playing, number: int) -> Any:
        return play_market(protocol, task.sample(size, number).question, {**seats, "market": by}, seed=number)

    exact = ExactMarket(task)
    tests = [play(exact, (seed + 1) * 1_000_000 - 1 - number) for number in range(held_out)]
    found: list[Calibration] = []
    plays = 0
    for round in range(max(rounds, default=0) + 1):
        for _ in range(each if round else 0):
            played = play(market, seed * 1_000_000 + plays)
            plays += 1
            for request in played.asked:
                market.learn(request, played.final)
        if round in rounds:
            found.append(_measured(market, tests, round, plays, horizon))
    return found


def _measured(market: Playing, tests: Sequence[Any], round: int, plays: int, horizon: int) -> Calibration:
    rule = MarketMaking().scoring
    losses, exact = list[float](), list[float]()
    excess: list[list[float]] = [[] for _ in range(horizon + 1)]
    for played in tests:
        for step, (request, best) in enumerate(zip(played.asked, played.prices, strict=True)):
            price: Any = market.act(request)
            losses.append(-expected(rule, price.probabilities, played.final))
            exact.append(-expected(rule, best, played.final))
            excess[step].append(gap(best, price.probabilities))
    by_step = tuple(map(fmean, excess))
    return Calibration(round, plays, fmean(losses), fmean(exact), fmean(by_step), by_step)


def positions(view: View) -> list[int]:
    """The positions that statements pointed to, each once, in order."""
    texts = [entry.move.text for entry in view if isinstance(entry.move, Statement)]
    return list(dict.fromkeys(int(text) for text in texts if text.isdecimal()))


def _belief(task: Task) -> Callable[[Sequence[int], int], float]:
    if task.name not in BELIEFS:
        raise UsageError(f"task {task.name} does not say what a judge believes after items; {', '.join(BELIEFS)} do")
    return BELIEFS[task.name]
