"""Protocols that break laws where one play in one process does not show it.

Rule: beside `broken`; another process imports this file, so that it holds protocols alone.
"""

from __future__ import annotations

import os
import random
from typing import Any, Literal

from broken import Two

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Speech, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import View


class GoesThroughASet(Two):
    """Asks in the order of a set."""

    async def speeches(self, floor: Floor) -> None:
        for seat in {"a", "b"}:  # noqa: PLC0208 (that is what is wrong with it)
            await floor.ask(seat, Speech)


class HashesText(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, lot=hash(floor.question.text) % 1000)


class SortsASet(Two):
    """A sound one."""

    async def speeches(self, floor: Floor) -> None:
        for seat in sorted({"a", "b"}):
            await floor.ask(seat, Speech)


class ReadsTheEnvironment(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, user=os.getenv("USER", "nobody"))


class ReadsTheEnvironmentQuietly(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, debug="NO_SUCH_VARIABLE" in os.environ)


class DrawsFromItsOwn(Two):
    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, lucky=random.Random().random())


class TellsAside(Two):
    """What is said to b alone goes to the judge in the brief."""

    async def speeches(self, floor: Floor) -> None:
        self.__dict__["_aside"] = await floor.ask("a", Speech, to=("b",))

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        aside: Speech = self.__dict__["_aside"]
        return await super().verdict(floor, heard=[aside.text])


class TellsWhomItMay(TellsAside):
    """A sound one: the judge is among those that it is said to."""

    async def speeches(self, floor: Floor) -> None:
        self.__dict__["_aside"] = await floor.ask("a", Speech, to=("judge",))


class Pondered(Move, argues=True, private_fields=("thought",)):
    kind: Literal["pondered"] = "pondered"
    text: str
    thought: str = ""


class TellsThoughts(Two):
    """The private field of a move goes to the other debater."""

    async def speeches(self, floor: Floor) -> None:
        said = await floor.ask("a", Pondered)
        await floor.ask("b", Speech, asks=said.thought)


class TellsOwnThoughts(Two):
    """A sound one: a seat is told what it thought itself."""

    async def speeches(self, floor: Floor) -> None:
        said = await floor.ask("a", Pondered)
        await floor.ask("a", Speech, asks=said.thought)


class OfTwo(Two):
    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError("two choices")
        return super().roles(question)


class DecidesAnOpenQuestion(OfTwo):
    """The judge is shown no choices, and may give as many probabilities as it likes."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return await super().verdict(floor, view=floor.only("What do you think?"))


class RecordsAnotherVerdict(OfTwo):
    """What goes on the record is a verdict over three choices."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        await floor.ask("judge", Verdict, check=lambda given: Verdict(probabilities=(0.5, 0.25, 0.25)))
        return await super().verdict(floor)


class DecidesTooMuch(OfTwo):
    """The verdict that it decides is its own, over three choices."""

    async def verdict(self, floor: Floor, view: View | None = None, **details: Any) -> Decided:
        return Decided(Verdict(probabilities=(0.5, 0.25, 0.25)))
