"""Verify, replay, and what fork, rejudge and resume take from a recording.

Rule of this file: the protocol runs again on what was recorded; nothing here runs anything live.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json

from moot.complexity.play import path_of, reads_in
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, ReplayDivergence, SealedElsewhere, TranscriptError
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.engine.steps import AskEffect
from moot.transcripts.events import KNOWN, VERSION, EventLog, chain_of, digest_of, event_body, played
from moot.transcripts.signing import check_signature
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import Sealed
from moot.transcripts.wellformed import outcome_of

_ANSWERED = ("moved", "rejected")


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification found: a whole chain over `events` events, `unknown` of them of kinds that this moot does not know
    and passes over; whether the play has ended; its digest. dropped: bytes after the last whole line, which are no event.
    head: the chain value of the last event, which all of them went into. signed: whether a key was found to fit. truth: where
    it is: "unknown" to everybody, "recorded" in the transcript, "sealed" in a file that is as it was, or "elsewhere"."""

    events: int
    ended: bool
    digest: str
    unknown: int
    dropped: int
    head: str
    signed: bool
    truth: Literal["unknown", "recorded", "sealed", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A transcript whose play was run again and came out as recorded. requests_compared: whether the hash of every request
    was compared too; those of an older version of the file format are not computed any more."""

    transcript: Transcript
    requests_compared: bool

    @property
    def digest(self) -> str:
        """The digest of the play."""
        return self.transcript.digest


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


def asked(started: Mapping[str, Any]) -> Question:
    """The question of a play as its events have it, with the bytes of its images."""
    return Question.recorded(started["question"], started["meta"].get("images"))


class _Again(EventLog):
    """A recorder that hands on what the replayed play says, for comparison with the recording. What the protocol tells is set
    apart in `told`: it is no event of the play, and the request of whoever was told covers it."""

    __slots__ = ("told",)

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__(write)
        self.told: list[bytes] = []

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
        (self.told.append if name == "told" else self.write)(event_body(name, fields))

    def line(self, body: bytes, meta: Mapping[str, Any] | None = None) -> None:
        self.write(body)


class Replay:
    """A play driven by its recording. `game` stands where the recording ends; `unwritten` holds the events that follow
    from the last recorded one and were not yet written when it broke off. requests: the hash of every request that a
    recorded answer was given to, as it is computed today, when the recording is of an older version; otherwise None."""

    def __init__(
        self, transcript: Transcript, protocol: Protocol | None = None, reopen: bool = False,
        see: Callable[[Request, Mapping[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        """reopen: stop before a recorded failure, so that the play can be taken up again where it failed. see: shown each
        request, with the event that answers it."""
        started, self._see = transcript.started, see
        self.transcript, self.reopen = transcript, reopen
        self.protocol = protocol or transcript.protocol
        self._bodies: deque[bytes] = deque()
        self._before: list[bytes] = []  # what the protocol told before the last recorded event of the play
        self._recorded: dict[str, tuple[bytes, dict[str, Any]]] = {}  # what it told by the record, by step
        self.requests: list[str] | None = None if transcript.version == VERSION else []
        again = _Again(self._bodies.append)
        self._told = again.told  # since the last recorded event of the play
        self.game = Game(
            self.protocol, asked(started), seed=started["seed"], bounds=started.get("bounds"),
            recorder=again, lean=True,
        )  # fmt: skip
        self.run()

    @property
    def unwritten(self) -> list[bytes]:
        """The events that follow from the last recorded one and were not written."""
        return [*(body for body in self._told if _step(body) not in self._recorded), *self._bodies]

    @no_collection()
    def run(self) -> None:
        """Feed every recorded event to the play and compare what it says. Raises ReplayDivergence at the first difference."""
        bodies = self._bodies
        for line, event in played(self._heard()):
            if event["event"] == "started":
                self._start(event)
                continue
            if self.reopen and event["event"] in ("failed", "ended") and event["outcome"]["kind"] == "errored":
                break
            if not bodies:
                self._before += self._told
                self._told.clear()
                if event["event"] in _ANSWERED:
                    self._answer(event)
                else:
                    self._feed(event)
            if not bodies:
                raise ReplayDivergence(event.get("step", ""), "event", event["event"], "nothing")
            again = bodies.popleft()
            if self.requests is not None:
                _compare(again, event)
            elif not line.startswith(again) or line[len(again) : len(again) + 8] != b',"meta":':
                _compare(again, event, requests=True)
                step = event.get("step", "")
                raise ReplayDivergence(step, "encoding", "the recorded bytes", "other bytes for equal values")
            if event["event"] == "ended":
                self._before += self._told
                self._told.clear()
        self._compare_told()

    def _heard(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """The recorded events; what the protocol told by them is kept."""
        for line, event in self.transcript.pairs(kept=False):
            if event["event"] == "told" and self._recorded.setdefault(event["step"], (line, event))[0] is not line:
                raise ReplayDivergence(event["step"], "event", "told", "nothing, as it was told before")
            yield line, event

    def _compare_told(self) -> None:
        """Raise ReplayDivergence where the record says that anything else was told, more, or less."""
        again = {_step(body): body for body in (*self._before, *self._told)}
        for step, (line, event) in self._recorded.items():
            if (body := again.get(step)) is None:
                raise ReplayDivergence(step, "event", "told", "nothing")
            if not line.startswith(body + b',"meta":'):
                _compare(body, event, requests=True)
                raise ReplayDivergence(step, "encoding", "the recorded bytes", "other bytes for equal values")
        for step in map(_step, self._before):
            if step not in self._recorded:
                raise ReplayDivergence(step, "event", "nothing", "told")

    def _start(self, event: dict[str, Any]) -> None:
        self.game.start()
        made = {"roles": self.game.roles, "full_tree_size": self.protocol.full_tree_size(self.game.question)}
        for field, value in made.items():
            if event.get(field) != value:
                raise ReplayDivergence("", field, event.get(field), value)

    def _answer(self, event: dict[str, Any]) -> None:
        step = event["step"]
        if (waiting := self.game.open.get(step)) is None:
            raise ReplayDivergence(step, "open steps", step, ", ".join(self.game.open) or "none (the play has ended)")
        if self.requests is not None:
            self.requests.append(waiting.digest)
        elif waiting.digest != event["request"]:
            raise ReplayDivergence(step, "request", event["request"], waiting.digest)
        if self._see is not None:
            self._see(self.game.request(step), event)
        reply = event["raw"] if "raw" in event else event["move"]
        spent, history = event["meta"].get("spent"), "remark" in event
        try:
            self.game.answer(step, reply, reads=event.get("reads", 0), spent=spent, history=history)
        except Illegal as error:
            raise ReplayDivergence(step, "remark", event["remark"], str(error)) from None

    def _feed(self, event: dict[str, Any]) -> None:
        game, name = self.game, event["event"]
        if name == "failed" and event["step"] in game.open:
            outcome = outcome_of(event["outcome"], self.transcript.name)
            game.end(outcome, failed=event["step"], reads=event.get("reads", 0))
        elif name == "ended":
            outcome = outcome_of(event["outcome"], self.transcript.name)
            if not isinstance(outcome, (Decided, Forfeited)):
                game.end(outcome)


def _step(body: bytes) -> str:
    """The step of an event that has no meta yet."""
    return str(from_json(body + b"}")["step"])


def _compare(again: bytes, event: dict[str, Any], requests: bool = False) -> None:
    """Raise ReplayDivergence at the first field in which a replayed event differs from the recorded one. requests: whether
    hashes of requests and the words of rules that were broken count, which are those of this version."""
    got, was = _compared(from_json(again + b"}"), requests), _compared(event, requests)
    for field in dict.fromkeys((*was, *got)):
        if was.get(field) != got.get(field):
            raise ReplayDivergence(str(event.get("step", "")), field, was.get(field), got.get(field))


def _compared(event: dict[str, Any], requests: bool) -> dict[str, Any]:
    left_out = {"meta", "chain"} if requests else {"meta", "chain", "request", "rule"}
    kept = {field: value for field, value in event.items() if field not in left_out}
    if not requests and isinstance(kept.get("outcome"), dict):
        kept["outcome"] = {field: value for field, value in kept["outcome"].items() if field != "rule"}
    return kept


def replay(transcript: Transcript, protocol: Protocol | None = None) -> Replayed:
    """Run the protocol again on the recorded moves and compare every event, every request's hash included (not in version
    1, as the result then says). protocol: the one to run, when it cannot be found by its recorded name.
    Raises ReplayDivergence(step, field, expected, got) at the first difference, TranscriptError on a broken chain."""
    again = Replay(transcript, protocol)
    again.game.close()
    return Replayed(transcript, again.requests is None)


def requests_of(transcript: Transcript, see: Callable[[Request, Mapping[str, Any]], None]) -> None:
    """Run a play again on its recording, and show each request as its seat had it, together with the event that answered it
    ("moved" or "rejected"), before it does. Raises like `replay`."""
    Replay(transcript, see=see)


def verify(transcript: Transcript, head: str | None = None, key: bytes | None = None) -> Verified:
    """Fold the log and check its chain, and the file of its truth where that is here, without running the protocol. Raises
    TranscriptError naming line and event.

    The chain alone shows accidents: whoever edits a transcript, or cuts its last events off, can make the chain anew. head:
    as an earlier check gave it, and kept elsewhere; then every event up to now is as it was. key: of `moot.sign`; then
    nobody without the key has changed anything since. Raises TranscriptError where they do not fit."""
    count, unknown, ended, last = 0, 0, False, b""
    torn: list[bytes] = []

    def counted() -> Iterator[tuple[bytes, dict[str, Any]]]:
        nonlocal count, unknown, ended, last
        for last, event in transcript.check(torn=torn):  # noqa: B007
            count += 1
            if (name := event["event"]) != "moved":
                unknown += name not in KNOWN
                ended = name == "ended" or (ended and name != "resumed")
            yield last, event

    digest = digest_of(counted())
    found = chain_of(last).decode()
    if head is not None and head.strip().lower() != found:
        raise TranscriptError(
            f"{transcript.name}: its head is {found}, and not {head}: it is another transcript, was changed, cut or went on"
        )
    if key is not None:
        check_signature(transcript, key)
    return Verified(count, ended, digest, unknown, sum(map(len, torn)), found, key is not None, _truth_of(transcript))


def _truth_of(transcript: Transcript) -> Literal["unknown", "recorded", "sealed", "elsewhere"]:
    """Where the truth is, as `Verified` says it. Raises TranscriptError when its file was altered."""
    sample = transcript.sample
    try:
        known = sample.unseal() is not None
    except SealedElsewhere:
        return "elsewhere"
    return "sealed" if isinstance(sample, Sealed) else "recorded" if known else "unknown"


class Recorded(NamedTuple):
    """One answer from a recording: the reply as it was given, the hash of the request it answered, what it read; whether it
    is history, with a remark."""

    reply: Mapping[str, Any]
    request: str
    reads: int | None
    spent: Mapping[str, Any] | None
    history: bool = False
    seat: str = ""
    kind: str = ""

    def answers(self, ask: AskEffect) -> bool:
        """Whether it is of the seat that is asked, and of a kind that it is asked for (what was no move has none)."""
        return self.seat == ask.seat and self.kind in ("", *(kind.model_fields["kind"].default for kind in ask.kinds))


class Recording:
    """Recorded answers by step, to be played again in part."""

    def __init__(
        self, transcript: Transcript, before: str | None = None, without: frozenset[str] = frozenset(),
        protocol: Protocol | None = None, but: frozenset[str] = frozenset(), whole: bool = False,
    ) -> None:  # fmt: skip
        """before: only steps that come before this one, in the order of paths. without: not the steps of these seats.
        protocol: run, instead of the recorded one, to hash the requests of a recording in version 1 anew. but: not these
        steps. whole: of a play with more rounds; what it holds is used for whoever said it, though the request was another."""
        self.whole = whole
        self.question = asked(transcript.started)  # as the hashes of its requests have it
        anew = None if transcript.version == VERSION else iter(Replay(transcript, protocol).requests or ())
        self.answers: dict[str, deque[Recorded]] = {}
        limit = path_of(before) if before is not None else None
        for _, event in played(transcript.pairs(kept=False)):
            if event["event"] not in _ANSWERED:
                continue
            request = event["request"] if anew is None else next(anew)
            step, seat = event["step"], event["seat"]
            if seat in without or step in but or (limit is not None and path_of(step) >= limit):
                continue
            reply = event.get("raw") or event["move"]
            move, spent = event.get("move"), event["meta"].get("spent")
            kind = str(move.get("kind", "")) if isinstance(move, dict) else ""
            recorded = Recorded(reply, request, reads_in(event), spent, "remark" in event, seat, kind)
            self.answers.setdefault(step, deque()).append(recorded)

    def next(self, step: str) -> Recorded | None:
        """The next recorded answer for a step, and use it up; None when there is none left."""
        waiting = self.answers.get(step)
        return waiting.popleft() if waiting else None
