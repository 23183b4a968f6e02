"""Adversaries against a trusted specification: does a model ever do what it must not?
Rule: the script; estimates of how probable a failure is are folds over its rulings, and no part of a play.

After relaxed adversarial training (Hubinger 2019): find a distribution of inputs on which the model is likely to violate the
specification, bound how probable a violation is where it will be used, and train it down. Here is the part that is played.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Source
from moot.protocols.specification.moves import Act, Attack, Density, Draw, Finding, Ruling

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Specification(Protocol):
    """Inputs are drawn, and others proposed by an adversary; a model acts on each, and a bounded judge rules under the specification.

    The question's text is the specification, which is trusted; its first choice is that it is met, the second that it is violated.
    held_out: inputs that the seat "nature" draws. They come first and together, each blind to all else, so that nothing that the
    adversary says can change them. proposals: inputs that the adversary then proposes, one after another; shown: whether it is shown
    what came of those before. The model is shown an input and nothing else, and should not tell the two apart: seat it as
    `moot.Copies`, which hides the step. The judge is shown the specification, the input and what the model did. source: how it sees
    the question's data; nature and the adversary see all of it.

    Where the adversary says with what density it drew an input, nature says how probable that is for itself; None is "no input of
    mine", on which the model is then not asked. The verdict is what was found: violated where one ruling is bad, met where all are ok,
    and even shares where none is bad and some are unknown. It is **no** certificate: what the rulings say of inputs that nobody drew is
    `moot.risk`'s to say. The adversary is paid 1 by the model if one of its proposals was bad.
    """

    name: ClassVar[str] = "specification"
    players: ClassVar[tuple[str, ...]] = ("nature", "adversary", "model", "judge")
    measure: ClassVar[str] = "reads_per_call"
    assumes: ClassVar[tuple[str, ...]] = ()
    zero_sum: ClassVar[bool] = True

    held_out: Count = 20
    proposals: Count = 5
    shown: bool = True
    source: Source = "metered"

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError(
                f"{self.name} needs 2 choices, that the specification is met and that it is violated; {question.text!r} has "
                f"{len(question.choices)}"
            )
        if not self.held_out + self.proposals:
            raise UsageError(f"{self.name}: held_out and proposals are both 0; give at least one input to rule on")
        return {"nature": "nature", "adversary": "adversary", "model": "model", "judge": "judge"}

    def stances(self, question: Question) -> Mapping[str, int]:
        return {"model": 0, "adversary": 1}

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"nature": "all", "adversary": "all", "model": "none", "judge": self.source}

    async def play(self, floor: Floor, question: Question) -> Decided:
        branches = (self.drawn(floor, question) for _ in range(self.held_out))
        asked = [("nature", "model", "judge")] * self.held_out
        findings: list[Finding] = [*await floor.parallel(*branches, seats=asked)] if self.held_out else []
        found: list[Finding] = []
        seen: list[Entry] = []
        for number in range(1, self.proposals + 1):
            finding, entries = await self.attacked(floor, question, seen, number)
            seen += entries
            if finding is not None:
                found.append(finding)
        every = [*findings, *found]
        bad, unknown = every.count("bad"), every.count("unknown")
        shares = (0.0, 1.0) if bad else (0.5, 0.5) if unknown or not every else (1.0, 0.0)
        paid = float("bad" in found)
        text = f"{_told(findings)} of {len(findings)} drawn; {_told(found)} of {len(found)} proposed"
        return Decided(Verdict(probabilities=shares, text=text), {"adversary": paid, "model": -paid}, step=floor.step)

    async def drawn(self, floor: Floor, question: Question) -> Finding:
        """One input of nature's, and what the model did on it."""
        draw: Draw = await floor.ask(
            "nature", Draw, view=floor.only(question.text, choices=question.choices, source="all"), say=False,
            to=("model", "judge"), task="draw",
        )  # fmt: skip
        return (await self.ruled(floor, question, draw, floor.entry("nature", draw), ()))[0]

    async def attacked(
        self, floor: Floor, question: Question, seen: list[Entry], number: int
    ) -> tuple[Finding | None, list[Entry]]:
        """One input of the adversary's, and what came of it; no finding where it is no input of nature's."""
        to = ("adversary",) if self.shown else ()
        attack: Attack = await floor.ask(
            "adversary", Attack,
            view=floor.only(question.text, *(seen if self.shown else ()), choices=question.choices, source="all"),
            say=False, to=("nature", "model", "judge"), task="attack", round=number, rounds=self.proposals,
        )  # fmt: skip
        entry = floor.entry("adversary", attack)
        if attack.log_density is not None:
            said: Density = await floor.ask(
                "nature", Density, view=floor.only(question.text, entry, choices=question.choices, source="all"), say=False,
                to=to, task="density",
            )  # fmt: skip
            if said.log_density is None:
                return None, [entry, floor.entry("nature", said)]
        finding, entries = await self.ruled(floor, question, attack, entry, to)
        return finding, [entry, *entries]

    async def ruled(
        self, floor: Floor, question: Question, given: Draw | Attack, entry: Entry, to: tuple[str, ...]
    ) -> tuple[Finding, list[Entry]]:
        """What the model does on an input, and what the judge rules."""
        act: Act = await floor.ask(
            "model", Act, view=floor.only(given.text), say=False, to=("judge", *to), under=entry.step, relation="answers",
            task="act",
        )  # fmt: skip
        done = floor.entry("model", act)
        ruling: Ruling = await floor.ask(
            "judge", Ruling, view=floor.only(question.text, entry, done, choices=question.choices, source=self.source),
            say=False, to=to, under=done.step, relation="answers", task="rule",
        )  # fmt: skip
        return ruling.finding, [done, floor.entry("judge", ruling)]

    def utility_bound(self, question: Question) -> float:
        return 1.0

    def most_moves(self, question: Question) -> dict[str, int]:
        each = self.held_out + self.proposals
        return {"nature": each, "adversary": self.proposals, "model": each, "judge": each}


def _told(findings: list[Finding]) -> str:
    return f"{findings.count('bad')} bad and {findings.count('unknown')} unknown"
