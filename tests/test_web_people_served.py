"""`moot judge serve` in a process of its own, over real sockets: killed in the middle nothing is lost, and fifty people are no crowd."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import people_kit as kit
import pytest
from cli_calls import HERE, MAIN, call, folder  # noqa: F401
from judging_kit import Client, fields, turn_of
from test_web_judge import begun

import moot
from moot.web.judging.status import links, status


class Server(NamedTuple):
    """A server that runs: its process, and everybody's link as a path."""

    process: subprocess.Popen[str]
    address: str
    links: dict[str, str]

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def serving(*words: str) -> Iterator[Server]:
    command = [*MAIN, "judge", "serve", *words, "--port", "0", "--json"]
    paths = os.pathsep.join(
        [str(HERE), *map(os.path.abspath, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))]
    )
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}, cwd=HERE
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr is not None else ""
        told: dict[str, Any] = json.loads(line)
        yield Server(process, told["address"], {name: urlsplit(link).path for name, link in told["links"].items()})
    finally:
        process.kill()
        process.communicate()


def test_killed_in_the_middle_nothing_is_lost_and_links_are_the_same(tmp_path: Path) -> None:
    source, out = kit.plays(tmp_path / "plays", 2), tmp_path / "out"
    (tmp_path / "yes.md").write_text("# Do you agree?")
    (tmp_path / "j.toml").write_text('people = ["ann", "bob"]\nconsent = "yes.md"\nopening = "each"\n')
    words = (str(source), "-o", str(out), "--judging", str(tmp_path / "j.toml"))
    with serving(*words) as server:
        client, ann = Client(server.address), server.links["ann"]
        assert "Do you agree?" in client.get(f"{ann}/").text
        client.post(f"{ann}/consent", {"agree": "yes"})
        _, own = begun(client, ann)
        client.post(f"{ann}/open", {**own, "statement": "1"})
        assert client.post(f"{ann}/draft", {**own, "f0-probabilities-1": "61"}).status == 204
        key = status(out)["people"][0]["under_way"]
        assert len(key) == 1
        server.kill()
    assert links(out) == server.links
    with serving(*words) as again:
        assert again.links == server.links
        client = Client(again.address)
        assert client.post(f"{ann}/next", {"x": ""}).status == 303, "she agreed already"
        page = turn_of(client, ann)
        assert 'value="61"' in page
        client.post(
            f"{ann}/answer", {**fields(page), "kind": "verdict", "f0-probabilities-1": "80", "f0-probabilities-2": ""}
        )
        end = time.monotonic() + 10
        while not status(out)["done"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(10) == 130 and "the same command goes on" in again.process.communicate()[1]
    play = moot.load(out / f"{key[0]}.jsonl")
    actions = [event["action"] for event in play.events() if event["event"] == "acted"]
    assert actions.count("answered") == 1 and "opened" in actions and "draft" in actions
    assert play.outcome is not None and play.outcome.kind == "decided"
    assert [line["action"] for line in kit.journal(out) if line["person"] == "ann"][:2] == ["consented", "given"]


def judging(client: Client, link: str, taken: list[str]) -> None:
    """Do all there is for a person, whatever page comes. taken: is given the seating of each verdict that was acknowledged. Where the
    server is gone, it returns."""
    end = time.monotonic() + 60
    try:
        while "Thank you" not in (page := client.get(f"{link}/").text):
            assert time.monotonic() < end, page
            own = fields(page)
            if 'id="answer"' in page:
                given = {**own, "kind": "verdict", "f0-probabilities-1": "70", "f0-probabilities-2": ""}
                if client.post(f"{link}/answer", given).status == 303:
                    taken.append(own["seating"])
            elif 'action="leave"' in page:
                client.post(f"{link}/leave", own)
            elif 'action="next"' in page:
                client.post(f"{link}/next", {"x": ""})
            else:
                time.sleep(0.05)
    except (OSError, http.client.HTTPException):
        return


@pytest.mark.long
def test_fifty_people_over_sockets_and_a_kill_in_the_middle_count_exactly(tmp_path: Path) -> None:
    source, out = kit.plays(tmp_path / "plays", 4), tmp_path / "out"
    (tmp_path / "j.toml").write_text('people = 50\njudgements = 50\nopening = "all"\n')
    words = (str(source), "-o", str(out), "--judging", str(tmp_path / "j.toml"))
    first, second = list[str](), list[str]()

    def all_of(server: Server, taken: list[str], most: int | None) -> None:
        with ThreadPoolExecutor(51) as pool:
            done = [pool.submit(judging, Client(server.address), link, taken) for link in server.links.values()]
            while most is not None and len(taken) < most:
                time.sleep(0.005)
            if most is not None:
                server.kill()
            for each in done:
                each.result()

    with serving(*words) as server:
        all_of(server, first, 60)
    with serving(*words) as server:
        assert status(out)["done"] < 200
        all_of(server, second, None)
    found = status(out)
    assert found["done"] == 200 and {each["done"] for each in found["people"]} == {4}
    counts: Counter[str] = Counter()
    for path in out.glob("*.jsonl"):
        counts.update(event["action"] for event in moot.load(path).events() if event["event"] == "acted")
    assert counts["answered"] == 200, "no verdict that was taken was asked for again"
    assert 150 <= len(first) + len(second) <= 200, "and of those that were, some could not be told so"
    seen = {(line["person"], line["key"], *line["items"]) for line in kit.journal(out) if line["action"] == "given"}
    assert len(seen) == len({(person, item) for person, _, item in seen}) == 200, "nobody got a question twice"


def test_what_cannot_be_served_ends_in_a_line(folder: Path) -> None:  # noqa: F811
    kit.plays(folder / "plays", 1)
    (folder / "j.toml").write_text('people = ["ann"]\n')
    (folder / "s.toml").write_text(STUDY)
    (folder / "own.toml").write_text(STUDY + '\n[judging]\npeople = ["ann"]\nconsent = "none.md"\n')
    for words, why in {
        ("-o", "out"): "what is to be judged?",
        ("none", "-o", "out"): "there is no folder none",
        ("plays", "-o", "out"): "nobody judges",
        ("plays", "-o", "plays", "--people", "ann"): "give another folder by -o",
        ("plays", "-o", "out", "--people", "ann", "--judging", "j.toml"): "--people says it again",
        ("plays", "-o", "out", "--people", "a b"): "'a b' is no name",
        ("plays", "-o", "out", "--people", "ann,ANN"): "the same name",
        ("plays", "-o", "out", "--people", "0"): "0 is no number of people",
        ("plays", "-o", "out", "--people", "2", "--seat", "judge=browser"): "leave out --seat",
        ("plays", "-o", "out", "--people", "2", "--limit", "3"): "--limit is for --set",
        ("plays", "-o", "out", "--people", "2", "--bound", "a.reads=3"): "the judge alone",
        ("plays", "-o", "out", "--people", "2", "--public-url", "ftp://x"): "write it as https://",
        ("plays", "-o", "out", "--people", "2", "--behind", "*"): "name proxies as 127.0.0.1",
        ("plays", "-o", "out", "--people", "2", "--behind", "127.0.0.1,proxy"): "'proxy' does not appear to be",
        ("plays", "--set", "q.jsonl", "-o", "out", "--people", "2"): "exclude each other",
        ("s.toml", "-o", "out", "--people", "2", "--seat", "judge=browser"): "a study says who sits where",
        ("s.toml", "-o", "out", "--people", "bob"): "'ann', who is not among the people: bob",
        ("own.toml", "-o", "out", "--judging", "j.toml"): "leave out --judging, or the table",
        ("own.toml", "-o", "out"): "consent: cannot read",
    }.items():
        done = call("judge", "serve", *words, "--port", "0")
        assert done.exit_code == 2 and why in done.stderr and done.stderr.count("\n") == 1, (words, done.stderr)
    assert not (folder / "out").exists()
    for words in (("status", "plays"), ("status", "none", "--links")):
        done = call("judge", *words)
        assert done.exit_code == 2 and "has no people in it" in done.stderr


STUDY = """
name = "s"
questions = "q.jsonl"
[protocols]
debate = {}
[seats]
debater = "python:cli_agents:speaker"
judge = "browser:ann"
"""


@pytest.fixture(autouse=True)
def questions(tmp_path: Path) -> None:
    row = {"id": "q", "question": "Is it?", "choices": ["yes", "no"], "truth": 0}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")


def test_status_says_who_has_done_what(folder: Path) -> None:  # noqa: F811
    out = folder / "out"
    with serving("--set", str(folder / "q.jsonl"), "-P", "debate", "-s", "debater=python:cli_agents:speaker", "-s", "judge=browser",
                 "--bound", "judge.reads=900", "-o", str(out), "--people", "ann,bob") as server:  # fmt: skip
        client, ann = Client(server.address), server.links["ann"]
        page, own = begun(client, ann)
        assert "900 of 900" in page
        found = json.loads(call("judge", "status", str(out), "--json").stdout)
        assert found["left"] == 1 and len(found["people"][0]["under_way"]) == 1
        client.post(f"{ann}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "80", "f0-probabilities-2": ""})
        assert server.process.stdout is not None
        assert json.loads(server.process.stdout.readline())["outcomes"] == {"decided": 1}, "and the pages stay up"
        assert "Thank you" in client.post(f"{ann}/leave", {"seating": own["seating"]}, follow=True).text
    done = call("judge", "status", str(out), "--truth")
    assert done.exit_code == 0 and "1 of 1 plays with people done, 0 left" in done.stdout
    assert "ann: 1 done" in done.stdout and "1 of 1 right" in done.stdout and "bob: 0 done, has not come" in done.stdout
    assert "right" not in call("judge", "status", str(out), "--json").stdout
    told = call("judge", "status", str(out), "--links", "--public-url", "https://j.example.org:8/").stdout
    assert f"ann  https://j.example.org:8{ann}\n" in told
    (out / "judging" / "secret").unlink()
    done = call("judge", "status", str(out), "--links")
    assert done.exit_code == 2 and "secret is not there" in done.stderr and not (out / "judging" / "secret").exists()
