"""Another way to judge what was said: a panel that deliberates; and what a market made of it.
Rule: what every debate needs of the ways to judge; each of the others has a file of its own.

Deliberating panels of model judges: Verga et al. 2024 (arXiv 2404.18796) take a vote of judges who do not hear each other;
Chan et al. 2023, ChatEval (arXiv 2308.07201), have them talk in rounds first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.debate.parts import Part, Turn
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.scoring import Pooling, pooled


class Deliberation(Part):
    """Several judges talk, and each gives a verdict; all of them together are the play's.

    judges: how many, 2 to 9, in the seats judge, judge2, judge3 …, all of them of the role "judge". rounds: how often each
    says what it thinks, with a belief, before its verdict: blind to the others in a round, and shown all that was said before
    it. They are heard by each other alone. rule: "mean" or "median" of the verdicts (`pooled`). It ends the debate, so
    it is the last part. No theorem speaks of several judges: no class is claimed.
    """

    judging: ClassVar[bool] = True

    part: Literal["deliberation"] = "deliberation"
    judges: Annotated[int, Field(ge=2, le=9)] = 3
    rounds: Annotated[int, Field(ge=0, le=100)] = 1
    rule: Pooling = "mean"

    @property
    def seats(self) -> Mapping[str, str]:
        return {"judge" if place == 1 else f"judge{place}": "judge" for place in range(1, self.judges + 1)}

    def most(self, said: int) -> Mapping[str, int]:
        return dict.fromkeys(self.seats, self.rounds + 1)

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        seats = tuple(self.seats)
        given: tuple[Verdict, ...] = ()
        for number in range(1, self.rounds + 2):
            about: Any = {"task": "verdict"}
            if number <= self.rounds:
                about = {
                    "task": "deliberate",
                    "round": number,
                    "rounds": self.rounds,
                    "details": {"judges": self.judges},
                }
            given = await floor.parallel(
                *(floor.ask(seat, Verdict, view=floor.said(seat, source=turn.judge_source), to=seats, **about)
                  for seat in seats)
            )  # fmt: skip
        return Verdict(probabilities=pooled([each.probabilities for each in given], self.rule))


def last_price(steps: Iterable[Any]) -> Mapping[str, tuple[float, ...]]:
    """Seat to the last price that a market named, of the recorded steps of a play."""
    found: dict[str, tuple[float, ...]] = {}
    for step in steps:
        if step.move.get("kind") == "price":
            found[step.seat] = tuple(step.move["probabilities"])
    return found
