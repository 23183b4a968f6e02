"""Whether an agent answers as a copy of itself would that was never asked anything else: a law, and a check of one play.

Rule: it asks agents again, and compares; plays are the hand's and the driver's.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple

from pydantic_core import to_json

from moot.agents.base import act_of, close_all, describe, reply_of, start_all
from moot.agents.wrappers.snapshot import Snapshot, shared_by
from moot.play.run import arun, in_loop
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import Account
from moot.protocols.engine.errors import Illegal, UsageError, said
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.replies import as_data, typed
from moot.protocols.engine.request import Request
from moot.testing.checks.check import Case, Limits, law
from moot.transcripts.replay import Recording
from moot.transcripts.transcript import Transcript

Make = Callable[[], Any]
WAYS = (
    ("asked afresh", None, 0), ("at another step", "9.9.9", 0), ("with another seed", None, 1), ("with another seed", None, 2),
)  # fmt: skip
"""What is changed when a fresh agent is asked again, the step it is told and what is added to the seed; one at a time, to tell
which it is that it goes by."""


class Memoryless(NamedTuple):
    """Whether the seat's answers in a play follow from the content of its requests alone: True, False, or None where nobody
    can tell. because: why, with the step and what came out. calls: how many were put again."""

    holds: bool | None
    because: str
    calls: int = 0


Asked = dict[tuple[str, int], str]
"""What was answered, by step and attempt."""
MOST_BACKWARDS = 24
"""Requests that are put to one agent in the opposite order: each takes a play up to there."""


class _Listening:
    """An agent whose requests and answers are kept. failed: a call that brought no answer."""

    def __init__(self, agent: Any) -> None:
        self.agent, self.failed = agent, ""
        self.asked: Asked = {}
        self.bound = getattr(agent, "bound", None)

    async def start(self) -> None:
        await start_all([self.agent])

    async def close(self) -> None:
        await close_all([self.agent])

    def act(self, request: Request) -> Any:
        at, kinds = (request.step, request.attempt), request.kinds
        try:
            reply = act_of(self.agent)(request)
        except BaseException as error:
            self._fails(at[0], error)
            raise
        if not isinstance(reply, Move) and inspect.isawaitable(reply):
            return self._awaited(at, kinds, reply)
        self.asked[at] = _written(reply, kinds)
        return reply

    async def _awaited(self, at: tuple[str, int], kinds: tuple[type[Move], ...], reply: Awaitable[Any]) -> Any:
        try:
            given = await reply
        except BaseException as error:
            self._fails(at[0], error)
            raise
        self.asked[at] = _written(given, kinds)
        return given

    def _fails(self, step: str, error: BaseException) -> None:
        self.failed = f"step {step}: {type(error).__name__}: {said(error)}"


def check_memoryless(
    make: Make, protocol: Protocol, sample: Sample | Question, seat: str, *, seats: Mapping[str, Any], seed: int = 0,
    bounds: Limits | None = None,
) -> Memoryless:  # fmt: skip
    """Play `protocol` once with `make()` in `seat`, and say whether its answers are those of copies without memory: each
    request that it got is put again to fresh agents, at another step, with another seed and a budget of which nothing is
    spent, and all of them to one agent in the opposite order.

    make: a function without arguments that makes the agent as it is seated. seats: who sits elsewhere, seat or role to agent.

    False: an answer came out otherwise, or the agent's own class or global variables have changed meanwhile. None: it was not
    asked, or gave no answer once, or is a model or a person, who are not asked again. True is of this play alone, and of
    agents that keep nothing where `moot.Copies` says that it cannot be seen.
    """
    if not callable(make):
        raise UsageError(
            f"check_memoryless: make is {make!r}; it must be a function without arguments that makes an agent"
        )
    act_of(agent := make())
    if named := _others(describe(agent)):
        return Memoryless(None, f"a {named} is not asked again")
    code = [each for each in (make, agent, type(agent)) if isinstance(each, type | FunctionType)]
    before, listening = shared_by(*code), _Listening(agent)

    async def played() -> str | None:
        transcript = await arun(protocol, sample, {**seats, seat: listening}, seed=seed, bounds=bounds)
        return await difference(make, listening.asked, transcript, seat)

    changed = in_loop(played) or _changed(before, shared_by(*code))
    if changed is not None:
        return Memoryless(False, changed, len(listening.asked))
    if listening.failed or not listening.asked:
        return Memoryless(None, listening.failed or f"seat {seat} was not asked", len(listening.asked))
    return Memoryless(True, "every answer came again", len(listening.asked))


@law("what an agent answers follows from the content of its request alone")
def memoryless(case: Case) -> None:
    """For the agents in `seats`, copied as they are given: each request of a play is put again to fresh copies, at another
    step, with another seed, and in the opposite order. An agent that draws from the seed of its step breaks it, and keeps it
    inside `moot.Copies`."""
    if not case.seats:
        raise UsageError("memoryless is a law of agents: give it seats={seat: agent}")
    for seat, agent in case.seats.items():
        snapshot = Snapshot(agent)
        before, listening = snapshot.shared(), _Listening(snapshot.fresh())
        case.script = case.fresh()
        case.script.acts[seat] = act_of(listening)
        transcript = case.play(case.order()).transcript
        found = in_loop(partial(difference, snapshot.fresh, listening.asked, transcript, seat))
        changed = found or _changed(before, snapshot.shared())
        if changed is not None:
            case.broken(f"seat {seat}: {changed}")


async def difference(make: Make, asked: Asked, transcript: Transcript, seat: str) -> str | None:
    """How an answer of a fresh agent differs from the one that was given in a recorded play, or None where none does."""
    for how, step, seed in WAYS:
        for request in _requests(transcript, seat):
            agent = make()
            try:
                await start_all([agent])
                told = replace(request, step=step or request.step, seed=request.seed + seed)
                again = await _again(agent, told)
            finally:
                await close_all([agent])
            if (before := asked.get((request.step, request.attempt), again)) != again:
                return _told(how, request, again, before)
    agent = make()
    try:
        await start_all([agent])
        for at in list(reversed(asked))[:MOST_BACKWARDS]:
            for request in _requests(transcript, seat):
                if (request.step, request.attempt) == at:
                    if (again := await _again(agent, request)) != asked[at]:
                        return _told("after other requests than before", request, again, asked[at])
                    break
    finally:
        await close_all([agent])
    return None


def _requests(transcript: Transcript, seat: str) -> Iterator[Request]:
    """The requests of a seat in a recorded play, each as it was before anybody had opened anything of it, within a
    budget of which nothing is spent."""
    recording = Recording(transcript)
    with closing(Game(transcript.protocol, recording.question, seed=transcript.seed, bounds=transcript.bounds)) as game:
        game.start()
        going = True
        while going and game.outcome is None:
            going = False
            for step in list(game.open):
                if step in game.open and (recorded := recording.next(step)) is not None:
                    if game.open[step].ask.seat == seat:
                        limits = transcript.bounds.get(seat)
                        yield game.request(step, account=None if limits is None else Account(limits))
                    game.answer(
                        step, recorded.reply, reads=recorded.reads, spent=recorded.spent, history=recorded.history
                    )
                    going = True


def _told(how: str, request: Request, again: str, before: str) -> str:
    where = f"the request of step {request.step} (attempt {request.attempt})"
    return f"{how}, {where} is answered otherwise:\n    {_cut(again)}\n    and not {_cut(before)}"


def _cut(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "…"


async def _again(agent: Any, request: Request) -> str:
    try:
        return _written(await reply_of(act_of(agent), request), request.kinds)
    except Exception as error:
        return f"{type(error).__name__}: {said(error)}"


def _written(reply: Any, kinds: tuple[type[Move], ...]) -> str:
    """A reply as text, equal for equal moves."""
    try:
        move = typed(reply, kinds)
    except Illegal:
        return to_json(as_data(reply)).decode()
    return move.model_dump_json()


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    changed = next((where for where in (*now, *before) if now.get(where) != before.get(where)), None)
    return None if changed is None else f"{changed} has changed meanwhile: it keeps something for later calls"


def _others(about: Any) -> str | None:
    """What there is in a description that is not asked twice: a model or a person."""
    if isinstance(about, dict) and about.get("agent") in ("lm", "human"):
        return "model" if about["agent"] == "lm" else "person"
    within = about.values() if isinstance(about, dict) else about if isinstance(about, list) else ()
    return next(filter(None, map(_others, within)), None)
