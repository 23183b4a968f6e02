"""What every request to a server passes: whose name it was sent to, where a form came from, how large and how often; and the headers."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from moot.protocols.engine.errors import UsageError
from moot.protocols.text import visible
from moot.web.server import pages, serving
from moot.web.server.guard import HEADERS, LARGEST, Bucket, Guarded
from moot.web.server.serving import address_of, hosts_of, listening

OWN = "http://127.0.0.1:8700"


async def _echo(asked: Asked) -> Response:
    return PlainTextResponse(await asked.body() or b"here")


async def _form(asked: Asked) -> Response:
    return pages.data(await pages.form(asked))


async def _json(asked: Asked) -> Response:
    return pages.data(await pages.sent(asked))


APP = Starlette(
    routes=[
        Route("/", _echo, methods=["GET", "POST", "PUT"]),
        Route("/form", _form, methods=["POST"]),
        Route("/json", _json, methods=["POST"]),
    ]
)


def ask(app: Any, method: str = "GET", path: str = "/", base: str = OWN, **more: Any) -> Any:
    """One request to an application, in process."""

    async def asking() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base) as client:
            return await client.request(method, path, **more)

    return anyio.run(asking)


def test_every_answer_has_the_headers_refusals_too() -> None:
    for answer in (
        ask(Guarded(APP)),
        ask(Guarded(APP), base="http://evil.example"),
        ask(Guarded(APP), path="/nothing"),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        policy = answer.headers["content-security-policy"]
        none = {"default-src", "base-uri", "frame-ancestors"}
        own = {"script-src", "style-src", "connect-src", "form-action"}
        assert dict(each.strip().split(" ", 1) for each in policy.split(";")) == {
            **dict.fromkeys(none, "'none'"), **dict.fromkeys(own, "'self'"), "img-src": "'self' data:"
        }  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8700", "judge.example.org"])
def test_names_that_are_known(host: str) -> None:
    app = Guarded(APP, hosts_of("127.0.0.1", "https://judge.example.org/x"))
    assert ask(app, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "[", "127.0.0.2", "localhost.", "a b"],
)
def test_a_foreign_name_leads_nowhere(host: str) -> None:
    assert ask(Guarded(APP), headers={"host": host}).status_code == 400


@pytest.mark.parametrize(("listens", "status"), [("0.0.0.0", 200), ("::", 200), ("127.0.0.1", 400), ("10.0.0.1", 400)])
def test_whoever_listens_everywhere_is_asked_by_any_address_and_by_no_foreign_name(listens: str, status: int) -> None:
    app = Guarded(APP, hosts_of(listens, None))
    for host in ("192.168.7.9:8700", "[fe80::1]:8700"):
        assert ask(app, headers={"host": host}).status_code == status, host
    for host in ("evil.example", "192.168.7.9.evil.example", "1@evil.example", "0x7f.1"):
        assert ask(app, headers={"host": host}).status_code == 400, host


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": OWN}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8701"}, 403),
        ({"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_forms_come_from_its_own_pages_alone(headers: dict[str, str], status: int) -> None:
    assert ask(Guarded(APP), "POST", headers=headers, content=b"x").status_code == status


def test_behind_a_proxy_forms_come_from_the_public_address() -> None:
    app = Guarded(APP, hosts_of("127.0.0.1", "https://judge.example.org"), ["https://judge.example.org"])
    there = {"host": "judge.example.org"}
    assert ask(app, "POST", headers={**there, "origin": "https://judge.example.org"}).status_code == 200
    assert ask(app, "POST", headers={**there, "origin": "http://judge.example.org"}).status_code == 403


def test_bodies_are_bounded_whatever_their_head_says() -> None:
    own = {"origin": OWN}
    assert ask(Guarded(APP), "POST", headers=own, content=b"x" * LARGEST).status_code == 200
    assert ask(Guarded(APP), "POST", headers=own, content=b"x" * (LARGEST + 1)).status_code == 413

    async def pieces() -> Any:
        for _ in range(LARGEST // 1000 + 2):
            yield b"x" * 1000

    assert ask(Guarded(APP), "POST", headers=own, content=pieces()).status_code == 413
    for told in ("-1", "1e9", "x", "9" * 5000):
        assert ask(Guarded(APP), "POST", headers={**own, "content-length": told}).status_code == 413


def test_only_get_and_post() -> None:
    assert ask(Guarded(APP), "PUT", headers={"origin": OWN}).status_code == 405


def test_too_many_requests_are_refused() -> None:
    app = Guarded(APP, most=0.001)
    app.bucket = Bucket(0.001, 3)
    assert [ask(app).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 3)), max_size=60))
def test_a_bucket_lets_nobody_come_more_often_than_it_says(asked: list[tuple[str, float]]) -> None:
    now = 0.0
    bucket = Bucket(2.0, 5.0, clock=lambda: now)
    let: dict[str, list[float]] = {"a": [], "b": []}
    for who, later in asked:
        now += later
        if bucket.take(who):
            let[who].append(now)
    for times in let.values():
        for i, first in enumerate(times):
            for count, then in enumerate(times[i:], 1):
                assert count <= 5 + 2 * (then - first) + 1e-6


def test_a_bucket_forgets_and_holds_no_more_than_it_may() -> None:
    bucket = Bucket(1, 1, most=3)
    assert all(bucket.take(str(number)) for number in range(100))
    assert list(bucket._held) == ["97", "98", "99"], "whoever came last is known"


def test_forms_and_objects_that_are_none() -> None:
    own = {"origin": OWN}
    typed = {**own, "content-type": "application/x-www-form-urlencoded"}
    assert ask(Guarded(APP), "POST", "/form", headers=typed, content=b"a=1&a=2&b=").json() == {
        "a": ["1", "2"],
        "b": [""],
    }
    assert ask(Guarded(APP), "POST", "/form", headers=own, content=b"a=1").status_code == 415
    assert ask(Guarded(APP), "POST", "/form", headers=typed, content=b"a=%ff").status_code == 400
    assert ask(Guarded(APP), "POST", "/form", headers=typed, content=b"&".join([b"a=1"] * 1000)).status_code == 400
    typed = {**own, "content-type": "application/json"}
    assert ask(Guarded(APP), "POST", "/json", headers=typed, content=b'{"a": 1}').json() == {"a": 1}
    for wrong in (b"", b"[1]", b"{", b"\xff", b"[" * 50_000):
        assert ask(Guarded(APP), "POST", "/json", headers=typed, content=wrong).status_code == 400


@given(
    st.lists(st.sampled_from(["<", ">", "'", '"', "&", "\u202e", "\x00"]) | st.text(max_size=9), max_size=9).map(
        "".join
    )
)
def test_whatever_a_page_is_given_is_escaped_and_visible(text: str) -> None:
    made = pages.environment().from_string("<p title='{{ text }}'>{{ text }}</p>").render(text=text)
    inside = made.removeprefix("<p title='").removesuffix("</p>")
    assert not set(inside.replace("'>", "", 1)) & set("<>'")
    assert visible(made) == made
    assert pages.safe({text: [text]}) == {visible(text): [visible(text)]}


def test_a_name_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(Exception, match="undefined"):
        pages.environment().from_string("{{ missing }}").render()


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("# Hello\n\n*you*", "<em>you</em>"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("![x](http://evil.example/a.png)", '<a href="http://evil.example/a.png">'),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>2</td>"),
        ("| a |\n|--:|\n| 1 |", '<td class="right">1</td>'),
        ("\u202eabc", "\\u202e"),
    ],
)
def test_markdown_is_text_and_a_little_more(text: str, within: str) -> None:
    made = pages.markdown(text)
    assert (
        within in made
        and "<script" not in made
        and "<img" not in made
        and 'href="javascript' not in made
        and "style=" not in made
    )


def test_who_sends_no_whole_request_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.3)
    monkeypatch.setattr(serving, "AT_ONCE", 6)
    listener = listening("127.0.0.1", 0)
    address = address_of(listener)
    begun = f"POST / HTTP/1.1\r\nHost: {address[7:]}\r\nOrigin: {address}\r\nContent-Length: 9\r\n\r\nx".encode()
    asked = f"GET / HTTP/1.1\r\nHost: {address[7:]}\r\n\r\n".encode()

    async def trying() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(serving.serve, Guarded(APP), listener)
            held = [await anyio.connect_tcp(*listener.getsockname()) for _ in range(5)]
            for each, sent in zip(held, (b"", b"GET / HT", begun, asked, b"G"), strict=True):
                await each.send(sent)
            assert b" 200 " in await held[3].receive()
            await held[3].send(b"GET /")
            async with httpx2.AsyncClient() as client:
                assert (await client.get(address)).status_code == 503
                with anyio.fail_after(5):
                    for each in held:
                        with pytest.raises(anyio.EndOfStream):
                            while True:
                                await each.receive()
                assert (await client.get(address)).status_code == 200
            group.cancel_scope.cancel()

    anyio.run(trying)
    listener.close()
    assert "Traceback" not in caplog.text and not any(record.exc_info for record in caplog.records)


def test_an_address_that_cannot_be_had_is_said() -> None:
    listener = listening("127.0.0.1", 0)
    try:
        port = int(address_of(listener).rpartition(":")[2])
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1 port {port}"):
            listening("127.0.0.1", port)
    finally:
        listener.close()
