"""Two plays that differ in what a person may not know alone, the truth or a statement that stays closed: every answer is the same, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import httpx2
import people_kit as kit
import pytest

import moot
from moot.web.judging.app import judging
from moot.web.judging.office import Office

OWN = "http://127.0.0.1"


def play(folder: Path, truth: int, said: str, passage: str) -> Path:
    """A folder with one recorded debate, in which one side says this."""

    def act(request: Any) -> moot.Move:
        return moot.Speech(text=said) if request.seat == "a" else kit.says(request)

    folder.mkdir(parents=True)
    question = moot.Question("Is it so?", ("yes", "no"), id="q", passage=passage)
    protocol = moot.Debate(rounds=1, judge_source="metered")
    moot.run(protocol, moot.Sample(question, truth), {"debater": act, "judge": act}, seed=3, out=folder / "p.jsonl")
    return folder


def told(folder: Path, feedback: str, **play_of: Any) -> list[tuple[Any, ...]]:
    """Judge a play to its end by its pages, the first statement open: everything that was answered, without what is drawn at random."""
    said, drawn = list[tuple[Any, ...]](), set[str]()
    rules = kit.rules("ann", "bob", feedback=feedback, pay={"base": 1.0}, opening="each")
    office = Office.of_folder(play(folder / "plays", **play_of), folder / "out", rules)

    async def judged() -> None:
        link = office.link("ann")
        transport = httpx2.ASGITransport(judging(office))
        async with kit.at_work(office), httpx2.AsyncClient(transport=transport, base_url=OWN) as client:

            async def get(where: str, **given: str) -> str:
                return note(await client.get(link + where, params=given))

            async def post(where: str, **given: str) -> str:
                return note(await client.post(link + where, data=given, headers={"origin": OWN}))

            def note(reply: Any) -> str:
                text = re.sub('data-from="[^"]*"', "", reply.text.replace(link, ""))
                for each in drawn:
                    text = text.replace(each, "…")
                said.append((reply.request.method, reply.status_code, reply.headers.get("content-length"), text))
                return str(reply.text)

            async def until(there: str) -> str:
                with anyio.fail_after(10):
                    while there not in (page := (await client.get(f"{link}/")).text):  # noqa: ASYNC110 - as a person would
                        await anyio.sleep(0.005)
                return page

            await get("/")
            await post("/next", x="1")
            own = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', await until('id="answer"')))
            drawn.update(own.values())
            shares = {"f0-probabilities-1": "80", "f0-probabilities-2": ""}
            await post("/open", **own, statement="1")
            await get("/")
            await get("/state", v="x")
            await get("/pays", **own, **shares)
            await post("/open", **own, statement="9")
            await post("/answer", **own, kind="verdict", **{**shares, "f0-probabilities-1": "x"})
            await post("/answer", **own, kind="verdict", **shares)
            await until('action="leave"')
            await get("/")
            await get("/state", v="x")
            await post("/leave", seating=own["seating"])
            await get("/")

    anyio.run(judged)
    assert [status for _, status, _, _ in said] == [200, 303, 303, 200, 200, 200, 400, 422, 303, 200, 200, 303, 200]
    return said


SAME: dict[str, Any] = {"truth": 0, "said": "No.", "passage": "The storm sank three ships."}


@pytest.mark.parametrize(
    ("feedback", "other", "equal"),
    [
        ("none", {"truth": 1}, True),
        ("none", {"said": 40 * "It is not so at all. "}, True),
        ("none", {"passage": 40 * "Nobody saw the admiral that day. "}, True),
        ("each", {"truth": 1}, False),
    ],
)
def test_what_a_person_may_not_know_changes_no_answer(
    tmp_path: Path, feedback: str, other: dict[str, Any], equal: bool
) -> None:
    one = told(tmp_path / "one" / "x", feedback, **SAME)
    assert (one == told(tmp_path / "two" / "x", feedback, **{**SAME, **other})) is equal
