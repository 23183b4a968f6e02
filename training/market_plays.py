"""Plays of market making to train on: between programs, without a transcript, with all that a price was made from."""

from collections.abc import Mapping
from typing import NamedTuple
from typing import Protocol as Structural

from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.game import Ending, Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Request
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Price, Statement
from moot.protocols.market.payoffs import Belief, Losses


class Program(Structural):
    """An agent that answers at once."""

    def act(self, request: Request) -> Move: ...


class Played(NamedTuple):
    """One play. asked: the requests for p_0 … p_n; prices: what the market said to them. claims: the answers that
    statements claimed. final: the judge's belief p*, and losses by it; both None when the play was not decided."""

    asked: tuple[Request, ...]
    prices: tuple[Belief, ...]
    claims: tuple[str, ...]
    final: Belief | None
    losses: Losses | None
    outcome: Ending

    @property
    def gains(self) -> tuple[float, ...]:
        """What the adversary gained by each statement; () when the play was not decided."""
        return () if self.losses is None else tuple(0.0 - loss for loss in self.losses.adversary)


def play_market(protocol: MarketMaking, question: Question, seats: Mapping[str, Program], seed: int = 0) -> Played:
    """Play a question between programs: the seats "market", "adversary" and "judge".
    Prices that the market gives to a query of the adversary are no part of the play's path. Raises UsageError where
    `Game` does, AgentError when an agent would have to be awaited, and what an agent raises."""
    game = Game(protocol, question, seed=seed).start()
    asked: list[Request] = []
    prices: list[Belief] = []
    claims: list[str] = []
    statements = 0
    try:
        while game.outcome is None:
            for step in list(game.open):
                if step not in game.open:
                    break
                request = game.request(step)
                move = seats[request.seat].act(request)
                if not isinstance(move, Move):
                    raise AgentError(f"step {step}: a play to train on needs programs; {request.seat} gave {move!r}")
                # A price after a statement that was only supposed is asked with the number of the round to come.
                on_path = isinstance(move, Price) and request.brief.get("round") == statements
                if not game.answer(step, move):
                    continue
                if on_path and isinstance(move, Price):
                    asked.append(request)
                    prices.append(move.probabilities)
                elif isinstance(move, Statement):
                    statements += 1
                    claims += [] if move.answer is None else [move.answer]
    finally:
        game.close()
    outcome = game.outcome
    if not isinstance(outcome, Decided):
        return Played(tuple(asked), tuple(prices), tuple(claims), None, None, outcome)
    final = outcome.verdict.probabilities
    return Played(
        tuple(asked), tuple(prices), tuple(claims), final, protocol.losses(prices, final), outcome
    )  # fmt: skip
