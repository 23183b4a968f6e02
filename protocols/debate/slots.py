"""Slots: what a speaker says in one turn, one thing after the other, and who is ever shown it.
Rule: what a slot is and the move of a private one; how a turn is held is in `parts.py`.

A plan before the speech, or notes from one turn to the next, are slots that nobody else sees (Khan et al. 2024, arXiv
2402.06782, have their debaters think in private before each argument).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.limits import Limit, Parameter
from moot.protocols.quotes import Quoting

SPEECH = "speech"
"""The slot whose instructions are those of a turn without slots."""


class Note(
    Move, filled=("slot", "turn"), bare_field="text", read_as="{text}", marked={"slot": "slot"}, quoting=("text",)
):
    """Words for yourself alone: nobody else is ever shown them, neither the judge nor anybody who argues with you.

    The protocol fills in `slot`, what it is called, and `turn`, whether you are shown it in this turn only.
    """

    kind: Literal["note"] = "note"
    text: Annotated[str, Asked("your private words", "Your private words")]
    slot: str = ""
    turn: bool = False
    quotes: Quotes = ()

    def in_short(self, choices: Sequence[str]) -> str:
        return f"{self.slot or 'note'}: private, shown to nobody else"


class Slot(Parameter):
    """One thing that a speaker is asked for in its turn.

    name: what it is, which is the task that its instructions are chosen by. to: who is shown it: "all", like any speech;
    "self", its author alone, from then on; "turn", its author alone, in what follows in the same turn. What is private is no
    part of the argument, and costs no reader anything. limit, quote_limit, quotes: of this slot; what is public and has none
    of its own has those of its part. Raises UsageError on a name that cannot be a task's, and where
    what is private is called a speech.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    to: Literal["all", "self", "turn"] = "all"
    limit: Limit | None = None
    quote_limit: Limit | None = None
    quotes: Quoting = "free"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        if self.name == SPEECH and self.to != "all":
            raise UsageError(
                f'slot: "{SPEECH}" is what everybody is shown; call a private slot something else, like "plan"'
            )
