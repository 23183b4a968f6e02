"""Whether a free seat sees all that a search would let it answer: sequential search is right only where it does.
Rule: it refuses what cannot be solved one move after another; it searches nothing and changes no game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moot.complexity.search.retrace import Taken
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.steps import Branch, Waiting


def check_sight(
    step: str, waiting: Waiting, free: Mapping[str, Any], trail: Sequence[Taken], flipped: Sequence[tuple[str, Branch]]
) -> None:
    """Raise UsageError when the seat asked at `step` cannot see another free seat's earlier move, or a coin.

    Its own moves it knows, shown or not: branches of one free seat are one joint choice. The moves of fixed seats follow
    from what it knows, unless they are drawn. Coins are public, but for those of branches that run at the same time.
    """
    seat, view = waiting.ask.seat, waiting.ask.view
    blind = f"at step {step} seat {seat!r} does not see"
    if len(view) < len(trail) and any(said.seat != seat and (said.drawn or said.seat in free) for said in trail):
        seen = {entry.step for entry in view}
        for said in trail:
            if said.seat != seat and (said.drawn or said.seat in free) and said.step not in seen:
                what = f"what {said.seat!r} said at step {said.step}, and a search would answer it all the same"
                cure = "leave one of the two free, and give the other an agent in seats"
                raise UsageError(f"{blind} {what}: {'a policy must be seen' if said.drawn else cure}")
    for coin, branch in flipped:
        if _beside(branch, waiting.branch):
            what = f"the coin of step {coin}, which falls in a branch beside its own"
            raise UsageError(f"{blind} {what}: give the seat an agent in seats")


def _beside(branch: Branch, asked: Branch) -> bool:
    """Whether `branch` runs (or ran) at the same time as `asked`, and the two have not met again."""
    above, place = {asked}, asked.parent
    while place is not None:
        above.add(place)
        place = place.parent
    below = branch
    while below not in above:
        if below.parent is None:
            return False
        branch, below = below, below.parent
    return branch is not below and branch in below.children
