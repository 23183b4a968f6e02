"""Messages between the owner of a study and its workers: a head in JSON and a body in bytes, over one TCP connection.

Rule of this file: bytes are framed and both ends proved here; what messages mean is not known. Nothing that a worker sends is unpickled.
"""

from __future__ import annotations

import hmac
import json
import secrets
import struct
from collections.abc import Mapping
from socket import socket
from typing import Any

from anyio.abc import ByteReceiveStream

from moot.protocols.engine.errors import MootError

_SIZES = struct.Struct(">II")
NONCE = 32  # bytes
_HEAD, _BODY = 1 << 20, 1 << 30

Message = tuple[dict[str, Any], bytes]


class Lost(MootError):
    """The other end is gone, or is not who it should be."""


def framed(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message as it is sent. Raises MootError on a body over a gigabyte."""
    text = json.dumps(head).encode()
    if len(text) > _HEAD or len(body) > _BODY:
        raise MootError(f"a message of {len(text) + len(body):,} bytes is too long to be sent to a worker")
    return _SIZES.pack(len(text), len(body)) + text + body


def _sizes(raw: bytes) -> tuple[int, int]:
    head, body = _SIZES.unpack(raw)
    if head > _HEAD or body > _BODY:
        raise Lost("the other end sends no messages of a study")
    return head, body


def _head(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Lost("the other end sends no messages of a study")
    return found


def nonce() -> bytes:
    """Bytes that were never sent before."""
    return secrets.token_bytes(NONCE)


def proof(token: bytes, who: bytes, of: bytes) -> bytes:
    """What shows that an end holds the token of this run, which is never sent: an HMAC-SHA-256 of the other end's nonce."""
    return hmac.digest(token, who + of, "sha256")


def proved(token: bytes, who: bytes, of: bytes, given: bytes) -> bool:
    return hmac.compare_digest(proof(token, who, of), given)


class Reader:
    """Messages from an async stream. Raises Lost at its end."""

    def __init__(self, stream: ByteReceiveStream) -> None:
        self._stream, self._held = stream, bytearray()

    async def exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            self._held += await self._stream.receive(1 << 18)
        found = bytes(self._held[:count])
        del self._held[:count]
        return found

    async def message(self) -> Message:
        head, body = _sizes(await self.exactly(_SIZES.size))
        return _head(await self.exactly(head)), await self.exactly(body)


def exactly(sock: socket, count: int) -> bytes:
    """So many bytes from a blocking socket. Raises Lost at its end."""
    parts = bytearray()
    while len(parts) < count:
        if not (part := sock.recv(min(count - len(parts), 1 << 18))):
            raise Lost("the owner of the study is gone")
        parts += part
    return bytes(parts)


def message(sock: socket) -> Message:
    """The next message from a blocking socket. Raises Lost at its end."""
    head, body = _sizes(exactly(sock, _SIZES.size))
    return _head(exactly(sock, head)), exactly(sock, body)
