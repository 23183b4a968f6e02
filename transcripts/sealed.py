"""Sealed transcripts, as they are read: zstd files that carry their summary in front.

A sealed file is a skippable zstd frame (RFC 8878, section 3.1.2) with the summary as JSON, followed by an ordinary zstd
frame with the transcript's lines, unchanged. `zstd -d` skips the first and writes the second, so that nobody needs moot
to get at the events; a listing reads the first and nothing else.

Rule of this file: the form of the file alone. `seal.py` makes one of a transcript.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import check_header

ZSTD_HINT = "sealed transcripts need the zstd extra: pip install 'moot[seal]'"
_MAGIC = 0x184D2A5D
_HEAD = struct.Struct("<II")
_MOST_SUMMARY = 1 << 24
_CHUNK = 1 << 18


def head(summary: bytes) -> bytes:
    """The frame that a sealed file begins with."""
    return _HEAD.pack(_MAGIC, len(summary)) + summary


def unsealed(path: Path | str) -> Iterator[bytes]:
    """The lines of a sealed transcript, a block at a time. Raises TranscriptError when it is cut off or damaged."""
    path = Path(path)
    zstd, rest = library(), b""
    for block in _blocks(zstd, path):
        lines = (rest + block).split(b"\n") if rest else block.split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"


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
        summary = from_json(body)
    except ValueError:
        raise TranscriptError(f"{path}: the summary is cut off or damaged") from None
    if not isinstance(summary, dict):
        raise TranscriptError(f"{path}: the summary is damaged")
    check_header({**summary, "event": "started"}, str(path))
    return summary


def _blocks(zstd: Any, path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        data = file.read(_HEAD.size)
        if len(data) == _HEAD.size and (found := _HEAD.unpack(data))[0] & 0xFFFFFFF0 == 0x184D2A50:
            file.seek(found[1], os.SEEK_CUR)
            data = b""
        unpacker, begun = None, False
        try:
            while True:
                data = data or file.read(_CHUNK)
                if not data:
                    break
                if unpacker is None:
                    unpacker, begun = zstd.unpacker(), True
                yield unpacker.decompress(data)
                data = b""
                if unpacker.eof:
                    data, unpacker = unpacker.unused_data, None
        except zstd.error as error:
            raise TranscriptError(f"{path}: is damaged, or no zstd file: {error}") from None
        if unpacker is not None or not begun:
            raise TranscriptError(f"{path}: is cut off: the sealed transcript does not reach its end")


class _Zstandard:
    """The `zstandard` package, in the few calls that are used."""

    def __init__(self, package: Any) -> None:
        self.error = package.ZstdError
        self.packer = lambda level: package.ZstdCompressor(level=level, write_checksum=True).compressobj()
        self.unpacker = lambda: package.ZstdDecompressor().decompressobj()


class _Stdlib:
    """Python 3.14's `compression.zstd`, likewise."""

    def __init__(self, package: Any) -> None:
        self.error = package.ZstdError
        checked = package.CompressionParameter.checksum_flag
        level = package.CompressionParameter.compression_level
        self.packer = lambda grade: package.ZstdCompressor(options={level: grade, checked: 1})
        self.unpacker = package.ZstdDecompressor


def library() -> Any:
    """The zstd library. Raises UsageError when there is none."""
    for name, wrapped in (("compression.zstd", _Stdlib), ("zstandard", _Zstandard)):
        try:
            return wrapped(import_module(name))
        except ImportError:
            continue
    raise UsageError(ZSTD_HINT)
