"""Frozen: an agent as it was at one moment, which goes on record by the hash of its state and must not move any more.
Rule: one wrapper and its kind; how a copy is made, and what copies share all the same, is in `snapshot.py`.

An overseer that asks an earlier version of the model it trains rests on that version staying what it was (Christiano, Shlegeris and
Amodei 2018, whose teacher copy it is; Hubinger 2020, Relaxed adversarial training for inner alignment, for the prior of an overseer).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.identity import composed, identity
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.models.secrets import CopiedWhole
from moot.agents.spec import seatable
from moot.agents.wrappers.copies import of_people
from moot.agents.wrappers.snapshot import Snapshot
from moot.protocols.engine.errors import AgentError, UsageError, said
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request


class Frozen(Wrapper):
    """A copy of `agent` as it is now. The agent may go on training; the copy is asked as it was, and `state`, which transcripts record,
    is the hash of what makes its answers what they are: its identity (source and state; a model's name, sampling and prompts), and what
    its own classes and functions keep in attributes, defaults and globals, functions there by their source.

        earlier = moot.Frozen(as_agent(learner, task))
        play = moot.run(moot.Approval(), question, {"model": newer, "overseer": overseer, "earlier": earlier})
        play.started["meta"]["seats"]["earlier"]["state"] == earlier.state

    state: the hash that the agent must have, from an earlier record: a UsageError when it has another, as a learner has that moved
    after freezing. After each call the copy is compared with what was frozen. Where it has changed (a learner that trains
    itself when it is asked; one whose table is an attribute of its class or a global, so that the original trains the copy as
    well; a model of moot's, which is not copied, on which a setting is set), that call fails with AgentError, which names what changed. What merely counts its calls has changed, too:
    `Frozen(Copies(agent))` asks a fresh one each time. A `start()` has to leave the state as it is.

    **Not seen**: what an object states itself (`identity`, how it is pickled) in place of its state; globals and class attributes that
    cannot be seen whole (a lock is in them); what is kept in other modules' variables, in caches, in files; and the weights behind a
    model's name, which are its endpoint's affair. Raises UsageError for a person, for what cannot be copied, and for what cannot be
    seen whole, which has no hash.
    """

    def __init__(self, agent: Any, state: str | None = None) -> None:
        if state is not None and not isinstance(state, str):
            raise UsageError(f"frozen: state is {state!r}; it must be the hash that a record has of a frozen agent")
        agent = seatable(agent)
        if of_people(describe(agent)):
            raise UsageError("frozen: a person cannot be frozen, and remembers what was asked before")
        try:
            self.agent = Snapshot(agent).fresh()
            self._taken = Snapshot(self.agent)
        except UsageError as error:
            raise UsageError(f"frozen: {error}") from None
        except Exception as error:
            raise UsageError(
                f"frozen: {type(agent).__qualname__} cannot be copied: {type(error).__name__}: {said(error)}"
            ) from None
        if self.agent is agent and not isinstance(agent, CopiedWhole | FunctionType | type):
            raise UsageError(
                f"frozen: a copy of {agent!r} is that object itself, which goes on changing; give another agent"
            )
        self._shared = self._taken.shared()  # of the copy: what the original captured may go on changing
        found = identity(self.agent)
        if found is None:
            raise UsageError(
                f"frozen: neither the source nor the state of {type(agent).__qualname__} can be seen whole, so there is no hash "
                "to know it by; give it an attribute identity that says which version it is"
            )
        self._identity = found
        whole = identity([found, self._shared])
        assert whole is not None, "values of which each has an identity"
        self.state = whole.fingerprint
        if state is not None and state != self.state:
            raise UsageError(
                f"frozen: the state is {self.state}, and not {state}: the agent is another one, or a learner that moved after freezing"
            )
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    def act(self, request: Request) -> Any:
        """What the frozen agent answers. Raises what it raises, and AgentError when it has changed."""
        reply = act_of(self.agent)(request)
        if not isinstance(reply, Move) and inspect.isawaitable(reply):
            return self._awaited(lambda: reply, request)
        return self._unmoved(reply, request)

    async def _awaited(self, call: Callable[[], Any], request: Request) -> Any:
        return self._unmoved(await reply_of(call), request)

    def _unmoved(self, reply: Any, request: Request) -> Any:
        """The reply, of a copy that is still what was frozen: what it has come to be before or in the call is found after it."""
        now = self._taken.shared()
        if now != self._shared:
            where = next(each for each in (*now, *self._shared) if now.get(each) != self._shared.get(each))
        elif self._taken.still(self.agent) or identity(self.agent) == self._identity:  # the first is quick, and enough
            return reply
        else:
            where = _changed(self.agent, self._taken.fresh())
        raise AgentError(
            f"frozen: seat {request.seat}: {where} has changed since it was frozen; freeze what does not learn or count, "
            "or Copies of it, of which each call asks a fresh one"
        )

    def identity(self) -> dict[str, Any] | None:
        return composed(self._identity, agent="frozen", state=self.state)

    def describe(self) -> dict[str, Any]:
        return {
            "agent": "frozen",
            "state": self.state,
            "members": [describe(self.agent)],
            "fingerprints": [self._identity.fingerprint],
        }


def _changed(now: Any, before: Any) -> str:
    """The attribute, as deep as attributes go, in which two states of an object differ."""
    path, more = type(now).__qualname__, True
    while more:
        more = False
        held, had = (getattr(each, "__dict__", {}) for each in (now, before))
        for name in dict.fromkeys((*held, *had)):
            if name not in held or name not in had or identity(held[name]) != identity(had[name]):
                path, more = f"{path}.{name}", name in held and name in had
                now, before = held.get(name), had.get(name)
                break
    return path


class FrozenKind(AgentKind):
    """Another agent as it is when the play begins. state: the hash that it must have, from an earlier record."""

    name: ClassVar[str] = "frozen"
    form: ClassVar[str | None] = "frozen:AGENT"
    of: Held
    state: str | None = None

    def make(self) -> Frozen:
        return Frozen(self.of, self.state)

    def profile(self) -> Profile:
        found: Profile = self.of
        return found
