"""Attempts to get an answer, what is noted of each, and how they can fail for good.
Rule: it notes and reads attempts; when one is made again is decided in `endpoint.py`, bytes are read in `wire.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from moot.agents.models.profiles.profile import Change
from moot.agents.models.refusals import Refusal
from moot.agents.models.wire import Completion
from moot.agents.money.cap import Hold
from moot.agents.money.prices import Prices
from moot.agents.money.usage import Usage
from moot.agents.prompts.asking import read_move
from moot.agents.prompts.forms import Form
from moot.agents.prompts.keeping import kept_messages
from moot.agents.prompts.values import UnreadableAnswer, encodable
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request

TEXT_KEPT = 20_000  # characters kept of an answer, or of what was thought
T = TypeVar("T")


class Refused(AgentError):
    """The endpoint refused a request for good; `status` is the HTTP status and `said` its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


@dataclass(slots=True)
class Call:
    """The calls made for one request: how many attempts there were, what is noted with each, and who listens. reads: answers that could not be read. trials: what
    is done otherwise than the endpoint refused it. reserve: called before an attempt. waiting: in it the seat's time stands.
    adapts: whether whoever calls can do otherwise after a refusal of a body. hold: the money set aside for the attempt. hide: takes
    the secrets out of a prompt that is to be kept; None where none is kept. besides: what else is kept of an answer to a body, as events."""

    note: Callable[[dict[str, Any]], None]
    step: str = ""
    seed: int = 0
    labels: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    hangs: int = 0
    reads: int = 0
    trials: list[Change] = field(default_factory=list)
    reserve: Callable[[], None] = lambda: None
    waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
    adapts: Callable[[Refusal, Mapping[str, Any]], bool] = lambda refusal, body: False
    hold: Hold | None = None
    hide: Callable[[str], str] | None = None
    besides: Callable[[Completion, Mapping[str, Any]], Iterable[dict[str, Any]]] = lambda completion, body: ()


FailureKind = Literal["crowded", "failed", "unreached", "hung", "final"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no completion, in words without secrets. worked: whether it may have been worked on all the same."""

    message: str
    kind: FailureKind = "failed"
    status: int = 0
    said: str = ""
    after: float | None = None
    worked: bool = True


@dataclass(slots=True)
class Attempt:
    """One attempt, and the single note that is made of it. usage: what it took where nothing was answered: unknown, unless
    the endpoint says so or did not work on it. batch: the id of the batch that it was in."""

    call: Call
    body: Mapping[str, Any]
    begun: float
    prices: Prices | None
    status: int | None = None
    usage: Usage = Usage()
    batch: str = ""

    def finish(self, completion: Completion, read: Callable[[Completion, dict[str, Any]], T]) -> T:
        extra: dict[str, Any] = {}
        try:
            result = read(completion, extra)
        except UnreadableAnswer as error:
            thoughts = extra.pop("thoughts", "")
            self.note(error=str(error), text=error.text or completion.text, completion=completion, **extra)
            self._keep(completion, thoughts)
            raise
        thoughts = extra.pop("thoughts", "")
        self.note(completion=completion, **extra)
        self._keep(completion, thoughts)
        return result

    def _keep(self, completion: Completion, thoughts: str | list[str]) -> None:
        """Note the raw answers, and what was thought: kept in the transcript, shown to no seat, and no part of the play.
        Each of several answers to one call is noted with its number, as `candidate`."""
        answers = (completion, *completion.others)
        apart = [thoughts] if isinstance(thoughts, str) else thoughts
        for index, each in enumerate(answers):
            thought = "\n\n".join(filter(None, (each.thinking, apart[index] if index < len(apart) else "")))
            which = {"candidate": index} if completion.others else {}
            for event, text in (("thought", thought), ("answered", each.text)):
                if text:
                    self.call.note({"event": event, "attempt": self.call.attempts, "text": kept(text), **which})
        for noted in self.call.besides(completion, self.body):
            self.call.note({"attempt": self.call.attempts, **noted})

    def note(
        self, error: str | None = None, text: str | None = None, completion: Completion | None = None, **extra: Any
    ) -> None:
        usage, hit = (self.usage, False) if completion is None else (completion.usage, completion.cached)
        cost, paid = (0.0, {}) if hit else self._cost(usage)
        if self.call.hold is not None:
            self.call.hold.charge(cost, 0 if hit else usage.tokens)
            paid["hold"] = self.call.hold.number
        for name in ("cache_write_tokens", "reasoning_tokens"):  # which few endpoints tell
            if (count := getattr(usage, name)) is not None:
                paid[name] = count
        event = {
            "event": "attempted", "attempt": self.call.attempts, "model": self.body.get("model"), "ok": error is None,
            "status": self.status, "error": error, "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens, "cached_tokens": usage.cached_tokens, "cost": cost, **paid,
            "seconds": round(time.perf_counter() - self.begun, 6), **self.call.labels, "cached": hit, **({"batch": self.batch} if self.batch else {}), **extra,
        }  # fmt: skip
        if text is not None:
            event["text"] = kept(text)
        self.call.note(event)
        if self.call.hide is not None:
            messages = kept_messages(self.body["messages"], self.call.hide)
            self.call.note({"event": "prompted", "attempt": self.call.attempts, "messages": messages})

    def _cost(self, usage: Usage) -> tuple[float | None, dict[str, Any]]:
        """What it cost, and who says so: the provider, or else the prices. Where both do, what the prices say is kept apart.
        A provider that states 0 where the prices say more states nothing."""
        prices = self.prices.batched() if self.prices is not None and self.batch else self.prices
        computed = None if prices is None else prices.cost(usage)
        if usage.cost or (usage.cost is not None and computed is None):
            apart = {} if computed is None else {"computed_cost": computed}
            return usage.cost, {"cost_by": "provider", **apart}
        return computed, {} if computed is None else {"cost_by": "prices"}


def kept(text: str) -> str:
    """A text as a transcript keeps it: up to TEXT_KEPT characters, saying so where there were more."""
    more = f"… [cut: {len(text):,} characters in all]" if len(text) > TEXT_KEPT else ""
    return encodable(text[:TEXT_KEPT]) + more


class Spent(UnreadableAnswer):
    """All that an answer might take went into thinking."""


class FormatRefused(Exception):
    """The endpoint takes no such form of the answer: ask for another one."""

    def __init__(self, change: Change) -> None:
        super().__init__(change.because)
        self.change = change


def move_of(completion: Completion, request: Request, form: Form, tagged: bool, note: dict[str, Any]) -> Move:
    """The move that an answer is. Raises UnreadableAnswer."""
    if completion.refusal and not completion.text:
        raise UnreadableAnswer(f"the model refused: {completion.refusal[:500]}", completion.refusal)
    return read_move(completion.text, request, tagged=tagged, finish=completion.finish, note=note, form=form)
