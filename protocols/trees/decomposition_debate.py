"""Recursive debate by decomposition: a claim is taken apart, the opponent names a part that is wrong, the judge reads it.
Rule: one protocol, its moves, and the tree of claims that `prover_estimator.py` builds on too.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899). Barnes and Christiano 2020 (Debate update: obfuscated arguments
problem) show where it fails: an opponent who knows that some part is wrong, and cannot find which, can only guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from moot.protocols.amplification.moves import Text
from moot.protocols.checks import checked, choose, need_choices
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Source

RIGHT, WRONG = "right", "wrong"
"""What the judge decides between when it is shown one claim."""
FOLLOWS = "0"
"""What the opponent picks when every part may be right, and the claim does not follow from them."""
ASKED = {
    "read": "Is this claim right?",
    "follows": "Is the first claim right, by what is said of those that it rests on?",
}
"""What the judge is asked, by its task. The claims are statements, which it pays for: no text of a debater is a question."""


class Claim(BaseModel):
    """That `answer` is the right answer to `question`."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    question: Text
    answer: Text

    def __str__(self) -> str:
        return f"{self.question} → {self.answer}"


class Decomposition(Move, argues=True, filled=("of",)):
    """The claims that a claim rests on. of: its question (the protocol fills it in)."""

    kind: Literal["decomposition"] = "decomposition"
    of: str = ""
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    def content(self) -> str:
        return "\n".join(f"{number}. {claim}" for number, claim in enumerate(self.claims, 1))

    def cells(self) -> int:
        return len(self.claims)

    def in_words(self) -> str:
        return f"{self.of} rests on" + "".join(f"\n({i}) {claim}" for i, claim in enumerate(self.claims, 1))


class Pick(Move, argues=True, fixed_cells=1, read_as="{claim}"):
    """The number of the claim, of those just given, that the debate goes on about: "1" is the first."""

    kind: Literal["pick"] = "pick"
    claim: Text

    def in_words(self) -> str:
        return "the claim does not follow" if self.claim == FOLLOWS else f"claim ({self.claim})"


class Claimed(Move, fixed_cells=1, read_as="{of} → {answer}"):
    """A claim as the judge is shown it. Nobody is asked for it."""

    kind: Literal["claimed"] = "claimed"
    of: str
    answer: str


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim that was made at a step."""

    question: str
    answer: str
    step: str

    def entry(self, seat: str) -> Entry:
        """The claim as a statement on the record of those who are shown it alone."""
        return Entry(self.step, seat, Claimed(of=self.question, answer=self.answer))


class ClaimTree(Protocol):
    """What recursive debates share: seat a answers the question and takes claims apart, the judge is shown one claim.

    rounds: how often a claim is taken apart before the judge reads. width: how many parts there may be. source: what of
    the question's data a and b see ("all", "metered" cell by cell, "none"); judge_source: what the judge sees of it.
    """

    players: ClassVar[tuple[str, ...]] = ("prover", "opponent", "judge")
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True

    rounds: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1)] = 8
    source: Source = "all"
    judge_source: Source = "metered"

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        return {"a": "prover", "b": self.players[1], "judge": "judge"}

    async def claim(self, floor: Floor, question: Question) -> tuple[Stated, int]:
        """What a claims of the whole question, and which choice that is."""
        choice = await choose(floor, "a", self.source)
        return Stated(question.text, question.choices[choice], floor.step), choice

    async def parts(self, floor: Floor, claim: Stated, round: int, under: str | None) -> tuple[Stated, ...]:
        """The claims that a rests a claim on."""
        most = {"claims": self.width}
        made: Decomposition = await floor.ask(
            "a", Decomposition, view=floor.said(source=self.source), check=checked(most=most, of=claim.question),
            under=under, task="decompose", claim=claim.question, claimed=claim.answer, round=round, rounds=self.rounds,
            most=most,
        )  # fmt: skip
        return tuple(Stated(each.question, each.answer, floor.step) for each in made.claims)

    async def pick(self, floor: Floor, seat: str, parts: Sequence[Stated], round: int, *more: str) -> int:
        """Which part the seat picks, as an index; -1 for "0", where that is among `more`."""
        one_of = {"claim": [*more, *map(str, range(1, len(parts) + 1))]}
        picked: Pick = await floor.ask(
            seat, Pick, view=floor.said(source=self.source), check=checked(one_of), under=parts[0].step,
            relation="attacks", task="pick", round=round, rounds=self.rounds, one_of=one_of,
        )  # fmt: skip
        return int(picked.claim) - 1

    async def judged(self, floor: Floor, claim: Stated, *given: Entry, task: str) -> float:
        """How probable it is to the judge that the claim is right; it is shown the claim, what is given, and no more."""
        shown = (claim.entry("a"), *given)
        view = floor.only(ASKED[task], *shown, choices=(RIGHT, WRONG), source=self.judge_source)
        verdict = await floor.ask("judge", Verdict, view=view, task=task)
        return verdict.probabilities[0]

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 1 + self.rounds, "b": self.rounds, "judge": 1}


class DecompositionDebate(ClaimTree):
    """a claims an answer and takes it apart; b names the part that is wrong; the judge reads what is left.

    After `rounds` rounds the judge reads the data to see whether the claim at hand is right. b may also pick "0": the claim
    does not follow; then the judge is shown the parts alone, as if all of them held. a is paid 2 p − 1 and b the opposite,
    where p is the judge's probability that what it was shown is right, and the verdict gives a's answer p.

    A right claim has right parts, and a wrong one has a wrong part or does not follow, so that under optimal play b wins
    exactly when a's answer is wrong. A b that cannot tell which of m parts is wrong wins with probability 1/m.
    """

    name: ClassVar[str] = "decomposition-debate"

    async def play(self, floor: Floor, question: Question) -> Decided:
        claim, choice = await self.claim(floor, question)
        under = None
        for round in range(1, self.rounds + 1):
            parts = await self.parts(floor, claim, round, under)
            picked = await self.pick(floor, "b", parts, round, FOLLOWS)
            under = floor.step
            if picked < 0:
                given = (part.entry("a") for part in parts)
                right = await self.judged(floor, claim, *given, task="follows")
                break
            claim = parts[picked]
        else:
            right = await self.judged(floor, claim, task="read")
        verdict = believed(right, choice, len(question.choices))
        return Decided(verdict, payoffs={"a": 2 * right - 1, "b": 1 - 2 * right}, step=floor.step)

    def utility_bound(self, question: Question) -> float:
        return 1.0


def believed(probability: float, choice: int, count: int) -> Verdict:
    """The verdict that gives one choice this probability, and each other one an equal share of the rest."""
    rest = (1 - probability) / (count - 1)
    return Verdict(probabilities=tuple(probability if index == choice else rest for index in range(count)))
