"""Both seatings of a protocol in one play, so that what a judge gives to a place, and not to an argument, cancels.
Rule: it plays any protocol that it is given by that one's own script, and knows none by name.

Judging with the sides swapped is how Khan et al. 2024 (arXiv 2402.06782) and others correct for the bias of a judge
towards the first speaker or the first answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from moot.protocols.engine.base import Protocol, protocol_named, record_of
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.metadata import Metadata
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.registry import find
from moot.protocols.engine.values.frozen import frozen
from moot.protocols.engine.view import Source


class SideSwapped(Protocol):
    """Plays a symmetric protocol twice at the same time: as it is, and with its two answers listed in the other order. The
    two plays know nothing of each other. The belief is the mean of the two beliefs, a payoff the mean of the two payoffs.

    protocol, params: the name and the parameters of what is played, for instance "debate" and {"rounds": 1};
    `SideSwapped.of(protocol)` takes them from one that is made. exchange: "answers", everybody keeps their seat and defends
    the other answer in the second play; "places", everybody keeps their answer and sits in the rival's seat.

    A judge that goes by the order of the answers or of the speakers believes one half. By "answers" so does one that goes
    by the names of the seats, and what one debater argues better than the other cancels too; by "places" the judge is
    shown each answer's debater under the same name in both plays. No class is claimed: a guarantee is of a single play.
    Raises UsageError for a protocol that is not symmetric, and for other than two answers.
    """

    name: ClassVar[str] = "side-swapped"
    symmetric: ClassVar[bool] = True

    protocol: str = "debate"
    params: Annotated[dict[str, Any], AfterValidator(frozen)] = Field(default_factory=dict)
    exchange: Literal["answers", "places"] = "answers"

    _inner: Protocol = PrivateAttr()

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        made = protocol_named(self.protocol, self.params)
        if not made.symmetric or isinstance(made, SideSwapped):
            raise UsageError(f"side-swapped: {self.protocol} has no two sides that could be swapped; debate has")
        super().__init__(**{**fields, "params": record_of(made)["params"]})  # as they are recorded, whatever was given
        self._inner = made

    @classmethod
    def of(cls, protocol: Protocol, exchange: Literal["answers", "places"] = "answers") -> SideSwapped:
        """Both seatings of a protocol that is made already."""
        record = record_of(protocol)
        return cls(protocol=record["name"], params=record["params"], exchange=exchange)

    @classmethod
    def from_record(cls, params: Mapping[str, Any]) -> Self:
        inner, own = find("protocol", params.get("protocol", "debate")), params.get("params", {})
        return super().from_record({**params, "params": {**inner.unnamed_in(own), **own}})

    @property
    def inner(self) -> Protocol:
        """What is played twice."""
        return self._inner

    def roles(self, question: Question) -> dict[str, str]:
        roles = self.inner.roles(question)
        if len(question.choices) != 2:
            raise UsageError(f"sides can be swapped where there are two; {question.text!r} has {len(question.choices)}")
        return roles

    async def play(self, floor: Floor, question: Question) -> Decided:
        inner, places = self.inner, self.swapped(question)
        turned = question.model_copy(update={"choices": question.choices[::-1]})
        first, second = await floor.parallel(floor.play(inner, question), floor.play(inner, turned, places))
        pairs = zip(first.verdict.probabilities, reversed(second.verdict.probabilities), strict=True)
        verdict = Verdict(probabilities=tuple((one + other) / 2 for one, other in pairs))
        payoffs = {seat: (paid + second.payoffs[seat]) / 2 for seat, paid in first.payoffs.items()}
        return Decided(verdict, payoffs=payoffs, step=floor.step)

    def swapped(self, question: Question) -> dict[str, str]:
        """Who sits in each seat of the second play: by "places" the two that hold the same role in each other's."""
        roles = self.roles(question)
        held = list(roles.values())
        one, other = (seat for seat, role in roles.items() if held.count(role) == 2)
        swap = {one: other, other: one} if self.exchange == "places" else {}
        return {seat: swap.get(seat, seat) for seat in roles}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        """By "answers" everybody defends one answer in the one play and the other in the other."""
        return self.inner.defended(question, chosen) if self.exchange == "places" else {}

    def sees(self, question: Question) -> Mapping[str, Source]:
        return self.inner.sees(question)

    def metadata(self, question: Question | None = None) -> Metadata:
        return replace(super().metadata(question), players=self.inner.players, zero_sum=self.inner.zero_sum)

    def utility_bound(self, question: Question) -> float | None:
        return self.inner.utility_bound(question)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        counts = self.inner.most_moves(question)
        if counts is None:
            return None
        return {seat: count + counts[self.swapped(question)[seat]] for seat, count in counts.items()}
