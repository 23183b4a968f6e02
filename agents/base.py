"""Who can take a seat: anything that turns a request into a move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from moot.protocols.errors import UsageError
from moot.protocols.moves import Move
from moot.protocols.view import Request

Reply = Move | dict[str, Any]


@runtime_checkable
class Agent(Protocol):
    """An agent by structure: `act` returns a move (or its JSON form), or an awaitable of one.

    Optional: `describe() -> dict` (JSON values; recorded with the transcript, never a secret), `bound` (a
    `moot.complexity.Bound`), and async `start()` / `close()`, called once around a play.
    """

    def act(self, request: Request) -> Reply | Awaitable[Reply]: ...


def act_of(agent: object) -> Callable[[Request], Reply | Awaitable[Reply]]:
    """The callable behind an agent: its `act`, or the function itself. Raises UsageError when it is neither."""
    act = getattr(agent, "act", None)
    if callable(act):
        return act  # type: ignore[no-any-return]
    if callable(agent) and not isinstance(agent, type):
        return agent
    raise UsageError(f"{agent!r} cannot take a seat: it is no function of a request and has no act(request) method")


def describe(agent: object) -> dict[str, Any]:
    """What is recorded of an agent: its own `describe()`, or its name."""
    own = getattr(agent, "describe", None)
    if callable(own) and not isinstance(agent, type):
        return dict(own())
    name = getattr(agent, "__qualname__", None) or type(agent).__qualname__
    module = getattr(agent, "__module__", None) or type(agent).__module__
    return {"agent": "program", "name": f"{module}:{name}"}
