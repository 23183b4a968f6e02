"""Verify, replay, and what fork, rejudge and resume take from a recording. Nothing here runs anything live."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from moot.complexity.play import path_of
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import ReplayDivergence, TranscriptError
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Errored, Exhausted, outcome_adapter
from moot.protocols.engine.question import Question
from moot.transcripts.events import Digest, event_body, moved_body, played, played_part
from moot.transcripts.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification found: a whole chain over `events` events; whether the play has ended; its digest."""

    events: int
    ended: bool
    digest: str


class _Again:
    """A recorder that keeps what the replayed play says, for comparison with the recording."""

    __slots__ = ("bodies",)

    def __init__(self) -> None:
        self.bodies: deque[bytes] = deque()

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        self.bodies.append(moved_body(step, seat, request, move, raw, under, relation, size, reads))

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
        self.bodies.append(event_body(name, fields))


class Replay:
    """A play driven by its recording. `game` stands where the recording ends; `unwritten` holds the events that follow
    from the last recorded one and were not yet written when it broke off."""

    def __init__(self, transcript: Transcript, protocol: Protocol | None = None, reopen: bool = False) -> None:
        """reopen: stop before a recorded failure, so that the play can be taken up again where it failed."""
        started = transcript.started
        self.transcript, self.reopen = transcript, reopen
        self.protocol = protocol or transcript.protocol
        self._again = _Again()
        self.game = Game(
            self.protocol, Question(**started["question"]), seed=started["seed"], bounds=started.get("bounds"),
            recorder=self._again, lean=True,
        )  # fmt: skip
        self.run()

    @property
    def unwritten(self) -> list[bytes]:
        return list(self._again.bodies)

    def run(self) -> None:
        """Feed every recorded event to the play and compare what it says. Raises ReplayDivergence at the first difference."""
        with no_collection():
            self._run()

    def _run(self) -> None:
        game, bodies = self.game, self._again.bodies
        first = True
        for line, event in played(self.transcript.pairs(kept=False)):
            if first:
                first = False
                game.start()
                continue
            if self.reopen and event["event"] in ("failed", "ended") and event["outcome"]["kind"] == "errored":
                break
            if not bodies:
                if event["event"] == "moved":
                    self._answer(event)
                else:
                    self._feed(event)
            if not bodies:
                raise ReplayDivergence(event.get("step", ""), "event", event["event"], "nothing")
            again = bodies.popleft()
            if not line.startswith(again) or line[len(again) : len(again) + 8] != b',"meta":':
                _differ(again, event)

    def _answer(self, event: dict[str, Any]) -> None:
        step = event["step"]
        waiting = self.game.open.get(step)
        if waiting is None:
            raise ReplayDivergence(step, "open steps", step, ", ".join(self.game.open) or "none (the play has ended)")
        if waiting.digest != event["request"]:
            raise ReplayDivergence(step, "request", event["request"], waiting.digest)
        reply = event["raw"] if "raw" in event else event["move"]
        self.game.answer(step, reply, reads=event.get("reads", 0), spent=event["meta"].get("spent"))

    def _feed(self, event: dict[str, Any]) -> None:
        game, name = self.game, event["event"]
        if name == "rejected":
            self._answer(event)
        elif name == "failed":
            outcome = outcome_adapter.validate_python(event["outcome"])
            if event["step"] in game.open:
                game.end(outcome, failed=event["step"], reads=event.get("reads", 0))
        elif name == "ended" and isinstance(
            outcome := outcome_adapter.validate_python(event["outcome"]), (Errored, Exhausted)
        ):
            game.end(outcome)


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the cyclic garbage collector: a long replay keeps what it makes alive, so collections find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _differ(again: bytes, event: dict[str, Any]) -> None:
    got = from_json(again + b"}")
    step = str(event.get("step", ""))
    for field in dict.fromkeys((*event, *got)):
        if field not in ("meta", "chain") and event.get(field) != got.get(field):
            raise ReplayDivergence(step, field, event.get(field), got.get(field))
    raise ReplayDivergence(step, "encoding", "the recorded bytes", "other bytes for equal values")


def replay(transcript: Transcript, protocol: Protocol | None = None) -> Transcript:
    """Run the protocol again on the recorded moves and compare every event, every request's hash included.

    Returns the transcript, verified: its digest is that of the replayed play, which produced the same bytes.
    protocol: the one to run, when it cannot be found by its recorded name.
    Raises ReplayDivergence(step, field, expected, got) at the first difference, TranscriptError on a broken chain.
    """
    Replay(transcript, protocol).game.close()
    return transcript


def verify(transcript: Transcript) -> Verified:
    """Fold the log and check its chain, without running the protocol. Raises TranscriptError naming line and event."""
    count, ended, digest = 0, False, Digest()

    def counted() -> Iterator[tuple[bytes, dict[str, Any]]]:
        nonlocal count, ended
        for line, event in transcript.check():
            count += 1
            ended = event["event"] == "ended" or (ended and event["event"] != "resumed")
            yield line, event

    for line, event in played(counted()):
        digest.add(played_part(line), event)
    return Verified(count, ended, digest.hex())


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer from a recording: the reply as it was given, the hash of the request it answered, what it read."""

    reply: Mapping[str, Any]
    request: str
    reads: int
    spent: Mapping[str, Any] | None


class Recording:
    """Recorded answers by step, to be played again in part: those steps that `keep` accepts."""

    def __init__(
        self, transcript: Transcript, before: str | None = None, without: frozenset[str] = frozenset()
    ) -> None:
        """before: only steps that come before this one, in the order of paths. without: not the steps of these seats."""
        self.answers: dict[str, deque[Recorded]] = {}
        limit = path_of(before) if before is not None else None
        known = False
        for _, event in played(transcript.pairs(kept=False)):
            if event["event"] not in ("moved", "rejected"):
                continue
            known = known or event["step"] == before
            if event["seat"] in without or (limit is not None and path_of(event["step"]) >= limit):
                continue
            reply = event.get("raw") or event["move"]
            recorded = Recorded(reply, event["request"], event.get("reads", 0), event["meta"].get("spent"))
            self.answers.setdefault(event["step"], deque()).append(recorded)
        if before is not None and not known:
            raise TranscriptError(
                f"{transcript.name}: no move was recorded at step {before}; moot show lists the steps"
            )

    def next(self, step: str) -> Recorded | None:
        """The next recorded answer for a step, and use it up; None when there is none left."""
        waiting = self.answers.get(step)
        return waiting.popleft() if waiting else None
