"""The base of every protocol, what is recorded of one, and what the end of a play pays.

Rule of this file: what a protocol declares; how it is run stands in `game.py`.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from moot.protocols.engine.errors import ProtocolError, UsageError, first_problem, near
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.metadata import Metadata, check, declared
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided, Errored, Forfeited, Outcome, Unjudged
from moot.protocols.engine.question import Question
from moot.protocols.engine.registry import everything, find, register
from moot.protocols.engine.replies import misfit
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Source


class Protocol(BaseModel):
    """A protocol is a pure script with parameters.

    Subclass it, declare parameters as fields, say in `roles` who sits where, and write `play`, which awaits nothing
    but its floor: no clock, no randomness, no I/O. `moot.testing.check_protocol` checks the rest.

    What it is, it declares as class variables, all of them optional; `metadata()` gives them as data.

    name: what it is called; made from the class's name when not given. players: the roles that sit in it. judge: the role
    that is bounded; measure: what it spends that must stay polynomial for the guarantee; complexity_class: the class of the
    languages that it then decides under what it `assumes` (names of `metadata.PREMISES`), its parameters growing with n as the
    theorem asks ("P^O": relative to an oracle); what it decides at constant parameters, `decides` says. dynamics: "sequential", one seat is asked at a time; "simultaneous",
    all players but the judge are asked at the same time; "mixed", now so, now so. most_repairs: how often an ask may let its
    seat try again at most, those of sub-plays included; an ask that allows more is a ProtocolError. symmetric: swapping the debaters' seats
    swaps the outcome. zero_sum: the payoffs of a decided play sum to zero. citing: its statements rest on answers that they
    cite. pointers: its messages may hold pointers to messages. unnamed: what a record means that does not name a parameter,
    where that is not the default (records are older than the parameter). prompts: a folder with templates of the protocol's own,
    `ROLE.system.txt` and `ROLE.TASK.txt` (`moot.agents.prompts.templates`); own_turns: the roles whose models are shown what
    they said as turns of their own in the conversation; choosing: the names of those `details` of its briefs that are lists of
    numbers of choices, which are other numbers to who is shown the choices in another order. Raises ProtocolError where they make no sense.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = ""
    players: ClassVar[tuple[str, ...]] = ()
    judge: ClassVar[str] = "judge"
    measure: ClassVar[str] = "reads"
    complexity_class: ClassVar[str | None] = None
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge")
    dynamics: ClassVar[str] = "mixed"
    most_repairs: ClassVar[int] = 1
    symmetric: ClassVar[bool] = False
    zero_sum: ClassVar[bool] = False
    citing: ClassVar[bool] = False
    pointers: ClassVar[bool] = False
    unnamed: ClassVar[Mapping[str, Any]] = {}
    prompts: ClassVar[str | Path | None] = None
    own_turns: ClassVar[tuple[str, ...]] = ()
    choosing: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            known = ", ".join(type(self).model_fields) or "none"
            problem = first_problem(error, "together")
            raise UsageError(f"{type(self).__name__}: {problem} (its parameters: {known})") from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        check(cls)
        if cls.play is not Protocol.play:
            register("protocol", cls.name, cls)

    @classmethod
    def unnamed_in(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a record with these parameters means by those that it does not name, where that is not their default:
        `unnamed`, unless it depends on the others."""
        return cls.unnamed

    @classmethod
    def from_record(cls, params: Mapping[str, Any]) -> Self:
        """The protocol of a record with these parameters. Raises UsageError on unknown ones."""
        return cls(**{**cls.unnamed_in(params), **params})

    def metadata(self, question: Question | None = None) -> Metadata:
        """What the protocol declares, and, given a question, what it says about a play on it. UsageError on an unfit one."""
        if question is None:
            return declared(type(self))
        return replace(
            declared(type(self)), seats=self.roles(question), utility_bound=self.utility_bound(question),
            most_moves=self.most_moves(question), full_tree_size=self.full_tree_size(question),
        )  # fmt: skip

    def roles(self, question: Question) -> dict[str, str]:
        """Seat to role, in order: {"a": "debater", "b": "debater", "judge": "judge"}. UsageError on an unfit question."""
        raise UsageError(f"{type(self).__name__} does not say who sits where: define roles(question)")

    async def play(self, floor: Floor, question: Question) -> Decided:
        """The script. Await only the floor; return what was decided."""
        raise UsageError(f"{type(self).__name__} has no play(floor, question)")

    def stances(self, question: Question) -> Mapping[str, int]:
        """Seat to the index of the choice that it defends all along, where that is so without being said in its asks."""
        return {}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> Mapping[str, int]:
        """Seat to the index of the choice that it defends, as everybody in the play may know, and prompts say. chosen: what
        seats have chosen, by an `Answer` that was shown to whoever wants to know. question: whole where nothing is chosen yet;
        without passage, data and images once something is."""
        return {**self.stances(question), **chosen}

    def sees(self, question: Question) -> Mapping[str, Source]:
        """Seat to the most that it is ever shown of the passage, the data and the images: "all", "metered" (it may look) or
        "none"; of seats of which that can be said. Prompts say it, and a law holds the views to it. Asked once a play, with the whole
        question."""
        return {}

    def explained(self, question: Question, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the `details` of a turn come to in words, as further details for models and people, which no request holds:
        which claim the number of a node stands for. question: as the seat is shown it, with data only where it sees them."""
        return {}

    def decides(self, question: Question) -> str | None:
        """The class of the languages that it decides with these very parameters, were n to grow and they to stay: a debate of
        a constant number of rounds is no PSPACE. None where no class is claimed."""
        return self.complexity_class

    def premises(self, question: Question) -> tuple[str, ...]:
        """What the class rests on with these parameters: names of `moot.protocols.engine.metadata.PREMISES`."""
        return self.assumes

    def copied(self, question: Question) -> tuple[str, ...]:
        """The seats that the premise `copies` is about: their calls are to be answered by copies without memory."""
        return ()

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        """Why the parameters, on this question, or the play, whose moves are given as they are recorded, fall short of what
        the class rests on: a limit that was reached, a claim that nobody could answer. A limit that did not bind is none.
        None when nothing is known against them."""
        return None

    def other_answers(self, steps: Iterable[Any]) -> Mapping[str, tuple[float, ...]]:
        """What seats other than the judge answer to the question, as probabilities of its choices: a market's is its last
        price. steps: those of a play, as `Transcript.steps` gives them."""
        return {}

    def proposed(self, steps: Iterable[Any]) -> tuple[str, ...]:
        """The answers that seats wrote to a question without choices, as their verdict counts them. steps: as for `other_answers`."""
        return ()

    def standing(self, steps: Iterable[Any], verdict: Verdict) -> str | None:
        """Which of these answers stands by the verdict; None where none does, or there are none."""
        return None

    def right(self, grades: tuple[float, ...]) -> int | None:
        """What the verdict should have chosen, as its index, where the answers of `proposed` were graded so, each from 0 to 1;
        None where nothing that could be chosen is right, or more than one."""
        return None

    def onward(self, floor: Floor, question: Question, moves: Sequence[Move]) -> Coroutine[Any, Any, Decided] | None:
        """The script from where these moves have led, all that were made and no verdict: for searches, which then make none of them again.
        `floor.step` is that of the last one. None where it cannot be told from them, and the play begins anew. It must ask what
        `play` would ask, which the law `led_back` holds it to."""
        return None

    def worth_trying(self, request: Request) -> Iterable[Move] | None:
        """What an exact search tries for the seat that is asked here, where nobody gave it a list: moves that this protocol's
        rules allow, so many of them that none of the others is ever better, under a judge who keeps to the rules. None where
        fields and brief say it already, or there are infinitely many."""
        return None

    @classmethod
    def tells(cls, name: str) -> bool:
        """Whether `onward`, or `worth_trying`, is of this class's `play`, and not of one in whose place that stands."""
        return name in vars(next(each for each in cls.__mro__ if "play" in vars(each) or name in vars(each)))

    def full_tree_size(self, question: Question) -> int | None:
        """How many nodes the whole tree has of which a play writes one path (or a part); None when nobody can say."""
        return None

    def utility_bound(self, question: Question) -> float | None:
        """The most that a seat can win or lose by any play: where searches may stop, and what a seat that forfeits loses.
        None where nothing is paid, or nothing bounds what is."""
        return None

    def most_moves(self, question: Question) -> dict[str, int] | None:
        """An upper bound on the moves of each seat, for estimates before a run; None when there is no bound."""
        return None


def record_of(protocol: Protocol) -> dict[str, Any]:
    """A protocol as it is recorded: its name and the parameters that are not as a record without them means, those in full."""
    changed = set(protocol.model_dump(exclude_defaults=True))
    unnamed = type(protocol).unnamed_in({name: getattr(protocol, name) for name in changed})
    changed = (changed - unnamed.keys()) | {name for name, meant in unnamed.items() if getattr(protocol, name) != meant}
    return {"name": protocol.name, "params": protocol.model_dump(mode="json", include=changed)}


def recorded_protocol(record: Mapping[str, Any]) -> Protocol:
    """The protocol that `record_of` gave this record of. Raises UsageError when there is none of that name."""
    cls: type[Protocol] = find("protocol", record["name"])
    return cls.from_record(record["params"])


def payoffs_of(outcome: Outcome | None, protocol: Protocol, question: Question) -> dict[str, float | None]:
    """What the end of a play pays each seat; None to a seat that it pays nothing.

    A decided play pays what its protocol says. A seat that forfeited loses the utility bound, which is never better than
    losing, and the others are paid None; as is everybody where the play ended otherwise, or has not ended.
    """
    paid: dict[str, float | None] = dict.fromkeys(protocol.roles(question))
    if isinstance(outcome, Decided):
        paid |= outcome.payoffs
    elif isinstance(outcome, Forfeited) and (bound := protocol.utility_bound(question)) is not None:
        paid[outcome.seat] = -bound
    return paid


def fitting(value: Any, protocol: Protocol, question: Question, seats: Mapping[str, Any]) -> Outcome:
    """What a script returned, as the outcome of its play. Raises ProtocolError when it is none, its verdict is over other
    choices than the question's, or it names a seat that there is not."""
    who = f"protocol {protocol.name}"
    if not isinstance(value, Outcome):
        raise ProtocolError(f"{who} returned {value!r}; play must return an outcome")
    if isinstance(value, Decided):
        if (problem := misfit(value.verdict, len(question.choices))) is not None:
            raise ProtocolError(f"{who} decided {question.text!r}: {problem}")
        what, named = "paid", list(value.payoffs)
    else:
        what, named = "ended the play by", [] if isinstance(value, Errored | Unjudged) else [value.seat]
    for seat in named:
        if seat not in seats:
            raise ProtocolError(f"{who} {what} seat {seat!r}{near(seat, seats)}; its seats are {', '.join(seats)}")
    return value


def known_protocols() -> dict[str, type[Protocol]]:
    """Every protocol that can be named: moot's own, those of plug-ins, and every subclass that was imported."""
    return everything("protocol")


def protocol_named(name: str, params: dict[str, Any] | None = None) -> Protocol:
    """The protocol called `name`, with parameters. Raises UsageError when there is none."""
    made: Protocol = find("protocol", name)(**(params or {}))
    return made
