"""A protocol one of whose moves has a private field, for commands in processes of their own."""

from __future__ import annotations

from typing import ClassVar, Literal

import moot
from moot.protocols.engine.floor import Floor


class Hunch(moot.Move, argues=True, private_fields=("plan",)):
    """Words, and a plan that nobody is shown."""

    kind: Literal["hunch-of-private-kit"] = "hunch-of-private-kit"
    text: str
    plan: str = ""


class Hunches(moot.Protocol):
    """Two hunches and a verdict."""

    name: ClassVar[str] = "hunches-of-private-kit"

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", Hunch)
        await floor.ask("b", moot.Speech)
        return moot.Decided(await floor.ask("judge", moot.Verdict))
