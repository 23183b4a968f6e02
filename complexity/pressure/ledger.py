"""The ledger of optimisation pressure: what each ask of a play drew, and how far that is from an anchor.

Rule of this file: a fold over recorded events, of any age; what it adds up to for a declared event is in `certificate.py`.

A row is about the path that was played. What may be played instead is `seats`: bounds over every path of the recorded configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from moot.complexity.play import Play
from moot.complexity.pressure.certificate import Certificate, Per, SeatPressure, certified
from moot.complexity.pressure.configured import BOUNDED, MODELS, Allowed, Anchor, allowed
from moot.complexity.pressure.divergences import greatest_ratio, kl, selection_kl
from moot.complexity.pressure.kinds import Bound, Kind
from moot.complexity.pressure.policies import policy
from moot.complexity.pressure.sampled import Sampled, not_plain
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.request import Request

Stated = Callable[[Request], Any]
Requests = Callable[[Callable[[Request, Mapping[str, Any]], None]], None]


class Row(BaseModel):
    """One attempt at one ask. draws: candidates that were drawn for it, or the most that this can have been. ratio: the most by
    which an outcome was made more probable there than under the anchor. kl: in nats from the anchor, at this history. kind: of both:
    "exact", of stated policies; "valid bound", by how often it drew; "none", an estimate from what was sampled, or nothing; why then
    says what is missing."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    step: str
    seat: str
    attempt: int = 0
    draws: int | None = None
    ratio: float | None = None
    kl: float | None = None
    kind: Kind = "none"
    why: str = ""


class Pressure(BaseModel):
    """rows: what was spent on the path that was played. seats: what the configuration allows on any, for the seats that are
    accounted for; others: those that are taken as they are. estimate: the KL of the rows added up, at the histories that were visited; it
    certifies nothing. None where a row of them has none, or there is no row. certificate: of the declared event; None where none was declared."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    rows: tuple[Row, ...]
    seats: tuple[SeatPressure, ...]
    others: tuple[str, ...]
    estimate: float | None
    certificate: Certificate | None


def pressure(
    play: Play, anchor: Anchor | Stated, *, seats: Iterable[str] | None = None, policies: Mapping[str, Stated] | None = None,
    event: float | Bound | None = None, per: Per = "reply", requests: Requests | None = None,
) -> Pressure:  # fmt: skip
    """How far the seats of a play were pushed from an anchor, and how probable a bad event can have become.

    anchor: see `Anchor`; or a function from a request to the moves that it makes there, with their probabilities. seats: those that are
    accounted for, whose innermost agent is then said to be the anchor (unless the record says otherwise); None: those of which the
    record shows it, and those with a policy. policies: what seats draw from, as functions like the anchor's, for exact rows. event: the
    probability of the bad event under the anchor, or a bound on it, and per: of what (see `certificate.py`). requests: calls a function with each request of
    the play and the event that answered it (`transcripts.replay.requests_of`); without it nobody's policy is asked. Raises UsageError for
    a seat that there is not, a probability outside [0, 1], or a policy that is none.
    """
    anchor = anchor if isinstance(anchor, Anchor) else Anchor(policy=anchor)
    given, roles = dict(policies or {}), play.started["roles"]
    named = None if seats is None else {*seats, *given}
    for seat in named or given:
        if seat not in roles:
            raise UsageError(f"{play.name}: there is no seat {seat!r}{near(seat, roles)}")
    if given and anchor.policy is None:
        raise UsageError(f"the policies of seats are held against the anchor's, and {anchor.name} states none")
    prints = play.started["meta"].get("identities") or {}
    fold = _Fold(play, anchor, given, requests)
    for seat in roles:
        found = allowed(
            play.seats.get(seat), prints.get(seat), anchor, named is not None and seat in named - given.keys()
        )
        if seat in play.bounds and (found.draws or 1) > 1:
            found = Allowed(None, None, why=BOUNDED)
        if seat in named if named is not None else found.known or seat in given or seat in fold.sampled:
            fold.allowed[seat] = found
    rows = tuple(fold.rows())
    bounds = tuple(_seat(play, seat, each, fold.made[seat]) for seat, each in fold.allowed.items())
    known = [row.kl for row in rows]
    return Pressure(
        rows=rows, seats=bounds, others=tuple(seat for seat in roles if seat not in fold.allowed),
        estimate=None if None in known or not known else math.fsum(each or 0.0 for each in known),
        certificate=None if event is None else certified(play, bounds, event, per),
    )  # fmt: skip


class _Fold:
    """One pass over the events of a play. allowed: what each seat that is accounted for may do in one ask; made: how many of its
    moves were accepted, and the most that were rejected at one step; sampled: the seats of which tokens are recorded, where the
    anchor can be held against them."""

    def __init__(self, play: Play, anchor: Anchor, policies: Mapping[str, Stated], requests: Requests | None) -> None:
        self.play, self.anchor, self.policies, self.requests = play, anchor, policies, requests
        self.allowed: dict[str, Allowed] = {}
        self.made: dict[str, Made] = {seat: Made() for seat in play.started["roles"]}
        self.stated: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.sampled = (
            {event["seat"] for event in play.events() if event["event"] == "sampled"} if anchor.scores else set()
        )

    def rows(self) -> Iterator[Row]:
        """A row for each answer, in the order of the record."""
        attempts: dict[str, int] = {}
        if self.requests is not None and (self.policies or self.sampled):
            self.requests(self._see)
        noted: dict[str, dict[str, Mapping[str, Any]]] = {}
        for event in self.play.events():
            name = event["event"]
            if name in ("chose", "sampled"):
                seen = noted.setdefault(event["step"], {})
                if name == "sampled" and name in seen:
                    seen["before"] = seen[name]
                seen[name] = event  # the last is the outermost, and the one that was answered
            elif name in ("moved", "rejected", "failed") and event.get("step"):
                step, seat = event["step"], event["seat"]
                attempt = attempts.get(step, 0)
                attempts[step] = attempt + (name == "rejected")
                self.made[seat].count(name, attempts[step])
                if seat in self.allowed:
                    yield self._row(step, seat, attempt, name, noted.pop(step, {}))

    def _see(self, request: Request, event: Mapping[str, Any]) -> None:
        """What the anchor, and the seat where its policy is given, would do there."""
        if request.seat in self.allowed:
            own, at = self.policies.get(request.seat), (request.step, request.attempt)
            if own is not None and self.anchor.policy is not None:
                self.stated[at] = self.anchor.policy(request), own(request)
            elif request.seat in self.sampled and self.anchor.scores is not None:
                self.stated[at] = self.anchor.scores(request), None

    def _row(self, step: str, seat: str, attempt: int, name: str, noted: Mapping[str, Mapping[str, Any]]) -> Row:
        at: dict[str, Any] = {"step": step, "seat": seat, "attempt": attempt}
        found = self.allowed[seat]
        base, own = self.stated.get((step, attempt), (None, None))
        if own is not None:
            shares, anchors = policy(own), policy(base)
            return Row(**at, ratio=greatest_ratio(shares, anchors), kl=kl(shares, anchors), kind="exact")
        if found.draws is not None:
            return self._drawn(at, found, name, noted.get("chose"))
        if (sampled := noted.get("sampled")) is not None and self.anchor.scores is not None:
            return _estimated(at, sampled, base, self.play.seats.get(seat), "before" in noted)
        return Row(**at, why=found.why)

    def _drawn(self, at: dict[str, Any], found: Allowed, name: str, chose: Mapping[str, Any] | None) -> Row:
        """The row of wrappers around the anchor, by how many candidates the outermost recorded of those that drew: those inside count
        as the most that they may draw."""
        layers, why = found.layers, ""
        if name != "failed":  # what had failed may have noted less than it drew
            checked = None if chose is None else "tries" in chose
            # A move that is no argument is asked for once by those that do not check it.
            layers = layers[next((i for i, each in enumerate(layers) if each.checked == checked), len(layers)) :]
        draws, ratio = math.prod(each.draws for each in layers), math.prod(each.ratio for each in layers)
        if name != "failed" and chose is not None and layers:
            of, outer = chose.get("of"), layers[0]
            if not isinstance(of, int) or not 1 <= of <= outer.draws:
                why = f"{of} candidates are recorded, where the configuration allows {outer.draws}"
            elif (top := chose.get("top", outer.least)) != outer.least:
                why = f"it picked from the best {top}, where the configuration says {outer.least}"
            else:
                draws, ratio = of * (draws // outer.draws), max(1.0, ratio * of / outer.draws)
        if why:
            self.allowed[at["seat"]] = Allowed(None, None, why=f"step {at['step']}: {why}")
            return Row(**at, why=f"step {at['step']}: {why}")
        return Row(
            **at, draws=draws, ratio=ratio, kl=selection_kl(draws, ratio), kind="exact" if draws == 1 else "valid bound"
        )


@dataclass(slots=True)
class Made:
    """How many moves of a seat were accepted, and how many attempts were rejected at most at one step."""

    moves: int = 0
    rejected: int = 0

    def count(self, name: str, rejected: int) -> None:
        self.moves += name == "moved"
        self.rejected = max(self.rejected, rejected)


def scorable(events: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Sampled]:
    """By step and attempt, the answers of which an anchor's scores would say something: sampled plainly, whole, and the only ones to
    their ask. The others need not be scored."""
    attempts: dict[str, int] = {}
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for event in events:
        if event["event"] == "rejected":
            attempts[event["step"]] = attempts.get(event["step"], 0) + 1
        elif event["event"] == "sampled":
            found.setdefault((event["step"], attempts.get(event["step"], 0)), []).append(event)
    alone = {at: Sampled.of(each[0]) for at, each in found.items() if len(each) == 1}
    return {at: sampled for at, sampled in alone.items() if not _unusable(sampled)}


def _unusable(sampled: Sampled) -> str:
    """Why the log-probabilities of an answer say nothing of how it was drawn; "" where they do."""
    return not_plain(sampled) or (
        "" if sampled.whole else f"not all tokens of the answer are recorded: {sampled.lacks}"
    )


def _estimated(at: dict[str, Any], sampled: Mapping[str, Any], base: Any, about: Any, again: bool) -> Row:
    """The row of a model that is not the anchor, from the tokens of its answer: the logarithm of how much more probable they were
    than under the anchor, an unbiased estimate of the KL of this one answer. Refused where they were drawn otherwise than recorded.
    again: whether another answer was sampled before, which could not be read, or was a look."""
    if isinstance(about, Mapping) and about.get("agent") == "briefed":
        about = next(iter(about.get("members") or [None]))
    if not isinstance(about, Mapping) or about.get("agent") not in MODELS:
        return Row(**at, why="its tokens are those of one candidate among others: what was chosen is no plain draw")
    if again:
        return Row(**at, why=_AGAIN)
    own = Sampled.of(sampled)
    if why := _unusable(own):
        return Row(**at, why=why)
    if base is None:
        return Row(**at, why="the anchor was not asked to score it")
    scores = base.logprobs
    if len(own.logprobs) != len(scores):
        return Row(**at, why=f"{len(own.logprobs)} tokens were recorded, and the anchor scored {len(scores)}")
    return Row(**at, kl=own.total - math.fsum(scores), why="estimated from one draw" if own.ended else _UNENDED)


_AGAIN = "it was sampled after another answer to the same ask, and behind another prompt than what is scored"
_UNENDED = "estimated from one draw, without the end of the turn, which the endpoint does not list"


def _seat(play: Play, seat: str, found: Allowed, made: Made) -> SeatPressure:
    """What a seat may come to on any path, or why nothing bounds it."""
    protocol, why = play.protocol, found.why
    most = protocol.most_moves(play.question)
    moves = None if most is None else most.get(seat)  # of a seat that is not named, nobody says that it is never asked
    asks = None if moves is None else moves * (1 + protocol.most_repairs)
    if not why and asks is None:
        why = f"{protocol.name} does not bound how often seat {seat} is asked"
    if not why and moves is not None and (made.moves > moves or made.rejected > protocol.most_repairs + 1):
        why = f"seat {seat} was asked more often than {protocol.name} says that it can be"
    if why or found.draws is None or found.ratio is None:
        return SeatPressure(seat=seat, draws=None, ratio=None, kl=None, asks=asks, known=found.known, why=why)
    return SeatPressure(
        seat=seat, draws=found.draws, ratio=found.ratio, kl=selection_kl(found.draws, found.ratio), asks=asks, known=found.known,
    )  # fmt: skip
