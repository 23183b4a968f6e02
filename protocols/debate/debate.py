"""Debate, and open debate.
Rule: the order of parts, the seats and the payoffs; the parts themselves are in `parts.py`.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899); parts and scoring of human debates after Michael et al. 2023
(arXiv 2311.08702); the open variant, in which the first debater chooses its answer, after Kenton et al. 2024
(arXiv 2407.04622).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import replace
from string import ascii_lowercase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from moot.protocols.checks import choose
from moot.protocols.debate.judging import Deliberation, last_price
from moot.protocols.debate.parts import (
    AnyPart,
    ClosingPart,
    Feedback,
    Negotiate,
    Part,
    Questions,
    Speaking,
    Speeches,
    SpeechesOrConcessions,
    Turn,
)
from moot.protocols.debate.slots import Slot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError, first_problem
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.metadata import Metadata, level
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided, Unjudged
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum

_CLOSING: TypeAdapter[tuple[ClosingPart, ...]] = TypeAdapter(tuple[ClosingPart, ...])


class Debate(Protocol):
    """One debater per choice, each defending its own; a bounded judge who does not see the source decides.

    rounds: how often the repeated part is held (None: until the judge ends it or the debaters agree to).
    order, limit, quote_limit: of the speeches; quotes: what each must quote; slots: what a debater is asked for in a turn
    (`Speeches`). check_quotes: whether quotes in other words than speeches are verified as well. questions: the judge may ask between rounds. concede: of two answers, a
    debater may give its own up instead of speaking, and the rival's is then the verdict.
    opening, repeat, closing: parts instead of plain rounds. swap: the debaters defend the choices in reverse order.
    judge_source: whether the judge sees the source ("none", "metered" cell by cell, "all").
    scoring: the proper scoring rule of payoffs and of the judge's reward, with its penalty per round.

    judged: whether the judge is asked. False: it has no seat, and once all is said the play is Unjudged, to be judged later
    (`moot.rejudge`). What stands at the end of `closing` may be another procedure of judging (`judging.py`).

    The payoffs are zero-sum: each debater gets its answer's score less the mean over the answers.

    A number of rounds that does not grow with n is a level of the polynomial hierarchy (`decides`): one simultaneous round
    is S2P (Russell and Sundaram 1998; Canetti 1996), k moves one after the other level k. PSPACE takes polynomially many
    (Chandra, Kozen and Stockmeyer 1981), which are to be had with rounds=None.
    """

    name: ClassVar[str] = "debate"
    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    complexity_class: ClassVar[str | None] = "PSPACE"
    symmetric: ClassVar[bool] = True
    zero_sum: ClassVar[bool] = True
    arguing: ClassVar[tuple[str, ...]] = ("debater", "consultant")

    rounds: Annotated[int, Field(ge=0)] | None = 2
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    limit: Limit | None = None
    quote_limit: Limit | None = None
    questions: bool = False
    concede: bool = False
    opening: tuple[AnyPart, ...] = ()
    repeat: tuple[AnyPart, ...] | None = None
    closing: tuple[ClosingPart, ...] = ()
    swap: bool = False
    judge_source: Source = "none"
    scoring: ScoringRule = ScoringRule()
    quotes: Quoting = "free"
    slots: tuple[Slot, ...] = ()
    check_quotes: bool = True
    judged: bool = True

    @classmethod
    def unnamed_in(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Only speeches were looked through for quotes once, so that records without concessions mean nothing by this."""
        parts = [part for name in ("opening", "repeat", "closing") for part in params.get(name) or ()]
        conceding = {SpeechesOrConcessions.model_fields["part"].default}
        kinds = {part.get("part") if isinstance(part, Mapping) else getattr(part, "part", "") for part in parts}
        return {"check_quotes": False} if params.get("concede") or kinds & conceding else {}

    def roles(self, question: Question) -> dict[str, str]:
        count = len(question.choices)
        if not 2 <= count <= 26:
            raise UsageError(f"a debate needs 2 to 26 choices; {question.text!r} has {count}")
        if self.rounds is None and not any(isinstance(part, (Feedback, Negotiate)) for part in self.repeated()):
            raise UsageError("rounds=None never ends: repeat a Feedback or a Negotiate part, or set rounds")
        if count != 2 and self.has(SpeechesOrConcessions):
            raise UsageError(f"debaters can concede where there are two answers; {question.text!r} has {count}")
        for part in self.speaking():
            part.fits(self, question, silent=True)
        return self.seated(dict.fromkeys(ascii_lowercase[:count], "debater"))

    def seated(self, arguing: Mapping[str, str]) -> dict[str, str]:
        """The seats of those who argue, then the judge's, and those that parts name. Raises UsageError where they do not fit."""
        parts = (*self.opening, *self.repeated(), *self.closing)
        if any(isinstance(part, Deliberation) for part in self.closing[:-1]):
            raise UsageError(f"{self.name}: a deliberation gives the verdict: let it be the last part of closing")
        if self.judged:
            seats = {**arguing, "judge": "judge"}
            for seat, role in (pair for part in parts for pair in part.seats.items()):
                if seats.setdefault(seat, role) != role:
                    raise UsageError(
                        f"{self.name}: seat {seat!r} is the {seats[seat]}'s; a part names it for its {role}"
                    )
            return seats
        if odd := [part for part in parts if not isinstance(part, (Speaking, Negotiate))]:
            raise UsageError(
                f"{self.name}: judged=False leaves nobody to hold a part {type(odd[0]).__name__}: leave it out"
            )
        return dict(arguing)

    def speaking(self) -> list[Speaking]:
        """The parts in which debaters speak."""
        return [part for part in (*self.opening, *self.repeated(), *self.closing) if isinstance(part, Speaking)]

    def has(self, kind: type) -> bool:
        """Whether there is such a part."""
        return any(isinstance(part, kind) for part in (*self.opening, *self.repeated(), *self.closing))

    async def play(self, floor: Floor, question: Question) -> Decided | Unjudged:  # type: ignore[override]
        answers = await self.answers(floor, question)
        verdict: Verdict | bool | None = None
        for part, turn in self.parts():
            if verdict := await part.hold(floor, answers, turn):
                break
        if not isinstance(verdict, Verdict):
            if not self.judged:
                return Unjudged()
            verdict = await self.verdict(floor)
        return Decided(verdict, payoffs=self.payoffs(verdict, answers), step=floor.step)

    def verdict(self, floor: Floor) -> Awaitable[Verdict]:
        """The judge's decision, once everything is said."""
        return floor.ask("judge", Verdict, view=floor.said("judge", source=self.judge_source), task="verdict")

    def payoffs(self, verdict: Verdict, answers: dict[str, int]) -> dict[str, float]:
        """What each debater is paid for the verdict."""
        return zero_sum(self.scoring, verdict.probabilities, sorted(answers, key=lambda seat: answers[seat]))

    async def answers(self, floor: Floor, question: Question) -> dict[str, int]:
        """Which choice each debater defends."""
        return self.defended(question, {})

    def defended(self, question: Question, chosen: Mapping[str, int]) -> dict[str, int]:
        seats = [seat for seat, role in self.roles(question).items() if role == "debater"]
        return {seat: len(seats) - 1 - place if self.swap else place for place, seat in enumerate(seats)}

    def sees(self, question: Question) -> dict[str, Source]:
        shown: dict[str, Source] = {
            seat: self.judge_source if role == "judge" else "all" for seat, role in self.roles(question).items()
        }
        for part in (*self.opening, *self.repeated(), *self.closing):
            shown |= part.sees
        return shown

    def repeated(self) -> tuple[AnyPart, ...]:
        """The parts of one round."""
        if self.repeat is not None:
            return self.repeat
        made = SpeechesOrConcessions if self.concede else Speeches
        speeches = made(
            order=self.order, limit=self.limit, quote_limit=self.quote_limit, quotes=self.quotes, slots=self.slots
        )
        return (speeches, Questions()) if self.questions else (speeches,)

    def parts(self) -> Iterator[tuple[Part, Turn]]:
        """Every part in order, with where it stands; endless when rounds is None."""
        turn, repeated = (
            Turn(round=0, rounds=self.rounds, check_quotes=self.check_quotes, judge_source=self.judge_source),
            self.repeated(),
        )
        for part in self.opening:
            yield part, turn
        while self.rounds is None or turn.round < self.rounds:
            turn.round += 1
            final = turn.round == self.rounds and all(part.judging for part in self.closing)
            for part in repeated:
                if not (final and isinstance(part, Questions)):
                    yield part, turn
        for closing in self.closing:
            yield closing, turn

    def decides(self, question: Question) -> str | None:
        """Of moves that are made at the same time one side's may be ignored, so k such rounds are k moves at least."""
        if self.unclaimed:
            return None
        if self.rounds is None:
            return self.complexity_class
        held = [part for part, _ in self.parts() if isinstance(part, Speaking) and part.public]
        moves = sum(1 if part.order == "simultaneous" else 2 for part in held)
        return "S2P" if [part.order for part in held] == ["simultaneous"] else level(moves)

    def metadata(self, question: Question | None = None) -> Metadata:
        """Of these parameters: those whom its parts ask are players too."""
        found = super().metadata(question)
        named = (role for part in (*self.opening, *self.repeated(), *self.closing) for role in part.seats.values())
        claimed = None if self.unclaimed else found.complexity_class
        return replace(found, players=tuple(dict.fromkeys((*found.players, *named))), complexity_class=claimed)

    def utility_bound(self, question: Question) -> float | None:
        return most_paid(self.scoring, len(question.choices))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        if self.rounds is None:
            return None
        counts = dict.fromkeys(self.roles(question), 0)
        for part, _ in self.parts():
            if own := part.most(sum(counts.values())):
                counts |= {seat: counts[seat] + most for seat, most in own.items()}
                continue
            for seat, role in self.roles(question).items():
                each = len(part.slots) or 1 if isinstance(part, Speaking) else 1
                counts[seat] += each * (
                    seat == "judge" if isinstance(part, (Feedback, Questions)) else role in self.arguing
                )
        if "judge" in counts and not self.deliberates:
            counts["judge"] += 1
        return counts

    @property
    def deliberates(self) -> bool:
        """Whether several judges decide; what they read together no theorem is about."""
        return any(isinstance(part, Deliberation) for part in self.closing)

    @property
    def unclaimed(self) -> bool:
        """Whether nobody decides, several judges do, or an oracle helps: no theorem speaks of these."""
        return not self.judged or self.deliberates or any("oracle" in part.seats.values() for part in self.closing)

    def other_answers(self, steps: Iterable[Any]) -> Mapping[str, tuple[float, ...]]:
        """What a market makes of the debate, where there is one: its last price."""
        return last_price(steps)


def parts_of(text: str) -> tuple[Part, ...]:
    """Parts that are written as JSON, a list of objects with a `part` and its parameters, as records hold them. Raises
    UsageError, saying what is wrong."""
    try:
        found = _CLOSING.validate_json(text)
    except ValidationError as error:
        where = 'parts are a JSON list, such as [{"part": "deliberation", "judges": 3}]'
        raise UsageError(f"{text:.200}: {first_problem(error, 'it')}; {where}") from None
    return found


class OpenDebate(Debate):
    """Debater a chooses the answer it defends; the others defend what is left, in order (Kenton et al. 2024)."""

    name: ClassVar[str] = "open-debate"
    symmetric: ClassVar[bool] = False
    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    @classmethod
    def unnamed_in(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return cls.unnamed

    async def answers(self, floor: Floor, question: Question) -> dict[str, int]:
        first = floor.seats("debater")[0]
        return self.defended(question, {first: await choose(floor, first, check_quotes=self.check_quotes)})

    def defended(self, question: Question, chosen: Mapping[str, int]) -> dict[str, int]:
        first, *others = super().defended(question, {})
        if first not in chosen:
            return {}
        left = (choice for choice in range(len(question.choices)) if choice != chosen[first])
        return {first: chosen[first], **dict(zip(others, left, strict=True))}

    def most_moves(self, question: Question) -> dict[str, int] | None:
        counts = super().most_moves(question)
        return None if counts is None else {**counts, "a": counts["a"] + 1}
