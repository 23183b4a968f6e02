"""The base of every protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.registry import everything, find, register


class Protocol(BaseModel):
    """A protocol is a pure script with parameters.

    Subclass it, declare parameters as fields, say in `roles` who sits where, and write `play`, which awaits nothing
    but its floor: no clock, no randomness, no I/O. `moot.testing.check_protocol` checks the rest.

    judge: the role that is bounded; measure: what it spends that must stay polynomial for the guarantee; access: the complexity class that optimal
    play then reaches ("P^O": relative to an oracle). symmetric: swapping the debaters' seats swaps the outcome. zero_sum: payoffs sum to zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "protocol"
    judge: ClassVar[str] = "judge"
    measure: ClassVar[str] = "reads"
    complexity_class: ClassVar[str | None] = None
    symmetric: ClassVar[bool] = False
    zero_sum: ClassVar[bool] = False

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            known = ", ".join(type(self).model_fields) or "none"
            problem = first_problem(error, "together")
            raise UsageError(f"{type(self).__name__}: {problem} (its parameters: {known})") from None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        if cls.play is not Protocol.play:
            register("protocol", cls.name, cls)

    def roles(self, question: Question) -> dict[str, str]:
        """Seat to role, in order: {"a": "debater", "b": "debater", "judge": "judge"}. UsageError on an unfit question."""
        raise UsageError(f"{type(self).__name__} does not say who sits where: define roles(question)")

    async def play(self, floor: Floor, question: Question) -> Decided:
        """The script. Await only the floor; return what was decided."""
        raise UsageError(f"{type(self).__name__} has no play(floor, question)")

    def stances(self, question: Question) -> Mapping[str, int]:
        """Seat to the index of the choice that it defends all along, where that is so without being said in its asks."""
        return {}

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        """Why the parameters, on this question, or the play, whose moves are given as they are recorded, fall short of what
        the class rests on; None when nothing is known against them."""
        return None

    def full_tree_size(self, question: Question) -> int | None:
        """How many nodes the whole tree has of which a play writes one path (or a part); None when nobody can say."""
        return None

    def utility_bound(self, question: Question) -> float | None:
        """The most that a seat can win or lose, for searches that may then stop early; None when nobody can say."""
        return None

    def most_moves(self, question: Question) -> dict[str, int] | None:
        """An upper bound on the moves of each seat, for estimates before a run; None when there is no bound."""
        return None


def record_of(protocol: Protocol) -> dict[str, Any]:
    """A protocol as it is recorded: its name and the parameters that are not at their defaults, those in full."""
    changed = set(protocol.model_dump(exclude_defaults=True))
    return {"name": protocol.name, "params": protocol.model_dump(mode="json", include=changed)}


def known_protocols() -> dict[str, type[Protocol]]:
    """Every protocol that can be named: moot's own, those of plug-ins, and every subclass that was imported."""
    return everything("protocol")


def protocol_named(name: str, params: dict[str, Any] | None = None) -> Protocol:
    """The protocol called `name`, with parameters. Raises UsageError when there is none."""
    made: Protocol = find("protocol", name)(**(params or {}))
    return made
