"""A state machine that plays a protocol by hand, for tests that go where the laws' scripted plays do not.

Rule: what holds of every protocol; a protocol's own rules and invariants go into a subclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import ProtocolError, UsageError
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.hand import Hand, Script, accounts
from moot.testing.strategies import hostile_replies, illegal_replies, moves, questions_for, samples
from moot.transcripts.events import played_part
from moot.transcripts.replay import Replay, replay, verify


class ProtocolMachine(RuleBasedStateMachine):
    """Plays `protocol` by hand with legal, illegal and hostile answers, in any order of the open steps.

        class MineMachine(moot.testing.ProtocolMachine):
            protocol = MyProtocol()

        TestMine = MineMachine.TestCase

    questions: a strategy, when those that fit by default are not enough. bounds: limits per seat; None draws them.
    Override `legal(request)` for moves of your own, and add rules and invariants as in any RuleBasedStateMachine; `hand`
    is the play so far (hand.game, hand.transcript). After every step: no seat has spent more than its limit, the tree is
    one, and what follows the outcome is nothing. At the end: the record is whole, and replays.
    """

    protocol: ClassVar[Protocol | None] = None
    questions: ClassVar[st.SearchStrategy[Question] | None] = None
    bounds: ClassVar[Mapping[str, Mapping[str, int | float]] | None] = None

    hand: Hand
    limits: Mapping[str, Mapping[str, int | float]]

    def legal(self, request: Request) -> st.SearchStrategy[Any]:
        """Replies to a request that should be accepted."""
        return moves(request)

    @property
    def playing(self) -> bool:
        return self.hand.game.outcome is None

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        protocol = type(self).protocol
        if protocol is None:
            raise UsageError(f"{type(self).__name__} says nothing of what it plays: set protocol = MyProtocol()")
        sample = data.draw(samples(type(self).questions or questions_for(protocol)))
        limits = st.fixed_dictionaries({}, optional={measure: st.integers(0, 200) for measure in MEASURES})
        drawn = {seat: data.draw(st.just({}) | limits) for seat in protocol.roles(sample.question)}
        self.limits = drawn if self.bounds is None else self.bounds
        self.hand = Hand(protocol, sample, Script(), seed=data.draw(st.integers(0, 9)), bounds=self.limits)

    def _answer(self, data: st.DataObject, how: Any) -> bool:
        step = data.draw(st.sampled_from(sorted(self.hand.game.open)))
        self.hand.script.reads[step, self.hand.look(step).attempt] = data.draw(st.integers(0, 3))
        spent = {"tokens": data.draw(st.integers(0, 9))}
        return self.hand.step(step, lambda request: data.draw(how(request)), spent)

    @precondition(lambda self: self.playing)
    @rule(data=st.data())
    def say(self, data: st.DataObject) -> None:
        """A seat answers as it should."""
        self._answer(data, self.legal)

    say_again = say  # as often as it is broken or attacked

    @precondition(lambda self: self.playing)
    @rule(data=st.data())
    def break_rules(self, data: st.DataObject) -> None:
        """A seat answers with what nobody may accept; that is recorded, and opens nothing."""
        before = set(self.hand.game.open)
        assert not self._answer(data, illegal_replies), "a reply that is no move was accepted"
        assert self.playing is False or set(self.hand.game.open) == before, "an illegal move opened or closed a step"

    @precondition(lambda self: self.playing)
    @rule(data=st.data())
    def attack(self, data: st.DataObject) -> None:
        """A seat answers with hostile text, broken numbers, forged forms."""
        self._answer(data, lambda request: hostile_replies(request, most=2000))

    @precondition(lambda self: not self.playing)
    @rule()
    def come_late(self) -> None:
        """After the outcome nothing can be said any more."""
        count = len(self.hand.lines)
        for step in {*self.hand.order, "0"}:
            try:
                self.hand.game.answer(step, {})
            except ProtocolError:
                continue
            raise AssertionError(f"step {step} was answered after the outcome")
        assert len(self.hand.lines) == count, "something was recorded after the outcome"

    @invariant()
    def nothing_after_the_outcome(self) -> None:
        game = self.hand.game
        assert (game.outcome is None) == bool(game.open), f"outcome {game.outcome}, open steps {list(game.open)}"

    @invariant()
    def within_limits(self) -> None:
        """Folded from the record: what every seat has spent."""
        for event, measure, used in accounts(self.hand.transcript):
            limit = self.limits.get(event["seat"], {}).get(measure)
            within = limit is None or used <= limit or event["event"] == "charged"
            assert within, f"seat {event['seat']} spent {used} {measure} of {limit}"

    @invariant()
    def tree_is_one(self) -> None:
        import networkx

        transcript = self.hand.transcript
        assert networkx.is_arborescence(transcript.tree), list(transcript.tree.edges)
        assert transcript.ledger.tree.nodes == len(transcript.tree)

    def teardown(self) -> None:
        """The record is whole and replays to the same bytes; unfinished plays to where they stand."""
        if not hasattr(self, "hand"):
            return
        transcript = self.hand.transcript
        assert verify(transcript).ended == (not self.playing)
        if self.playing:
            again = Replay(transcript, self.hand.game.protocol)
            assert set(again.game.open) == set(self.hand.game.open), "replay stands elsewhere"
            assert not again.unwritten
            again.game.close()
        else:
            assert replay(transcript, self.hand.game.protocol).digest == transcript.digest
        assert all(played_part(line) for line in self.hand.lines)
        self.hand.game.close()
