"""Exact solving: the value of a protocol under optimal play, found by trying every move.
Rule: the search alone; how a game is led back is in `retrace.py`, which moves there are in `options.py`.

The search drives the same `play` as everything else does, through the engine. Two free seats whose payoffs sum to zero
are searched by alpha-beta (Knuth and Moore 1975), any others by backward induction; coins are averaged over.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moot.agents.base import act_of
from moot.agents.failing import interrupts
from moot.complexity.search.options import every_move
from moot.complexity.search.retrace import Retraced, Taken
from moot.complexity.search.sight import check_sight
from moot.play.driver import cause
from moot.play.seats import bounds_of, seats_for
from moot.protocols.engine.base import Protocol, payoffs_of
from moot.protocols.engine.errors import AgentError, BudgetExceeded, Illegal, ProtocolError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.steps import Branch, Waiting
from moot.protocols.engine.view import Entry, Request

Options = Callable[[Request], Iterable[Move]] | None
"""What a free seat may do: a function from the request to the moves worth trying (those that the protocol finds illegal
are passed over), or None for every move of the kinds asked for."""

DEEPEST = 300
"""The most moves of a play in which a free seat is still asked."""

Payoffs = Mapping[str, float]
_Line = tuple[Any, Any] | None
_Found = tuple[Payoffs, _Line]


class _NotZeroSum(Exception):
    """The payoffs of the two free seats do not sum to zero after all."""


@dataclass(frozen=True)
class Solution:
    """What optimal play comes to.

    value: what each seat is paid, in expectation over coins. line: one play that optimal choices lead to, every seat's
    moves in order; where coins fall, along the most probable side, and `coins` says which, by step. outcome: its end.
    positions: how often a free seat was to move. leaves: how many ends of plays were looked at.
    """

    value: Mapping[str, float]
    line: tuple[Entry, ...]
    outcome: Decided | Forfeited
    coins: Mapping[str, int]
    positions: int
    leaves: int


def solve(
    protocol: Protocol, question: Question | Sample, *, moves: Mapping[str, Options],
    seats: Mapping[str, Any] | None = None, seed: int = 0, key: Callable[[Request], Hashable] | None = None,
    limit: int | None = None,
) -> Solution:  # fmt: skip
    """The value of `protocol` on `question` when every free seat plays as well as possible, by exhaustive search.

    moves: the free seats, each with its options; each maximises its own payoff and takes the first of equals. With one
    free seat this is the best reply to the others. seats: an agent for each other seat or role, a fixed strategy that answers at
    once; it is called with the step's own seed, so one that draws from it is solved for `seed`, with its draws known.
    key: two positions in which the same seat is asked and `key(request)` is equal are solved once. That is sound where
    all that follows, payoffs and fixed agents' moves included, depends on the key alone; so by default none are merged.
    limit: raise UsageError after this many positions.

    Free seats are taken to know the question with its data, every move before theirs, and every coin that has fallen.
    UsageError where a protocol hides a free seat's move from another one (branches that run together, statements to one
    seat), on `floor.uniform` (a coin whose sides cannot all be tried), on options that leave a seat nothing legal to do,
    and on plays in which a free seat is asked after more than DEEPEST moves. A fixed seat that forfeits loses the utility
    bound to its rival; any other end that is no decision has no value, and raises AgentError.
    """
    if isinstance(question, Sample):
        question = question.question
    roles = protocol.roles(question)
    fixed = seats_for(roles, given := seats or {}, protocol.name, some=True)
    fixed = {seat: agent for seat, agent in fixed.items() if seat in given or seat not in moves}
    both = [seat for seat in moves if seat in fixed]
    if both or not moves:
        raise UsageError(f"{protocol.name}: {f'seat {both[0]!r} is in moves and in seats' if both else 'no free seat'}")
    seats_for(roles, {**dict.fromkeys(moves), **fixed}, protocol.name)
    for pruned in (True, False):
        search = _Search(protocol, question, dict(moves), fixed, seed, key, limit, pruned)
        try:
            return search.solution()
        except _NotZeroSum:
            continue
        finally:
            search.game.close()
    raise AssertionError("unreachable: without pruning nothing depends on the sum")


class _Search:
    """One search. `trail` holds the moves that led to the position in which `game` stands."""

    def __init__(
        self, protocol: Protocol, question: Question, moves: dict[str, Options], fixed: dict[str, Any], seed: int,
        key: Callable[[Request], Hashable] | None, limit: int | None, pruned: bool,
    ) -> None:  # fmt: skip
        self.protocol, self.name, self.moves, self.key, self.limit = protocol, protocol.name, moves, key, limit
        self.acts = {seat: act_of(agent) for seat, agent in fixed.items()}
        self.game = Retraced(protocol, question, seed=seed, bounds=bounds_of(fixed, question), chance=self._coin)
        about = protocol.metadata(question)
        self.stakes = math.inf if about.utility_bound is None else about.utility_bound
        self.zero_sum = about.zero_sum
        self.first = next(iter(moves))
        self.pair = pruned and about.zero_sum and len(moves) == 2
        self.windowed = self.pair or (pruned and len(moves) == 1)
        self.trail: list[Taken] = []
        self.coins: dict[str, int] = {}
        self.flipped: list[tuple[str, Branch]] = []
        self.fresh: list[tuple[str, tuple[float, ...]]] = []
        self.table: dict[tuple[str, Hashable], tuple[Payoffs, _Line, float, float]] = {}
        self.positions = self.leaves = 0

    def solution(self) -> Solution:
        self.game.start()
        value, line = self._value(-self.stakes, self.stakes)
        positions, leaves = self.positions, self.leaves
        self._again()
        coins: dict[str, int] = {}
        while self.game.outcome is None or self.fresh:
            step, waiting = ("", None) if self.fresh else self._next()
            if waiting is not None and waiting.ask.seat in self.acts:
                self._ask(step)
                continue
            assert line is not None
            taken, line = line
            if waiting is None:
                step = self.fresh.pop(0)[0]
                self.coins[step] = coins[step] = taken
                self._again()
            else:
                self._go(Taken(step, waiting.ask.seat, *self.game.vet(step, taken)))
        outcome = self.game.outcome
        assert isinstance(outcome, (Decided, Forfeited))
        entries = tuple(Entry(said.step, said.seat, said.move) for said in self.trail)
        return Solution(dict(value), entries, outcome, coins, positions, leaves)

    # -- the search ---------------------------------------------------------------------------------------------------

    def _value(self, low: float, high: float) -> _Found:
        """Payoffs and line of the position in which the game stands. Of two rivals, or one seat alone, exact only where
        the first seat's payoff lies between `low` and `high`, and otherwise a bound on the side that it lies on."""
        game, mark = self.game, len(self.trail)
        try:
            while True:
                if self.fresh:
                    return self._expected()
                if game.outcome is not None:
                    return self._paid(), None
                step, waiting = self._next()
                if waiting.ask.seat not in self.acts:
                    return self._best(step, waiting, low, high)
                self._ask(step)
        finally:
            del self.trail[mark:]

    def _best(self, step: str, waiting: Waiting, low: float, high: float) -> _Found:
        seat = waiting.ask.seat
        self.positions += 1
        if self.limit is not None and self.positions > self.limit:
            raise UsageError(f"{self.name}: more than {self.limit} positions; raise the limit, or solve a smaller n")
        if len(self.trail) >= DEEPEST:
            raise UsageError(f"{self.name}: the search went {DEEPEST} moves deep; solve plays of finitely many")
        check_sight(step, waiting, self.moves, self.trail, self.flipped)
        name: tuple[str, Hashable] | None = None
        if self.key is not None:
            name = (seat, self.key(self.game.request(step)))
            if (known := self.table.get(name)) is not None:
                payoffs, line, least, most = known
                if least == most or least >= high or most <= low:
                    return payoffs, line
        floor, ceiling, mark = low, high, len(self.trail)
        best: _Found | None = None
        top = -math.inf
        for move, payload in self._options(step, waiting):
            if best is not None:
                self._again()
            self._go(Taken(step, seat, move, payload))
            payoffs, line = self._value(low, high)
            del self.trail[mark:]
            mine = payoffs.get(seat, 0.0)
            if best is None or mine > top:
                best, top = (payoffs, (move, line)), mine
                if self.windowed and seat == self.first:
                    low = max(low, mine)
                elif self.windowed:
                    high = min(high, -mine)
                if self.windowed and low >= high:
                    break
        assert best is not None
        if name is not None:
            got = best[0].get(self.first, 0.0)
            exact = not self.windowed or floor < got < ceiling or got in (-self.stakes, self.stakes)
            least = got if exact or got >= ceiling else -math.inf
            most = got if exact or got <= floor else math.inf
            self.table[name] = (*best, least, most)
        return best

    def _options(self, step: str, waiting: Waiting) -> list[tuple[Move, bytes]]:
        kinds, choose = waiting.ask.kinds, self.moves[waiting.ask.seat]
        offered: Iterable[Any] = every_move(kinds) if choose is None else choose(self.game.request(step))
        legal, why = [], "it offers none"
        for reply in offered:
            try:
                legal.append(self.game.vet(step, reply))
            except Illegal as error:
                why = str(error)
        if not legal:
            names = " or ".join(kind.__name__ for kind in kinds)
            asked = f"step {step}: moves[{waiting.ask.seat!r}]"
            raise UsageError(f"{asked} holds no legal {names} ({why}); a play that stops there has no value")
        return legal

    def _expected(self) -> _Found:
        """The mean over the sides of the first coin that has just fallen; every other one is fallen anew under it."""
        (step, weights), *later = self.fresh
        total, likely = math.fsum(weights), max(range(len(weights)), key=weights.__getitem__)
        sums: dict[str, float] = {}
        line: _Line = None
        for side, weight in enumerate(weights):
            if weight <= 0:
                continue
            self.coins[step] = side
            self._again()
            payoffs, rest = self._value(-self.stakes, self.stakes)
            for seat, amount in payoffs.items():
                sums[seat] = sums.get(seat, 0.0) + amount * (weight / total)
            if side == likely:
                line = (side, rest)
        del self.coins[step]
        return sums, line

    def _paid(self) -> Payoffs:
        """What an end pays. Raises when it pays a free seat nothing, or is a failure."""
        self.leaves += 1
        outcome, seats = self.game.outcome, self.moves
        payoffs: Payoffs
        if isinstance(outcome, Decided):
            payoffs = outcome.payoffs
        elif isinstance(outcome, Forfeited) and self.stakes < math.inf and self.zero_sum:
            payoffs = self._forfeited(outcome)
        else:
            what = "what is not decided has no value. Seat agents that do not fail, with bounds that suffice"
            raise AgentError(f"{self.name}: a play ended in {outcome!r}; {what}")
        for seat in seats:
            if seat not in payoffs:
                raise UsageError(f"{self.name} pays seat {seat!r} nothing to play for; seat an agent there")
        if self.pair and (len(payoffs) != 2 or abs(math.fsum(payoffs.values())) > 1e-9):
            raise _NotZeroSum
        if self.windowed and abs(payoffs[self.first]) > self.stakes + 1e-9:
            paid = f"{payoffs[self.first]} to seat {self.first!r}"
            raise ProtocolError(f"protocol {self.name} paid {paid}; it had said that its stakes are {self.stakes}")
        return payoffs

    def _forfeited(self, outcome: Forfeited) -> Payoffs:
        roles, loser = self.game.roles, outcome.seat
        rivals = [seat for seat, role in roles.items() if role == roles[loser] and seat != loser]
        if len(rivals) != 1:
            what = f"seat {outcome.seat!r} forfeited at step {outcome.step} ({outcome.rule})"
            raise AgentError(f"{self.name}: {what}; without exactly one rival in its role the play has no value")
        lost = payoffs_of(outcome, self.protocol, self.game.question)[outcome.seat]
        assert lost is not None
        return {outcome.seat: lost, rivals[0]: -lost}

    # -- moving about -------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, Waiting]:
        """The open step to go on with: one of a fixed seat, if there is any."""
        waiting = self.game.open
        if len(waiting) > 1:
            for step, each in waiting.items():
                if each.ask.seat in self.acts:
                    return step, each
        return next(iter(waiting.items()))

    def _go(self, taken: Taken) -> None:
        self.trail.append(taken)
        self.game.repeat(taken)

    def _again(self) -> None:
        """Run the play again, up to the end of the trail."""
        self.fresh.clear()
        self.flipped.clear()
        self.game.restart(self.trail)

    def _ask(self, step: str) -> None:
        """Let the agent of a fixed seat answer, and again while its answer is illegal and it has not forfeited."""
        game = self.game
        rejected: list[tuple[Any, int]] = []
        while step in game.open:
            account = game.account(step)
            request = game.request(step)
            try:
                if account is not None:
                    account.check("calls", 1)
                reply = self.acts[request.seat](request)
            except BudgetExceeded as error:
                return game.exhaust(step, error, request.budget.reads)
            except BaseException as error:
                if interrupts(error):
                    raise
                raise AgentError(f"step {step}: {cause(error, request.seat)}") from error
            if inspect.isawaitable(reply):
                if inspect.iscoroutine(reply):
                    reply.close()
                raise UsageError(f"seat {request.seat!r} answers with an awaitable; solve seats who answers at once")
            reads = request.budget.reads
            try:
                move, payload = game.vet(step, reply)
            except Illegal:
                rejected.append((reply, reads))
                game.answer(step, reply, reads=reads)
                continue
            taken = Taken(step, request.seat, move, payload, reads, rejected)
            self.trail.append(taken)
            taken.rejected = ()  # they have been given already, this time
            game.repeat(taken)
            taken.rejected = rejected
            return

    def _coin(self, step: str, weights: tuple[float, ...] | None) -> int:
        if weights is None:
            what = "draws from [0, 1) (floor.uniform), whose values cannot all be tried; use floor.flip or floor.draw"
            raise UsageError(f"step {step}: {self.name} {what}")
        assert self.game.current is not None
        self.flipped.append((step, self.game.current))
        side = self.coins.get(step)
        if side is None:
            self.fresh.append((step, weights))
            side = max(range(len(weights)), key=weights.__getitem__)
        return side
