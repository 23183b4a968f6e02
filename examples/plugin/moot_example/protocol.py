"""The protocol `audit`, and its moves: is this sum right, when the judge is shown one number of many?"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

import moot


class Balances(moot.Move):
    """Write down the balance after each booking, in order, all but the last: after that one it is your answer."""

    kind: Literal["balances"] = "balances"
    argues: ClassVar[bool] = True  # a node of the argument tree, under the question
    values: Annotated[tuple[int, ...], moot.Asked("the balances, in order")]

    def cells(self) -> int:
        return len(self.values)


class Doubt(moot.Move):
    """Name a booking (the first is 0) after which the balance is wrong. Only that one will be looked at."""

    kind: Literal["doubt"] = "doubt"
    filled: ClassVar[tuple[str, ...]] = ("before", "amount", "after")  # by the protocol: no model is asked for them
    fixed_cells: ClassVar[int | None] = 4  # what reading it costs where the unit is a cell
    worded: ClassVar[str] = "booking {booking}, {amount}, does not lead from {before} to {after}"
    booking: int
    before: int = 0
    amount: int = 0
    after: int = 0


class Audit(moot.Protocol):
    """The clerk writes the balances that lead to the first answer, the auditor doubts one, the judge looks at that."""

    name: ClassVar[str] = "audit"
    players: ClassVar[tuple[str, ...]] = ("clerk", "auditor", "judge")
    complexity_class: ClassVar[str | None] = "P"
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True
    stake: Annotated[float, Field(gt=0, le=1000)] = 1.0  # a parameter: -p stake=2

    def roles(self, question: moot.Question) -> dict[str, str]:
        data, choices = question.data, question.choices
        sums = len(choices) == 2 and all(text.removeprefix("-").isdecimal() for text in choices)
        if not (sums and isinstance(data, list) and len(data) > 1 and all(type(n) is int for n in data)):
            raise moot.UsageError("audit needs two whole numbers to choose from, and a list of two or more as its data")
        return {seat: seat for seat in self.players}

    def utility_bound(self, question: moot.Question) -> float:
        return self.stake

    def most_moves(self, question: moot.Question) -> dict[str, int]:
        return dict.fromkeys(self.players, 1)

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        bookings: Any = question.data
        last = len(bookings) - 1

        # The brief tells a seat what it may answer; a check sees to it, and returns the move as it goes on the record.
        def whole(move: Balances) -> Balances:
            if len(move.values) != last:
                raise moot.Illegal(f"{last + 1} bookings need {last} balances, not {len(move.values)}")
            return move

        def shown(move: Doubt) -> Doubt:
            if not 0 <= (at := move.booking) <= last:
                raise moot.Illegal(f"there is no booking {at}: they are numbered from 0 to {last}")
            return move.model_copy(update={"before": balances[at], "amount": bookings[at], "after": balances[at + 1]})

        size, source = {"values": last}, floor.said(source="all")
        wrote = await floor.ask(
            "clerk", Balances, view=source, to=("auditor",), answer=0, least=size, most=size, check=whole
        )  # fmt: skip
        claim, balances = floor.step, (0, *wrote.values, int(question.choices[0]))
        source = floor.said("auditor", source="all")
        await floor.ask(
            "auditor", Doubt, view=source, under=claim, relation="attacks", below={"booking": last + 1}, answer=1, check=shown
        )  # fmt: skip
        verdict = await floor.ask("judge", moot.Verdict, task="verdict")  # sees the question and the doubt, no more
        gain = self.stake * (2 * verdict.probabilities[0] - 1)
        return moot.Decided(verdict, {"clerk": gain, "auditor": -gain})
