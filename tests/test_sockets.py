"""Answers that break on the wire, over real sockets: each is tried again, and then an error that says what happened. None is
held that is larger than an answer may be."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import pytest
from agent_kit import completion, request_for

from moot.agents.models.lm import LM
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Speech

GOOD = json.dumps(completion('{"kind": "speech", "text": "Yes."}')).encode()


def http(body: bytes, length: int | None = None, status: str = "200 OK", extra: str = "") -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n{extra}\r\n"
    return head.encode() + body


BROKEN = {
    "hung up at once": b"",
    "no HTTP": b"\x16\x03\x01 what?\r\n\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half a body": http(GOOD[:50], length=len(GOOD)),
    "half a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n{",
    "bad gzip": http(b"no gzip at all", extra="content-encoding: gzip\r\n"),
    "an error cut off": http(b"{", length=99, status="500 Oh"),
    "gzip without its end": http(gzip.compress(GOOD)[:-9], extra="content-encoding: gzip\r\n"),
    "an encoding of its own": http(b"GOOD", extra="content-encoding: br\r\n"),
    "gzip in gzip": http(gzip.compress(gzip.compress(GOOD)), extra="content-encoding: gzip, gzip\r\n"),
}


async def talk(answers: list[bytes], **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    """What an LM makes of a server that sends these bytes, one per connection, and hangs up."""
    left = list(answers)
    notes: list[dict[str, Any]] = []

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while b'"messages"' not in await stream.receive():
                    pass
                await stream.send(left.pop(0) if len(left) > 1 else left[0])

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, serve)
        lm = LM("m", base_url=f"http://127.0.0.1:{port}/v1", backoff=0.001, timeout=5, **options)
        await lm.start()
        try:
            result: Any = await lm.act(request_for(Speech, notes=notes))
        except AgentError as error:
            result = error
        await lm.close()
        group.cancel_scope.cancel()
    return result, notes


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_tried_again(name: str, backend: str) -> None:
    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([BROKEN[name], http(GOOD, extra="connection: close\r\n")])

    move, notes = anyio.run(main, backend=backend)
    assert move == Speech(text="Yes.") and [note["ok"] for note in notes] == [False, True], notes


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", BROKEN)
def test_an_endpoint_that_only_breaks_is_an_error(name: str, backend: str) -> None:
    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([BROKEN[name]], retries=1)

    error, notes = anyio.run(main, backend=backend)
    assert isinstance(error, AgentError) and "given up after 2 attempts" in str(error)
    assert len(notes) == 2 and all(note["error"] for note in notes)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_body_without_end_is_not_read_to_its_end(backend: str) -> None:
    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([http(b"x" * 20_000_000, length=10**12)])

    error, notes = anyio.run(main, backend=backend)
    assert isinstance(error, AgentError) and "over 4,000,000 bytes" in str(error) and len(notes) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers_are_read(encoding: str) -> None:
    body = gzip.compress(GOOD) if encoding == "gzip" else zlib.compress(GOOD)

    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([http(body, extra=f"content-encoding: {encoding}\r\nconnection: close\r\n")])

    assert anyio.run(main)[0] == Speech(text="Yes.")


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """100 MB in 100 KB."""
    packed = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(packed.compress(bytes(1_000_000)) for _ in range(100)) + packed.flush()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("status", ["200 OK", "400 No", "500 Oh", "302 Away"])
def test_what_unpacks_to_too_much_is_never_held(status: str, backend: str, bomb: bytes) -> None:
    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([http(bomb, status=status, extra="content-encoding: gzip\r\n")], retries=0)

    anyio.run(
        talk, [http(GOOD, extra="connection: close\r\n")], backend=backend
    )  # what is imported once does not count
    tracemalloc.start()
    try:
        error, notes = anyio.run(main, backend=backend)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (
        isinstance(error, (AgentError, UnreadableAnswer)) and len(notes) == 1 and notes[0]["status"] == int(status[:3])
    )
    assert peak < 25_000_000 and len(json.dumps(notes)) < 130_000


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", ["many headers", "a long header", "a long status", "hints without end"])
def test_a_head_without_end_is_an_error(name: str, backend: str) -> None:
    endless = {"many headers": b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 300_000, "a long header": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 4_000_000,
               "a long status": b"HTTP/1.1 200 " + b"O" * 4_000_000, "hints without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 3000}  # fmt: skip

    async def main() -> tuple[Any, list[dict[str, Any]]]:
        return await talk([endless[name]], retries=1)

    error, notes = anyio.run(main, backend=backend)
    assert isinstance(error, AgentError) and 1 <= len(notes) <= 2 and all(len(note["error"]) < 1000 for note in notes)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_in_drips_has_the_time_of_one_call(backend: str) -> None:
    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
                for place in range(len(DRIP)):
                    await stream.send(DRIP[place : place + 1])
                    await anyio.sleep(0.02)

    async def main() -> Any:
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, serve)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            lm = LM("m", base_url=f"http://127.0.0.1:{port}/v1", timeout=0.3, retries=0)
            try:
                return await lm.act(request_for(Speech))
            except AgentError as error:
                return error
            finally:
                await lm.close()
                group.cancel_scope.cancel()

    DRIP = http(GOOD)
    assert "no answer from" in str(anyio.run(main, backend=backend))
