"""An office in memory for tests of the pages of people who judge: real plays, and none of what the real one keeps."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import moot
from moot.agents.people.browser import Browser
from moot.complexity.reward import judge_reward
from moot.web.judging.rules import Pay, Rules
from moot.web.judging.seating import Heard, Seating


def pay(**told: Any) -> Pay:
    return Pay.model_validate(told)


def rules_of(**told: Any) -> Rules:
    return Rules.model_validate(told)


class Person(NamedTuple):
    id: str
    token: str


class Item(NamedTuple):
    """A play for one person: with whom in the other seats, in which seat they sit, and by what names they know the others."""

    protocol: Any
    sample: Any
    seats: Mapping[str, Any]
    names: Mapping[str, str] = {}
    seat: str = "judge"
    bound: Mapping[str, Any] = {}
    sort: Any = "item"


class MemoryOffice:
    """What the pages ask of an office. items: person to what they play, in order."""

    def __init__(self, items: Mapping[str, list[Item]], rules: Rules | None = None, name: str = "A study") -> None:
        self.rules, self.name, self.items = rules or rules_of(), name, {who: [*each] for who, each in items.items()}
        self.people = {
            who: Person(who, hmac.new(b"test", who.encode(), hashlib.sha256).hexdigest()[:32]) for who in items
        }
        self.agreed, self.instructed = set[str](), set[str]()
        self.seatings: dict[str, Seating] = {}
        self.ended: dict[str, list[Any]] = {who: [] for who in items}
        self.presence: list[tuple[str, bool]] = []
        self.acts: list[tuple[Any, ...]] = []
        self.tasks: list[Any] = []

    def person(self, token: str) -> Person | None:
        found = None
        for each in self.people.values():
            if hmac.compare_digest(each.token.encode(), token.encode("utf-8", "surrogateescape")):
                found = each
        return found

    def link(self, person_id: str) -> str:
        return f"/j/{self.people[person_id].token}"

    def stage(self, person: Person) -> str:
        if self.rules.consent is not None and person.id not in self.agreed:
            return "consent"
        if self.rules.instructions is not None and person.id not in self.instructed:
            return "instructions"
        if (seating := self.seatings.get(person.id)) is not None:
            return "practice" if seating.sort == "practice" else "work"
        items = self.items[person.id]
        return "done" if not items else "practice" if items[0].sort == "practice" else "work"

    def consent(self, person: Person) -> None:
        self.agreed.add(person.id)

    def read_instructions(self, person: Person) -> None:
        self.instructed.add(person.id)

    def seating(self, person: Person) -> Seating | None:
        return self.seatings.get(person.id)

    async def next(self, person: Person) -> Seating | None:
        if person.id in self.seatings or not self.items[person.id]:
            return self.seatings.get(person.id)
        item = self.items[person.id].pop(0)
        desk = Browser(person.id, away=self.rules.away)
        desk.serve()
        seating = Seating(person.id, item.seat, f"Item {len(self.ended[person.id]) + 1}", desk, item.sort, item.names)
        self.seatings[person.id] = seating
        self.tasks.append(asyncio.get_running_loop().create_task(self._play(item, seating)))
        return seating

    async def _play(self, item: Item, seating: Seating) -> None:
        def heard(seat: str, agent: Any) -> Any:
            async def act(request: moot.Request) -> Any:
                seating.asking = seating.names.get(seat, seat)
                seating.changed()
                try:
                    reply = agent(request)
                    return await reply if asyncio.iscoroutine(reply) else reply
                finally:
                    seating.asking = None
                    seating.heard.append(Heard(seating.names.get(seat, seat), 1, 0.0))
                    seating.changed()

            return act

        desk: Any = moot.Bounded(seating.browser, **item.bound) if item.bound else seating.browser
        seats = {**{seat: heard(seat, agent) for seat, agent in item.seats.items()}, item.seat: desk}
        seating.transcript = await moot.arun(item.protocol, item.sample, seats)
        outcome = seating.transcript.outcome
        seating.ended = outcome.kind if outcome is not None else "errored"
        seating.changed()

    def leave(self, person: Person, seating: Seating) -> None:
        self.ended[person.id].append(seating.transcript)
        del self.seatings[person.id]

    def present(self, person: Person, seating: Seating, here: bool) -> None:
        self.presence.append((person.id, here))
        if seating.turn is not None:
            seating.turn.attend(here)

    def progress(self, person: Person) -> dict[str, Any]:
        return {
            "done": len(self.ended[person.id]),
            "most": None,
            "practice_done": 0,
            "practice": 0,
            "paid": None,
            "unknown": 0,
        }

    def feedback(self, person: Person, seating: Seating) -> dict[str, Any] | None:
        if self.rules.feedback != "each" or seating.transcript is None:
            return None
        outcome = seating.transcript.outcome
        reward = judge_reward(seating.transcript)
        belief = outcome.verdict.probabilities if isinstance(outcome, moot.Decided) else None
        return {
            "truth": seating.transcript.sample.unseal(), "choices": seating.transcript.question.choices, "belief": belief, "reward": reward,
            "paid": None if reward is None or self.rules.pay is None else self.rules.pay.of(reward),
        }  # fmt: skip

    def act(self, person: Person, action: str, **more: Any) -> None:
        self.acts.append((person.id, action, more))


def talks(text: str) -> Callable[[moot.Request], moot.Move]:
    """A debater that says this, whatever it is asked for first."""

    def act(request: moot.Request) -> moot.Move:
        if moot.Speech in request.kinds:
            return moot.Speech(text=text)
        return moot.testing.puppet(request)

    return act


class Reply(NamedTuple):
    """An answer of a server."""

    path: str
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """Asks a server over a socket of its own for each request. Paths are sent as they stand, and forms from the server's own origin."""

    def __init__(self, url: str) -> None:
        self.url, self.address = url, urlsplit(url).netloc

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        given = {name: value for name, value in {"origin": self.url, **(headers or {})}.items() if value}
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, quote(path, safe="/%?=&#.!+~:;,@"), body, given)
            reply = connection.getresponse()
            return Reply(
                path, reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode()
            )
        finally:
            connection.close()

    def get(self, path: str, given: Mapping[str, str] | None = None) -> Reply:
        return self.ask("GET", path + (f"?{urlencode(given)}" if given else ""), headers={"origin": ""})

    def post(
        self,
        path: str,
        given: Mapping[str, str] | bytes,
        kind: str = "application/x-www-form-urlencoded",
        follow: bool = False,
        **headers: str,
    ) -> Reply:
        body = given if isinstance(given, bytes) else urlencode(given).encode()
        reply = self.ask("POST", path, body, {"content-type": kind, **headers})
        return self.get(reply.headers["location"].partition("#")[0]) if follow and reply.status == 303 else reply


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def turn_of(client: Client, link: str) -> str:
    """The page of the turn, once it is the person's."""
    end = time.monotonic() + 10
    while 'id="answer"' not in (page := client.get(f"{link}/").text):
        assert time.monotonic() < end, page
        time.sleep(0.02)
    return page
