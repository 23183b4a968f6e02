"""Exact solving: the value of a protocol under optimal play, and strategies that reach it, found by trying every move.
Rule: what is asked and what is answered; the search is in `tree.py`, strategies in `strategy.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moot.complexity.search.options import Options
from moot.complexity.search.strategy import Strategy, strategies
from moot.complexity.search.tree import GameTree, NotZeroSum, Pays
from moot.play.seats import seats_for
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry


@dataclass(frozen=True)
class Solution:
    """What optimal play comes to.

    value: what each seat is paid, in expectation over coins and the draws of policies. line: one play that optimal choices
    lead to, every seat's moves in order; where chance decides, along the most probable side, and `coins` says which, by
    step. outcome: its end. positions: how often a free seat was to move. leaves: how many ends of plays were looked at.
    narrowed: what of the options that nobody gave was not all that may be said there, and what it was; before a judge who goes
    by the rest, `value` may be another. Empty where every move was tried, or `moves` gave the options.
    """

    value: Mapping[str, float]
    line: tuple[Entry, ...]
    outcome: Decided | Forfeited
    coins: Mapping[str, int]
    positions: int
    leaves: int
    narrowed: tuple[str, ...] = ()
    strategies: Mapping[str, Strategy] | None = field(default=None, repr=False)

    @property
    def strategy(self) -> Mapping[str, Strategy]:
        """For each free seat a strategy, which is an agent: seated together with the agents that were solved against, they
        are paid `value`. Raises UsageError where `solve` was not asked for it."""
        if self.strategies is None:
            raise UsageError("the strategies were not kept; ask for them: moot.solve(…, strategy=True)")
        return self.strategies


def solve(
    protocol: Protocol, question: Question | Sample, *, moves: Mapping[str, Options] | None = None,
    seats: Mapping[str, Any] | None = None, seed: int | None = None, key: Callable[[Request], Hashable] | None = None,
    limit: int | None = None, pays: Pays | None = None, strategy: bool = False,
) -> Solution:  # fmt: skip
    """The value of `protocol` on `question` when every free seat plays as well as possible, by exhaustive search.

    moves: the free seats, each with its options (see `Options`); each maximises its own payoff and takes the first of equals.
    With one free seat this is the best reply to the others. None: every seat at which nobody sits, and its options are
    found by fields, brief and protocol, of which `Solution.narrowed` says where there may be more. seats: an agent for each other seat or role: a fixed strategy that
    answers at once, and the same whenever it is shown the same, or a `Policy`, over whose draws the expectation is taken.
    seed: solve for agents that draw from `request.seed` as if their draws, those of this seed, were known to everybody.
    key: two positions in which the same seat is asked and `key(request)` is equal are solved once. That is sound where
    all that follows, payoffs and fixed agents' moves included, depends on the key alone; so by default none are merged.
    limit: raise UsageError after this many positions. pays: what a decided play pays each seat, instead of what its protocol
    says: the worst verdict that a seat can bring about, or a protocol that pays nobody. strategy: keep the strategies of the free seats, complete against
    every option of the others; two rivals are then searched without alpha-beta.

    Free seats are taken to know the question with its data, every move before theirs, and every coin that has fallen; what
    a policy draws they know once they are shown it.
    UsageError on a fixed agent that looks at `request.seed` when no seed is given, on a policy with illegal moves,
    where a protocol hides a free seat's or a policy's move from a free seat (branches that run together, statements to one
    seat), on `floor.uniform` (a coin whose sides cannot all be tried), on a seat whose options are not finite (it says which
    field of which move is not, and `moves` must then give them), on options that leave a seat nothing legal to do,
    on plays in which a free seat is asked after more than DEEPEST moves, and with `strategy` where the best move hangs on
    what a seat is not shown. A fixed seat that forfeits loses the utility
    bound to its rival; any other end that is no decision has no value, and raises AgentError. ProtocolError where the
    check of an ask changes the script's own state, so that the line found is no play.
    """
    if isinstance(question, Sample):
        question = question.question
    roles = protocol.roles(question)
    fixed = seats_for(roles, given := seats or {}, protocol.name, some=True)
    if moves is None:
        moves = {seat: None for seat in roles if seat not in fixed}
    fixed = {seat: agent for seat, agent in fixed.items() if seat in given or seat not in moves}
    both = [seat for seat in moves if seat in fixed]
    if both or not moves:
        raise UsageError(f"{protocol.name}: {f'seat {both[0]!r} is in moves and in seats' if both else 'no free seat'}")
    for seat in moves:
        if seat not in roles:
            raise UsageError(f"{protocol.name} has no seat {seat!r} to be free{near(seat, roles)}")
    seats_for({seat: seat for seat in roles}, {**dict.fromkeys(moves), **fixed}, protocol.name)
    for pruned in (True, False):
        tree = GameTree(protocol, question, dict(moves), fixed, seed, key, limit, pays, pruned, strategy)
        try:
            found = tree.search()
            positions, leaves = tree.positions, tree.leaves
            outcome, coins = tree.lead(found.line)
        except NotZeroSum:
            continue
        finally:
            tree.game.close()
        line = tuple(Entry(said.step, said.seat, said.move) for said in tree.trail)
        kept = strategies(found.plan, moves, key) if strategy else None
        return Solution(dict(found.value), line, outcome, coins, positions, leaves, tuple(tree.narrowed), kept)
    raise AssertionError("unreachable: without pruning nothing depends on the sum")
