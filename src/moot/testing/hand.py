"""Plays stepped by hand: a script of replies by step, in any order of completion, with every request kept.

Rule: it drives a game and looks at it, and judges nothing; laws and machine do.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from hypothesis import strategies as st

from moot.agents.base import act_of
from moot.play.recorded import header
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import BudgetExceeded, Illegal, MootError, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import AskEffect
from moot.testing.drawing import Moves, moves
from moot.testing.shapes import Seeded, move_of
from moot.transcripts.events import PLAYED, EventLog, played_part
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import recorded, sealed

_LATE = 40  # moves after which drawn moves ask to end, so that plays without a fixed length come to one
_TRIES = 3


class Unscripted(MootError):
    """A step was asked that the script does not hold: the play took another way than the one that it was drawn for."""


class Script:
    """What is said at every step, attempt by attempt. Replies are drawn when a step is first asked, then repeated.

    draw: Hypothesis' draw; without one only what `replies` holds can be said. moves: from a request to a strategy.
    seats: agents that answer for their seats instead (synchronous). mark: changes a drawn move before it is said.
    """

    def __init__(
        self, draw: Callable[[st.SearchStrategy[Any]], Any] | None = None, moves: Moves | None = None,
        seats: Mapping[str, Any] | None = None, mark: Callable[[Request, Move], Move] | None = None,
    ) -> None:  # fmt: skip
        self.draw, self.moves, self.mark = draw, moves, mark
        self.acts = {seat: act_of(agent) for seat, agent in (seats or {}).items()}
        self.replies: dict[str, list[Any]] = {}
        self.seats: dict[str, str] = {}
        self.reads: dict[tuple[str, int], int] = {}

    def reply(self, request: Request, check: Callable[[Any], Move] | None = None, late: bool = False) -> Any:
        """What is said in answer to `request`. Raises Unscripted when nothing can be."""
        said = self.replies.setdefault(request.step, [])
        self.seats[request.step] = request.seat
        if request.attempt < len(said):
            return said[request.attempt]
        if request.attempt > len(said) or self.draw is None or self.moves is None:
            where = f"step {request.step} (attempt {request.attempt})"
            raise Unscripted(f"{where} was asked, and was not in the first play")
        said.append(self._drawn(request, self.draw, self.moves, check, late))
        return said[-1]

    def _drawn(
        self, request: Request, draw: Any, moves_of: Moves, check: Callable[[Any], Move] | None, late: bool
    ) -> Any:
        if request.seat in self.acts:
            answer = self.acts[request.seat](request)
            if inspect.isawaitable(answer):
                raise UsageError(f"seat {request.seat}: the laws seat synchronous agents; this one returned {answer!r}")
            return answer
        if late and moves_of is moves:
            # No more of Hypothesis' choices for plays that could go on for ever.
            return _ending(move_of(request, Seeded(request.seed * 16 + request.attempt)))
        reply: Any = None
        for _ in range(_TRIES):
            reply = draw(moves_of(request))
            reply = _ending(reply) if late and isinstance(reply, Move) else reply
            if not isinstance(reply, request.kinds) or accepted(reply, check):
                break
        if self.mark is not None and isinstance(reply, request.kinds):
            marked = self.mark(request, reply)
            reply = marked if accepted(marked, check) else reply
        return reply

    def agent(self, request: Request) -> Any:
        """The script as an agent of every seat, for the driver."""
        self.read(request)
        return self.reply(request)

    def read(self, request: Request) -> None:
        """Open as many statements, then cells, as was drawn for this step."""
        amount = self.reads.get((request.step, request.attempt), 0)
        for _ in request.view[:amount]:
            pass
        data = request.view.question.data if request.view.source == "all" else None
        if amount and isinstance(data, list) and data:
            request.view.look(0)

    def __str__(self) -> str:
        lines = []
        for step in sorted(self.replies, key=lambda step: tuple(map(int, step.split(".")))):
            for attempt, reply in enumerate(self.replies[step]):
                again = f" (attempt {attempt})" if attempt else ""
                lines.append(f"    {step:<8} {self.seats[step]:<10}{again} {shown(reply)}")
        return "\n".join(lines) or "    none"


def _ending(move: Move) -> Move:
    return move.model_copy(update={name: True for name in ("end", "stop") if name in type(move).model_fields})


def accepted(reply: Any, check: Callable[[Any], Move] | None) -> bool:
    """Whether the check of an ask would take this move."""
    try:
        return check is None or check(reply) is not None
    except Illegal:
        return False


def shown(reply: Any) -> str:
    """A reply for a message, in one line."""
    text = f"<{type(reply).__name__}>"
    for write in (repr, json.dumps) if not isinstance(reply, Move) else (type(reply).model_dump_json,):
        with suppress(Exception):
            text = write(reply)
    return text if len(text) <= 200 else text[:200] + "…"


class Hand:
    """One play of `protocol`, stepped by hand and recorded in memory. `asked`: every request, with its ask, by (step, attempt)."""

    def __init__(
        self, protocol: Protocol, sample: Sample | Question, script: Script, *, seed: int = 0,
        bounds: Mapping[str, Mapping[str, int | float]] | None = None,
        watch: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:  # fmt: skip
        self.sample = sealed(sample if isinstance(sample, Sample) else Sample(sample))
        question = self.sample.question.unnamed()
        self.script, self.watch, self.lines = script, watch, list[bytes]()
        log = EventLog(self.lines.append)
        self.game = Game(protocol, question, seed=seed, bounds=bounds, recorder=log)
        self.asked: dict[tuple[str, int], tuple[Request, AskEffect]] = {}
        self.order: list[str] = []
        log.event("started", header(protocol, question, seed, bounds), recorded(self.sample))
        with watch():
            self.game.start()

    def run(
        self, order: Sequence[int] = (), most: int = 1000, before: Callable[[str], Mapping[str, Any]] = lambda step: {}
    ) -> Hand:
        """Play on to the outcome, or for `most` moves. order: which of the open steps is next (index modulo their number).
        before: called with each step, gives further arguments of `step`."""
        turns = iter(order)
        while self.game.outcome is None and len(self.order) < most:
            step = list(self.game.open)[next(turns, 0) % len(self.game.open)]
            self.step(step, **before(step))
        return self

    def step(
        self, step: str, act: Callable[[Request], Any] | None = None, spent: Mapping[str, int | float] | None = None
    ) -> bool:
        """Answer one open step, by the script or by `act`. False when it was not accepted."""
        request = self.look(step)
        waiting, meter = self.game.open[step], self.game.meter(step)
        try:
            request.view.question  # noqa: B018  (whoever answers opens it first, which may cost the source)
            late = len(self.order) > _LATE
            reply = act(request) if act is not None else self.script.reply(request, waiting.ask.check, late)
            self.order.append(step)
            self.script.read(request)
        except BudgetExceeded as error:
            self.game.exhaust(step, error, meter.reads)
            return False
        meta = {"spent": dict(spent)} if spent else None
        with self.watch():
            return self.game.answer(step, reply, reads=meter.reads, spent=spent, meta=meta)

    def look(self, step: str) -> Request:
        """The request that is open at `step`, kept among those asked."""
        request, ask = self.game.request(step), self.game.open[step].ask
        self.asked.setdefault((step, request.attempt), (request, ask))
        return request

    @property
    def transcript(self) -> Transcript:
        """What has been recorded so far."""
        return Transcript(list(self.lines), truth=self.sample)

    @property
    def bodies(self) -> dict[str, list[bytes]]:
        return bodies(self.transcript)


def bodies(transcript: Transcript) -> dict[str, list[bytes]]:
    """What was played, by step (and "" for the rest), without anything that depends on the order of completion."""
    found: dict[str, list[bytes]] = {}
    for line, event in transcript.pairs():
        if event["event"] in PLAYED:
            found.setdefault(event.get("step", "") if event["event"] != "failed" else "", []).append(played_part(line))
    return found


def accounts(transcript: Transcript) -> Iterator[tuple[dict[str, Any], str, float]]:
    """Every spending on the record: its event, the measure, and what the seat has spent of it by then."""
    used: Counter[tuple[str, str]] = Counter()
    for event in transcript.events():
        if event["event"] in ("moved", "rejected"):
            spending = {"calls": 1, "reads": event.get("reads", 0), **(event["meta"].get("spent") or {})}
        else:
            spending = {event["measure"]: event["amount"]} if event["event"] == "charged" else {}
        for measure, amount in spending.items():
            used[event["seat"], measure] += amount
            yield event, measure, used[event["seat"], measure]
