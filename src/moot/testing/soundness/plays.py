"""One play that was drawn, with all that is known of it: who sat where, what was said, and what others would have said there.
Rule: it plays and plays again; what a play shows of a premise is for `premises.py` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from moot.agents.base import act_of
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Answer, Move, Verdict, move_class
from moot.protocols.engine.outcomes import Decided, Outcome
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.replies import accepted
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import AskEffect
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Stands
from moot.tasks.base import Task
from moot.testing.soundness.agents import Looks
from moot.transcripts.transcript import Transcript

PERSUADED = ("evidence", "persuasion")
"""Tasks whose judges are there to be talked round. Within their bounds, small instances can be looked at whole, and that is
what a judge does there who is right."""


class Seated(NamedTuple):
    """Who sits in a seat: its name (`agents.py`), a function that makes it afresh, and whether it computes in polynomial
    time (None: nobody knows)."""

    name: str
    make: Callable[[], Any]
    polynomial: bool | None = None


class Again(NamedTuple):
    """A step of a play, put again on the data as it was. move: what is on the record (`Run.moves` has it as it was
    given). told: what the task's own program says there, None where it fails; reads: what it reads for that. right: what a
    judge says there who is right (None in other seats, and where it fails)."""

    step: str
    seat: str
    text: str
    move: Move
    answer: int | None
    told: Move | None
    reads: int
    right: Move | None


@dataclass
class Run:
    """A play that came to its end, and what it was played with. agents: those that sat there."""

    protocol: Protocol
    task: Task
    sample: Sample
    seed: int
    seated: Mapping[str, Seated]
    transcript: Transcript
    agents: Mapping[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        return self.sample.question

    @property
    def truth(self) -> int:
        found = self.sample.unseal()
        assert found is not None
        return found

    @property
    def verdict(self) -> int | None:
        end = self.transcript.outcome
        return end.verdict.choice if isinstance(end, Decided) else None

    @cached_property
    def roles(self) -> dict[str, str]:
        return self.protocol.roles(self.question)

    @cached_property
    def judge(self) -> str:
        return next(seat for seat, role in self.roles.items() if role == self.protocol.judge)

    @cached_property
    def moves(self) -> dict[str, Move]:
        """What was said, by step, as moves of its kinds, and as it was given: a play takes a message in its brackets, and not
        the pointer that is on the record."""
        return {step.step: _move(step.move if step.raw is None else step.raw) for step in self.transcript.steps()}

    def program(self, seat: str) -> Any:
        """The task's own program for a seat."""
        cast = self.task.cast(self.protocol.name)
        return self.task.programs()[cast.get(seat) or cast[self.roles[seat]]]()

    def right_judge(self) -> Any:
        """A judge who gets right what can be checked: the task's own, or one that looks at everything. Where a market takes
        no citations, it is the one who checks a whole computation."""
        if self.task.name in PERSUADED:
            return Looks(self.task)
        if isinstance(self.protocol, MarketMaking) and not (self.protocol.citing and self.protocol.citations):
            return self.task.programs()[self.task.cast("market-uncited")["judge"]]()
        return self.program(self.judge)

    def fresh(self, **others: Any) -> dict[str, Any]:
        """Everybody afresh, and others in some seats."""
        return {seat: others[seat] if seat in others else each.make() for seat, each in self.seated.items()}

    @cached_property
    def again(self) -> list[Again]:
        """Every step put again, in the order of the play."""
        programs = {seat: self.program(seat) for seat in self.roles}
        right, found = self.right_judge(), list[Again]()
        record = {step.step: _move(step.move) for step in self.transcript.steps()}
        for request, ask, game in self._steps():
            seat, step = request.seat, request.step
            told, reads = _said(programs[seat], request, ask), game.meter(step).reads
            other = _said(right, game.request(step), ask) if seat == self.judge else None
            text = request.view.then(hide=True).question.text
            found.append(Again(step, seat, text, record[step], request.brief.get("answer"), told, reads, other))
        return found

    @property
    def stopped(self) -> list[tuple[str, str]]:
        """The steps that are open where the record ends, each with its seat."""
        game = Game(self.protocol, self.question.unnamed(), seed=self.seed).start()
        try:
            while (step := next((step for step in game.open if step in self.moves), None)) is not None:
                game.answer(step, self.moves[step], reads=0)
            return [(step, waiting.ask.seat) for step, waiting in game.open.items()]
        finally:
            game.close()

    def _steps(self) -> Iterator[tuple[Request, AskEffect, Game]]:
        """Every step, open. AssertionError where a decided play does not come to the end that is on the record: of what was
        not put again nothing is known."""
        game = Game(self.protocol, self.question.unnamed(), seed=self.seed).start()
        try:
            while game.outcome is None and game.open:
                step = next(iter(game.open))
                if step not in self.moves:
                    break
                yield game.request(step), game.open[step].ask, game
                if not game.answer(step, self.moves[step], reads=0):
                    break
            recorded = self.transcript.outcome
            if isinstance(recorded, Decided) and game.outcome != recorded:
                raise AssertionError(
                    f"{self.protocol.name} was put again, and came to {game.outcome}, not to {recorded}"
                )
        finally:
            game.close()

    def played(self, seats: Mapping[str, Any]) -> Outcome | None:
        """The end of a play with these agents and no bounds; None where one of them fails."""
        return bare(self.protocol, self.question, seats, self.seed)

    def paid(self, seat: str, seats: Mapping[str, Any]) -> float | None:
        """What such a play pays a seat; None where it is not decided."""
        end = self.played(seats)
        return end.payoffs.get(seat) if isinstance(end, Decided) else None


def bare(
    protocol: Protocol, question: Question, seats: Mapping[str, Any], seed: int, most: int = 5000
) -> Outcome | None:
    """The end of a play, without driver, record and bounds; None where an agent fails, or after so many moves."""
    game = Game(protocol, question.unnamed(), seed=seed).start()
    try:
        for _ in range(most):
            if game.outcome is not None:
                break
            step = next(iter(game.open))
            try:
                reply = act_of(seats[game.open[step].ask.seat])(game.request(step))
            except Exception:
                return None
            game.answer(step, reply, reads=0)
        return game.outcome
    finally:
        game.close()


def same(one: Move | None, other: Move | None, exact: bool = True) -> bool:
    """Whether two moves say the same, but for words that go with them. exact: whether beliefs must be equal, and not only
    the answer that is ahead."""
    if type(one) is not type(other) or one is None or other is None:
        return False
    if not exact and isinstance(one, Verdict) and isinstance(other, Verdict):
        return one.choice == other.choice
    if isinstance(one, Verdict | Stands | Answer):
        return one.model_dump(exclude={"text"}) == other.model_dump(exclude={"text"})
    return one == other


def _said(agent: Any, request: Request, ask: AskEffect) -> Move | None:
    """What an agent answers, as it would go on the record; None where it fails or breaks a rule."""
    try:
        return accepted(act_of(agent)(request), ask)[1]
    except (MootError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
        return None


def _move(recorded: Mapping[str, Any]) -> Move:
    kind = move_class(recorded["kind"])
    if kind is None:
        raise UsageError(f"no move is called {recorded['kind']!r} here")
    return kind.model_validate(recorded)
