"""What must hold after every session of a sequence of faults, and at its end.

Rule: it reads files, the endpoint's own books and what came out of a session, and raises Broken; nothing is run here but
what reads transcripts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fault_kit import RETURNED, Broken, Cast, Run, Session, run_session
from fault_world import LASTING, OVERLOAD, TEXTS, Served, World

import moot
from moot.transcripts.events import PLAYED
from moot.transcripts.once import Whole

Event = dict[str, Any]
REFUSED = (400, 401, 429, 503, 529)


@dataclass
class Sequence:
    """A play, and all that has happened to it so far."""

    cast: Cast
    path: Path
    seed: int = 0
    world: World = field(default_factory=World)
    met: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ended: Any = None
    outcomes: list[str] = field(default_factory=list)

    def play(self, *sessions: Session) -> None:
        """Every session, then healthy ones until the play has ended; raises Broken where the invariant does not hold."""
        for session in (*sessions, Session(), Session()):
            if self.ended is None:
                self.one(session)
        require(self.ended is not None, "a healthy session did not end the play")
        before = whole(self.path)
        _, refused = run_session(self.world, self.cast, Session(), self.path, self.seed, again=True)
        require(
            isinstance(refused, moot.UsageError) and "has ended" in str(refused),
            f"an ended play was resumed: {refused!r}",
        )
        require(self.path.read_bytes() == before, "refusing to resume changed the file")
        self.count()
        changed = self.met.keys() & ({*TEXTS} | {f"agent: {name}" for name in RETURNED}) or self.cast.name == "best"
        if self.ended.kind == "decided" and not changed:
            require(moot.load(self.path).digest == healthy(self.cast, self.seed), "faults that passed changed the play")

    def one(self, session: Session) -> None:
        """One session, and what must hold after it."""
        before = whole(self.path)
        if not before:
            self.path.unlink(missing_ok=True)
        moved = {event["step"] for event in events(before) if event["event"] == "moved"}
        arrived, refused = len(self.world.served), self.world.refused
        try:
            run, result = run_session(self.world, self.cast, session, self.path, self.seed, again=bool(before))
        except Broken:
            raise
        except BaseException as error:
            raise Broken(f"a session died of {type(error).__name__}: {error}") from error
        self.met += run.met
        self.faults += Counter(
            {name: count for name, count in run.met.items() if ": " not in name and " at " not in name}
        )
        after = whole(self.path)
        require(not run.circle, "agents are asked for ever")
        require(after.startswith(before), "what was recorded before has changed")
        content = self.path.read_bytes() if self.path.exists() else b""
        require(
            content == after or run.left is not None or run.torn,
            f"a torn line was left by no kill: {content[len(after) :][:60]!r}",
        )
        new = self.world.served[arrived:]
        again = {served.step for served in new} & moved | set(run.steps) & moved
        require(not again, f"steps {sorted(again)} had been answered, and were asked again")
        try:
            if after:
                moot.verify(moot.load(self.path))
                moot.replay(moot.load(self.path))
        except moot.MootError as error:
            raise Broken(f"what was recorded is not whole: {error}") from error
        done = Counter(served.body for served in new if served.good and served.whole)
        require(all(count == 1 for count in done.values()), "a call that was completed was made again")
        self.result(run, result, events(after)[len(events(before)) :])
        if run.left is None and not run.lost_writes:
            noted = [event for event in events(after)[len(events(before)) :] if event["event"] == "attempted"]
            calls = len(new) + self.world.refused - refused
            more = any(event["error"] == "cancelled" for event in noted)
            require(
                len(noted) == calls or (more and len(noted) > calls), f"{calls} calls were made and {len(noted)} noted"
            )

    def result(self, run: Run, result: Any, new: list[Event]) -> None:
        """What may come of a session, given what happened in it."""
        outcome: Any = getattr(result, "outcome", None) if isinstance(result, moot.Transcript) else None
        self.outcomes.append(
            "killed"
            if run.left
            else "cancelled"
            if result is None
            else outcome.kind
            if outcome
            else type(result).__name__
        )
        if new and (now := moot.load(self.path).outcome) is not None and now.kind != "errored":
            self.ended = now
        if run.left is not None:
            return
        names = [event["event"] for event in new]
        if result is None:
            require(run.stopped, "the play was cancelled by nobody")
            said = bool({"ended", "cancelled"} & set(names)) or bool(run.lost_writes)  # it may just have ended
            require(said, f"a cancelled play does not say so, but {names[-3:]}")
            return
        if isinstance(result, moot.MootError):
            require(bool(run.lost_writes), f"{type(result).__name__}: {result}")
            require(self.path.name in str(result), f"an error that names no file: {result}")
            return
        require(outcome is not None, f"a session ended with {result!r} and no outcome")
        last = [event for event in new if event["event"] in PLAYED][
            -1
        ]  # calls that were given up may be noted after it
        recorded = last["event"] == "ended" and last["outcome"] == outcome.model_dump(mode="json")
        require(recorded, f"the outcome is not recorded, but {names[-3:]}")
        slips = {name.partition(": ")[2] for name in self.met if name.startswith("agent: ")}
        textual = sum(self.met[name] for name in TEXTS)
        words = str(
            getattr(outcome, "cause", "") or getattr(outcome, "reason", "") or getattr(outcome, "rule", "") or "-"
        )
        require(bool(words.strip()), f"{outcome.kind} without a reason")
        if outcome.kind == "errored":
            require(bool(run.met), f"errored, and nothing had happened: {words}")
            few = len(run.met) == 1 and sum(run.met.values()) == 1
            if few and set(self.faults) & set(run.met):
                require(bool(set(run.met) & LASTING), f"one passing fault, {[*run.met]}, ended the play: {words}")
        elif outcome.kind == "unreadable":
            require(textual >= 2 or "unreadable" in slips, f"unreadable, although everything was read: {words}")
        elif outcome.kind == "forfeited":
            require(bool(slips & set(RETURNED)) or bool(textual), f"forfeited without an illegal move: {words}")
        elif outcome.kind == "exhausted":
            require(outcome.seat == "judge" and bool(self.cast.bounded), "exhausted without a bound")
            require(outcome.used >= outcome.limit, f"exhausted within the limit: {outcome}")
            idle = outcome.measure != "reads" and set(self.met) <= OVERLOAD
            require(not idle, f"overload ended the play: {outcome}, after {dict(self.met)}")

    def count(self) -> None:
        """The ledger against the endpoint's books."""
        transcript = moot.load(self.path)
        against_the_books(transcript, self.world.served, self.cast.models)
        noted = [
            event for event in transcript.events() if event["event"] == "attempted" and event["error"] != "cancelled"
        ]
        blank = sum(event["prompt_tokens"] is None or event["completion_tokens"] is None for event in noted)
        doubtful = sum(call.known == "unknown" or not call.whole for call in self.world.served)
        require(blank <= doubtful, f"{blank} calls are said to be of unknown cost, and {doubtful} are")


_healthy: dict[tuple[str, int], str] = {}


def healthy(cast: Cast, seed: int) -> str:
    """The digest of the same play in a world without faults."""
    if (cast.name, seed) not in _healthy:
        with TemporaryDirectory() as folder:
            _, played = run_session(World(), cast, Session(), Path(folder) / "play.jsonl", seed, again=False)
            _healthy[cast.name, seed] = played.digest
    return _healthy[cast.name, seed]


def against_the_books(transcript: moot.Transcript, served: Iterable[Served], models: Iterable[str]) -> None:
    """What a transcript says of its calls, and its ledger of these seats, against what an endpoint knows of the same."""
    noted = [event for event in transcript.events() if event["event"] == "attempted"]
    books = {call.number: call for call in served}
    found: set[int] = set()
    for event in noted:
        if event["error"] and event["status"] in REFUSED:
            billed = event["prompt_tokens"], event["completion_tokens"], event["cost"]
            require(billed == (0, 0, 0), f"a refusal was billed: {event}")
        if not event["completion_tokens"] or event["prompt_tokens"] is None:
            continue
        number = event["completion_tokens"] - 1
        require(number in books and number not in found, f"charged twice, or never made: {event}")
        found.add(number)
        call = books[number]
        require(
            call.seat in ("", event["seat"]) and call.step in ("", event["step"]),
            f"a call of {call.seat} is noted elsewhere: {event}",
        )
        require(call.known == "exact" and call.whole, f"what broke off ({call.fault}) was counted: {event}")
        require((event["prompt_tokens"], event["completion_tokens"]) == call.bill, f"other tokens than billed: {event}")
    for seat in models:
        spent, own = transcript.ledger.seats[seat], [call for call in books.values() if call.seat in ("", seat)]
        require(
            spent.attempts == sum(event["seat"] == seat for event in noted), f"{seat}: attempts are not what was noted"
        )
        missing = [call for call in own if call.seat == seat and call.known != "nothing" and call.number not in found]
        numbers = {
            event["completion_tokens"] - 1 for event in noted if event["seat"] == seat and event["completion_tokens"]
        }
        known = sum(sum(call.bill or ()) for call in own if call.number in found & numbers)
        tokens = transcript.ledger.spent(seat, "tokens")
        limit = transcript.bounds.get(seat, {}).get("tokens", known)
        require(known <= limit, f"{seat}: {known} tokens were spent of {limit}")
        if tokens is not None:
            kinds = Counter(call.fault or "whole" for call in missing)
            require(not missing, f"{seat}: {tokens} tokens are said to be all, but {dict(kinds)} may have been billed")
            require(tokens == known, f"{seat}: the ledger says {tokens} tokens, the endpoint {known}")
        else:
            blank = any(event["seat"] == seat and event["completion_tokens"] is None for event in noted)
            explained = missing or blank or spent.lost or _silent(transcript, seat)
            require(bool(explained), f"{seat}: every call is known, and the sum is not")


def _silent(transcript: moot.Transcript, seat: str) -> bool:
    """Whether some answer of a seat came, or failed, without a word on what it took."""
    waiting: set[str] = set()
    for event in transcript.events():
        name, step = event["event"], event.get("step")
        if name in ("moved", "rejected", "failed") and step in waiting:
            return True
        if name == "asked" and event["seat"] == seat:
            waiting.add(event["step"])
        elif name == "attempted":
            waiting.discard(event["step"])
    return bool(waiting)


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


def whole(path: Path) -> bytes:
    """The whole lines of a file that may not be there."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def events(lines: bytes) -> list[Event]:
    whole = Whole()
    return [whole.of(json.loads(line)) for line in lines.splitlines()]
