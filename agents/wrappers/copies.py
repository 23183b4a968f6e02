"""Copies: an agent of which each call asks a fresh one, so that what a call answers follows from what it is shown.
Rule: one wrapper and its kind; how a fresh agent is made is in `snapshot.py`.

Copies are what amplification (HCH: Christiano 2016) and cross-examination (Barnes and Christiano 2020) rest on: the same agent,
asked many things, none of which knows of the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, ClassVar

from pydantic_core import to_json

from moot.agents.base import Wrapper, act_of, close_all, describe, reply_of, start_all
from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.policy import Shares, distribution_of
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import members
from moot.agents.wrappers.snapshot import Snapshot
from moot.protocols.engine.budget import PER_CALL, Budget
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request, postponed
from moot.protocols.engine.steps import seed_of

STEP = "copy"
"""What a copy is told of where in the play it is asked: nothing."""


class Copies(Wrapper):
    """A fresh copy of `agent` answers each call, so that what it answers depends on the content of the request alone.

    A copy knows nothing of other calls, and is not told the step, its seed, or what other calls have spent: `request.step`
    is "copy", `request.seed` follows from the content and from `seed` alone, and `request.budget` tells of limits for one
    call only (those of the whole play hold, and whoever crosses one ends the play, whatever it answers then). Attempt and
    problem of a request that was rejected are part of its content, and so are the names of the statements shown. Equal
    requests get equal draws, in every play: `seed=1` gives another such agent.

    agent: copied as it is when it is wrapped, or, where it has a `start()`, once that was called, with all it holds; a
    function with what it captured and its defaults. A model (`LM`) is its own copy, as no call of it leaves anything behind; its
    tools are shared, and must be plain functions that keep nothing. A person cannot be copied. make: instead of an agent, a class or a function without arguments that makes one for each call
    (and is itself copied before), for what cannot be copied; what is made is started and closed around its call.

    Where an agent's own class, or a global variable or default that its code names, or a value that a tool captured, has changed after a call, that call
    fails with AgentError. **Not seen**: what a program in this process keeps anywhere else, in another module's variables,
    in a cache, in files, at a server. `moot.testing.memoryless` looks for the rest by asking again in other orders.

    `Copies(BestOf(agent, …))` draws candidates; those of `BestOf(Copies(agent), …)` are all the same. Raises UsageError for
    what cannot be copied.
    """

    def __init__(self, agent: Any = None, *, make: Callable[[], Any] | None = None, seed: int = 0) -> None:
        if (agent is None) == (make is None):
            raise UsageError("copies: give either an agent, or make=, a function without arguments that makes one")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise UsageError(f"copies: seed is {seed!r}; it must be a whole number")
        if isinstance(agent, type):
            agent, make = None, agent
        if make is not None and not callable(make):
            raise UsageError(f"copies: make is {make!r}; it must be a function without arguments that makes an agent")
        self.agent = None if agent is None else seatable(agent)
        self.make, self.seed = make, seed
        self.held = () if agent is None else (self.agent,)
        self._take()
        self.bound = getattr(self._fresh() if make is not None else self.agent, "bound", None)

    def _take(self) -> None:
        try:
            if any(of_people(describe(each)) for each in self.held):
                raise UsageError("a person remembers what was asked before")
            self._snapshot = Snapshot(self.agent if self.make is None else self.make)
        except UsageError as error:
            raise UsageError(
                f"copies: {error}; give make=, a function without arguments that makes a fresh agent"
            ) from None
        self._shared = self._snapshot.shared()

    def _fresh(self) -> Any:
        made = self._snapshot.fresh()
        return made if self.make is None else seatable(made())

    async def start(self) -> None:
        """Start the agent, and take the copies from what it is then."""
        await super().start()
        if any(callable(getattr(each, "start", None)) for each in self.held):
            self._take()

    def act(self, request: Request) -> Any:
        """What a fresh copy answers. Raises what it raises, BudgetExceeded when it has crossed a limit in whatever way it went
        on, and AgentError when it has kept something where other copies find it."""
        told = _told(request, self.seed)
        fresh = self._fresh()
        if self.make is not None and any(callable(getattr(fresh, name, None)) for name in ("start", "close")):
            return self._within(fresh, told)
        reply = act_of(fresh)(told)
        if not isinstance(reply, Move) and inspect.isawaitable(reply):
            return self._awaited(lambda: reply, told)
        return self._checked(reply, told)

    async def _awaited(self, call: Callable[[], Any], told: Request) -> Any:
        return self._checked(await reply_of(call), told)

    async def _within(self, fresh: Any, told: Request) -> Any:
        try:
            await start_all([fresh])
            return await self._awaited(lambda: act_of(fresh)(told), told)
        finally:
            await close_all([fresh])

    def _checked(self, reply: Any, told: Request) -> Any:
        if told.budget.refused is not None:
            raise told.budget.refused
        if (now := self._snapshot.shared()) != self._shared:
            where = next(each for each in (*now, *self._shared) if now.get(each) != self._shared.get(each))
            raise AgentError(
                f"copies: seat {told.seat}: the agent keeps something for later calls: {where} has changed"
            )
        return reply

    @property
    def distribution(self) -> Callable[[Request], Shares]:
        """What the agent inside draws from, where it is a Policy."""
        if self.make is not None or distribution_of(self.agent) is None:
            raise AttributeError(f"{self.agent or self.make!r} states no distribution of its moves")

        def stated(request: Request) -> Shares:
            found: Shares = self._fresh().distribution(_told(request, self.seed))
            return found

        return stated

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent if self.make is None else self.make, agent="copies", seed=self.seed)

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "copies",
            "seed": self.seed,
            **members(self.agent if self.make is None else self.make),
        }


class OneCall(Budget):
    """The budget of a request, for whoever is not told what other calls have spent: it knows of limits of single calls alone.
    Those of the whole play hold all the same."""

    __slots__ = ()

    def __init__(self, whole: Budget) -> None:
        def ask(what: str, *given: Any) -> Any:
            known = whole._ask(what, *given)
            return known if what not in ("left", "limit") or given[0] in PER_CALL.values() else None

        self._ask = ask


def _told(request: Request, seed: int) -> Request:
    """The request as a copy is given it: without step and seed, and with a budget that tells of this call alone."""
    budget = OneCall(request.budget)

    def later(name: str) -> Any:
        if name == "budget":
            return budget
        if name in ("brief", "digest", "facts"):
            return getattr(request, name)
        content = (request.digest, request.role, request.attempt, request.problem)
        return seed_of(seed, blake2b(to_json(content), digest_size=16).hexdigest())

    made = postponed(
        STEP,
        request.seat,
        request.role,
        request.kinds,
        request.view,
        request.attempt,
        request.problem,
        later,
        request.note,
        request.rejected,
    )
    made.noted = request.noted
    return made


def of_people(about: Any) -> bool:
    """Whether a description is of a person, or of something that holds one."""
    return any(of_people(each) for each in _values(about)) or (
        isinstance(about, dict) and about.get("agent") == "human"
    )


def _values(about: Any) -> Iterator[Any]:
    yield from about.values() if isinstance(about, dict) else about if isinstance(about, list) else ()


class CopiesKind(AgentKind):
    """A fresh copy of another agent for each call."""

    name: ClassVar[str] = "copies"
    form: ClassVar[str | None] = "copies:AGENT"
    of: Held
    seed: int = 0

    def make(self) -> Copies:
        return Copies(self.of, seed=self.seed)

    def profile(self) -> Profile:
        found: Profile = self.of
        return found
