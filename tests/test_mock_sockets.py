"""The mock OpenAI server over real sockets and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import TypeAdapter

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Stop, Verdict
from moot.testing.server.faults import Fault, Faults, rate
from moot.testing.server.process import mock_process
from moot.testing.server.server import MockOpenAI
from moot.testing.server.serving import OnUvicorn, bound, listening

MESSAGES: Any = [{"role": "system", "content": "You debate."}, {"role": "user", "content": "Who sank the fleet?"}]
KINDS: list[type[Move]] = [Speech, Verdict, Answer, Ask, Stop]


def request_for(kind: Any, said: str = "Go on.") -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    return {
        "model": "mock",
        "messages": [{"role": "user", "content": said}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "move", "schema": schema}},
    }


def on_socket(url: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "k", "base_url": url, "max_retries": 0, "timeout": 5, **options})


async def ask(client: AsyncOpenAI, **options: Any) -> Any:
    return await client.chat.completions.create(**{"model": "mock", "messages": MESSAGES, **options})


# Real sockets and processes.


def _connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_a_cut_off_on_the_wire_is_half_a_body() -> None:
    mock = MockOpenAI(script=[Fault.cut_off()])
    body = json.dumps({"model": "mock", "messages": MESSAGES}).encode()
    with mock.serve() as url, closing(_connect(url)) as link:
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        got = b""
        while part := link.recv(65536):
            got += part
    head, _, content = got.partition(b"\r\n\r\n")
    declared = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200") and len(content) == declared // 2


def test_a_body_does_not_wait_until_its_head_is_acknowledged() -> None:
    """Each connection is without Nagle's algorithm; asyncio leaves it on for a socket of `create_server` (python/cpython#148783)."""

    class Noting(OnUvicorn):
        def connection(self) -> asyncio.Protocol:
            made = super().connection()
            plain = made.connection_made

            def connected(transport: Any) -> None:
                at_once.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                plain(transport)

            made.connection_made = connected  # type: ignore[method-assign]
            return made

    at_once: list[int] = []

    async def main() -> None:
        async with listening(Noting(MockOpenAI()), bound()) as url:
            async with on_socket(url) as client:
                await ask(client)

    asyncio.run(main())
    assert at_once and all(at_once)


def test_it_starts_fast_and_stops_with_requests_hanging() -> None:
    mock = MockOpenAI(script=[rate(1, Fault.hang())])

    async def hang(url: str) -> Exception:
        async with on_socket(url, timeout=30) as client:
            with pytest.raises(openai.APIConnectionError) as caught:
                await ask(client)
            return caught.value

    starts: list[float] = []
    for _ in range(3):
        start = time.monotonic()
        with mock.serve():
            starts.append(time.monotonic() - start)
    assert min(starts) < 1
    found: list[Exception] = []
    with mock.serve() as url:
        clients = [threading.Thread(target=lambda: found.append(asyncio.run(hang(url)))) for _ in range(2)]
        for client in clients:
            client.start()
        while mock.in_flight < 2:
            time.sleep(0.01)
    for client in clients:
        client.join(10)
    assert len(found) == 2 and not any(isinstance(error, openai.APITimeoutError) for error in found)
    assert mock.in_flight == 0 and mock.max_in_flight == 2
    with pytest.raises(OSError, match="refused"):
        _connect(url)


def test_many_clients_at_once_are_counted() -> None:
    mock = MockOpenAI(latency=0.2)

    async def use(url: str) -> None:
        async with on_socket(url) as client:
            await asyncio.gather(*(ask(client) for _ in range(40)))

    with mock.serve() as url:
        asyncio.run(use(url))
    assert len(mock.calls) == 40 and 20 <= mock.max_in_flight <= 40 and mock.in_flight == 0
    assert [call.number for call in mock.calls] == list(range(40))


def test_an_error_inside_serve_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), MockOpenAI().serve():
        _ = 1 / 0


def test_a_process_of_its_own() -> None:
    async def use(url: str) -> None:
        async with on_socket(url) as client:
            assert [model.id async for model in client.models.list()] == ["mock"]
            start = time.monotonic()
            answer = await ask(client)
            assert time.monotonic() - start >= 0.02
            assert "<speech>" in answer.choices[0].message.content and answer.usage.total_tokens > 0
            for kind in KINDS:
                answer = await ask(client, **request_for(kind))
                kind.model_validate_json(answer.choices[0].message.content)
            with pytest.raises(openai.NotFoundError):
                await client.embeddings.create(model="mock", input="x")
            await asyncio.gather(*(ask(client) for _ in range(50)))

    with mock_process(latency_ms=20) as url:
        asyncio.run(use(url))


def _command(*options: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "moot.testing.server.process", *options]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("options", [["--fault", "hang=1"], ["--latency-ms", "60000"]])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_even_with_a_request_hanging(options: list[str], number: int) -> None:
    body = json.dumps({"model": "mock", "messages": MESSAGES}).encode()
    with _command(*options) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            url = process.stdout.readline().strip()
            with closing(_connect(url)) as link:
                link.sendall(
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
                time.sleep(0.1)
                os.kill(process.pid, number)
                assert process.wait(20) == 0
                with suppress(ConnectionResetError):
                    assert link.recv(1000) == b""
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize("options", [["--fault", "fire=1"], ["--fault", "hang"], ["--port", "99999"]])
def test_bad_options_are_usage_errors(options: list[str]) -> None:
    with _command(*options) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2 and said.startswith("error: ") and "Traceback" not in said


def test_the_process_says_what_it_is_told_and_fails_at_its_rate() -> None:
    async def use(url: str) -> list[str]:
        async with on_socket(url) as client:
            got = []
            for _ in range(20):
                try:
                    got.append((await ask(client, model="m")).choices[0].message.content)
                except openai.InternalServerError:
                    got.append("500")
            return got

    with mock_process("--reply", "yes", "--model", "m", "--fault", "500=0.5", "--seed", "3") as url:
        got = asyncio.run(use(url))
    assert set(got) == {"yes", "500"}
    assert got.count("500") == sum(
        Faults([rate(0.5, Fault.server_error(), 3)]).at(i, {}) is not None for i in range(20)
    )


def test_a_process_that_cannot_start_says_so() -> None:
    with pytest.raises(UsageError, match="did not start"), mock_process("--port", "99999"):
        pass


def test_without_uvicorn_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"moot\[testing\]"), MockOpenAI().serve():
        pass
