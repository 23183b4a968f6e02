"""The search of one game tree: every position of a play, led there by the protocol's own script.
Rule: the search alone; how a game is led back is in `retrace.py`, which moves there are in `options.py`.

Two free seats whose payoffs sum to zero are searched by alpha-beta (Knuth and Moore 1975), any others by backward
induction; coins and the draws of policies are averaged over.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from moot.agents.base import act_of
from moot.agents.failing import interrupts
from moot.agents.policy import distribution_of
from moot.complexity.search.options import Options, offered_at
from moot.complexity.search.retrace import Retraced, Taken
from moot.complexity.search.sight import check_sight
from moot.complexity.search.strategy import Plan, joined, position
from moot.play.driver import cause
from moot.play.seats import bounds_of
from moot.protocols.engine.base import Protocol, payoffs_of
from moot.protocols.engine.errors import AgentError, BudgetExceeded, Illegal, ProtocolError, UsageError
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import Branch, Waiting

DEEPEST = 300
"""The most moves of a play in which a free seat is still asked."""
AHEAD = 4
"""Moves that are read at a time where a free seat is asked."""

Payoffs = Mapping[str, float]
Pays = Callable[[Decided], Payoffs]
Line = tuple[Taken | int, Any] | None
"""The first choice of optimal play, a move or the side of a coin, and the rest of the line."""


class Found(NamedTuple):
    """What a position comes to. plan: for each free seat its choices from there on, where strategies are wanted."""

    value: Payoffs
    line: Line
    plan: Plan


class NotZeroSum(Exception):
    """The payoffs of the two free seats do not sum to zero after all."""


class GameTree:
    """One search. `trail` holds the moves that led to the position in which `game` stands."""

    def __init__(
        self, protocol: Protocol, question: Question, moves: dict[str, Options], fixed: dict[str, Any], seed: int | None,
        key: Callable[[Request], Hashable] | None, limit: int | None, pays: Pays | None, pruned: bool, planned: bool,
    ) -> None:  # fmt: skip
        self.protocol, self.name, self.moves, self.key, self.limit = protocol, protocol.name, moves, key, limit
        self.acts = {seat: act_of(agent) for seat, agent in fixed.items()}
        self.policies = {seat: each for seat, agent in fixed.items() if (each := distribution_of(agent)) is not None}
        self.seeded, self.drew, self.planned, self.narrowed = seed is not None, False, planned, dict[str, None]()
        self.game = Retraced(protocol, question, seed=seed or 0, bounds=bounds_of(fixed, question), chance=self._coin)
        about = protocol.metadata(question)
        own = pays is None
        self.pays, self.zero_sum = pays, own and about.zero_sum
        self.stakes = about.utility_bound if own and about.utility_bound is not None else math.inf
        self.first = next(iter(moves))
        self.pair = pruned and not planned and self.zero_sum and len(moves) == 2
        self.windowed = self.pair or (pruned and len(moves) == 1)
        self.trail: list[Taken] = []
        self.coins: dict[str, int] = {}
        self.flipped: list[tuple[str, Branch]] = []
        self.fresh: list[tuple[str, tuple[float, ...]]] = []
        self.table: dict[tuple[str, Hashable], tuple[Found, float, float]] = {}
        self.positions = self.leaves = 0

    def search(self) -> Found:
        """What the whole game comes to."""
        self.game.start()
        return self._value(-self.stakes, self.stakes)

    def lead(self, line: Line) -> tuple[Decided | Forfeited, dict[str, int]]:
        """Play the line that was found. Returns how it ends, and the sides on which its coins fell; its moves are the trail.
        Raises ProtocolError where a play of the same moves by the engine's rules ends otherwise."""
        self._again()
        coins: dict[str, int] = {}
        while self.game.outcome is None or self.fresh:
            if self.fresh:
                side, line = cast("tuple[int, Line]", line)
                step = self.fresh.pop(0)[0]
                self.coins[step] = coins[step] = side
                self._again()
                continue
            step, waiting = self._next()
            if waiting.ask.seat in self.acts and waiting.ask.seat not in self.policies:
                self._ask(step)
                continue
            taken, line = cast("tuple[Taken, Line]", line)
            self._go(taken)
        outcome = self.game.outcome
        assert isinstance(outcome, (Decided, Forfeited))
        self._check_line(outcome)
        return outcome, coins

    def _check_line(self, outcome: Decided | Forfeited) -> None:
        played = self.game.played(self.trail, lambda step, weights: self.coins[step])
        if isinstance(outcome, Decided) and played != outcome:
            what = f"the line that was found ends in {outcome!r}, and a play of its moves in {played!r}"
            cure = "a check changes what the script goes by; let the check of an ask change nothing, and keep in `keep`"
            raise ProtocolError(f"protocol {self.name}: {what}: {cure}")

    # -- the search ---------------------------------------------------------------------------------------------------

    def _value(self, low: float, high: float) -> Found:
        """What the position in which the game stands comes to. Of two rivals, or one seat alone, exact only where
        the first seat's payoff lies between `low` and `high`, and otherwise a bound on the side that it lies on."""
        game, mark = self.game, len(self.trail)
        try:
            while True:
                if self.fresh:
                    return self._expected()
                if game.outcome is not None:
                    return Found(self._paid(), None, None)
                step, waiting = self._next()
                if waiting.ask.seat in self.policies:
                    return self._drawn(step)
                if waiting.ask.seat not in self.acts:
                    return self._best(step, waiting, low, high)
                self._ask(step)
        finally:
            del self.trail[mark:]

    def _best(self, step: str, waiting: Waiting, low: float, high: float) -> Found:
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
                found, least, most = known
                if least == most or least >= high or most <= low:
                    return found
        at = position(self.game.request(step), self.key) if self.planned else None
        floor, ceiling, top = low, high, -math.inf
        best: Found | None = None
        plans: list[Plan] = []
        for taken, away in self._options(step, waiting):
            found = self._under(taken, away, low, high)
            mine = found.value.get(seat, 0.0)
            if self.planned:
                plans.append(found.plan)
            if best is None or mine > top:
                best, top = Found(found.value, (taken, found.line), found.plan), mine
                if self.windowed and seat == self.first:
                    low = max(low, mine)
                elif self.windowed:
                    high = min(high, -mine)
                if self.windowed and low >= high:
                    break
        assert best is not None
        if at is not None:
            assert best.line is not None
            best = best._replace(plan=joined(plans, seat, (at, best.line[0].given), best.plan))  # type: ignore[union-attr]
        if name is not None:
            got = best.value.get(self.first, 0.0)
            exact = not self.windowed or floor < got < ceiling or got in (-self.stakes, self.stakes)
            least = got if exact or got >= ceiling else -math.inf
            most = got if exact or got <= floor else math.inf
            self.table[name] = (best, least, most)
        return best

    def _under(self, taken: Taken, away: bool, low: float, high: float) -> Found:
        mark = len(self.trail)
        self._go(taken, away)
        found = self._value(low, high)
        del self.trail[mark:]
        return found

    def _options(self, step: str, waiting: Waiting) -> Iterator[tuple[Taken, bool]]:
        """What may be done at `step`, each with whether the game has left it by then: the next few are read before it does, so
        that it need not come back to read them, and what is pruned away besides is not even read."""
        game, choose = self.game, self.moves[waiting.ask.seat]
        at = (game, step, self.narrowed)
        offers, listed = offered_at(*at) if choose is None else (choose(game.request(step)), False)
        left = list(offers)[::-1]
        away, why = False, "it offers none"
        while left:
            if away:
                self._again()
            ahead: list[Taken] = []
            while left and len(ahead) < AHEAD:
                try:
                    ahead.append(game.vet(step, left.pop(), listed=listed))
                except Illegal as error:
                    why = str(error)
            for taken in ahead:
                yield taken, away
                away = True
        if not away:
            kinds = " or ".join(kind.__name__ for kind in waiting.ask.kinds)
            what = f"step {step}: moves[{waiting.ask.seat!r}] holds no legal {kinds} ({why})"
            raise UsageError(f"{what}; a play that stops there has no value")

    def _expected(self) -> Found:
        """The mean over the sides of the first coin that has just fallen; every other one is fallen anew under it."""
        (step, weights), *later = self.fresh

        def sides() -> Iterator[Found]:
            for side, weight in enumerate(weights):
                if weight > 0:
                    self.coins[step] = side
                    self._again()
                    yield self._value(-self.stakes, self.stakes)
            del self.coins[step]

        falls = [(side, weight) for side, weight in enumerate(weights) if weight > 0]
        return self._mean(falls, sides())

    def _drawn(self, step: str) -> Found:
        """The mean over the moves that a policy may draw at `step`."""
        game = self.game
        account, request, seat = game.account(step), self._request(step), game.open[step].ask.seat
        meter = game.meter(step)
        try:
            if account is not None:
                account.check("calls", 1)
            pairs = self._called(self.policies[seat], step, request)
        except BudgetExceeded as error:
            game.exhaust(step, error, meter.reads)
            return self._value(-self.stakes, self.stakes)
        reads, draws = meter.reads, list[tuple[Taken, float]]()
        for reply, share in pairs:
            try:
                draws.append((game.vet(step, reply, reads, len(pairs) > 1), share))
            except Illegal as error:
                raise UsageError(f"step {step}: the policy of seat {seat!r} holds an illegal move: {error}") from None

        def moves() -> Iterator[Found]:
            for index, (taken, _) in enumerate(draws):
                yield self._under(taken, index > 0, -self.stakes, self.stakes)

        return self._mean(draws, moves())

    def _mean(self, choices: Sequence[tuple[Any, float]], found: Iterator[Found]) -> Found:
        """The expectation over what chance may choose, each choice with its weight; the line follows the likeliest."""
        total, likely = math.fsum(weight for _, weight in choices), max(choices, key=lambda choice: choice[1])[0]
        sums: dict[str, float] = {}
        line: Line = None
        plans: list[Plan] = []
        for (choice, weight), below in zip(choices, found, strict=True):
            for seat, amount in below.value.items():
                sums[seat] = sums.get(seat, 0.0) + amount * (weight / total)
            if self.planned:
                plans.append(below.plan)
            if choice is likely:
                line = (choice, below.line)
        return Found(sums, line, joined(plans) if self.planned else None)

    def _paid(self) -> Payoffs:
        """What an end pays. Raises when it pays a free seat nothing, or is a failure."""
        self.leaves += 1
        outcome, seats = self.game.outcome, self.moves
        payoffs: Payoffs
        if isinstance(outcome, Decided):
            payoffs = outcome.payoffs if self.pays is None else self.pays(outcome)
        elif isinstance(outcome, Forfeited) and self.stakes < math.inf and self.zero_sum:
            payoffs = self._forfeited(outcome)
        else:
            what = "what is not decided has no value. Seat agents that do not fail, with bounds that suffice"
            raise AgentError(f"{self.name}: a play ended in {outcome!r}; {what}")
        for seat in seats:
            if seat not in payoffs:
                raise UsageError(f"{self.name} pays seat {seat!r} nothing to play for; seat an agent there")
        if self.pair and (len(payoffs) != 2 or abs(math.fsum(payoffs.values())) > 1e-9):
            raise NotZeroSum
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
        """The open step to go on with: one of a fixed seat, if there is any; a policy draws when nobody else is to move, as
        who moves at the same time does not know the draw."""
        waiting = self.game.open
        if len(waiting) > 1:
            return min(waiting.items(), key=lambda item: self._rank(item[1].ask.seat))
        return next(iter(waiting.items()))

    def _rank(self, seat: str) -> int:
        return 2 if seat in self.policies else 0 if seat in self.acts else 1

    def _go(self, taken: Taken, away: bool = False) -> None:
        """Take a move. away: the game is elsewhere, and is led to where this was vetted, and on."""
        self.trail.append(taken)
        if away:
            self._again()
        else:
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
            account, request, seat = game.account(step), self._request(step), game.open[step].ask.seat
            meter = game.meter(step)
            try:
                if account is not None:
                    account.check("calls", 1)
                reply = self._called(self.acts[seat], step, request)
            except BudgetExceeded as error:
                return game.exhaust(step, error, meter.reads)
            if type(reply) not in request.kinds and inspect.isawaitable(reply):
                if inspect.iscoroutine(reply):
                    reply.close()
                raise UsageError(f"seat {seat!r} answers with an awaitable; solve seats who answers at once")
            reads = meter.reads
            try:
                taken = game.vet(step, reply, reads)
            except Illegal:
                rejected.append((reply, reads))
                game.answer(step, reply, reads=reads)
                continue
            self._go(taken)  # what was rejected has been given already, this time
            taken.rejected = rejected
            return

    def _request(self, step: str) -> Request:
        """The request that a fixed seat is shown: without a seed, unless its draws are to be those of one that is known."""
        request = self.game.request(step)
        if self.seeded or request.later is None:
            return request
        later, seat = request.later, request.seat  # not the request itself, which would hold itself

        def found(name: str) -> Any:
            if name != "seed":
                return later(name)
            self.drew = True
            raise self._draws(step, seat)

        request.later = found
        return request

    def _called(self, call: Callable[[Request], Any], step: str, request: Request) -> Any:
        """What a fixed seat answers. Raises BudgetExceeded, UsageError where it draws, and AgentError where it fails."""
        try:
            reply = call(request)
        except BaseException as error:
            if isinstance(error, BudgetExceeded) or interrupts(error):
                raise
            if self.drew:
                raise self._draws(step, request.seat) from None
            raise AgentError(f"step {step}: {cause(error, request.seat)}") from error
        if self.drew:
            raise self._draws(step, request.seat)
        return reply

    def _draws(self, step: str, seat: str) -> UsageError:
        what = f"step {step}: the agent in seat {seat!r} looks at request.seed, so it draws its moves"
        why = "and a search that plays one draw of it answers that draw before it falls"
        cure = "give a moot.Policy, which says how probable each move is, or seed= for the draws of that seed, known to all"
        return UsageError(f"{what}, {why}: {cure}")

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
