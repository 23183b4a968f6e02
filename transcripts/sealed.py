"""Sealed transcripts, as they are read: zstd files that carry their summary in front.

A sealed file is a skippable zstd frame (RFC 8878, section 3.1.2) with the summary as JSON, all that a listing reads, followed
by an ordinary zstd frame with the transcript's lines, unchanged, which is what `zstd -d` writes.

Rule of this file: the form of the file alone. `seal.py` makes one of a transcript.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import LONGEST, check_header

_MAGIC = 0x184D2A5D
_HEAD = struct.Struct("<II")
_MOST_SUMMARY = 1 << 24
_CHUNK = 1 << 10  # a few bytes can stand for 128 KB, so this is at most 32 MB unpacked
_FREE, _RATIO = 1 << 26, 4096
"""What a sealed file may open to: 64 MiB, or 4096 times its size."""


def head(summary: bytes) -> bytes:
    """The frame that a sealed file begins with."""
    return _HEAD.pack(_MAGIC, len(summary)) + summary


def unsealed(path: Path | str) -> Iterator[bytes]:
    """The lines of a sealed transcript, and what follows the last of them, a block at a time. Raises TranscriptError when it
    is cut off, damaged, or opens to more than a transcript of its size does."""
    path = Path(path)
    zstd, rest, opened = library(), b"", 0
    most = max(_FREE, _RATIO * path.stat().st_size)
    for block in _blocks(zstd, path):
        if (opened := opened + len(block)) > most:
            raise TranscriptError(f"{path}: opens to more than {most:,} bytes, which no transcript of its size does")
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > LONGEST:
            raise TranscriptError(f"{path}: holds a line longer than {LONGEST:,} bytes, which no event is")
    if rest:
        yield rest


def sealed_summary(path: Path | str) -> dict[str, Any]:
    """The summary at the start of a sealed transcript; needs no zstd library. Raises TranscriptError without one."""
    path = Path(path)
    with open(path, "rb") as file:
        first = file.read(_HEAD.size)
        magic, length = _HEAD.unpack(first) if len(first) == _HEAD.size else (0, 0)
        if magic != _MAGIC or length > _MOST_SUMMARY:
            raise TranscriptError(f"{path}: carries no summary: not sealed by moot (moot show reads it all the same)")
        body = file.read(length)
    try:
        summary: dict[str, Any] = from_json(body if len(body) == length else b"")
        check_header({**summary, "event": "started"}, str(path))
    except (ValueError, TypeError):  # no JSON, or no object
        raise TranscriptError(f"{path}: the summary is cut off or damaged") from None
    return summary


def _blocks(zstd: Library, path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        data = file.read(_HEAD.size)
        if len(data) == _HEAD.size and (found := _HEAD.unpack(data))[0] & 0xFFFFFFF0 == 0x184D2A50:
            file.seek(found[1], os.SEEK_CUR)
            data = b""
        unpacker, whole = None, False
        try:
            while data := data or file.read(_CHUNK):
                unpacker = unpacker or zstd.unpacker()
                yield unpacker.decompress(data)
                data, whole = b"", unpacker.eof
                if whole:
                    data, unpacker = unpacker.unused_data, None
        except zstd.error as error:
            raise TranscriptError(f"{path}: is damaged, or no zstd file: {error}") from None
        if not whole:
            raise TranscriptError(f"{path}: is cut off: the sealed transcript does not reach its end")


class Library(NamedTuple):
    """What is used of a zstd library. packer: from a level."""

    error: type[Exception]
    packer: Callable[[int], Any]
    unpacker: Callable[[], Any]


def library() -> Library:
    """The zstd library: Python 3.14's own, or the package. Raises UsageError when there is none."""
    with suppress(ImportError):
        z = import_module("compression.zstd")
        level, check = z.CompressionParameter.compression_level, z.CompressionParameter.checksum_flag
        return Library(z.ZstdError, lambda n: z.ZstdCompressor(options={level: n, check: 1}), z.ZstdDecompressor)
    with suppress(ImportError):
        zstd = import_module("zstandard")
        return Library(zstd.ZstdError, lambda n: zstd.ZstdCompressor(level=n, write_checksum=True).compressobj(),
                       lambda: zstd.ZstdDecompressor().decompressobj())  # fmt: skip
    raise UsageError("sealed transcripts need the zstd extra: pip install 'moot[seal]'")
