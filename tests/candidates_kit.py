"""Agents that draw numbers, judges that like high ones, what is noted of the choice, and the exact law of a wrapper."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
from agent_kit import request_for

import moot
from moot.protocols.engine.moves import Speech, Verdict

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. Nine ships sank.")
Request = moot.Request


def draws(request: Request) -> Speech:
    """A number of the step's own seed."""
    return Speech(text=str(Random(request.seed).randint(0, 99)))


async def draws_later(request: Request) -> dict[str, Any]:
    await anyio.lowlevel.checkpoint()
    return {"kind": "speech", "text": draws(request).text}


def number(request: Request, move: Any) -> float:
    return int(move.text)


def likes_numbers(request: Request) -> Verdict:
    """Believes the last speaker by as much as its number says."""
    p = int(request.view[-1].move.content()) / 100
    return Verdict(probabilities=(p, 1 - p))


def chose(notes: list[dict[str, Any]], event: str = "chose") -> dict[str, Any]:
    (found,) = [note for note in notes if note["event"] == event]
    return found


def act(agent: Any, **fields: Any) -> tuple[Any, list[dict[str, Any]]]:
    notes: list[dict[str, Any]] = []
    fields = {"task": "speech", "answer": 0, **fields}
    return anyio.run(agent.act, request_for(Speech, notes=notes, **fields)), notes


def debate(a: Any, **options: Any) -> moot.Transcript:
    seats = {"a": a, "b": draws, "judge": lambda r: Verdict(probabilities=(0.5, 0.5))}
    return moot.run(moot.Debate(), QUESTION, seats, **options)


def even(request: Request) -> Verdict:
    return Verdict(probabilities=(0.5, 0.5))


class Says:
    """Gives these texts, one for each call, in the order of calls; None stands for a call that fails."""

    def __init__(self, *texts: str | None) -> None:
        self.left = iter(texts)

    def act(self, request: Request) -> Speech:
        if (text := next(self.left)) is None:
            raise moot.AgentError("out of order")
        return Speech(text=text)


def law_of(wrapped: Any, base: Mapping[str | None, float], n: int, seeds: Sequence[int] = (7,)) -> dict[Any, float]:
    """What a wrapper makes of an agent that says each text of `base` so often, exactly: over all that n calls can say, and
    over the seeds, of which each counts alike. None: a call that fails, and an AgentError. wrapped: makes the wrapper."""

    async def law() -> dict[Any, float]:
        found: dict[Any, float] = defaultdict(float)
        for texts in product(base, repeat=n):
            for seed in seeds:
                try:
                    move = (await wrapped(Says(*texts)).act(request_for(Speech, seed=seed, answer=0))).text
                except moot.AgentError:
                    move = None
                found[move] += math.prod(base[text] for text in texts) / len(seeds)
        return dict(found)

    return anyio.run(law)


@cache
def picks(n: int, k: int) -> list[int]:
    """For each of the k places one seed by which it is picked, as told by what is picked of known candidates."""
    found: dict[str, int] = {}
    for seed in range(60):
        agent = moot.Quantilized(Says(*map(str, range(n))), n, k, score=lambda request, move: -float(move.content()))
        found.setdefault(act(agent, seed=seed)[0].text, seed)
        if len(found) == k:
            return [found[str(place)] for place in range(k)]
    raise AssertionError(f"of {k} places only {sorted(found)} are ever picked")
