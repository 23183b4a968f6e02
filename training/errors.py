"""Error injection: how slips of the overseer add up over the height of a question.
Rule: the errors of overseers; those of markets are in `market_errors.py`.

Farlamp (R. Möhn, unfinished) asks at which rate of errors iterated amplification fails, given a question's height. Take
a rule where any wrong sub-answer makes the answer wrong, and an overseer that slips in each answer independently with
probability e. Every question is answered once, so the root is right only if none of its `nodes` questions slipped: it
fails with probability 1 − (1 − e)^nodes, which goes to 1 as fast as the tree grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from moot.complexity.intervals import wilson
from moot.protocols.amplification.amplification import Amplification, Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Request
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.programs.market_programs import slip
from moot.tasks.programs.programs import Overseer
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
