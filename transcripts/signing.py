"""Signing a transcript with a key: a file beside it that nobody without the key can make.

The signature of `d.jsonl` is `d.jsonl.hmac`, one line: "hmac-sha256 " and the HMAC of the transcript's lines, in hexadecimal.
It is the same for the sealed file, whose lines are the same. It shows any change since, the removal of events included, to
whoever has the key, and to nobody else; who has the key can sign anything.

Rule of this file: keys are read and never written, shown or recorded.
"""

from __future__ import annotations

import contextlib
import hmac
import os
from pathlib import Path

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.transcript import Transcript

_LEAST, _MOST = 16, 4096  # bytes of a key
_FORM = "hmac-sha256 "


def read_key(path: Path | str) -> bytes:
    """The key in a file: all of its bytes. Raises UsageError when they are too few or too many, or others may read them."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            found, key = os.fstat(file.fileno()), file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}") from None
    if os.name == "posix" and found.st_mode & 0o077:
        raise UsageError(f"others may read the key {path}: chmod 600 {path}")
    return _checked(key, str(path))


def _checked(key: bytes, name: str) -> bytes:
    if not isinstance(key, bytes):
        raise UsageError(f"{name} is of type {type(key).__name__}; a key is bytes: open(FILE, 'rb').read()")
    if not _LEAST <= len(key) <= _MOST:
        raise UsageError(f"{name} holds {len(key) if len(key) <= _MOST else f'over {_MOST}'} bytes; a key has "
                         f"{_LEAST} to {_MOST}: head -c 32 /dev/urandom > FILE")  # fmt: skip
    return key


def signature_path(transcript: Transcript) -> Path:
    """Where the signature of a transcript is kept, sealed or not. Raises UsageError for one in memory."""
    file = transcript.file
    return file.with_name(file.name.removesuffix(".zst") + ".hmac")


def sign(transcript: Transcript, key: bytes) -> Path:
    """Check a transcript and write its signature beside it; the file's path. Raises TranscriptError when it is damaged,
    UsageError when a signature is there that does not fit: the transcript was changed since, or went on."""
    path = signature_path(transcript)
    for _ in transcript.check():
        pass
    said = _FORM + _signature(transcript, _checked(key, "the key")) + "\n"
    try:
        if path.exists():
            if hmac.compare_digest(_read(path), said.encode()):
                return path
            raise UsageError(
                f"{path} is there and does not fit: the transcript was changed, or went on; remove it to sign anew"
            )
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(partial, "xb") as file:
                file.write(said.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return path


def check_signature(transcript: Transcript, key: bytes) -> None:
    """Raise TranscriptError unless the signature beside a transcript was made of just these lines with this key."""
    path = signature_path(transcript)
    said = _FORM + _signature(transcript, _checked(key, "the key")) + "\n"
    try:
        found = _read(path)
    except OSError as error:
        raise TranscriptError(f"{transcript.name}: no signature can be read from {path}: {error.strerror}") from None
    if not hmac.compare_digest(found, said.encode()):
        raise TranscriptError(
            f"{transcript.name}: the signature {path} does not fit: the transcript was changed or went on since, or it is another key"
        )


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(1024)


def _signature(transcript: Transcript, key: bytes) -> str:
    made = hmac.new(key, b"moot-transcript\n", "sha256")
    for line in transcript.lines():
        made.update(line)
    return made.hexdigest()
