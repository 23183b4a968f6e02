"""Nested scalable oversight: a trusted guard oversees a stronger houdini, which is then trusted to guard the next.
Rule: one protocol and its moves; which number of steps is best is computed in `experiments/reproductions`.

Engels, Baek, Kantamneni and Tegmark 2025, Scaling laws for scalable oversight (arXiv 2504.18530). How one oversight game
is played is left open here, as in their theory: the players' Elo ratings in it decide how likely each is to win.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source

Elo = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Strength(Move, argues=True, fixed_reading=1, worded="plays at a domain Elo of {elo}"):
    """The Elo rating at which a player plays this oversight game (its domain Elo)."""

    kind: Literal["strength"] = "strength"
    elo: Elo


class NestedOversight(Protocol):
    """Does oversight hold over the whole chain? The guard stands for "yes", the houdini for "no".

    steps: into how many equal parts the distance is cut. start: the general Elo of the first guard, which is trusted.
    gap: how much higher the last houdini's is. At step i = 0 … steps − 1 a guard of general Elo start + gap·i/steps meets
    a houdini of start + gap·(i+1)/steps; both seats are told both numbers and say, the guard first, at what domain Elo
    they play. A coin falls for the guard with 1 / (1 + 10^((houdini − guard) / 400)). The first game that is lost ends
    the chain.

    The payoffs are 1 and −1, so that the guard's expected payoff v says with which probability the chain holds:
    (1 + v) / 2. There is no judge; the guard is the role that a bound is for.
    """

    name: ClassVar[str] = "nested-oversight"
    players: ClassVar[tuple[str, ...]] = ("guard", "houdini")
    judge: ClassVar[str] = "guard"
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True

    steps: Annotated[int, Field(ge=1, le=1000)] = 2
    start: Elo = 0.0
    gap: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 400.0

    def roles(self, question: Question) -> dict[str, str]:
        if sorted(question.choices) != ["no", "yes"]:
            raise UsageError(f"{self.name} needs the choices yes (it holds) and no, not {question.choices}")
        return {"guard": "guard", "houdini": "houdini"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        held, under = True, None
        for step in range(self.steps):
            weak, strong = self.at(step), self.at(step + 1)
            told = {"step": step, "guard": weak, "houdini": strong}
            guard: Strength = await floor.ask("guard", Strength, under=under, task="guard", details=told)
            houdini: Strength = await floor.ask(
                "houdini", Strength, under=floor.step, relation="attacks", task="houdini", details=told
            )
            under = floor.step
            held = await floor.flip(wins(guard.elo, houdini.elo))
            if not held:
                break
        verdict, paid = Verdict.sure(question.choices.index("yes" if held else "no")), 1.0 if held else -1.0
        return Decided(verdict, payoffs={"guard": paid, "houdini": -paid}, step=floor.step)

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        return {"guard": question.choices.index("yes"), "houdini": question.choices.index("no")}

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"guard": "none", "houdini": "none"}

    def at(self, step: int) -> float:
        """The general Elo that the chain has come to before this step."""
        return self.start + self.gap * step / self.steps

    def utility_bound(self, question: Question) -> float:
        return 1.0

    def most_moves(self, question: Question) -> dict[str, int]:
        return {"guard": self.steps, "houdini": self.steps}


def wins(elo: float, other: float) -> float:
    """The probability that a player of rating `elo` beats one of rating `other`, for any two ratings."""
    log = (other - elo) / 400
    return 1 / (1 + 10**log) if log <= 0 else 10**-log / (1 + 10**-log)
