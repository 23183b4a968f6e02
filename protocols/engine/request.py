"""What a seat is asked for: the brief of its turn, and the request.

Rule of this file: records that hold what a seat may know; what is found late is found once, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pydantic import JsonValue

from moot.protocols.engine.budget import Budget
from moot.protocols.engine.moves import Move
from moot.protocols.engine.view import View


class Brief(TypedDict, total=False):
    """What a protocol tells a seat about its turn. Prompts, forms, the terminal and `moot.testing` know these keys; only those
    that were given are there. They tell, and forbid nothing: the `check` of the ask is the rule.

    task: what the turn is ("speech"), by which instructions are chosen. answer, against: the index of the choice that the
    seat defends, or criticises. round, rounds: where the play stands, and how many there are (None: nobody knows). limit,
    quote_limit: on its words, and on what it quotes, as `Limit` is written. asks: a question put to it. to_seats: whom a
    question may go to. one_of: field to the texts that it, or an entry of it, may be. least, most: field to how long the list
    is. below: field to the first whole number that is too large. budget: what it may hand on to sub-questions. claim: the
    step, or "q" for the question, that the turn is about; with claimed, a question of which that answer is disputed. label:
    the response to it. details: what else there is, in the protocol's own words.
    """

    task: str
    answer: int
    against: int
    round: int
    rounds: int | None
    limit: Mapping[str, JsonValue]
    quote_limit: Mapping[str, JsonValue]
    asks: str
    to_seats: Sequence[str]
    one_of: Mapping[str, Sequence[str]]
    least: Mapping[str, int]
    most: Mapping[str, int]
    below: Mapping[str, int]
    budget: int
    claim: str
    claimed: str
    label: str
    details: Mapping[str, Any]


@dataclass
class Request:
    """What an agent is asked for, and all that it may know.

    step: the path of this step ("0.2.1"). seat: who is asked ("a", "judge"). role: what the seat is ("debater").
    kinds: the move types that may be returned. view: what this seat may see. brief: what the protocol tells this seat
    about its turn. seed: a number of this step's own, equal in every run with the same seed. attempt: 0, then 1 and up when
    an earlier answer to this request was rejected; problem: why it was. budget: what the seat may still spend
    (`budget.left("reads")`). note: records an event of the call (an attempt, with cost).
    """

    step: str
    seat: str
    role: str
    kinds: tuple[type[Move], ...]
    view: View
    brief: Brief
    digest: str
    seed: int = 0
    attempt: int = 0
    problem: str | None = None
    budget: Budget = field(default_factory=Budget)
    note: Callable[[dict[str, Any]], None] = lambda event: None
    later: Callable[[str], Any] | None = field(default=None, repr=False, compare=False)


class _Later:
    """A field of a request that is found when somebody wants to know it, and kept."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, request: Request | None, owner: type) -> Any:
        if request is None or request.later is None:
            raise AttributeError(f"a request without {self.name}")
        value = request.__dict__[self.name] = request.later(self.name)
        return value


for _name in ("digest", "seed", "budget"):
    setattr(Request, _name, _Later(_name))


def postponed(
    step: str, seat: str, role: str, kinds: tuple[type[Move], ...], view: View, brief: Brief, attempt: int, problem: str | None,
    later: Callable[[str], Any], note: Callable[[dict[str, Any]], None] | None,
) -> Request:  # fmt: skip
    """A request whose digest, seed and budget are found by `later("digest")` when somebody wants to know them."""
    made = _new(Request)
    made.step, made.seat, made.role, made.kinds, made.view, made.brief = step, seat, role, kinds, view, brief
    made.attempt, made.problem, made.later, made.note = attempt, problem, later, note or _unnoted
    return made


def _unnoted(event: dict[str, Any]) -> None:
    """What notes of nobody are given to."""


_new: Callable[[type[Request]], Request] = object.__new__
