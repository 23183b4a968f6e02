"""From a seat that says "a person" to that person: who is a person among agents, and the same agents with somebody in their place.

Rule of this file: agents and names; nobody is asked anything here. Whatever holds the person, a bound for one, stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from hashlib import blake2b
from random import Random
from typing import Any

from moot.agents.people.browser import Away, Browser
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.studies.design import hashed
from moot.studies.watch import Watched

DEPTH = 20
"""How many agents may hold one another."""
RIVALS = "debater"
"""The role whose seats are called by letters."""


class Desk(Browser):
    """The mailbox of one person in one play, which says when there is something new in it."""

    def __init__(self, name: str, away: Away, changed: Callable[[], None]) -> None:
        super().__init__(name, away)
        self._tell = changed
        self.serve()

    def _change(self) -> None:
        super()._change()
        self._tell()


class Heard(Watched):
    """An agent of a play that people sit in, which says that it is asked and has answered. bound: as was recorded, for whoever has none
    of their own."""

    def __init__(self, agent: Any, told: Callable[[str, str], None], bound: Mapping[str, Any] | None = None) -> None:
        super().__init__(agent, lambda what, request, _: told(what, _seat(request)))
        self.bound = self.bound or bound


def _seat(request: Request) -> str:
    return request.seat


def inside(agent: Any, depth: int = DEPTH) -> Iterator[Any]:
    """An agent, and those that it holds."""
    yield agent
    if depth and not isinstance(agent, (type, Browser)):
        held = [getattr(agent, "agent", None), getattr(agent, "_agent", None)]
        more = getattr(agent, "held", ())
        for each in (*held, *(more if isinstance(more, (list, tuple)) else ())):
            if each is not None:
                yield from inside(each, depth - 1)


def person_in(agent: Any) -> Browser | None:
    """The person at a browser whom an agent is, or holds; None where there is none. Raises UsageError where there are several."""
    found = list({id(each): each for each in inside(agent) if isinstance(each, Browser)}.values())
    if len(found) > 1:
        raise UsageError(
            f"a seat holds {len(found)} people, and is one person's; several judge the same play where its folder is judged again, "
            "with judgements = N"
        )
    return found[0] if found else None


def with_person(agent: Any, person: Browser) -> Any:
    """The same agent with somebody in the place of its person. What holds no person is the very same."""
    memo: dict[int, Any] = {}
    for each in inside(agent):
        if isinstance(each, Browser):
            memo[id(each)] = person
        elif person_in(each) is None:
            memo[id(each)] = each
    return deepcopy(agent, memo)


def people_of(seats: Mapping[str, Any]) -> dict[str, str | None]:
    """Seat to person of the seats that people sit at, as transcripts describe them."""
    return {seat: found["name"] for seat, told in seats.items() if (found := _browser(told)) is not None}


def _browser(told: Any, depth: int = DEPTH) -> Mapping[str, Any] | None:
    if isinstance(told, Mapping):
        if told.get("agent") == "browser":
            name = told.get("name")
            return {"name": name if isinstance(name, str) else None}
        told = list(told.values())
    if depth and isinstance(told, (list, tuple)):
        return next((found for each in told if (found := _browser(each, depth - 1)) is not None), None)
    return None


def items_of(question: Question, named: bool = True) -> frozenset[str]:
    """What a question is known by, however its answers are listed: its content, and its name where names tell questions apart."""
    told = question.model_dump(mode="json", exclude={"id", "tags", "choices"})
    content = hashed("item", told, sorted(question.choices))
    return frozenset({content, *([f"name:{question.id or question.text}"] if named else [])})


def names_of(roles: Mapping[str, str], seat: str, seed: int, person: str, key: str) -> dict[str, str]:
    """What a person at a seat is told that everybody is called: "You", rivals by letters in an order of this person's and play's own, the
    others by their role."""
    letters = iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    rivals = [each for each, role in roles.items() if role == RIVALS and each != seat]
    several = len(rivals) > 1
    Random(blake2b(f"{seed}/{person}/{key}".encode(), digest_size=8).digest()).shuffle(rivals)
    found = {seat: "You"}
    if several:
        found |= {each: next(letters, f"debater {place}") for place, each in enumerate(rivals, 1)}
    for each, role in roles.items():
        if each not in found:
            found[each] = _free(role, found.values())
    return {each: found[each] for each in roles}


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where it is taken."""
    used = {each.casefold() for each in taken}
    return next(
        each for each in (name, *(f"{name} {number}" for number in range(2, 10_000))) if each.casefold() not in used
    )
