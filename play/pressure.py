"""How far a play was pushed from an agent that is known to be safe, and what that certifies.

Rule of this file: it makes an anchor of an agent, and asks a model that is one for its scores; what is counted is in
`complexity/pressure`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from moot.agents.base import close_all, describe, start_all
from moot.agents.identity import identity
from moot.agents.models.lm import LM
from moot.agents.policy import distribution_of
from moot.agents.spec import seatable
from moot.agents.wrappers.briefed import Briefed
from moot.agents.wrappers.nested import with_brief
from moot.complexity.pressure import ledger
from moot.complexity.pressure.bounds import clopper_pearson
from moot.complexity.pressure.certificate import Per
from moot.complexity.pressure.configured import Anchor
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.ledger import Pressure, scorable
from moot.play.run import in_loop
from moot.play.seats import seats_for
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request
from moot.transcripts.replay import requests_of
from moot.transcripts.transcript import Transcript

DELTA = 0.05
"""How probably a bound on an event that was counted may fail."""


def anchor_of(agent: Any) -> Anchor:
    """An agent, or the one that a text names, as an anchor: with the policy that it states, where it does (`moot.Policy`). Raises
    UsageError when it is no agent."""
    agent = seatable(agent)
    about, known = describe(agent), identity(agent)
    name = str(about.get("model") or about.get("name") or about.get("agent"))
    return Anchor(distribution_of(agent), about, None if known is None else known.fingerprint, name)


def pressure(
    transcript: Transcript, anchor: Any, *, seats: Iterable[str] | None = None, policies: Mapping[str, Any] | None = None,
    event: float | Bound | None = None, per: Per = "reply", score: bool = False,
) -> Pressure:  # fmt: skip
    """How far the seats of a play were pushed from an anchor, step by step, and what that certifies of a bad event.

        found = moot.pressure(moot.load("d.jsonl"), "local", event=1e-6)
        print(found.certificate.upper, found.certificate.route, found.certificate.refused)

    anchor: the agent that is known to be safe, or its specification: a seat that holds it, or `BestOf`, `Quantilized` and `Conditioned`
    around it, is accounted for by how often it draws. seats: those (or roles) that are accounted for; the innermost agent of each is then
    said to be the anchor, where the record does not say otherwise. policies: seat or role to a `moot.Policy`, for rows that are exact at the
    histories which were visited; the anchor is one then, too. event: the probability of the bad event under the anchor, or a bound on it
    (`clopper_pearson(0, 20_000, 0.05)`), per "reply", whatever it is asked, or per "play". score: ask the anchor, a model, how probable it finds the tokens that other models
    sampled (`LM(record="tokens")`): a call for each answer. Raises UsageError on what does not fit together.
    """
    return in_loop(
        lambda: apressure(transcript, anchor, seats=seats, policies=policies, event=event, per=per, score=score)
    )


async def apressure(
    transcript: Transcript, anchor: Any, *, seats: Iterable[str] | None = None, policies: Mapping[str, Any] | None = None,
    event: float | Bound | None = None, per: Per = "reply", score: bool = False,
) -> Pressure:  # fmt: skip
    """`pressure`, within an event loop."""
    agent, roles, name = seatable(anchor), transcript.started["roles"], transcript.name
    known, given = anchor_of(agent), seats_for(roles, policies or {}, name, some=True)
    given = {seat: _stated(seat, each) for seat, each in given.items()}
    if seats is not None:
        named = [seats] if isinstance(seats, str) else [*seats]
        if wrong := [each for each in named if not isinstance(each, str)]:
            raise UsageError(f"{name}: seats holds {wrong[0]!r}; give names of seats or roles")
        seats = [*seats_for(roles, dict.fromkeys(named, True), name, some=True)]
    if score:
        scores = await _scored(transcript, agent)
        known = replace(known, scores=lambda request: scores.get((request.step, request.attempt)))
    requests = partial(requests_of, transcript)
    return ledger.pressure(transcript, known, seats=seats, policies=given, event=event, per=per, requests=requests)


def declared(text: str) -> float | Bound:
    """The probability of an event, as it is written: a number, or K/N where it was seen K times in N draws from the anchor, or plays with
    it: then what it is at most, with a confidence of 95 % (Clopper and Pearson 1934). Raises UsageError on anything else."""
    seen, slash, draws = text.partition("/")
    try:
        return clopper_pearson(int(seen), int(draws), DELTA) if slash else float(text)
    except ValueError:
        raise UsageError(f"the event is {text!r}; give its probability, or K/N for K times in N") from None


def _stated(seat: str, agent: Any) -> Callable[[Request], Any]:
    found = distribution_of(agent)
    if found is None:
        raise UsageError(f"the policy of seat {seat} is {agent!r}, which states none; give a moot.Policy")
    return found


async def _scored(transcript: Transcript, agent: Any) -> dict[tuple[str, int], Any]:
    """By step and attempt, what the anchor finds of the tokens that were sampled there. Raises UsageError when it is no model, nor
    one with notes of its own."""
    model, notes = (agent.agent, agent.notes) if isinstance(agent, Briefed) else (agent, None)
    if not isinstance(model, LM):
        raise UsageError(
            f"{describe(agent).get('name', agent)} is no model, and scores no tokens; leave score=True out"
        )
    wanted, asked = scorable(transcript.events()), list[Request]()
    requests_of(
        transcript, lambda request, _: asked.append(request) if (request.step, request.attempt) in wanted else None
    )
    found: dict[tuple[str, int], Any] = {}
    await start_all([agent])
    try:
        for request in asked:
            tokens = wanted[request.step, request.attempt]
            if tokens.ids is None:
                why = f"step {request.step}: the endpoint gave no ids of the tokens, so that nobody else can score them"
                raise UsageError(f"{why}; vLLM and SGLang give them with return_token_ids, llama.cpp always")
            shown = request if notes is None else with_brief(request, {**request.brief, "notes": notes})
            found[request.step, request.attempt] = await model.score(shown, tokens.ids, tokens.texts)
    finally:
        await close_all([agent])
    return found
