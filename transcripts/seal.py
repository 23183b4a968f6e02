"""Sealed transcripts: zstd files that carry their summary in front.

A sealed file is a skippable zstd frame (RFC 8878, section 3.1.2) with the summary as JSON, followed by an ordinary zstd
frame with the transcript's lines, unchanged. `zstd -d` skips the first and writes the second, so that nobody needs moot
to get at the events; a listing reads the first and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import check_header
from moot.transcripts.index import described
from moot.transcripts.store import ZSTD_HINT, Writer
from moot.transcripts.transcript import Transcript

_MAGIC = 0x184D2A5D
_HEAD = struct.Struct("<II")
_MOST_SUMMARY = 1 << 24
_CHUNK = 1 << 18


def seal(path: Path | str, level: int = 10) -> Path:
    """Compress an ended transcript to `<path>.zst` and remove the original; returns the new path.

    The original's hash chain is checked first, and the sealed copy is read back and compared with it before the
    original goes. While it is sealed nobody else can write it. Raises UsageError when the play has not ended, the
    sealed file is there already or zstandard is not installed, TranscriptError when the transcript was edited or the
    disk is full.
    """
    path = Path(path)
    zstd = _library()
    if path.suffix == ".zst":
        raise UsageError(f"{path} is sealed already")
    target, partial = path.with_name(path.name + ".zst"), path.with_name(f".{path.name}.zst.part")
    if target.exists():
        raise UsageError(f"{target} exists already; move it away first")
    if not path.is_file():
        raise UsageError(f"{path} is a folder; name transcripts" if path.is_dir() else f"there is no transcript {path}")
    lock = Writer(path, append=True)
    try:
        transcript = Transcript(path=path)
        events = sum(1 for _ in transcript.pairs())
        if transcript.outcome is None:
            raise UsageError(f"{path} has not ended, so it cannot be sealed; go on with it: moot resume {path}")
        ending = transcript.outcome.model_dump(mode="json")
        summary = {**described(transcript.started, ending), "format": "moot-transcript",
                   "version": transcript.started["version"], "digest": transcript.digest, "events": events}  # fmt: skip
        try:
            before = _write(zstd, transcript, partial, to_json(summary), level)
        except OSError as error:
            raise TranscriptError(f"cannot write {partial}: {error.strerror}; {path} is untouched") from None
        after, again = blake2b(digest_size=16), 0
        for line in unsealed(partial):
            after.update(line)
            again += 1
        if after.digest() != before or again != events:
            raise TranscriptError(f"{partial} reads back differently from {path}, which is untouched: check the disk")
        os.replace(partial, target)
        path.unlink()
    finally:
        lock.close()
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return target


def unsealed(path: Path | str) -> Iterator[bytes]:
    """The lines of a sealed transcript, a block at a time. Raises TranscriptError when it is cut off or damaged."""
    path = Path(path)
    zstd, rest = _library(), b""
    for block in _blocks(zstd, path):
        lines = (rest + block).split(b"\n") if rest else block.split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"


def sealed_summary(path: Path | str) -> dict[str, Any]:
    """The summary at the start of a sealed transcript; needs no zstd library. Raises TranscriptError without one."""
    path = Path(path)
    with open(path, "rb") as file:
        head = file.read(_HEAD.size)
        magic, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
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


def _write(zstd: Any, transcript: Transcript, partial: Path, summary: bytes, level: int) -> bytes:
    """Write summary and lines; the hash of the lines."""
    whole = blake2b(digest_size=16)
    packer = zstd.packer(level)
    with open(partial, "wb") as file:
        file.write(_HEAD.pack(_MAGIC, len(summary)) + summary)
        for line in transcript.lines():
            whole.update(line)
            file.write(packer.compress(line))
        file.write(packer.flush())
        file.flush()
        os.fsync(file.fileno())
    return whole.digest()


def _blocks(zstd: Any, path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        head = file.read(_HEAD.size)
        if len(head) == _HEAD.size and (found := _HEAD.unpack(head))[0] & 0xFFFFFFF0 == 0x184D2A50:
            file.seek(found[1], os.SEEK_CUR)
            head = b""
        unpacker, data, begun = None, head, False
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


def _library() -> Any:
    for name, wrapped in (("compression.zstd", _Stdlib), ("zstandard", _Zstandard)):
        try:
            return wrapped(import_module(name))
        except ImportError:
            continue
    raise UsageError(ZSTD_HINT)
