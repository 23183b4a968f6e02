"""Protocols that each break one law, on purpose."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import Any, ClassVar, Literal

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Answer, Move, Speech, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import View


class Two(Protocol):
    """A sound protocol that the broken ones are made from: two speeches at the same time, and a verdict."""

    def roles(self, question: Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        await self.speeches(floor)
        return await self.verdict(floor)

    async def speeches(self, floor: Floor) -> None:
        await floor.parallel(*(floor.ask(seat, Speech, view=floor.said(seat, source="all")) for seat in "ab"))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        verdict = await floor.ask("judge", Verdict, view=view, details=details)
        return Decided(verdict, payoffs={"a": verdict.probabilities[0], "b": 1 - verdict.probabilities[0]})


class UsesRandom(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, lucky=random.random())


class UsesTime(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, at=time.time_ns())


class ReadsClockQuietly(Two):
    """The clock changes nothing here, and is read all the same."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        late = time.time() > 4e9
        return await super().verdict(floor, late=late)


class OpensFile(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        with open(__file__) as file:  # noqa: ASYNC230 (that is what is wrong with it)
            return await super().verdict(floor, first=file.readline())


_PLAYS = [0]


class CountsPlays(Two):
    """Keeps state between plays."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        _PLAYS[0] += 1
        return await super().verdict(floor, play=_PLAYS[0])


class Alternates(Two):
    """Asks for a speech in every other play, and for an answer in the rest."""

    async def speeches(self, floor: Floor) -> None:
        _PLAYS[0] += 1
        await floor.ask("a", Speech if _PLAYS[0] % 2 else Answer)


class AwaitsWorld(Two):
    async def speeches(self, floor: Floor) -> None:
        await asyncio.sleep(0.01)


class NeverEnds(Two):
    async def speeches(self, floor: Floor) -> None:
        while True:
            await super().speeches(floor)


class AsksWhenClosed(Two):
    async def play(self, floor: Floor, question: Question) -> Decided:
        try:
            return await super().play(floor, question)
        finally:
            await floor.ask("a", Speech, task="last words")


class PaysStrangers(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        decided = await super().verdict(floor)
        return Decided(decided.verdict, payoffs={"audience": 1.0})


class PaysTooMuch(Two):
    def utility_bound(self, question: Question) -> float:
        return 0.5


class DecidesElsewhere(Two):
    """The verdict on another question, of three choices, is taken for that of the play."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, view=floor.only("Which of these?", choices=("x", "y", "z", "none")))


class Arrival(Two):
    """Branches share a list, so the judge is told who came first."""

    async def speeches(self, floor: Floor) -> None:
        self.__dict__["_came"] = came = []

        async def speak(seat: str) -> None:
            await floor.ask(seat, Speech)
            came.append(seat)

        await floor.parallel(speak("a"), speak("b"))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, first=self.__dict__["_came"][0])


class TellsRival(Two):
    """The second speech of each branch is told what the other branch has said meanwhile."""

    async def speeches(self, floor: Floor) -> None:
        heard: dict[str, str] = {}

        async def speak(seat: str) -> None:
            heard[seat] = (await floor.ask(seat, Speech)).text
            await floor.ask(seat, Speech, details={"rival": heard.get("b" if seat == "a" else "a", "")})

        await floor.parallel(speak("a"), speak("b"))


class LeaksSource(Two):
    """The passage goes to the judge in the brief."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, hint=(floor.question.passage or "")[-40:])


class LeaksSourceInView(Two):
    """The view says that it has no source, and holds it."""

    async def speeches(self, floor: Floor) -> None:
        view = floor.said("a")
        bare = View(floor.question, view._log, "none", floor.question)
        await floor.ask("a", Speech, view=bare)


class Coy(Move, argues=True):
    """A move that tells the engine another cost than everybody else."""

    kind: Literal["coy"] = "coy"
    text: str = "it is so"

    def cost(self, unit: str) -> int:
        return 0 if sys._getframe(1).f_globals["__name__"].endswith("engine.log") else len(self.text)


class ReadsForFree(Two):
    async def speeches(self, floor: Floor) -> None:
        await floor.ask("a", Coy)


class ShowsSecrets(Two):
    """What is said to one debater alone is shown to the other."""

    async def speeches(self, floor: Floor) -> None:
        await floor.ask("judge", Speech, to=("a",))
        await floor.ask("b", Speech, view=floor.said("a"))


class LeaksTruth(Two):
    """Walks up the stack to the sealed sample."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        frame, truth = sys._getframe(), None
        while frame is not None and truth is None:
            sample = frame.f_locals.get("sample")
            truth = getattr(sample, "_truth", None)
            frame = frame.f_back  # type: ignore[assignment]
        game: Any = floor._game
        log = getattr(game.recorder, "write", None)
        for line in getattr(log, "__self__", ()):
            if b'"sealed"' in line:
                truth = line.split(b'"sealed":')[1].decode()[:20]
        return await super().verdict(floor, psst=truth)


class NotZeroSum(Two):
    zero_sum: ClassVar[bool] = True


class NotSymmetric(Two):
    """Seat a is paid for the first choice twice over."""

    symmetric: ClassVar[bool] = True

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        verdict: Verdict = await floor.ask("judge", Verdict)
        return Decided(verdict, payoffs={"a": 2 * verdict.probabilities[0], "b": verdict.probabilities[1]})

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError("two choices")
        return super().roles(question)


class GivesBack(Two):
    """A charge of less than nothing."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        await floor.charge("judge", "queries", -5)
        return await super().verdict(floor)


class CountsMistakes(Two):
    """The check of an ask remembers illegal moves, and the play goes another way after them."""

    most_repairs = 3

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        mistakes = []

        def check(answer: Answer) -> Answer:
            if answer.choice > 0:
                mistakes.append(answer)
                raise Illegal("the answer is the first choice")
            return answer

        await floor.ask("judge", Answer, check=check, repairs=3)
        return await super().verdict(floor, mistakes=len(mistakes))


class Orphans(Two):
    """A statement under a step that there is none of."""

    async def speeches(self, floor: Floor) -> None:
        await floor.ask("a", Speech, under="7.7")


class Loses(Two):
    """A parameter that its record does not hold."""

    bonus: float = 0.0

    def model_post_init(self, context: Any) -> None:
        self.__dict__["bonus"] = self.bonus + 1


class SaysSequential(Two):
    dynamics: ClassVar[str] = "sequential"


class SaysSimultaneous(Two):
    """One seat speaks alone before both do."""

    dynamics: ClassVar[str] = "simultaneous"

    async def speeches(self, floor: Floor) -> None:
        await super().speeches(floor)
        await floor.ask("a", Speech)


class Simultaneous(Two):
    """What is declared here is so."""

    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    dynamics: ClassVar[str] = "simultaneous"

    def utility_bound(self, question: Question) -> float:
        return 1.0


class MissesPlayers(Two):
    players: ClassVar[tuple[str, ...]] = ("consultant", "judge")


class HasNoJudge(Two):
    judge: ClassVar[str] = "overseer"
    complexity_class: ClassVar[str | None] = "NP"


class PaysMore(Two):
    """More than it said that anybody could win."""

    def utility_bound(self, question: Question) -> float:
        return 0.25


class Underestimates(Two):
    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 1, "judge": 1}


class Fickle(Two):
    """Asks for another kind of move every other time."""

    async def speeches(self, floor: Floor) -> None:
        _PLAYS[0] += 1
        await floor.ask("a", Answer if _PLAYS[0] % 2 else Speech)


class PaysForMistakes(Two):
    """The play goes the same way after an illegal move, and pays otherwise."""

    most_repairs = 3

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        mistakes: list[Verdict] = []

        def check(verdict: Verdict) -> Verdict:
            if verdict.end:
                mistakes.append(verdict)
                raise Illegal("the judge cannot end it")
            return verdict

        verdict = await floor.ask("judge", Verdict, check=check, repairs=3)
        return Decided(verdict, payoffs={"a": float(len(mistakes))})


class Charges(Two):
    """A sound protocol with a charge that few budgets allow."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        await floor.charge("judge", "queries", 50)
        return await super().verdict(floor)


class Settles(Two):
    """A sound protocol, the same for both seats: what the judge answers is what is paid."""

    symmetric: ClassVar[bool] = True
    zero_sum: ClassVar[bool] = True

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError("two choices")
        return super().roles(question)

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        choice: int = (await floor.ask("judge", Answer)).choice
        verdict = Verdict(probabilities=(1.0 - choice, float(choice)))
        return Decided(verdict, payoffs={"a": 1.0 - 2 * choice, "b": 2 * choice - 1.0})


class ChecksCount(Two):
    """Keeps what its check has seen, and tells the judge."""

    async def speeches(self, floor: Floor) -> None:
        self.__dict__["_seen"] = seen = set()

        def check(speech: Speech) -> Speech:
            seen.add(speech.text)
            return speech

        await floor.ask("a", Speech, check=check)

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, seen=sorted(self.__dict__["_seen"]))


class PaysWhatChecksSaw(Two):
    """Pays for what its check has seen of the move that counts."""

    async def play(self, floor: Floor, question: Question) -> Decided:
        seen: list[str] = []

        def check(speech: Speech) -> Speech:
            seen[:] = [speech.text]
            return speech

        await floor.ask("a", Speech, check=check)
        verdict = await floor.ask("judge", Verdict)
        return Decided(verdict, payoffs={"a": float(len(seen[0]))} if seen else {"a": -1.0})
