"""People for tests of judging: plays, studies with a person's seat, and people who answer at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

import moot
from moot.studies.running import Progress
from moot.web.judging.office import Office
from moot.web.judging.rules import Rules, rules_from
from moot.web.judging.seating import Seating
from moot.web.judging.work.people import Person

VERDICT = moot.Verdict(probabilities=(0.75, 0.25))


def says(request: Any) -> moot.Move:
    """Whoever is asked for whatever: a debater or a judge."""
    return VERDICT if moot.Verdict in request.kinds else moot.Speech(text=f"{request.seat} says so")


def sure(request: Any) -> moot.Move:
    """A debater who is another than `says`."""
    return moot.Speech(text=f"{request.seat} is sure")


def sample(name: str = "q", truth: int | None = 0) -> moot.Sample:
    return moot.Sample(moot.Question(f"Is {name} so?", ("yes", "no"), id=name), truth)


def plays(folder: Path, count: int = 3, protocol: moot.Protocol | None = None) -> Path:
    """A folder of recorded debates."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        moot.run(protocol or moot.Debate(), sample(f"q{number}"), {"debater": says, "judge": says}, out=folder / f"p{number}.jsonl")  # fmt: skip
    return folder


def study(questions: int = 3, judge: Any = None, **more: Any) -> moot.Study:
    """Debates before a person, among two pairs of debaters unless told otherwise."""
    person = moot.Browser() if judge is None else judge
    arms = {"plain": moot.Arm(moot.Debate(), {"a": says, "b": sure, "judge": person})}
    return moot.Study("judged", [sample(f"q{number}") for number in range(questions)], **{"arms": arms, **more})


def rules(*people: str, **more: Any) -> Rules:
    return rules_from({"people": list(people or ("ann", "bob")), **more}, Path(), "rules")


def of(office: Office, name: str) -> Person:
    found = office.person(office.link(name).removeprefix("/j/"))
    assert found is not None
    return found


@asynccontextmanager
async def at_work(office: Office) -> AsyncIterator[list[Progress]]:
    """The office while it works; what it returned, once it has."""
    ended: list[Progress] = []

    async def work() -> None:
        ended.append(await office.run())

    async with office, anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        yield ended
        group.cancel_scope.cancel()


async def until(true: Callable[[], Any]) -> None:
    """Wait until something holds, ten seconds at most."""
    with anyio.fail_after(10):
        while not true():  # noqa: ASYNC110 - of what is looked at, nothing tells
            await anyio.sleep(0.002)


async def answer(seating: Seating, move: moot.Move = VERDICT) -> None:
    """Answer every turn of a play to its end."""
    with anyio.fail_after(20):
        while seating.ended is None and seating.problem is None:
            version = seating.version
            if (turn := seating.turn) is not None:
                turn.note("draft", text="…")
                turn.answer(move if moot.Verdict in turn.request.kinds else moot.Speech(text="I say so"))
            await seating.wait(version, 0.5)


async def sit(office: Office, name: str, each: Callable[[Seating], Awaitable[None]] = answer) -> list[Seating]:
    """Do all there is for a person."""
    person, had = of(office, name), list[Seating]()
    office.consent(person)
    office.read_instructions(person)
    with anyio.fail_after(60):
        while office.stage(person) not in ("done",):
            if (seating := await office.next(person)) is None:
                await anyio.sleep(0.005)
                continue
            office.present(person, seating, True)
            await each(seating)
            had.append(seating)
            office.leave(person, seating)
    return had


async def everybody(office: Office, each: Callable[[Seating], Awaitable[None]] = answer) -> dict[str, list[Seating]]:
    """Do all there is, everybody at once."""
    had: dict[str, list[Seating]] = {}

    async def one(name: str) -> None:
        had[name] = await sit(office, name, each)

    async with anyio.create_task_group() as group:
        for name in office.rules.people:
            group.start_soon(one, name)
    return had


def journal(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "judging" / "journal.jsonl").read_bytes().splitlines()]
