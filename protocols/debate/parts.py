"""The parts that a debate is put together from: speeches, conceding, the judge's feedback and questions, agreeing to end.
Rule: no protocol, no verdict and no payoff; the order of parts is each debate's own.

The vocabulary is that of the human debates of Michael et al. 2023 (arXiv 2311.08702), so that their rule sets, and
others', are parameters and not code.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import not_
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, ValidationError

from moot.protocols.checks import Told, fill, need_passage, shortened, told
from moot.protocols.debate.slots import SPEECH, Note, Slot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, ProtocolError, UsageError, first_problem
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Ask, Concession, Speech, Stop, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.registry import find, register
from moot.protocols.engine.request import Brief
from moot.protocols.engine.view import Entry, Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting, on_record, quoted_after


def called(cls: type) -> str | None:
    """The name by which a part is recorded; None where it has none."""
    field = getattr(cls, "__pydantic_fields__", {}).get("part")
    return field.default if field is not None and isinstance(field.default, str) else None


class Part(BaseModel):
    """One part of a debate. `hold` plays it; it returns the verdict that ends the debate, True to end it without one,
    or None to go on. `answers` maps the debating seats to the choices that they defend.

    A subclass says what it is called in a field, `part: Literal["mine"] = "mine"`, and is known by that from then on; in a
    package, it is announced as an entry point of moot.parts. It is recorded by that name and its parameters, JSON values.
    Raises ProtocolError, where the class is defined, on another such field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = called(cls)
        if name is None or any(called(base) == name for base in cls.__mro__[1:]):
            return
        if get_args(cls.model_fields["part"].annotation) != (name,):
            raise ProtocolError(f'{cls.__qualname__}: a part has its name in this form: part: Literal["mine"] = "mine"')
        register("part", name, cls)

    judging: ClassVar[bool] = False
    """Whether it is a way to judge, of which nobody who argues hears: what was said before it is as it would be without. It stands in `closing` alone."""

    @property
    def seats(self) -> Mapping[str, str]:
        """Seat to role, of those that it asks besides the debaters and the judge."""
        return {}

    @property
    def sees(self) -> Mapping[str, Source]:
        """The most that these seats are ever shown of the source; "all" of those of which it does not say."""
        return {}

    def most(self, said: int) -> Mapping[str, int]:
        """The most moves of each seat that it asks, of a part that says so itself. said: the most statements before it."""
        return {}

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        raise Illegal(f"{type(self).__name__} cannot be held")


@dataclass(slots=True)
class Turn:
    """Where a part stands: which round of how many, and the speakers' last steps (for the argument tree). check_quotes:
    whether quotes are looked for outside speeches too. judge_source: how whoever gives the verdict sees the source."""

    round: int
    rounds: int | None
    last: dict[str, str] = field(default_factory=dict)
    check_quotes: bool = True
    judge_source: Source = "none"
    plans: dict[int, list[Any]] = field(default_factory=dict)  # of each part, by its id


_SPEECH = (Slot(name=SPEECH),)


class Speaking(Part):
    """Every debater has a turn: it is asked for each of its slots, or, without any, once for a move of `kinds`."""

    kinds: ClassVar[Any] = Speech
    task: ClassVar[str] = "speech"

    part: str
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    limit: Limit | None = None
    quote_limit: Limit | None = None
    quotes: Annotated[Quoting, Field(exclude_if=lambda quotes: quotes == "free")] = "free"
    slots: Annotated[tuple[Slot, ...], Field(exclude_if=not_)] = ()

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        conceded: list[int] = []

        def speaks(seat: str, answer: int) -> Coroutine[Any, Any, bool]:
            about: Brief = {"answer": answer, "round": turn.round, "rounds": turn.rounds}
            return self.turn(floor, seat, turn, about, turn.last.get(seat))

        if self.order == "simultaneous" and len(answers) > 1:
            turns = map(speaks, answers, answers.values())
            given_up = await floor.parallel(*turns, seats=tuple(answers))
            conceded += (answer for answer, gave_up in zip(answers.values(), given_up, strict=True) if gave_up)
        else:
            for seat, answer in answers.items():
                if await speaks(seat, answer):
                    conceded.append(answer)
        return yielded(floor, conceded) if conceded else None

    async def turn(
        self,
        floor: Floor,
        seat: str,
        turn: Turn,
        about: Brief,
        under: str | None,
        relation: str = "supports",
        task: str = "",
    ) -> bool:
        """One seat's turn; whether it concedes in it. about: what its brief says besides task and limits. task: of the speech
        in it, where it is not the part's own."""
        seen: tuple[Entry, ...] = ()  # in this turn only
        for slot, check, last, limits in turn.plans.get(id(self)) or self._planned(floor.question.passage, turn):
            view = floor.said(seat, source="all")
            if seen:
                view = view.then(*seen)
            if slot.to == "all":
                named = (task or self.task) if slot.name == SPEECH else slot.name
                brief: Any = {**about, **limits} if limits else about
                move = await floor.ask(
                    seat, self.kinds, view=view, check=check, last=last, under=under, relation=relation,
                    task=named, **brief,
                )  # fmt: skip
                turn.last[seat] = under = floor.step
                relation = "supports"
                if isinstance(move, Concession):
                    return True
                continue
            until, brief = slot.to == "turn", {"task": slot.name, **about, **limits}
            note: Note = await floor.ask(seat, Note, view=view, check=check, last=last, say=not until, to=(), **brief)
            if until:
                seen = (*seen, floor.entry(seat, note))
        return False

    def _planned(self, passage: str | None, turn: Turn) -> list[tuple[Slot, Any, Any, Told]]:
        """Each slot of a turn with its check, that of the last attempt, and its limits in a brief; found once a play."""
        made = turn.plans[id(self)] = []
        for slot in self.slots or _SPEECH:
            public = slot.to == "all"
            check = self.check(passage, slot, turn) if public else noted(passage, slot)
            rules = self.rules(slot) if public else (slot.limit, slot.quote_limit, slot.quotes)
            made.append((slot, check, partial(check, last=True), told(*rules)))
        return made

    def rules(self, slot: Slot) -> tuple[Limit | None, Limit | None, Quoting]:
        """The rules for what is said in public in a slot: its own, or those of the part."""
        quotes = self.quotes if slot.quotes == "free" else slot.quotes
        return slot.limit or self.limit, slot.quote_limit or self.quote_limit, quotes

    def check(self, passage: str | None, slot: Slot, turn: Turn) -> Any:
        limit, quote_limit, quotes = self.rules(slot)
        return lambda speech, last=False: on_record(speech, passage, limit, quote_limit, quotes, last)

    @property
    def public(self) -> int:
        """How many statements a turn has that others are shown."""
        return sum(slot.to == "all" for slot in self.slots) if self.slots else 1

    def fits(self, protocol: Protocol, question: Question, silent: bool = False) -> None:
        """Raise UsageError where a passage must be quoted that there is not, and, unless turns may be `silent`, where nothing is
        said in public."""
        found: list[Quoting] = [self.quotes, *(slot.quotes for slot in self.slots)]
        for quotes in found:
            need_passage(protocol, question, quotes)
        if not (silent or self.public):
            raise UsageError(f'{protocol.name}: every slot of a turn is private; give one that is shown, to="all"')


class Speeches(Speaking):
    """Every debater speaks once: blind to each other ("simultaneous"), or one after the other ("sequential").

    limit: on the whole speech without its quote marks; quote_limit: on what it quotes, in all. quotes: what it must quote,
    the passage at least once ("required"), and always rightly ("verified"). slots: what a turn is made of, where it is more
    than a speech.
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

    def check(self, passage: str | None, slot: Slot, turn: Turn) -> Any:
        spoken, limit = super().check(passage, slot, turn), self.rules(slot)[0]

        def check(move: Speech | Concession, last: bool = False) -> Any:
            if isinstance(move, Speech):
                return spoken(move, last)
            short = partial(shortened, move, limit and limit.model_copy(update={"least": None}), last)
            return quoted_after(short, passage) if turn.check_quotes else short()

        return check


def noted(passage: str | None, slot: Slot) -> Any:
    """The check of what a speaker says in private."""

    def check(note: Note, last: bool = False) -> Note:
        filled = fill(note, slot=slot.name, turn=slot.to == "turn")
        return on_record(filled, passage, slot.limit, slot.quote_limit, slot.quotes, last)

    return check


class Feedback(Part):
    """The judge states its belief, may say something to the debaters, and may end the debate."""

    part: Literal["feedback"] = "feedback"
    limit: Limit | None = None

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        verdict = await floor.ask(
            "judge", Verdict, check=partial(shortened, limit=self.limit), last=partial(shortened, limit=self.limit, last=True),
            task="feedback", round=turn.round, rounds=turn.rounds, **told(self.limit),
        )  # fmt: skip
        return verdict if verdict.end else None


class Questions(Part):
    """The judge may put a question to one debater or to all; each counts as one query. An empty text asks nothing."""

    asker: ClassVar[str] = "judge"

    part: Literal["questions"] = "questions"
    limit: Limit | None = None

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        def check(move: Ask, last: bool = False) -> Ask:
            if move.to is not None and move.to not in answers:
                raise Illegal(f"the question is to {move.to!r}; it can go to {', '.join(answers)}, or to all (null)")
            return shortened(move, self.limit, last)

        asked = await floor.ask(
            self.asker, Ask, check=check, last=partial(check, last=True), task="ask", to_seats=list(answers), round=turn.round, rounds=turn.rounds,
            **told(self.limit),
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


def made_part(given: Any) -> Part:
    """A part as it is, or of its record: its name as `part`, and its parameters. Raises UsageError where there is none of that
    name, it does not take them, or is not the one that its own name leads to: it could not be replayed."""
    if isinstance(given, Part):
        cls, name = type(given), called(type(given))
        if name is None or find("part", name) is not cls:
            raise UsageError(f'{cls.__qualname__} needs a name of its own: part: Literal["mine"] = "mine"')
        return given
    if not isinstance(given, Mapping) or not isinstance(given.get("part"), str):
        raise UsageError(f'{given!r:.80} is no part of a debate: give one, or its record, like {{"part": "speeches"}}')
    found: type[Part] = find("part", given["part"])
    try:
        return found.model_validate(dict(given))
    except ValidationError as error:
        raise UsageError(f"part {given['part']}: {first_problem(error, 'together')}") from None


def _anywhere(part: Part) -> Part:
    if part.judging:
        raise UsageError(f"{type(part).__name__} judges what was said: it stands in closing alone")
    return part


ClosingPart = Annotated[SerializeAsAny[Part], BeforeValidator(made_part)]
"""Any part, of whatever class: of moot's own, of a package, or one that was imported."""
AnyPart = Annotated[ClosingPart, AfterValidator(_anywhere)]
"""The same, for what may stand before the closing."""


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
