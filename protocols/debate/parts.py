"""The parts that a debate is put together from: speeches, conceding, the judge's feedback and questions, agreeing to end.
Rule: no protocol, no verdict and no payoff; the order of parts is each debate's own.

The vocabulary is that of the human debates of Michael et al. 2023 (arXiv 2311.08702), so that their rule sets, and
others', are parameters and not code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from moot.protocols.checks import shortened
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Ask, Concession, Move, Speech, Stop, Verdict
from moot.protocols.limits import Limit
from moot.protocols.quotes import on_record


class Part(BaseModel):
    """One part of a debate. `hold` plays it; it returns the verdict that ends the debate, True to end it without one,
    or None to go on. `answers` maps the debating seats to the choices that they defend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        raise Illegal(f"{type(self).__name__} cannot be held")


@dataclass(slots=True)
class Turn:
    """Where a part stands: which round of how many, and the speakers' last steps (for the argument tree)."""

    round: int
    rounds: int | None
    last: dict[str, str] = field(default_factory=dict)


class Speaking(Part):
    """Every debater is asked once, for a move of `kinds`."""

    kinds: ClassVar[Any] = Speech
    task: ClassVar[str] = "speech"

    part: str
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    limit: Limit | None = None
    quote_limit: Limit | None = None

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        check, told, last = self.check(floor.question.passage), limits(self.limit, self.quote_limit), turn.last
        conceded: set[str] = set()

        def speech(seat: str) -> Awaitable[Move]:
            return floor.ask(
                seat, self.kinds, view=floor.said(seat, source="all"), check=check, under=last.get(seat), task=self.task,
                answer=answers[seat], round=turn.round, rounds=turn.rounds, **told,
            )  # fmt: skip

        async def speak(seat: str) -> None:
            if isinstance(await speech(seat), Concession):
                conceded.add(seat)
            last[seat] = floor.step

        if self.order == "simultaneous" and len(answers) > 1:
            await floor.parallel(*(speak(seat) for seat in answers), seats=tuple(answers))
        else:
            for seat in answers:
                await speak(seat)
        return yielded(floor, [answers[seat] for seat in sorted(conceded)]) if conceded else None

    def check(self, passage: str | None) -> Any:
        limit, quote_limit = self.limit, self.quote_limit
        return lambda speech: on_record(speech, passage, limit, quote_limit)


class Speeches(Speaking):
    """Every debater speaks once: blind to each other ("simultaneous"), or one after the other ("sequential").

    limit: on the whole speech without its quote marks; quote_limit: on what it quotes, in all.
    """

    part: Literal["speeches"] = "speeches"


class SpeechesOrConcessions(Speaking):
    """The same, and a debater may concede instead, where there are two answers: its rival's is then the verdict.

    The round is held to its end. Debaters who concede to each other leave no answer standing: the debate ends, and the
    judge decides by what was said.
    """

    kinds: ClassVar[Any] = Speech | Concession
    task: ClassVar[str] = "speech-or-concession"

    part: Literal["speeches-or-concessions"] = "speeches-or-concessions"

    def check(self, passage: str | None) -> Any:
        spoken, limit = super().check(passage), self.limit

        return lambda move: shortened(move, limit) if isinstance(move, Concession) else spoken(move)


class Feedback(Part):
    """The judge states its belief, may say something to the debaters, and may end the debate."""

    part: Literal["feedback"] = "feedback"
    limit: Limit | None = None

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        verdict = await floor.ask(
            "judge", Verdict, check=lambda verdict: shortened(verdict, self.limit), task="feedback", round=turn.round,
            rounds=turn.rounds, **limits(self.limit, None),
        )  # fmt: skip
        return verdict if verdict.end else None


class Questions(Part):
    """The judge may put a question to one debater or to all; each counts as one query. An empty text asks nothing."""

    asker: ClassVar[str] = "judge"

    part: Literal["questions"] = "questions"
    limit: Limit | None = None

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        def check(move: Ask) -> Ask:
            if move.to is not None and move.to not in answers:
                raise Illegal(f"the question is to {move.to!r}; it can go to {', '.join(answers)}, or to all (null)")
            return shortened(move, self.limit)

        asked = await floor.ask(
            self.asker, Ask, check=check, task="ask", to_seats=list(answers), round=turn.round, rounds=turn.rounds,
            **limits(self.limit, None),
        )  # fmt: skip
        if asked.text.strip():
            await floor.charge(self.asker, "queries", 1)
        return None


class Negotiate(Part):
    """Every debater says, blind to the others, whether it agrees to end; all must agree."""

    part: Literal["negotiate"] = "negotiate"

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        votes = await floor.parallel(
            *(floor.ask(seat, Stop, view=floor.said(seat, source="all"), task="stop", round=turn.round, rounds=turn.rounds)
              for seat in answers)
        )  # fmt: skip
        return True if all(vote.stop for vote in votes) else None


AnyPart = Annotated[Speeches | SpeechesOrConcessions | Feedback | Questions | Negotiate, Field(discriminator="part")]


def yielded(floor: Floor, given_up: list[int]) -> Verdict | bool:
    """The verdict for the one of two answers that was not given up; True, the debate ends without one, when both were.

    Raises UsageError where there are not two answers: then nobody can say which of the others holds.
    """
    count = len(floor.question.choices)
    if count != 2:
        raise UsageError(f"a debater can concede where there are two answers, not {count}")
    if len(given_up) == 2:
        return True
    return Verdict.sure(1 - given_up[0], text="conceded")


class Limits(TypedDict, total=False):
    """The limits of a brief."""

    limit: Mapping[str, JsonValue]
    quote_limit: Mapping[str, JsonValue]


def limits(limit: Limit | None, quote_limit: Limit | None) -> Limits:
    """Limits as they stand in a brief."""
    given = (("limit", limit), ("quote_limit", quote_limit))
    told: Any = {name: each.model_dump(exclude_none=True) for name, each in given if each is not None}
    return told  # type: ignore[no-any-return]
