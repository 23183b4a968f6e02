"""Who can take a seat: anything that turns a request into a move.

Rule of this file: an agent is known by what it has (`act`, `start`, `close`, `describe`), never by its class.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, cast, runtime_checkable

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.view import Request

Reply = Move | dict[str, Any]


@runtime_checkable
class Agent(Protocol):
    """An agent by structure: `act` returns a move (or its JSON form), or an awaitable of one.

    Optional: `describe() -> dict` (JSON values; recorded with the transcript, never a secret), `identity`, a value or a
    method that returns one (what makes its answers what they are: `moot.agents.identity`), `bound` (a
    `moot.judges.bounded.Bound`), and async `start()` / `close()`, called once around a play.
    """

    def act(self, request: Request) -> Reply | Awaitable[Reply]: ...


def act_of(agent: object) -> Callable[[Request], Reply | Awaitable[Reply]]:
    """The callable behind an agent: its `act`, or the function itself. Raises UsageError when it is neither."""
    act = getattr(agent, "act", None)
    if callable(act):
        return cast("Callable[[Request], Reply | Awaitable[Reply]]", act)
    if callable(agent) and not isinstance(agent, type):
        return cast("Callable[[Request], Reply | Awaitable[Reply]]", agent)
    raise UsageError(f"{agent!r} cannot take a seat: it is no function of a request and has no act(request) method")


async def start_all(agents: Iterable[object]) -> None:
    """Call `start()` of every agent that has one; once for one that holds several seats."""
    await _each("start", agents)


async def close_all(agents: Iterable[object]) -> None:
    """Call `close()` of every agent that has one, after a play that `start_all` began. One that fails keeps no other
    from closing; the first failure is raised at the end."""
    failure: Exception | None = None
    for agent in {id(agent): agent for agent in agents}.values():
        try:
            await _each("close", [agent])
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure


async def _each(what: str, agents: Iterable[object]) -> None:
    for agent in {id(agent): agent for agent in agents}.values():
        call = getattr(agent, what, None)
        if callable(call) and not isinstance(agent, type):
            done = call()
            if inspect.isawaitable(done):
                await done


def describe(agent: object) -> dict[str, Any]:
    """What is recorded of an agent: its own `describe()`, or its name."""
    own = getattr(agent, "describe", None)
    if callable(own) and not isinstance(agent, type):
        return dict(cast("Callable[[], dict[str, Any]]", own)())
    name = getattr(agent, "__qualname__", None) or type(agent).__qualname__
    module = getattr(agent, "__module__", None) or type(agent).__module__
    return {"agent": "program", "name": f"{module}:{name}"}
