"""Prover-estimator debate: the opponent need not find the flaw, only say how probable each part is.
Rule: one protocol and its moves; whether an argument is stable is computed in `stability.py`.

Brown-Cohen, Irving and Piliouras 2025, Avoiding obfuscation with prover-estimator debate (arXiv 2506.13609).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.checks import checked
from moot.protocols.engine.budget import beyond
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Share
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.engine.view import Entry
from moot.protocols.trees.decomposition_debate import ClaimTree, Stated, believed
from moot.protocols.trees.stability import Rests, Stability, stability

LOW, FINE, HIGH = -1, 0, 1
SIGNS = {str(LOW): "the estimate is too low", str(FINE): "it is fine", str(HIGH): "it is too high"}


class Estimate(
    Move, argues=True, filled=("of",), fixed_cells=1, read_as="{of}: {probability:.6g}", quoting=("of", "probability")
):
    """The probability that a claim is right. of: its question (the protocol fills it in)."""

    worded: ClassVar[str] = "{of} is right with probability {probability}"
    kind: Literal["estimate"] = "estimate"
    of: str = ""
    probability: Share
    quotes: Quotes = ()

    def excess(self) -> int:
        return beyond(self.of)


class Call(Move, argues=True, fixed_cells=1):
    """Where the prover says that the estimate of the claim at hand errs: -1 too low, 1 too high, 0 that it is fine."""

    kind: Literal["call"] = "call"
    sign: Literal[-1, 0, 1]

    def content(self) -> str:
        return SIGNS[str(self.sign)]


class Sampled(Move, fixed_cells=1, quoting=("of", "answer")):
    """What a trusted coin of the estimate made of a part: whether its claimed answer holds. Nobody is asked for it."""

    kind: Literal["sampled"] = "sampled"
    of: str
    answer: str
    probability: float
    holds: bool
    quotes: Quotes = ()

    def content(self) -> str:
        return f"{self.of} → {self.answer}: {'holds' if self.holds else 'does not hold'}"

    def excess(self) -> int:
        return beyond(self.of, self.answer)


class ProverEstimator(ClaimTree):
    """a, the prover, claims an answer and takes it apart; b, the estimator, says how probable each claim is.

    The estimator gives p_0, the probability that the answer is right. A coin that falls with p_0 pays the prover 1 or costs
    it 1. Then, in each round, the prover calls the estimate p_t of the claim at hand too low (s = -1), fine (0) or too
    high (1), and gives the claims that it rests on. The judge, shown these, says whether the claim at hand follows from
    them; where it does not (below 1/2), the play is over, and the prover loses `stakes`, the most that a play can cost. For
    one after the other the estimator says how probable it is, knowing the coins of those before it; a coin that falls so
    says whether it holds. The judge, shown the coins, says with what probability x_t the claim at hand is right, and the
    prover is paid growth^t (s (p_t - x_t) - epsilon |s|), t = 1, 2, …; it picks the part that the next round is about. After
    the last round the judge reads the data instead of coins. The estimator is paid the opposite. The verdict gives the
    prover's answer p_0.

    epsilon: what errors of estimates are forgiven; rho: in what share of the claims stability may fail (see `stable`).
    growth: how much more each round is worth, λ. With λ ≥ 2 (a theorem of moot's own, on the protocol's page; the paper's,
    6.1 on completeness under stability and 6.2 on soundness in Stackelberg equilibria, are about its own payoffs), an honest prover who knows the answers and whose claims let no
    error grow by more than λ on its way up gets at least 1 - epsilon (λ + … + λ^(rounds + 1)), whatever the estimator says.
    """

    name: ClassVar[str] = "prover-estimator"
    players: ClassVar[tuple[str, ...]] = ("prover", "estimator", "judge")

    epsilon: Annotated[float, Field(ge=0, lt=1)] = 0.05
    rho: Annotated[float, Field(ge=0, le=1)] = 0.0
    growth: Annotated[float, Field(ge=1, le=1000)] = 3.0

    def roles(self, question: Question) -> dict[str, str]:
        if (self.rounds + 1) * math.log10(self.growth) > 12:
            raise UsageError(f"{self.name}: with growth {self.growth:g} and {self.rounds} rounds payoffs go up to "
                             f"{self.growth:g}^{self.rounds + 1}; lower one of them, to stay below 10^12")  # fmt: skip
        return super().roles(question)

    async def play(self, floor: Floor, question: Question) -> Decided:
        claim, choice = await self.claim(floor, question)
        first, under = await self.estimate(floor, claim, 0, ())
        paid = 1.0 if await floor.flip(first) else -1.0
        p = first
        for t in range(1, self.rounds + 1):
            sign = await self.call(floor, claim, p, t, under)
            parts = await self.parts(floor, claim, t, under)
            given = (self.entry(floor, part) for part in parts)
            if await self.judged(floor, claim, *given, task="follows") < 1 / 2:
                paid = -self.utility_bound(question)
                break
            estimates, samples = list[tuple[float, str]](), list[Entry]()
            for part in parts:
                q, step = await self.estimate(floor, part, t, samples, part.step)
                estimates.append((q, step))
                sample = Sampled(of=part.question, answer=part.answer, probability=q, holds=await floor.flip(q))
                samples.append(Entry(step, "b", self.verified(floor, sample)))
            if sign:
                paid += self.worth(t, sign, p, await self.judged(floor, claim, *samples, task="follows"))
            picked = await self.pick(floor, "a", parts, t)
            claim, (p, under) = parts[picked], estimates[picked]
        else:
            if sign := await self.call(floor, claim, p, self.rounds + 1, under):
                paid += self.worth(self.rounds + 1, sign, p, await self.judged(floor, claim, task="read"))
        verdict = believed(first, choice, len(question.choices))
        return Decided(verdict, payoffs={"a": paid, "b": -paid}, step=floor.step)

    async def estimate(
        self, floor: Floor, claim: Stated, t: int, samples: Sequence[Entry], under: str | None = None
    ) -> tuple[float, str]:
        """The estimator's probability that a claim is right, and the step at which it says so. It is told what the coins
        made of the parts before it."""
        told: list[Any] = [entry.move.model_dump(include={"of", "answer", "holds"}) for entry in samples]
        about = checked(of=claim.question)
        made: Estimate = await floor.ask(
            "b", Estimate, view=floor.said(source=self.source), under=under, relation="attacks", task="estimate",
            check=lambda move: self.verified(floor, about(move)), claim=claim.question, claimed=claim.answer, round=t, rounds=self.rounds,
            details={"coins": told},
        )  # fmt: skip
        return made.probability, floor.step

    async def call(self, floor: Floor, claim: Stated, p: float, t: int, under: str) -> int:
        """What the prover says of the estimate of the claim at hand."""
        made: Call = await floor.ask(
            "a", Call, view=floor.said(source=self.source), under=under, relation="attacks", task="call",
            claim=claim.question, claimed=claim.answer, round=t, rounds=self.rounds,
            details={"estimate": p, "forgiven": self.epsilon, "signs": SIGNS},
        )  # fmt: skip
        return made.sign

    def worth(self, t: int, sign: int, p: float, right: float) -> float:
        """What a call pays the prover in round t, where the judge found the claim right with probability `right`."""
        return self.growth**t * (sign * (p - right) - self.epsilon * abs(sign))

    def stable(self, claims: Iterable[Rests]) -> Stability:
        """Whether the claims of an instance are (epsilon, rho)-stable, measured: see `moot.protocols.trees.stability`."""
        return stability(claims, self.epsilon, self.rho)

    def utility_bound(self, question: Question) -> float:
        return 1 + sum(self.growth**t * (1 + self.epsilon) for t in range(1, self.rounds + 2))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 2 + 3 * self.rounds, "b": 1 + self.rounds * self.width, "judge": 1 + 2 * self.rounds}
