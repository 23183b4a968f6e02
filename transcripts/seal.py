"""Sealing: an ended transcript into the compressed file that `sealed.py` reads.

Rule of this file: it writes a copy, compares it, and only then removes the original; it reads nothing else.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import blake2b
from pathlib import Path

from pydantic_core import to_json

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts.events import FORMAT
from moot.transcripts.index import described
from moot.transcripts.sealed import head, library, unsealed
from moot.transcripts.store import Writer
from moot.transcripts.transcript import Transcript


def seal(path: Path | str, level: int = 10) -> Path:
    """Compress an ended transcript to `<path>.zst` and remove the original; returns the new path. Nobody else can write it
    meanwhile. Raises UsageError when the play has not ended, the sealed file is there already or zstandard is not
    installed, TranscriptError when the transcript was edited or the disk is full."""
    path = Path(path)
    zstd = library()
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
        ending = transcript.outcome.model_dump()
        summary = {**described(transcript.started, ending), "format": FORMAT,
                   "version": transcript.version, "digest": transcript.digest, "events": events}  # fmt: skip
        before, after = blake2b(digest_size=16), blake2b(digest_size=16)
        try:
            with open(partial, "wb") as file:
                file.write(head(to_json(summary)))
                packer = zstd.packer(level)
                for line in transcript.lines():
                    before.update(line)
                    file.write(packer.compress(line))
                file.write(packer.flush())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TranscriptError(f"cannot write {partial}: {error.strerror}; {path} is untouched") from None
        for line in unsealed(partial):
            after.update(line)
        if after.digest() != before.digest():
            raise TranscriptError(f"{partial} reads back differently from {path}, which is untouched: check the disk")
        os.replace(partial, target)
        path.unlink()
    finally:
        lock.close()
        with contextlib.suppress(OSError):
            partial.unlink()
    return target
