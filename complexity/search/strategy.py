"""Strategies that a search has found: what a seat does wherever it may be asked, as an agent that can take the seat.
Rule: how choices are kept and looked up; who makes them is `tree.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

Choice = tuple[Hashable, Move]
"""Where a seat is to move, as `position` names it, and its move there."""
Rope = tuple[Choice | None, tuple[Any, ...]]
"""A choice, and the ropes that go on under it. They are shared, and tied together at no cost."""
Plan = Mapping[str, Rope] | None


class Strategy:
    """A pure strategy of one seat: an agent that makes its move wherever others can bring the play while it is followed.

    seat: whose it is. moves: a move for each position, by the request's step and digest (what its seat is shown), or by
    the `key` that `solve` was given.
    """

    def __init__(
        self, seat: str, moves: Mapping[Hashable, Move], key: Callable[[Request], Hashable] | None = None
    ) -> None:
        self.seat, self.moves, self.key = seat, moves, key

    def act(self, request: Request) -> Move:
        """Its move. Raises UsageError at a position that the search has not come to."""
        move = self.moves.get(position(request, self.key))
        if move is None:
            what = f"step {request.step}: the strategy of seat {self.seat!r} has no move for what it is shown"
            raise UsageError(
                f"{what}; another question is played, or somebody moved outside of the options of the search"
            )
        return move

    def __len__(self) -> int:
        return len(self.moves)


def position(request: Request, key: Callable[[Request], Hashable] | None) -> Hashable:
    """What tells a position of a seat from its others: all that it is shown, and where."""
    return (request.step, request.digest) if key is None else key(request)


def joined(plans: Iterable[Plan], seat: str = "", choice: Choice | None = None, own: Plan = None) -> Plan:
    """The plans of what others, or chance, may choose, as one; with a choice of `seat` and its own plan under it alone."""
    below: dict[str, list[Rope]] = {}
    for plan in plans:
        for other, rope in (plan or {}).items():
            if other != seat:
                below.setdefault(other, []).append(rope)
    made: dict[str, Rope] = {
        other: ropes[0] if len(ropes) == 1 else (None, tuple(ropes)) for other, ropes in below.items()
    }
    if choice is not None:
        under = (own or {}).get(seat)
        made[seat] = (choice, () if under is None else (under,))
    return made


def strategies(plan: Plan, seats: Iterable[str], key: Callable[[Request], Hashable] | None) -> dict[str, Strategy]:
    """The strategy of each seat. Raises UsageError where one would have to move differently when it is shown the same."""
    return {seat: Strategy(seat, _moves(seat, (plan or {}).get(seat), key is None), key) for seat in seats}


def _moves(seat: str, rope: Rope | None, digests: bool) -> dict[Hashable, Move]:
    moves: dict[Hashable, Move] = {}
    todo, met = [] if rope is None else [rope], set[int]()
    while todo:
        choice, below = rope = todo.pop()
        if id(rope) in met:
            continue
        met.add(id(rope))
        if choice is not None and moves.setdefault(*choice) != choice[1]:
            where = f"at step {choice[0][0]} " if digests else ""  # type: ignore[index]
            what = f"{where}seat {seat!r} would move differently in two positions that look the same to it"
            raise UsageError(f"{what}: its best move hangs on a coin, or a move, that its request does not show")
        todo += below
    return moves
