"""Asking others in the course of a move of one's own: what wrappers that draw several candidates have in common.
Rule: requests within a move, and what came of them; which calls are made, and why, is each wrapper's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

from moot.agents.base import act_of, describe, reply_of, together
from moot.agents.identity import identity
from moot.agents.money.cap import CapReached
from moot.agents.prompts.variables import limits_of, quotes_of
from moot.protocols.engine.errors import AgentError, BudgetExceeded, UsageError, said
from moot.protocols.engine.moves import Move, Speech, Verdict
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Brief, Request, postponed
from moot.protocols.engine.steps import seed_of
from moot.protocols.engine.view import View
from moot.protocols.quotes import on_record, quoted

T = TypeVar("T")


def copy_of(request: Request, call: str, index: int, *, shown: str = "", **changes: Any) -> Request:
    """A request for a call within a move: `call` and `index` go into its seed, and into the note of each attempt. The first
    candidate, sample or look has the request's own seed, so that it is what the agent alone would have said. shown: how what
    is shown differs from the request's, which goes into the digest. Nothing of it is computed before somebody asks for it."""
    given = {name: changes.pop(name) for name in ("facts", "brief") if name in changes}
    own, note = index == 0 and call in ("candidate", "sample", "look"), request.note

    def later(name: str) -> Any:
        if name in given:
            return given[name]
        found = getattr(request, name)
        if name == "seed" and not own:
            return seed_of(found, f"{call}/{index}")
        return blake2b(f"{found}/{shown}".encode(), digest_size=16).hexdigest() if name == "digest" and shown else found

    fields = {name: getattr(request, name) for name in _GIVEN} | changes
    if fields["problem"] is None:  # asked anew: what another attempt gave is nothing to whoever is asked
        fields["rejected"] = None
    made = postponed(**fields, later=later, note=lambda event: note({**event, call: index}))
    if request.noted:
        made.noted = [event for event in request.noted if event.get(call) == index]
    return made


def with_brief(request: Request, brief: Brief) -> Request:
    """The same request with another brief: one of the protocol's, with what its seat is told besides."""
    fields: dict[str, Any] = {name: getattr(request, name) for name in _GIVEN}
    made = postponed(**fields, later=lambda name: getattr(request, name), note=request.note)
    made.brief, made.noted = brief, request.noted
    return made


def reseeded(request: Request, apart: str) -> Request:
    """The same request with a seed of its own, from which that of the request cannot be told."""
    made = with_brief(request, request.brief)
    made.seed = seed_of(request.seed, apart)
    return made


_GIVEN = ("step", "seat", "role", "kinds", "view", "attempt", "problem", "rejected")


async def answer_of(agent: Any, request: Request) -> Move:
    """A move of a kind that the request asks for. Raises Illegal when something else comes, and what the agent raises."""
    return typed(await reply_of(act_of(agent), request), request.kinds)


async def candidate_of(agent: Any, request: Request, index: int) -> Move:
    """A candidate for the move that a request asks for, as the agent gives it; one that would not stand on the record is none.
    Raises Illegal for such a one, and what the agent raises."""
    move = await answer_of(agent, copy_of(request, "candidate", index))
    standing(move, request)
    return move


async def believed(judge: Any, request: Request, call: str, index: int, view: View) -> tuple[float, ...]:
    """The probabilities that a judge who is shown this view gives to the choices of its question. Raises AgentError when
    they are of another number, and what the judge raises."""
    verdict = await answer_of(judge, copy_of(
        request, call, index, role="judge", kinds=(Verdict,), view=view, brief={"task": "judging/verdict"}, attempt=0, problem=None
    ))  # fmt: skip
    assert isinstance(verdict, Verdict)
    found, count = verdict.probabilities, len(view.question.choices)
    if len(found) != count:
        raise AgentError(
            f"step {request.step}: seat {request.seat}: {len(found)} probabilities came for {count} choices"
        )
    return found


async def gathered(calls: Sequence[Callable[[], Awaitable[T]]], request: Request) -> list[T | Exception]:
    """What each call returned, or why it failed, in their order; a call that failed stands for nothing else.

    They run together, but one after another for a seat that is bounded, as each must see what the others have spent.
    Raises BudgetExceeded, UsageError and CapReached at once: these are no failures of one call.
    """
    found: list[T | Exception] = [AgentError("it was not made")] * len(calls)

    async def one(index: int) -> None:
        try:
            found[index] = await calls[index]()
        except (BudgetExceeded, UsageError, CapReached):
            raise
        except Exception as error:
            found[index] = error

    if request.budget.bounded or len(calls) == 1:
        for index in range(len(calls)):
            await one(index)
    else:
        await together([partial(one, index) for index in range(len(calls))])
    return found


def standing(move: Move, request: Request) -> Move:
    """A move as it would stand on the record, as far as the request tells: within the limits of its brief, at the last attempt,
    and quotes verified where the seat sees the passage. Raises Illegal."""
    limits, need = limits_of(request.brief), quotes_of(request.brief)
    passage = request.view.question.passage if request.view.source == "all" else None
    if not isinstance(move, Speech):
        return move if passage is None else quoted(move, passage)
    if passage is None and limits == (None, None):
        return move
    recorded = on_record(move, passage, *limits, need if passage is not None else "free", last=True)
    return recorded if passage is not None else recorded.model_copy(update={"quotes": ()})


def why(failure: Exception) -> str:
    """A failed call in a line."""
    return said(failure) if isinstance(failure, AgentError) else f"{type(failure).__name__}: {said(failure)}"


def members(*agents: Any) -> dict[str, Any]:
    """What a wrapper's description says of those whose moves it makes its own: each one's description, and the hash of its
    identity, None where it has none. A program is known by its name in the first, and by what it is in the second."""
    found = [identity(each) for each in agents]
    return {
        "members": [describe(each) for each in agents],
        "fingerprints": [None if each is None else each.fingerprint for each in found],
    }


def named(function: Any) -> str:
    """What a function that chooses is called on the record."""
    about = describe(function)
    return str(about.get("name") or about.get("agent"))


def best(scores: Sequence[float | None]) -> int:
    """The place of the highest score, the first among equals. Raises ValueError when there is none."""
    return max((index for index, score in enumerate(scores) if score is not None), key=lambda i: (scores[i], -i))
