"""A market that prices each statement of a debate.
Rule: a file of its own, so that only a debate with such a part loads market making.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.protocols.debate.parts import Part, Turn
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.view import Source
from moot.protocols.market.moves import Price


class MarketPrices(Part):
    """A market prices what the judge will come to believe: once before anything was said, and after each statement.

    to: its seat, of the role "market". At each price it is shown the statements until then and nothing else, and what it
    says is shown to nobody. Its last price is an answer of its own beside the judge's verdict (`transcript.answers`).
    """

    judging: ClassVar[bool] = True

    part: Literal["market-prices"] = "market-prices"
    to: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = "market"

    @property
    def seats(self) -> Mapping[str, str]:
        return {self.to: "market"}

    @property
    def sees(self) -> Mapping[str, Source]:
        return {self.to: "none"}

    def most(self, said: int) -> Mapping[str, int]:
        return {self.to: said + 1}

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        said, asked = list(floor.said()), floor.question
        for count in range(len(said) + 1):
            view = floor.only(asked.text, *said[:count], choices=asked.choices)
            await floor.ask(self.to, Price, view=view, to=(), task="price")
        return None
