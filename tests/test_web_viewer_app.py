"""The viewer's server over real sockets: every route, foreign ids, paths, tokens and hosts; damaged and running plays; the command."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser_kit import served
from cli_calls import MAIN, call, folder
from hostile_kit import ESCAPES, GOLDEN, chained, originals
from test_web_viewer_list import folder_of

from moot.web.server.serving import listening
from moot.web.viewer import app as module
from moot.web.viewer import listing
from moot.web.viewer.app import MOST, viewer
from moot.web.viewer.fold import view_of
from moot.web.viewer.listing import Listing

__all__ = ["folder"]
DEBATE = (GOLDEN / "v2" / "debate.jsonl").read_bytes()
MARKET = (GOLDEN / "v2" / "market.jsonl").read_bytes()
TOKEN = "t0ken-of-this-test"


class Asking:
    """Whoever asks a server, with the path as it is given: nothing is made nicer on the way."""

    def __init__(self, address: str) -> None:
        self.place = address.removeprefix("http://")

    def __call__(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, str]:
        """The status, the headers and the text."""
        made = http.client.HTTPConnection(self.place, timeout=10)
        try:
            made.request(method, path, headers=headers)
            answer = made.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            made.close()

    def json(self, path: str) -> Any:
        status, headers, text = self(path)
        assert status == 200 and headers["content-type"] == "application/json", (path, status, text)
        return json.loads(text)


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "FRESH", 0.0)


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of plays, with what must never be shown beside it."""
    inside = folder_of(
        tmp_path_factory.mktemp("view") / "plays", a=DEBATE, b=MARKET, torn=DEBATE[:-40], no=b"no json\n"
    )
    (inside / "edited.jsonl").write_bytes(DEBATE.replace(b"storm", b"strom", 1))
    (inside / "notes.txt").write_text("SECRET")
    (inside.parent / "secret.jsonl").write_bytes(DEBATE.replace(b"What sank", b"SECRETLY"))
    return inside


@pytest.fixture(scope="module")
def asking(plays: Path) -> Iterator[Asking]:
    with served(viewer([plays])) as address:
        yield Asking(address)


def ids(plays: Path) -> dict[str, str]:
    return {item.name.partition(".")[0]: item.id for item in Listing([plays]).items()}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_list_its_filters_and_its_links(asking: Asking, plays: Path) -> None:
    status, headers, text = asking("/")
    assert status == 200 and "script-src 'self'" in headers["content-security-policy"]
    hrefs = [attrs.get("href") or "" for tag, attrs in Tags(text).tags if tag == "a"]
    links = [href for href in hrefs if href.startswith("/play/")]
    assert sorted(links) == sorted(f"/play/{id}" for id in ids(plays).values())
    assert "5 plays" in text and "SECRET" not in text and "cannot be read as JSON" in text
    text = asking("/?protocol=market&sort=newest")[2]
    assert ">b.jsonl<" in text and ">a.jsonl<" not in text and "1 of 5 plays" in text
    assert "searched 0 to 5 of 5" in asking("/?words=zebra")[2]
    assert asking("/?start=999999999999&sort=%00&q=%ff&right=x")[0] == 200


def test_a_page_asks_for_head_tree_scenes_and_state(asking: Asking, plays: Path) -> None:
    at, view = f"/play/{ids(plays)['a']}", view_of(plays / "a.jsonl")
    status, _, text = asking(at)
    assert status == 200 and f'data-source="{at}"' in text and "/static/play.js" in text
    head = asking.json(f"{at}/head")
    assert head["digest"] == view.head()["digest"] and head["state"] == asking.json(f"{at}/state")["state"]
    assert asking.json(f"{at}/tree")["id"] == view.tree()["id"]
    assert [each["i"] for each in asking.json(f"{at}/scenes?from=2&to=5")] == [2, 3, 4]
    assert asking.json(f"{at}/scenes?from=x&to=-3") == asking.json(f"{at}/scenes")
    assert asking(f"{at}/scenes?from=0&to={MOST + 1}")[0] == 400 and asking.json(f"{at}/scenes?from=90&to=99") == []
    both = asking(f"/compare?play={ids(plays)['a']}&play={ids(plays)['b']}")[2]
    assert both.count('class="play"') == 2
    assert "Check two plays" in asking("/compare")[2]


def test_no_address_leads_to_another_file(asking: Asking, plays: Path) -> None:
    outside = Listing([plays.parent / "secret.jsonl"]).items()[0].id
    names = (
        outside, "0" * 24, "", ".", "..", "../secret.jsonl", "..%2fsecret.jsonl", "%2e%2e/secret.jsonl", "notes.txt", "a.jsonl", "a",
        str(plays / "a.jsonl"), "%00", "%ff", "a" * 3000, "q;x", "*", "'",
    )  # fmt: skip
    for name in names:
        for rest in ("", "/head", "/tree", "/scenes", "/state", "/nothing"):
            status, _, text = asking(f"/play/{name}{rest}")
            assert status == 404 and "SECRET" not in text and "storm" not in text, (name, rest)
        assert asking(f"/compare?play={name}&play={ids(plays)['a']}")[0] == 404
    for path in ("/static/../viewer/app.py", "/static/%2e%2e/viewer/app.py", "/static//etc/passwd", "/static/", "/etc/passwd", "/../..", "//"):  # fmt: skip
        status, _, text = asking(path)
        assert status == 404 and "import" not in text and "root:" not in text, path


def test_damaged_plays_say_what_is_wrong(asking: Asking, plays: Path) -> None:
    for name, why in (("no", "no.jsonl: line 1"), ("edited", "edited.jsonl: ")):
        for rest in ("head", "tree", "scenes"):
            status, _, text = asking(f"/play/{ids(plays)[name]}/{rest}")
            assert status == 422 and why in json.loads(text)["problem"] and str(plays.parent) not in text
        assert asking(f"/play/{ids(plays)[name]}")[0] == 200
    assert asking.json(f"/play/{ids(plays)['torn']}/head")["ended"] is False


def test_only_its_own_names_and_methods_are_answered(asking: Asking) -> None:
    assert asking("/", Host="evil.example")[0] == 400
    assert asking("/", "POST")[0] == 403 and asking("/", "DELETE")[0] == 405
    assert asking("/", "POST", Origin=f"http://{asking.place}")[0] == 405, "there is nothing to post"


def test_every_address_lies_under_the_token(plays: Path) -> None:
    known = ids(plays)["a"]
    with served(viewer([plays], token=TOKEN)) as address:
        asking = Asking(address)
        routes = ["", f"play/{known}", *(f"play/{known}/{rest}" for rest in ("head", "tree", "scenes", "state")), f"compare?play={known}", "static/tree.js"]  # fmt: skip
        wrong = (
            "",
            TOKEN[:-1],
            TOKEN + "x",
            TOKEN.upper(),
            "x" * len(TOKEN),
            "%00",
            "%ff",
            "é",
            "static",
            "play",
            f"x/{TOKEN}",
            f"./{TOKEN}",
        )
        for route in routes:
            assert asking(f"/{TOKEN}/{route}")[0] == 200, route
            for token in wrong:
                status, _, text = asking(f"/{token}/{route}".replace("é", "%c3%a9"))
                assert status == 404 and text == "there is no such page\n", (token, route)
            assert asking(f"/{route}")[0] == 404
        for inexact in (f"play/{known}/", "static"):
            assert asking(f"/{TOKEN}/{inexact}")[0] == 404, "nobody is led to an address without the secret"
        text = asking(f"/{TOKEN}/")[2]
        own = [
            value
            for _, attrs in Tags(text).tags
            for name in ("href", "src", "action")
            if (value := attrs.get(name)) and value[0] == "/"
        ]
        assert own and all(value.startswith(f"/{TOKEN}/") for value in own)
    with served(viewer([plays], token=TOKEN, base="/view/", hosts=("judge.example",))) as address:
        text = Asking(address)(f"/{TOKEN}/", Host="judge.example")[2]
        assert f'href="/view/{TOKEN}/play/{known}"' in text, "a proxy that takes a path away is named by the base"


def test_one_file_leads_to_its_page_and_grows(tmp_path: Path) -> None:
    lines = DEBATE.splitlines(keepends=True)
    path = tmp_path / "one.jsonl"
    path.write_bytes(b"".join(lines[:4]))
    with served(viewer([path])) as address:
        asking = Asking(address)
        status, headers, _ = asking("/")
        at = headers["location"]
        assert status == 307 and asking(at)[0] == 200
        before = asking.json(f"{at}/head")
        assert (before["ended"], before["events"], len(before["steps"]["step"])) == (False, 4, 3)
        assert asking.json(f"{at}/state")["state"] == before["state"]
        with open(path, "ab") as file:
            file.write(b"".join(lines[4:]))
        assert asking.json(f"{at}/state")["state"] != before["state"]
        after = asking.json(f"{at}/head")
        assert (
            after["ended"] and after["events"] == len(lines) and after["steps"]["step"][:3] == before["steps"]["step"]
        )


def test_a_state_costs_no_fold_and_a_play_is_folded_once(plays: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    held = view_of

    def counted(source: Any) -> Any:
        folded.append(source.name)
        return held(source)

    monkeypatch.setattr(module, "view_of", counted)
    monkeypatch.setattr(module, "KEPT", 1)
    with served(viewer([plays])) as address:
        asking, known = Asking(address), ids(plays)
        asking.json(f"/play/{known['a']}/state")
        assert folded == []
        for rest in ("head", "tree", "scenes"):
            asking.json(f"/play/{known['a']}/{rest}")
        assert folded == ["a.jsonl"]
        asking.json(f"/play/{known['b']}/head")
        asking.json(f"/play/{known['a']}/head")
        assert folded == ["a.jsonl", "b.jsonl", "a.jsonl"], "few are kept"


def test_hostile_texts_and_names_are_text_on_every_page(tmp_path: Path) -> None:
    hostile = "<script>window.hit=1</script>\"'><img src=x onerror=hit()>\u202e\x1b[2J{{7*7}}"
    events = next(found for name, found in originals() if name == "v2/debate.jsonl")
    events[0][0]["question"].update(text=hostile, choices=[hostile + c for c in "abc"])
    events[0] = (events[0][0], {"seats": {"judge": {"agent": hostile, "model": ESCAPES}}, "at": hostile})
    events[0][0]["protocol"]["name"] = hostile
    name = hostile.replace("/", "\u2215")
    folder_of(tmp_path / "f", **{name: chained(events), f"bad{name}": hostile.encode()})
    with served(viewer([tmp_path / "f"])) as address:
        asking, listed = Asking(address), Listing([tmp_path / "f"]).items()
        pages = [
            "/",
            "/?words=x",
            f"/?q={'%3Cscript%3E%22%27'}&protocol=%22%3E%3Cscript%3E",
            f"/compare?play={listed[0].id}&play={listed[1].id}",
        ]
        for path in (*pages, *(f"/play/{item.id}" for item in listed)):
            status, _, text = asking(path)
            assert status == 200, path
            for tag, attrs in Tags(text).tags:
                assert tag != "img" and (tag != "script" or set(attrs) == {"type", "src"}), path
                assert not any(name.startswith("on") or name == "style" for name in attrs), path
            assert not any(char in text for char in "\u202e\x1b\x00"), path
        whole = next(item for item in listed if not item.name.startswith("bad"))
        text = asking(f"/play/{whole.id}/head")[2] + asking(f"/play/{whole.id}/scenes")[2]
        assert "\\\\u202e" in text and "\u202e" not in text and "\x1b" not in text


def test_the_command_serves_until_it_is_interrupted(plays: Path) -> None:
    words = [*MAIN, "view", str(plays), "--port", "0", "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            address = json.loads(process.stdout.readline())["address"]
            assert address.startswith("http://127.0.0.1:") and address.endswith("/") and address.count("/") == 3
            assert Asking(address.rstrip("/"))("/")[0] == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(10) in (0, 130)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_what_the_command_cannot_serve_is_said_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "d.jsonl").write_bytes(DEBATE)
    other = listening("127.0.0.1", 0)
    taken = other.getsockname()[1]
    for words, why in (
        (["none"], "there is nothing at none"), (["d.jsonl", "--port", str(taken)], f"cannot listen on 127.0.0.1 port {taken}"),
        (["d.jsonl", "--host", "a\0b"], "cannot listen on"),
        (["d.jsonl", "--public-url", "ftp://x"], "begins with http"), (["d.jsonl", "--public-url", "http://["], "begins with http"),
    ):  # fmt: skip
        done = call("view", *words)
        assert done.exit_code == 2 and why in done.stderr and done.stderr.count("\n") == 1, (words, done.output)
    other.close()
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert "pip install 'moot[web]'" in call("view", "d.jsonl").stderr
