"""What a configuration certifies of a bad event: the smallest upper bound on its probability, and the route by which it holds.

Rule of this file: bounds over every path in, one record out. What was estimated on the path that was played has no part in it.

**A path is not a policy.** Where a play may go on by a quiet branch or by one that draws sixteen times, the quiet one shows a ratio of 1,
and the event may lie in the other. So a certificate takes what the recorded configuration allows anywhere: so many draws for an ask,
so many asks, repairs among them; where one of these is not bounded, there is none.

Three routes, of which the smallest is taken. draws: whatever picks one of n independent draws makes an event of probability p at most
1 - (1 - p)^n. ratio: an outcome becomes at most r times as probable (n, of the best k of n: n / k). kl: the most that a policy within so many
nats can make of p. Each is proved in docs/pressure.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

from moot.complexity.play import Play
from moot.complexity.pressure.divergences import any_of, kl_inverse
from moot.complexity.pressure.kinds import Bound, upper_of
from moot.protocols.engine.errors import UsageError

Per = Literal["reply", "play"]
"""Of what the declared probability is. reply: of one reply of the anchor, whatever it is asked; certified is then that no reply of
the play lies in the event. play: of a whole play with the anchor in these seats; ratios then multiply along the play."""

ASSUMES: Mapping[str, str] = MappingProxyType(
    {
        "event-of-a-reply": "whatever the anchor is asked in this play, its reply is in the event with at most the declared probability",
        "event-of-a-play": "with the anchor in these seats, and the others as they are, a play is in the event with at most the "
        "declared probability",
        "replies-alone": "the event is one of what is said: a play that ends because a seat failed or ran out is not in it",
        "same-draws": "each draw is distributed as the anchor's reply to the same request",
        "independent-draws": "each draw is independent of those before it, given the request",
        "counted-event": "the event was counted on independent draws of the anchor, or plays with it, their number fixed beforehand",
        "not-chosen": "the play was not chosen for how it went, nor run again because of it",
        "stated-anchor": "what is drawn from is the anchor: so it was said, and the record does not show it",
        "described-anchor": "what is drawn from is the anchor: its description is the same, and no identity was recorded",
    }
)
"""What a certificate rests on, by name."""


class SeatPressure(BaseModel):
    """What a seat may come to on any path. draws, ratio, kl (nats): of one ask, at most; asks: how often it may be asked, repairs
    included. None where nothing bounds them, and why then says so. known: how it was found that it draws from the anchor."""

    model_config = ConfigDict(frozen=True)
    seat: str
    draws: int | None
    ratio: float | None
    kl: float | None
    asks: int | None
    known: str = ""
    why: str = ""


class Certificate(BaseModel):
    """event, per: the probability that was declared, and of what (see `Per`); delta: how probably that may be wrong, where it was
    counted, and the certificate with it. upper: the smallest certified upper bound, by `route`; None
    where there is none, and refused says why. routes: the bound by each. assumes: what it rests on, names of `ASSUMES`."""

    model_config = ConfigDict(frozen=True)
    event: float
    per: Per
    delta: float | None
    upper: float | None
    route: str
    routes: Mapping[str, float]
    assumes: tuple[str, ...]
    refused: tuple[str, ...]


def certified(play: Play, seats: Sequence[SeatPressure], event: float | Bound, per: Per) -> Certificate:
    """What the configuration of a play certifies of an event, of which the probability is known or bounded. Raises UsageError for a
    probability outside [0, 1], and for a bound that holds nothing from above."""
    p, delta = event, None
    if isinstance(event, Bound):
        p, delta = upper_of(event), event.delta
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise UsageError(f"the probability of the event is {p!r}; it must lie in [0, 1]")
    if per not in ("reply", "play"):
        raise UsageError(f"the event is per {per!r}; it can be per 'reply' or per 'play'")
    refused = [*_unfit(play), *(f"seat {each.seat}: {each.why}" for each in seats if each.why)]
    if not seats:
        refused.append("no seat is known to draw from the anchor; name those that do, or take another anchor")
    p = abs(float(p))
    routes = {} if refused else _routes(seats, p, per)
    route = min(routes, key=lambda name: routes[name]) if routes else ""
    return Certificate(
        event=p, per=per, delta=delta, upper=routes.get(route), route=route, routes=routes, refused=tuple(refused),
        assumes=() if refused else _assumed(seats, route, per, counted=delta is not None),
    )  # fmt: skip


def _unfit(play: Play) -> list[str]:
    """Why the record of a play does not show all that was drawn for it."""
    found, names = [], {event["event"] for event in play.events()}
    if play.started["meta"].get("parent"):
        found.append("the play goes on from another one, whose draws are not in its record")
    if "imported" in names:
        found.append("the play was imported: who drew what is not recorded")
    if "resumed" in names:
        found.append("the play was taken up again, and nothing bounds how often that may happen")
    if play.outcome is None:
        found.append("the play has not ended: whoever stopped it may have looked at it")
    return found


def _routes(seats: Sequence[SeatPressure], p: float, per: Per) -> dict[str, float]:
    """The bound by each route, rounded up."""
    p = max(p, _LEAST) if p else p

    def over(figure: Callable[[SeatPressure], float]) -> float:
        return math.fsum(_times(each.asks, figure(each)) for each in seats if each.asks)

    if per == "reply":
        found = {
            "draws": _any(over, lambda seat: any_of(p, seat.draws or 1)),
            "ratio": _any(over, lambda seat: min(1.0, p * (seat.ratio or 1.0))),
            "kl": _any(over, lambda seat: kl_inverse(p, seat.kl or 0.0)),
        }
    else:
        draws, ratio = over(lambda seat: math.log(seat.draws or 1)), over(lambda seat: math.log(seat.ratio or 1.0))
        found = {
            "draws": any_of(p, math.exp(draws)) if draws < _LARGEST else float(p > 0),
            "ratio": min(1.0, p * math.exp(ratio)) if ratio < _LARGEST else float(p > 0),
            "kl": kl_inverse(p, over(lambda seat: seat.kl or 0.0)),
        }
    return {name: min(1.0, bound * (1 + 1e-12)) for name, bound in found.items()}


_LARGEST = 700.0  # of which the exponential is a float
_LEAST = 1e-300  # an event that is rarer is taken to be this probable: below it products are rounded down by more than they are raised


def _times(asks: int, figure: float) -> float:
    """So many asks of one figure each; there may be more than a float can count."""
    if not figure:
        return 0.0
    return asks * figure if asks < 1 << 1000 else math.copysign(math.inf, figure)


def _any(over: Callable[[Callable[[SeatPressure], float]], float], of: Callable[[SeatPressure], float]) -> float:
    """How probable it is at most that any ask of any seat lies in the event, where one ask does with at most `of`: asks come one
    after another, and what the bound says of each holds whatever was answered before."""
    return abs(math.expm1(over(lambda seat: math.log1p(-bound) if (bound := of(seat)) < 1 else -math.inf)))


def _assumed(seats: Sequence[SeatPressure], route: str, per: Per, counted: bool) -> tuple[str, ...]:
    known = {each.known for each in seats}
    drawn = any((each.draws or 1) > 1 for each in seats)
    return (
        f"event-of-a-{per}", "replies-alone", "same-draws",
        *(("independent-draws",) if drawn and route != "ratio" else ()), *(("counted-event",) if counted else ()), "not-chosen",
        *(("stated-anchor",) if "stated" in known else ()), *(("described-anchor",) if "description" in known else ()),
    )  # fmt: skip
