"""The laws of what a protocol declares about itself: plays may refute it.

Rule: one law for each claim of `Metadata` that no other law examines; a protocol that claims nothing keeps them all.
"""

from __future__ import annotations

from functools import partial

from moot.protocols.engine.outcomes import Decided
from moot.testing.checks.check import MOST, Case, law


@law("only the declared players sit in a play, and where a class is claimed the judge is one of them")
def players(case: Case) -> None:
    about = case.attempt(lambda: case.protocol.metadata(case.question))
    for seat, role in about.seats.items():
        if about.players and role not in about.players:
            case.broken(f"seat {seat} is a {role}; the declared players are {', '.join(about.players)}")
    if about.complexity_class is not None and about.judge not in about.seats.values():
        case.broken(f"{about.complexity_class} is claimed, and nobody is the {about.judge} whom a bound would be for")


@law("seats are asked at the same time where the declared dynamics say so, and nowhere else")
def dynamics(case: Case) -> None:
    """For protocols that declare "sequential" or "simultaneous"."""
    about = case.attempt(lambda: case.protocol.metadata(case.question))
    if about.dynamics == "mixed":
        return
    hand, asked = case.hand(), set[str]()
    rivals = {seat for seat, role in about.seats.items() if role != about.judge}
    while hand.game.outcome is None and len(hand.order) < MOST:
        now = {step: hand.game.open[step].ask.seat for step in hand.game.open}
        new = [seat for step, seat in now.items() if step not in asked]
        if about.dynamics == "sequential" and len(now) > 1:
            case.broken(
                f"steps {', '.join(now)} are asked at the same time; the protocol declares that it is sequential"
            )
        if about.dynamics == "simultaneous" and (moving := rivals.intersection(new)) and moving != rivals:
            case.broken(f"{', '.join(sorted(moving))} moves, and {', '.join(sorted(rivals - moving))} does not; the protocol "
                        "declares that they move at the same time")  # fmt: skip
        asked = set(now)
        case.attempt(partial(hand.step, next(iter(now))))


@law("no seat wins or loses more than utility_bound()")
def utility(case: Case) -> None:
    """For protocols that give one."""
    bound = case.attempt(lambda: case.protocol.utility_bound(case.question))
    if bound is None:
        return
    outcome = case.play(case.order()).game.outcome
    if isinstance(outcome, Decided):
        for seat, paid in outcome.payoffs.items():
            if not abs(paid) <= bound + 1e-9 * max(1.0, bound):
                case.broken(f"seat {seat} is paid {paid}; utility_bound() is {bound}")
