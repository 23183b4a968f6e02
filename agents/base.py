"""Who can take a seat: anything that turns a request into a move.

Rule of this file: an agent is known by what it has (`act`, `start`, `close`, `describe`), and by its class only where it says
that it is one of moot's wrappers or models on which something promised rests.
"""

from __future__ import annotations

import inspect
import sys
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


_MAKERS = {
    "best-of": "BestOf", "briefed": "Briefed", "conditioned": "Conditioned", "copies": "Copies",
    "critique-and-refine": "CritiqueAndRefine", "frozen": "Frozen", "quantilized": "Quantilized",
}  # fmt: skip
_MODELS = ("lm", "local")
"""Who is what only moot makes: guarantees, and what is certified of optimisation pressure, rest on these descriptions."""


class Wrapper:
    """An agent made of others: `held` starts and closes with it. What it was made with cannot be set again: transcripts describe it
    as it was when a play began, and what is certified rests on that."""

    held: Sequence[Any]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) and not name.startswith("_"):
            raise AttributeError(
                f"{type(self).__name__}.{name} was set when it was made; make another {type(self).__name__}"
            )
        super().__setattr__(name, value)

    async def start(self) -> None:
        await start_all(self.held)

    async def close(self) -> None:
        await close_all(self.held)


def describe(agent: object) -> dict[str, Any]:
    """What is recorded of an agent, as JSON values: its own `describe()`, or its name, with the `problem` where its own
    description failed, or says that it is a wrapper of moot's and it is none, or one whose methods were replaced. What holds
    an agent and passes its description on has to be moot's own too. A model's description has its `class` besides, where that is not
    moot's own, and the `problem` where its methods were replaced."""
    problem: dict[str, Any] = {}
    for own in _each("describe", [agent]):
        try:
            found = {str(key): value for key, value in as_data(dict(own())).items()}
            if found.get("agent") in _MODELS:
                return {**found, **_changed(agent)}
            if not (forged := _forged(agent, found.get("agent"))):
                return found
            problem = {"problem": forged}
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problem = {"problem": as_data(f"describe() failed: {type(error).__name__}: {said(error)}")}
    name = getattr(agent, "__qualname__", None) or type(agent).__qualname__
    module = getattr(agent, "__module__", None) or type(agent).__module__
    return {"agent": "program", "name": f"{module}:{name}", **problem}


def _forged(agent: object, name: Any) -> str:
    """What is wrong with an agent that describes itself as this; "" where nothing is."""
    maker = _MAKERS.get(name) if isinstance(name, str) else None
    if maker is None:
        return ""
    if _ours(type(agent)):
        if not (replaced := _replaced(agent)):
            return ""
        but = f"in this one {replaced} was replaced"
    else:
        but = "this is none"
    return (
        f"it describes itself as {name}, which only moot.{maker} makes, and {but}: what is promised of it rests on that"
    )


def _changed(agent: object) -> dict[str, str]:
    """What sets an agent that describes itself as a model apart from moot's own."""
    found = {}
    if not _ours(kind := type(agent)):
        found["class"] = f"{kind.__module__}:{kind.__qualname__}"
    if replaced := _replaced(agent):
        found["problem"] = f"{replaced} of this model was replaced: what it answers is not what its description says"
    return found


def _replaced(agent: object) -> str:
    """The methods that one agent has otherwise than its class."""
    held = getattr(agent, "__dict__", {})
    return ", ".join(sorted(each for each in held if callable(getattr(type(agent), each, None))))


def _ours(kind: type) -> bool:
    """Whether a class is moot's own: the very one that stands under its name in a module of moot's."""
    found: Any = sys.modules.get(kind.__module__) if kind.__module__.startswith("moot.") else None
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind
