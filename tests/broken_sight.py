"""Protocols that break what seats may see, spend and win in one way each, and what a protocol declares of itself.

Rule: beside `broken`, for laws that look for several things: each protocol here is caught by one look and by no other.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Literal

from broken import Two
from pydantic import field_validator

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Verdict
from moot.protocols.engine.outcomes import Decided, Exhausted, Forfeited, Outcome
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, View

# -- what is said and recorded -------------------------------------------------------------------------------------------


class ThirdTime(Two):
    """Every third play of it goes another way."""

    async def speeches(self, floor: Floor) -> None:
        count = self.__dict__["_count"] = self.__dict__.get("_count", 0) + 1
        await floor.ask("a", Speech, details={"lucky": count % 3 == 0})


class Swelling(Move):
    """A move that says more each time that it is read."""

    kind: Literal["swelling"] = "swelling"
    text: str

    @field_validator("text")
    @classmethod
    def longer(cls, text: str) -> str:
        return f"{text}!"


class Swells(Two):
    async def speeches(self, floor: Floor) -> None:
        await floor.ask("a", Swelling)


class Rewrites(Two):
    """A sound one: what goes on the record is of another kind than what was given."""

    async def speeches(self, floor: Floor) -> None:
        await floor.ask("a", Speech, check=lambda given: Answer(choice=0, text=given.text))


class Strict(Two):
    """A sound one that asks nobody twice."""

    async def speeches(self, floor: Floor) -> None:
        await floor.ask("a", Speech, repairs=0)


class BranchesAhead(Two):
    """A sound one: its branches are made before they are begun, and a play may be broken off in between."""

    async def speeches(self, floor: Floor) -> None:
        async def speak(seat: str) -> None:
            await floor.ask(seat, Speech)

        branches = [speak("a"), speak("b")]
        await floor.ask("judge", Speech)
        await floor.parallel(*branches)


class OnLoop(Two):
    """Tells the judge whether an event loop runs."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        runs = False
        with suppress(RuntimeError):
            runs = bool(asyncio.get_running_loop())
        return await super().verdict(floor, loop=runs)


class MiddleFirst(Two):
    """Tells the judge whether the second of three branches came first."""

    async def speeches(self, floor: Floor) -> None:
        self.__dict__["_came"] = came = []

        async def speak(seat: str) -> None:
            await floor.ask(seat, Speech)
            came.append(seat)

        await floor.parallel(*map(speak, ("a", "b", "judge")))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, middle=self.__dict__["_came"][0] == "b")


class GivesUp(Protocol):
    """Ends with nobody asked."""

    def roles(self, question: Question) -> dict[str, str]:
        return {"judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Outcome:  # type: ignore[override]
        return Forfeited(seat="judge", rule="gives up")


class Abandons(Two):
    """The play ends by a play inside it, while seats are being asked at the same time."""

    async def speeches(self, floor: Floor) -> None:
        async def inside() -> None:
            await floor.ask("a", Speech)
            await floor.play(GivesUp(), floor.question, {"judge": "judge"})

        await floor.parallel(inside(), floor.ask("b", Speech), floor.ask("judge", Speech))


# -- what seats see ------------------------------------------------------------------------------------------------------


class Invents(Two):
    """Shows the judge a statement that nobody made."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, view=floor.said().then(Entry("0.0.7", "a", Speech(text="I concede"))))


class ShowsAside(Two):
    """Shows the judge what was asked for with say=False."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        aside = Entry("1", "a", await floor.ask("a", Speech, say=False))
        return await super().verdict(floor, view=floor.said().then(aside))


class ShowsRival(Two):
    """The second speech of each branch has the view of whoever spoke first in any branch."""

    async def speeches(self, floor: Floor) -> None:
        views: list[View] = []

        async def speak(seat: str) -> None:
            await floor.ask(seat, Speech)
            views.append(floor.said())
            await floor.ask(seat, Speech, view=views[0])

        await floor.parallel(speak("a"), speak("b"))


class AsksOfSource(Two):
    """Makes a question of the passage, and shows that."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        asked = f"Is it so: {floor.question.passage}?"
        return await super().verdict(floor, view=floor.only(asked, choices=floor.question.choices))


class TellsWhy(Two):
    """What is wrong with a move is told with the passage."""

    most_repairs = 9

    async def speeches(self, floor: Floor) -> None:
        def check(answer: Answer) -> Answer:
            if answer.choice == 0:
                raise Illegal(f"the page says otherwise: {floor.question.passage}")
            return answer

        await floor.ask("a", Answer, check=check, repairs=9)


# -- what seats spend ----------------------------------------------------------------------------------------------------


class FakesExhaustion(Two):
    """Says that the judge ran out of what nobody limited."""

    async def play(self, floor: Floor, question: Question) -> Outcome:  # type: ignore[override]
        await self.speeches(floor)
        return Exhausted(seat="judge", measure="queries", used=0, limit=-1)


class ChargesFirst(Two):
    """A sound one, with a charge at its beginning that few budgets allow."""

    async def speeches(self, floor: Floor) -> None:
        await floor.charge("judge", "queries", 50)


class SeesTheSource(Two):
    """A sound one: the judge is shown the source whole, and nothing else."""

    async def play(self, floor: Floor, question: Question) -> Decided:
        return await self.verdict(floor, view=floor.said(source="all"))


class Tosses(Two):
    """A sound one, that ends by a coin where it does not come to a verdict."""

    async def play(self, floor: Floor, question: Question) -> Outcome:  # type: ignore[override]
        if await floor.draw(1, 1):
            return Forfeited(seat="judge", rule="lost the toss")
        return await super().play(floor, question)


class Claims(Two):
    """A sound one, with a class."""

    complexity_class: ClassVar[str | None] = "NP"


class ClaimsByQueries(Claims):
    """A sound one, whose judge is bounded in something else than reads."""

    measure: ClassVar[str] = "queries"


class ClaimsByCopies(Claims):
    """A sound one, whose class rests on copies in a seat: whoever sits there otherwise gets no guarantee."""

    assumes: ClassVar[tuple[str, ...]] = (*Two.assumes, "copies")

    def copied(self, question: Question) -> tuple[str, ...]:
        return ("a",)


class FallsShort(Claims):
    """A sound one, which says itself that its class rests on more."""

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        return "too few rounds" if question.choices else None


class Preliminary(Two):
    """A sound one: the judge says what it thinks at first, which decides nothing."""

    async def speeches(self, floor: Floor) -> None:
        await floor.ask("judge", Verdict)


# -- what is paid --------------------------------------------------------------------------------------------------------


class Pays(Two):
    """A sound one: fixed payoffs, within the bound and as far as it goes. The others differ in what they pay."""

    paid: ClassVar[Mapping[str, float]] = {"a": 0.5, "b": -0.5}

    def utility_bound(self, question: Question) -> float | None:
        return 0.5

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 1, "b": 1, "judge": 1}

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return Decided((await super().verdict(floor)).verdict, payoffs=dict(self.paid))


class TakesTooMuch(Pays):
    paid: ClassVar[Mapping[str, float]] = {"a": -0.75}


class PaysNothingKnown(Pays):
    paid: ClassVar[Mapping[str, float]] = {"a": math.nan}

    def utility_bound(self, question: Question) -> float | None:
        return None


class PaysNobody(Pays):
    zero_sum: ClassVar[bool] = True
    paid: ClassVar[Mapping[str, float]] = {}


class PaysRounded(Pays):
    """A sound one: large payoffs, a rounding error beyond the bound."""

    paid: ClassVar[Mapping[str, float]] = {"a": math.nextafter(3e9, math.inf)}

    def utility_bound(self, question: Question) -> float | None:
        return 3e9


# -- whether seats can be swapped ------------------------------------------------------------------------------------------


class Even(Two):
    """A sound one, the same for both seats. The others are not, each in its own way."""

    symmetric: ClassVar[bool] = True

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError("two choices")
        return super().roles(question)


class PaysByName(Even):
    """A sound one: who defends the answer that comes first in the alphabet is paid."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        first, second = floor.question.choices
        payoffs = {"a": float(first < second), "b": float(second < first)}
        return Decided((await super().verdict(floor)).verdict, payoffs=payoffs)


class EvenAsked(Even):
    """A sound one: the judge asks a seat, and it answers."""

    async def speeches(self, floor: Floor) -> None:
        asked: Ask = await floor.ask("judge", Ask, to_seats=["a", "b"])
        if (to := asked.to) is not None:
            await floor.ask(to, Speech)

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return Decided((await super().verdict(floor)).verdict)


class Three(Even):
    """A sound one: three seats, which defend other answers than those in their places, and say so."""

    held: ClassVar[Mapping[str, int]] = {"a": 1, "b": 2, "c": 0}

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 3:
            raise UsageError("three choices")
        return {**dict.fromkeys(self.held, "debater"), "judge": "judge"}

    async def speeches(self, floor: Floor) -> None:
        await floor.parallel(*(floor.ask(seat, Speech, answer=answer) for seat, answer in self.held.items()))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        verdict: Verdict = await floor.ask("judge", Verdict)
        return Decided(verdict, payoffs={seat: verdict.probabilities[answer] for seat, answer in self.held.items()})


class AsksOneMore(Even):
    async def speeches(self, floor: Floor) -> None:
        await super().speeches(floor)
        await floor.ask("a", Speech)


class EndsForOne(Even):
    """What seat a answers, and it alone, can end the play."""

    async def play(self, floor: Floor, question: Question) -> Outcome:  # type: ignore[override]
        said = [await floor.ask(seat, Answer) for seat in "ab"]
        if said[0].text < said[1].text:
            return Forfeited(seat="judge", rule="a is first")
        return await self.verdict(floor)


class DecidedByOne(Even):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        said = [await floor.ask(seat, Speech) for seat in "ab"]
        await floor.ask("judge", Verdict)
        return Decided(Verdict(probabilities=(1.0, 0.0) if said[0].text < said[1].text else (0.5, 0.5)))


class PaysOneOnly(Even):
    """The judge's verdict says what seat a gets, and nobody else is paid."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return Decided((await super().verdict(floor)).verdict, payoffs={"a": 1.0})


class EvenOfThree(Even):
    """A sound one: two seats and three choices, of which none is a seat's own."""

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 3:
            raise UsageError("three choices")
        return Two.roles(self, question)

    async def speeches(self, floor: Floor) -> None:
        await floor.parallel(*(floor.ask(seat, Answer) for seat in "ab"))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return Decided((await super().verdict(floor)).verdict)


class PaysOneOfTwo(PaysOneOnly, EvenOfThree):
    """The same, with three choices."""
