"""How probable it is that a model violates its specification, from plays of `specification`.

Rule of this file: it gathers plays, and asks a model for which a proxy answered how probable it finds that; what follows is in
`complexity/estimators`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from moot.agents.base import describe
from moot.agents.policy import distribution_of
from moot.agents.spec import seatable
from moot.complexity.estimators.base import Estimator, estimated
from moot.complexity.estimators.evidence import Evidence, Ruled, evidence_of, weight_of
from moot.complexity.pressure.kinds import Bound
from moot.play.pressure import apressure
from moot.play.run import in_loop
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.transcripts.replay import requests_of
from moot.transcripts.transcript import Transcript

DELTA = 0.05
"""How probably a side may fail, unless it is said."""
_ENDED = "estimated from one draw"


def risk(
    plays: Transcript | Iterable[Transcript],
    estimator: Estimator | str = "monte_carlo",
    *,
    delta: float = DELTA,
    of: Any = None,
) -> Bound:
    """How probable it is that the model violates the specification on an input of nature's.

        found = moot.risk(moot.load("s.jsonl"), "monte_carlo")
        print(found.kind, found.lower, found.upper, found.assumes)

    plays: one play of `specification`, or several of the same model, nature and judge under the same specification, which are then counted
    together; which plays, and how many, is to be decided before any is seen. estimator: one, or the name of one: "monte_carlo" of held-out
    draws, "tilted" of proposals with densities; others take arguments, `Cover`, `Count`, `Chernoff`, `Moments` and `Splitting` of
    `moot.complexity.estimators`. delta: how probably a side may fail. of: the model that is meant, where a proxy sat in its seat (with
    the estimator "proxy"): an `LM`, which is asked how probable it finds the recorded tokens of the proxy (`LM(record="tokens")`, sampled
    plainly); or, where both are a `Policy`, the pair of them, the model first. Raises UsageError on plays of another protocol, on plays that
    differ in who sits where or changed it when they were resumed, share a seed or go on from others, and as the estimator does.
    """
    return in_loop(lambda: arisk(plays, estimator, delta=delta, of=of))


async def arisk(
    plays: Transcript | Iterable[Transcript],
    estimator: Estimator | str = "monte_carlo",
    *,
    delta: float = DELTA,
    of: Any = None,
) -> Bound:
    """`risk`, within an event loop."""
    given = [*plays] if isinstance(plays, Iterable) else [plays]
    if wrong := [each for each in given if not isinstance(each, Transcript)]:
        raise UsageError(f"a play is {wrong[0]!r:.80}; give what moot.run returned, or moot.load of a file")
    found = [evidence_of(play) for play in given]
    _alike(given)
    if of is not None:
        found = [await _weighed(play, each, of) for play, each in zip(given, found, strict=True)]
    whole = Evidence(
        tuple(each for one in found for each in one.held_out), tuple(each for one in found for each in one.proposed),
        of is not None, any(one.unended for one in found),
    )  # fmt: skip
    return estimated(estimator, whole, delta)


def _alike(plays: Sequence[Transcript]) -> None:
    """Raise UsageError unless the draws of these plays are independent ones of the same model."""
    if not plays:
        raise UsageError("there is no play; give at least one of the protocol specification")
    first, seeds = plays[0], dict[Any, str]()
    for play in plays:
        if play.started["meta"].get("parent"):
            raise UsageError(f"{play.name} goes on from another play, whose draws it repeats; count that one")
        for what, key in (("specification", "question"), ("budget", "bounds")):
            if play.started.get(key) != first.started.get(key):
                raise UsageError(f"{play.name} has another {what} than {first.name}; count like plays together")
        if _rules(play) != _rules(first):
            raise UsageError(f"{play.name} has other rules than {first.name}: {_rules(play)}, {_rules(first)}")
        for event in play.events():
            if event["event"] not in ("started", "resumed"):
                continue
            for seat in ("nature", "model", "judge"):
                if _sat(event, seat) != _sat(first.started, seat):
                    raise UsageError(
                        f"{play.name} has another agent in seat {seat} than {first.name} began with; count like plays together"
                    )
        seed = play.started["seed"]
        if seed in seeds:
            raise UsageError(
                f"{play.name} has the seed {seed}, as {seeds[seed]} has, and so the same draws; give each play a seed of its own"
            )
        seeds[seed] = play.name


def _rules(play: Transcript) -> dict[str, Any]:
    """The parameters that what is drawn, done or ruled depends on."""
    return {key: each for key, each in play.started["protocol"]["params"].items() if key not in _COUNTS}


_COUNTS = ("held_out", "proposals", "shown")


def _sat(event: Mapping[str, Any], seat: str) -> list[Any]:
    return [(event["meta"].get(key) or {}).get(seat) for key in ("seats", "identities")]


async def _weighed(play: Transcript, found: Evidence, of: Any) -> Evidence:
    """The evidence with the weight of each answer of the proxy. Raises UsageError where one cannot be had."""
    weights, unended = _by_policies(play, of) if isinstance(of, tuple) else await _by_tokens(play, of)

    def weigh(each: Ruled) -> Ruled:
        if each.finding != "bad":  # it adds nothing, whatever its weight, which is not there where nobody answered
            return replace(each, weight=0.0)
        branch = each.step.rpartition(".")[0]
        log = next((log for step, log in weights.items() if step.rpartition(".")[0] == branch), None)
        if log is None:
            raise UsageError(f"{play.name}, step {each.step}: how probable the answer is cannot be told")
        base = None if log == -math.inf else min(0.0, log)
        return replace(each, weight=weight_of(base, min(0.0, -log), f"{play.name}, step {each.step}"))

    return replace(found, held_out=tuple(map(weigh, found.held_out)), unended=unended)


async def _by_tokens(play: Transcript, model: Any) -> tuple[dict[str, float], bool]:
    """By step, the logarithm of how much more probable what the proxy answered is of the model, over all attempts; and whether the end of
    some answer is not in it."""
    found, logs, unended = await apressure(play, model, seats=["model"], score=True), dict[str, float](), False
    for row in found.rows:
        if row.kl is None:
            raise UsageError(f"{play.name}, step {row.step}: {row.why}")
        logs[row.step] = logs.get(row.step, 0.0) - row.kl
        unended = unended or row.why != _ENDED
    return logs, unended


def _by_policies(play: Transcript, of: tuple[Any, ...]) -> tuple[dict[str, float], bool]:
    """The same where both are policies, which say it exactly of a first answer. One to a second ask weighs nothing: what was rejected, or
    failed, is no move, and how probable it is nobody states."""
    if len(of) != 2:
        raise UsageError(
            f"of holds {len(of)} agents; give the policy that is meant and that of its proxy, two moot.Policy"
        )
    model, proxy = of
    stated = [distribution_of(seatable(each)) for each in (model, proxy)]
    if None in stated:
        raise UsageError(
            f"{describe(seatable(model)).get('name', model)} or its proxy states no distribution; give two moot.Policy"
        )
    again = {event["step"] for event in play.events() if event["event"] in ("rejected", "failed") and "step" in event}
    logs = dict.fromkeys(again, -math.inf)

    def see(request: Request, event: Any) -> None:
        if request.seat == "model" and event["event"] == "moved" and request.step not in again:
            chances = [_chance(each, request, event["move"]) for each in stated]
            if not chances[1]:
                raise UsageError(f"{play.name}, step {request.step}: the proxy never answers what it answered there")
            logs[request.step] = math.log(chances[0] / chances[1]) if chances[0] else -math.inf

    requests_of(play, see)
    return logs, False


def _chance(stated: Any, request: Request, move: Any) -> float:
    def same(reply: Any) -> bool:
        return isinstance(reply, Move) and reply.model_dump(mode="json") == move

    return math.fsum(share for reply, share in stated(request) if same(reply))
