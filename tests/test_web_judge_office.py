"""People at the pages of a real office, over real sockets: many at once, and a server that is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import anyio
import people_kit
import pytest
from browser_kit import eventually
from judging_kit import Client, fields, turn_of

import moot
from moot.web.judging.app import judging
from moot.web.judging.office import Office
from moot.web.server.serving import address_of, listening


@contextmanager
def at_work(office: Office) -> Iterator[str]:
    """The address of an office that works, beside its pages, in a thread."""
    import uvicorn

    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(judging(office, most=1000), log_config=None, lifespan="off"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(office.run)
            await server.serve(sockets=[listener])
            group.cancel_scope.cancel()

    thread = threading.Thread(target=anyio.run, args=(main,), daemon=True)
    thread.start()
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        office.close()


def judged(client: Client, link: str) -> None:
    """Judge what is next to its end: open both statements, fill in half, then all."""
    while client.post(f"{link}/next", {"x": ""}).status == 303 and 'id="answer"' not in client.get(f"{link}/").text:
        time.sleep(0.02)
    own = fields(turn_of(client, link))
    for number in ("1", "2"):
        assert client.post(f"{link}/open", {**own, "statement": number}).status == 303
    assert client.post(f"{link}/draft", {**own, "f0-probabilities-1": "60"}).status == 204
    assert client.post(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "75"}).status == 303
    assert client.post(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "5"}).status == 409
    eventually(lambda: client.post(f"{link}/leave", {"seating": own["seating"]}).status == 303)


@pytest.mark.parametrize("people", [12, pytest.param(50, marks=pytest.mark.long)])
def test_many_people_at_once_and_every_act_is_counted(tmp_path: Path, people: int) -> None:
    names = [f"p{number}" for number in range(people)]
    rules = people_kit.rules(*names, judgements=people // 2, most=1, opening="each")
    office = Office.of_folder(people_kit.plays(tmp_path / "plays", 2), tmp_path / "out", rules)
    with at_work(office) as url, ThreadPoolExecutor(people) as pool:
        client = Client(url)
        for done in [pool.submit(judged, client, office.link(name)) for name in names]:
            done.result(60)
    counts, judges = Counter[str](), set[str]()
    for path in (tmp_path / "out").glob("*.jsonl"):
        transcript = moot.load(path)
        assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.probabilities == (0.75, 0.25)
        counts.update(event["action"] for event in transcript.events() if event["event"] == "acted")
        judges.add(transcript.started["meta"]["seats"]["judge"]["name"])
    assert judges == {*names}
    assert counts == {"shown": people, "opened": 2 * people, "draft": people, "answered": people, "back": people}


def test_a_server_that_is_killed_loses_nothing_of_what_it_said_was_done(tmp_path: Path) -> None:
    people_kit.plays(tmp_path / "plays", 1)
    command = [
        sys.executable, "-m", "moot", "judge", "serve", str(tmp_path / "plays"), "-o", str(tmp_path / "out"), "--people", "ann",
        "--bound", "judge.reads=100",
    ]  # fmt: skip

    @contextmanager
    def process() -> Iterator[tuple[Client, str, subprocess.Popen[str]]]:
        with subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
        ) as run:
            assert run.stdout is not None
            line = ""
            for line in run.stdout:
                if "http://" in line:
                    break
            link = line[line.index("http://") :].split()[0].rstrip("/")
            url, _, path = link.partition("/j/")
            try:
                yield Client(url), f"/j/{path}", run
            finally:
                run.send_signal(signal.SIGKILL)

    with process() as (client, link, _):
        while client.post(f"{link}/next", {"x": ""}).status == 303 and 'id="answer"' not in client.get(f"{link}/").text:
            time.sleep(0.02)
        own = fields(turn_of(client, link))
        page = client.post(f"{link}/open", {**own, "statement": "2", "f0-text": "half a thought"}, follow=True).text
        (said,) = re.findall("[ab] says so", page)
        assert "91 of 100" in page
    with process() as (client, link, _):
        while client.post(f"{link}/next", {"x": ""}).status == 303 and 'id="answer"' not in client.get(f"{link}/").text:
            time.sleep(0.02)
        page = turn_of(client, link)
        own = fields(page)
        assert re.findall("[ab] says so", page) == [said] and "91 of 100" in page and "half a thought" in page
        assert client.post(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "75"}).status == 303
        eventually(
            lambda: (
                "Thank you" in client.get(f"{link}/").text
                or client.post(f"{link}/leave", {"seating": own["seating"]}).status == 303
            )
        )
    (path,) = (tmp_path / "out").glob("*.jsonl")
    transcript = moot.load(path)
    acts = Counter(event["action"] for event in transcript.events() if event["event"] == "acted")
    assert acts == {"shown": 2, "opened": 1, "draft": 1, "answered": 1, "back": 2}
    assert [
        event["reads"] for event in transcript.events() if event["event"] == "moved" and event["seat"] == "judge"
    ] == [9]
