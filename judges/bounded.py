"""The bound that any agent can be put in, and that the engine enforces.

Rule of this file: it declares budgets; who spends what is counted by the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, describe
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.policy import Shares, distribution_of
from moot.agents.spec import seatable
from moot.complexity.polynomial import Polynomial
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request


class Bound:
    """A budget for each measure that a seat spends, as polynomials in the question's size n; seconds is a plain number.

    reads: in the question's unit, each statement and cell that is opened; reads_per_call: for one call, which must stay
    polynomial where a play makes more calls than that (amplification). queries: what the protocol charges as such. calls:
    answers, rejected ones included. tokens: of prompts and answers. seconds: waiting for the answers. computes: steps of
    computing, which a program counts itself, `request.budget.charge("computes", 1)`.
    """

    def __init__(self, seconds: float | None = None, **measures: str | int) -> None:
        if seconds is not None and not seconds > 0:
            raise UsageError(f"a bound of {seconds} seconds lets nobody answer; give a positive number")
        self.seconds = seconds
        self.polynomials = {name: Polynomial.parse(text) for name, text in measures.items()}
        self.limits(1)  # a budget that is below 0 there is refused here

    def limits(self, n: int) -> dict[str, int | float]:
        """The budget as numbers at size n."""
        limits: dict[str, int | float] = {name: polynomial(n) for name, polynomial in self.polynomials.items()}
        if self.seconds is not None:
            limits["seconds"] = self.seconds
        return limits

    def describe(self) -> dict[str, Any]:
        seconds = {} if self.seconds is None else {"seconds": self.seconds}
        return {name: str(polynomial) for name, polynomial in self.polynomials.items()} | seconds


class Bounded(Wrapper):
    """Any agent inside a bound: `Bounded(judge, reads="40*n + 2000", queries="n^2", seconds=60)`. Crossing it ends the
    play in `Exhausted`. Raises UsageError on a bad expression, and on one that is negative at n = 1."""

    def __init__(
        self, agent: Any, *, reads: str | int | None = None, reads_per_call: str | int | None = None,
        queries: str | int | None = None, calls: str | int | None = None, tokens: str | int | None = None,
        computes: str | int | None = None, seconds: float | None = None,
    ) -> None:  # fmt: skip
        given = {
            "reads": reads,
            "reads_per_call": reads_per_call,
            "queries": queries,
            "calls": calls,
            "tokens": tokens,
            "computes": computes,
        }
        self.agent = seatable(agent)
        self.held = (self.agent,)
        self.bound = Bound(seconds, **{name: value for name, value in given.items() if value is not None})
        self._act = act_of(self.agent)

    def act(self, request: Request) -> Any:
        return self._act(request)

    @property
    def distribution(self) -> Callable[[Request], Shares]:
        """What the agent inside draws from, where it is a Policy."""
        if (stated := distribution_of(self.agent)) is None:
            raise AttributeError(f"{self.agent!r} states no distribution of its moves")
        return stated

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent="bounded", bound=self.bound.describe())

    def describe(self) -> dict[str, Any]:
        return {**describe(self.agent), "bound": self.bound.describe()}


class BoundedKind(JudgeKind):
    """Another agent, inside a bound."""

    name: ClassVar[str] = "bounded"
    of: Held
    reads: str | int | None = None
    reads_per_call: str | int | None = None
    queries: str | int | None = None
    calls: str | int | None = None
    tokens: str | int | None = None
    computes: str | int | None = None
    seconds: float | None = None

    def make(self) -> Bounded:
        return Bounded(self.of, **self.given("of"))

    def profile(self) -> Profile:
        found: Profile = self.of
        return replace(found, bound=Bound(**self.given("of")))
