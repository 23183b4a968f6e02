"""Programs that debate a computation with a noisy oracle: honest ones, those that lie or challenge, and the judge.
Rule: the noisy oracle alone; who debates steps without noise is in `steps.py`.

They hold the oracle's probabilities as the sampler that they draw from. Samples are drawn as binomial numbers, seeded
by the step, so that a play takes milliseconds whatever their count."""

from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.view import Request
from moot.protocols.games.computations import computation_named
from moot.protocols.games.doubly_efficient import Check, Probability
from moot.tasks.arithmetic.binomial import binomial
from moot.tasks.oracle.computations import number_of
from moot.tasks.programs.play import Program, ruled


def oracle_p(request: Request) -> float:
    """The oracle's probability of a 1 for the query of this step; for those who see the data."""
    data: Any = request.view.question.data
    query = request.brief["details"]["query"]
    try:
        return number_of(data["oracle"][query])
    except (KeyError, TypeError):
        raise UsageError(f"step {request.step}: the data has no oracle that answers {query!r}") from None


@lru_cache(maxsize=256)
def _checked(accept: bool, queries: int) -> Check:
    return Check(accept=accept, queries=queries)


class Honest(Program):
    """Both debaters as the theorem has them: Alice states a mean of samples, Bob holds a mean of his own against it.
    draws: where its samples come from, given the request; by default the step's seed."""

    def __init__(self, draws: Callable[[Request], Random] | None = None) -> None:
        self.draws = draws or (lambda request: Random(request.seed))

    def act(self, request: Request) -> Move:
        if Probability in request.kinds:
            return self.estimate(request)
        if Check in request.kinds:
            return self.check(request)
        raise UsageError(f"step {request.step}: this program states and checks estimates, and was asked for neither")

    def mean(self, request: Request, p: float) -> float:
        """The mean of as many samples of probability p as the protocol prescribes."""
        count: int = request.brief["details"]["samples"]
        return binomial(self.draws(request), count, p) / count

    def estimate(self, request: Request) -> Probability:
        told = request.brief["details"]
        return Probability(of=told["query"], p=self.mean(request, oracle_p(request)), queries=told["samples"])

    def check(self, request: Request) -> Check:
        told, said = request.brief["details"], request.view[-1].move
        assert isinstance(said, Probability)
        return _checked(abs(said.p - self.mean(request, oracle_p(request))) < told["within"], told["samples"])


def step_at(request: Request, at: int | None) -> bool:
    """Whether this is step `at`; a negative one is counted from the most steps that the computation can have."""
    data: Any = request.view.question.data
    if at is not None and at < 0:
        at += computation_named(data["computation"]).queries(data["input"])
    return bool(request.brief["details"]["step"] == at)


class Shifting(Honest, records=("shift", "at", "exactly")):
    """An Alice whose estimates are off by `shift`, cut to [0, 1]: at step `at` only (from the end when negative), or at
    every step (None). exactly: she shifts the oracle's own probability, and asks nothing."""

    def __init__(self, shift: float = 1.0, at: int | None = -1, exactly: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.shift, self.at, self.exactly = shift, at, exactly

    def estimate(self, request: Request) -> Probability:
        here = self.at is None or step_at(request, self.at)
        exact = Probability(of=request.brief["details"]["query"], p=oracle_p(request)) if self.exactly else None
        said = exact or super().estimate(request)
        return said.model_copy(update={"p": min(1.0, max(0.0, said.p + self.shift))}) if here else said


class Aborting(Honest, records=("at", "chance")):
    """A Bob who asks the oracle nothing and challenges at step `at` (from the end when negative), or with `chance` at each
    step, drawn from its seed; at=None and no chance accept everything."""

    def __init__(self, at: int | None = 0, chance: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.at, self.chance = at, chance

    def check(self, request: Request) -> Check:
        here = step_at(request, self.at)
        return Check(accept=not here and not (self.chance and self.draws(request).random() < self.chance))


class Vera(Honest):
    """The judge, Vera: samples the one probability that is challenged, and finds for Alice when she was near enough."""

    def act(self, request: Request) -> Verdict:
        view, told = request.view, request.brief["details"]
        said = view[-1].move
        assert isinstance(said, Probability)
        mean = self.mean(request, number_of(view.look("oracle", told["query"])))
        why = f"{told['samples']} samples: {mean:.6g} against {said.p:.6g}"
        return ruled(view.question, "yes", abs(said.p - mean) < told["within"], why)
