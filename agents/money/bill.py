"""What plays have cost, by seat and model, from their recorded attempts.
Rule: it reads events and calls nobody; an attempt whose cost nobody knows is counted as such, never as 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moot.agents.money.models import models_in
from moot.agents.money.usage import tokens_in
from moot.protocols.engine.errors import UsageError

COUNTS = ("prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens")
CAPS = frozenset(("cap", "cap_tokens"))  # what the record of a play says of a cap
ALWAYS = ("prompt_tokens", "completion_tokens")  # what every endpoint counts that counts at all


@dataclass(slots=True)
class Line:
    """What one model took in one seat. attempts: calls that were sent. tokens: by name, what is known of them, summed.
    untold: attempts that did not tell how many. cost: what is known of it; stated: how much of that the provider itself
    stated. unknown: attempts of unknown cost; at_most: what those can have cost, None where that is unknown too. counted: what counts against
    a cap, which what a program pays beside it does not; None where that is unknown. taken: the tokens that count against a cap,
    untold ones at what was set aside for them; None where that is unknown."""

    seat: str
    model: str
    attempts: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    untold: int = 0
    cost: float = 0.0
    stated: float = 0.0
    unknown: int = 0
    at_most: float | None = 0.0
    counted: float | None = 0.0
    taken: int | None = 0

    def add(
        self, event: Mapping[str, Any], at_most: float | None, counts: bool = True, most_tokens: int | None = None
    ) -> None:
        """One `attempted` event. at_most, most_tokens: what was set aside for it; counts: against a cap."""
        self.attempts += 1
        if event.get("cached"):
            return
        for name in COUNTS:
            self.tokens[name] += event.get(name) or 0
        self.untold += any(event.get(name) is None for name in ALWAYS)
        if counts:
            self._take(most_tokens if (told := tokens_in(event)) is None else told)
        cost = event.get("cost")
        if cost is None:
            self.lose(at_most, counts)
            return
        self.cost += cost
        if counts:
            self.counted = _both(self.counted, cost)
        self.stated += cost if event.get("cost_by") == "provider" else 0

    def _take(self, tokens: int | None) -> None:
        self.taken = None if self.taken is None or tokens is None else self.taken + tokens

    def vanish(self, at_most: float | None, most_tokens: int | None) -> None:
        """Count an attempt that never came back."""
        self.attempts += 1
        self.untold += 1
        self._take(most_tokens)
        self.lose(at_most)

    def lose(self, at_most: float | None, counts: bool = True) -> None:
        """Count an attempt of unknown cost."""
        self.unknown += 1
        self.at_most = _both(self.at_most, at_most)
        if counts:
            self.counted = _both(self.counted, at_most)


def _both(one: float | None, other: float | None) -> float | None:
    """The sum of two amounts; None where one is unknown."""
    return None if one is None or other is None else one + other


Pricing = Callable[[Mapping[str, Any]], float | None]


def bill_of(events: Iterable[Mapping[str, Any]], pricing: Pricing = lambda event: None) -> list[Line]:
    """The bill of a play, a line for each seat and model. pricing: the cost of an attempt that was recorded without one.

    What was set aside for an attempt that never came back (the process was killed) is of unknown cost, and at most that; of
    a call that a model was asked for without a cap, and that never came back, not even so much is known."""
    lines: dict[tuple[str, str], Line] = {}
    held: dict[Any, tuple[Line, float | None, int | None]] = {}
    asked: dict[str, Line] = {}
    heard: set[str] = set()  # steps of which an attempt came back, though another may be under way
    seats: Mapping[str, Any] = {}
    capped = False

    def line(event: Mapping[str, Any]) -> Line:
        key = str(event["seat"]), str(event.get("model") or "unknown")
        return lines.setdefault(key, Line(*key))

    def lost() -> None:
        for each, at_most, most_tokens in held.values():
            if at_most or most_tokens:  # else it was given back
                each.vanish(at_most, most_tokens)
        held.clear()
        for each in () if capped else asked.values():
            each.vanish(None, None)
        asked.clear()
        heard.clear()

    for event in events:
        name = event["event"]
        if name == "reserved":
            capped = True
            held[event["seat"], event["hold"]] = line(event), event.get("at_most"), event.get("most_tokens")
        elif name == "attempted":
            _, at_most, most_tokens = held.pop((event["seat"], event.get("hold")), (None, None, None))
            if event.get("cost") is None and (cost := pricing(event)) is not None:
                event = {**event, "cost": cost}
            line(event).add(event, at_most, not capped or "hold" in event, most_tokens)
            heard.add(event["step"])
        elif name in ("started", "resumed"):
            lost()
            seats, capped = event["meta"].get("seats") or {}, not CAPS.isdisjoint(event["meta"])
        elif name == "asked" and (models := list(models_in(seats.get(event["seat"])))):
            asked[event["step"]] = line({"seat": event["seat"], "model": models[0]["model"]})
        elif name in ("moved", "rejected"):
            asked.pop(event["step"], None)
            heard.discard(event["step"])
        elif name in ("failed", "cancelled"):  # what was under way was stopped, and has said so
            for step in (*heard, str(event.get("step"))):
                asked.pop(step, None)
    lost()
    return [each for each in lines.values() if each.attempts]


def summed(lines: Iterable[Line]) -> list[Line]:
    """Lines of several plays as one bill, a line for each seat and model."""
    total: dict[tuple[str, str], Line] = {}
    for each in lines:
        into = total.setdefault((each.seat, each.model), Line(each.seat, each.model))
        for name in COUNTS:
            into.tokens[name] += each.tokens[name]
        into.attempts, into.untold = into.attempts + each.attempts, into.untold + each.untold
        into.cost, into.stated, into.unknown = (
            into.cost + each.cost,
            into.stated + each.stated,
            into.unknown + each.unknown,
        )
        into.taken = None if into.taken is None or each.taken is None else into.taken + each.taken
        into.at_most, into.counted = _both(into.at_most, each.at_most), _both(into.counted, each.counted)
    return list(total.values())


def charged(lines: Iterable[Line], where: str) -> float:
    """What counts against a cap of a bill: costs, and of unknown ones what they can have been. Raises UsageError where that
    is unknown too."""
    total = 0.0
    for each in lines:
        if each.counted is None:
            raise UsageError(
                f"{where}: what {each.seat} spent with model {each.model} is unknown ({each.unknown} of {each.attempts} calls), "
                "so that a cap over it cannot hold: give its price, where that is what is missing; else go on without a cap, or begin anew"
            )
        total += each.counted
    return total


def taken(lines: Iterable[Line], where: str) -> int:
    """What counts against a cap on tokens: those told, and of an attempt that told none what was set aside for it. Raises
    UsageError where that is unknown."""
    total = 0
    for each in lines:
        if each.taken is None:
            raise UsageError(
                f"{where}: how many tokens {each.seat} took with model {each.model} is unknown ({each.untold} of {each.attempts} calls "
                "do not say), so that a cap on tokens cannot hold: go on without one, or begin anew"
            )
        total += each.taken
    return total
