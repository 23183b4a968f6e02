"""Who sits where: seats and roles resolved to agents, and the budgets that those agents carry.

Rule of this file: every command and function that takes seats comes here, and nothing here calls an agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from moot.agents.spec import seatable
from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.question import Question

Seats = Mapping[str, Any]
T = TypeVar("T")


def seats_for(roles: Mapping[str, str], given: Mapping[str, T], name: str, *, some: bool = False) -> dict[str, T]:
    """Who sits at each seat, in the protocol's order. A role stands for all its seats that are not named themselves.

    roles: seat to role. given: seat or role to whoever sits there. name: the protocol, for messages. some: whether seats
    may stay empty. Raises UsageError when a name is no seat or role, offering the nearest, or a seat stays empty.
    """
    wanted = ", ".join(f"{seat} ({role})" for seat, role in roles.items())
    if not isinstance(given, Mapping):
        raise UsageError(f"{name}: seats is {given!r}; it must be a mapping, seat or role to agent; seats: {wanted}")
    known = list(dict.fromkeys((*roles, *roles.values())))
    for key in given:
        if key not in known:
            raise UsageError(f"{name} has no seat or role {key!r}{near(key, known)}; its seats: {wanted}")
    for seat, role in roles.items():
        if not some and seat not in given and role not in given:
            raise UsageError(
                f"{name}: nobody sits at {seat!r}; its seats: {wanted}; seat somebody at {seat!r}"
                + (f", or at {role!r} for every {role}" if role != seat else "")
            )
    return {seat: given[at] for seat, role in roles.items() if (at := seat if seat in given else role) in given}


def seated(roles: Mapping[str, str], given: Seats, name: str, *, some: bool = False) -> dict[str, Any]:
    """As `seats_for`, with the agents that texts name. Raises UsageError on whoever cannot take a seat."""
    if isinstance(given, Mapping):
        given = {key: seatable(agent) for key, agent in given.items()}
    return seats_for(roles, given, name, some=some)


def bounds_of(seats: Seats, question: Question) -> dict[str, dict[str, int | float]]:
    """What the bounded seats may spend on this question: their polynomials at its size. UsageError on unknown measures."""
    bounds = {}
    for seat, agent in seats.items():
        if bound := getattr(agent, "bound", None):
            limits = bound.limits(question.size) if hasattr(bound, "limits") else dict(bound)
            if unknown := set(limits) - set(MEASURES):
                raise UsageError(f"seat {seat}: no measure is called {min(unknown)!r}; there are {', '.join(MEASURES)}")
            bounds[seat] = limits
    return bounds
