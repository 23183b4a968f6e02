"""Error injection: how slips of the overseer add up over the height of a question, and those of a market on what it cites.
Rule: errors that are put in on purpose; those of learners are in their own loops.

Farlamp (R. Möhn, unfinished) asks at which rate of errors iterated amplification fails, given a question's height. Take
a rule where any wrong sub-answer makes the answer wrong, and an overseer that slips in each answer independently with
probability e. Every question is answered once, so the root is right only if none of its `nodes` questions slipped: it
fails with probability 1 − (1 − e)^nodes, which goes to 1 as fast as the tree grows.

Shah (comments on Hubinger 2020, AI safety via market making): where a market is wrong on a sub-question, the adversary
cites it, the citation is verified, and the judge believes what follows. If it slips on each question with probability e,
and learned all else from its own answers, the final answer is right about as often as nothing under it slipped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from moot.complexity.estimates import wilson
from moot.complexity.rules import Circle, looker
from moot.protocols.amplification.amplification import Amplification, Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.market.market_making import MarketMaking
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import Task
from moot.tasks.programs.market_programs import ChecksRule, Citing, follow, slip
from moot.tasks.programs.programs import Overseer
from moot.training.market import Program, TabularMarket, play_market
from moot.training.oversight import play_once

Wrong = Callable[[str, Random], str]


class Slipping:
    """An agent whose answers are wrong with probability p; what it asks is left as it is. wrong: makes the wrong answer
    from the right one; by default another of the question's choices, or one of the same form. The draw follows from the
    step's seed, so a step that is asked again slips again. UsageError when p is not in [0, 1]."""

    def __init__(self, agent: Any, p: float, wrong: Wrong | None = None) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"the probability of a slip lies in [0, 1]; it is {p}")
        self.agent, self.p, self.wrong = agent, p, wrong
        self.answers = self.slips = 0

    def act(self, request: Request) -> Move:
        move: Move = self.agent.act(request)
        if not isinstance(move, Reply):
            return move
        self.answers += 1
        random = Random(f"slip/{request.seed}")
        if random.random() >= self.p:
            return move
        self.slips += 1
        others = [choice for choice in request.view.question.choices if choice != move.answer]
        wrong = self.wrong or (lambda right, random: random.choice(others) if others else slip(right, random))
        answer = wrong(move.answer, random)
        return move.model_copy(update={"answer": answer})

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "slipping", "p": self.p, "of": self.agent.describe()}


def inject_errors(p: float, wrong: Wrong | None = None) -> Callable[[Any], Slipping]:
    """What puts errors at the output of Amplify: `train(…, wrap=inject_errors(0.01))`."""
    return lambda agent: Slipping(agent, p, wrong)


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong roots at one height. height: splits above a single cell; nodes: questions in the tree; failed: of so many
    plays; low, high: the 95 % interval of Wilson (1927) of the share; predicted: 1 − (1 − e)^nodes."""

    height: int
    nodes: int
    failed: int
    plays: int
    low: float
    high: float
    predicted: float


def failure_curve(error: float, heights: Sequence[int], plays: int = 400, seed: int = 0) -> list[Failures]:
    """Measured and predicted failures of sums of 2^height ones by amplification, each answer one too high with
    probability `error`. A slip adds 1 and nothing ever subtracts, so errors cannot cancel. UsageError on a negative height."""
    if min(heights, default=0) < 0 or plays < 1:
        raise UsageError(f"a failure curve needs heights of at least 0 and at least 1 play, not {heights} and {plays}")
    task, found = Sum(), list[Failures]()
    overseer = Slipping(Overseer(task), error, lambda answer, _: str(int(answer) + 1))
    for height in heights:
        cells = 1 << height
        nodes = 2 * cells - 1
        protocol = Amplification(depth=None, width=2, turns=2, questions=nodes)
        choices = tuple(str(total) for total in range(cells, cells + nodes + 1))
        question = Question(f"sum[0:{cells}]", choices, data=[1] * cells, size=cells, unit="cells", about=task.about)
        failed = 0
        for play in range(plays):
            outcome = play_once(protocol, question, {"overseer": overseer}, (seed * 64 + height) * 1_000_003 + play)
            failed += not (isinstance(outcome, Decided) and outcome.verdict.choice == 0)
        found.append(Failures(height, nodes, failed, plays, *wilson(failed, plays), 1 - (1 - error) ** nodes))
    return found


def report(curve: Sequence[Failures]) -> str:
    """A failure curve as text, a line for each height."""
    lines = ["height  nodes  failed        95 % interval     1 − (1 − e)^nodes"]
    for f in curve:
        share = f"{f.failed / f.plays:.3f}"
        interval = f"[{f.low:.3f}, {f.high:.3f}]"
        lines.append(f"{f.height:6}  {f.nodes:5}  {share} of {f.plays:<4} {interval}  {f.predicted:.3f}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Injection:
    """Final answers under a rate of errors. error: the probability of a slip, for each of the questions (`below` in the mean)
    below the one that is played. runs: plays, each on an instance of its own; decided: those with a verdict; right: those
    whose judge believed the true choice most, low and high their Wilson interval of 95%, predicted: (1 - error)^below."""

    error: float
    size: int
    below: float
    runs: int
    decided: int
    right: int
    predicted: float
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        return self.right / self.runs


def inject(task: Task, size: int, error: float, runs: int = 200, seed: int = 0) -> Injection:
    """Play market making on `runs` instances with a market that slips. Its other answers follow from its own, as training
    leaves them. Raises UsageError on numbers out of range and, as Circle, when questions wait for each other."""
    if not 0 <= error <= 1 or runs < 1:
        raise UsageError(f"inject: the error rate is {error} and there are {runs} runs; take 0 to 1, and at least 1")
    protocol = MarketMaking()
    seats: dict[str, Program] = {"adversary": Citing(task), "judge": ChecksRule(task)}
    right = decided = below = 0
    predicted = 0.0
    for run in range(runs):
        sample = task.sample(size, seed * 1_000_003 + run)
        question = sample.question
        answers = slipping(task, question.data, question.text, error, Random(f"slips/{seed}/{run}"))
        below += len(answers)
        predicted += (1 - error) ** len(answers)
        played = play_market(protocol, question, {**seats, "market": TabularMarket(guesses=answers)}, seed=run)
        if isinstance(played.outcome, Decided):
            decided += 1
            right += played.outcome.verdict.choice == sample.unseal()
    low, high = wilson(right, runs)
    return Injection(error, size, below / runs, runs, decided, right, predicted / runs, low, high)


def slipping(task: Task, data: Any, root: str, error: float, random: Random) -> dict[str, str]:
    """The answers of a market to every question that `root` leads to, without itself: what the rule makes of the market's
    other answers, replaced by a wrong one in the form of it with probability `error`. Raises Circle."""
    known: dict[str, str] = {}
    look = looker(data)
    stack = [root]
    while stack:
        found = follow(task, stack[-1], look, known)
        if found.missing:
            if found.missing[0] in stack:
                raise Circle(task, stack[stack.index(found.missing[0]) :])
            stack.append(found.missing[0])
            continue
        answer = UNKNOWN if found.answer is None else found.answer
        known[stack.pop()] = slip(answer, random) if random.random() < error else answer
    del known[root]
    return known
