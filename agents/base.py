"""Who can take a seat: anything that turns a request into a move.

Rule of this file: an agent is known by what it has (`act`, `start`, `close`, `describe`), never by its class.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import anyio

from moot.agents.failing import cancellations, cancelled, contained, passes, take_back
from moot.protocols.engine.errors import UsageError, said
from moot.protocols.engine.moves import Move
from moot.protocols.engine.replies import as_data
from moot.protocols.engine.request import Request

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
    for each in (act, None if isinstance(agent, type) else agent):
        if callable(each):
            return cast("Callable[[Request], Reply | Awaitable[Reply]]", each)
    raise UsageError(f"{agent!r} cannot take a seat: it is no function of a request and has no act(request) method")


async def start_all(agents: Iterable[object]) -> None:
    """Call `start()` of every agent that has one; once for one that holds several seats."""
    for call in _each("start", agents):
        await reply_of(call)


async def close_all(agents: Iterable[object]) -> None:
    """Call `close()` of every agent that has one. Whatever one throws keeps no other from closing; the first is raised."""
    failure: BaseException | None = None
    for call in _each("close", agents):
        try:
            await reply_of(call)
        except BaseException as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _each(what: str, agents: Iterable[object]) -> list[Callable[[], Any]]:
    each = {id(agent): getattr(agent, what, None) for agent in agents if not isinstance(agent, type)}
    return [call for call in each.values() if callable(call)]


async def reply_of(call: Callable[..., Any], *given: object) -> Any:
    """What a function, plain or async, returns. Raises what it raises; what is no Exception and does not come from outside
    (a cancellation that nobody asked for, SystemExit) as a RuntimeError."""
    before = cancellations()
    try:
        reply = call(*given)
        return await reply if not isinstance(reply, Move) and inspect.isawaitable(reply) else reply
    except BaseException as error:
        raise contained(error, before) from error.__cause__


async def together(calls: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Make these calls at the same time. Raises the first failure, alone; the others are then cancelled."""
    failures: list[BaseException] = []

    async def one(call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await call()
            await take_back()
        except BaseException as error:
            if cancelled():
                if passes(error):
                    raise
                return  # what it made of being cancelled
            failures.append(contained(error))
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(one, call)
    if failures:
        raise failures[0]


class Wrapper:
    """An agent made of others: `held` starts and closes with it."""

    held: Sequence[Any]

    async def start(self) -> None:
        await start_all(self.held)

    async def close(self) -> None:
        await close_all(self.held)


def describe(agent: object) -> dict[str, Any]:
    """What is recorded of an agent, as JSON values: its own `describe()`, or its name, with the `problem` where its own
    description failed."""
    problem: dict[str, Any] = {}
    for own in _each("describe", [agent]):
        try:
            found = {str(key): value for key, value in as_data(dict(own())).items()}
            if found.get("agent") != "copies" or type(agent).__module__.partition(".")[0] == "moot":
                return found
            problem = {
                "problem": "it describes itself as copies, which only moot.Copies makes: a guarantee rests on that"
            }
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problem = {"problem": as_data(f"describe() failed: {type(error).__name__}: {said(error)}")}
    name = getattr(agent, "__qualname__", None) or type(agent).__qualname__
    module = getattr(agent, "__module__", None) or type(agent).__module__
    return {"agent": "program", "name": f"{module}:{name}", **problem}
