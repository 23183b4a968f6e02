"""Bisection: a recursive debate about a sum, on an argument tree of which only one path is ever written.
Rule: one protocol and its moves, about sums alone; claims of any other kind are taken apart elsewhere.

The halving idea of Irving, Christiano and Amodei 2018 (arXiv 1805.00899, the Reach example): a claim about N cells is
split into claims about its halves; the opponent picks the half that it disputes; at a single cell the judge looks.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moot.protocols.checks import TwoSided
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.scoring import ScoringRule


class Split(Move, argues=True, fixed_reading=2, worded="the left half sums to {left}, the right half to {right}"):
    """The claimant's split of a claim: cells [start, middle) sum to `left`, cells [middle, end) to `right`."""

    kind: Literal["split"] = "split"
    left: int
    right: int


class Dispute(Move, argues=True, fixed_reading=1, worded="the {half} half is wrong"):
    """The half that the opponent disputes."""

    kind: Literal["dispute"] = "dispute"
    half: Literal["left", "right"]


class Bisection(TwoSided):
    """Two answers to "what is the sum of these N integers?"; a claims the first, b disputes it.

    a splits its claim in halves, b picks the half that is wrong, down to one cell. The judge reads that path, adds two
    numbers at each level and looks at one cell: 3·⌈log2 N⌉ + 1 reads, of a tree of 2N − 1 claims. Under optimal play the
    true answer wins: a wrong claim has a wrong half, and a right one has none. Sums of written-out integers are in P: what is
    gained is the judge's reading, a logarithm of it.

    question.data is the list of integers and question.choices are the two claimed sums. Raises UsageError otherwise.
    """

    name: ClassVar[str] = "bisection"
    complexity_class: ClassVar[str | None] = "P"
    dynamics: ClassVar[str] = "sequential"

    scoring: ScoringRule = ScoringRule(rule="brier")

    def roles(self, question: Question) -> dict[str, str]:
        data = question.data
        if not isinstance(data, list) or not data or not {int, bool}.issuperset(map(type, data)):
            raise UsageError(f"bisection needs data, a list of integers; {question.text!r} has {type(data).__name__}")
        if len(question.choices) != 2 or not all(choice.lstrip("-").isdigit() for choice in question.choices):
            raise UsageError(f"bisection needs two integers as choices, not {question.choices}")
        return super().roles(question)

    def stances(self, question: Question) -> dict[str, int]:
        return {"a": 0, "b": 1}

    def sees(self, question: Question) -> dict[str, Source]:
        return {"a": "all", "b": "all", "judge": "metered"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        assert isinstance(question.data, list)
        start, end, claim, under = 0, len(question.data), int(question.choices[0]), None
        while end - start > 1:
            middle = (start + end) // 2
            where = {"start": start, "middle": middle, "end": end, "claim": claim}
            view = floor.said(source="all")
            split: Split = await floor.ask("a", Split, view=view, under=under, task="split", details=where)
            halves = {"left": split.left, "right": split.right}
            dispute = await floor.ask(
                "b", Dispute, view=floor.said(source="all"), under=floor.step, relation="attacks", task="dispute",
                details={**where, **halves},
            )  # fmt: skip
            under = floor.step
            start, end = (start, middle) if dispute.half == "left" else (middle, end)
            claim = halves[dispute.half]
        return await self.judged(floor, floor.said(source="metered"))

    def full_tree_size(self, question: Question) -> int | None:
        return 2 * len(question.data) - 1 if isinstance(question.data, list) else None

    def most_moves(self, question: Question) -> dict[str, int] | None:
        depth = (len(question.data) - 1).bit_length() if isinstance(question.data, list) else 0
        return {"a": depth, "b": depth, "judge": 1}
