"""The two HTTP clients, over real sockets: what one does the other does, on asyncio and on trio. Proxies, certificates, heads in
odd letters, long bodies, calls that are broken off, connections that are used again and closed."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import ssl
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from agent_kit import completion, request_for
from anyio.streams.tls import TLSListener

from moot.agents.models import wire
from moot.agents.models.http import clients
from moot.agents.models.http.clients import OverAiohttp, OverHttpx, client_for, connection_errors, unsent
from moot.agents.models.http.transport import Answer, send
from moot.agents.models.lm import LM
from moot.protocols.engine.moves import Speech

GOOD = json.dumps(completion('{"kind": "speech", "text": "Yes."}')).encode()
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
both = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def http(body: bytes = GOOD, head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\ncontent-length: %d\r\n" % len(body) + head + b"\r\n" + body


class Server:
    """Answers every request on every connection with the same bytes; None: never."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.answer = answer
        self.connections, self.open = 0, 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.ended = anyio.Event()  # a connection has

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        self.connections += 1
        self.open += 1
        try:
            async with stream:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    await self._answered(stream)
        finally:
            self.open -= 1
            self.ended.set()

    async def _answered(self, stream: anyio.abc.ByteStream) -> None:
        held = b""
        while True:
            while b"\r\n\r\n" not in held:
                held += await stream.receive()
            head, _, held = held.partition(b"\r\n\r\n")
            size = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            while len(held) < size:
                held += await stream.receive()
            self.heads.append(head)
            self.bodies.append(held[:size])
            held = held[size:]
            if self.answer is not None:
                await stream.send(self.answer)

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as plain, anyio.create_task_group() as group:
            listener: Any = plain if tls is None else TLSListener(plain, tls, standard_compatible=False)
            group.start_soon(listener.serve, self.serve)
            yield f"127.0.0.1:{plain.extra(anyio.abc.SocketAttribute.local_port)}"
            group.cancel_scope.cancel()


async def ask(url: str, body: Any = None, seconds: float = 5) -> Answer:
    client = client_for(url)
    try:
        return await send(client, "POST", url, body or {"messages": []}, {}, 4_000_000, seconds)
    finally:
        await client.close()


def run(backend: str, main: Callable[[], Awaitable[Any]]) -> Any:
    return anyio.run(main, backend=backend)


# -- which client it is ------------------------------------------------------------------------------------------------


def test_aiohttp_is_used_on_asyncio_and_httpx_where_there_is_a_proxy_or_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    async def made(url: str = "http://example.invalid/v1") -> type:
        client = client_for(url)
        await client.close()
        return type(client)

    assert anyio.run(made) is OverAiohttp and anyio.run(made, backend="trio") is OverHttpx
    assert anyio.run(made, "https://example.invalid/v1") is OverAiohttp
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert anyio.run(made) is OverHttpx
    assert anyio.run(made, "http://127.0.0.1:9/v1") is OverAiohttp  # no proxy is asked about this machine


def test_a_call_on_asyncio_imports_neither_openai_nor_httpx() -> None:
    code = (
        "import sys, anyio, moot\n"
        "from moot.agents.models.endpoint import Endpoint\n"
        "async def main():\n"
        "    endpoint = Endpoint('http://127.0.0.1:9/v1')\n"
        "    await endpoint.start()\n"
        "    print(await endpoint.models())\n"
        "    await endpoint.close()\n"
        "anyio.run(main)\n"
        "print(sorted({'openai', 'httpx2', 'aiohttp'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["(0, None)", "['aiohttp']"] and not done.stderr, done.stderr


# -- proxies and certificates ------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_is_asked_for_what_is_elsewhere(name: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, direct = Server(http()), Server(http())

    async def main() -> None:
        async with proxy.listening() as there, direct.listening() as here:
            monkeypatch.setenv(name, f"http://user:word@{there}")
            assert (await ask("http://example.invalid/v1/x")).content == GOOD
            assert (await ask(f"http://{here}/v1/x")).content == GOOD  # this machine's own needs none

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of openai's client: how it gives aiohttp the password
        run(backend, main)
    (head,) = proxy.heads
    assert head.startswith(b"POST http://example.invalid/v1/x HTTP/1.1") and len(direct.heads) == 1
    assert b"proxy-authorization: basic dxnlcjp3b3jk" in head.lower()


@both
def test_what_no_proxy_names_is_asked_directly(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, direct = Server(http()), Server(http())
    monkeypatch.setattr(wire, "is_loopback", lambda url: False)  # as if it were elsewhere

    async def main() -> None:
        async with proxy.listening() as there, direct.listening() as here:
            monkeypatch.setenv("HTTP_PROXY", f"http://{there}")
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            assert (await ask(f"http://{here}/v1/x")).content == GOOD

    run(backend, main)
    assert len(direct.heads) == 1 and not proxy.heads


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=moot test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    made.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return made


@both
def test_a_certificate_counts_where_the_environment_trusts_it(
    backend: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, tls = Server(http()), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    monkeypatch.setattr(wire, "is_loopback", lambda url: False)  # as if it were elsewhere

    async def main() -> tuple[Any, Any]:
        async with server.listening(tls) as here:
            try:
                untrusted: Any = await ask(f"https://{here}/v1/x")
            except connection_errors() as error:
                causes = [error, *filter(None, [error.__cause__])]
                untrusted = type(error).__name__, unsent(causes)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            return untrusted, await ask(f"https://{here}/v1/x")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        untrusted, trusted = run(backend, main)
    assert untrusted[1] is True and trusted.content == GOOD  # without trust nothing was asked
    assert len(server.heads) == 1


# -- answers -----------------------------------------------------------------------------------------------------------


@both
def test_heads_are_read_alike(backend: str) -> None:
    """Names in any case, values given twice, values that are no UTF-8: nothing in a record may be half a character."""
    head = (
        b"Retry-After: 3\r\nX-Odd: \xff\xfe\r\nX-Twice: a\r\nx-twice: b\r\nLocation: /\xc3\xa9\r\nSet-Cookie: a=b\r\n"
    )

    async def main() -> Answer:
        async with Server(http(b"{}", head, b"429 Slow")).listening() as here:
            return await ask(f"http://{here}/v1/x")

    answer = run(backend, main)
    assert answer.status == 429 and type(answer.headers) is dict
    assert answer.headers["retry-after"] == "3" and answer.headers["x-twice"] == "a, b"
    json.dumps(answer.headers, ensure_ascii=False).encode()


@both
def test_no_redirect_is_followed(backend: str) -> None:
    server = Server(http(b"", b"location: /v1/y\r\n", b"307 Away"))

    async def main() -> Answer:
        async with server.listening() as here:
            return await ask(f"http://{here}/v1/x")

    assert run(backend, main).status == 307 and len(server.heads) == 1


@both
def test_a_long_body_arrives_whole_and_warns_of_nothing(backend: str) -> None:
    server, body = Server(http()), {"image": "x" * 3_000_000}

    async def main() -> None:
        async with server.listening() as here:
            await ask(f"http://{here}/v1/x", body)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(backend, main)
    assert json.loads(server.bodies[0]) == body


# -- connections -------------------------------------------------------------------------------------------------------


@both
def test_a_connection_is_used_again_and_closed_at_the_end(backend: str) -> None:
    server = Server(http())

    async def main() -> None:
        async with server.listening() as here:
            lm = LM("m", base_url=f"http://{here}/v1")
            await lm.start()
            for _ in range(5):
                assert await lm.act(request_for(Speech)) == Speech(text="Yes.")
            assert server.open == server.connections == 1 and not server.ended.is_set()
            await lm.close()
            with anyio.fail_after(2):
                await server.ended.wait()

    gc.collect()  # what earlier tests have left is not this one's
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run(backend, main)
        gc.collect()
    assert [str(each.message) for each in said] == []


@both
def test_a_call_that_is_broken_off_gives_its_connection_up_and_the_next_has_another(backend: str) -> None:
    server = Server(None)

    async def main() -> None:
        async with server.listening() as here:
            url = f"http://{here}/v1/x"
            client = client_for(url)
            with anyio.move_on_after(0.05) as scope:
                await send(client, "POST", url, {}, {}, 1000, 9)
            assert scope.cancelled_caught and server.connections == 1
            with pytest.raises(TimeoutError):
                await send(client, "POST", url, {}, {}, 1000, 0.05)
            server.answer = http()
            assert (await send(client, "POST", url, {}, {}, 1000, 5)).content == GOOD
            await client.close()

    run(backend, main)
    assert server.connections == 3


@both
def test_what_is_too_long_is_not_waited_for_and_its_connection_given_up(backend: str) -> None:
    server = Server(http(b"x" * 3_000_000))

    async def main() -> None:
        async with server.listening() as here:
            url = f"http://{here}/v1/x"
            client = client_for(url)
            answer = await send(client, "POST", url, {}, {}, 1000, 5)
            assert not answer.whole and len(answer.content) == 1000
            with anyio.fail_after(2):
                await server.ended.wait()
            server.answer = http()
            assert (await send(client, "POST", url, {}, {}, 1000, 5)).content == GOOD
            await client.close()

    run(backend, main)
    assert server.connections == 2


def test_a_loop_has_one_session_for_all_who_ask_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    server, made = Server(http()), list[Any]()
    monkeypatch.setattr(clients.OverAiohttp, "_begun", _counting(clients.OverAiohttp._begun, made))

    async def main() -> None:
        async with server.listening() as here:
            models = [LM("m", base_url=f"http://{here}/v1") for _ in range(4)]
            for lm in models:
                await lm.start()
            await asyncio.gather(*(lm.act(request_for(Speech)) for lm in models for _ in range(3)))
            for lm in models:
                await lm.close()

    anyio.run(main)
    assert len(made) == 1 and server.connections <= 12


def _counting(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counted(*given: Any) -> Any:
        calls.append(given)
        return function(*given)

    return counted
