"""Several moves of a model from one call, by `n` of the request.
Rule: what one call brings is read here, each answer by itself; what is drawn besides is the wrapper's own."""

from __future__ import annotations

from functools import partial
from typing import Any

from moot.agents.models.attempts import Call, Refused, move_of
from moot.agents.models.capabilities import Rung, asked_for
from moot.agents.models.client import Messages
from moot.agents.models.lm import LM
from moot.agents.models.profiles.profile import Change
from moot.agents.models.wire import Completion
from moot.agents.prompts import Templates
from moot.agents.prompts.forms import Form
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.tools.turn import Turn
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

N = "n"  # how many answers one call asks for
REFUSES = frozenset({400, 405, 415, 422, 501})


async def several(agent: object, request: Request, n: int) -> list[Move | Exception]:
    """Up to n moves of a model from one call, each a move, or why it is none. Fewer come from an endpoint that gives fewer;
    none where there is to be no such call: the agent is no model, its API has no `n`, its endpoint refuses or ignores `n`, as was learnt, or
    the seat is bounded, so that each call must fit, or the model may look or call tools, each for itself. Raises what `LM.act` raises, but for answers that cannot be read.

    Some endpoints refuse it with a 400 (theopenco/llmgateway#2433, raullenchai/Rapid-MLX#747), others ignore it and give
    one answer (huggingface/text-generation-inference#2914, sgl-project/sglang-jax#296)."""
    if not isinstance(agent, LM) or agent.embedded or N in agent.takes.learnt or request.budget.bounded:
        return []
    if not agent.spoken()[0].several or agent.turn(request).offered:
        return []
    try:
        found = await agent.prompted(request, partial(_drawn, agent, n))
    except Refused as refused:
        if refused.status not in REFUSES:
            raise
        try:
            first: Move | Exception = await agent.act(request)  # if this is not refused, it was for n
        except UnreadableAnswer as error:
            first = error
        agent.takes.learn([Change(N, because=str(refused))])
        return [first]
    if len(found) < n:
        agent.takes.learn([Change(N, because=f"{len(found)} of {n} answers came")])
    return found


async def _drawn(
    agent: LM,
    n: int,
    request: Request,
    call: Call,
    form: Form,
    messages: Messages,
    rung: Rung,
    templates: Templates,
    turn: Turn,
) -> list[Move | Exception]:
    def read(completion: Completion, extra: dict[str, Any]) -> list[Move | Exception]:
        found: list[Move | Exception] = []
        thoughts: list[str] = []
        for each in (completion, *completion.others)[:n]:
            noted: dict[str, Any] = {}
            try:
                found.append(move_of(each, request, form, rung == "tags", noted))
            except UnreadableAnswer as error:
                found.append(error)
            thoughts.append(noted.pop("thoughts", ""))
        extra.update(thoughts=thoughts, n=n, unreadable=sum(isinstance(each, Exception) for each in found))
        return found

    return await agent.complete(request, call, messages, read, response_format=asked_for(form, rung), n=n)
