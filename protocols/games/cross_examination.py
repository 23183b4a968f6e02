"""Debate with cross-examination: copies of the claimant answer for a table that is too large to state.
Rule: the protocol, with copies and without; what is claimed of a table is its task's.

Barnes and Christiano 2020, Writeup: Progress on AI Safety via Debate. It makes debate as strong as NEXP: copies that know of
nothing but a cell's address cannot fit an answer to the challenge, and are as good as a table written down beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.amplification.amplification import Reply, Text
from moot.protocols.checks import checked
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry
from moot.protocols.games.claims import ClaimGame


class Asks(Move, abstract=True, argues=True):
    """Addresses of cells that the claimant's copies are asked for."""

    addresses: Annotated[tuple[Text, ...], Field(min_length=1)]

    def content(self) -> str:
        return "\n".join(self.addresses)

    def cells(self) -> int:
        return len(self.addresses)


class Examination(Asks, worded="asks about {addresses}"):
    """Cells that the opponent wants to know before it challenges the claim."""

    kind: Literal["examination"] = "examination"


class Challenge(Asks, worded="the rule is broken at {addresses}"):
    """The few cells at which, the opponent says, the claimant's table breaks its local rule."""

    kind: Literal["challenge"] = "challenge"


class CrossExamination(ClaimGame):
    """Does a table exist that keeps the local rule everywhere? The claimant of "yes" answers for each of its cells.

    A cell's address is put as a question of its own to the claimant's seat, which is shown that, the data, and nothing that
    was said; each address is asked once in a play. The opponent may examine cells, then names one window. The judge is shown
    the challenge and the answers there, at most 2 * window cells however large the table, and looks at the data cell by
    cell. Under optimal play the true answer wins: only a table that keeps the rule passes every window.

    This rests on copies: answers that follow from what the seat is shown. An agent that keeps a memory between calls, or
    goes by the step's name or seed, is no copy, and nothing here can tell.

    queries: how many addresses the opponent may examine, charged to its "queries"; those challenged are charged to the
    judge's. window: how many addresses a challenge may name: at least as many as the
    local rule relates, which only the task knows; of one nothing is claimed.
    """

    name: ClassVar[str] = "cross-examination"
    complexity_class: ClassVar[str | None] = "NEXP"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "copies")
    copies: ClassVar[bool] = True

    queries: Annotated[int, Field(ge=0)] = 0
    window: Annotated[int, Field(ge=1)] = 4

    def copied(self, question: Question) -> tuple[str, ...]:
        return self.sides(question)[:1] if self.copies else ()

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        if self.window > 1:
            return None
        return "a challenge may name one cell, and shows no rule that two cells break together"

    def fit(self, question: Question) -> str | None:
        return None

    async def play(self, floor: Floor, question: Question) -> Decided:
        claimant, opponent = self.sides(question)
        table: dict[str, Entry] = {}
        left = self.queries
        while True:
            move: Asks = await floor.ask(
                opponent, Challenge | Examination if left else Challenge, view=floor.said(source="all"),
                check=partial(self._within, left), relation="attacks", task="examine" if left else "challenge",
                details={"left": left, "window": self.window}, most={"addresses": min(left or self.window, self.window)},
            )  # fmt: skip
            said = Entry(floor.step, opponent, move)
            payer = "judge" if isinstance(move, Challenge) else opponent
            left -= len(move.addresses)
            await floor.charge(payer, "queries", len(move.addresses))
            asked = [address for address in dict.fromkeys(move.addresses) if not (self.copies and address in table)]
            if self.copies:
                answers = (self._answer(floor, claimant, each, said.step, table) for each in asked)
                await floor.parallel(*answers, seats=[claimant] * len(asked))
            else:
                for each in asked:
                    await self._answer(floor, claimant, each, said.step, table)
            if isinstance(move, Challenge):
                break
        shown = (said, *(table[address] for address in dict.fromkeys(move.addresses)))
        view = floor.only(question.text, *shown, choices=question.choices, source="metered")
        return await self.judged(floor, view)

    def _within(self, left: int, move: Asks) -> Asks:
        return checked(most={"addresses": self.window if isinstance(move, Challenge) else left})(move)

    async def _answer(self, floor: Floor, claimant: str, address: str, under: str, table: dict[str, Entry]) -> None:
        view = floor.only(address, source="all") if self.copies else floor.said(source="all")
        check = checked(of=address)
        reply: Reply = await floor.ask(
            claimant, Reply, view=view, check=check, under=under, task="cell", details={"cell": address}
        )
        table[address] = Entry(floor.step, claimant, reply)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        claimant, opponent = self.sides(question)
        return {claimant: self.queries + self.window, opponent: self.queries + 1, "judge": 1}


class UncopiedExamination(CrossExamination):
    """The same without copies: the claimant answers in the light of all that was said, anew each time.

    It can then fit its answers to the challenge, lying pays, and no class is claimed.
    """

    name: ClassVar[str] = "cross-examination-uncopied"
    complexity_class: ClassVar[str | None] = None
    copies: ClassVar[bool] = False
