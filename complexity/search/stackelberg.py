"""The Stackelberg value of a small game: one seat commits to a strategy, and the other answers it as well as it can.
Rule: it lists the leader's pure strategies; the best reply to each is found by `solve.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from moot.complexity.search.options import Options, offered
from moot.complexity.search.solve import Solution, solve
from moot.complexity.search.strategy import Strategy, position
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request

MOST = 10_000
"""The most strategies of a leader that are tried."""


@dataclass(frozen=True)
class Commitment:
    """The best that a leader can commit to. value: what each seat is paid then. strategy: the leader's, an agent. reply:
    the follower's best reply to it, with its strategy. tried: how many of the leader's strategies were answered. narrowed: of both, as
    in a `Solution`."""

    value: Mapping[str, float]
    strategy: Strategy
    reply: Solution
    tried: int
    narrowed: tuple[str, ...] = ()


def stackelberg(
    protocol: Protocol, question: Question | Sample, leader: str, *, moves: Mapping[str, Options],
    seats: Mapping[str, Any] | None = None, key: Callable[[Request], Hashable] | None = None, most: int = MOST,
) -> Commitment:  # fmt: skip
    """The pure strategy of `leader` that pays it most when its one follower, who knows it, replies as well as it can (von
    Stackelberg 1934).

    moves: the options of the leader and of the follower, as in `solve`, and so are seats and key. A commitment is a move
    for each position in which the leader can be asked, by what it is shown there; all are tried, and of equals the first
    is taken, by the follower too: where payoffs do not sum to zero its ties may matter. To commit to a mixture is not
    tried; it can pay a leader more. Raises UsageError as `solve` does, and on more than `most` strategies.
    """
    followers = [seat for seat in moves if seat != leader]
    if leader not in moves or len(followers) != 1:
        raise UsageError(
            f"stackelberg: moves are for a leader and one follower, not for {', '.join(moves) or 'nobody'}"
        )
    follower, choose = followers[0], moves[leader]
    best: Commitment | None = None
    todo: list[dict[Hashable, int]] = [{}]
    tried, narrowed = 0, dict[str, None]()
    while todo:
        chosen, given, illegal = todo.pop(), dict[Hashable, Any](), False
        begun = len(chosen)

        def commits(request: Request, chosen: Any = chosen, given: Any = given, begun: int = begun) -> Any:
            nonlocal illegal
            if request.attempt:
                illegal = True
                raise AgentError("this option is no legal move")
            at = position(request, key)
            if at not in given:
                if choose is None:
                    (*options,), left = offered(request)
                    narrowed.update(dict.fromkeys(left))
                else:
                    options = list(choose(request))
                if not options:
                    raise UsageError(f"step {request.step}: moves[{leader!r}] offers none")
                if at not in chosen:
                    prefix = dict(chosen)
                    todo.extend({**prefix, at: index} for index in range(len(options) - 1, 0, -1))
                    chosen[at] = 0
                given[at] = options[chosen[at]]
            return given[at]

        tried += 1
        if tried > most:
            raise UsageError(
                f"{protocol.name}: the leader has more than {most} strategies; raise most, or give fewer options"
            )
        others = {**(seats or {}), leader: commits}
        try:
            reply = solve(protocol, question, moves={follower: moves[follower]}, seats=others, key=key, strategy=True)
        except AgentError:
            if illegal:
                continue
            raise
        narrowed.update(dict.fromkeys(reply.narrowed))
        if leader not in reply.value:
            raise UsageError(f"{protocol.name} pays seat {leader!r} nothing to play for")
        if best is None or reply.value[leader] > best.value[leader]:
            best = Commitment(reply.value, Strategy(leader, given, key), reply, 0)
    if best is None:
        raise UsageError(f"{protocol.name}: moves[{leader!r}] holds no strategy of legal moves")
    return Commitment(best.value, best.strategy, best.reply, tried, tuple(narrowed))
